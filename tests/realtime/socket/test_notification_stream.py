"""The numbered notifications on one connection, with a channel layer that loses, repeats and reorders."""

import random
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from channels.layers import get_channel_layer

from realtime.contract.frames import notification_head, numbered
from realtime.delivery.deliveries import Delivery
from realtime.delivery.history import history
from realtime.delivery.history.memory import MemoryHistory
from realtime.socket import notification_stream
from realtime.socket.notification_stream import NotificationStream
from users.tokens import Claims

A = UUID(int=1)


class Client:
    """What was sent: numbers of notifications, and `(recovered, seq)` of each `session_ready`."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.resets = 0
        self.rides: list[Any] = []
        claims = Claims(user_id=A, role="driver", exp=9e9)
        self.stream = NotificationStream(
            uuid4(), claims, self.send_frame, self.send_json, reset_positions=self.reset, use_ride=self.rides.append
        )

    async def send_frame(self, frame: str, kind: str) -> None:
        assert frame.startswith(f'{{"type":"{kind}"')
        self.seen.append(int(frame.rpartition('"seq":')[2].rstrip("}")))

    async def send_json(self, frame: dict[str, Any]) -> None:
        assert frame["type"] == "session_ready"
        self.seen.append((frame["data"].recovered, frame["data"].seq))

    def reset(self) -> None:
        self.resets += 1


@pytest.fixture(autouse=True)
def _no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state does not matter here."""
    monkeypatch.setattr(notification_stream, "read_state", lambda _claims: (SimpleNamespace(proposals=[]), "ride"))


async def happen(count: int, kind: str = "beacon_update") -> list[dict[str, Any]]:
    """Let so many events happen; return the layer messages for them."""
    epoch, [head] = await history().heads([A])
    await get_channel_layer().deliver_batch([Delivery(uuid4().hex, kind, b"{}", {A: None}) for _ in range(count)])
    frame = notification_head(kind, b"{}")
    return [
        {"type": "x", "epoch": epoch, "seq": seq, "event": kind, "frame": numbered(frame, seq), "at": 0}
        for seq in range(head + 1, head + count + 1)
    ]


async def begun(query: bytes = b"") -> Client:
    """A client that has its `session_ready`."""
    client = Client()
    await client.stream.begin(query)
    return client


@pytest.mark.parametrize("seed", range(20))
async def test_any_layer_brings_each_once(seed: int) -> None:
    """Whatever the layer drops, doubles or swaps, each notification comes once and in order."""
    chance = random.Random(seed)
    await happen(3)
    client = await begun()
    messages = await happen(50)
    received = [one for one in messages for _ in range(chance.choice((0, 1, 1, 2)))]
    for _ in range(10):
        place = chance.randrange(len(received) - 1)
        received[place : place + 2] = reversed(received[place : place + 2])
    for message in received:
        await client.stream.deliver(message)
    await client.stream.catch_up()  # the heartbeat finds a gap at the tail
    assert client.seen == [(False, 3), *range(4, 54)]


async def test_a_client_resumes_where_it_was() -> None:
    """`?resume=` brings what was missed; an unknown epoch, a place ahead or nonsense brings the state."""
    await happen(5)
    epoch, _ = await history().heads([A])
    assert (await begun(f"resume={epoch}:2".encode())).seen == [(True, 2), 3, 4, 5]
    assert (await begun(f"resume={epoch}:5".encode())).seen == [(True, 5)]
    for query in (f"resume={epoch}:6", "resume=other:2", "resume=x", f"resume={epoch}:-1", "", "resume=\udcff"):
        assert (await begun(query.encode("utf-8", "surrogatepass"))).seen == [(False, 5)]


async def test_a_lost_history_sends_the_state() -> None:
    """A new epoch replaces everything, and the stream goes on from there."""
    client = await begun()
    messages = await happen(2)
    kept = history()
    assert isinstance(kept, MemoryHistory)
    kept.epoch = "other"
    await client.stream.deliver({**messages[1], "epoch": "other"})
    [next_one] = await happen(1)
    await client.stream.deliver(next_one)
    assert client.seen == [(False, 0), (False, 2), 3]


async def test_only_some_events_reset_positions() -> None:
    """Events of another phase of the ride drop older positions, and so does every gap."""
    client = await begun()
    for kind, resets in (("beacon_update", 0), ("ride_start", 1), ("payment_process", 1), ("ride_cancelled", 2)):
        [message] = await happen(1, kind)
        await client.stream.deliver(message)
        assert client.resets == resets
    await happen(1)
    [late] = await happen(1)
    await client.stream.deliver(late)
    assert client.resets == 3


async def test_it_knows_when_it_is_behind() -> None:
    """It is behind when its place is not the end of the stream; before the first state it is not."""
    assert not Client().stream.is_behind("any", 7)
    await happen(2)
    client = await begun()
    epoch = client.stream.epoch
    assert [client.stream.is_behind(epoch, 2), client.stream.is_behind(epoch, 3)] == [False, True]
    assert client.stream.is_behind("other", 2)


async def test_what_was_only_on_its_way_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a burst a heartbeat finds thousands behind, whose notifications wait in front of its word."""
    client = await begun()
    epoch = client.stream.epoch
    for message in await happen(2):
        await client.stream.deliver(message)
    with monkeypatch.context() as patch:
        patch.setattr(notification_stream, "history", None)
        await client.stream.check({"epoch": epoch, "head": 2})
    await happen(1)
    await client.stream.check({"epoch": epoch, "head": 3})
    assert client.seen == [(False, 0), 1, 2, 3]


async def test_sync_does_not_move_the_stream() -> None:
    """`sync` sends the state at the place of the last forwarded notification."""
    client = await begun()
    [message] = await happen(1)
    await client.stream.sync()
    assert client.rides == ["ride", "ride"]
    await client.stream.deliver(message)
    assert client.seen == [(False, 0), (True, 0), 1]
