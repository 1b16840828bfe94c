import json
import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from rides.models import Beacon, Candidate, Match, Ride, TrackPoint
from rides.services.rides import ride_cancel_by_staff
from tests.cast import arrive, book, propose, stand_by, start, told
from users.models import User


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    """A superuser in the admin."""
    client.force_login(User.objects.create_superuser("+6281200000099", "a long password"))
    return client


def test_a_ride_is_shown_with_everything_that_belongs_to_it(staff: Client, dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri, tracked_km=1.5)
    page = staff.get(f"/admin/rides/ride/{ride.pk}/change/").content.decode()
    for part in (
        "1.500 km",
        "Rp 4.500",
        "ride.arrived",
        "match.found",
        "PENDING",
        "points accepted",
    ):
        assert part in page, part
    points = staff.get(f"/admin/rides/trackpoint/?ride__id__exact={ride.pk}").content.decode()
    assert "-6.1754" in points
    assert f"/admin/rides/trackpoint/?ride__id__exact={ride.pk}" in page


def test_money_and_states_cannot_be_edited(staff: Client, dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri, tracked_km=1)
    answer = staff.post(f"/admin/rides/ride/{ride.pk}/change/", {"status": "COMPLETED", "total_cost": 1})
    assert answer.status_code == 403
    assert staff.post("/admin/rides/ride/add/", {}).status_code == 403
    assert staff.post(f"/admin/rides/ride/{ride.pk}/delete/", {"post": "yes"}).status_code == 403
    ride.refresh_from_db()
    assert (ride.status, ride.total_cost) == ("ARRIVED", 3000)


def test_a_search_is_shown_with_its_candidates(staff: Client, dewi: User, putri: User) -> None:
    match = propose(dewi, putri)
    page = staff.get(f"/admin/rides/finder/{match.finder_id}/change/").content.decode()
    assert "has not answered yet" in page
    assert "Dewi" in page


def test_the_map_of_a_ride_has_its_track(staff: Client, dewi: User, putri: User) -> None:
    ride = start(dewi, putri)
    wrong = {"latitude": -6.2, "longitude": 106.9, "timestamp": ride.created_at, "accepted": False}
    TrackPoint.objects.create(ride=ride, reason="too_fast", **wrong)
    page = staff.get(f"/admin/rides/ride/{ride.pk}/change/").content.decode()
    [data] = re.findall(r'<script id="ride-track" type="application/json">(.+?)</script>', page)
    track = json.loads(data)
    assert track["driven"] == [[-6.1754, 106.8272]]
    assert track["refused"][0][:3] == [-6.2, 106.9, "too fast"]
    assert "1 point counts for the fare" in page
    assert "1 was refused" in page


def test_rides_are_filtered_by_who_cancelled_them_and_by_day(staff: Client, dewi: User, putri: User) -> None:
    ride = book(dewi, putri)
    ride_cancel_by_staff(ride_id=ride.pk, reason="He is ill.")
    booked = timezone.localtime(ride.created_at)
    day: dict[str, Any] = {"created_at__year": booked.year, "created_at__month": booked.month}
    asked: tuple[tuple[dict[str, Any], bytes], ...] = (
        ({"cancelled_by": "staff"}, b"1 ride"),
        ({"cancelled_by": "driver"}, b"0 rides"),
        ({"cancelled_by": "nonsense"}, b"0 rides"),
        ({"status__exact": "CANCELLED", **day}, b"1 ride"),
        ({"status__exact": "PICKUP", **day}, b"0 rides"),
        ({**day, "created_at__year": 1999}, b"0 rides"),
    )
    for query, found in asked:
        assert found in staff.get("/admin/rides/ride/", query).content, query


def test_payments_and_candidates_are_filtered(staff: Client, dewi: User, putri: User) -> None:
    arrive(dewi, putri, tracked_km=1)
    for path, query, found in (
        ("payment", {"status__exact": "PENDING"}, b"1 payment"),
        ("payment", {"status__exact": "ACCEPTED"}, b"0 payments"),
        ("candidate", {"outcome": "asked"}, b"1 candidate"),
        ("candidate", {"outcome": "beacon_off"}, b"0 candidates"),
    ):
        assert found in staff.get(f"/admin/rides/{path}/", query).content, (path, query)


def test_events_are_filtered_by_subjects_that_the_code_knows(staff: Client, dewi: User, putri: User) -> None:
    book(dewi, putri)
    page = staff.get("/admin/events/outboxevent/").content.decode()
    for subject in ("ride.cancelled", "user.revoked", "match.found"):
        assert f"?subject={subject}" in page
    assert b"1 outbox event" in staff.get("/admin/events/outboxevent/?subject=ride.pickup").content


