"""The commands of the contract, each a method that returns the data of its `ack`.

Made from the server's code by `make docs`: do not edit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal
from uuid import UUID

from nebengjek_client.contract import Location
from nebengjek_client.frames import Data, given

Id = str | UUID


class Commands(ABC):
    """The commands. Each raises a `ServerError` when it is refused; `Client.command` says what else may happen."""

    @abstractmethod
    async def command(self, kind: str, data: Data) -> Data:
        """Send a command and return the data of its `ack`."""

    async def beacon_update(
        self,
        *,
        is_active: bool,
        latitude: float | None = None,
        longitude: float | None = None,
    ) -> Data:
        """Switch the driver's beacon: whether they take passengers."""
        data = given(
            is_active=is_active,
            latitude=latitude,
            longitude=longitude,
        )
        return await self.command("beacon_update", data)

    async def finder_update(
        self,
        *,
        is_active: bool,
        location: Location | None = None,
        target_location: Location | None = None,
        vehicle_type: Literal["car", "motorcycle", "van"] | None = None,
        auto_accept: bool | None = None,
        quote_id: Id | None = None,
    ) -> Data:
        """Start, move (sent again while it is on) or stop the passenger's search; starting needs both places."""
        data = given(
            is_active=is_active,
            location=location,
            target_location=target_location,
            vehicle_type=vehicle_type,
            auto_accept=auto_accept,
            quote_id=quote_id,
        )
        return await self.command("finder_update", data)

    async def match_confirm(
        self,
        *,
        match_id: Id,
        accepted: bool,
    ) -> Data:
        """Accept or decline an offer."""
        data = given(
            match_id=match_id,
            accepted=accepted,
        )
        return await self.command("match_confirm", data)

    async def ride_start(
        self,
        *,
        ride_id: Id,
        latitude: float | None = None,
        longitude: float | None = None,
        pin: str | None = None,
    ) -> Data:
        """Start the ride: the passenger is on board."""
        data = given(
            ride_id=ride_id,
            latitude=latitude,
            longitude=longitude,
            pin=pin,
        )
        return await self.command("ride_start", data)

    async def ride_arrived(
        self,
        *,
        ride_id: Id,
        adjustment_factor: float | None = None,
    ) -> Data:
        """End the drive at the destination; the driver may lower the fare by a factor."""
        data = given(
            ride_id=ride_id,
            adjustment_factor=adjustment_factor,
        )
        return await self.command("ride_arrived", data)

    async def payment_process(
        self,
        *,
        ride_id: Id,
        total_cost: int,
        status: Literal["ACCEPTED", "REJECTED"] = "ACCEPTED",
    ) -> Data:
        """Pay exactly what was asked, or refuse to."""
        data = given(
            ride_id=ride_id,
            total_cost=total_cost,
            status=status,
        )
        return await self.command("payment_process", data)

    async def payment_received(
        self,
        *,
        ride_id: Id,
        total_cost: int,
    ) -> Data:
        """Confirm that the passenger has paid in cash, exactly what was asked."""
        data = given(
            ride_id=ride_id,
            total_cost=total_cost,
        )
        return await self.command("payment_received", data)

    async def ride_cancel(
        self,
        *,
        ride_id: Id,
        reason: str | None = None,
    ) -> Data:
        """Cancel a ride before it starts."""
        data = given(
            ride_id=ride_id,
            reason=reason,
        )
        return await self.command("ride_cancel", data)

    async def ride_rate(
        self,
        *,
        ride_id: Id,
        rating: int,
    ) -> Data:
        """Give the other side of a completed ride stars, once, within seven days; the other side is not notified."""
        data = given(
            ride_id=ride_id,
            rating=rating,
        )
        return await self.command("ride_rate", data)

    async def received(
        self,
        *,
        seq: int,
    ) -> Data:
        """Confirm what has reached the device, up to a number: offers at once, the rest within a second."""
        data = given(
            seq=seq,
        )
        return await self.command("received", data)

    async def sync(self) -> Data:
        """Ask for `session_ready`."""
        data = given()
        return await self.command("sync", data)
