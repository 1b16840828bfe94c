"""Searches whose cause is known, and what the page says of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from rides.models import Candidate, DeviceReceipt, Finder, Match, SearchAttempt
from rides.services.beacons import beacon_update
from rides.services.finders import finder_update
from rides.services.matches import match_confirm
from rides.services.offers import offers_receive
from rides.services.people import person_deactivate
from rides.staff.explanation import Explanation, explain
from rides.timers import run_due
from tests.cast import BLOK_M, MONAS, book, make_driver, north_of, open_finder, stand_by
from users.models import User


def search(passenger: User, **wish: Any) -> Finder:
    """A search that has just begun."""
    finder_update(user_id=passenger.pk, is_active=True, **{"location": MONAS, "target_location": BLOK_M, **wish})
    return open_finder(passenger)


def let_pass(finder: Finder, seconds: float) -> None:
    """Let so much time have passed for a search and its offers; then the timers run."""
    by = timedelta(seconds=seconds)
    for model, names in (
        (Finder, ("created_at", "due_at", "attempt_ends_at")),
        (Match, ("created_at", "expires_at", "receipt_due_at")),
    ):
        for row in model._base_manager.all():
            for name in names:
                when = getattr(row, name)
                setattr(row, name, when and when - by)
            row.save()
    while run_due():
        pass


def exhaust(finder: Finder) -> Explanation:
    """Let a search run through all its attempts, and explain it."""
    for _ in range(6):
        let_pass(finder, 31)
    finder.refresh_from_db()
    assert finder.status == "NO_DRIVER"
    return explain(finder)


def offer_of(driver: User) -> Match:
    return Match.objects.filter(driver=driver).latest("created_at")


def test_nobody_was_near(putri: User) -> None:
    """Nobody at all: each attempt says how far it looked, and what was configured."""
    told = exhaust(search(putri))
    assert told.cause == "nobody_near"
    assert told.sentence == "No driver was within 15.0 km, and none was available up to 30.0 km away."
    assert [(one.number, one.radius_km) for one in told.attempts] == [(1, 5), (2, 10), (3, 15)]
    assert told.attempts[0].configured["MATCH_MAX_DRIVERS"] == 5
    assert told.attempts[0].configured["MATCH_RESPONSE_TIMEOUT"] == 30
    assert told.outcomes == {}


def test_drivers_who_are_too_far_are_counted_by_ring(putri: User, dewi: User, joko: User, tono: User) -> None:
    """Only those who could have come: beacon on, connected, seen lately, with the right vehicle."""
    stand_by(dewi, north_of(MONAS, 20_000))
    stand_by(joko, north_of(MONAS, 20_000))
    beacon_update(user_id=joko.pk, is_active=False)
    stand_by(make_driver("+6281200000006", "Old"), north_of(MONAS, 20_000), age=100)
    told = exhaust(search(putri))
    assert told.sentence == "No driver was within 15.0 km; 1 available up to 30.0 km away were too far."
    rings = [(ring.from_km, ring.to_km, ring.drivers) for ring in told.attempts[0].too_far]
    assert rings == [(5, 10, 0), (10, 15, 0), (15, 30, 1)]
    assert [ring.drivers for ring in told.attempts[2].too_far] == [1]
    finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=BLOK_M, vehicle_type="car")
    assert sum(ring.drivers for ring in explain(open_finder(putri)).attempts[0].too_far) == 0


def test_a_farther_driver_is_found_by_a_later_attempt(putri: User, dewi: User) -> None:
    """Too far for the first attempt, offered in the second."""
    stand_by(dewi, north_of(MONAS, 7_000))
    finder = search(putri)
    let_pass(finder, 31)
    told = explain(open_finder(putri))
    assert told.attempts[0].too_far[0].drivers == 1
    assert [(one.distance_m, one.outcome) for one in told.attempts[1].candidates] == [(7000, "waiting")]
    assert told.sentence.startswith("The search is under way for 31 s: The only driver considered within 10.0 km has")


def test_all_were_busy(putri: User, sari: User, tono: User, dewi: User, joko: User) -> None:
    """On rides of others."""
    book(dewi, sari)
    book(joko, tono)
    told = exhaust(search(putri))
    assert told.cause == "has_a_ride"
    assert told.sentence == "All 2 drivers considered within 15.0 km were on a ride."


def test_all_beacons_were_off(putri: User, dewi: User) -> None:
    """Connected and near, but not on duty."""
    stand_by(dewi, north_of(MONAS, 380), age=12)
    beacon_update(user_id=dewi.pk, is_active=False)
    told = exhaust(search(putri))
    assert (told.cause, told.sentence) == (
        "beacon_off",
        "The only driver considered within 15.0 km had the beacon off.",
    )
    [one] = told.attempts[0].candidates
    assert (one.distance_m, one.reason) == (380, "had the beacon off")
    assert 12 <= one.position_age_s <= 14


def test_all_ignored_it(putri: User, dewi: User, joko: User) -> None:
    """The devices had the offers; nobody answered."""
    stand_by(dewi)
    stand_by(joko, north_of(MONAS, 100))
    finder = search(putri)
    for driver in (dewi, joko):
        offers_receive(match_ids=[offer_of(driver).pk], driver_id=driver.pk, received_at=timezone.now())
    told = exhaust(finder)
    assert told.cause == "ignored"
    assert told.sentence == (
        "All 2 drivers considered within 15.0 km let the offer lapse, although it had reached their phones."
    )
    assert all(one.received_at and one.offered_at and not one.answered_at for one in told.attempts[0].candidates)
    assert {one.reason for one in told.attempts[1].candidates} == {"was offered the ride before"}


def test_all_phones_were_silent(putri: User, dewi: User) -> None:
    """A phone that used to confirm did not; an older app that never does is something else."""
    stand_by(dewi)
    DeviceReceipt.objects.create(user=dewi, seq=1, received_at=timezone.now())
    finder = search(putri)
    let_pass(finder, 4)
    told = exhaust(finder)
    assert (told.cause, told.outcomes) == ("silent_phone", {"silent_phone": 1})
    assert told.attempts[0].candidates[0].unreachable_at is not None
    DeviceReceipt.objects.all().delete()
    assert exhaust(search(putri)).cause == "unanswered"


def test_all_declined(putri: User, dewi: User) -> None:
    """The driver said no."""
    stand_by(dewi)
    finder = search(putri)
    match_confirm(user_id=dewi.pk, match_id=offer_of(dewi).pk, accepted=False)
    told = exhaust(finder)
    assert told.sentence == "The only driver considered within 15.0 km declined."
    assert told.attempts[0].candidates[0].answered_at is not None


def test_the_passenger_did_not_confirm_or_declined(putri: User, dewi: User, joko: User) -> None:
    """What a passenger does is not laid at the driver's door."""
    stand_by(dewi)
    stand_by(joko)
    finder = search(putri)
    match_confirm(user_id=dewi.pk, match_id=offer_of(dewi).pk, accepted=True)
    match_confirm(user_id=joko.pk, match_id=offer_of(joko).pk, accepted=True)
    match_confirm(user_id=putri.pk, match_id=offer_of(joko).pk, accepted=False)
    assert exhaust(finder).outcomes == {"passenger_silent": 1, "passenger_declined": 1}


