"""The tokens of a client, and their renewal."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from nebengjek_client.errors import LoginRequired, ServerError
from nebengjek_client.rest import Rest, Tokens

logger = logging.getLogger(__name__)

OnTokens = Callable[[Tokens], Awaitable[None] | None]
"""Is handed each new pair, to be kept: the pair before is worth nothing any more."""

REFUSALS = frozenset({400, 401, 403})
"""HTTP statuses by which the server says that a refresh token is no good."""


class TokenKeeper:
    """Keeps a pair of tokens and renews it, once at a time.

    A renewal that has begun is finished, whoever stops waiting for it: its answer is the only pair that is still good.
    """

    def __init__(self, rest: Rest, refresh: str | None, on_tokens: OnTokens | None) -> None:
        self.refresh = refresh
        self._rest, self._on_tokens = rest, on_tokens
        self._renewal: asyncio.Task[None] | None = None

    @property
    def access(self) -> str:
        """The access token of now."""
        return self._rest.access or ""

    @access.setter
    def access(self, token: str) -> None:
        self._rest.access = token

    async def renew(self, stale: str) -> None:
        """Get a new pair, unless `stale` has been replaced already. Raises `LoginRequired` when there is none.

        Whatever else goes wrong is raised as it is, and may be tried again.
        """
        if self._renewal is None:
            if self.access != stale:
                return
            self._renewal = asyncio.create_task(self._renew(), name="renewal of tokens")
            self._renewal.add_done_callback(self._forget_renewal)
        await asyncio.shield(self._renewal)

    async def settle(self) -> None:
        """Wait for a renewal that is under way."""
        if self._renewal is not None:
            await asyncio.wait([self._renewal])

    def _forget_renewal(self, renewal: asyncio.Task[None]) -> None:
        self._renewal = None
        if not renewal.cancelled():
            renewal.exception()  # whoever waits has it too; if nobody does, it does not matter

    async def _renew(self) -> None:
        if self.refresh is None:
            raise LoginRequired("The access token is no good any more, and there is no refresh token.")
        try:
            tokens = await self._rest.refresh(self.refresh)
        except ServerError as exc:
            if exc.status in REFUSALS:
                raise LoginRequired(f"The tokens could not be refreshed: {exc}") from exc
            raise
        self.refresh = tokens.refresh
        try:
            kept = self._on_tokens(tokens) if self._on_tokens is not None else None
            if kept is not None:
                await kept
        except Exception:
            logger.exception("The new tokens could not be kept by the application.")
