"""Nothing personal to a stranger: no number ever, no name and no exact place before both have accepted.

A position may overtake the news of its ride, which go another way: whose ride it is the books say.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from rides.cells import cell_middle
from rides.geo import GeoPoint
from rides.snapshots import OLD_PLACE_DIGITS
from simulation.city.promises import Violation
from simulation.city.record import Facts, Seen, Somebody, ref_of

OFFERS = frozenset({"match_proposal", "match_confirm", "match_rejected"})
OVER = frozenset({"ride_completed", "ride_cancelled"})
LANE_DELAY = 5.0
"""Seconds after the end of a ride in which a position that was on its way may still come: processes may be frozen."""

NUMBER = re.compile(r"\d[\d .()/-]{6,}\d")
"""What may be a phone number, with all that people put between its digits."""

WORD = re.compile(r"\w+")
DIGITS = re.compile(r"\d")

Place = tuple[float, float]


class Relayed(NamedTuple):
    """Whose position somebody was shown, and on which ride: names, but for the `sender`, which is a user id."""

    name: str
    ride_id: str
    sender: str
    owners: frozenset[str]


class StrangerRules:
    """Sees the frames of all phones, and looks into each for what belongs to somebody else."""

    def __init__(self, people: dict[str, Somebody]) -> None:
        self._people = people
        self._numbers: dict[str, str] = {}
        self._lengths: set[int] = set()
        self._names: dict[str, dict[tuple[str, ...], str]] = defaultdict(dict)
        self._places: dict[Place, set[str]] = defaultdict(set)
        self._friends: dict[str, set[str]] = defaultdict(set)
        """With whom a match of somebody was accepted, and never only offered: user ids."""
        self._over: dict[tuple[str, str], float] = {}
        self._right: set[Relayed] = set()
        self._unjudged: dict[Relayed, float] = {}
        """Positions whose ride the books did not have yet, and when such a one came first."""

    def see(self, name: str, seen: Seen) -> Iterator[Violation]:
        """Yield what a frame shows that it must not show."""
        if not seen.is_told:
            for place in _places(seen.data):
                self._places[place].add(name)
            return
        self._know_everybody()
        person, ref = self._people[name], ref_of(seen.data)
        friends = self._friends[name]
        friends |= _accepted(seen, person)
        if seen.kind in OVER:
            self._over[name, ref] = seen.at
        is_position = seen.kind == "location_update"
        is_late = is_position and seen.at > self._over.get((name, ref), seen.at) + LANE_DELAY
        if is_position and not is_late:
            self._relay(name, ref, seen)
        for part, known in _parts(seen, set() if is_late else friends):
            for what, owner in self._leaks(part, person, known, with_places=is_late or not is_position):
                text = f"{name} was shown {what} of {owner} in {seen.kind}"
                yield Violation("personal", text, (name, owner), ref)

    def compare(self, facts: Facts, now: float, *, is_over: bool) -> Iterator[Violation]:
        """Yield which positions reached somebody who has no part in the ride, by the books as they were at `now`."""
        if not self._unjudged:
            return
        parties = {ride.ride_id: {ride.driver_id, ride.passenger_id} for ride in facts.rides}
        waiting, self._unjudged = self._unjudged, {}
        for relayed, at in waiting.items():
            both = parties.get(relayed.ride_id)
            if both is None and now <= at and not is_over:  # the books were read before
                self._unjudged[relayed] = at
            elif both is not None and self._is_among(both, relayed):
                self._right.add(relayed)
            else:
                owners = sorted(relayed.owners) or [self._name_of(relayed.sender)]
                text = f"{relayed.name} was shown the place of {' or '.join(owners)} in location_update"
                people = (relayed.name, *(owner for owner in owners[:1] if owner in self._people))
                yield Violation("personal", text, people, relayed.ride_id)

    def _name_of(self, user_id: str) -> str:
        return next((name for name, person in self._people.items() if person.user_id == user_id), "somebody")

    def _relay(self, name: str, ref: str, seen: Seen) -> None:
        """Remember whose position came to whom, until the books are read."""
        owners = frozenset(owner for place in _places(seen.data) for owner in self._places.get(place, ()))
        relayed = Relayed(name, ref, str(seen.data.get("user_id")), owners)
        if relayed not in self._right:
            self._unjudged.setdefault(relayed, seen.at)

    def _is_among(self, both: set[str], relayed: Relayed) -> bool:
        """Whether a position is from one party of a ride to the other."""
        person = self._people[relayed.name]
        owners = {self._people[owner].user_id for owner in relayed.owners}
        is_theirs = not owners or bool(owners & both)
        return person.user_id != relayed.sender and both == {person.user_id, relayed.sender} and is_theirs

    def _know_everybody(self) -> None:
        """Learn the numbers and names of those who came since the last time."""
        if len(self._numbers) == len(self._people):
            return
        for name, person in self._people.items():
            number = _subscriber(person.msisdn)
            self._numbers[number] = name
            self._lengths.add(len(number))
            words = tuple(WORD.findall(person.full_name))
            self._names[words[0]][words] = name

    def _leaks(self, part: Any, person: Somebody, friends: set[str], *, with_places: bool) -> Iterator[tuple[str, str]]:
        """Yield what of whom a part of a frame shows that it must not show."""
        text = json.dumps(part, ensure_ascii=False)
        for owner in self._owners_of_numbers(text):
            if owner != person.name:
                yield "the number", owner
        for owner in self._owners_of_names(text):
            if owner != person.name and self._people[owner].user_id not in friends:
                yield "the name", owner
        for point in _points(part) if with_places else ():
            if point == cell_middle(point):
                continue  # a place as strangers may know it: somebody stands within a metre of it now and then
            owners = self._places.get(_place(point), set())
            known = person.name in owners or any(self._people[owner].user_id in friends for owner in owners)
            if owners and not known:
                yield "the exact place", min(owners)

    def _owners_of_numbers(self, text: str) -> Iterator[str]:
        for number in NUMBER.findall(text):
            digits = "".join(DIGITS.findall(number))
            for length in self._lengths:
                for start in range(len(digits) - length + 1):
                    if owner := self._numbers.get(digits[start : start + length]):
                        yield owner

    def _owners_of_names(self, text: str) -> Iterator[str]:
        words = WORD.findall(text)
        for at, word in enumerate(words):
            for full, owner in self._names.get(word, {}).items():
                if tuple(words[at : at + len(full)]) == full:
                    yield owner


def _subscriber(msisdn: str) -> str:
    """Return a number without its country code, as it is in every spelling: +62 812…, 0812…, 62812…."""
    return msisdn.removeprefix("+62")


def _accepted(seen: Seen, person: Somebody) -> set[str]:
    """Return the ids of people whom a frame makes known to a person: their rides, and matches that both accepted."""
    if seen.kind == "session_ready":
        state = seen.data["state"]
        parts = [part for part in (state.get("ride"), state.get("last_ride")) if part]
    elif seen.kind == "ride_pickup" or seen.data.get("match_status") == "ACCEPTED":
        parts = [seen.data]
    else:
        return set()
    parties = {str(part[side]) for part in parts for side in ("driver_id", "passenger_id") if part.get(side)}
    return parties - {person.user_id}


def _parts(seen: Seen, friends: set[str]) -> Iterator[tuple[Any, set[str]]]:
    """Yield the parts of a frame, each with those who may be seen in it: in an open offer that is nobody."""
    if seen.kind == "session_ready":
        state = dict(seen.data["state"])
        yield state.pop("proposals", None), set()
        if last := state.get("last_ride"):  # its places are rough, and many stand within a metre of such a corner
            state["last_ride"] = {name: value for name, value in last.items() if not _is_rough(value)}
        yield {**seen.data, "state": state}, friends
    elif seen.kind in OFFERS and seen.data.get("match_status") != "ACCEPTED":
        yield seen.data, set()
    else:
        yield seen.data, friends


def _is_rough(value: Any) -> bool:
    """Whether something is a place to about 100 m, as a driver reads those of a ride that is over."""
    if not isinstance(value, dict) or value.keys() != {"latitude", "longitude"}:
        return False
    return all(degrees == round(degrees, OLD_PLACE_DIGITS) for degrees in value.values())


def _places(data: Any) -> Iterator[Place]:
    """Yield all places in a frame, to about a metre."""
    return map(_place, _points(data))


def _place(point: GeoPoint) -> Place:
    return round(point.latitude, 5), round(point.longitude, 5)


def _points(data: Any) -> Iterator[GeoPoint]:
    """Yield all places in a frame, as they stand there."""
    if isinstance(data, dict):
        if data.get("latitude") is not None and data.get("longitude") is not None:
            yield GeoPoint(data["latitude"], data["longitude"])
        for value in data.values():
            yield from _points(value)
    elif isinstance(data, list):
        for value in data:
            yield from _points(value)
