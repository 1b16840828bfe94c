from typing import Any
from uuid import uuid4

import pytest
from channels.layers import get_channel_layer

from common.threads import in_write_thread
from realtime.delivery.deliveries import Delivery
from realtime.delivery.history import history
from realtime.socket.connections import Connections
from realtime.socket.sessions import sessions
from users.models import User
from users.services import user_deactivate


class Socket:
    """Records what a connection is asked to do."""

    def __init__(self, user_id: Any) -> None:
        self.user_id = user_id
        self.session = 7
        self.connection_id, self.role = uuid4(), "driver"
        self.scope: dict[str, Any] = {"address": "198.51.100.7"}
        self.versions: list[int] = []
        self.beats: list[dict[str, Any]] = []

    async def heartbeat(self, **beat: Any) -> None:
        self.beats.append(beat)

    async def notice_version(self, version: int) -> None:
        self.versions.append(version)


def live(*sockets: Socket) -> Connections:
    connections = Connections()
    for socket in sockets:
        connections.add(socket)  # type: ignore[arg-type]
    return connections


async def test_everybody_hears_the_heartbeat_until_he_leaves() -> None:
    first, second = Socket(uuid4()), Socket(uuid4())
    connections = live(first, second)
    await connections.heartbeat()
    connections.remove(second)  # type: ignore[arg-type]
    await connections.heartbeat()
    assert (len(first.beats), len(second.beats), len(connections)) == (2, 1, 1)


async def test_each_is_told_where_his_stream_and_his_sessions_stand() -> None:
    first, second = Socket(uuid4()), Socket(uuid4())
    newest = await sessions().take(first.user_id)
    await get_channel_layer().deliver_batch([Delivery("e", "t", b"{}", {second.user_id: None})])
    epoch = (await history().read(first.user_id)).epoch
    await live(first, second).heartbeat()
    assert first.beats == [{"newest": newest, "epoch": epoch, "head": 0}]
    assert second.beats == [{"newest": 0, "epoch": epoch, "head": 1}]


@pytest.mark.django_db(transaction=True)
async def test_each_learns_the_token_version_that_is_asked_of_him(dewi: User, putri: User) -> None:
    await in_write_thread(user_deactivate, user_id=putri.pk)
    stays, gone, never_was = Socket(dewi.pk), Socket(putri.pk), Socket(uuid4())
    await live(stays, gone, never_was).check_tokens()
    assert stays.versions == [0]
    assert gone.versions == never_was.versions == [2**31]
