"""What a client may say: a method for each command of the contract, which returns the data of its `ack`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal
from uuid import UUID

from nebengjek_client.frames import Data, Location, given

Id = str | UUID


class Commands(ABC):
    """The commands. Each raises a `ServerError` when it is refused, and see `Client.command` for what else."""

    @abstractmethod
    async def command(self, kind: str, data: Data) -> Data:
        """Send a command and return the data of its `ack`."""

    async def beacon_update(
        self, *, is_active: bool, latitude: float | None = None, longitude: float | None = None
    ) -> Data:
        """Switch the driver's beacon; with a position he can be found at once, else from the next one on."""
        return await self.command("beacon_update", given(is_active=is_active, latitude=latitude, longitude=longitude))

    async def finder_update(
        self,
        *,
        is_active: bool,
        location: Location | None = None,
        target_location: Location | None = None,
        vehicle_type: Literal["motorcycle", "car", "van"] | None = None,
        auto_accept: bool | None = None,
        quote_id: Id | None = None,
    ) -> Data:
        """Switch the passenger's search; both places are needed to switch it on. While it is on, this moves it."""
        data = given(is_active=is_active, location=location, target_location=target_location)
        data |= given(vehicle_type=vehicle_type, auto_accept=auto_accept, quote_id=quote_id)
        return await self.command("finder_update", data)

    async def match_confirm(self, *, match_id: Id, accepted: bool) -> Data:
        """Accept or decline a proposal."""
        return await self.command("match_confirm", given(match_id=match_id, accepted=accepted))

    async def ride_start(self, *, ride_id: Id, latitude: float | None = None, longitude: float | None = None) -> Data:
        """Say that the passenger is on board."""
        return await self.command("ride_start", given(ride_id=ride_id, latitude=latitude, longitude=longitude))

    async def ride_arrived(self, *, ride_id: Id, adjustment_factor: float | None = None) -> Data:
        """Say that the drive is over; a factor below 1 lowers the fare."""
        return await self.command("ride_arrived", given(ride_id=ride_id, adjustment_factor=adjustment_factor))

    async def payment_process(
        self, *, ride_id: Id, total_cost: int, status: Literal["ACCEPTED", "REJECTED"] = "ACCEPTED"
    ) -> Data:
        """Pay exactly what was asked, or refuse to."""
        return await self.command("payment_process", given(ride_id=ride_id, total_cost=total_cost, status=status))

    async def ride_cancel(self, *, ride_id: Id, reason: str | None = None) -> Data:
        """Call a ride off before it starts."""
        return await self.command("ride_cancel", given(ride_id=ride_id, reason=reason))

    async def received(self, *, seq: int) -> Data:
        """Say that every notification up to this number has arrived."""
        return await self.command("received", {"seq": seq})

    async def sync(self) -> Data:
        """Ask for a fresh `state`, which is there when this returns."""
        return await self.command("sync", {})
