"""`manage.py simulate --city`: how a run of the city is shown and judged."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from nebengjek_client import NebengJekError
from simulation.city.promises import Promises, keep_evidence
from simulation.city.report import html_report, text_report
from simulation.city.run import CityPlan, CityResult, Progress, run_city
from simulation.run import Plan

SLACK = 20.0
"""Seconds of a search beside its attempts: phones that come back, and a machine that is busy."""

SHOWN = 20


class CityRun:
    """One run, by the options of the command."""

    def __init__(self, command: BaseCommand, options: dict[str, Any]) -> None:
        self._command = command
        self._limit: float = options["limit"]
        self._report: Path | None = options["report"]
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
        self._judge(result)

    def _live(self, plan: Plan) -> CityResult:
        city = CityPlan(
            url=plan.url, drivers=plan.drivers, passengers=plan.passengers, rides=plan.rides, speed=plan.speed,
            seed=plan.seed, limit=self._limit, promises=promises(),
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
    return Promises(search=attempts * (response + settings.MATCH_SEARCH_INTERVAL.total_seconds()) + SLACK)


def conditions() -> str:
    """Say when and on what a run was made."""
    where = "many processes" if settings.DISTRIBUTED else "one process"
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    return f"{made}, {os.cpu_count()} processors, Python {platform.python_version()}, {where}."
