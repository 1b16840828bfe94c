"""Phones, drivers, passengers and staff vanish at any point of any history: nobody is ever without a way out.

A small town lives at random on a clock of its own: people act, fall silent, come back, or are deactivated; the timers
run or are down. Two questions are asked again and again, each in a copy of the town that is thrown away. If all others
vanished now, how long would this person take to be free? And if everybody vanished, what would stay open for ever?
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from common.errors import DomainError
from common.process import process
from rides import timers
from rides.models import OPEN_MATCH, Beacon, Finder, Match, Payment, Ride
from rides.positions import positions
from rides.positions.base import reported_at
from rides.services.beacons import beacon_update
from rides.services.finders import finder_update
from rides.services.matches import match_confirm
from rides.services.offers import offers_receive
from rides.services.patience import LONGEST_WAIT
from rides.services.payments import payment_process
from rides.services.people import person_deactivate
from rides.services.receipts import Receipt, receipts_record
from rides.services.rides import ride_arrived, ride_cancel, ride_cancel_by_staff, ride_finish_by_staff, ride_start
from rides.timers import close_deactivated, run_due
from tests.cast import BLOK_M, MONAS, connect, disconnect, make_driver, make_user, north_of
from users.models import User
from users.presence import Presence
from users.services import user_deactivate, user_reactivate

WHO = st.integers(0, 4)
BUSY = {"driver": ("PICKUP", "ONGOING"), "passenger": ("PICKUP", "ONGOING", "ARRIVED")}


@pytest.fixture(autouse=True)
def _database_travels_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the database the clock of the process, which is turned here."""
    monkeypatch.setattr(timers, "database_now", timezone.now)


BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
TICK = 30.0
"""Seconds between two looks at whether somebody is free."""

Step = Callable[[], object]


