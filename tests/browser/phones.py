"""The two phones of the demo, as a browser test sees and uses them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

from playwright.sync_api import Locator, Page, expect

from devservers.web import ServerProcess

RIDE = 90_000
"""Milliseconds for a whole ride."""

GAMBIR = {"latitude": -6.1767, "longitude": 106.8306}
NEAR_GAMBIR = {"latitude": -6.1785, "longitude": 106.8306}
SHORT_RIDE = {
    "driver": {"place": GAMBIR, "speed": 120},
    "passenger": {"pickup": GAMBIR, "target": NEAR_GAMBIR},
}


def phone(page: Page, role: str) -> Locator:
    """One of the two phones."""
    return page.locator(f'.phone[data-role="{role}"]')


def begin_with(page: Page, people: dict[str, Any]) -> None:
    """Let the phones remember something, as if it had been chosen before."""
    script = "([role, values]) => sessionStorage.setItem(`nebengjek.demo.${role}`, JSON.stringify(values))"
    for role, values in people.items():
        page.evaluate(script, [role, values])
    page.reload()


def log_in(page: Page, role: str) -> Locator:
    """Log a phone in by clicking."""
    person = phone(page, role)
    person.get_by_role("button", name="Send me a code").click()
    person.get_by_role("button", name="Log in").click()
    if role == "driver":
        person.get_by_role("button", name="Register").click()
    expect(person.locator(".network")).to_have_text("Connected")
    return person


def headline(page: Page, role: str) -> Locator:
    """What a phone says about its state."""
    return phone(page, role).locator(".headline")


def remembered(page: Page, role: str) -> dict[str, Any]:
    """What a phone remembers."""
    values: dict[str, Any] = json.loads(page.evaluate(f"sessionStorage.getItem('nebengjek.demo.{role}')"))
    return values


def logged(page: Page, role: str) -> list[tuple[int, str]]:
    """The numbers and types of the notifications of a phone in the log, in the order in which they came."""
    script = "items => items.map(({ dataset }) => [Number(dataset.seq), dataset.type]).reverse()"
    frames = page.locator(f'.frame-list li[data-phone="{role}"][data-direction="<-"]:not([data-seq=""])')
    return [(seq, kind) for seq, kind in frames.evaluate_all(script)]


def published(server: ServerProcess, user_id: str) -> list[tuple[int, str]]:
    """What the server has had to tell a user, with the numbers that this must have."""
    query = "SELECT type FROM events_outboxevent WHERE audience LIKE ? AND type != '' ORDER BY id"
    with closing(sqlite3.connect(server.database)) as database:
        types = database.execute(query, [f'%"{user_id}"%']).fetchall()
    return [(seq, kind) for seq, (kind,) in enumerate(types, 1)]


def assert_nothing_is_missed_or_doubled(page: Page, server: ServerProcess) -> None:
    """Compare what the log shows with what the server has had to say."""
    for role in ("driver", "passenger"):
        told = published(server, remembered(page, role)["userId"])
        assert "ride_completed" in dict(told).values()
        assert logged(page, role) == told


def watch(page: Page) -> None:
    """Let the bots take a ride."""
    page.get_by_role("button", name="Watch a ride").click()


def expect_to_be_paid(page: Page) -> None:
    """Wait for the end of the ride on both phones."""
    for role in ("driver", "passenger"):
        expect(headline(page, role)).to_have_text("The ride is paid. Thank you!", timeout=RIDE)
