"""The feed of the live map: one for all viewers of a process, at work only while somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from django.conf import settings

from common.background_tasks import Loops, every
from common.threads import in_read_thread
from web.live.picture import NOTHING, Painter, Picture, frame
from web.live.staff import staff_sessions

CHECK_INTERVAL = 2.0
"""Seconds between two looks at whether the viewers are still logged in, active and staff."""


class Viewer:
    """One socket that looks.

    They get the next frame when they have drawn the last one, and then that of the latest picture: nothing is queued
    for a slow line or browser.
    """

    def __init__(self, session_key: str) -> None:
        self.session_key = session_key
        self._has = NOTHING
        self._is_shut_out = False
        self._news = asyncio.Event()
        self._drawn = asyncio.Event()
        self._drawn.set()

    async def next_frame(self, feed: Feed) -> str | None:
        """Return what this viewer needs for the latest picture, once there is one; `None` when they must go."""
        await self._drawn.wait()
        while not self._is_shut_out and feed.picture.number == self._has.number:
            self._news.clear()
            await self._news.wait()
        if self._is_shut_out:
            return None
        self._drawn.clear()
        had, self._has = self._has, feed.picture
        return feed.frame(had)

    def look(self) -> None:
        """There is a new picture."""
        self._news.set()

    def has_drawn(self) -> None:
        """The last frame is on the screen."""
        self._drawn.set()

    def shut_out(self) -> None:
        """This viewer must go."""
        self._is_shut_out = True
        self._news.set()
        self._drawn.set()


class Feed:
    """Looks at the town every `LIVE_INTERVAL` while there are viewers; used from one event loop."""

    def __init__(self) -> None:
        self._viewers: set[Viewer] = set()
        self._loops = Loops()
        self._painter = Painter()
        self._frames: dict[int, str] = {}
        self.picture: Picture = NOTHING

    @property
    def is_running(self) -> bool:
        """Whether it looks."""
        return self._loops.are_running

    @asynccontextmanager
    async def viewer(self, session_key: str) -> AsyncIterator[Viewer]:
        """Let somebody look."""
        viewer = Viewer(session_key)
        self._viewers.add(viewer)
        if len(self._viewers) == 1:
            self._begin()
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)
            if not self._viewers:
                await self._loops.stop()

    def frame(self, had: Picture) -> str:
        """Return what leads from another picture to the present one; it is made once for all who need the same."""
        if had.number not in self._frames:
            self._frames[had.number] = frame(had, self.picture)
        return self._frames[had.number]

    def _begin(self) -> None:
        self.picture, self._frames, self._painter = NOTHING, {}, Painter()
        self._loops = Loops()
        self._loops.start(
            {
                "live map": every(settings.LIVE_INTERVAL.total_seconds(), self._look),
                "live map's viewers": every(CHECK_INTERVAL, self._check),
            }
        )

    async def _look(self) -> None:
        """Take a new picture, and say that it is there."""
        self.picture = await in_read_thread(self._painter.paint)
        self._frames = {}
        for viewer in self._viewers:
            viewer.look()

    async def _check(self) -> None:
        """Send away who is no longer staff."""
        viewers = list(self._viewers)  # a viewer who joins meanwhile was checked when joining
        good = await in_read_thread(staff_sessions, {viewer.session_key for viewer in viewers})
        for viewer in viewers:
            if viewer.session_key not in good:
                viewer.shut_out()


@cache
def feed() -> Feed:
    """Return the feed of this process."""
    return Feed()