def test_the_vehicle_was_wrong(putri: User, dewi: User) -> None:
    """A car was asked for; there was a motorcycle."""
    stand_by(dewi)
    told = exhaust(search(putri, vehicle_type="car"))
    assert (told.vehicle_type, told.cause) == ("car", "other_vehicle")
    assert told.sentence == "The only driver considered within 15.0 km drove another kind of vehicle."


def test_the_passenger_cancelled(putri: User, dewi: User) -> None:
    """With what had happened until then."""
    stand_by(dewi)
    finder = search(putri)
    let_pass(finder, 12)
    finder_update(user_id=putri.pk, is_active=False)
    finder.refresh_from_db()
    told = explain(finder)
    assert told.cause == "cancelled"
    assert told.sentence == (
        "The passenger cancelled after 12 s; until then: The only driver considered within 5.0 km had not answered "
        "when the search ended."
    )


def test_the_passenger_moved_the_pin(putri: User, dewi: User) -> None:
    """Each search links to the next one, and says who refused before."""
    stand_by(dewi)
    first = search(putri)
    match_confirm(user_id=dewi.pk, match_id=offer_of(dewi).pk, accepted=False)
    finder_update(user_id=putri.pk, is_active=True, location=north_of(MONAS, 100), target_location=BLOK_M)
    finder_update(user_id=putri.pk, is_active=True, location=north_of(MONAS, 200), target_location=BLOK_M)
    first.refresh_from_db()
    second = Finder.objects.get(status="MOVED", origin=first)
    third = open_finder(putri)
    told = explain(first)
    assert told.cause == "moved"
    assert (told.moved_from, told.moved_to) == (None, second.pk)
    assert (explain(second).moved_from, explain(second).moved_to) == (first.pk, third.pk)
    assert explain(third).moved_to is None
    assert exhaust(third).sentence == "The only driver considered within 15.0 km had refused before the pin was moved."


