"""When a connection must give way: to a newer one, to a revoked token, or to staff. And what it missed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from realtime.contract.frames import CloseCode
from realtime.delivery.layer_messages import CHECK, REPLACE, REVOKE
from realtime.socket.connections import Beat
from realtime.socket.json_socket import JsonSocket
from realtime.socket.notification_stream import NotificationStream
from users.presence import Presence

Message = dict[str, Any]


class ClientGone(Exception):
    """The client has left before it had a session."""


class SessionGuard:
    """Ends one connection when it has to; `Connections` looks after it.

    News come over the channel layer, which may lose them; the heartbeat brings the same facts, and `remind` puts the
    lost message behind those that wait already.
    """

    def __init__(
        self,
        socket: JsonSocket,
        presence: Presence,
        stream: NotificationStream,
        remind: Callable[[Message], Awaitable[None]],
    ) -> None:
        self.presence = presence
        self.socket = socket
        self._stream = stream
        self._remind = remind

    @property
    def restarting(self) -> bool:
        """Whether the client knows that the server restarts."""
        return bool(self.socket.restarting)

    def silence(self) -> float:
        """Return for how many seconds nothing came from the client; 0 where the server does not measure it."""
        measure = self.socket.scope.get("state", {}).get("silence")
        return float(measure()) if measure else 0.0

    def gone(self) -> bool:
        """Whether the client has left; a server that cannot tell says so with the next message only."""
        has_left = self.socket.scope.get("state", {}).get("gone")
        return bool(has_left()) if has_left else False

    async def restart(self, reconnect_after: float) -> None:
        """Tell the client when to come back (seconds), and close."""
        await self.socket.restart(reconnect_after)

    async def replace(self, message: Message) -> None:
        """Give way to a newer connection of the same user."""
        if message["session"] > self.presence.session:
            await self.socket.close_with(CloseCode.REPLACED)

    async def revoke(self, message: Message) -> None:
        """Close when the token is of a version that has ended."""
        if self._stream.claims.ver < message["token_version"]:
            await self.socket.close_with(CloseCode.UNAUTHORIZED)

    async def disconnect(self, message: Message) -> None:
        """Close this connection, as for a restart: staff wants the client to connect again."""
        if message["connection"] == str(self.presence.connection_id):
            await self.restart(0)

    def is_behind(self, epoch: str, head: int) -> bool:
        """Whether the user's stream, which ends at this place, has something that was not forwarded."""
        return self._stream.is_behind(epoch, head)

    async def heartbeat(self, beat: Beat) -> None:
        """Notice what the channel layer lost: a newer session, or notifications at the end of the stream."""
        if beat.newest > self.presence.session:
            await self._remind({"type": REPLACE, "session": beat.newest})
        elif self._stream.is_behind(beat.epoch, beat.head):
            await self._remind({"type": CHECK, "epoch": beat.epoch, "head": beat.head})

    async def notice_version(self, version: int) -> None:
        """Notice a revocation that the channel layer lost."""
        if self._stream.claims.ver < version:
            await self._remind({"type": REVOKE, "token_version": version})
