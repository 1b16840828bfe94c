"""Positions from a client: to the position store, to the other party, and to the track of a ride.

The points of a ride's driver are collected here and written every `TRACK_FLUSH_INTERVAL`, those of many rides in one
transaction. They are written at once before the driver's next command, before a position with an `id` is acknowledged,
and when the connection ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from channels.layers import get_channel_layer
from django.conf import settings

from common import clock
from common.db import AWAY as DATABASE_AWAY
from common.errors import DomainError
from common.process import process
from common.retrying import all_or_each
from common.threads import in_read_thread, in_write_thread
from common.unavailable import unavailable
from realtime import metrics
from realtime.contract.frames import LocationUpdate, text_of, unnumbered
from realtime.contract.messages import LocationRelayed
from realtime.delivery.layer_messages import RELAY, group_of
from realtime.socket.nats_publisher import LOCATION_SUBJECT, link
from realtime.socket.position_warnings import PositionWarnings
from realtime.socket.rate_limits import TokenBucket
from rides.limits import limits_now
from rides.metering.fixes import Fix
from rides.metering.whereabouts import Whereabouts, locate
from rides.models import RideStatus
from rides.positions import positions
from rides.selectors import CurrentRide, ride_under_way
from rides.services.tracks import Report, moment, tracks_record

logger = logging.getLogger(__name__)

FLUSH_BATCH = 200
"""Rides whose reports are written in one transaction."""

PASSENGER_EVERY_S = 10.0
"""Seconds between two positions of a passenger that are kept: enough to tell whether they sit in the vehicle."""


UNPLACED_MAX = 600
"""Fixes of a connection that wait while the database is away: of ten minutes, with one a second."""


class TrackBuffer:
    """Reports that are not in the database yet, by ride; used from one event loop."""

    def __init__(self) -> None:
        self._waiting: defaultdict[UUID, list[Report]] = defaultdict(list)
        self._drivers: dict[UUID, UUID] = {}  # of the rides of which a driver's report is not in the database
        self._wanted: dict[UUID, None] = {}  # the rides of drivers who wait for their reports to be written
        self._lock = asyncio.Lock()  # held while reports are neither here nor in the database

    @property
    def oldest(self) -> float | None:
        """When the oldest of them came in, in seconds since 1970; for any thread."""
        return min((own[0].fix.received_at for own in tuple(self._waiting.values()) if own), default=None)

    def add(self, ride_id: UUID, report: Report, driver_id: UUID | None = None) -> None:
        """Take a report of somebody on a ride; of its driver with the driver's id."""
        self._waiting[ride_id].append(report)
        if driver_id is not None:
            self._drivers[ride_id] = driver_id

    async def flush_all(self) -> None:
        """Write what was collected of all rides, many in one transaction.

        Where the reports of one ride cannot be written, those of the others are.
        """
        ride_ids = list(self._waiting)
        for start in range(0, len(ride_ids), FLUSH_BATCH):
            batch = ride_ids[start : start + FLUSH_BATCH]
            await all_or_each(
                batch,
                lambda some: self._flush(*some),
                self._flush_alone,
                passing=DATABASE_AWAY,
                log=logger,
                what="tracks",
            )

    async def flush(self, driver_id: UUID) -> None:
        """Write what a driver has reported, which most of the time is nothing; return when it is in the database.

        What other drivers wait for as well is written in the same transaction: after an outage that is everybody.
        """
        own = [ride for ride, driver in self._drivers.items() if driver == driver_id]
        self._wanted |= dict.fromkeys(own)
        for ride_id in own:
            await self._flush(ride_id)

    async def _flush_alone(self, ride_id: UUID) -> bool:
        try:
            await self._flush(ride_id)
        except Exception:  # the reports stay in the buffer
            metrics.track_not_written()
        return True

    async def _flush(self, *ride_ids: UUID) -> None:
        """Write the reports of these rides.

        What cannot be written now goes back to the front of the buffer, and the error is raised. A write that has begun
        goes on when its caller is cancelled.
        """
        await asyncio.shield(asyncio.ensure_future(self._write(ride_ids)))

    async def _write(self, ride_ids: Sequence[UUID]) -> None:
        async with self._lock:
            if all(ride_id not in self._waiting for ride_id in ride_ids):
                return
            together = list(dict.fromkeys([*ride_ids, *self._wanted]))[: max(FLUSH_BATCH, len(ride_ids))]
            for ride_id in together:
                self._wanted.pop(ride_id, None)
            try:
                await self._record(together)
            except Exception as exc:
                if len(together) == len(ride_ids) or isinstance(exc, DATABASE_AWAY):
                    raise
                await self._record(ride_ids)  # the fault may be that of another ride

    async def _record(self, ride_ids: Sequence[UUID]) -> None:
        reports = {ride_id: self._waiting.pop(ride_id) for ride_id in ride_ids if ride_id in self._waiting}
        try:
            await in_write_thread(tracks_record, reports=reports)
        except BaseException:
            for ride_id, own in reports.items():
                self._waiting[ride_id][:0] = own
            raise
        for ride_id in reports.keys() - self._waiting.keys():
            self._drivers.pop(ride_id, None)


def track_buffer() -> TrackBuffer:
    """Return the buffer of this process."""
    return process.one(TrackBuffer, TrackBuffer)


def position_data(user_id: UUID, where: Whereabouts) -> dict[str, Any]:
    """Return a position as the contract writes it."""
    fix, when = where.fix, moment(where.shown_at)
    return {"user_id": user_id, "latitude": fix.latitude, "longitude": fix.longitude, "timestamp": when}


async def say_nothing(_: DomainError) -> None:
    """Warn nobody."""


