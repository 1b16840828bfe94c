"""The commands: who may send each, when it makes sense, and the one service that carries it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from realtime.contract import frames
from rides.services import beacons, finders, matches, payments, relations, rides
from rides.situations import Situation, situation_of
from rides.snapshots import RidesState
from users.models import Role

BOTH = frozenset({Role.DRIVER.value, Role.PASSENGER.value})
DRIVER = frozenset({Role.DRIVER.value})
PASSENGER = frozenset({Role.PASSENGER.value})


class Route(msgspec.Struct, frozen=True):
    """The way of one command.

    The service is called with `user_id` and the command's fields as keyword arguments, in a transaction with the stored
    answer. Without a service the connection itself handles the command, and its answer is not stored. A costly command
    is also limited by user (`WS_COSTLY_RATE`). In the situations of `when` the command is among the `allowed_actions`
    of the state; that is a hint for clients, the service decides.
    """

    command: type[frames.Command]
    roles: frozenset[str]
    service: Callable[..., dict[str, Any] | None] | None = None
    costly: bool = False
    when: Situation = Situation.ALWAYS

    @property
    def decode(self) -> Callable[[msgspec.Raw], frames.Command]:
        """Return what turns a frame's `data` into the command."""
        return _DECODERS[self.command].decode


ROUTES: dict[str, Route] = {
    "location_update": Route(frames.LocationUpdate, BOTH),
    "beacon_update": Route(frames.BeaconUpdate, DRIVER, beacons.beacon_update),
    "finder_update": Route(
        frames.FinderUpdate, PASSENGER, finders.finder_update, costly=True, when=Situation.WITHOUT_RIDE
    ),
    "match_confirm": Route(frames.MatchConfirm, BOTH, matches.match_confirm, costly=True, when=Situation.OFFER_WAITS),
    "ride_start": Route(frames.RideStart, DRIVER, rides.ride_start, when=Situation.PICKUP),
    "ride_arrived": Route(frames.RideArrived, DRIVER, rides.ride_arrived, when=Situation.ONGOING),
    "payment_process": Route(frames.PaymentProcess, PASSENGER, payments.payment_process, when=Situation.PAYMENT_DUE),
    "payment_received": Route(frames.PaymentReceived, DRIVER, payments.payment_received, when=Situation.PAYMENT_DUE),
    "ride_cancel": Route(frames.RideCancel, BOTH, rides.ride_cancel, when=Situation.PICKUP | Situation.ABANDONED),
    "ride_rate": Route(frames.RideRate, BOTH, relations.ride_rate, when=Situation(0)),  # after `ride_completed`
    "received": Route(frames.Received, BOTH, when=Situation(0)),  # the app sends it, not its user
    "token_refresh": Route(frames.TokenRefresh, BOTH),
    "sync": Route(frames.Sync, BOTH),
}

_DECODERS = {route.command: msgspec.json.Decoder(route.command) for route in ROUTES.values()}


def allowed_actions(role: str, state: RidesState, *, is_abandoned: bool = False) -> list[str]:
    """Return the types of the commands that make sense now, those of the connection itself first."""
    now = situation_of(role, state, is_abandoned=is_abandoned)
    actions = [name for name, route in ROUTES.items() if role in route.roles and route.when & now]
    return sorted(actions, key=lambda name: ROUTES[name].service is not None)
