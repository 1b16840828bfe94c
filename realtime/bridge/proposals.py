"""Offers that another service makes on `match.found`, as the domain takes them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from realtime.bridge.reading import Incoming
from rides.services.proposals import Proposal


def proposal_of(item: Incoming) -> Proposal | None:
    """Return the proposal in another service's `match.found`; None where it lacks an id or one of the two people.

    Fields that the service left out, or that are not part of a proposal, are left out.
    """
    given = {name: getattr(item.fields, name) for name in Proposal.__struct_fields__}
    known: dict[str, Any] = {name: value for name, value in given.items() if value is not msgspec.UNSET}
    match_id = canonical_id(known.get("match_id", ""))
    if match_id is None or "driver_id" not in known or "passenger_id" not in known:
        return None
    return Proposal(**{**known, "match_id": match_id})


def canonical_id(text: str) -> UUID | None:
    """Return an id that is written as we write ids: clients repeat it as they read it, and it must be found then."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None
