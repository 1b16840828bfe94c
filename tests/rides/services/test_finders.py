from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from common.errors import ValidationFailed
from rides.models import Candidate, Finder, FinderStatus, Match
from rides.services.beacons import beacon_update
from rides.services.finders import finder_continue, finder_update
from rides.services.matches import match_confirm, match_expire
from rides.services.quotes import quote_make
from tests.cast import (
    BLOK_M,
    MONAS,
    arrive,
    book,
    connect,
    disconnect,
    make_driver,
    north_of,
    open_finder,
    propose,
    stand_by,
    told,
)
from users.models import Driver, User


def look(passenger: User) -> Finder:
    finder_update(user_id=passenger.pk, is_active=True, location=MONAS, target_location=BLOK_M)
    return open_finder(passenger)


def let_pass(finder: Finder, seconds: float) -> None:
    """Move everything about a search into the past."""
    for row in (Finder.objects.filter(pk=finder.pk), Match.objects.filter(finder=finder)):
        for name in {"due_at", "attempt_ends_at", "expires_at"} & {f.name for f in row.model._meta.get_fields()}:
            for item in row:
                row.filter(pk=item.pk).update(**{name: getattr(item, name) - timedelta(seconds=seconds)})


def asked(passenger: User) -> list[str]:
    return [data["driver_id"] for kind, data in told(passenger) if kind == "match_proposal"]


def test_the_nearest_driver_is_proposed_to_both(dewi: User, putri: User) -> None:
    stand_by(dewi, north_of(MONAS, 500))
    finder = look(putri)
    match = Match.objects.get()
    assert (match.driver, match.passenger, match.status) == (dewi, putri, "PENDING")
    assert match.distance_km == pytest.approx(0.5, abs=1e-4)
    kind, data = told(dewi)[-1]
    assert kind == "match_proposal"
    assert data == told(putri)[-1][1]
    assert data["distance_km"] == 0.5
    assert data["match_status"] == "PENDING"
    assert told(putri)[0][0] == "finder_update"
    assert finder.attempts == 1


def test_the_nearest_five_are_asked_nearest_first(putri: User, settings: Any) -> None:
    drivers = [make_driver(f"+62812000001{n}", f"Driver {n}") for n in range(7)]
    for n, driver in enumerate(reversed(drivers)):
        stand_by(driver, north_of(MONAS, 100 * (n + 1)))
    look(putri)
    assert asked(putri) == [str(driver.pk) for driver in reversed(drivers[2:])]
    assert Candidate.objects.filter(outcome="asked").count() == 5


def test_who_is_not_available_is_not_asked_and_it_is_noted_why(dewi: User, joko: User, putri: User, sari: User) -> None:
    far = make_driver("+6281200000011", "Far")
    stand_by(far, north_of(MONAS, 5001))
    stale = make_driver("+6281200000012", "Stale")
    stand_by(stale, age=61)
    off = make_driver("+6281200000013", "Off")
    stand_by(off)
    beacon_update(user_id=off.pk, is_active=False)
    book(joko, sari)
    stand_by(dewi, north_of(MONAS, 10))
    look(putri)
    assert asked(putri) == [str(dewi.pk)]
    outcomes = {c.driver: c.outcome for c in Candidate.objects.filter(finder__passenger=putri)}
    assert outcomes == {stale: "position_too_old", off: "beacon_off", joko: "has_a_ride", dewi: "asked"}


def test_a_driver_who_is_not_connected_is_not_asked(dewi: User, putri: User) -> None:
    stand_by(dewi)
    disconnect(connect(dewi))
    look(putri)
    assert asked(putri) == []
    assert Candidate.objects.get().outcome == "not_connected"


def test_a_search_that_found_nobody_looks_again_before_long(dewi: User, putri: User) -> None:
    finder = look(putri)
    assert finder.due_at - finder.created_at == timedelta(seconds=3)
    stand_by(dewi)
    let_pass(finder, 3)
    finder_continue(finder_id=finder.pk)
    finder.refresh_from_db()
    assert asked(putri) == [str(dewi.pk)]
    assert finder.attempts == 1


def test_the_next_drivers_are_asked_when_nobody_has_answered(dewi: User, joko: User, putri: User) -> None:
    stand_by(dewi)
    finder = look(putri)
    stand_by(joko)
    let_pass(finder, 30)
    finder_continue(finder_id=finder.pk)
    assert asked(putri) == [str(dewi.pk), str(joko.pk)]
    assert Candidate.objects.get(attempt=2, driver=dewi).outcome == "asked_before"


