"""What the clients of a driver and a passenger do in many tests."""

from __future__ import annotations

from devservers.client import Client

__all__ = ["PLACE", "TARGET", "Client", "ride_to_pickup"]

PLACE = {"latitude": -6.1754, "longitude": 106.8272}
TARGET = {"latitude": -6.2, "longitude": 106.83}


async def ride_to_pickup(driver: Client, passenger: Client, pickup: dict[str, float] = PLACE) -> str:
    """Bring two people together, and return the ride's id."""
    assert (await driver.do("beacon_update", is_active=True, **PLACE))["type"] == "ack"
    search = {"is_active": True, "location": pickup, "target_location": TARGET}
    assert (await passenger.do("finder_update", **search))["type"] == "ack"
    match_id = (await driver.data_of("match_proposal"))["match_id"]
    for person in (driver, passenger):
        assert (await person.do("match_confirm", match_id=match_id, accepted=True))["type"] == "ack"
    return str((await driver.data_of("ride_pickup"))["ride_id"])