def test_different_causes_are_counted(putri: User, dewi: User, joko: User) -> None:
    """One declined, one took another ride, one withdrew, one was not connected."""
    stand_by(dewi)
    stand_by(joko)
    others = [make_driver(f"+62812000001{n:02}", f"Driver {n}") for n in range(3)]
    for driver in others[:2]:
        stand_by(driver)
    finder = search(putri)
    match_confirm(user_id=dewi.pk, match_id=offer_of(dewi).pk, accepted=False)
    match_confirm(user_id=joko.pk, match_id=offer_of(joko).pk, accepted=False)
    beacon_update(user_id=others[0].pk, is_active=False)
    person_deactivate(user_id=others[1].pk)
    told = exhaust(finder)
    assert told.outcomes == {"declined": 2, "switched_off": 2}
    assert told.sentence == ("Of 4 drivers considered within 15.0 km, 2 declined; and 2 withdrew after the offer.")


def test_who_came_is_named(putri: User, dewi: User, joko: User) -> None:
    """And who accepted too late."""
    stand_by(dewi, north_of(MONAS, 380))
    stand_by(joko, north_of(MONAS, 400))
    finder = search(putri)
    let_pass(finder, 12)
    for driver in (joko, dewi):
        match_confirm(user_id=driver.pk, match_id=offer_of(driver).pk, accepted=True)
    match_confirm(user_id=putri.pk, match_id=offer_of(dewi).pk, accepted=True)
    finder.refresh_from_db()
    told = explain(finder)
    assert told.cause == "accepted"
    assert told.sentence == f"{dewi} came, 380 m away, after 12 s."
    assert told.outcomes == {"accepted": 1, "too_late": 1}
    assert told.ride_id is not None


def test_a_search_without_a_trace_says_so(putri: User, dewi: User) -> None:
    """After `TRACE_RETENTION` offers are still known, all else is not."""
    finder = search(putri)
    told = exhaust(finder)
    SearchAttempt.objects.all().delete()
    assert explain(finder).cause == "not_kept"
    stand_by(dewi)
    finder = search(putri)
    match_confirm(user_id=dewi.pk, match_id=offer_of(dewi).pk, accepted=False)
    exhaust(finder)
    SearchAttempt.objects.all().delete()
    Candidate.objects.all().delete()
    told = explain(Finder.objects.get(pk=finder.pk))
    assert (told.sentence, told.attempts[0].configured) == (
        "The only driver considered within the radius declined.",
        {},
    )


def test_it_takes_the_same_queries_however_long_the_history_is(
    putri: User, dewi: User, django_assert_num_queries: Any
) -> None:
    """Other searches, and more drivers, are not read."""
    for n in range(5):
        stand_by(make_driver(f"+62812000002{n:02}", f"Driver {n}"))
        exhaust(search(putri))
    finder = Finder.objects.latest("created_at")
    with django_assert_num_queries(5):
        explain(finder)


def test_the_page_and_the_json_say_it(client: Client, putri: User, dewi: User) -> None:
    """In people's units, with links; only for staff who may see searches."""
    stand_by(dewi, north_of(MONAS, 380), age=12)
    beacon_update(user_id=dewi.pk, is_active=False)
    finder = search(putri)
    told = exhaust(finder)
    address = f"/api/searches/{finder.pk}/"
    assert client.get(address).status_code == 401
    viewer = User.objects.create_user("+6281200000098", "a long password", is_staff=True)
    client.force_login(viewer)
    assert client.get(address).status_code == 403
    viewer.user_permissions.add(Permission.objects.get(codename="view_finder"))
    answer = client.get(address).json()
    assert (answer["sentence"], answer["outcomes"]) == (told.sentence, {"beacon_off": 1})
    assert answer["attempts"][0]["candidates"][0]["driver_id"] == str(dewi.pk)
    assert client.get(f"/api/searches/{uuid4()}/").status_code == 404
    page = client.get(f"/admin/rides/finder/{finder.pk}/change/").content.decode()
    for part in (told.sentence, "380 m", "12 s ago", "within 5.0 km for at most 5 drivers", "a receipt within 3 s"):
        assert part in page, part
    assert f"/admin/users/user/{dewi.pk}/change/" in page
    assert address in page


def test_a_ride_leads_to_its_search(client: Client, putri: User, dewi: User) -> None:
    """One click."""
    client.force_login(User.objects.create_superuser("+6281200000099", "a long password"))
    ride = book(dewi, putri)
    page = client.get(f"/admin/rides/ride/{ride.pk}/change/").content.decode()
    assert f"/admin/rides/finder/{ride.match.finder_id}/change/" in page
    found = client.get("/admin/rides/finder/", {"q": str(putri.pk)}).content
    assert b"1 finder" in found
