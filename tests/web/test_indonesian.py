"""Pages of staff in Indonesian show no English."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.utils import timezone, translation
from django.utils.html import strip_tags

from rides.models import Candidate, Match, Ride
from rides.staff.fates import WORDS
from rides.staff.reasons import FLAGS, REFUSALS
from tests.cast import arrive, propose
from users.models import Driver, User
from web.labels import HELP, LABELS

pytestmark = pytest.mark.django_db
ID = {"Accept-Language": "id"}

ENGLISH = {
    "the",
    "of",
    "and",
    "was",
    "were",
    "had",
    "has",
    "is",
    "are",
    "not",
    "this",
    "that",
    "with",
    "from",
    "who",
    "when",
    "driver",
    "drivers",
    "passenger",
    "ride",
    "rides",
    "search",
    "searches",
    "offer",
    "payment",
    "distance",
    "cost",
    "paid",
    "position",
    "reason",
    "since",
    "before",
    "after",
    "ago",
    "looked",
    "needs",
    "review",
    "cancelled",
    "booked",
}
"""Words that no Indonesian text has."""

SAME = {"Motorcycle", "Van", "data", "id", "per km", "pin", "role", "status"}
"""Words that are the same in both languages."""

ALLOWED = re.compile(r"(match|ride|payment|user|driver)\.\w+|rides?\.\w+|driver_silent|[A-Z]+_[A-Z_]+|status", re.ASCII)
"""Subjects of events, settings and words of both languages."""


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("+6281200000099", "a long password", full_name="Bos"))
    return client


def english(client: Client, path: str) -> set[str]:
    """Return the English words that a page shows."""
    answer = client.get(path, headers=ID)
    assert answer.status_code == 200, path
    page = answer.content.decode()
    main = page[page.index('id="content"') :]
    text = strip_tags(re.sub(r"<(script|style|svg|select)\b.*?</\1>", " ", main, flags=re.DOTALL))
    words = set(re.findall(r"[a-z]+", ALLOWED.sub(" ", text).lower()))
    return words & ENGLISH


def test_the_pages_of_support_show_no_english(staff: Client, dewi: User, joko: User, putri: User) -> None:
    """Start page, lists, and the pages of a person, a driver, a ride, a search and a payment."""
    arrive(dewi, putri, tracked_km=2.5)
    ride = Ride.objects.select_related("match", "payment").get()
    Ride.objects.update(needs_review="driver_silent", arrived_at=timezone.now() - timedelta(hours=2))
    Driver.objects.filter(pk=joko.pk).update(approval="pending")
    paths = [
        "/admin/", f"/admin/users/user/{putri.pk}/change/", f"/admin/users/user/{dewi.pk}/change/",
        f"/admin/users/driver/{joko.pk}/change/", f"/admin/rides/ride/{ride.pk}/change/",
        f"/admin/rides/finder/{ride.match.finder_id}/change/", f"/admin/rides/payment/{ride.payment.pk}/change/",
        f"/admin/rides/match/{ride.match_id}/change/",
        *(f"/admin/rides/{name}/" for name in ("ride", "finder", "match", "candidate", "payment", "beacon")),
        "/admin/users/user/", "/admin/users/driver/", "/admin/users/staffrecord/",
    ]  # fmt: skip
    assert {path: found for path in paths if (found := english(staff, path))} == {}


def test_the_question_of_an_action_is_in_indonesian(staff: Client, dewi: User, putri: User) -> None:
    """And so is what it says when it is done."""
    ride = arrive(dewi, putri)
    body: dict[str, Any] = {"_selected_action": [str(ride.pk)], "action": "cancel"}
    asked = staff.post("/admin/rides/ride/", body, headers=ID).content.decode()
    assert "Ya: " in asked
    done = staff.post("/admin/rides/ride/", {**body, "confirmed": "yes", "reason": "x"}, headers=ID, follow=True)
    assert "dibatalkan" in done.content.decode()


@pytest.mark.parametrize(
    "text", sorted({*LABELS, *HELP, *FLAGS.values(), *REFUSALS.values(), *sum(WORDS.values(), ())})
)
def test_every_word_of_the_tables_is_translated(text: str) -> None:
    """What is looked up by a variable is not seen by the tool that collects texts, so it is listed where it does."""
    with translation.override("id"):
        assert translation.gettext(text) != text or text in SAME


def test_a_search_speaks_indonesian(staff: Client, dewi: User, putri: User) -> None:
    """Each outcome that a driver can have."""
    match = propose(dewi, putri)
    assert admin.site.is_registered(Match)
    for outcome in ("beacon_off", "position_too_old", "ignores_offers", "blocked"):
        Match.objects.all().delete()
        Candidate.objects.update(outcome=outcome)
        assert english(staff, f"/admin/rides/finder/{match.finder_id}/change/") == set(), outcome
