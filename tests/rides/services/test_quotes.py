"""Prices that are promised."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from common.errors import ValidationFailed
from rides.models import Finder, Quote, Ride, Tariff
from rides.services.finders import finder_update
from rides.services.matches import match_confirm
from rides.services.quotes import quote_make
from rides.services.rides import ride_arrived, ride_start
from tests.api import as_user
from tests.cast import BLOK_M, MONAS, backdate, drive, north_of, open_finder, stand_by
from users.models import User

pytestmark = pytest.mark.django_db
PLACES = {
    "location": {"latitude": MONAS.latitude, "longitude": MONAS.longitude},
    "target_location": {"latitude": BLOK_M.latitude, "longitude": BLOK_M.longitude},
}


def test_a_quote_is_the_price_of_the_way(putri: User) -> None:
    """The great circle of 8.292 km, made longer by the detour of 1.4."""
    answer = as_user(putri).post("/api/quotes/", PLACES)
    body = answer.json()
    assert answer.status_code == 201
    assert body["distance_km"] == pytest.approx(8.292 * 1.4, abs=0.001)
    assert body["total_cost"] == pytest.approx(body["distance_km"] * 3000, abs=3)
    assert sum(line["amount"] for line in body["lines"]) == body["total_cost"]
    assert body["tariff"] == "default"
    assert set(body) == {"quote_id", "distance_km", "total_cost", "lines", "tariff", "valid_until"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "location"),
        ({**PLACES, "location": {"latitude": 91, "longitude": 0}}, "location"),
        ({**PLACES, "target_location": "Blok M"}, "target_location"),
        ({**PLACES, "vehicle_type": "boat"}, "vehicle_type"),
        ({**PLACES, "location": {"latitude": "NaN", "longitude": 0}}, "location"),
    ],
)
def test_a_wrong_question_names_the_field(putri: User, body: dict[str, Any], field: str) -> None:
    answer = as_user(putri).post("/api/quotes/", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")
    assert field in answer.json()["fields"]


def test_only_users_are_quoted(client: Any) -> None:
    assert client.post("/api/quotes/", PLACES, "application/json").status_code == 401


def search(user: User, quote: Quote, **changes: Any) -> None:
    wanted = {"location": MONAS, "target_location": BLOK_M, **changes}
    finder_update(user_id=user.pk, is_active=True, quote_id=quote.pk, **wanted)


def test_a_search_keeps_its_quote_and_the_ride_its_terms(dewi: User, putri: User, settings: Any) -> None:
    """What was promised holds, whatever the tariff becomes meanwhile."""
    stand_by(dewi)
    quote = quote_make(user=putri, location=MONAS, target_location=BLOK_M)
    search(putri, quote, auto_accept=True)
    settings.PRICING_RATE_PER_KM = 9000
    Tariff.objects.create(name="all", valid_from=timezone.now(), created_at=timezone.now(), per_km=1)
    match_confirm(user_id=dewi.pk, match_id=Finder.objects.get().matches.get().pk, accepted=True)
    ride = Ride.objects.get()
    assert (ride.quote, ride.rate_per_km, ride.tariff) == (quote, 3000, None)


def test_a_quote_that_does_not_fit_begins_no_search(putri: User, sari: User) -> None:
    """Somebody else's, one of nobody, another place, another vehicle, one that is over."""
    quote = quote_make(user=putri, location=MONAS, target_location=BLOK_M)
    for wrong in (
        {"location": north_of(MONAS, 301)},
        {"target_location": north_of(BLOK_M, -301)},
        {"vehicle_type": "car"},
    ):
        with pytest.raises(ValidationFailed) as refused:
            search(putri, quote, **wrong)
        assert refused.value.field == "quote_id"
    with pytest.raises(ValidationFailed, match="no such quote of yours"):
        search(sari, quote)
    with pytest.raises(ValidationFailed, match="no such quote of yours"):
        finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=BLOK_M, quote_id=uuid4())
    Quote.objects.update(valid_until=timezone.now() - timedelta(seconds=1))
    with pytest.raises(ValidationFailed, match="no longer valid"):
        search(putri, quote)
    assert not Finder.objects.exists()


def test_a_search_goes_on_after_its_quote_is_over(putri: User) -> None:
    """The promise counts when the search begins; sending it again changes nothing."""
    quote = quote_make(user=putri, location=MONAS, target_location=BLOK_M)
    search(putri, quote)
    Quote.objects.update(valid_until=timezone.now() - timedelta(seconds=1))
    search(putri, quote)
    assert open_finder(putri).quote_id == quote.pk


def test_a_quoted_ride_costs_the_quote_at_the_end(dewi: User, putri: User) -> None:
    """From the question to the receipt."""
    stand_by(dewi)
    target = north_of(MONAS, 2000)
    quote = quote_make(user=putri, location=MONAS, target_location=target)
    search(putri, quote, target_location=target, auto_accept=True)
    match_confirm(user_id=dewi.pk, match_id=Finder.objects.get().matches.get().pk, accepted=True)
    ride = Ride.objects.get()
    ride_start(user_id=dewi.pk, ride_id=ride.pk)
    ride.refresh_from_db()
    backdate(ride, 600)
    drive(ride, *((140.0 * n, 14.0 * n) for n in range(1, 19)), (2200.0, 300.0))
    ride_arrived(user_id=dewi.pk, ride_id=ride.pk)
    ride.refresh_from_db()
    assert ride.total_cost == quote.total_cost == pytest.approx(8400, abs=1)
    body = as_user(putri).get(f"/api/rides/{ride.pk}/").json()
    assert (body["lines"], body["by_quote"]) == (quote.lines, True)
