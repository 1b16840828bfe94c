"""`manage.py simulate --city`: how a run of the city is shown and judged."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from nebengjek_client import NebengJekError
from simulation.city.compare import compare, html, keep, markdown, saved
from simulation.city.promises import Promises, keep_evidence
from simulation.city.report import PAGE, html_report, text_report
from simulation.city.run import CityPlan, CityResult, Progress, run_city
from simulation.run import Plan

SLACK = 20.0
"""Seconds of a search beside its attempts: phones that come back, and a machine that is busy."""

SHOWN = 20

MATCHING = ("MATCH_", "OFFER_", "LOCATION_MAX_AGE", "SEARCH_", "TIMERS_INTERVAL")
"""How the names of settings begin that make a policy of matching."""


class CityRun:
    """One run, by the options of the command."""

    def __init__(self, command: BaseCommand, options: dict[str, Any]) -> None:
        self._command = command
        self._limit: float = options["limit"]
        self._hurries: bool = not options["unhurried"]
        self._report: Path | None = options["report"]
        self._save: Path | None = options["save"]
        self._evidence: Path = options["evidence"]

    def run(self, plan: Plan) -> None:
        """Let the city live, show the figures and write the report. Raises `CommandError` for any violation."""
        result = self._live(plan)
        for line in text_report(result):
            self._command.stdout.write(line)
        if self._report is not None:
            page = html_report(result, command=f"manage.py {' '.join(sys.argv[1:])}", conditions=conditions())
            self._report.write_text(page, encoding="utf-8")
            self._command.stdout.write(f"The report is in {self._report}.")
        if self._save is not None:
            town = {name: getattr(plan, name) for name in ("drivers", "passengers", "rides", "speed")}
            town["hurries"] = int(self._hurries)
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
        city = CityPlan(
            url=plan.url, drivers=plan.drivers, passengers=plan.passengers, rides=plan.rides, speed=plan.speed,
            seed=plan.seed, hurries=self._hurries, limit=self._limit, promises=promises(),
        )  # fmt: skip
        with tqdm(total=plan.rides, unit="ride") as bar:

            def show(progress: Progress) -> None:
                bar.set_postfix(
                    connected=progress.people, frames=progress.notifications, cuts=progress.cuts,
                    mishaps=progress.mishaps, refresh=False,
                )  # fmt: skip
                bar.update()

            try:
                return asyncio.run(run_city(city, show))
            except (NebengJekError, OSError, ValueError) as exc:
                raise CommandError(f"{plan.url} cannot be used: {exc or type(exc).__name__}") from exc

    def _judge(self, result: CityResult) -> None:
        if result.violations:
            files = keep_evidence(result.violations, result.record, self._evidence)
            for violation, file in list(zip(result.violations, files, strict=True))[:SHOWN]:
                self._command.stderr.write(f"VIOLATION: {violation}; frames in {file}")
            raise CommandError(f"{len(result.violations)} promises were not kept.")
        if result.stopped:
            raise CommandError(f"Not all rides were taken: {result.stopped}.")


def promises() -> Promises:
    """Return what the settings promise."""
    attempts, response = settings.MATCH_MAX_ATTEMPTS, settings.MATCH_RESPONSE_TIMEOUT.total_seconds()
    between = max(settings.MATCH_SEARCH_INTERVAL, settings.MATCH_WINDOW).total_seconds()
    return Promises(search=attempts * (response + between) + SLACK)


def matching() -> dict[str, str]:
    """Return the settings of the policy of matching, as they are written."""
    own = {name: getattr(settings, name) for name in sorted(dir(settings)) if name.startswith(MATCHING)}
    return {name: f"{one.total_seconds():g}s" if isinstance(one, timedelta) else str(one) for name, one in own.items()}


def conditions() -> str:
    """Say when and on what a run was made."""
    where = "many processes" if settings.DISTRIBUTED else "one process"
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    return f"{made}, {os.cpu_count()} processors, Python {platform.python_version()}, {where}."
