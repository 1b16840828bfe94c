from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone, translation

from events.models import OutboxEvent
from rides.models import NotificationReceipt as Confirmed
from rides.models import Ride
from rides.services.payments import payment_process
from rides.services.rides import ride_arrived, ride_cancel
from rides.staff.timeline import timeline
from tests.cast import backdate, book, drive, start
from users.models import StaffRecord, User


def report(ride: Ride, metres: float, seconds: float, accuracy: float = 5) -> None:
    """Record a point."""
    drive(ride, (metres, seconds), accuracy=accuracy)


def told(ride: Ride) -> list[tuple[str, str]]:
    ride.refresh_from_db()
    return [(moment.kind, moment.text) for moment in timeline(ride) if moment.kind != "event"]


def local(ride: Ride, seconds: float) -> str:
    """Return the local time so many seconds after the start."""
    assert ride.started_at is not None
    return f"{timezone.localtime(ride.started_at + timedelta(seconds=seconds)):%H:%M:%S}"


def test_a_ride_is_told_in_one_order(dewi: User, putri: User, django_assert_num_queries: Any) -> None:
    ride = start(dewi, putri)
    backdate(ride, 600)
    Ride.objects.update(created_at=ride.started_at - timedelta(minutes=3))  # type: ignore[operator]
    for metres, seconds in ((300, 30), (600, 60)):
        report(ride, metres, seconds)
    report(ride, 610, 61, accuracy=80)
    report(ride, 620, 62, accuracy=80)
    report(ride, 9620, 63)
    report(ride, 1500, 180)
    ride_arrived(user_id=dewi.pk, ride_id=ride.pk, adjustment_factor=0.5)
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=2250, status="ACCEPTED")
    assert told(ride) == [
        ("ride", "booked, at Rp 3.000 a kilometre"),
        ("ride", "started"),
        ("track", f"3 points accepted until {local(ride, 60)}, 0.600 km"),
        ("track", "2 points refused: inaccurate"),
        ("track", "1 point refused: spike"),
        ("track", f"1 point accepted until {local(ride, 180)}, 0.900 km"),
        ("ledger", "1.000 km: Rp 3.000"),
        ("ride", "arrived: 1.500 km, Rp 4.500, times 0.5 is Rp 2.250"),
        ("ledger", "0.500 km: Rp 1.500"),
        ("payment", "asked for Rp 2.250 (Rp 112 fee, Rp 2.138 to the driver)"),
        ("ride", "completed"),
        ("payment", "accepted"),
    ]
    with django_assert_num_queries(6):
        timeline(ride)


def test_a_cancelled_ride_says_by_whom_and_why(dewi: User, putri: User) -> None:
    ride = book(dewi, putri)
    ride_cancel(user_id=putri.pk, ride_id=ride.pk, reason="too late")
    assert told(ride)[-1] == ("ride", "cancelled by passenger: too late")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"published_at": None}, "ride.pickup, waiting for the event bus"),
        (
            {"published_at": timedelta(milliseconds=12)},
            "ride.pickup, handed to the event bus after 12 ms, not confirmed by a device",
        ),
        ({"failed_at": timedelta(0), "error": "no"}, "ride.pickup, given up: no"),
    ],
)
def test_events_are_told_with_what_became_of_them(dewi: User, putri: User, changes: dict[str, Any], text: str) -> None:
    ride = book(dewi, putri)
    event = OutboxEvent.objects.get(subject="ride.pickup")
    values = {k: event.created_at + v if isinstance(v, timedelta) else v for k, v in changes.items()}
    OutboxEvent.objects.filter(pk=event.pk).update(**values)
    assert [moment.text for moment in timeline(ride)][-1] == text


def test_what_a_device_has_confirmed_is_told_apart_from_the_bus(dewi: User, putri: User, tono: User) -> None:
    """Where a device has confirmed it, its time counts; of the other side it is said that it has not."""
    ride = book(dewi, putri)
    event = OutboxEvent.objects.get(subject="ride.pickup")
    OutboxEvent.objects.filter(pk=event.pk).update(published_at=event.created_at + timedelta(milliseconds=3))
    for user in (dewi, tono):
        at = event.created_at + timedelta(milliseconds=320)
        Confirmed.objects.create(user=user, key=str(ride.pk), type="ride_pickup", status="", received_at=at)

    def last() -> str:
        return [moment.text for moment in timeline(ride)][-1]

    assert last() == "ride.pickup, on the driver's device after 320 ms, not confirmed by the passenger's"
    at = event.created_at + timedelta(milliseconds=1500)
    Confirmed.objects.create(user=putri, key=str(ride.pk), type="ride_pickup", status="", received_at=at)
    assert last() == "ride.pickup, on the driver's device after 320 ms, on the passenger's device after 1500 ms"


def test_confirmations_of_one_type_are_told_apart_by_their_status(dewi: User, putri: User) -> None:
    """One side's yes is not that of both."""
    ride = book(dewi, putri)
    OutboxEvent.objects.update(published_at=timezone.now())
    Confirmed.objects.create(
        user=dewi, key=str(ride.match_id), type="match_confirm", status="ACCEPTED", received_at=timezone.now()
    )
    said = {moment.text.split(",")[0]: moment.text for moment in timeline(ride) if moment.kind == "event"}
    assert "on the driver's device" in said["match.accepted"]
    assert "not confirmed by a device" in said["match.confirmed"]


def test_what_staff_did_is_told_too(dewi: User, putri: User) -> None:
    """In its place, in their words."""
    ride = book(dewi, putri)
    record = {"act": "action", "target_type": "rides.ride", "target_id": str(ride.pk)}
    StaffRecord.objects.create(at=timezone.now(), text="Cancelled by support: ill", **record)
    StaffRecord.objects.create(at=timezone.now(), text="Of another", **{**record, "target_id": "x"})
    assert told(ride)[-1] == ("staff", "Cancelled by support: ill")


def test_a_ride_is_told_in_indonesian(dewi: User, putri: User) -> None:
    """The words; what a person wrote stays as it is."""
    ride = book(dewi, putri)
    ride_cancel(user_id=putri.pk, ride_id=ride.pk, reason="too late")
    with translation.override("id"):
        assert told(ride)[0] == ("ride", "dipesan, Rp 3.000 per kilometer")
        assert told(ride)[-1] == ("ride", "dibatalkan oleh penumpang: too late")
