"""Nothing personal to a stranger: no number ever, no name and no exact place before both have accepted."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec

from simulation.city.promises import Promises, Violation
from simulation.city.record import Facts, Record, Seen, Somebody, ref_of

OFFERS = frozenset({"match_proposal", "match_confirm", "match_rejected"})
OVER = frozenset({"ride_completed", "ride_cancelled"})
LANE_DELAY = 2.0
"""Seconds after the end of a ride in which a position that was on its way may still come."""

SPELLING = re.compile(r"(?<=\d)[ .()/-]+(?=\d)")
"""What people put between the digits of a number."""

Place = tuple[float, float]


class _Secrets(msgspec.Struct):
    """Who has which number and name, and where everybody said that they are."""

    ids: dict[str, str]
    numbers: dict[str, str]
    names: dict[str, str]
    words: re.Pattern[str]
    places: dict[Place, set[str]]


def nothing_personal_to_strangers(record: Record, _facts: Facts, _promises: Promises) -> Iterator[Violation]:
    """Look into every frame for what belongs to somebody else."""
    secrets = _secrets(record)
    for name, person in record.people.items():
        friends: set[str] = set()  # those with whom a match was accepted, and never only offered
        over: dict[str, float] = {}
        for seen in record.told(name):
            friends |= _accepted(seen, person)
            if seen.kind in OVER:
                over[ref_of(seen.data)] = seen.at
            late = seen.kind == "location_update" and seen.at > over.get(ref_of(seen.data), seen.at) + LANE_DELAY
            for part, known in _parts(seen, set() if late else friends):
                for what, owner in _leaks(part, person, known, secrets):
                    text = f"{name} was shown {what} of {owner} in {seen.kind}"
                    yield Violation("personal", text, (name, owner), ref_of(seen.data))


def _secrets(record: Record) -> _Secrets:
    places: dict[Place, set[str]] = defaultdict(set)
    for name in record.people:
        for seen in record.frames[name]:
            if not seen.is_told:
                for place in _places(seen.data):
                    places[place].add(name)
    numbers = {_subscriber(person.msisdn): name for name, person in record.people.items()}
    names = {person.full_name: name for name, person in record.people.items()}
    words = re.compile("|".join([*map(re.escape, numbers), *(rf"\b{re.escape(name)}\b" for name in names)]) or "(?!)")
    ids = {name: person.user_id for name, person in record.people.items()}
    return _Secrets(ids, numbers, names, words, places)


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
        yield {**seen.data, "state": state}, friends
    elif seen.kind in OFFERS and seen.data.get("match_status") != "ACCEPTED":
        yield seen.data, set()
    else:
        yield seen.data, friends


def _leaks(part: Any, person: Somebody, friends: set[str], secrets: _Secrets) -> Iterator[tuple[str, str]]:
    """Yield what of whom a part of a frame shows that it must not show."""
    text = json.dumps(part, ensure_ascii=False)
    for word in dict.fromkeys(secrets.words.findall(f"{text} {SPELLING.sub('', text)}")):
        if (owner := secrets.numbers.get(word)) not in (None, person.name):
            yield "the number", str(owner)
        if (owner := secrets.names.get(word)) not in (None, person.name) and secrets.ids[str(owner)] not in friends:
            yield "the name", str(owner)
    for place in _places(part):
        owners = secrets.places.get(place, set())
        if owners and person.name not in owners and not any(secrets.ids[owner] in friends for owner in owners):
            yield "the exact place", min(owners)


def _places(data: Any) -> Iterator[Place]:
    """Yield all places in a frame, to about a metre."""
    if isinstance(data, dict):
        if data.get("latitude") is not None and data.get("longitude") is not None:
            yield round(data["latitude"], 5), round(data["longitude"], 5)
        for value in data.values():
            yield from _places(value)
    elif isinstance(data, list):
        for value in data:
            yield from _places(value)
