import asyncio
import json
import time
from itertools import chain
from typing import Any
from uuid import UUID, uuid4

import pytest
from channels.layers import get_channel_layer
from django.db import OperationalError

from common.background_tasks import end
from common.threads import in_read_thread, in_write_thread
from realtime.contract.frames import LocationUpdate
from realtime.delivery.layer_messages import group_of
from realtime.socket import position_intake as tracking
from realtime.socket.position_intake import PositionIntake, TrackBuffer, track_buffer
from rides.models import TrackPoint
from rides.positions import positions
from rides.selectors import ride_under_way
from rides.services.rides import ride_arrived, ride_start
from rides.services.tracks import Report, tracks_record
from tests.cast import MONAS, book, fix_at, start
from tests.patience import within
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)
HERE = LocationUpdate(latitude=MONAS.latitude, longitude=MONAS.longitude)


def report() -> Report:
    return Report(fix_at(MONAS, time.time()), time.time())


async def points() -> int:
    return await in_read_thread(TrackPoint.objects.count)


async def test_what_is_collected_is_written(dewi: User, putri: User) -> None:
    ride = await in_write_thread(start, dewi, putri)
    buffer = TrackBuffer()
    buffer.add(ride.pk, report(), dewi.pk)
    buffer.add(uuid4(), report())
    await buffer.flush_all()
    assert await points() == 2
    assert not buffer._waiting
    await buffer.flush(dewi.pk)
    assert await points() == 2
    buffer.add(ride.pk, report(), dewi.pk)
    await buffer.flush(putri.pk)
    assert await points() == 2
    await buffer.flush(dewi.pk)
    assert await points() == 3