class Town(RuleBasedStateMachine):
    """Three drivers and two passengers."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = time_machine.travel(BEGIN, tick=False)
        self.clock = self.machine.start()
        process.reset()
        cache.clear()
        self.savepoint = transaction.savepoint()
        self.drivers = [make_driver(f"+628120000001{n}", f"Driver {n}") for n in range(3)]
        self.people = [*self.drivers, *(make_user(f"+628120000002{n}", f"Passenger {n}") for n in range(2))]
        self.connections: dict[UUID, Presence] = {}
        self.turn = 0
        for person in self.people:
            self.wake(person)

    def teardown(self) -> None:
        try:
            self.nothing_stays_open_when_everybody_vanishes()
        finally:
            transaction.savepoint_rollback(self.savepoint)
            self.machine.stop()

    # --- what they do ---

    @rule(who=WHO, on=st.sampled_from([True, True, False]), auto=st.booleans(), metres=st.integers(0, 2))
    def switch(self, who: int, on: bool, auto: bool, metres: int) -> None:
        """Switch a beacon, or begin, move or end a search."""
        person = self.people[who]
        wish: dict[str, Any] = {"location": north_of(MONAS, 100 * metres), "target_location": BLOK_M}
        if person in self.drivers:
            self.attempt(person, lambda: beacon_update(user_id=person.pk, is_active=on))
        else:
            self.attempt(person, lambda: finder_update(user_id=person.pk, is_active=on, auto_accept=auto, **wish))

    @rule(passenger=st.integers(3, 4), times=st.integers(2, 6))
    def change_mind(self, passenger: int, times: int) -> None:
        """Begin and cancel over and over."""
        for _ in range(times):
            self.switch(passenger, on=True, auto=False, metres=0)
            self.switch(passenger, on=False, auto=False, metres=0)

    @rule(who=WHO, accepted=st.sampled_from([True, True, True, False]))
    def answer(self, who: int, accepted: bool) -> None:
        """Answer the newest open offer."""
        person = self.people[who]
        match = self.offers(person).order_by("-created_at", "pk").first()
        if match is not None:
            self.attempt(person, lambda: match_confirm(user_id=person.pk, match_id=match.pk, accepted=accepted))

    @rule(
        driver=st.integers(0, 2),
        passenger=st.integers(3, 4),
        steps=st.sampled_from([0, 0, 1, 1, 2, 3]),
        lost=st.sampled_from(["nobody", "driver", "passenger", "both"]),
        how=st.sampled_from(["silent", "deactivated"]),
    )
    def ride_together(self, driver: int, passenger: int, steps: int, lost: str, how: str) -> None:
        """Agree, come some way, and vanish: random steps alone would seldom bring that about."""
        one, other = self.people[driver], self.people[passenger]
        for person in (one, other):
            user_reactivate(user_id=person.pk)
            self.wake(person)
            self.finish(person)
        self.attempt(one, lambda: beacon_update(user_id=one.pk, is_active=True))
        wish: dict[str, Any] = {"location": MONAS, "target_location": BLOK_M}
        self.attempt(other, lambda: finder_update(user_id=other.pk, is_active=True, **wish))
        match = self.offers(one).filter(passenger=other).first()
        if match is not None:
            for person in (one, other):
                self.attempt(person, partial(match_confirm, user_id=person.pk, match_id=match.pk, accepted=True))
        for person, step in ((one, "start"), (one, "arrive"), (other, "refuse"))[:steps]:
            self.go_on(person, step)
        for role, person in (("driver", one), ("passenger", other)):
            if lost in (role, "both"):
                self.lose(person, how)

    def lose(self, person: User, how: str) -> None:
        if how == "silent":
            self.silence(person)
        else:
            person_deactivate(user_id=person.pk)

    @rule(who=WHO, step=st.sampled_from(["start", "arrive", "pay", "refuse", "cancel"]))
    def ride_on(self, who: int, step: str) -> None:
        """Go on with a ride."""
        self.go_on(self.people[who], step)

    @rule(who=WHO)
    def confirm(self, who: int) -> None:
        """Confirm what has come: from then on this phone is expected to."""
        person = self.people[who]
        if self.is_there(person):
            receipts_record(receipts={person.pk: [Receipt(1, datetime.now(UTC))]})
            offers = list(self.offers(person).values_list("pk", flat=True))
            offers_receive(match_ids=offers, driver_id=person.pk, received_at=datetime.now(UTC))

    @rule(who=WHO, finish=st.booleans())
    def staff(self, who: int, finish: bool) -> None:
        """Let support end a ride."""
        ride = self.ride_of(self.people[who])
        act = ride_finish_by_staff if finish else ride_cancel_by_staff
        if ride is not None:
            self.try_to(lambda: act(ride_id=ride.pk))

    # --- what happens to them ---

    @rule(who=WHO)
    def vanish(self, who: int) -> None:
        """Break a phone: nothing is heard of it, and nothing answered."""
        self.silence(self.people[who])

    @rule(who=WHO)
    def come_back(self, who: int) -> None:
        """Mend it."""
        self.wake(self.people[who])

    @rule(who=WHO, by_service=st.booleans())
    def deactivate(self, who: int, by_service: bool) -> None:
        """Deactivate somebody, by the service, or in another way that the dispatcher finds out."""
        act = person_deactivate if by_service else user_deactivate
        act(user_id=self.people[who].pk)
        if not by_service:
            close_deactivated()

    @rule(who=WHO)
    def reactivate(self, who: int) -> None:
        """Let somebody in again."""
        user_reactivate(user_id=self.people[who].pk)

    @rule(seconds=st.sampled_from([1, 4, 31, 61, 300, 601, 1801]), timers=st.booleans())
    def wait(self, seconds: int, timers: bool) -> None:
        """Let time pass; the dispatcher may be down meanwhile."""
        self.pass_time(seconds, timers=timers)

    # --- what must always be true ---

    @invariant()
    def nobody_is_in_two_rides(self) -> None:
        for role, busy in BUSY.items():
            current = list(Ride.objects.filter(status__in=busy).values_list(f"{role}_id", flat=True))
            assert len(current) == len(set(current))

    @invariant()
    def nothing_of_a_deactivated_person_is_open(self) -> None:
        gone = User.objects.filter(is_active=False)
        assert not Beacon.objects.filter(driver__in=gone, is_active=True).exists()
        assert not Finder.objects.filter(passenger__in=gone, status="OPEN").exists()
        for role in BUSY:
            assert not Ride.objects.filter(status="PICKUP", **{f"{role}__in": gone}).exists()
            assert not Match.objects.filter(status__in=OPEN_MATCH, **{f"{role}__in": gone}).exists()

    @invariant()
    def one_person_alone_gets_free_in_time(self) -> None:
        """All others vanish; each person has their turn."""
        self.turn = (self.turn + 1) % len(self.people)
        person = self.people[self.turn]
        if self.turn == 0:
            self.nothing_stays_open_when_everybody_vanishes()
        if not self.is_active(person):
            return
        with self.in_a_copy():
            for other in self.people:
                self.silence(other)
            self.wake(person)
            limit = self.documented_wait(person)
            waited = self.time_to_be_free(person, limit)
            assert waited is not None, f"{person} is not free after {limit} s"
            self.begin_anew(person)

    # --- the questions ---

    def documented_wait(self, person: User) -> float:
        """Only a passenger on the way has to wait: until the driver, who has vanished now, counts as silent."""
        ride = self.ride_of(person)
        if ride is None or person in self.drivers or ride.status != "ONGOING" or not self.is_active(ride.driver):
            return 0
        return float(django_settings.RIDE_SILENCE_TIMEOUT.total_seconds())

    def time_to_be_free(self, person: User, limit: float) -> float | None:
        """Return the seconds until a person who does what is theirs to do is free; None when it takes longer."""
        waited = 0.0
        while True:
            self.finish(person)
            if self.ride_of(person) is None and not self.offers(person).exists():
                return waited
            if waited > limit:
                return None
            self.pass_time(TICK, timers=False)
            waited += TICK

    def begin_anew(self, person: User) -> None:
        """Who is free may begin again; who has cancelled often, after the longest wait."""
        wish: dict[str, Any] = {"location": MONAS, "target_location": BLOK_M}
        begin: Step = (
            (lambda: beacon_update(user_id=person.pk, is_active=True))
            if person in self.drivers
            else (lambda: finder_update(user_id=person.pk, is_active=True, **wish))
        )
        if not self.attempt(person, begin):
            self.pass_time(LONGEST_WAIT.total_seconds() + 1, timers=False)
            assert self.attempt(person, begin), f"{person} cannot begin anew"

    def nothing_stays_open_when_everybody_vanishes(self) -> None:
        """Timers end searches, offers and pick-ups; support ends all else."""
        with self.in_a_copy():
            for person in self.people:
                self.silence(person)
            close_deactivated()
            rounds = django_settings.MATCH_MAX_ATTEMPTS + len(self.drivers)  # an offer beside another begins later
            search = rounds * django_settings.MATCH_RESPONSE_TIMEOUT.total_seconds()
            for _ in range(int(search / TICK) + 1):
                self.pass_time(TICK, timers=True)
            assert not Finder.objects.filter(status="OPEN").exists()
            assert not Match.objects.filter(status__in=OPEN_MATCH).exists()
            self.pass_time(max(0.0, django_settings.PICKUP_TIMEOUT.total_seconds() - search), timers=True)
            assert not Ride.objects.filter(status="PICKUP").exists()
            for ride in Ride.objects.filter(status__in=BUSY["passenger"]):
                act = ride_finish_by_staff if ride.status == "ONGOING" else ride_cancel_by_staff
                act(ride_id=ride.pk)
            assert not Ride.objects.filter(status__in=BUSY["driver"]).exists()

    # --- the means ---

    def finish(self, person: User) -> None:
        """Pay, arrive or cancel; switch off."""
        for step in ("pay", "arrive", "cancel"):
            self.go_on(person, step)
        off = beacon_update if person in self.drivers else finder_update
        self.attempt(person, lambda: off(user_id=person.pk, is_active=False))

    def ride_of(self, person: User) -> Ride | None:
        role = "driver" if person in self.drivers else "passenger"
        return Ride.objects.filter(status__in=BUSY[role], **{role: person}).first()

    @staticmethod
    def offers(person: User) -> Any:
        mine = Match.objects.filter(driver=person) | Match.objects.filter(passenger=person)
        return mine.filter(status__in=OPEN_MATCH)

    def go_on(self, person: User, step: str) -> None:
        ride = self.ride_of(person)
        if ride is None:
            return
        me, pk = person.pk, ride.pk
        steps: dict[str, Step] = {
            "start": lambda: ride_start(user_id=me, ride_id=pk),
            "arrive": lambda: ride_arrived(user_id=me, ride_id=pk),
            "pay": lambda: self.pay(me, pk, "ACCEPTED"),
            "refuse": lambda: self.pay(me, pk, "REJECTED"),
            "cancel": lambda: ride_cancel(user_id=me, ride_id=pk),
        }
        self.attempt(person, steps[step])

    @staticmethod
    def pay(user_id: UUID, ride_id: UUID, status: Any) -> None:
        cost = Payment.objects.filter(ride=ride_id).values_list("total_cost", flat=True).first() or 0
        payment_process(user_id=user_id, ride_id=ride_id, total_cost=cost, status=status)

    def attempt(self, person: User, act: Step) -> bool:
        """Do it, where the phone works and its owner may; return whether it was done."""
        return self.is_there(person) and self.try_to(act)

    @staticmethod
    def try_to(act: Step) -> bool:
        """Do it; what is refused changes nothing."""
        try:
            with transaction.atomic():
                act()
        except DomainError:
            return False
        return True

    def is_there(self, person: User) -> bool:
        return person.pk in self.connections and self.is_active(person)

    @staticmethod
    def is_active(person: User) -> bool:
        return User.objects.filter(pk=person.pk, is_active=True).exists()

    def silence(self, person: User) -> None:
        connection = self.connections.pop(person.pk, None)
        if connection is not None:
            disconnect(connection)

    def wake(self, person: User) -> None:
        self.connections[person.pk] = connect(person)
        self.report(person)

    def report(self, person: User) -> None:
        now = time.time()
        positions().report(person.pk, reported_at(MONAS, now), now, driver=person in self.drivers)

    def pass_time(self, seconds: float, *, timers: bool) -> None:
        """Move the clock; phones that work report, and the timers do what is due."""
        self.clock.shift(timedelta(seconds=seconds))
        for person in self.people:
            if person.pk in self.connections:
                self.report(person)
        while timers and run_due():
            pass

    @contextmanager
    def in_a_copy(self) -> Iterator[None]:
        """Take back what happens within."""
        now, connections = datetime.now(UTC), dict(self.connections)
        places = positions().last_of([person.pk for person in self.people])
        savepoint = transaction.savepoint()
        try:
            yield
        finally:
            transaction.savepoint_rollback(savepoint)
            self.clock.move_to(now, tick=False)
            process.reset()
            cache.clear()
            self.connections = {}
            for person in self.people:
                if person.pk in connections:
                    self.connections[person.pk] = connect(person)
                if person.pk in places:
                    place = places[person.pk]
                    where = reported_at(place.point, place.received_at)
                    positions().report(person.pk, where, place.received_at, driver=person in self.drivers)


EXAMPLES = int(os.environ.get("WAYS_OUT_EXAMPLES", "8"))
"""Histories that are tried; give it a few hundred after a change of the rules."""


def test_nobody_is_ever_without_a_way_out(db: None, settings: Any) -> None:
    """Whatever happened before, and whoever has vanished."""
    settings.SEARCH_FREE_CANCELS = 5
    walk(EXAMPLES)
    assert not User.objects.exists()


def walk(examples: int) -> None:
    """Try so many histories; one that fails is shown as it is, since shrinking would take minutes."""
    checks, phases = list(HealthCheck), (Phase.reuse, Phase.generate)
    run_state_machine_as_test(
        Town,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            phases=phases,
            suppress_health_check=checks,
        ),
    )