class PositionIntake:
    """Takes the positions of one connection.

    Its ride is that of the state that the client was sent, and is read again when something may have changed.
    """

    def __init__(
        self,
        user_id: UUID,
        *,
        driver: bool,
        connection: str = "",
        warn: Callable[[DomainError], Awaitable[None]] = say_nothing,
    ) -> None:
        self._user_id = user_id
        self._driver = driver
        self._connection = connection
        self._limits = limits_now()
        self._where: Whereabouts | None = None
        self._where_is_known = False
        self._warnings = PositionWarnings(warn)
        self._passenger_kept_at = float("-inf")
        self._ride: CurrentRide | None = None
        self._ride_is_known = False
        self._changes = 0
        self._bucket = TokenBucket(settings.WS_LOCATION_RATE, max(1, settings.WS_LOCATION_RATE))
        self._unplaced: list[tuple[Fix, Whereabouts | None]] = []  # an empty deque takes 0.6 kB
        self._latest: tuple[str, dict[str, Any]] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None

    def reset(self) -> None:
        """Read the ride again before the next position is handled, and drop the pending relay."""
        self._ride_is_known = False
        self._changes += 1
        self._latest = None

    def use_ride(self, ride: CurrentRide | None) -> None:
        """Go on with a ride that was just read."""
        self._ride, self._ride_is_known = ride, True
        self._changes += 1

    async def report(self, update: LocationUpdate) -> None:
        """Take a position: for the track of a ride, and where it is plausible for the store and the other party."""
        await self._remember()
        phone_time = update.timestamp.timestamp() if update.timestamp else None
        hints = (update.accuracy, update.known_speed, update.known_heading)
        fix = Fix(update.latitude, update.longitude, clock.timestamp(), phone_time, self._connection, *hints)
        where, reason = locate(self._where, fix, self._limits)
        self._where = where
        if where is not None:
            positions().report(self._user_id, where, fix.received_at, driver=self._driver)
        if where is not None and not reason:
            await link().publish(LOCATION_SUBJECT, position_data(self._user_id, where))
        del self._unplaced[: 1 - UNPLACED_MAX]
        self._unplaced.append((fix, where))
        ride = await self._place_all()
        if ride is None:
            return
        if ride.is_driver and ride.status == RideStatus.ONGOING:
            await self._warnings.note(where.sighting if where else None, reason, fix.received_at)
        if where is not None and not reason and ride.ended_at is None:
            await self._relay(ride, where)

    async def _place_all(self) -> CurrentRide | None:
        """Add the fixes that no ride is known of yet to the track of the current one, if there is one, and return it.

        While the ride cannot be read they wait: the client is told of an error, and does not know of which position.
        """
        ride = await self._current_ride()
        while self._unplaced:
            fix, where = self._unplaced.pop(0)
            if ride is not None:
                self._keep(ride, fix, where)
        return ride

    def _keep(self, ride: CurrentRide, fix: Fix, where: Whereabouts | None) -> None:
        """Add a fix to the track of the ride that it belongs to."""
        made_at = where.sighting.time_of(fix) if where else fix.received_at
        if ride.ended_at is not None:
            is_kept = made_at < ride.ended_at
        elif ride.is_driver:
            is_kept = ride.status == RideStatus.ONGOING
        else:
            is_due = fix.received_at >= self._passenger_kept_at + PASSENGER_EVERY_S
            is_kept = ride.status == RideStatus.ONGOING and is_due
            self._passenger_kept_at = fix.received_at if is_kept else self._passenger_kept_at
        if is_kept:
            driver_id = self._user_id if ride.is_driver else None
            track_buffer().add(ride.ride_id, Report(fix, made_at, by_driver=ride.is_driver), driver_id)

    async def _remember(self) -> None:
        """Read once where the user was before this connection; while that cannot be read, nothing is known of it."""
        if not self._where_is_known:
            with contextlib.suppress(*unavailable()):
                last = await in_read_thread(positions().last, self._user_id)
                self._where_is_known = True
                self._where = last.where if last and self._where is None else self._where

    async def flush(self) -> None:
        """Flush the track to the database and drop the pending relay."""
        self._latest = None
        await self.flush_track()

    async def flush_track(self) -> None:
        """Write everything that the driver reported, on this connection and on an earlier one, to the database.

        What a passenger reported is only looked at in the end, and is written in its time.
        """
        if self._driver:
            if self._unplaced:
                await self._place_all()
            await track_buffer().flush(self._user_id)

    async def _current_ride(self) -> CurrentRide | None:
        while not self._ride_is_known:
            changes = self._changes
            ride = await in_read_thread(ride_under_way, self._user_id)
            if changes == self._changes:  # else what was read may be out of date
                self.use_ride(ride)
        return self._ride

    def stop(self) -> None:
        """Send nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    async def _relay(self, ride: CurrentRide, where: Whereabouts) -> None:
        """Show the position to the other party; over `WS_LOCATION_RATE` only the latest, when its time has come."""
        frame = text_of(unnumbered(LocationRelayed(ride_id=ride.ride_id, **position_data(self._user_id, where))))
        self._latest = (group_of(ride.other_id), {"type": RELAY, "latest": str(self._user_id), "frame": frame})
        if self._timer is not None:
            return
        if wait := self._bucket.take():
            self._timer = asyncio.get_running_loop().call_later(wait, self._send_later)
        else:
            await self._send_latest()

    async def _send_latest(self) -> None:
        if self._latest is not None:
            group, message = self._latest
            self._latest = None
            await get_channel_layer().group_send(group, message)

    def _send_later(self) -> None:
        self._timer = None
        self._bucket.take()
        self._sending = asyncio.create_task(self._send_latest())
