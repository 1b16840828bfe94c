"""What must hold of waiting: a search has its result in time, and a command its answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from simulation.city.promises import Promises, Violation
from simulation.city.record import Seen


class WaitRules:
    """Sees the frames of all phones.

    A command that was sent again counts from the last time, and only on a connection that lives. Positions are left
    out: after a broken connection they are sent again without the id.
    """

    def __init__(self, promises: Promises) -> None:
        self._promises = promises
        self._commands: dict[str, dict[str, float]] = defaultdict(dict)
        self._searches: dict[str, Seen] = {}

    def see(self, name: str, seen: Seen) -> Iterator[Violation]:
        """Yield what has taken too long until this frame."""
        yield from self._overdue(name, seen.at)
        if seen.is_mark:
            self._commands.pop(name, None)
            return
        command_id = str(seen.frame.get("id", ""))
        if seen.is_told:
            self._commands[name].pop(command_id, None)
        elif command_id and seen.kind != "location_update":
            self._commands[name][command_id] = seen.at
        begun = self._searches.get(name)
        if is_search(seen):
            self._searches[name] = seen
        elif begun is not None and ends_search(seen, begun):
            del self._searches[name]

    def compare(self, now: float) -> Iterator[Violation]:
        """Yield what has taken too long until now."""
        for name in {*self._commands, *self._searches}:
            yield from self._overdue(name, now)

    def _overdue(self, name: str, now: float) -> Iterator[Violation]:
        limit = self._promises.answer
        for command_id, begun in list(self._commands[name].items()):
            if now - begun > limit:
                del self._commands[name][command_id]
                yield Violation("wait", f"{name} had no answer within {limit:g} s", (name,))
        limit = self._promises.search
        search = self._searches.get(name)
        if search is not None and now - search.at > limit:
            del self._searches[name]
            yield Violation("wait", f"{name} had no result of the search within {limit:g} s", (name,))


def searches(frames: list[Seen]) -> Iterator[tuple[float, float]]:
    """Yield when each search of a passenger began and ended."""
    begun: Seen | None = None
    for seen in frames:
        if is_search(seen):
            begun = seen
        elif begun is not None and ends_search(seen, begun):
            yield begun.at, seen.at
            begun = None


def is_search(seen: Seen) -> bool:
    """Whether a passenger begins to look for a driver, or looks from elsewhere from now on."""
    return seen.kind == "finder_update" and seen.is_said and bool(seen.data["is_active"])


def ends_search(seen: Seen, begun: Seen) -> bool:
    """Whether a search has its result, or ends without one."""
    if not seen.is_told:
        return False
    if seen.kind == "session_ready":
        return not (seen.data["state"].get("finder") or {}).get("is_active")
    return (
        seen.kind == "ride_pickup"
        or (seen.kind == "finder_update" and not seen.data["is_active"])
        or (seen.kind == "error" and seen.frame.get("id") == begun.frame.get("id"))
    )
