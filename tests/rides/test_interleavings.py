"""Two drivers and two passengers do whatever they like, in any order; a small model says what must come of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from common.errors import ValidationFailed
from common.process import process
from rides.models import Finder, Match, Payment, Ride
from rides.services.beacons import beacon_update
from rides.services.finders import finder_continue, finder_update
from rides.services.matches import match_confirm, match_expire
from rides.services.payments import payment_process
from rides.services.rides import ride_arrived, ride_cancel, ride_cancel_by_staff, ride_start
from tests.cast import BLOK_M, MONAS, make_driver, make_user, stand_by
from users.models import User

PEOPLE = st.sampled_from([0, 1])
RECENT = st.sampled_from([1, 1, 1, 2, 2, 3, 4])
MOSTLY = st.sampled_from([True, True, True, False])
BUSY = {"driver": ("PICKUP", "ONGOING"), "passenger": ("PICKUP", "ONGOING", "ARRIVED")}
OPEN = ("PENDING", "DRIVER_CONFIRMED", "PASSENGER_CONFIRMED")


def recent(things: dict[UUID, str], which: int) -> UUID:
    """The `which`-th newest of some things, or the oldest."""
    return list(things)[-min(which, len(things))]


class Town(RuleBasedStateMachine):
    """The services beside a model of beacons, searches, matches and rides."""

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.savepoint()
        process.reset()
        self.drivers = [make_driver(f"+628120000001{n}", f"Driver {n}") for n in range(2)]
        self.passengers = [make_user(f"+628120000002{n}", f"Passenger {n}") for n in range(2)]
        for driver in self.drivers:
            stand_by(driver)
        self.beacons = {driver.pk: True for driver in self.drivers}
        self.searching = {passenger.pk: False for passenger in self.passengers}
        self.matches: dict[UUID, str] = {}
        self.rides: dict[UUID, str] = {}
        self.parties: dict[UUID, tuple[UUID, UUID]] = {}

    def teardown(self) -> None:
        transaction.savepoint_rollback(self.savepoint)

    # --- what they do ---

    @rule(who=PEOPLE, on=MOSTLY)
    def beacon(self, who: int, on: bool) -> None:
        driver = self.drivers[who].pk
        beacon_update(user_id=driver, is_active=on)
        self.beacons[driver] = on
        if not on:
            self.reject(lambda d, _p: d == driver)

    @rule(who=PEOPLE, on=MOSTLY)
    def finder(self, who: int, on: bool) -> None:
        passenger = self.passengers[who].pk
        allowed = not on or self.searching[passenger] or not self.busy("passenger", passenger)
        begins = on and not self.searching[passenger]
        if self.attempt(
            allowed,
            lambda: finder_update(user_id=passenger, is_active=on, location=MONAS, target_location=BLOK_M),
        ):
            self.searching[passenger] = on
            if begins:
                self.expect_proposals(passenger)
            elif not on:
                self.reject(lambda _d, p: p == passenger)

    @precondition(lambda self: self.matches)
    @rule(which=RECENT, by_driver=st.booleans(), accepted=MOSTLY)
    def answer(self, which: int, by_driver: bool, accepted: bool) -> None:
        self.confirm(recent(self.matches, which), by_driver=by_driver, accepted=accepted)

    @precondition(lambda self: self.matches)
    @rule(which=RECENT)
    def agree(self, which: int) -> None:
        match = recent(self.matches, which)
        self.confirm(match, by_driver=True, accepted=True)
        self.confirm(match, by_driver=False, accepted=True)

    def confirm(self, match: UUID, *, by_driver: bool, accepted: bool) -> None:
        driver, passenger = self.parties[match]
        own = "DRIVER_CONFIRMED" if by_driver else "PASSENGER_CONFIRMED"
        status = self.matches[match]
        free = not (self.busy("driver", driver) or self.busy("passenger", passenger))
        completes = status in OPEN and status not in ("PENDING", own)
        allowed = status in OPEN and (not accepted or (status != own and (free or not completes)))
        user = driver if by_driver else passenger
        if not self.attempt(allowed, lambda: match_confirm(user_id=user, match_id=match, accepted=accepted)):
            return
        if not accepted:
            self.matches[match] = "REJECTED"
        elif completes:
            self.matches[match] = "ACCEPTED"
            self.searching[passenger] = False
            self.reject(lambda d, p: driver == d or passenger == p)
            ride = Ride.objects.get(match_id=match).pk
            self.rides[ride], self.parties[ride] = "PICKUP", (driver, passenger)
        else:
            self.matches[match] = own

    @precondition(lambda self: self.rides)
    @rule(which=RECENT, step=st.sampled_from(["start", "arrive", "pay", "refuse", "cancel", "staff"]))
    def ride_on(self, which: int, step: str) -> None:
        self.take_step(recent(self.rides, which), step)

    @precondition(lambda self: self.rides)
    @rule(which=RECENT)
    def ride_to_the_end(self, which: int) -> None:
        ride = recent(self.rides, which)
        for step in ("start", "arrive", "pay"):
            self.take_step(ride, step)

    def take_step(self, ride: UUID, step: str) -> None:
        driver, passenger = self.parties[ride]
        steps: dict[str, tuple[tuple[str, ...], str, Callable[[], None]]] = {
            "start": (("PICKUP",), "ONGOING", lambda: ride_start(user_id=driver, ride_id=ride)),
            "arrive": (("ONGOING",), "ARRIVED", lambda: ride_arrived(user_id=driver, ride_id=ride)),
            "pay": (("ARRIVED",), "COMPLETED", lambda: self.pay(passenger, ride, "ACCEPTED")),
            "refuse": (("ARRIVED",), "ARRIVED", lambda: self.pay(passenger, ride, "REJECTED")),
            "cancel": (("PICKUP",), "CANCELLED", lambda: ride_cancel(user_id=passenger, ride_id=ride)),
            "staff": (BUSY["passenger"], "CANCELLED", lambda: ride_cancel_by_staff(ride_id=ride)),
        }
        before, after, act = steps[step]
        allowed = self.rides[ride] in before
        if step == "refuse" and allowed:
            allowed = Payment.objects.get(ride_id=ride).status != "REJECTED"
        if self.attempt(allowed, act):
            self.rides[ride] = after

    @precondition(lambda self: self.matches)
    @rule(which=RECENT)
    def expire(self, which: int) -> None:
        match = recent(self.matches, which)
        assert match_expire(match_id=match) == (self.matches[match] in OPEN)
        if self.matches[match] in OPEN:
            self.matches[match] = "REJECTED"

    @rule(who=PEOPLE)
    def search_on(self, who: int) -> None:
        """The time of a search comes, whether its proposals are open or not."""
        passenger = self.passengers[who].pk
        past = timezone.now() - timedelta(seconds=1)
        finder = Finder.objects.filter(passenger=passenger, status="OPEN").first()
        if finder is None:
            return
        Finder.objects.filter(pk=finder.pk).update(due_at=past, attempt_ends_at=past)
        ends = finder.attempts == 3
        finder_continue(finder_id=finder.pk)
        if ends:
            self.searching[passenger] = False
            self.reject(lambda _d, p: p == passenger)
        else:
            self.expect_proposals(passenger)

    # --- what must come of it ---

    @invariant()
    def the_database_says_what_the_model_says(self) -> None:
        assert {m.pk: m.status for m in Match.objects.all()} == self.matches
        assert {r.pk: r.status for r in Ride.objects.all()} == self.rides
        looking = set(Finder.objects.filter(status="OPEN").values_list("passenger_id", flat=True))
        assert looking == {passenger for passenger, on in self.searching.items() if on}

    @invariant()
    def nobody_is_in_two_rides_and_no_money_is_lost(self) -> None:
        for role, statuses in BUSY.items():
            current = list(Ride.objects.filter(status__in=statuses).values_list(f"{role}_id", flat=True))
            assert len(current) == len(set(current))
        for ride in Ride.objects.all():
            assert ride.total_cost == (ride.ledger.aggregate(cost=Sum("cost"))["cost"] or 0)
            has_payment = Payment.objects.filter(ride=ride).exists()
            assert has_payment or ride.status not in ("ARRIVED", "COMPLETED")

    # --- the model ---

    def attempt(self, allowed: bool, act: Callable[[], Any]) -> bool:
        """Do it; it must succeed exactly when the model allows it, and otherwise change nothing."""
        try:
            with transaction.atomic():
                act()
        except ValidationFailed:
            assert not allowed
            return False
        assert allowed
        return True

    def pay(self, passenger: UUID, ride: UUID, status: Any) -> None:
        cost = Payment.objects.filter(ride_id=ride).values_list("total_cost", flat=True).first() or 0
        payment_process(user_id=passenger, ride_id=ride, total_cost=cost, status=status)

    def busy(self, role: str, user: UUID) -> bool:
        side = 0 if role == "driver" else 1
        return any(s in BUSY[role] and self.parties[ride][side] == user for ride, s in self.rides.items())

    def reject(self, concerned: Callable[[UUID, UUID], bool]) -> None:
        for match, status in self.matches.items():
            if status in OPEN and concerned(*self.parties[match]):
                self.matches[match] = "REJECTED"

    def expect_proposals(self, passenger: UUID) -> None:
        """Every free driver without an open offer, or one of this search, has a new offer, and nobody else."""
        finder = Finder.objects.get(passenger=passenger, status="OPEN")
        known = {d for m, (d, _) in self.parties.items() if m in self.matches and m in self.of_finder(finder)}
        asked = {self.parties[match][0] for match, status in self.matches.items() if status in OPEN}
        free = {d for d, on in self.beacons.items() if on and not self.busy("driver", d)} - known - asked
        fresh = [m for m in Match.objects.filter(finder=finder) if m.pk not in self.matches]
        assert {m.driver_id for m in fresh} == free
        order = [driver.pk for driver in self.drivers]  # not that of random ids: a replay must meet the same
        for match in sorted(fresh, key=lambda match: order.index(match.driver_id)):
            self.matches[match.pk], self.parties[match.pk] = "PENDING", (match.driver_id, match.passenger_id)

    def of_finder(self, finder: Finder) -> set[UUID]:
        return set(Match.objects.filter(finder=finder).values_list("pk", flat=True))


def test_whatever_they_do_the_model_knows_what_comes_of_it(db: None) -> None:
    run_state_machine_as_test(
        Town,
        settings=settings(
            max_examples=30, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    assert not User.objects.exists()
