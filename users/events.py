"""Events about users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta

from events.base import Event


class UserEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An event about one user, who is the only recipient."""

    user_id: Annotated[UUID, Meta(description="The user.", examples=["01990000-0000-7000-8000-000000000002"])]

    @property
    def key(self) -> str:
        """The user."""
        return str(self.user_id)

    @property
    def audience(self) -> Sequence[UUID]:
        """The user alone."""
        return (self.user_id,)


class TokensRevoked(UserEvent, frozen=True, kw_only=True):
    """All tokens of a user with a version below `token_version` have ended; the user's open sockets close with 4401.

    It is a signal to the sockets and reaches no client, so it has no frame type.
    """

    subject: ClassVar[str] = "user.revoked"

    token_version: int
