"""The mobile network of one phone: passes everything on to the servers, until it is cut or the phone sleeps."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self, cast
from urllib.parse import urlsplit

Address = tuple[str, int]


class Network:
    """A relay on the loopback for one phone to the servers at `urls` (http only); `url` is where the phone calls.

    A call goes to any server that takes it. Bytes are passed on without tasks and streams, since the phones of a
    whole city shall leave the processors to the servers.
    """

    def __init__(self, *urls: str) -> None:
        self.url = ""
        self.cuts = 0
        self.naps = 0
        self._servers = [_address(url) for url in urls]
        self._down_until = self._asleep_until = 0.0
        self._listener: asyncio.Server | None = None
        self._ends: set[_End] = set()
        self._dialling: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: _End(self, self._ends, self._begin), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._listener is not None
        self._listener.close()
        self._down_until = float("inf")
        for task in self._dialling:
            task.cancel()
        await asyncio.gather(*self._dialling, return_exceptions=True)
        self._break_off()

    def cut(self, seconds: float) -> None:
        """Lose everything that is under way, and let nobody through for so long."""
        self.cuts += 1
        self._down_until = time.monotonic() + seconds
        self._break_off()

    def sleep(self, seconds: float) -> None:
        """Pass nothing on for so long, and keep the calls: so it is when the phone suspends an app."""
        self.naps += 1
        self._asleep_until = time.monotonic() + seconds
        self._steer()
        asyncio.get_running_loop().call_later(seconds + 0.01, self._steer)

    @property
    def is_down(self) -> bool:
        """Whether nobody gets through."""
        return time.monotonic() < self._down_until

    @property
    def is_asleep(self) -> bool:
        """Whether everything waits."""
        return time.monotonic() < self._asleep_until

    def _steer(self) -> None:
        for end in self._ends:
            end.steer()

    def _break_off(self) -> None:
        for end in self._ends:
            end.abort()

    def _begin(self, phone: _End) -> None:
        if self.is_down:
            phone.abort()
            return
        task = asyncio.create_task(self._dial(phone))
        self._dialling.add(task)
        task.add_done_callback(self._dialling.discard)

    async def _dial(self, phone: _End) -> None:
        """Connect a call with any server that takes it: of one that died, the phones go to all others."""
        loop = asyncio.get_running_loop()
        for host, port in random.sample(self._servers, len(self._servers)):
            try:
                _, server = await loop.create_connection(lambda: _End(self, self._ends), host, port)
            except OSError:
                continue
            phone.join(server)
            return
        phone.abort()


class _End(asyncio.Protocol):
    """One end of a call: what comes in goes out at the other one, as fast as that takes it."""

    def __init__(self, network: Network, ends: set[_End], begin: Callable[[_End], None] | None = None) -> None:
        self._network, self._ends, self._begin = network, ends, begin
        self._transport: asyncio.Transport | None = None
        self._other: _End | None = None
        self._early = b""
        self._is_full = self._is_gone = self._has_ended = False

    def join(self, server: _End) -> None:
        """Make a call of two ends; where one has gone meanwhile, or the network, there is none."""
        self._other, server._other = server, self
        if self._is_gone or server._is_gone or self._network.is_down:
            self.abort()
            server.abort()
            return
        self.data_received(self._early)
        if self._has_ended:
            self.eof_received()
        self.steer()
        server.steer()

    def steer(self) -> None:
        """Read while the other end can write, and nobody sleeps."""
        if self._transport is None or self._is_gone or self._has_ended:
            return
        if self._other is None or self._other._is_full or self._network.is_asleep:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def abort(self) -> None:
        """End it without a word; what is under way is lost."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ends.add(self)
        self.steer()
        if self._begin is not None:
            self._begin(self)

    def data_received(self, data: bytes) -> None:
        """Pass it on; what comes before there is another end waits for it."""
        if self._other is None:
            self._early += data
        elif self._other._transport is not None:
            self._other._transport.write(data)

    def eof_received(self) -> bool:
        """Pass it on, and keep the other direction as long as that lasts."""
        self._has_ended = True
        if self._other is None:
            return True
        if self._other._transport is not None and not self._other._is_gone:
            with suppress(OSError):  # it may have gone right now
                self._other._transport.write_eof()
        return not self._other._has_ended

    def pause_writing(self) -> None:
        self._is_full = True
        if self._other is not None:
            self._other.steer()

    def resume_writing(self) -> None:
        self._is_full = False
        if self._other is not None:
            self._other.steer()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the other end too, after what was written to it."""
        self._is_gone = True
        self._ends.discard(self)
        if self._other is not None and self._other._transport is not None:
            self._other._transport.close()


def _address(url: str) -> Address:
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname is None:
        raise ValueError(f"The phones of the city reach only http addresses, not {url}.")
    return parts.hostname, parts.port or 80
