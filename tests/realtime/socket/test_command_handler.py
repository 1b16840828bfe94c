"""The commands of one connection."""

import asyncio
import logging
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError

from common.errors import InvalidFormat
from common.threads import in_read_thread
from realtime.contract.frames import BadFrame, Frame, decode_frame, encode
from realtime.models import CommandReceipt
from realtime.socket.command_handler import CommandHandler
from realtime.socket.position_intake import PositionIntake
from realtime.socket.rate_limits import Flooding
from users.models import User
from users.tokens import Claims, tokens_issue

pytestmark = pytest.mark.django_db(transaction=True)
INTERNAL = {"code": "INTERNAL_ERROR", "message": "Internal server error"}


class Connection:
    """What a handler does to its connection."""

    def __init__(self, user: User) -> None:
        claims = Claims(user_id=user.pk, role=user.role, exp=9e9, ver=user.token_version)
        self.tokens: list[Claims] = []
        self.syncs = 0
        self.receipts: list[int] = []
        intake = PositionIntake(user.pk, driver=True)
        self.handler = CommandHandler(claims, intake, self.tokens.append, self.sync, self.receipts.append)

    async def sync(self) -> None:
        self.syncs += 1

    async def do(self, kind: str, command_id: str | None = None, **data: Any) -> dict[str, Any] | None:
        return await self.handler.reply_to(frame(kind, command_id, **data))


def frame(kind: str, command_id: str | None = None, **data: Any) -> Frame:
    """A frame of a client."""
    return decode_frame(encode({"type": kind, "data": data, **({"id": command_id} if command_id else {})}))


async def test_answers_come_where_they_are_due(dewi: User) -> None:
    """A command with an `id` is answered by `ack`; without one only errors are."""
    connection = Connection(dewi)
    assert await connection.do("beacon_update", "1", is_active=True) == {"type": "ack", "data": {}, "id": "1"}
    assert await connection.do("beacon_update", is_active=True) is None
    refused = await connection.do("finder_update", is_active=True)
    assert refused == {"type": "error", "data": {"code": "UNAUTHORIZED", "message": "Authentication required"}}


async def test_the_connection_handles_its_own(dewi: User, joko: User) -> None:
    """`sync` and `token_refresh` are about the connection; a token of somebody else changes nothing."""
    connection = Connection(dewi)
    assert (await connection.do("sync", "1")) == {"type": "ack", "data": {}, "id": "1"}
    assert connection.syncs == 1
    for user, kind in ((joko, "error"), (dewi, "ack")):
        token = (await sync_to_async(tokens_issue)(user))["access"]
        reply = await connection.do("token_refresh", "2", token=token)
        assert reply is not None
        assert reply["type"] == kind
    assert [claims.user_id for claims in connection.tokens] == [dewi.pk]


async def test_refusals_are_logged_with_their_code(dewi: User, caplog: pytest.LogCaptureFixture) -> None:
    """A log line about a refusal carries the error code."""
    caplog.set_level(logging.INFO)
    connection = Connection(dewi)
    await connection.do("finder_update", is_active=True)
    await connection.handler.refuse(BadFrame(InvalidFormat("no")))
    codes = [
        vars(record).get("code") for record in caplog.records if "efused" in record.message or "Bad" in record.message
    ]
    assert codes == ["UNAUTHORIZED", "INVALID_FORMAT"]


async def test_a_flood_is_logged_once_a_minute(dewi: User, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Refusals over the limit fill no log, and after `WS_FLOOD_TOLERANCE` of them the connection is to be closed."""
    settings.WS_COMMAND_RATE, settings.WS_COMMAND_BURST, settings.WS_FLOOD_TOLERANCE = 1, 1, 50
    caplog.set_level(logging.INFO)
    connection = Connection(dewi)
    await connection.do("sync")
    for _ in range(20):
        reply = await connection.do("sync", "x")
        assert reply is not None
        assert (reply["data"]["code"], reply["id"]) == ("RATE_LIMIT", "x")
        assert reply["data"]["retry_after"] > 0
    assert [vars(record)["code"] for record in caplog.records if "code" in vars(record)] == ["RATE_LIMIT"]
    for _ in range(25):
        await connection.do("sync")
    with pytest.raises(Flooding):
        await asyncio.gather(*(connection.do("sync") for _ in range(10)))
    with pytest.raises(Flooding):
        await connection.handler.refuse(BadFrame(InvalidFormat("no")))


async def test_an_outage_is_logged_once_a_minute(
    dewi: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """However many phones try; a fault of ours is logged each time, with its traceback."""
    for error in (OperationalError("disk I/O error"), RuntimeError("broken")):

        def fail(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("realtime.socket.command_handler.execute", fail)
        for _ in range(3):
            reply = await Connection(dewi).do("beacon_update", "1", is_active=True)
            assert reply == {"type": "error", "data": INTERNAL, "id": "1"}
    said = [(record.args[2], bool(record.exc_info)) for record in caplog.records if isinstance(record.args, tuple)]
    assert said == [("disk I/O error", False), *[("broken", True)] * 3]


async def test_a_receipt_is_answered_only_with_an_id(dewi: User) -> None:
    """`received` goes to the connection; it is never stored, and answered only where it has an `id`."""
    connection = Connection(dewi)
    assert await connection.do("received", seq=7) is None
    assert await connection.do("received", "1", seq=8) == {"type": "ack", "data": {}, "id": "1"}
    assert await connection.do("received", "1", seq=9) == {"type": "ack", "data": {}, "id": "1"}
    assert connection.receipts == [7, 8, 9]
    assert not await in_read_thread(CommandReceipt.objects.exists)
