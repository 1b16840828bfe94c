"""People with a client."""

from __future__ import annotations

import re
from typing import Any

from devservers.web import ServerProcess
from nebengjek_client import Client, Frame, Location, Login, Rest

DEWI, PUTRI = "+6281200000001", "+6281200000003"
PLACE: Location = {"latitude": -6.1754, "longitude": 106.8272}
TARGET: Location = {"latitude": -6.2, "longitude": 106.83}


async def log_in(server: ServerProcess, msisdn: str, *, driver: bool = False) -> Login:
    """Log in with a code from the console."""
    async with Rest(server.url) as rest:
        await rest.request_code(msisdn)
        code = server.wait_for(rf"SMS to {re.escape(msisdn)}: (\d{{6}}) is your NebengJek code\.")
        login = await rest.log_in(msisdn, code)
        if driver and login["user"]["role"] != "driver":
            login = await rest.register_driver(vehicle_type="motorcycle", vehicle_plate="B 1234 XYZ")
    return login


class Told:
    """All that a client was told, in order."""

    def __init__(self, client: Client) -> None:
        self.frames: list[Frame] = []
        client.on("*", self.frames.append)

    @property
    def types(self) -> list[str]:
        return [frame.type for frame in self.frames]

    @property
    def numbers(self) -> list[int]:
        return [frame.seq for frame in self.frames if frame.seq is not None]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [frame.data for frame in self.frames if frame.type == kind]


async def book(driver: Client, passenger: Client) -> str:
    """Bring two people together, and return the ride's id."""
    proposals, pickups = driver.subscribe("match_proposal"), driver.subscribe("ride_pickup")
    await driver.beacon_update(is_active=True, **PLACE)
    await passenger.finder_update(is_active=True, location=PLACE, target_location=TARGET)
    match_id = (await anext(proposals)).data["match_id"]
    for person in (driver, passenger):
        await person.match_confirm(match_id=match_id, accepted=True)
    return str((await anext(pickups)).data["ride_id"])
