"""The base of all events: plain, typed, immutable data in the past tense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

import msgspec

from common.examples import Examples

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time as the contract writes it: RFC 3339, in UTC."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Something that happened, and who is notified.

    A subclass declares its fields with the names of the contract and sets three class variables. The audience is chosen
    here, in the transaction that makes the event: an event that reaches the wrong person is a security hole, so it is
    never derived later.
    """

    type: ClassVar[str] = ""
    """The type of the WebSocket frame; empty for what is not a frame (see `events.control`)."""

    subject: ClassVar[str] = ""
    """The subject on which other services read the event."""

    audience_text: ClassVar[str] = "driver and passenger"
    """Who is notified, for the documents."""

    examples: ClassVar[Examples] = {}
    """Examples for the documents; without any, one is made of the fields."""

    resets_positions: ClassVar[bool] = False
    """Whether positions that are still on their way belong to the time before this event and are dropped."""

    @property
    def key(self) -> str:
        """Events with the same key (a match, a ride, a user) keep their order."""
        raise NotImplementedError(type(self).__name__)

    @property
    def audience(self) -> Sequence[UUID]:
        """The users who are notified."""
        raise NotImplementedError(type(self).__name__)

    @property
    def views(self) -> Mapping[UUID, Event]:
        """What single recipients see instead of the event itself."""
        return {}

    @property
    def valid_until(self) -> datetime | None:
        """The event is not delivered after this moment."""
        return None

    def to_data(self) -> dict[str, Any]:
        """Return the event as JSON-ready data with the names of the contract; fields that are unset are left out."""
        data = msgspec.to_builtins(self, str_keys=True)
        assert isinstance(data, dict)
        return data
