"""What must hold of notifications: each phone is told everything, once, in order, and from the beginning."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import msgspec

from simulation.city.promises import Promises, Violation
from simulation.city.record import Event, Facts, Seen, Somebody, ref_of

ONCE_A_RIDE = frozenset({"ride_pickup", "ride_start", "ride_arrived", "ride_completed", "ride_cancelled"})
CLOCKS = 0.25
"""Seconds by which the clocks of servers and phones may differ: what was written later than that after a fresh state is
not part of it."""

LOOKED = 2.0
"""Seconds that a frame may be older than the look at the books that finds its event."""

BLAMED = 30.0
"""Seconds after the beginning of a fault in which it may have cost a history."""

STORES = frozenset({"valkey", "all"})
"""What has the histories, in the log of the faults."""

THROWN_OUT = frozenset({4401, 4409})
"""Close codes after which a phone does not come back: with these people that has no reason."""

News = tuple[str, str]
"""The type of a notification, and the ride or match that it is about."""


class _Phone(msgspec.Struct):
    """What is known of one phone so far."""

    epoch: str = ""
    last: int = -1
    begun: float | None = None
    """Since when the connection of now has had a session and nothing has been missed; None while there is none."""
    fresh: float = float("inf")
    """When a fresh state stood in for notifications for the last time."""
    syncs: set[str] = msgspec.field(default_factory=set)
    came: Counter[News] = msgspec.field(default_factory=Counter)
    since: Counter[News] = msgspec.field(default_factory=Counter)
    """What came since the last fresh state."""
    shown: set[str] = msgspec.field(default_factory=set)
    """Offers that came with a state."""
    repeated: dict[News, float] = msgspec.field(default_factory=dict)
    """What came more than once, and when for the last time."""
    spans: list[tuple[float, float]] = msgspec.field(default_factory=list)
    """From and to when sessions lived that have ended."""

    def lived(self, start: float, end: float) -> bool:
        """Whether one session lived all this time."""
        if self.begun is not None and self.begun <= start:
            return True
        return any(begun <= start and end <= ended for begun, ended in reversed(self.spans))

    def has_offer(self, event: Event) -> bool:
        """Whether an offer came, or was part of a state."""
        return bool(self.came[event.kind, event.ref]) or event.ref in self.shown


class NewsRules:
    """Sees the frames of all phones, and compares them with what was written down for people.

    Reason for its size: each method is one rule, and the rules share what was seen of a phone.
    """

    def __init__(self, people: dict[str, Somebody], promises: Promises) -> None:
        self._people, self._promises = people, promises
        self._phones: dict[str, _Phone] = defaultdict(_Phone)
        self._resets: list[tuple[str, float]] = []
        self._written: Counter[tuple[str, str, str]] = Counter()
        self._times: dict[tuple[str, str, str], list[float]] = defaultdict(list)
        self._open: set[tuple[str, str, str]] = set()
        self._offers: list[tuple[str, Event]] = []
        self._missing: list[tuple[str, Event]] = []
        self._ended: dict[tuple[str, str], float] = {}
        self.resets: Counter[str] = Counter()
        """How often phones had to be given a fresh state, by why."""

    def see(self, name: str, seen: Seen) -> Iterator[Violation]:
        """Yield what is wrong with a frame, after those before it."""
        phone = self._phones[name]
        if seen.is_mark:
            self._end(phone, seen.at)
            if seen.kind == "new phone":
                phone.epoch, phone.last = "", -1
            elif seen.kind == "closed" and seen.data.get("code") in THROWN_OUT:
                yield Violation("session", f"{name} was thrown out: {seen.data['reason']}", (name,))
        elif not seen.is_told:
            if seen.kind == "sync":
                phone.syncs.add(str(seen.frame.get("id")))
        elif seen.kind == "session_ready":
            yield from self._begin(name, phone, seen)
        else:
            phone.syncs.discard(str(seen.frame.get("id")))
            if phone.begun is None and phone.last >= 0:
                phone.begun = seen.at  # awake again
            yield from self._number(name, phone, seen)

    @staticmethod
    def _end(phone: _Phone, at: float) -> None:
        if phone.begun is not None:
            phone.spans.append((phone.begun, at))
            phone.begun = None

    def _begin(self, name: str, phone: _Phone, seen: Seen) -> Iterator[Violation]:
        epoch, seq, here = seen.data["epoch"], seen.data["seq"], (phone.epoch, phone.last)
        if seen.data["recovered"]:
            if (epoch, seq) != here:
                text = f"{name} resumed at {epoch}:{seq} instead of {here[0]}:{here[1]}"
                yield Violation("order", text, (name,))
        elif phone.epoch and not phone.syncs:
            if epoch == phone.epoch and seq != phone.last:
                self.resets["gap"] += 1
                text = f"{name} missed {seq - phone.last} notifications of a history that is still there"
                yield Violation("reset", text, (name,))
            elif epoch != phone.epoch:
                self.resets["new epoch"] += 1
                self._resets.append((name, seen.at))
        if (epoch, seq) != here:
            phone.fresh = seen.at
            phone.since.clear()
            self._end(phone, seen.at)
        if phone.begun is None:
            phone.begun = seen.at
        phone.epoch, phone.last = epoch, seq
        for offer in seen.data["state"].get("proposals") or ():
            phone.shown.add(str(offer["match_id"]))

    def _number(self, name: str, phone: _Phone, seen: Seen) -> Iterator[Violation]:
        """Numbers follow each other; news come as often as they were written down, also under new numbers."""
        seq = seen.frame.get("seq")
        if seq is None:
            return
        news = (seen.kind, ref_of(seen.data))
        if seq != phone.last + 1:
            what = "lost" if seq > phone.last + 1 else "doubled or out of order"
            text = f"{name} got {seen.kind} {seq} instead of {phone.last + 1}: {what}"
            yield Violation("order", text, (name,), news[1])
        phone.last = max(phone.last, seq)
        phone.came[news] += 1
        phone.since[news] += 1
        if news[1] and phone.came[news] > 1:
            phone.repeated[news] = seen.at

    def compare(self, facts: Facts, now: float, *, is_over: bool) -> Iterator[Violation]:
        """Yield what is wrong by the events that have become known since the last time."""
        names = {person.user_id: name for name, person in self._people.items()}
        for event in facts.events:
            if name := names.get(event.user_id):
                self._note(name, event)
        yield from self._lost(now, is_over=is_over)
        yield from self._late_offers(now, is_over=is_over)
        yield from self._lost_offers(is_over=is_over)
        yield from self._doubled(now, is_over=is_over)
        yield from self._reset(facts)
        if is_over:
            for name in self._people:
                if not self._phones[name].epoch:
                    yield Violation("session", f"{name} never got a session", (name,))

    def _note(self, name: str, event: Event) -> None:
        key = (name, event.kind, event.ref)
        self._written[key] += 1
        if event.kind == "match_rejected":
            self._ended[name, event.ref] = event.at
        if event.until is None:
            self._times[key].append(event.at)
            self._open.add(key)
        elif event.kind == "match_proposal":
            self._offers.append((name, event))
            if event.until - event.at > self._promises.held:
                self._missing.append((name, event))

    def _lost(self, now: float, *, is_over: bool) -> Iterator[Violation]:
        """What was written down for somebody after their last fresh state has reached their phone."""
        for key in list(self._open):
            name, kind, ref = key
            phone = self._phones[name]
            times = self._times[key] = [at for at in self._times[key] if at > phone.fresh + CLOCKS]
            found = phone.since[kind, ref]
            if found >= len(times):
                self._open.discard(key)
            elif is_over or (now > times[found] + self._promises.news and phone.lived(now - self._promises.news, now)):
                self._open.discard(key)
                text = f"{name} got {found} of {len(times)} {kind} of {ref or 'their own'}"
                yield Violation("lost", text, (name,), ref)

    def _late_offers(self, now: float, *, is_over: bool) -> Iterator[Violation]:
        """An offer is shown soon by a phone whose session lives, unless it ended at once."""
        waiting, self._offers = self._offers, []
        for name, event in waiting:
            until = event.at + self._promises.offer
            phone = self._phones[name]
            if phone.has_offer(event):
                continue
            if now < until + LOOKED and not is_over:
                self._offers.append((name, event))
                continue
            is_judged = event.until is not None and until <= event.until and phone.lived(event.at, until)
            if is_judged and self._ended.get((name, event.ref), until + 1) > until:
                text = f"{name} was not shown the offer {event.ref} within {self._promises.offer:g} s"
                yield Violation("late", text, (name,), event.ref)

    def _lost_offers(self, *, is_over: bool) -> Iterator[Violation]:
        """An offer that stays open for long reaches its phone some time, also when it was declined or withdrawn."""
        self._missing = [
            (name, event)
            for name, event in self._missing
            if not self._phones[name].has_offer(event) and event.at > self._phones[name].fresh + CLOCKS
        ]
        for name, event in self._missing if is_over else ():
            yield Violation("lost", f"{name} never got the offer {event.ref}", (name,), event.ref)

    def _doubled(self, now: float, *, is_over: bool) -> Iterator[Violation]:
        for name, phone in self._phones.items():
            for (kind, ref), at in list(phone.repeated.items()):
                if not is_over and now <= at:
                    continue  # the books were read before
                del phone.repeated[kind, ref]
                count = phone.came[kind, ref]
                allowed = 1 if kind in ONCE_A_RIDE else max(1, self._written[name, kind, ref])
                if count > allowed:
                    yield Violation("doubled", f"{name} got {kind} {count} times instead of {allowed}", (name,), ref)

    def _reset(self, facts: Facts) -> Iterator[Violation]:
        """A history is lost only with the server that keeps it."""
        if facts.faults is None:
            return
        lost, self._resets = self._resets, []
        for name, at in lost:
            if not any(fault.target in STORES and fault.at <= at <= fault.until + BLAMED for fault in facts.faults):
                yield Violation(
                    "reset", f"{name} was given a new epoch, and nothing had happened to the old one", (name,)
                )
