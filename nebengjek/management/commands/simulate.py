"""`manage.py simulate`: whole rides on a running server, by real clients."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from nebengjek.management.city import CityRun
from nebengjek_client import Data, NebengJekError
from simulation.people import PACE_KMH
from simulation.run import Outcome, Plan, percentile, simulate

UUID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f-]{27}\b")
"""The first part of an id is enough to read."""


class Command(BaseCommand):
    """Take rides from login to payment as real WebSocket clients."""

    help = "Take whole rides on a running server, from login to payment, as real WebSocket clients."

    def add_arguments(self, parser: CommandParser) -> None:
        """Say how many, of whom, how fast, and where."""
        parser.add_argument("--rides", type=int, default=10, help="rides to take (default: %(default)s)")
        parser.add_argument("--drivers", type=int, default=3, help="drivers (default: %(default)s)")
        parser.add_argument("--passengers", type=int, default=3, help="passengers (default: %(default)s)")
        parser.add_argument("--speed", type=float, default=5, help=f"times {PACE_KMH:g} km/h (default: %(default)s)")
        parser.add_argument("--url", default=settings.PUBLIC_URL, help="the server; of a city several, with commas")
        parser.add_argument("--seed", type=int, default=1, help="another seed, other places (default: %(default)s)")
        parser.add_argument("--anyway", action="store_true", help="also with DEBUG off")
        parser.add_argument("--show-frames", action="store_true", help="print every frame")
        parser.add_argument("--city", action="store_true", help="streets, bad phones and moods; check every promise")
        parser.add_argument(
            "--moods", nargs="+", default=[], metavar="MOOD=SHARE", help="another mix of a city's people: cheats=0.3 …"
        )
        parser.add_argument("--unhurried", action="store_true", help="a city's drivers come at the pace of the ride")
        parser.add_argument("--save", type=Path, metavar="FILE", help="add the figures of a city to those of a policy")
        parser.add_argument(
            "--compare", type=Path, nargs=2, metavar=("A", "B"), help="compare two policies that were saved"
        )
        parser.add_argument(
            "--map", type=Path, metavar="FILE.osm", help="streets of OpenStreetMap in place of generated ones"
        )
        parser.add_argument("--over", type=float, default=0, help="seconds over which a city's rides begin (at once)")
        parser.add_argument("--limit", type=float, default=900, help="seconds of a city at most (default: %(default)s)")
        parser.add_argument(
            "--log", type=Path, metavar="FILE", help="what is done to the system meanwhile, and what it uses"
        )
        parser.add_argument(
            "--into", metavar="FILE.md#MARK", help="write it between <!-- MARK --> and <!-- end of MARK -->"
        )
        parser.add_argument("--called", default="", metavar="COMMAND", help="what the report names as its command")
        parser.add_argument("--report", type=Path, metavar="FILE.html", help="write the report of a city as a page")
        parser.add_argument(
            "--evidence", type=Path, default=Path("var/city"), metavar="FOLDER",
            help="where the frames of each violation are kept (default: %(default)s)",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        """Run it; end with an error when anything went wrong."""
        if options["compare"]:
            CityRun(self, options).compare(*options["compare"])
            return
        plan = Plan(**{name: options[name] for name in Plan.__struct_fields__})
        for name in ("rides", "drivers", "passengers", "speed"):
            if getattr(plan, name) <= 0:
                raise CommandError(f"--{name} must be above 0.")
        if not settings.DEBUG and not options["anyway"]:
            raise CommandError("With DEBUG off this may be a real town: add --anyway to put simulated people into it.")
        self._warn_of_speed(plan)
        if options["city"]:
            CityRun(self, options).run(plan)
            return
        with tqdm(total=plan.rides, unit="ride", disable=options["show_frames"]) as bar:
            try:
                outcome = asyncio.run(simulate(plan, self._log(show=options["show_frames"]), bar.update))
            except (NebengJekError, OSError) as exc:
                raise CommandError(f"{plan.url} cannot be used: {exc or type(exc).__name__}") from exc
        self._summary(plan, outcome)
        if outcome.failed or outcome.completed < plan.rides:
            raise CommandError("Not everything went well.")

    def _warn_of_speed(self, plan: Plan) -> None:
        limit = settings.RIDES_MAX_SPEED_KMH
        if limit and plan.speed * PACE_KMH > limit * 9 / 10:
            text = f"At {plan.speed * PACE_KMH:g} km/h points are refused as too fast (RIDES_MAX_SPEED_KMH={limit}):"
            self.stderr.write(f"{text} start the server and this command with RIDES_MAX_SPEED_KMH=0.")

    def _log(self, *, show: bool) -> Any:
        def log(name: str, direction: str, frame: Data) -> None:
            if show:
                seq = f" #{frame['seq']}" if "seq" in frame else ""
                clock = f"{datetime.now():%H:%M:%S.%f}"[:-3]  # noqa: DTZ005  (for the reader's own clock)
                data = UUID.sub(r"\1…", json.dumps(frame["data"]))
                self.stdout.write(f"{clock} {name:12} {direction} {frame['type']}{seq} {data}")

        return log

    def _summary(self, plan: Plan, outcome: Outcome) -> None:
        show = self.stdout.write
        show(f"{outcome.completed} of {plan.rides} rides completed, {outcome.revenue} IDR paid.")
        p50, p95, p99 = (percentile(outcome.latencies, share) * 1000 for share in (0.5, 0.95, 0.99))
        show(f"{len(outcome.latencies)} commands answered: p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms.")
        show(f"{sum(outcome.errors.values())} errors, {len(outcome.wrong_fares)} wrong fares.")
        for text, count in outcome.errors.most_common(10):
            show(f"  {count} x {text}")
        for text in outcome.wrong_fares[:10]:
            show(f"  {text}")