def test_the_next_drivers_are_asked_at_once_when_all_have_declined(dewi: User, joko: User, putri: User) -> None:
    stand_by(dewi)
    finder = look(putri)
    stand_by(joko)
    match_confirm(user_id=dewi.pk, match_id=Match.objects.get().pk, accepted=False)
    finder.refresh_from_db()
    assert finder.due_at <= timezone.now()
    finder_continue(finder_id=finder.pk)
    assert asked(putri) == [str(dewi.pk), str(joko.pk)]


def test_a_search_ends_without_a_driver_after_the_last_attempt(putri: User) -> None:
    finder = look(putri)
    for _ in range(3):
        let_pass(finder, 31)
        finder_continue(finder_id=finder.pk)
    finder.refresh_from_db()
    assert (finder.status, finder.attempts) == (FinderStatus.NO_DRIVER, 3)
    kind, data = told(putri)[-1]
    assert (kind, data) == ("finder_update", {"user_id": str(putri.pk), "is_active": False, "reason": "no_driver"})


def test_a_search_that_is_not_due_is_left_alone(dewi: User, putri: User) -> None:
    finder = look(putri)
    stand_by(dewi)
    finder_continue(finder_id=finder.pk)
    assert asked(putri) == []


def test_switching_the_search_off_takes_the_proposals_back(dewi: User, putri: User) -> None:
    match = propose(dewi, putri)
    finder_update(user_id=putri.pk, is_active=False)
    match.refresh_from_db()
    assert (match.status, match.reason) == ("REJECTED", "cancelled")
    assert [kind for kind, _ in told(dewi)] == ["match_proposal", "match_rejected"]
    assert told(putri)[-1] == ("finder_update", {"user_id": str(putri.pk), "is_active": False})


def test_switching_on_what_is_on_or_off_what_is_off_changes_nothing(putri: User) -> None:
    finder_update(user_id=putri.pk, is_active=False)
    look(putri)
    look(putri)
    assert Finder.objects.count() == 1
    assert len(told(putri)) == 1


@pytest.mark.parametrize("missing", ["location", "target_location"])
def test_both_places_are_needed(putri: User, missing: str) -> None:
    places: dict[str, Any] = {"location": MONAS, "target_location": BLOK_M}
    del places[missing]
    with pytest.raises(ValidationFailed) as caught:
        finder_update(user_id=putri.pk, is_active=True, **places)
    assert caught.value.field == missing
    assert not Finder.objects.exists()


def test_who_has_a_ride_or_has_not_paid_does_not_look_for_another(dewi: User, putri: User) -> None:
    arrive(dewi, putri)
    with pytest.raises(ValidationFailed, match="current ride"):
        look(putri)


def test_the_search_of_a_passenger_who_was_shut_out_ends(dewi: User, putri: User) -> None:
    finder = look(putri)
    User.objects.filter(pk=putri.pk).update(is_active=False)
    let_pass(finder, 3)
    finder_continue(finder_id=finder.pk)
    finder.refresh_from_db()
    assert finder.status == FinderStatus.CANCELLED


def test_a_driver_who_was_shut_out_is_not_asked(dewi: User, putri: User) -> None:
    stand_by(dewi)
    User.objects.filter(pk=dewi.pk).update(is_active=False)
    look(putri)
    assert Candidate.objects.get().outcome == "deactivated"


def test_an_attempt_lasts_as_long_as_its_proposals(dewi: User, putri: User) -> None:
    finder = look(putri)
    let_pass(finder, 28)
    stand_by(dewi)
    finder_continue(finder_id=finder.pk)
    finder.refresh_from_db()
    match = Match.objects.get()
    assert asked(putri) == [str(dewi.pk)]
    assert finder.attempts == 1
    assert finder.attempt_ends_at == match.expires_at


def offers(passenger: User, **fields: Any) -> dict[str, tuple[str, str]]:
    """The offers of a passenger by the driver's name: status and reason."""
    rows = Match.objects.filter(passenger=passenger, **fields).values_list("driver__full_name", "status", "reason")
    return {name: (status, reason) for name, status, reason in rows}


