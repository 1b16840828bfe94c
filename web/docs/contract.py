"""The contract of `/ws/` as data, for all its documents: every type of frame, with its struct and examples."""

from __future__ import annotations

from typing import Any

import msgspec

from common.examples import examples_of
from common.schemas import Schema, components, summary_of
from events.base import Event
from realtime.commands.routes import ROUTES, Route
from realtime.contract.messages import MESSAGES, Ack, Error, Message
from rides.events import EVENTS
from users.models import Role

SEQ, COMMAND_ID = 18, "c-42"

ROLES = tuple(sorted(Role.values))


Struct = type[msgspec.Struct]


class FrameType(msgspec.Struct, frozen=True):
    """A type of frame: a command of a client, or what the server sends."""

    type: str
    struct: Struct
    is_command: bool
    roles: tuple[str, ...]
    people: str
    """Who sends it, or who gets it."""
    is_stored: bool = False
    """Whether the answer to the command is kept."""
    subjects: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the frame's schema."""
        return camel(self.type) + ("Command" if self.is_command else "Message")

    @property
    def data_name(self) -> str:
        """The name of the schema of `data`; events have the names of some commands too, so those get longer ones."""
        return f"{self.name}Data" if self.is_command else self.struct.__name__

    @property
    def title(self) -> str:
        """The type in words."""
        return self.type.replace("_", " ").capitalize()

    @property
    def summary(self) -> str:
        """What it is for, in a sentence."""
        return summary_of(self.struct)

    @property
    def is_numbered(self) -> bool:
        """Whether it is a notification."""
        return issubclass(self.struct, Event)

    @property
    def has_id(self) -> bool:
        """Whether it carries a client's `id`: a command, and its answers."""
        return self.is_command or self.struct in (Ack, Error)

    def examples(self) -> dict[str, dict[str, Any]]:
        """Return frames, by what they show."""
        shown = examples_of(self.struct)
        return {text: self._frame(data, is_first=text == next(iter(shown))) for text, data in shown.items()}

    def _frame(self, data: dict[str, Any], *, is_first: bool) -> dict[str, Any]:
        frame: dict[str, Any] = {"type": self.type, "data": data}
        if self.is_numbered:
            frame["seq"] = SEQ
        elif self.has_id and is_first == (self.struct is not Error):
            frame["id"] = COMMAND_ID
        return frame


def camel(words: str) -> str:
    """Return `ride_start` as `RideStart`."""
    return "".join(word.capitalize() for word in words.split("_"))


def commands() -> list[FrameType]:
    """Return what a client may send."""
    return [_command(kind, route) for kind, route in ROUTES.items()]


def _command(kind: str, route: Route) -> FrameType:
    roles = tuple(sorted(route.roles))
    return FrameType(kind, route.command, True, roles, " or ".join(roles), is_stored=route.service is not None)


def messages() -> list[FrameType]:
    """Return what the server sends: `session_ready`, the notifications, the rest."""
    first, *rest = MESSAGES
    by_type: dict[str, list[type[Event]]] = {}
    for event in EVENTS:
        by_type.setdefault(event.type, []).append(event)
    events = [_message(_common_base(kinds), tuple(kind.subject for kind in kinds)) for kinds in by_type.values()]
    return [_message(first), *events, *map(_message, rest)]


def _common_base(kinds: list[type[Event]]) -> type[Event]:
    """Return the class that the events of one type have in common."""
    return next(base for base in kinds[0].__mro__ if all(issubclass(kind, base) for kind in kinds))


def _message(kind: type[Event] | type[Message], subjects: tuple[str, ...] = ()) -> FrameType:
    people = kind.audience_text
    roles = tuple(role for role in ROLES if role in people) or ROLES
    return FrameType(kind.type, kind, False, roles, people, subjects=subjects)


def data_schemas() -> dict[str, Schema]:
    """Return the schemas of all data, and of all that it is made of, by name."""
    said = components(frame.struct for frame in commands())
    for frame in commands():
        said[frame.data_name] = {**said.pop(frame.struct.__name__), "title": frame.data_name}
    heard = components(frame.struct for frame in messages())
    heard["UserState"]["properties"]["allowed_actions"]["items"] = {
        "title": "UserStateAllowedActions", "type": "string", "enum": list(ROUTES),
    }  # fmt: skip
    return {**said, **heard}
