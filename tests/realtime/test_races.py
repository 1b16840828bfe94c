"""Two at once, in either order: the second begins while the first has done its work but has not committed yet."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections, transaction
from django.db.models import Sum
from django.utils import timezone

from common.errors import DomainError
from realtime.commands.dispatch import execute
from realtime.commands.routes import ROUTES
from realtime.contract.frames import decode_frame, encode
from rides.models import Finder, LedgerEntry, Match, Payment, Ride
from rides.services.matches import match_confirm, match_expire
from rides.services.payments import payment_process
from rides.services.registration import driver_register
from rides.services.relations import ride_block
from rides.services.rides import ride_arrived, ride_cancel_by_staff
from tests.cast import BLOK_M, MONAS, arrive, backdate, book, drive, propose, stand_by, start, told_types
from tests.realtime.commands.test_dispatch import claims_of
from users.models import Approval, Block, Driver, User
from users.services import driver_decide, user_deactivate

pytestmark = pytest.mark.django_db(transaction=True)
Act = Callable[[], str]
WAIT = 10
OK, REFUSED, SHUT_OUT = "ack", "VALIDATION_FAILED", "UNAUTHORIZED"
PLACES = {
    "location": {"latitude": MONAS.latitude, "longitude": MONAS.longitude},
    "target_location": {"latitude": BLOK_M.latitude, "longitude": BLOK_M.longitude},
}


@pytest.fixture(autouse=True)
def _offers_may_overlap(settings: Any) -> None:
    """Let two passengers hold an offer of the same driver: that is what races here."""
    settings.MATCH_MAX_OPEN_OFFERS = 0


def command(user: User, frame_type: str, **data: Any) -> Act:
    """A command as a socket carries it out, by a token of now; it returns `ack` or the code of the error."""
    claims = claims_of(user)
    frame = decode_frame(encode({"type": frame_type, "data": data, "id": f"{frame_type} {user.pk} {data}"[-64:]}))

    def act() -> str:
        answer = execute(claims, ROUTES[frame_type], frame)
        return str(answer["data"].get("code", answer["type"]))

    return act


def service(function: Callable[..., object], **arguments: Any) -> Act:
    """What comes from elsewhere than a socket: staff, REST, timers."""

    def act() -> str:
        try:
            done = function(**arguments)
        except DomainError as exc:
            return str(exc.code.value)
        return REFUSED if done is False else OK

    return act


@dataclass
class Held:
    """Who stops just before his commit, until he is let go."""

    done: Event = field(default_factory=Event)
    go: Event = field(default_factory=Event)

    def run(self, act: Act) -> str:
        try:
            with transaction.atomic():
                result = act()
                self.done.set()
                assert self.go.wait(WAIT)
            return result
        finally:
            connections.close_all()


@dataclass
class Hasty:
    """Who begins while the other has not committed."""

    begun: Event = field(default_factory=Event)

    def run(self, act: Act) -> str:
        def note(run: Any, sql: str, *rest: Any) -> Any:
            self.begun.set()
            return run(sql, *rest)

        try:
            with connections["default"].execute_wrapper(note):
                return act()
        finally:
            connections.close_all()


def in_turn(first: Act, second: Act) -> tuple[str, str]:
    """Run both in threads of their own; the second uses the database before the first has committed, and must wait."""
    held, hasty = Held(), Hasty()
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(held.run, first)
        try:
            assert held.done.wait(WAIT), one.exception(0)
            two: Future[str] = pool.submit(hasty.run, second)
            assert hasty.begun.wait(WAIT)
            with pytest.raises(TimeoutError):
                two.result(0.1)
        finally:
            held.go.set()
        return one.result(WAIT), two.result(WAIT)


def either_order(order: str, a: Act, b: Act) -> tuple[str, str]:
    """Run a and b at once, in this order, and return how a and how b ended."""
    if order == "ab":
        return in_turn(a, b)
    second, first = in_turn(b, a)
    return first, second


@pytest.fixture(params=["ab", "ba"])
def order(request: pytest.FixtureRequest) -> str:
    """Which of two is the first."""
    return str(request.param)


def confirm(user: User, match: Match) -> Act:
    return command(user, "match_confirm", match_id=str(match.pk), accepted=True)


def test_both_sides_confirm(order: str, dewi: User, putri: User) -> None:
    match = propose(dewi, putri)
    assert either_order(order, confirm(dewi, match), confirm(putri, match)) == (OK, OK)
    assert Ride.objects.get().status == "PICKUP"
    assert told_types(dewi).count("ride_pickup") == 1


def test_a_passenger_confirms_two_drivers(order: str, dewi: User, joko: User, putri: User) -> None:
    stand_by(joko)
    propose(dewi, putri)
    matches = [Match.objects.get(driver=driver) for driver in (dewi, joko)]
    for match in matches:
        match_confirm(user_id=match.driver_id, match_id=match.pk, accepted=True)
    answers = either_order(order, *[confirm(putri, match) for match in matches])
    assert answers == ((OK, REFUSED) if order == "ab" else (REFUSED, OK))
    winner = dewi if order == "ab" else joko
    assert [ride.driver_id for ride in Ride.objects.all()] == [winner.pk]
    assert sorted(Match.objects.values_list("status", "reason")) == [("ACCEPTED", ""), ("REJECTED", "taken")]


def test_two_passengers_confirm_one_driver(order: str, dewi: User, putri: User, sari: User) -> None:
    matches = [propose(dewi, passenger) for passenger in (putri, sari)]
    for match in matches:
        match_confirm(user_id=dewi.pk, match_id=match.pk, accepted=True)
    answers = either_order(order, *[confirm(user, match) for user, match in zip((putri, sari), matches, strict=True)])
    assert answers == ((OK, REFUSED) if order == "ab" else (REFUSED, OK))
    assert [ride.passenger_id for ride in Ride.objects.all()] == [putri.pk if order == "ab" else sari.pk]


def test_two_drivers_and_two_passengers_confirm_crosswise(
    order: str, dewi: User, joko: User, putri: User, sari: User
) -> None:
    stand_by(joko)
    for passenger in (putri, sari):
        propose(dewi, passenger)
    for driver, passenger in ((dewi, putri), (joko, sari)):
        match = Match.objects.get(driver=driver, passenger=passenger)
        match_confirm(user_id=driver.pk, match_id=match.pk, accepted=True)
    pairs = [
        (putri, Match.objects.get(driver=dewi, passenger=putri)),
        (sari, Match.objects.get(driver=joko, passenger=sari)),
    ]
    assert either_order(order, *[confirm(user, match) for user, match in pairs]) == (OK, OK)
    assert Ride.objects.count() == 2
    assert not Match.objects.exclude(status__in=("ACCEPTED", "REJECTED")).exists()


@pytest.mark.parametrize("side", ["driver", "passenger"])
def test_one_cancels_while_the_driver_starts(order: str, side: str, dewi: User, putri: User) -> None:
    ride = book(dewi, putri)
    canceller = dewi if side == "driver" else putri
    answers = either_order(
        order,
        command(canceller, "ride_cancel", ride_id=str(ride.pk)),
        command(dewi, "ride_start", ride_id=str(ride.pk)),
    )
    ride.refresh_from_db()
    if order == "ab":
        assert (answers, ride.status) == ((OK, REFUSED), "CANCELLED")
    else:
        assert (answers, ride.status) == ((REFUSED, OK), "ONGOING")
    assert len({"ride_cancelled", "ride_start"} & set(told_types(putri))) == 1


@pytest.mark.parametrize("switch", ["finder", "beacon"])
def test_one_switches_off_while_the_other_side_accepts(order: str, switch: str, dewi: User, putri: User) -> None:
    match = propose(dewi, putri)
    leaver, other = (putri, dewi) if switch == "finder" else (dewi, putri)
    match_confirm(user_id=leaver.pk, match_id=match.pk, accepted=True)
    answers = either_order(order, command(leaver, f"{switch}_update", is_active=False), confirm(other, match))
    match.refresh_from_db()
    if order == "ab":
        assert (answers, match.status, match.reason) == ((OK, REFUSED), "REJECTED", "cancelled")
        assert not Ride.objects.exists()
    else:
        assert (answers, match.status) == ((OK, OK), "ACCEPTED")
        assert Ride.objects.get().status == "PICKUP"
        assert not Finder.objects.filter(status="OPEN").exists()


def test_a_proposal_expires_while_it_is_accepted(order: str, dewi: User, putri: User) -> None:
    match = propose(dewi, putri)
    match_confirm(user_id=putri.pk, match_id=match.pk, accepted=True)
    answers = either_order(order, service(match_expire, match_id=match.pk), confirm(dewi, match))
    assert answers == ((OK, REFUSED) if order == "ab" else (REFUSED, OK))
    assert Ride.objects.count() == (0 if order == "ab" else 1)


def test_a_passenger_becomes_a_driver_while_he_looks_for_one(order: str, dewi: User, putri: User) -> None:
    stand_by(dewi)
    register = service(driver_register, user_id=putri.pk, vehicle_type="car", vehicle_plate="B 1 A")
    answers = either_order(order, register, command(putri, "finder_update", is_active=True, **PLACES))
    putri.refresh_from_db()
    if order == "ab":
        assert (answers, putri.role, Match.objects.count()) == ((OK, SHUT_OUT), "driver", 0)
        assert not Finder.objects.exists()
    else:
        assert (answers, putri.role, Match.objects.count()) == ((REFUSED, OK), "passenger", 1)


def test_somebody_is_shut_out_while_he_accepts(order: str, dewi: User, putri: User) -> None:
    match = propose(dewi, putri)
    match_confirm(user_id=putri.pk, match_id=match.pk, accepted=True)
    answers = either_order(order, service(user_deactivate, user_id=dewi.pk), confirm(dewi, match))
    assert answers == ((OK, SHUT_OUT) if order == "ab" else (OK, OK))
    assert Ride.objects.count() == (0 if order == "ab" else 1)


def test_a_payment_is_accepted_and_refused(order: str, dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri, tracked_km=1)
    pay = {"ride_id": str(ride.pk), "total_cost": 3000}
    accept = command(putri, "payment_process", **pay, status="ACCEPTED")
    refuse = command(putri, "payment_process", **pay, status="REJECTED")
    answers = either_order(order, accept, refuse)
    ride.refresh_from_db()
    assert answers == ((OK, REFUSED) if order == "ab" else (OK, OK))
    assert (ride.status, Payment.objects.get().status) == ("COMPLETED", "ACCEPTED")
    assert told_types(dewi).count("ride_completed") == 1


@pytest.mark.parametrize("stage", ["pay", "arrive", "start"])
def test_staff_cancel_while_the_ride_goes_on(order: str, stage: str, dewi: User, putri: User) -> None:
    if stage == "pay":
        ride = arrive(dewi, putri, tracked_km=1)
        step = command(putri, "payment_process", ride_id=str(ride.pk), total_cost=3000, status="ACCEPTED")
    elif stage == "arrive":
        ride = start(dewi, putri)
        step = command(dewi, "ride_arrived", ride_id=str(ride.pk))
    else:
        ride = book(dewi, putri)
        step = command(dewi, "ride_start", ride_id=str(ride.pk))
    answers = either_order(order, service(ride_cancel_by_staff, ride_id=ride.pk), step)
    ride.refresh_from_db()
    if order == "ab":
        assert (answers, ride.status) == ((OK, REFUSED), "CANCELLED")
    elif stage == "pay":
        assert (answers, ride.status) == ((REFUSED, OK), "COMPLETED")
    else:
        assert (answers, ride.status) == ((OK, OK), "CANCELLED")
    asked = stage == "pay" or (stage, order) == ("arrive", "ba")
    end = "ACCEPTED" if ride.status == "COMPLETED" else "REJECTED"
    assert list(Payment.objects.values_list("status", flat=True)) == ([end] if asked else [])
    assert ride.total_cost == (LedgerEntry.objects.aggregate(cost=Sum("cost"))["cost"] or 0)


def test_the_same_command_on_two_connections(order: str, dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri, tracked_km=1)
    pay = command(putri, "payment_process", ride_id=str(ride.pk), total_cost=3000, status="ACCEPTED")
    assert either_order(order, pay, pay) == (OK, OK)
    assert told_types(putri).count("ride_completed") == 1


@pytest.mark.parametrize("side", ["driver", "passenger"])
def test_one_blocks_the_other_while_an_offer_is_accepted(order: str, side: str, dewi: User, putri: User) -> None:
    """Two who rode before; afterwards either the offer is withdrawn or the ride exists, which goes on."""
    before = arrive(dewi, putri)
    payment_process(user_id=putri.pk, ride_id=before.pk, total_cost=0, status="ACCEPTED")
    match = propose(dewi, putri)
    match_confirm(user_id=putri.pk, match_id=match.pk, accepted=True)
    block = service(ride_block, user_id=(dewi if side == "driver" else putri).pk, ride_id=before.pk)
    answers = either_order(order, block, confirm(dewi, match))
    match.refresh_from_db()
    if order == "ab":
        assert (answers, match.status, match.reason) == ((OK, REFUSED), "REJECTED", "cancelled")
    else:
        assert (answers, match.status) == ((OK, OK), "ACCEPTED")
    assert Block.objects.count() == 1


def test_a_driver_is_refused_while_accepting(order: str, dewi: User, putri: User) -> None:
    """Who was refused books no ride any more; one that was booked before goes on."""
    match = propose(dewi, putri)
    match_confirm(user_id=putri.pk, match_id=match.pk, accepted=True)
    refuse = service(driver_decide, user_id=dewi.pk, approval=Approval.REFUSED, reason="A copy")
    assert either_order(order, refuse, confirm(dewi, match)) == ((OK, REFUSED) if order == "ab" else (OK, OK))
    assert Ride.objects.count() == (0 if order == "ab" else 1)


def test_two_of_staff_decide_on_a_driver(order: str, dewi: User) -> None:
    """The first decision stands: the other was made upon what is no longer so."""
    Driver.objects.update(approval="pending")
    seen = {"user_id": dewi.pk, "seen_at": timezone.now()}
    approve = service(driver_decide, approval=Approval.APPROVED, **seen)
    refuse = service(driver_decide, approval=Approval.REFUSED, reason="A copy", **seen)
    assert either_order(order, approve, refuse) == ((OK, REFUSED) if order == "ab" else (REFUSED, OK))
    assert Driver.objects.get().approval == ("approved" if order == "ab" else "refused")


def test_a_ride_is_rated_twice(order: str, dewi: User, putri: User) -> None:
    """On two connections, with other stars: the first counts."""
    ride = arrive(dewi, putri)
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=0, status="ACCEPTED")
    rate = [command(putri, "ride_rate", ride_id=str(ride.pk), rating=stars) for stars in (5, 1)]
    assert either_order(order, *rate) == ((OK, REFUSED) if order == "ab" else (REFUSED, OK))
    dewi.refresh_from_db()
    assert (dewi.rating_sum, dewi.rating_count) == (5 if order == "ab" else 1, 1)


def test_two_processes_book_the_same_points(dewi: User, putri: User) -> None:
    """A phone moves to another process and sends again what nobody has confirmed: the way is billed once."""
    ride = start(dewi, putri)
    backdate(ride, 200)

    def report() -> str:
        drive(ride, *((50 * n, 5 * n) for n in range(1, 31)))
        return OK

    assert in_turn(report, report) == (OK, OK)
    ride_arrived(user_id=dewi.pk, ride_id=ride.pk)
    ride.refresh_from_db()
    assert float(ride.distance_km) == pytest.approx(1.5, abs=0.002)
    call_command("audit")
