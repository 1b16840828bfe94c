"""What of another service's `match.found` is taken as a proposal."""

from typing import Any
from uuid import UUID

import pytest

from realtime.bridge.proposals import canonical_id, proposal_of
from rides.geo import GeoPoint
from tests.realtime.bridge.test_reading import DEWI, PAIR, PUTRI, read

MATCH = UUID(int=0xABC)


def test_what_a_service_says_is_taken_and_the_rest_is_not() -> None:
    """Fields of the contract that are none of a proposal, and unknown ones, are left out."""
    where = {"latitude": -6.1, "longitude": 106.8}
    said = {**PAIR, "match_id": str(MATCH), "driver_location": where, "match_status": "ACCEPTED", "surge": 1.5}
    proposal = proposal_of(read(said))
    assert proposal is not None
    assert (proposal.match_id, proposal.driver_id, proposal.passenger_id) == (MATCH, DEWI, PUTRI)
    assert (proposal.driver_location, proposal.expires_at) == (GeoPoint(-6.1, 106.8), None)


@pytest.mark.parametrize(
    "said",
    [
        PAIR,
        {**PAIR, "match_id": ""},
        {**PAIR, "match_id": "m-1"},
        {"match_id": str(MATCH), "driver_id": str(DEWI)},
        {"match_id": str(MATCH), "passenger_id": str(PUTRI)},
    ],
)
def test_what_lacks_an_id_is_no_proposal(said: dict[str, Any]) -> None:
    """It is a notification only."""
    assert proposal_of(read(said)) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (str(MATCH), MATCH),
        (str(MATCH).upper(), MATCH),
        (MATCH.hex, None),
        (f"{{{MATCH}}}", None),
        (f"urn:uuid:{MATCH}", None),
        ("", None),
    ],
)
def test_an_id_is_written_as_we_write_it(text: str, found: UUID | None) -> None:
    """Clients repeat it as they read it."""
    assert canonical_id(text) == found
