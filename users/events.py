"""What happens to users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from events.base import Event


class TokensRevoked(Event, frozen=True, kw_only=True):
    """All tokens of a user with a version below `token_version` have ended; his open sockets close with 4401.

    It is for the sockets, not for the people behind them, and so has no frame type.
    """

    subject: ClassVar[str] = "user.revoked"

    user_id: UUID
    token_version: int

    @property
    def key(self) -> str:
        """The user."""
        return str(self.user_id)

    @property
    def audience(self) -> Sequence[UUID]:
        """The sockets of the user himself."""
        return (self.user_id,)
