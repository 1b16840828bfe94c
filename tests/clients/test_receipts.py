"""What the client says has reached it, and when."""

import asyncio
from typing import Any

import pytest

from nebengjek_client import Client
from nebengjek_client import receipts as module
from tests.clients.script import Script, ScriptedServer, ack_all, scripted_server
from tests.patience import until

OFFER = {"match_id": "m"}


def receipts_of(server: ScriptedServer) -> list[int]:
    """The numbers that were confirmed, in their order; none has an id, for nobody waits for an answer."""
    frames = [frame for frame in server.frames if frame["type"] == "received"]
    assert all("id" not in frame for frame in frames)
    return [frame["data"]["seq"] for frame in frames]


async def test_one_receipt_is_for_all_that_came() -> None:
    """Notifications that follow each other are confirmed together, by the last number, once."""

    async def tell(script: Script) -> None:
        await script.greet()
        for seq in range(1, 6):
            await script.say("ride_start", {}, seq=seq)

    async with scripted_server(on_open=tell) as server, Client(server.url, "a"):
        await until(lambda: receipts_of(server) != [])
        await asyncio.sleep(2 * module.RECEIPT_DELAY)
        assert receipts_of(server) == [5]


async def test_offers_are_confirmed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An offer does not wait for others, nor for the answer to a command before it."""
    monkeypatch.setattr(module, "RECEIPT_DELAY", 3600)

    async def tell(script: Script, frame: dict[str, Any]) -> None:
        if frame["type"] == "ride_start":  # it gets no answer
            await script.say("ride_start", {}, seq=1)
            await script.say("match_proposal", OFFER, seq=2)

    async with scripted_server(tell) as server, Client(server.url, "a") as client:
        waiting = asyncio.create_task(client.ride_start(ride_id="1"))
        await until(lambda: receipts_of(server) == [2])
        assert not waiting.done()
        waiting.cancel()


async def test_what_has_no_number_is_not_confirmed() -> None:
    """Neither positions of the other side, nor answers, nor what came twice."""

    async def tell(script: Script, frame: dict[str, Any]) -> None:
        await ack_all(script, frame)
        await script.say("location_update", {})
        await script.say("ride_start", {}, seq=1)

    async def begin(script: Script) -> None:
        await script.greet(seq=1)

    async with scripted_server(tell, begin) as server, Client(server.url, "a") as client:
        await until(lambda: receipts_of(server) == [1])  # of the state
        await client.beacon_update(is_active=True)
        await asyncio.sleep(2 * module.RECEIPT_DELAY)
        assert receipts_of(server) == [1]


async def test_offers_of_the_state_are_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the history is new and begins at 0; a state without offers and numbers has nothing to confirm."""
    monkeypatch.setattr(module, "RECEIPT_DELAY", 3600)

    async def begin(script: Script) -> None:
        await script.greet(epoch="e2", seq=0, state={"proposals": [OFFER]})

    async with scripted_server(on_open=begin) as server, Client(server.url, "a"):
        await until(lambda: receipts_of(server) == [0])
    monkeypatch.setattr(module, "RECEIPT_DELAY", 0.01)
    async with scripted_server() as server, Client(server.url, "a") as client:
        await client.sync()
        await asyncio.sleep(0.2)
        assert receipts_of(server) == []


async def test_a_lost_history_begins_its_count_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller numbers than before are confirmed too, since they are those of another history."""
    monkeypatch.setattr(module, "RECEIPT_DELAY", 0.01)

    async def tell(script: Script, frame: dict[str, Any]) -> None:
        if frame["type"] == "sync":
            await script.greet(epoch="e2", seq=3)
            await ack_all(script, frame)

    async def begin(script: Script) -> None:
        await script.greet(seq=900)

    async with scripted_server(tell, begin) as server, Client(server.url, "a") as client:
        await until(lambda: receipts_of(server) == [900])
        await client.sync()
        await until(lambda: receipts_of(server) == [900, 3])


async def test_receipts_survive_a_lost_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not confirmed when the connection was lost is confirmed on the next one."""
    monkeypatch.setattr(module, "RECEIPT_DELAY", 0.2)

    async def tell(script: Script) -> None:
        if script.number == 1:
            await script.greet()
            await script.say("ride_start", {}, seq=1)
            script.socket.transport.abort()
        else:
            await script.greet(seq=1, recovered=True)
            await script.say("ride_arrived", {}, seq=2)

    async with scripted_server(on_open=tell) as server, Client(server.url, "a"):
        await until(lambda: receipts_of(server) == [2])
        assert len(server.connections) == 2
