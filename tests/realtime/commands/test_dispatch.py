import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.utils import timezone

from common.errors import ValidationFailed
from realtime.commands.dispatch import Answer, execute, purge_receipts, read_command
from realtime.commands.routes import ROUTES
from realtime.contract.frames import Command, LocationUpdate, decode_frame, encode
from realtime.models import CommandReceipt
from rides.models import Beacon, Finder, Payment
from rides.services import beacons
from tests.cast import arrive, told_types
from users.models import User
from users.tokens import Claims


def send(user: User, frame_type: str, data: dict[str, Any], command_id: str | None = "1") -> Answer:
    frame: dict[str, Any] = {"type": frame_type, "data": data}
    if command_id is not None:
        frame["id"] = command_id
    return execute(claims_of(user), ROUTES[frame_type], decode_frame(encode(frame)))


def claims_of(user: User) -> Claims:
    return Claims(user_id=user.pk, role=user.role, exp=9e9, ver=user.token_version)


def read(frame_type: str, data: dict[str, Any]) -> Command:
    return read_command(ROUTES[frame_type], "driver", decode_frame(encode({"type": frame_type, "data": data})))


def code(answer: Answer) -> str:
    return str(answer["data"].get("code", answer["type"]))


def test_a_command_that_is_sent_again_is_not_carried_out_again(dewi: User) -> None:
    assert send(dewi, "beacon_update", {"is_active": True}) == {"type": "ack", "data": {}}
    Beacon.objects.update(is_active=False)
    assert send(dewi, "beacon_update", {"is_active": True}) == {"type": "ack", "data": {}}
    assert not Beacon.objects.get().is_active
    assert told_types(dewi) == ["beacon_update"]


def test_white_space_and_the_order_of_keys_do_not_make_another_command(dewi: User) -> None:
    for text in (
        '{"type":"beacon_update","id":"1","data":{"is_active":true,"latitude":1,"longitude":2}}',
        '{"id":"1","type":"beacon_update","data": {"longitude": 2, "latitude": 1, "is_active": true}}',
    ):
        answer = execute(claims_of(dewi), ROUTES["beacon_update"], decode_frame(text))
        assert answer["type"] == "ack"


@pytest.mark.parametrize(
    ("frame_type", "data"), [("beacon_update", {"is_active": False}), ("ride_cancel", {"is_active": True})]
)
def test_the_same_id_for_something_else_is_refused(dewi: User, frame_type: str, data: dict[str, Any]) -> None:
    send(dewi, "beacon_update", {"is_active": True})
    answer = send(dewi, frame_type, data)
    assert (code(answer), answer["data"]["field"]) == ("VALIDATION_FAILED", "id")
    assert Beacon.objects.get().is_active
    assert send(dewi, "beacon_update", {"is_active": True})["type"] == "ack"


def test_an_id_is_of_one_user(dewi: User, joko: User) -> None:
    for user in (dewi, joko):
        send(user, "beacon_update", {"is_active": True})
    assert Beacon.objects.filter(is_active=True).count() == 2


def test_refusals_are_stored_too(dewi: User, putri: User) -> None:
    first = send(putri, "finder_update", {"is_active": True})
    assert code(first) == "VALIDATION_FAILED"
    assert send(putri, "finder_update", {"is_active": True}) == first
    assert code(send(putri, "finder_update", {"is_active": False})) == "VALIDATION_FAILED"
    wrong_role = send(putri, "beacon_update", {"is_active": True}, "2")
    assert wrong_role["data"] == {"code": "UNAUTHORIZED", "message": "Authentication required"}
    assert CommandReceipt.objects.count() == 2


def test_bad_fields_are_answered_the_same_again(dewi: User) -> None:
    first = send(dewi, "beacon_update", {"is_active": "x"})
    assert code(first) == "VALIDATION_FAILED"
    assert send(dewi, "beacon_update", {"is_active": "x"}) == first
    assert send(dewi, "beacon_update", {"is_active": True})["data"]["field"] == "id"


def test_a_fault_of_ours_leaves_nothing_behind_so_that_it_may_be_tried_again(
    dewi: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_event: object) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(beacons, "emit", broken)
        with pytest.raises(RuntimeError):
            send(dewi, "beacon_update", {"is_active": True})
    assert not CommandReceipt.objects.exists()
    assert not Beacon.objects.exists()
    assert send(dewi, "beacon_update", {"is_active": True})["type"] == "ack"


@pytest.mark.parametrize("command_id", ["1", None])
@pytest.mark.parametrize("change", [{"role": "driver"}, {"token_version": 1}, {"is_active": False}])
def test_a_socket_that_is_about_to_be_closed_does_not_slip_in_one_more_command(
    putri: User, change: dict[str, Any], command_id: str | None
) -> None:
    User.objects.filter(pk=putri.pk).update(**change)
    place = {"latitude": 1, "longitude": 1}
    search = {"is_active": True, "location": place, "target_location": place}
    assert code(send(putri, "finder_update", search, command_id)) == "UNAUTHORIZED"
    assert not Finder.objects.exists()
    assert told_types(putri) == []


def test_without_an_id_nothing_is_stored(dewi: User) -> None:
    send(dewi, "beacon_update", {"is_active": True}, None)
    assert not CommandReceipt.objects.exists()


