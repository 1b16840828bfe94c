import asyncio

import pytest

from realtime.socket import position_pacing as module
from realtime.socket.position_pacing import Pace
from tests.patience import within


class Client:
    """What a client gets after a position, and how often he made room."""

    def __init__(self) -> None:
        self.pings: list[bytes] = []
        self.pace = Pace(self.pings.append)
        self.called = 0

    def send(self) -> None:
        self.pace.sent()
        self.pace.when_there_is_room(self.call)

    def call(self) -> None:
        self.called += 1


async def test_one_is_on_its_way_and_no_more() -> None:
    client = Client()
    assert client.pace.has_room()
    client.send()
    assert not client.pace.has_room()
    client.pace.stop()


async def test_the_answer_makes_room_and_is_told_once() -> None:
    client = Client()
    client.send()
    for _ in range(2):
        assert client.pace.answered(client.pings[0])
        assert client.pace.has_room()
        assert client.called == 1
    client.send()
    assert client.pings[0] != client.pings[1]
    assert not client.pace.has_room()
    client.pace.stop()


async def test_other_answers_make_no_room() -> None:
    client = Client()
    client.send()
    assert not client.pace.answered(b"")
    assert not client.pace.answered(b"\0\0\0\1")  # to somebody else's ping
    assert client.pace.answered(module.MARK + b"\xff\xff\xff\xff")
    assert not client.pace.has_room()
    assert client.called == 0
    client.pace.stop()


async def test_who_never_answers_gets_one_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    client = Client()
    client.send()
    async with within():
        while not client.called:
            await asyncio.sleep(0.001)
    assert client.pace.has_room()


async def test_nobody_is_called_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    client = Client()
    client.send()
    client.pace.stop()
    await asyncio.sleep(0.05)
    client.pace.answered(client.pings[0])
    assert client.called == 0
