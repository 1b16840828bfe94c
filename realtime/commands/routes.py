"""What each command leads to: who may send it, and the one service that carries it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from realtime.contract import frames
from rides.services import beacons, finders, matches, payments, rides
from users.models import Role

BOTH = frozenset({Role.DRIVER.value, Role.PASSENGER.value})
DRIVER = frozenset({Role.DRIVER.value})
PASSENGER = frozenset({Role.PASSENGER.value})


class Route(msgspec.Struct, frozen=True):
    """The way of one command.

    The service is called with `user_id` and the command's fields as keyword arguments, in a transaction with the stored
    answer. Without a service the connection itself handles the command, and its answer is not stored. What is costly is
    also limited by user (`WS_COSTLY_RATE`).
    """

    command: type[frames.Command]
    roles: frozenset[str]
    service: Callable[..., dict[str, Any] | None] | None = None
    costly: bool = False

    @property
    def decode(self) -> Callable[[msgspec.Raw], frames.Command]:
        """Return what turns a frame's `data` into the command."""
        return _DECODERS[self.command].decode


ROUTES: dict[str, Route] = {
    "location_update": Route(frames.LocationUpdate, BOTH),
    "beacon_update": Route(frames.BeaconUpdate, DRIVER, beacons.beacon_update),
    "finder_update": Route(frames.FinderUpdate, PASSENGER, finders.finder_update, costly=True),
    "match_confirm": Route(frames.MatchConfirm, BOTH, matches.match_confirm, costly=True),
    "ride_start": Route(frames.RideStart, DRIVER, rides.ride_start),
    "ride_arrived": Route(frames.RideArrived, DRIVER, rides.ride_arrived),
    "payment_process": Route(frames.PaymentProcess, PASSENGER, payments.payment_process),
    "ride_cancel": Route(frames.RideCancel, BOTH, rides.ride_cancel),
    "received": Route(frames.Received, BOTH),
    "token_refresh": Route(frames.TokenRefresh, BOTH),
    "sync": Route(frames.Sync, BOTH),
}

_DECODERS = {route.command: msgspec.json.Decoder(route.command) for route in ROUTES.values()}