def test_every_page_costs_a_fixed_number_of_queries(
    staff: Client, dewi: User, putri: User, django_assert_max_num_queries: Any
) -> None:
    ride = book(dewi, putri)
    for _ in range(4):
        Ride.objects.update(status="CANCELLED")
        ride = book(dewi, putri)
    start_of_track = {"latitude": -6.1, "longitude": 106.8, "timestamp": ride.created_at, "accepted": True}
    TrackPoint.objects.bulk_create(TrackPoint(ride=ride, **start_of_track) for _ in range(300))
    people = ("rides/ride", "rides/match", "rides/finder", "rides/beacon", "rides/trackpoint", "users/user")
    for path in (*people, "rides/payment", "rides/candidate", "users/driver", "events/outboxevent"):
        with django_assert_max_num_queries(10):
            assert staff.get(f"/admin/{path}/").status_code == 200
        with django_assert_max_num_queries(10):
            assert staff.get(f"/admin/{path}/?q=1").status_code == 200
    pages = {
        "rides/ride": ride.pk,
        "rides/match": ride.match_id,
        "rides/finder": ride.match.finder_id,
        "rides/beacon": dewi.pk,
        "users/user": dewi.pk,
    }
    for path, pk in pages.items():
        most = 20 if path == "users/user" else 16  # one of them asks for a content type, once in a process
        with django_assert_max_num_queries(most):
            assert staff.get(f"/admin/{path}/{pk}/change/").status_code == 200


def test_rides_to_review_are_found(staff: Client, dewi: User, putri: User) -> None:
    """With the reason in the list."""
    ride = book(dewi, putri)
    for query, found in (("yes", b"0 rides"), ("no", b"1 ride"), ("nonsense", b"1 ride")):
        assert found in staff.get("/admin/rides/ride/", {"review": query}).content, query
    Ride.objects.filter(pk=ride.pk).update(needs_review="driver_silent")
    assert b"nothing was heard of the driver" in staff.get("/admin/rides/ride/", {"review": "yes"}).content
    assert b"0 rides" in staff.get("/admin/rides/ride/", {"review": "no"}).content


def test_money_is_written_as_people_write_it(staff: Client, dewi: User, putri: User) -> None:
    """On lists and pages, with kilometres to the metre."""
    ride = arrive(dewi, putri, tracked_km=1.5)
    for path, parts in {
        "ride/": ("1.500 km", "Rp 4.500"),
        f"ride/{ride.pk}/change/": ("1.500 km", "8.292 km", "Rp 4.500", "Rp 225", "Rp 4.275", "Rp 4.500, as booked"),
        "payment/": ("Rp 4.500", "Rp 225", "Rp 4.275"),
        f"payment/{ride.payment.pk}/change/": ("Rp 4.500", "Rp 225", "Rp 4.275"),
        f"trackpoint/?ride__id__exact={ride.pk}": ("-6.17540, 106.82720", "5 m"),
    }.items():
        page = staff.get(f"/admin/rides/{path}").content.decode()
        for part in parts:
            assert part in page, (path, part)
        text = re.sub(r"<(script|svg|style).*?</\1>", "", page, flags=re.DOTALL)
        assert not re.search(r"\d\.\d{6}|>\s*4500\s*<", text), path


def test_pages_speak_peoples_units(staff: Client, dewi: User, putri: User) -> None:
    """380 m, 12 s ago, local time to the second; no number with more digits than somebody reads."""
    match = propose(dewi, putri)
    Match.objects.update(distance_km=0.38000000000000006, driver_latitude=-6.17540000000000089, eta_s=180)
    Candidate.objects.update(distance_km=0.38000000000000006, position_age_s=12.345678901234)
    local = f"{timezone.localtime(match.created_at):%Y-%m-%d %H:%M:%S}"
    candidate = Candidate.objects.get()
    for path, parts in {
        "match/": ("380 m", local),
        f"match/{match.pk}/change/": ("380 m", "3 min", "-6.17540, 106.82720", local),
        f"finder/{match.finder_id}/change/": ("-6.17540, 106.82720", "380 m", "12 s ago"),
        "candidate/": ("380 m", "12 s ago", "was offered the ride"),
        f"candidate/{candidate.pk}/change/": ("380 m", "12 s ago"),
    }.items():
        page = staff.get(f"/admin/rides/{path}").content.decode()
        for part in parts:
            assert part in page, (path, part)
        assert not re.search(r"\d\.\d{7}", re.sub(r"<(script|svg|style).*?</\1>", "", page, flags=re.DOTALL)), path


def test_a_deactivated_person_leaves_nothing_open(staff: Client, dewi: User, putri: User) -> None:
    """The admin's action ends it at once, and tells the other side."""
    ride = book(dewi, putri)
    body = {"action": "deactivate", "_selected_action": [str(dewi.pk)], "confirmed": "yes"}
    assert b"Deactivated: 1 of 1" in staff.post("/admin/users/user/", body, follow=True).content
    ride.refresh_from_db()
    assert (ride.status, ride.cancelled_by) == ("CANCELLED", "system")
    assert not Beacon.objects.get().is_active
    assert told(putri)[-1][0] == "ride_cancelled"
    dewi.refresh_from_db()
    assert not dewi.is_active


def test_drivers_who_let_offers_lapse_are_seen(staff: Client, dewi: User) -> None:
    """How many in a row put them behind others, and since when."""
    stand_by(dewi)
    at = timezone.now()
    Beacon.objects.update(ignored_offers=4, ignored_at=at)
    page = staff.get("/admin/rides/beacon/").content.decode()
    assert 'class="field-ignored_offers">4<' in page
    assert f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S}" in page
