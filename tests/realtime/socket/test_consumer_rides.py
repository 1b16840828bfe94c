"""One socket during a ride: positions, strangers, and what staff do."""

import asyncio
from datetime import UTC, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from channels.layers import get_channel_layer
from django.db import OperationalError
from django.utils import timezone

from common.threads import in_read_thread, in_write_thread
from realtime.server.background import Background
from realtime.socket import position_intake as tracking
from realtime.socket.connections import connections
from rides.models import Ride, TrackPoint
from rides.positions import positions
from rides.services import rides as ride_services
from tests.cast import MONAS, arrive, book, north_of, propose, start
from tests.realtime.phone import Phone
from users.models import User
from users.presence import presence

pytestmark = pytest.mark.django_db(transaction=True)
PLACE: dict[str, Any] = {"latitude": MONAS.latitude, "longitude": MONAS.longitude}


async def test_a_position_reaches_the_other_party_and_nobody_else(dewi: User, putri: User, tono: User) -> None:
    ride = await in_write_thread(book, dewi, putri)
    driver, passenger, stranger = [await Phone.of(user) for user in (dewi, putri, tono)]
    said = timezone.now().astimezone(ZoneInfo("Asia/Jakarta")).replace(microsecond=0)
    await driver.say("location_update", latitude=-6.2, longitude=106.8, timestamp=said.isoformat())
    assert await passenger.next() == {
        "type": "location_update",
        "data": {
            "ride_id": str(ride.pk),
            "user_id": str(dewi.pk),
            "latitude": -6.2,
            "longitude": 106.8,
            "timestamp": f"{said.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        },
    }
    await passenger.say("location_update", latitude=1, longitude=2)
    assert (await driver.next("location_update"))["data"]["user_id"] == str(putri.pk)
    assert await stranger.hears_nothing(0.05)
    for phone in (driver, passenger, stranger):
        await phone.hang_up()


async def test_positions_are_booked_before_the_arrival(background: Background, dewi: User, putri: User) -> None:
    ride = await in_write_thread(book, dewi, putri)
    phone = await Phone.of(dewi)
    assert (await phone.do("ride_start", "1", ride_id=str(ride.pk)))["type"] == "ack"
    for seconds in (10, 20, 30):
        place = north_of(MONAS, 10 * seconds)
        at = (timezone.now() + timedelta(seconds=seconds)).isoformat()
        await phone.say("location_update", latitude=place.latitude, longitude=place.longitude, timestamp=at)
    assert (await phone.do("ride_arrived", "2", ride_id=str(ride.pk)))["type"] == "ack"
    arrived = (await phone.next("ride_arrived"))["data"]
    assert arrived["distance_km"] == pytest.approx(0.3, abs=1e-6)
    assert arrived["total_cost"] == 900
    await phone.hang_up()


async def test_a_position_is_acknowledged_when_it_is_booked_with_those_before_it(dewi: User, putri: User) -> None:
    await in_write_thread(start, dewi, putri)
    phone = await Phone.of(dewi)
    for metres in (1, 2):
        place = north_of(MONAS, metres)
        await phone.say("location_update", latitude=place.latitude, longitude=place.longitude)
    assert (await phone.do("location_update", **PLACE))["type"] == "ack"
    assert await in_read_thread(TrackPoint.objects.count) == 4  # the first is that of the start
    await phone.hang_up()


async def test_a_position_that_cannot_be_booked_is_not_acknowledged_but_kept(
    dewi: User, putri: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise OperationalError("no database")

    await in_write_thread(start, dewi, putri)
    phone = await Phone.of(dewi)
    with monkeypatch.context() as patch:
        patch.setattr(tracking, "tracks_record", broken)
        answer = await phone.do("location_update", **PLACE)
    assert (answer["type"], answer["data"]["code"]) == ("error", "INTERNAL_ERROR")
    assert (await phone.do("location_update", **PLACE))["type"] == "ack"
    assert await in_read_thread(TrackPoint.objects.count) == 3
    await phone.hang_up()


async def test_what_an_earlier_connection_reported_is_booked_too(dewi: User, putri: User) -> None:
    ride = await in_write_thread(start, dewi, putri)
    first = await Phone.of(dewi)
    await asyncio.sleep(0.05)
    place = north_of(MONAS, 1)
    await first.do("location_update", latitude=place.latitude, longitude=place.longitude)
    second = await Phone.of(dewi)
    await second.do("ride_arrived", ride_id=str(ride.pk))
    await in_read_thread(ride.refresh_from_db)
    assert ride.total_cost == 3
    await first.hang_up()
    await second.hang_up()


async def test_who_leaves_has_his_track_booked_and_is_gone(dewi: User, putri: User) -> None:
    ride = await in_write_thread(start, dewi, putri)
    phone = await Phone.of(dewi)
    await asyncio.sleep(0.02)
    await phone.do("location_update", latitude=MONAS.latitude, longitude=MONAS.longitude)
    await phone.hang_up()
    assert await in_read_thread(TrackPoint.objects.filter(ride=ride).count) == 2
    assert len(connections()) == 0
    assert presence().everyone() == []
    assert not get_channel_layer()._groups
    assert not get_channel_layer()._mailboxes
    last = positions().last(dewi.pk)
    assert last is not None


async def test_after_the_arrival_positions_are_no_longer_shown(background: Background, dewi: User, putri: User) -> None:
    ride = await in_write_thread(start, dewi, putri)
    driver, passenger = await Phone.of(dewi), await Phone.of(putri)
    await driver.do("ride_arrived", ride_id=str(ride.pk))
    await passenger.next("payment_process")
    await driver.do("location_update", latitude=1, longitude=1)
    await passenger.do("location_update", latitude=1, longitude=1)
    assert await passenger.hears_nothing(0.1)
    await driver.hang_up()
    await passenger.hang_up()


@pytest.mark.parametrize("stage", ["proposed", "booked", "arrived"])
async def test_strangers_get_the_same_answer_for_everything(dewi: User, putri: User, tono: User, stage: str) -> None:
    stages: dict[str, Any] = {"proposed": propose, "booked": book, "arrived": arrive}
    thing = await in_write_thread(stages[stage], dewi, putri)
    phone = await Phone.of(tono)
    commands: list[tuple[str, str, dict[str, Any]]] = [
        ("match_confirm", "match_id", {"accepted": True}),
        ("ride_cancel", "ride_id", {}),
        ("payment_process", "ride_id", {"total_cost": 0, "status": "ACCEPTED"}),
    ]
    for kind, field, data in commands:
        answer = await phone.do(kind, f"{kind} theirs", **{field: str(thing.pk)}, **data)
        nothing = await phone.do(kind, f"{kind} nobody's", **{field: str(UUID(int=5))}, **data)
        assert answer["data"] == nothing["data"]
        assert answer["data"]["code"] == "VALIDATION_FAILED"
    await phone.hang_up()


async def test_staff_changes_reach_an_open_socket(background: Background, dewi: User, putri: User) -> None:
    ride: Ride = await in_write_thread(book, dewi, putri)
    phone = await Phone.of(putri)
    await in_write_thread(ride_services.ride_cancel_by_staff, ride_id=ride.pk, reason="test")
    frame = await phone.next("ride_cancelled")
    assert frame["data"]["cancelled_by"] == "staff"
    await phone.hang_up()
