"""What somebody's situation allows: the terms in which a route says when its command makes sense."""

from __future__ import annotations

from enum import Flag, auto

from rides.models import MatchStatus, RideStatus
from rides.snapshots import RidesState
from users.models import Role


class Situation(Flag):
    """What is true of a user now; `situations` in the JavaScript client's `state.js` computes the same."""

    ALWAYS = auto()
    WITHOUT_RIDE = auto()
    OFFER_WAITS = auto()
    """An open offer that the user has not confirmed yet."""
    PICKUP = auto()
    ONGOING = auto()
    PAYMENT_DUE = auto()
    ABANDONED = auto()
    """A ride under way that may be left, because the other side has vanished; only the server knows."""


def situation_of(role: str, state: RidesState, *, is_abandoned: bool = False) -> Situation:
    """Return everything that is true of a user in this state; `is_abandoned` is not in it."""
    own = MatchStatus.DRIVER_CONFIRMED if role == Role.DRIVER else MatchStatus.PASSENGER_CONFIRMED
    status = state.ride.status if state.ride else None
    facts = {
        Situation.ALWAYS: True,
        Situation.WITHOUT_RIDE: status is None,
        Situation.OFFER_WAITS: any(offer.match_status != own for offer in state.proposals),
        Situation.PICKUP: status == RideStatus.PICKUP,
        Situation.ONGOING: status == RideStatus.ONGOING,
        Situation.PAYMENT_DUE: state.payment is not None,
        Situation.ABANDONED: is_abandoned,
    }
    return Situation(sum(fact.value for fact, is_true in facts.items() if is_true))
