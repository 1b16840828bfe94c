"""One socket: joining, answering, forwarding, leaving."""

import asyncio
import json
import time
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from channels.layers import get_channel_layer
from django.utils import timezone

from common.threads import in_read_thread, in_write_thread
from events.models import OutboxEvent
from realtime.delivery.deliver import deliver
from realtime.delivery.deliveries import Delivery
from realtime.delivery.history import history
from realtime.delivery.history.memory import MemoryHistory
from realtime.delivery.layer_messages import DELIVER, REPLACE, group_of
from realtime.server.background import Background
from realtime.socket.connections import connections
from realtime.socket.session_ready import read_state
from rides.models import TrackPoint
from rides.positions import positions
from rides.services.beacons import beacon_update
from tests.cast import MONAS, start
from tests.realtime.phone import Phone
from tests.tokens import make_token
from users.models import User
from users.presence import Presence, presence
from users.services import logout, user_deactivate
from users.tokens import tokens_issue

pytestmark = pytest.mark.django_db(transaction=True)


def event(user: User, number: int, kind: str = "beacon_update") -> OutboxEvent:
    """An event for one user that only the delivery sees."""
    made = {"created_at": timezone.now(), "audience": {str(user.pk): None}}
    return OutboxEvent(event_id=UUID(int=number), type=kind, data={"n": number}, **made)


async def test_the_first_frame_is_the_complete_state(dewi: User) -> None:
    phone = await Phone.of(dewi)
    assert phone.ready["user_id"] == str(dewi.pk)
    assert phone.ready["role"] == "driver"
    assert phone.ready["epoch"] == (await history().read(dewi.pk)).epoch
    assert (phone.ready["seq"], phone.ready["recovered"]) == (0, False)
    assert phone.ready["state"]["beacon"] == {"is_active": False}
    assert phone.ready["limits"]["max_message_size"] == 512
    await phone.hang_up()


async def test_the_first_position_needs_no_look_at_the_ride(
    dewi: User, putri: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    ride = await in_write_thread(start, dewi, putri)
    phone = await Phone.of(dewi)
    monkeypatch.setattr("realtime.socket.position_intake.ride_under_way", None)
    await phone.do("location_update", "mine", latitude=MONAS.latitude, longitude=MONAS.longitude)
    assert await in_read_thread(TrackPoint.objects.filter(ride=ride).count) == 2
    await phone.hang_up()


async def test_a_command_is_acknowledged_and_its_event_arrives(background: Background, dewi: User) -> None:
    phone = await Phone.of(dewi)
    assert await phone.do("beacon_update", "mine", is_active=True) == {"type": "ack", "data": {}, "id": "mine"}
    frame = await phone.next("beacon_update")
    assert (frame["seq"], frame["data"]["is_active"]) == (1, True)
    await phone.hang_up()


async def test_without_an_id_only_errors_are_answered(background: Background, dewi: User) -> None:
    phone = await Phone.of(dewi)
    await phone.say("beacon_update", is_active=True)
    assert (await phone.next())["type"] == "beacon_update"
    await phone.say("beacon_update", is_active="x")
    frame = await phone.next()
    assert (frame["type"], frame["data"]["code"], "id" in frame) == ("error", "VALIDATION_FAILED", False)
    await phone.hang_up()


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("", "INVALID_FORMAT"),
        ("{", "INVALID_FORMAT"),
        ("[]", "INVALID_FORMAT"),
        ('{"type": "probe", "data": {}}', "INVALID_FORMAT"),
        ('{"type": "beacon_update", "data": {}}', "VALIDATION_FAILED"),
        ('{"type": "finder_update", "data": {}}', "UNAUTHORIZED"),
        ('{"type": "location_update", "data": {"latitude": 91, "longitude": 0}}', "VALIDATION_FAILED"),
        (b"\x00\x01", "INVALID_FORMAT"),
    ],
)
async def test_a_bad_frame_is_answered_and_the_socket_lives(dewi: User, raw: Any, code: str) -> None:
    phone = await Phone.of(dewi)
    key = "bytes" if isinstance(raw, bytes) else "text"
    await phone.socket.send_input({"type": "websocket.receive", key: raw})
    assert (await phone.next())["data"]["code"] == code
    assert (await phone.do("sync"))["type"] == "ack"
    await phone.hang_up()


