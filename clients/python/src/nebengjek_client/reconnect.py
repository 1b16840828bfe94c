"""What to do when there is no connection: wait and try again, get new tokens first, or give up."""

from __future__ import annotations

from nebengjek_client.backoff import STABLE_AFTER, Backoff
from nebengjek_client.connection import ConnectionLost
from nebengjek_client.errors import ConnectFailed, LoginRequired, Replaced, ServerError, Unreachable
from nebengjek_client.tokens import TokenKeeper

FLOOD_WAIT = 30.0
"""Seconds to stay away at least after the server has found that we flood it."""

UNAUTHORIZED, REPLACED, FLOODING = 4401, 4409, 4429
"""Close codes of the contract that mean something special; after all others the client just comes back."""

BAD_TOKEN = frozenset({401, 403})
"""HTTP statuses of a handshake with a token that is no good: servers that cannot say 401 say 403."""

PASSING = frozenset({408, 425, 429})
"""HTTP statuses from 400 to 499 that are about the moment; any other says that there is no socket here."""


class Reconnect:
    """Decides after each failure; every method returns how many seconds to wait, or raises why this is the end."""

    def __init__(self, tokens: TokenKeeper, backoff: Backoff | None = None) -> None:
        self._tokens = tokens
        self._backoff = backoff or Backoff()
        self._announced: float | None = None
        self._renewed = False

    def session_began(self) -> None:
        """Note that the tokens are good."""
        self._renewed = False
        self._announced = None

    def restart_announced(self, reconnect_after: float) -> None:
        """Note when the server wants us back."""
        self._announced = reconnect_after

    async def after_refusal(self, lost: ConnectionLost, access: str) -> float:
        """Decide after a handshake that has failed."""
        if lost.status in BAD_TOKEN:
            return await self._renew(access, str(lost), None)
        for_good = lost.status is not None and 400 <= lost.status < 500 and lost.status not in PASSING
        if for_good and lost.retry_after is None:
            raise ConnectFailed(str(lost))
        return self._backoff.next(at_least=lost.retry_after)

    async def after_close(self, code: int | None, reason: str, *, lived: float) -> float:
        """Decide after a connection has ended that lived so many seconds."""
        if lived >= STABLE_AFTER:
            self._backoff.reset()
        if code == REPLACED:
            raise Replaced("A newer connection of the same user took over.", code=code)
        asked = await self._renew(self._tokens.access, reason, code) if code == UNAUTHORIZED else 0.0
        announced, self._announced = self._announced, None
        wait = self._backoff.next(at_least=FLOOD_WAIT if code == FLOODING else None, announced=announced)
        return max(wait, asked)

    async def _renew(self, stale: str, reason: str, code: int | None) -> float:
        """Get new tokens, once: if the server does not like those either, it is not the tokens' age."""
        if self._renewed:
            raise LoginRequired(f"{reason} So it was with fresh tokens.", code=code)
        try:
            await self._tokens.renew(stale)
        except (Unreachable, ServerError) as exc:
            return self._backoff.next(at_least=exc.retry_after if isinstance(exc, ServerError) else None)
        self._renewed = True
        return 0.0
