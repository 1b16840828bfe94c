"""`manage.py simulate --city`: how a run of the city is shown and judged."""

from __future__ import annotations

import gc
import os
import platform
import sys
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from common.loops import run
from nebengjek_client import NebengJekError
from simulation.city.compare import compare, html, keep, markdown, saved
from simulation.city.moods import EVERYDAY, mixed
from simulation.city.promises import Promises, Violation, keep_evidence
from simulation.city.record import Record
from simulation.city.report import PAGE, html_report, markdown_report, put_between_marks, text_report
from simulation.city.run import Audience, CityPlan, CityResult, Progress, run_city
from simulation.run import Plan

SLACK = 20.0
"""Seconds of a search beside its attempts: phones that come back, and a machine that is busy."""

OFFER_SECONDS = (3.0, 10.0)
"""An offer must have reached a phone in half of the time to answer it, within these limits."""

SHOWN = 20

FARE_SHARE, FARE_SHARE_OF_BLOCKS, BLOCKS_BECOME_STEPS = 0.05, 0.25, 10.0
"""How far a fare may be off the road, up to a pace and above it: a corner looks like noise there, a block a step."""

MATCHING = ("MATCH_", "OFFER_", "LOCATION_MAX_AGE", "SEARCH_", "TIMERS_INTERVAL")
"""How the names of settings begin that make a policy of matching."""


class _Spectator(Audience):
    """Shows the figures of the moment, and every violation at once."""

    def __init__(self, command: BaseCommand, bar: Any, evidence: Path) -> None:
        self._command, self._bar, self._evidence = command, bar, evidence
        self._count = 0

    def progress(self, progress: Progress) -> None:
        """Show the figures."""
        self._bar.set_postfix(msgspec.structs.asdict(progress), refresh=False)
        self._bar.update(progress.rides - self._bar.n)

    def violation(self, violation: Violation, record: Record) -> None:
        """Keep the frames that there are until now, and say it; of the first few, for it takes time from phones."""
        self._count += 1
        if self._count <= SHOWN:
            file = keep_evidence(violation, record, self._evidence, self._count)
            self._bar.write(f"VIOLATION: {violation}; frames in {file}", file=self._command.stderr)


class CityRun:
    """One run, by the options of the command."""

    def __init__(self, command: BaseCommand, options: dict[str, Any]) -> None:
        self._command = command
        self._limit: float = options["limit"]
        self._hurries: bool = not options["unhurried"]
        self._over: float = options["over"]
        self._moods: list[str] = options["moods"]
        self._log: Path | None = options["log"]
        self._map: Path | None = options["map"]
        self._into: str | None = options["into"]
        self._called: str = options["called"]
        self._report: Path | None = options["report"]
        self._save: Path | None = options["save"]
        self._evidence: Path = options["evidence"]

    def run(self, plan: Plan) -> None:
        """Let the city live, show the figures and write the report. Raises `CommandError` for any violation."""
        if self._into is not None:
            _write_into(self._into, "It is being made.\n")  # so that a long run is not for nothing
        result = self._live(plan)
        for line in text_report(result):
            self._command.stdout.write(line)
        about = {"command": self._called or f"manage.py {' '.join(sys.argv[1:])}", "conditions": conditions()}
        if self._into is not None:
            _write_into(self._into, markdown_report(result, **about))
        if self._report is not None:
            page = html_report(result, **about)
            self._report.write_text(page, encoding="utf-8")
            self._command.stdout.write(f"The report is in {self._report}.")
        if self._save is not None:
            town = {name: getattr(plan, name) for name in ("drivers", "passengers", "rides", "speed")}
            town |= {"hurries": int(self._hurries), **_shares(self._moods)}
            run = saved(result, seed=plan.seed, town=town, matching=matching(), conditions=conditions())
            keep(run, self._save)
        self._judge(result)

    def compare(self, first: Path, second: Path) -> None:
        """Show two policies side by side, and write that as a page too. Raises `CommandError` where that cannot be."""
        try:
            made = compare(first, second)
        except (OSError, ValueError) as exc:
            raise CommandError(str(exc)) from exc
        for line in markdown(made):
            self._command.stdout.write(line)
        if self._report is not None:
            command = f"manage.py {' '.join(sys.argv[1:])}"
            page = PAGE.format(command=escape(command), conditions="Two policies", body=html(made))
            self._report.write_text(page, encoding="utf-8")

    def _live(self, plan: Plan) -> CityResult:
        try:
            mix = mixed(EVERYDAY, self._moods)
        except ValueError as exc:
            raise CommandError(f"--moods {exc}") from exc
        city = CityPlan(
            urls=tuple(plan.url.split(",")), drivers=plan.drivers, passengers=plan.passengers, rides=plan.rides,
            speed=plan.speed, seed=plan.seed, hurries=self._hurries, over=self._over, limit=self._limit,
            promises=promises(plan.speed), log=self._log, map=self._map, mix=mix,
        )  # fmt: skip
        gc.set_threshold(50_000, 50, 200)  # what is kept of a run is never garbage, and looking at it takes seconds
        with tqdm(total=plan.rides, unit="ride") as bar:
            try:
                return run(run_city(city, _Spectator(self._command, bar, self._evidence)))
            except ValueError as exc:  # an address, or a map
                raise CommandError(str(exc)) from exc
            except (NebengJekError, OSError) as exc:
                raise CommandError(f"{plan.url} cannot be used: {exc or type(exc).__name__}") from exc

    def _judge(self, result: CityResult) -> None:
        if result.violations:
            for number, violation in enumerate(result.violations, 1):  # with all frames, now that it is over
                keep_evidence(violation, result.record, self._evidence, number)
            raise CommandError(f"{len(result.violations)} promises were not kept.")
        if result.stopped:
            raise CommandError(f"Not all rides were taken: {result.stopped}.")


def _shares(moods: list[str]) -> dict[str, float]:
    return {name: float(share) for name, _, share in (one.partition("=") for one in moods)}


def _write_into(place: str, text: str) -> None:
    """Write a text to FILE.md#MARK."""
    name, _, mark = place.partition("#")
    try:
        page = put_between_marks(Path(name).read_text(encoding="utf-8"), mark, text)
        Path(name).write_text(page, encoding="utf-8")
    except (OSError, ValueError) as exc:
        raise CommandError(f"--into {place}: {exc}") from exc


def promises(speed: float) -> Promises:
    """Return what the settings promise, and the meter of vehicles that are so many times faster than in town."""
    attempts, response = settings.MATCH_MAX_ATTEMPTS, settings.MATCH_RESPONSE_TIMEOUT.total_seconds()
    between = max(settings.MATCH_SEARCH_INTERVAL, settings.MATCH_WINDOW).total_seconds()
    least, most = OFFER_SECONDS
    return Promises(
        search=attempts * (response + between) + SLACK,
        offer=min(most, max(least, response / 2)),
        fare_share=FARE_SHARE if speed <= BLOCKS_BECOME_STEPS else FARE_SHARE_OF_BLOCKS,
    )


def matching() -> dict[str, str]:
    """Return the settings of the policy of matching, as they are written."""
    own = {name: getattr(settings, name) for name in sorted(dir(settings)) if name.startswith(MATCHING)}
    return {name: f"{one.total_seconds():g}s" if isinstance(one, timedelta) else str(one) for name, one in own.items()}


def conditions() -> str:
    """Say when and on what a run was made."""
    where = "many processes" if settings.DISTRIBUTED else "one process"
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    return f"{made}, {os.cpu_count()} processors, Python {platform.python_version()}, {where}."