def test_after_ten_minutes_an_id_is_free_again(dewi: User) -> None:
    send(dewi, "beacon_update", {"is_active": True})
    assert purge_receipts() == 0
    CommandReceipt.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    send(dewi, "beacon_update", {"is_active": False})
    assert not Beacon.objects.get().is_active
    CommandReceipt.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    assert purge_receipts() == 1


def test_after_ten_minutes_a_refusal_is_no_fault(dewi: User) -> None:
    """Its old receipt was deleted together with what the refused command did, and so was still there."""
    send(dewi, "beacon_update", {"is_active": True})
    CommandReceipt.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    for _ in range(2):
        assert code(send(dewi, "ride_start", {"ride_id": str(uuid4())})) == "VALIDATION_FAILED"
    assert CommandReceipt.objects.get().type == "ride_start"


def at_once(*calls: Callable[[], Answer]) -> list[Answer]:
    """Make all calls at the same moment, each in a thread and a connection of its own."""

    def run(call: Callable[[], Answer]) -> Answer:
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.mark.django_db(transaction=True)
def test_the_same_command_on_many_connections_at_once_happens_once(dewi: User) -> None:
    answers = at_once(*[lambda: send(dewi, "beacon_update", {"is_active": True})] * 6)
    assert answers == [{"type": "ack", "data": {}}] * 6
    assert told_types(dewi) == ["beacon_update"]


@pytest.mark.django_db(transaction=True)
def test_of_eight_payments_at_once_one_wins(dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri, tracked_km=1)
    pay = {"ride_id": str(ride.pk), "total_cost": 3000, "status": "ACCEPTED"}
    answers = at_once(*[lambda n=n: send(putri, "payment_process", pay, str(n)) for n in range(8)])
    assert sorted(code(answer) for answer in answers) == ["VALIDATION_FAILED"] * 7 + ["ack"]
    assert Payment.objects.get().status == "ACCEPTED"
    assert told_types(dewi).count("ride_completed") == 1


UNKNOWN_HINTS = [
    {"speed": -1},
    {"heading": -1},
    {"heading": 360.5},
    {"heading": -180},
    {"speed": None, "heading": None},
]


@pytest.mark.parametrize("hint", UNKNOWN_HINTS)
def test_unknown_hints_refuse_no_fix(hint: dict[str, Any]) -> None:
    """What phones send for "I do not know" is unknown, and the position counts."""
    update = read("location_update", {"latitude": -6.2, "longitude": 106.8, **hint})
    assert isinstance(update, LocationUpdate)
    assert update.known_speed is None
    assert update.known_heading is None


@pytest.mark.parametrize("time", ["2016-12-31T23:59:60Z", "1990-12-31T15:59:60-08:00", "2016-12-31T23:59:60.5+00:00"])
def test_leap_seconds_are_times(time: str) -> None:
    """RFC 3339 allows the second 60, its own example among them."""
    update = read("location_update", {"latitude": 1, "longitude": 2, "timestamp": time})
    assert isinstance(update, LocationUpdate)
    assert update.timestamp is not None
    assert update.timestamp.second == 59


@pytest.mark.parametrize("time", ["2016-12-31T23:59:61Z", "2016-12-31T23:60:00Z", "yesterday:60"])
def test_other_impossible_times_are_refused(time: str) -> None:
    """Only the leap second is forgiven."""
    with pytest.raises(ValidationFailed, match="timestamp"):
        read("location_update", {"latitude": 1, "longitude": 2, "timestamp": time})


def test_whole_numbers_may_have_a_point(dewi: User, putri: User) -> None:
    """`90.0` is the integer 90, as Dart and Lua write it; 90.5 is none."""
    ride = arrive(dewi, putri, tracked_km=1)
    pay = {"ride_id": str(ride.pk), "total_cost": 3000.0, "status": "ACCEPTED"}
    assert code(send(putri, "payment_process", {**pay, "total_cost": 3000.5}, "half")) == "VALIDATION_FAILED"
    assert send(putri, "payment_process", pay)["type"] == "ack"


def test_spelling_does_not_make_another_command(dewi: User, putri: User) -> None:
    """An `id` sent again with its UUID in upper case, or 3000.0 for 3000, gets the stored answer."""
    ride = arrive(dewi, putri, tracked_km=1)
    pay = {"ride_id": str(ride.pk), "total_cost": 3000, "status": "ACCEPTED"}
    first = send(putri, "payment_process", pay)
    assert send(putri, "payment_process", {**pay, "ride_id": str(ride.pk).upper(), "total_cost": 3000.0}) == first
    assert send(putri, "payment_process", {**pay, "total_cost": 3001})["data"]["field"] == "id"


def test_answers_of_the_release_before_are_found(dewi: User) -> None:
    """A receipt that version 0.1.0 stored, by the written JSON, still answers after an upgrade."""
    first = send(dewi, "beacon_update", {"is_active": True})
    written = hashlib.sha256(b'beacon_update\0{"is_active":true}').hexdigest()
    CommandReceipt.objects.update(digest=written)
    assert send(dewi, "beacon_update", {"is_active": True}) == first
