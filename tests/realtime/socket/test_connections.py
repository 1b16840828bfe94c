from typing import Any
from uuid import UUID, uuid4

import pytest
from channels.layers import get_channel_layer

from common.redis import AWAY, close_async_redis
from common.shards import shard_of
from common.threads import in_write_thread
from realtime.delivery.deliveries import Delivery
from realtime.delivery.history import history
from realtime.socket.connections import Beat, Connections
from users.models import User
from users.presence import Presence, presence
from users.services import user_deactivate


class Socket:
    """Records what a connection is asked to do."""

    def __init__(self, user_id: Any) -> None:
        self.presence = Presence(connection_id=uuid4(), user_id=user_id, role="driver", session=7)
        self.restarting = False
        self.silent_for = 0.0
        self.versions: list[int] = []
        self.beats: list[Beat] = []
        self.places: list[bool] = []

    def is_behind(self, epoch: str, head: int) -> bool:
        return self.places.pop() if self.places else False

    async def heartbeat(self, beat: Beat) -> None:
        self.beats.append(beat)

    def silence(self) -> float:
        return self.silent_for

    async def restart(self, reconnect_after: float) -> None:
        self.restarting = True

    async def notice_version(self, version: int) -> None:
        self.versions.append(version)


def live(*sockets: Socket) -> Connections:
    connections = Connections()
    for socket in sockets:
        connections.add(socket)
    return connections


async def test_everybody_hears_the_heartbeat_until_he_leaves() -> None:
    first, second = Socket(uuid4()), Socket(uuid4())
    connections = live(first, second)
    await connections.heartbeat()
    connections.remove(second)
    await connections.heartbeat()
    assert (len(first.beats), len(second.beats), len(connections)) == (2, 1, 1)


async def test_what_connections_leave_is_collected_for_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each, which would hold up the others, nor only when Python looks at old objects by itself."""
    sockets = [Socket(uuid4()) for _ in range(40)]
    everyone = live(*sockets)
    collections: list[int] = []
    monkeypatch.setattr("realtime.socket.connections.gc.collect", lambda: collections.append(len(everyone)))
    monkeypatch.setattr("realtime.socket.connections.GONE_MIN", 4)
    for socket in sockets:
        everyone.remove(socket)
        everyone.remove(socket)
    assert collections == [31, 24, 19, 14, 9, 4]


async def test_heartbeats_bring_sessions_and_stream_ends() -> None:
    """Each connection learns its user's newest session and the end of their stream."""
    first, second = Socket(uuid4()), Socket(uuid4())
    newer = Presence(connection_id=uuid4(), user_id=first.presence.user_id, role="driver")
    await presence().take(newer)
    await get_channel_layer().deliver_batch([Delivery("e", "t", b"{}", {second.presence.user_id: None})])
    epoch = (await history().read(newer.user_id)).epoch
    await live(first, second).heartbeat()
    assert first.beats == [(newer.session, epoch, 0)]
    assert second.beats == [(7, epoch, 1)]


async def test_what_may_be_on_its_way_is_given_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody misses anything, or all have what there is, nobody waits."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("realtime.socket.connections.asyncio.sleep", sleep)
    first, second = Socket(uuid4()), Socket(uuid4())
    await live(first, second).heartbeat()
    assert waits == []
    second.places = [True]
    await live(first, second).heartbeat()
    assert waits == [0.0125]
    assert (len(first.beats), len(second.beats)) == (2, 2)


async def test_heartbeats_note_when_clients_were_heard() -> None:
    """The record says when the last bytes came."""
    silent, other = Socket(uuid4()), Socket(uuid4())
    silent.silent_for = 30.0
    await live(silent, other).heartbeat()
    assert silent.presence.noted - silent.presence.heard == 30.0
    assert other.presence.noted == other.presence.heard


@pytest.mark.django_db(transaction=True)
async def test_each_learns_the_token_version_that_is_asked_of_him(dewi: User, putri: User) -> None:
    await in_write_thread(user_deactivate, user_id=putri.pk)
    stays, gone, never_was = Socket(dewi.pk), Socket(putri.pk), Socket(uuid4())
    await live(stays, gone, never_was).check_tokens()
    assert stays.versions == [0]
    assert gone.versions == never_was.versions == [2**31]


async def test_a_shard_that_is_away_takes_no_others_along(two_shards: None, settings: Any) -> None:
    """Whose server answers stay connected, and see what they missed."""
    sockets = [Socket(UUID(int=number)) for number in range(1, 9)]
    everyone = live(*sockets)
    await everyone.heartbeat()
    assert [len(socket.beats) for socket in sockets] == [1] * 8
    assert len({socket.beats[0].epoch for socket in sockets}) == 2
    await close_async_redis()
    settings.REDIS_SHARDS = ["redis://127.0.0.1:1/0"]
    with pytest.raises(AWAY):
        await everyone.heartbeat()
    for socket in sockets:
        assert len(socket.beats) == (1 if shard_of(socket.presence.user_id) else 2)