async def test_a_driver_who_reported_nothing_costs_nothing(
    dewi: User, putri: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each command and at each disconnect the track is flushed; that asks the database nothing."""
    await in_write_thread(start, dewi, putri)
    monkeypatch.setattr(tracking, "in_read_thread", None)
    monkeypatch.setattr(tracking, "in_write_thread", None)
    await PositionIntake(dewi.pk, driver=True).flush()


async def test_reports_of_an_earlier_connection_are_written_too(dewi: User, putri: User) -> None:
    """A driver comes back and ends the ride: nothing of the track is left out."""
    ride = await in_write_thread(start, dewi, putri)
    await PositionIntake(dewi.pk, driver=True).report(HERE)
    assert list(track_buffer()._waiting) == [ride.pk]
    await PositionIntake(dewi.pk, driver=True).flush()
    assert await points() == 2


@pytest.mark.parametrize("then", ["report", "command"])
async def test_positions_wait_while_the_ride_cannot_be_read(
    dewi: User, putri: User, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """What was reported while the database was away is part of the track before the next command is carried out."""
    await in_write_thread(start, dewi, putri)
    intake, before = PositionIntake(dewi.pk, driver=True), await points()
    away = [True, True]

    def read_or_fail(user_id: UUID) -> Any:
        if away:
            away.pop()
            raise OperationalError("away")
        return ride_under_way(user_id)

    monkeypatch.setattr(tracking, "ride_under_way", read_or_fail)
    for _ in range(2):
        with pytest.raises(OperationalError):
            await intake.report(HERE)
    if then == "report":
        await intake.report(HERE)
    await intake.flush()
    assert await points() == before + (3 if then == "report" else 2)
    assert not intake._unplaced


async def test_of_what_waits_for_the_ride_the_newest_is_kept(dewi: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_user_id: UUID) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(tracking, "ride_under_way", away)
    monkeypatch.setattr(tracking, "UNPLACED_MAX", 3)
    intake = PositionIntake(dewi.pk, driver=True)
    for latitude in range(5):
        with pytest.raises(OperationalError):
            await intake.report(LocationUpdate(latitude=latitude, longitude=0))
    assert [fix.latitude for fix, _ in intake._unplaced] == [2, 3, 4]


async def test_what_cannot_be_written_stays_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded: list[int] = []

    def broken(*, reports: dict[UUID, list[Report]]) -> None:
        recorded.append(sum(map(len, reports.values())))
        if len(recorded) == 1:
            raise RuntimeError("no database")

    monkeypatch.setattr(tracking, "tracks_record", broken)
    buffer, ride_id, driver_id = TrackBuffer(), uuid4(), uuid4()
    buffer.add(ride_id, report(), driver_id)
    with pytest.raises(RuntimeError):
        await buffer.flush(driver_id)
    buffer.add(ride_id, report(), driver_id)
    await buffer.flush(driver_id)
    assert recorded == [1, 2]


async def test_a_ride_that_cannot_be_booked_does_not_hold_up_the_others(
    dewi: User, putri: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ride = await in_write_thread(start, dewi, putri)
    bad = uuid4()

    def record(*, reports: dict[UUID, list[Report]]) -> None:
        if bad in reports:
            raise ValueError("a bug")
        tracks_record(reports=reports)

    monkeypatch.setattr(tracking, "tracks_record", record)
    buffer = TrackBuffer()
    for ride_id in (bad, ride.pk):
        buffer.add(ride_id, report())
    await buffer.flush_all()
    assert await points() == 2
    assert list(buffer._waiting) == [bad]
    assert "A batch of 2 tracks failed" in caplog.text


async def test_without_a_database_the_rides_are_not_tried_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def record(*, reports: dict[UUID, list[Report]]) -> None:
        tried.append(len(reports))
        raise OperationalError("gone")

    monkeypatch.setattr(tracking, "tracks_record", record)
    buffer = TrackBuffer()
    for _ in range(3):
        buffer.add(uuid4(), report())
    with pytest.raises(OperationalError):
        await buffer.flush_all()
    assert (tried, len(buffer._waiting)) == ([3], 3)


@pytest.mark.parametrize("bad", [None, 1, 5])
async def test_drivers_who_wait_are_written_together(monkeypatch: pytest.MonkeyPatch, bad: int | None) -> None:
    """The first by itself, and all who come meanwhile in one transaction; one who breaks it breaks only their own."""
    written: list[list[int]] = []

    def record(*, reports: dict[UUID, list[Report]]) -> None:
        numbers = [ride.int for ride in reports]
        if bad in numbers:
            raise ValueError("a bug")
        written.append(numbers)

    monkeypatch.setattr(tracking, "tracks_record", record)
    monkeypatch.setattr(tracking, "FLUSH_BATCH", 4)
    buffer = TrackBuffer()
    for number in range(1, 8):
        buffer.add(UUID(int=number), report(), UUID(int=100 + number))
    flushes = (buffer.flush(UUID(int=100 + number)) for number in range(1, 8))
    results = await asyncio.gather(*flushes, return_exceptions=True)
    refused = [number for number, result in enumerate(results, 1) if isinstance(result, ValueError)]
    assert refused == ([bad] if bad else [])
    assert sorted(chain.from_iterable(written)) == [number for number in range(1, 8) if number != bad]
    assert [ride.int for ride in buffer._waiting] == refused
    if bad is None:
        assert written == [[1, 2, 3, 4], [5, 6, 7]]


async def test_a_write_goes_on_when_nobody_waits_for_it_any_more(dewi: User, putri: User) -> None:
    ride = await in_write_thread(start, dewi, putri)
    buffer = TrackBuffer()
    buffer.add(ride.pk, report(), dewi.pk)
    task = asyncio.create_task(buffer.flush(dewi.pk))
    await asyncio.sleep(0)
    await end(task)
    await buffer.flush(dewi.pk)
    assert await points() == 2


async def test_a_position_is_remembered_also_without_a_ride(dewi: User) -> None:
    intake = PositionIntake(dewi.pk, driver=True)
    await intake.report(HERE)
    last = positions().last(dewi.pk)
    assert last is not None
    assert last.point == MONAS
    assert not track_buffer()._waiting


async def test_the_ride_is_read_again_when_it_may_have_changed(dewi: User, putri: User) -> None:
    intake = PositionIntake(dewi.pk, driver=True)
    await intake.report(HERE)
    ride = await in_write_thread(book, dewi, putri)
    intake.reset()
    await intake.report(HERE)
    assert not track_buffer()._waiting
    await in_write_thread(ride_start, user_id=dewi.pk, ride_id=ride.pk)
    intake.reset()
    await intake.report(HERE)
    assert list(track_buffer()._waiting) == [ride.pk]
    await intake.flush()
    assert await points() == 2
    await in_write_thread(ride_arrived, user_id=dewi.pk, ride_id=ride.pk)
    intake.reset()
    await intake.report(HERE)
    assert not track_buffer()._waiting


async def test_what_is_booked_on_the_way_is_shown_all_the_same(dewi: User, putri: User, settings: Any) -> None:
    settings.RIDES_MAX_SPEED_KMH = 0
    settings.WS_LOCATION_RATE = 5
    await in_write_thread(start, dewi, putri)
    channel = await get_channel_layer().new_channel()
    await get_channel_layer().group_add(group_of(putri.pk), channel)
    intake = PositionIntake(dewi.pk, driver=True)
    for latitude in range(10):
        await intake.report(LocationUpdate(latitude=latitude, longitude=0))
    await intake.flush_track()
    assert await points() == 11
    shown = -1
    async with within():
        while shown != 9:
            shown = json.loads((await get_channel_layer().receive(channel))["frame"])["data"]["latitude"]


async def test_a_ride_that_could_not_be_read_is_read_again(
    dewi: User, putri: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    await in_write_thread(start, dewi, putri)
    intake = PositionIntake(dewi.pk, driver=True)

    def broken(_user_id: UUID) -> None:
        raise RuntimeError("no database")

    with monkeypatch.context() as patch:
        patch.setattr(tracking, "ride_under_way", broken)
        with pytest.raises(RuntimeError):
            await intake.report(HERE)
    await intake.report(HERE)
    assert len(track_buffer()._waiting) == 1


async def test_the_ride_of_the_state_is_not_read_again(
    dewi: User, putri: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands come back at once after an outage, and each reports: the state that they were sent has told already."""
    await in_write_thread(start, dewi, putri)
    intake = PositionIntake(dewi.pk, driver=True)
    intake.use_ride(await in_read_thread(ride_under_way, dewi.pk))
    monkeypatch.setattr(tracking, "ride_under_way", None)
    await intake.report(HERE)
    assert len(track_buffer()._waiting) == 1
    intake.reset()
    with pytest.raises(TypeError):
        await intake.report(HERE)


async def test_a_ride_that_was_read_before_the_state_does_not_replace_it(
    dewi: User, putri: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    ride = await in_write_thread(start, dewi, putri)
    intake = PositionIntake(dewi.pk, driver=True)

    def slow(user_id: UUID) -> None:
        intake.use_ride(ride_under_way(user_id))

    monkeypatch.setattr(tracking, "ride_under_way", slow)
    await intake.report(HERE)
    assert list(track_buffer()._waiting) == [ride.pk]


async def test_over_the_rate_only_the_latest_position_is_shown(dewi: User, putri: User, settings: Any) -> None:
    settings.RIDES_MAX_SPEED_KMH = 0
    settings.WS_LOCATION_RATE = 1
    await in_write_thread(start, dewi, putri)
    channel = await get_channel_layer().new_channel()
    await get_channel_layer().group_add(group_of(putri.pk), channel)
    intake = PositionIntake(dewi.pk, driver=True)
    seen = []
    for n in range(1, 31):
        await intake.report(LocationUpdate(latitude=n, longitude=0))
        while get_channel_layer()._mailboxes[channel].messages:
            seen.append(json.loads((await get_channel_layer().receive(channel))["frame"])["data"]["latitude"])
    assert seen == [1]
    async with within():
        last = json.loads((await get_channel_layer().receive(channel))["frame"])
    assert last["data"]["latitude"] == 30
    assert len(next(iter(track_buffer()._waiting.values()))) == 30


async def test_nothing_is_shown_after_the_end(dewi: User, putri: User, settings: Any) -> None:
    settings.RIDES_MAX_SPEED_KMH = 0
    settings.WS_LOCATION_RATE = 10
    await in_write_thread(start, dewi, putri)
    channel = await get_channel_layer().new_channel()
    await get_channel_layer().group_add(group_of(putri.pk), channel)
    intake = PositionIntake(dewi.pk, driver=True)
    for n in range(12):
        await intake.report(LocationUpdate(latitude=n, longitude=0))
        if get_channel_layer()._mailboxes[channel].messages:
            await get_channel_layer().receive(channel)
    intake.reset()
    await asyncio.sleep(0.2)
    assert not get_channel_layer()._mailboxes[channel].messages
    intake.stop()