async def test_a_frame_that_is_too_large_closes_with_1009(dewi: User) -> None:
    phone = await Phone.of(dewi)
    await phone.socket.send_to(text_data="ü" * 257)
    assert await phone.closed_with() == 1009
    await phone.hang_up()


async def test_a_fault_of_ours_says_so_and_nothing_more(
    dewi: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("the password is 123")

    monkeypatch.setattr("realtime.socket.command_handler.execute", broken)
    phone = await Phone.of(dewi)
    answer = await phone.do("beacon_update", "1", is_active=True)
    assert answer["data"] == {"code": "INTERNAL_ERROR", "message": "Internal server error"}
    assert "the password is 123" in caplog.text
    assert str(dewi.pk) in caplog.text
    await phone.hang_up()


async def test_commands_over_the_rate_are_refused_and_may_be_sent_again(dewi: User, settings: Any) -> None:
    settings.WS_COMMAND_RATE, settings.WS_COMMAND_BURST = 1, 1
    phone = await Phone.of(dewi)
    assert (await phone.do("beacon_update", "1", is_active=True))["type"] == "ack"
    refused = await phone.do("beacon_update", "2", is_active=False)
    assert refused["data"]["code"] == "RATE_LIMIT"
    await phone.say("location_update", latitude=1, longitude=1)
    await asyncio.sleep(refused["data"]["retry_after"] + 0.01)
    assert (await phone.do("beacon_update", "2", is_active=False))["type"] == "ack"
    await phone.hang_up()


async def test_a_sync_sends_the_state_and_then_the_ack(background: Background, dewi: User) -> None:
    phone = await Phone.of(dewi)
    await phone.do("beacon_update", is_active=True)
    seq = (await phone.next("beacon_update"))["seq"]
    await phone.say("sync", "2")
    ready = (await phone.next())["data"]
    assert (ready["seq"], ready["recovered"], ready["state"]["beacon"]["is_active"]) == (seq, True, True)
    assert await phone.next() == {"type": "ack", "data": {}, "id": "2"}
    await phone.hang_up()


async def test_a_client_that_comes_back_gets_what_it_missed(dewi: User) -> None:
    phone = await Phone.of(dewi)
    await deliver([event(dewi, 1)])
    assert (await phone.next())["seq"] == 1
    await phone.hang_up()
    await deliver([event(dewi, 2), event(dewi, 3)])
    phone = await Phone.of(dewi, f"resume={phone.ready['epoch']}:1")
    assert (phone.ready["recovered"], phone.ready["seq"]) == (True, 1)
    assert [(await phone.next())["seq"] for _ in range(2)] == [2, 3]
    await deliver([event(dewi, 4)])
    assert (await phone.next())["seq"] == 4
    await phone.hang_up()


@pytest.mark.parametrize("resume", ["other:1", "{epoch}:9", "{epoch}:x", "nonsense", "{epoch}:-1"])
async def test_a_client_that_cannot_resume_gets_the_head_and_nothing_again(dewi: User, resume: str) -> None:
    await deliver([event(dewi, 1), event(dewi, 2)])
    epoch = (await history().read(dewi.pk)).epoch
    phone = await Phone.of(dewi, "resume=" + resume.format(epoch=epoch))
    assert (phone.ready["recovered"], phone.ready["seq"]) == (False, 2)
    await deliver([event(dewi, 3)])
    assert (await phone.next())["seq"] == 3
    await phone.hang_up()


async def test_what_comes_twice_is_forwarded_once(dewi: User) -> None:
    phone = await Phone.of(dewi)
    for _ in range(3):
        await deliver([event(dewi, 1), event(dewi, 2)])
    await deliver([event(dewi, 3)])
    assert [(await phone.next())["data"]["n"] for _ in range(3)] == [1, 2, 3]
    assert await phone.hears_nothing(0.05)
    await phone.hang_up()


async def drop(user: User, number: int) -> None:
    """Number an event as the delivery does, and lose it on the way."""
    layer = get_channel_layer()
    groups, layer._groups = layer._groups, {}
    await get_channel_layer().deliver_batch(
        [Delivery(str(UUID(int=number)), "beacon_update", b'{"n":%d}' % number, {user.pk: None})]
    )
    layer._groups = groups


async def test_a_gap_is_refilled_from_the_history(dewi: User) -> None:
    phone = await Phone.of(dewi)
    await deliver([event(dewi, 1)])
    await drop(dewi, 2)
    await drop(dewi, 3)
    await deliver([event(dewi, 4)])
    assert [(await phone.next())["seq"] for _ in range(4)] == [1, 2, 3, 4]
    await phone.hang_up()


async def test_a_gap_at_the_end_is_found_by_the_heartbeat(background: Background, dewi: User) -> None:
    phone = await Phone.of(dewi)
    await drop(dewi, 1)
    await drop(dewi, 2)
    assert [(await phone.next())["seq"] for _ in range(2)] == [1, 2]
    await phone.hang_up()


async def test_what_the_history_has_lost_too_is_replaced_by_the_state(dewi: User, settings: Any) -> None:
    settings.HISTORY_MAX = 2
    phone = await Phone.of(dewi)
    for number in range(1, 6):
        await drop(dewi, number)
    await deliver([event(dewi, 6)])
    ready = await phone.next()
    assert (ready["type"], ready["data"]["recovered"], ready["data"]["seq"]) == ("session_ready", False, 6)
    await deliver([event(dewi, 7)])
    assert (await phone.next())["seq"] == 7
    await phone.hang_up()


async def test_a_new_generation_of_the_history_sends_the_state(dewi: User) -> None:
    phone = await Phone.of(dewi)
    message = {"type": DELIVER, "epoch": "other", "seq": 1, "event": "x", "frame": "{}"}
    kept = history()
    assert isinstance(kept, MemoryHistory)
    kept.epoch = "other"
    await get_channel_layer().group_send(group_of(dewi.pk), message)
    ready = (await phone.next())["data"]
    assert (ready["epoch"], ready["recovered"]) == ("other", False)
    await phone.hang_up()


async def test_a_message_of_the_layer_cannot_call_a_method(dewi: User) -> None:
    phone = await Phone.of(dewi)
    for kind in ("close", "send.json", "websocket.close", "accept", "no.such"):
        await get_channel_layer().group_send(group_of(dewi.pk), {"type": kind})
    assert (await phone.do("sync"))["type"] == "ack"
    await phone.hang_up()


async def test_a_newer_connection_replaces_the_older_one(dewi: User) -> None:
    first = await Phone.of(dewi)
    second = await Phone.of(dewi)
    assert await first.closed_with() == 4409
    assert (await second.do("sync"))["type"] == "ack"
    await first.hang_up()
    assert positions().last(dewi.pk) is None
    await second.hang_up()


async def test_where_nobody_is_connected_nobody_is_sent_away(dewi: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """An announcement costs two trips through the channel layer: it is made only where somebody has to hear it."""
    told = []
    send = get_channel_layer().group_send

    async def group_send(group: str, message: dict[str, Any]) -> None:
        told.append(message["type"])
        await send(group, message)

    monkeypatch.setattr(get_channel_layer(), "group_send", group_send)
    first = await Phone.of(dewi)
    assert told == []
    second = await Phone.of(dewi)
    assert told == [REPLACE]
    assert await first.closed_with() == 4409
    await first.hang_up()
    await second.hang_up()


async def test_who_gave_up_waiting_replaces_nobody(dewi: User) -> None:
    """A connection whose client has left before its turn came takes no session: the client is connected elsewhere."""
    phone = await Phone.of(dewi)
    left = Phone((await in_write_thread(tokens_issue, dewi))["access"])
    left.socket.scope["state"] = {"gone": lambda: True}
    await left.connect()
    assert await left.hears_nothing(0.1)
    await left.hang_up()
    assert (await phone.do("sync"))["type"] == "ack"
    assert phone.close_code is None
    await phone.hang_up()


async def test_of_many_connections_at_once_the_newest_survives(dewi: User) -> None:
    phones = [Phone((await in_write_thread(tokens_issue, dewi))["access"]) for _ in range(8)]
    await asyncio.gather(*(phone.open() for phone in phones))
    [newest] = [one.session for one in presence().everyone()]
    await asyncio.sleep(0.1)
    sockets: Any = connections()._live
    living = [guard for guard in sockets if not guard.socket.closing]
    assert [guard.presence.session for guard in living] == [newest]
    for phone in phones:
        await phone.hang_up()
    assert len(connections()) == 0


async def test_an_announcement_that_was_lost_is_noticed_by_the_heartbeat(background: Background, dewi: User) -> None:
    phone = await Phone.of(dewi)
    await presence().take(Presence(connection_id=uuid4(), user_id=dewi.pk, role="driver"))
    assert await phone.closed_with() == 4409
    await phone.hang_up()


@pytest.fixture
def _clock_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens are compared with the wall clock every 20 ms, so that a test may move it."""
    monkeypatch.setattr("realtime.socket.token_expiry.LONGEST_TIMER", 0.02)


@pytest.mark.usefixtures("_clock_is_watched")
async def test_the_socket_closes_when_the_token_expires(putri: User) -> None:
    """The client is warned `WS_TOKEN_NOTICE` before, and closed with 4401 at the end."""
    end = time.time() + 3600
    phone = Phone(make_token({"user_id": str(putri.pk), "role": "passenger", "exp": end}))
    await phone.open()
    with time_machine.travel(end - 30):
        assert "expires_at" in (await phone.next("token_expiring"))["data"]
        assert (await phone.do("sync"))["type"] == "ack"
    with time_machine.travel(end + 1):
        assert await phone.closed_with() == 4401
    await phone.hang_up()


@pytest.mark.usefixtures("_clock_is_watched")
async def test_a_fresh_token_keeps_the_socket_open(putri: User) -> None:
    """After `token_refresh` the end of the first token passes unnoticed."""
    end = time.time() + 3600
    phone = Phone(make_token({"user_id": str(putri.pk), "role": "passenger", "exp": end}))
    await phone.open()
    fresh = make_token({"user_id": str(putri.pk), "role": "passenger", "exp": end + 3600})
    assert (await phone.do("token_refresh", token=fresh))["type"] == "ack"
    with time_machine.travel(end + 1):
        await asyncio.sleep(0.1)  # some looks at the clock
        assert (await phone.do("sync"))["type"] == "ack"
    with time_machine.travel(end + 3601):
        assert await phone.closed_with() == 4401
    await phone.hang_up()


async def test_somebody_elses_token_or_a_bad_one_refreshes_nothing(putri: User, sari: User) -> None:
    phone = await Phone.of(putri)
    for token in ((await in_write_thread(tokens_issue, sari))["access"], "x"):
        answer = await phone.do("token_refresh", token=token)
        assert answer["data"] == {"code": "UNAUTHORIZED", "message": "Authentication required"}
    assert (await phone.do("sync"))["type"] == "ack"
    await phone.hang_up()


async def test_logging_out_and_shutting_out_close_the_socket(background: Background, putri: User, sari: User) -> None:
    first, second = await Phone.of(putri), await Phone.of(sari)
    refresh = (await in_write_thread(tokens_issue, putri))["refresh"]
    await in_write_thread(logout, refresh=refresh)
    await in_write_thread(user_deactivate, user_id=sari.pk)
    for phone in (first, second):
        assert await phone.closed_with() == 4401
        await phone.hang_up()


async def test_a_revocation_that_got_lost_is_noticed_later(putri: User) -> None:
    phone = await Phone.of(putri)
    await in_write_thread(User.objects.filter(pk=putri.pk).update, is_active=False)
    await connections().check_tokens()
    assert await phone.closed_with() == 4401
    await phone.hang_up()


async def test_a_state_that_cannot_be_read_closes_with_1011(dewi: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_claims: Any) -> None:
        raise RuntimeError("no database")

    monkeypatch.setattr("realtime.socket.notification_stream.read_state", broken)
    phone = Phone((await in_write_thread(tokens_issue, dewi))["access"])
    await phone.connect()
    assert await phone.closed_with() == 1011
    await phone.hang_up()
    assert len(connections()) == 0


async def test_what_happens_between_the_head_and_the_state_is_not_lost(
    background: Background, dewi: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(claims: Any) -> Any:
        found = read_state(claims)
        beacon_update(user_id=dewi.pk, is_active=True)
        return found

    monkeypatch.setattr("realtime.socket.notification_stream.read_state", slow)
    phone = await Phone.of(dewi)
    assert phone.ready["state"]["beacon"] == {"is_active": False}
    frame = await phone.next()
    assert (frame["type"], frame["seq"]) == ("beacon_update", phone.ready["seq"] + 1)
    assert json.dumps(frame)
    await phone.hang_up()