def test_moving_the_pin_moves_the_search(dewi: User, joko: User, putri: User) -> None:
    """Open offers are withdrawn, and drivers are asked from the new place; those around the old one may be again."""
    stand_by(dewi)
    first = look(putri)
    stand_by(joko)
    place = north_of(MONAS, 500)
    finder_update(user_id=putri.pk, is_active=True, location=place, target_location=BLOK_M)
    second = open_finder(putri)
    first.refresh_from_db()
    assert (first.status, second.origin) == (FinderStatus.MOVED, first)
    assert first.ended_at is not None
    assert offers(putri, finder=first) == {"Dewi": ("REJECTED", "cancelled")}
    assert offers(putri, finder=second) == {"Dewi": ("PENDING", ""), "Joko": ("PENDING", "")}
    assert [kind for kind, _ in told(dewi)] == ["match_proposal", "match_rejected", "match_proposal"]
    kinds = [(kind, data.get("is_active")) for kind, data in told(putri)]
    assert kinds == [
        ("finder_update", True),
        ("match_proposal", None),
        ("match_rejected", None),
        ("finder_update", True),
        ("match_proposal", None),
        ("match_proposal", None),
    ]
    assert told(putri)[3][1]["location"] == {"latitude": place.latitude, "longitude": place.longitude}


@pytest.mark.parametrize("how", ["declined", "lapsed", "declined by the passenger"])
def test_who_refused_is_not_asked_after_a_move_either(dewi: User, joko: User, putri: User, how: str) -> None:
    """However often the pin moves, a driver who declined or let lapse has peace."""
    stand_by(dewi)
    look(putri)
    match = Match.objects.get()
    if how == "lapsed":
        match_expire(match_id=match.pk)
    else:
        match_confirm(user_id=(putri if "passenger" in how else dewi).pk, match_id=match.pk, accepted=False)
    stand_by(joko)
    for metres in (100, 200):
        finder_update(user_id=putri.pk, is_active=True, location=north_of(MONAS, metres), target_location=BLOK_M)
        assert offers(putri, finder=open_finder(putri)) == {"Joko": ("PENDING", "")}
    assert Candidate.objects.get(finder=open_finder(putri), driver=dewi).outcome == "asked_before"


def test_a_new_search_asks_everybody_again(dewi: User, putri: User) -> None:
    """Peace lasts as long as the search."""
    stand_by(dewi)
    look(putri)
    match_confirm(user_id=dewi.pk, match_id=Match.objects.get().pk, accepted=False)
    finder_update(user_id=putri.pk, is_active=False)
    assert offers(putri, finder=look(putri)) == {"Dewi": ("PENDING", "")}


def test_another_target_or_vehicle_moves_the_search_too(dewi: User, putri: User) -> None:
    """What the driver decides by has changed, so the driver is asked anew."""
    stand_by(dewi)
    look(putri)
    finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=MONAS)
    finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=MONAS, vehicle_type="motorcycle")
    assert Finder.objects.count() == 3
    assert Match.objects.filter(status="PENDING").count() == 1


def test_what_is_no_matter_to_drivers_withdraws_no_offer(dewi: User, putri: User) -> None:
    """Auto-accept and the quote change in place."""
    quote = quote_make(user=putri, location=MONAS, target_location=BLOK_M).pk
    finder = look(putri)
    finder_update(
        user_id=putri.pk, is_active=True, location=MONAS, target_location=BLOK_M, auto_accept=True, quote_id=quote
    )
    finder.refresh_from_db()
    assert (finder.status, finder.auto_accept, finder.quote_id) == ("OPEN", True, quote)
    kind, data = told(putri)[-1]
    assert kind == "finder_update"
    assert (data["is_active"], data["auto_accept"], data["quote_id"]) == (True, True, str(quote))


def test_only_the_vehicle_that_was_asked_for_comes(dewi: User, joko: User, putri: User) -> None:
    """A passenger who needs a car is not offered to motorcycles."""
    Driver.objects.filter(user=joko).update(vehicle_type="car")
    stand_by(dewi)
    stand_by(joko, north_of(MONAS, 300))
    finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=BLOK_M, vehicle_type="car")
    finder = open_finder(putri)
    assert offers(putri) == {"Joko": ("PENDING", "")}
    assert Candidate.objects.get(finder=finder, driver=dewi).outcome == "other_vehicle"
    assert told(putri)[0][1]["vehicle_type"] == "car"


def test_nobody_is_asked_for_a_vehicle_that_nobody_has(dewi: User, putri: User) -> None:
    """No van, no offer."""
    stand_by(dewi)
    finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=BLOK_M, vehicle_type="van")
    assert offers(putri) == {}
