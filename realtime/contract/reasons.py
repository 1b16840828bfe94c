"""Why frames are refused that no other app is asked about."""

from __future__ import annotations

from common.errors import ErrorReason


class SocketReason(ErrorReason):
    """Reasons of this app."""

    NO_POSITION = "no_position", "A warning: the phone has no position."
    INACCURATE_POSITIONS = "inaccurate_positions", "A warning: the positions are too inaccurate to be billed."
    LATE_POSITIONS = "late_positions", "A warning: each position is older than the one before."
    JUMPING_POSITIONS = "jumping_positions", "A warning: the positions jump further than a vehicle drives."
    WRONG_CLOCK = "wrong_clock", "A warning: the phone's clock is wrong."
    TOO_MANY_COMMANDS = "too_many_commands", "Too many commands on this connection at once."
    TOO_MANY_POSITIONS = "too_many_positions", "Too many positions within a second."
    TOO_MANY_SEARCHES = "too_many_searches", "Too many searches and answers to offers within a minute."
