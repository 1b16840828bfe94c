"""What staff may do about rides."""

import html
import json
import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.http import HttpResponse
from django.test import Client

from rides.models import Ride
from tests.cast import book, start, told
from users.models import StaffRecord, User


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    """A superuser in the admin."""
    client.force_login(User.objects.create_superuser("+6281200000099", "a long password"))
    return client


def cancel(staff: Client, ride: Ride, **answer: str) -> Any:
    body = {"action": "cancel", "_selected_action": [str(ride.pk)], **answer}
    return staff.post("/admin/rides/ride/", body, follow=True)


def test_staff_cancel_a_ride_and_both_are_told(staff: Client, dewi: User, putri: User) -> None:
    ride = book(dewi, putri)
    assert b"is cancelled" in cancel(staff, ride, confirmed="yes", reason="He is ill.").content
    for user in (dewi, putri):
        kind, data = told(user)[-1]
        assert (kind, data["cancelled_by"], data["reason"]) == ("ride_cancelled", "staff", "He is ill.")
    assert b"cannot be cancelled" in cancel(staff, ride, confirmed="yes", reason="Twice").content
    assert LogEntry.objects.get().change_message == "Cancelled by support: He is ill."


def test_a_ride_is_not_cancelled_before_somebody_says_why(staff: Client, dewi: User, putri: User) -> None:
    ride = book(dewi, putri)
    asked = cancel(staff, ride).content.decode()
    assert "driver and passenger are notified" in asked
    assert "PICKUP: Dewi (+6281•••••0001) with Putri (+6281•••••0003), booked" in asked
    assert "This field is required" in cancel(staff, ride, confirmed="yes", reason="  ").content.decode()
    assert "at most 200 characters" in cancel(staff, ride, confirmed="yes", reason="x" * 201).content.decode()
    ride.refresh_from_db()
    assert ride.status == "PICKUP"


def test_who_may_only_look_cannot_cancel(client: Client, dewi: User, putri: User) -> None:
    viewer = User.objects.create_user("+6281200000098", "a long password", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_ride"))
    client.force_login(viewer)
    ride = book(dewi, putri)
    cancel(client, ride, confirmed="yes", reason="Because")
    ride.refresh_from_db()
    assert ride.status == "PICKUP"


def act(staff: Client, ride: Ride, action: str, **answer: str) -> Any:
    body = {"action": action, "_selected_action": [str(ride.pk)], **answer}
    return staff.post("/admin/rides/ride/", body, follow=True)


def test_staff_finish_a_ride_at_what_was_driven(staff: Client, dewi: User, putri: User) -> None:
    """After a question; the passenger is asked for the fare, and it is noted who did it."""
    ride = start(dewi, putri)
    page = staff.get(f"/admin/rides/ride/{ride.pk}/change/").content.decode()
    assert "Finish ride at what was driven" in page
    assert "the passenger is asked to pay it" in act(staff, ride, "finish").content.decode()
    ride.refresh_from_db()
    assert ride.status == "ONGOING"
    assert b"is finished" in act(staff, ride, "finish", confirmed="yes").content
    ride.refresh_from_db()
    assert ride.status == "ARRIVED"
    for user in (dewi, putri):
        assert [kind for kind, _ in told(user)[-2:]] == ["ride_arrived", "payment_process"]
    assert b"cannot be finished" in act(staff, ride, "finish", confirmed="yes").content
    assert LogEntry.objects.get().change_message == "Finished by support at what was driven."
    assert "Finish ride" not in staff.get(f"/admin/rides/ride/{ride.pk}/change/").content.decode()


def test_who_may_cancel_may_not_finish(client: Client, dewi: User, putri: User) -> None:
    """Each has a permission of its own."""
    viewer = User.objects.create_user("+6281200000098", "a long password", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__in=["view_ride", "cancel_ride"]))
    client.force_login(viewer)
    ride = start(dewi, putri)
    assert "Finish ride" not in client.get(f"/admin/rides/ride/{ride.pk}/change/").content.decode()
    act(client, ride, "finish", confirmed="yes")
    ride.refresh_from_db()
    assert ride.status == "ONGOING"


def flagged(dewi: User, putri: User) -> Ride:
    ride = book(dewi, putri)
    Ride.objects.filter(pk=ride.pk).update(needs_review="driver_silent")
    return ride


def review(staff: Client, ride: Ride, seen: Any, note: str = "The phone had died.") -> str:
    answer: HttpResponse = act(staff, ride, "review", confirmed="yes", note=note, seen=seen)
    return answer.content.decode()


def test_a_flagged_ride_is_noted_as_looked_at(staff: Client, dewi: User, putri: User) -> None:
    """With what was found, in the record of staff and on the ride's page; it keeps everything else."""
    ride = flagged(dewi, putri)
    page = staff.get(f"/admin/rides/ride/{ride.pk}/change/").content.decode()
    assert "Note that you have looked at it" in page
    asked = act(staff, ride, "review").content.decode()
    assert "nothing was heard of the driver. PICKUP: Dewi" in asked
    [seen] = re.findall(r'name="seen" value="([^"]+)"', asked)
    assert "This field is required" in review(staff, ride, html.unescape(seen), note=" ")
    assert "has been looked at" in review(staff, ride, html.unescape(seen))
    ride.refresh_from_db()
    assert (ride.status, ride.needs_review) == ("PICKUP", "")
    record = StaffRecord.objects.get()
    assert (record.target_id, record.text) == (
        str(ride.pk),
        "Looked at by support (driver_silent): The phone had died.",
    )
    page = staff.get(f"/admin/rides/ride/{ride.pk}/change/").content.decode()
    assert "Note that you have looked at it" not in page
    assert "The phone had died." in page


@pytest.mark.parametrize("seen", ["", "null", "[]", "{}", '{"x": "driver_silent"}', "no JSON", '{"%s": 7}', "%s"])
def test_what_nobody_has_seen_stays_flagged(staff: Client, dewi: User, putri: User, seen: str) -> None:
    """Another flag may have come since, and forms are input like any other."""
    ride = flagged(dewi, putri)
    review(staff, ride, seen.replace("%s", str(ride.pk)))
    review(staff, ride, json.dumps({str(ride.pk): "paid_twice"}))
    ride.refresh_from_db()
    assert ride.needs_review == "driver_silent"
    assert not StaffRecord.objects.exists()


def test_looking_at_flagged_rides_needs_a_permission(client: Client, dewi: User, putri: User) -> None:
    """Who may only look sees the flag, not the button."""
    viewer = User.objects.create_user("+6281200000098", "a long password", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__in=["view_ride", "cancel_ride"]))
    client.force_login(viewer)
    ride = flagged(dewi, putri)
    assert "Note that you have looked at it" not in client.get(f"/admin/rides/ride/{ride.pk}/change/").content.decode()
    review(client, ride, json.dumps({str(ride.pk): "driver_silent"}))
    ride.refresh_from_db()
    assert ride.needs_review == "driver_silent"
