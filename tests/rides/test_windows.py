"""Searches of one window are matched together."""

import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import permutations
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections
from django.test import override_settings
from django.utils import timezone

from common.process import process
from nebengjek.settings import BASE_DIR
from rides import timers, windows
from rides.models import OPEN_MATCH, Beacon, Candidate, DeviceReceipt, Finder, Match, SearchAttempt
from rides.services import offers as offers_services
from rides.services.beacons import beacon_update
from rides.services.finders import finder_continue, finder_update
from rides.services.matches import match_confirm
from rides.services.proposals import Proposal, match_adopt
from rides.staff.explanation import explain
from rides.windows import MOST_DRIVERS, assign, plan, window_after, window_begun
from tests.cast import (
    BLOK_M,
    MONAS,
    book,
    make_driver,
    make_user,
    north_of,
    open_finder,
    see,
    stand_by,
    told,
    told_types,
)
from users.models import Block, Driver, User

WINDOW = timedelta(days=1)
"""So long that none ends by itself during a test: searches that are short of offers go on in the next."""


@pytest.fixture(autouse=True)
def _windows(settings: Any) -> None:
    settings.MATCH_WINDOW = WINDOW
    settings.MATCH_MAX_DRIVERS = 1


def stand_in_line(count: int, metres: int) -> None:
    """New drivers, each so many metres north of the one before."""
    for number in range(count):
        stand_by(make_driver(f"+62812000001{number:02}", f"Driver {number}"), north_of(MONAS, metres * number))


def look(passenger: User, metres: float = 0, **more: Any) -> Finder:
    """Let somebody search from so many metres north of the monument."""
    place = north_of(MONAS, metres)
    finder_update(user_id=passenger.pk, is_active=True, location=place, target_location=BLOK_M, **more)
    return open_finder(passenger)


def end_of_window() -> int:
    """Let all that is open have waited for a window, and end it."""
    Finder.objects.update(due_at=timezone.now() - WINDOW)
    return timers.run_due()


def pairs() -> set[tuple[User, User]]:
    """Who was offered to whom, and may still answer."""
    return {(offer.driver, offer.passenger) for offer in Match.objects.filter(status__in=OPEN_MATCH)}


def crowd(count: int) -> tuple[list[User], list[User]]:
    """So many drivers, who stand by around the monument, and passengers."""
    rng = random.Random(count)
    drivers = [make_driver(f"+62812001{n:05}", f"Driver {n}") for n in range(count)]
    for driver in drivers:
        stand_by(driver, north_of(MONAS, rng.randrange(3000)))
    return drivers, [make_user(f"+62813001{n:05}", f"Passenger {n}") for n in range(count)]


def test_the_ways_are_shortest_together(dewi: User, joko: User, putri: User, sari: User) -> None:
    """The first passenger leaves the nearest driver to the one who has no other."""
    stand_by(dewi, north_of(MONAS, 100))
    stand_by(joko, north_of(MONAS, -800))
    look(putri)
    look(sari, 300)
    assert pairs() == set()
    assert end_of_window() == 2
    assert pairs() == {(joko, putri), (dewi, sari)}
    candidate = Candidate.objects.get(driver=dewi, finder__passenger=putri)
    assert candidate.outcome == "other_search"


def test_a_search_waits_for_the_end_of_its_window(dewi: User, putri: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told at once that the search is on, the passenger gets offers when the window ends, and not later."""
    stand_by(dewi)
    finder = look(putri)
    assert told_types(putri) == ["finder_update"]
    assert finder.attempts == 0
    due = timers.next_due()
    assert due == window_after(finder.due_at)
    assert due - finder.created_at <= WINDOW
    just_before = due - timedelta(microseconds=1)
    for now, done in ((just_before, 0), (due, 1), (due, 0)):
        monkeypatch.setattr(timers, "database_now", lambda now=now: now)
        monkeypatch.setattr("common.clock.now", lambda now=now: now)
        assert timers.run_due() == done
    assert pairs() == {(dewi, putri)}
    assert open_finder(putri).attempts == 1
    assert SearchAttempt.objects.get().number == 1


@pytest.mark.parametrize("window", ["0.3", "2", "7", "60"])
def test_windows_follow_each_other(settings: Any, window: str) -> None:
    """Every moment is in one; its end is where the next one begins, on any machine."""
    settings.MATCH_WINDOW = timedelta(seconds=float(window))
    rng = random.Random(window)
    for _ in range(100):
        now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=rng.randrange(10**13))
        begun = window_begun(now)
        assert begun <= now < begun + settings.MATCH_WINDOW
        assert window_after(begun) == begun
        assert window_after(begun + timedelta(microseconds=1)) == begun + settings.MATCH_WINDOW


def test_without_windows_all_is_at_once(dewi: User, putri: User, settings: Any) -> None:
    """0 is the default: a moment is its own window."""
    settings.MATCH_WINDOW = timedelta()
    stand_by(dewi)
    finder = look(putri)
    assert pairs() == {(dewi, putri)}
    assert window_begun(finder.due_at) == window_after(finder.due_at) == finder.due_at


def test_scipy_is_for_windows_alone() -> None:
    """A process that matches without windows does not load it."""
    code = (
        "import sys, django; django.setup(); import rides.timers, nebengjek.asgi; "
        "sys.exit('scipy' in sys.modules or 'numpy' in sys.modules)"
    )
    env = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": f"{BASE_DIR}/clients/python/src"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=BASE_DIR, env=env)


def test_more_passengers_than_drivers(dewi: User, putri: User, sari: User, tono: User) -> None:
    """The nearest gets the only driver; the others stay in the next windows, and one of them gets the next driver."""
    stand_by(dewi, north_of(MONAS, 1000))
    look(putri)
    look(sari, 900)
    look(tono, 200)
    assert end_of_window() == 3
    assert pairs() == {(dewi, sari)}
    joko = make_driver("+6281200000099", "Joko")
    stand_by(joko)
    assert end_of_window() == 3
    assert pairs() == {(dewi, sari), (joko, putri)}
    assert {finder.attempts for finder in Finder.objects.all()} == {1}


def test_waiting_has_a_price(dewi: User, putri: User, sari: User) -> None:
    """Who has waited a minute longer goes before somebody who is a little nearer."""
    stand_by(dewi, north_of(MONAS, 200))
    look(putri)
    look(sari, 100)
    Finder.objects.filter(passenger=putri).update(created_at=timezone.now() - timedelta(minutes=1))
    end_of_window()
    assert pairs() == {(dewi, putri)}


def test_more_drivers_than_passengers(putri: User, sari: User, settings: Any) -> None:
    """With drivers enough each search asks as many as without windows, and none is asked twice."""
    settings.MATCH_MAX_DRIVERS = 5
    stand_in_line(11, 50)
    look(putri)
    look(sari, 500)
    end_of_window()
    asked = [offer.driver for offer in Match.objects.all()]
    assert len(asked) == len(set(asked)) == 10
    assert {Match.objects.filter(passenger=one).count() for one in (putri, sari)} == {5}
    assert end_of_window() == 2
    assert Match.objects.count() == 10


def test_every_search_gets_one_driver_before_any_gets_two(putri: User, sari: User, settings: Any) -> None:
    """Also where all drivers are nearer to one of them."""
    settings.MATCH_MAX_DRIVERS = 5
    stand_in_line(3, 10)
    look(putri)
    look(sari, 4000)
    end_of_window()
    assert sorted(Match.objects.filter(passenger=one).count() for one in (putri, sari)) == [1, 2]


def test_nobody_drives(putri: User, sari: User) -> None:
    """Searches without any driver end as they do without windows: after all attempts."""
    look(putri)
    look(sari)
    for _ in range(3):
        assert end_of_window() == 2
        Finder.objects.update(attempt_ends_at=timezone.now())
    assert end_of_window() == 2
    kind, data = told(putri)[-1]
    assert (kind, data["is_active"], data["reason"]) == ("finder_update", False, "no_driver")
    assert end_of_window() == 0


def test_a_driver_who_declines_is_not_asked_again(dewi: User, joko: User, putri: User) -> None:
    """The next one is, at the end of the next window."""
    stand_by(dewi)
    look(putri)
    end_of_window()
    match_confirm(user_id=dewi.pk, match_id=Match.objects.get().pk, accepted=False)
    stand_by(joko, north_of(MONAS, 500))
    assert timers.run_due() == 0
    end_of_window()
    assert pairs() == {(joko, putri)}
    assert open_finder(putri).attempts == 2


def test_a_cancelled_search_gets_nothing(dewi: User, putri: User, sari: User) -> None:
    """Who cancels in mid-window leaves the driver to the others; staff read why nobody was asked."""
    stand_by(dewi)
    look(putri)
    look(sari, 500)
    finder_update(user_id=putri.pk, is_active=False)
    assert end_of_window() == 1
    assert pairs() == {(dewi, sari)}
    found = explain(Finder.objects.get(passenger=putri))
    assert (found.cause, found.attempts) == ("not_begun", [])
    assert "before drivers were asked" in found.sentence


def test_a_moved_search_is_matched_from_its_new_place(dewi: User, joko: User, putri: User) -> None:
    """In the same window, and only once."""
    stand_by(dewi)
    stand_by(joko, north_of(MONAS, 2000))
    look(putri)
    look(putri, 2000)
    assert end_of_window() == 1
    assert pairs() == {(joko, putri)}


def block(one: User, other: User) -> None:
    """Let somebody never want to ride with somebody again."""
    Block.objects.create(blocker=one, blocked=other, created_at=timezone.now())


def planned_then(act: Any) -> None:
    """Plan the window, let something happen, and act by the plan."""
    finders = list(Finder.objects.filter(status="OPEN"))
    Finder.objects.update(due_at=timezone.now() - WINDOW)
    made = plan(finders, timezone.now())
    assert all(any(decision.is_offered for decision in made[finder.pk]) for finder in finders)
    act()
    for finder in finders:
        finder_continue(finder_id=finder.pk, due_by=window_begun(timezone.now()), planned=made[finder.pk])


CHANGES: dict[str, Callable[[User, User], object]] = {
    "switched_off": lambda driver, _passenger: beacon_update(user_id=driver.pk, is_active=False),
    "not_approved": lambda driver, _passenger: Driver.objects.filter(pk=driver.pk).update(approval="refused"),
    "blocked": block,
    "moved": lambda _driver, passenger: look(passenger, 50),
    "cancelled": lambda _driver, passenger: finder_update(user_id=passenger.pk, is_active=False),
    "by_a_service": lambda driver, passenger: match_adopt(
        proposal=Proposal(match_id=UUID(int=7), driver_id=driver.pk, passenger_id=passenger.pk)
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_after_the_plan_counts(change: str, dewi: User, putri: User) -> None:
    """Between plan and offer the driver or the passenger may leave, block the other or be matched by others."""
    stand_by(dewi)
    look(putri)
    planned_then(lambda: CHANGES[change](dewi, putri))
    assert [offer.pk for offer in Match.objects.all()] == ([UUID(int=7)] if change == "by_a_service" else [])


def test_a_driver_taken_after_the_plan_is_not_asked(dewi: User, putri: User, sari: User) -> None:
    """Another search was faster; this one goes on in the next window."""
    stand_by(dewi)
    look(putri)
    planned_then(lambda: book_greedily(dewi, sari))
    assert Match.objects.filter(passenger=putri).count() == 0
    assert Candidate.objects.get(finder__passenger=putri).outcome == "has_an_offer"
    assert open_finder(putri).attempts == 1


def book_greedily(driver: User, passenger: User) -> None:
    """Let another process, of an earlier release, match without windows."""
    with override_settings(MATCH_WINDOW=timedelta()):
        book(driver, passenger)


def test_an_offer_of_a_service_before_the_window_ends(dewi: User, joko: User, putri: User, settings: Any) -> None:
    """It stands beside those of the first attempt, which lasts at least as long."""
    settings.MATCH_MAX_DRIVERS = 2
    stand_by(dewi)
    stand_by(joko)
    look(putri)
    assert match_adopt(proposal=Proposal(match_id=UUID(int=7), driver_id=dewi.pk, passenger_id=putri.pk))
    end_of_window()
    assert pairs() == {(dewi, putri), (joko, putri)}
    finder = open_finder(putri)
    assert finder.attempts == 1
    assert finder.attempt_ends_at >= max(offer.expires_at for offer in Match.objects.all()) - timedelta(seconds=1)


@pytest.mark.parametrize("why", ["vehicle", "blocked", "riding", "beacon", "offline", "papers"])
def test_who_cannot_be_asked_is_not_planned(why: str, dewi: User, joko: User, putri: User, sari: User) -> None:
    """The same reasons count as without windows, and are kept for staff."""
    stand_by(dewi)
    stand_by(joko, north_of(MONAS, 900))
    outcomes = {"vehicle": "other_vehicle", "blocked": "blocked", "riding": "has_a_ride", "beacon": "beacon_off",
                "offline": "not_connected", "papers": "not_approved"}  # fmt: skip
    match why:
        case "vehicle":
            Driver.objects.filter(pk=dewi.pk).update(vehicle_type="car")
        case "blocked":
            block(putri, dewi)
        case "riding":
            book_greedily(dewi, sari)
        case "beacon":
            beacon_update(user_id=dewi.pk, is_active=False)
        case "offline":
            process.reset()
            stand_by(joko, north_of(MONAS, 900))
            see(dewi, MONAS)
        case "papers":
            Driver.objects.filter(pk=dewi.pk).update(approval="refused")
    look(putri, vehicle_type="motorcycle")
    end_of_window()
    assert (joko, putri) in pairs()
    assert Candidate.objects.get(finder__passenger=putri, driver=dewi).outcome == outcomes[why]


def test_a_silent_phone_is_hedged(dewi: User, joko: User, putri: User) -> None:
    """An offer without a receipt stays open, and the next driver is asked beside it."""
    stand_by(dewi)
    stand_by(joko, north_of(MONAS, 900))
    DeviceReceipt.objects.create(user=dewi, seq=1, received_at=timezone.now())
    look(putri)
    end_of_window()
    assert pairs() == {(dewi, putri)}
    Match.objects.update(receipt_due_at=timezone.now())
    end_of_window()
    assert pairs() == {(dewi, putri), (joko, putri)}
    assert Match.objects.get(driver=dewi).unreachable_at is not None


def test_drivers_who_ignore_offers_come_later(dewi: User, joko: User, putri: User) -> None:
    """What they ignored counts as way here too."""
    stand_by(dewi)
    stand_by(joko, north_of(MONAS, 400))
    Beacon.objects.filter(driver=dewi).update(ignored_offers=2, ignored_at=timezone.now())
    look(putri)
    end_of_window()
    assert pairs() == {(joko, putri)}


@pytest.mark.parametrize("most", [0, 1, 2])
def test_no_driver_has_too_many_offers(most: int, dewi: User, settings: Any) -> None:
    """One driver and three passengers: as many offers as a driver may have."""
    settings.MATCH_MAX_OPEN_OFFERS = most
    stand_by(dewi)
    for passenger in crowd(3)[1]:
        look(passenger)
    Beacon.objects.exclude(driver=dewi).update(is_active=False)
    for _ in range(3):
        end_of_window()
        assert len(pairs()) == (most or 3)


def test_equal_distances_always_end_alike(putri: User, sari: User, tono: User) -> None:
    """All drivers at one place, all passengers at one moment: the order in which they are read decides nothing."""
    for number in range(3):
        stand_by(make_driver(f"+628120000010{number}", f"Driver {number}"), north_of(MONAS, 100))
    finders = [look(passenger) for passenger in (putri, sari, tono)]
    now = timezone.now()
    Finder.objects.update(created_at=now)
    found = set()
    for order in permutations(Finder.objects.filter(pk__in=[finder.pk for finder in finders])):
        made = plan([Finder.objects.get(pk=finder.pk) for finder in order], now)
        found.add(tuple(next(one.driver_id for one in made[finder.pk] if one.is_offered) for finder in finders))
    assert len(found) == 1
    assert len(set(*found)) == 3


def best(costs: list[dict[UUID, float]], taken: frozenset[UUID] = frozenset()) -> tuple[int, float]:
    """The most pairs and the least sum (negative, so that more is better), by trying everything."""
    if not costs:
        return 0, 0.0
    first, rest = costs[0], costs[1:]
    tries = [best(rest, taken)]
    for column, cost in first.items():
        if column not in taken:
            count, total = best(rest, taken | {column})
            tries.append((count + 1, total - cost))
    return max(tries)


@pytest.mark.parametrize("seed", range(30))
def test_no_assignment_is_better(seed: int) -> None:
    """Beside one that tries everything: holes, ties, costs below 0, more rows than columns and the reverse."""
    rng = random.Random(seed)
    columns = [UUID(int=number) for number in range(rng.randint(0, 5))]
    costs = [
        {column: float(rng.randint(-3, 3)) for column in columns if rng.random() < 0.7}
        for _ in range(rng.randint(0, 5))
    ]
    made = assign(costs)
    assert len({row for row, _ in made}) == len({column for _, column in made}) == len(made)
    assert (len(made), -sum(costs[row][column] for row, column in made)) == best(costs)


def test_a_full_batch_is_assigned_in_time() -> None:
    """The largest there can be, with a place of its own for each search: half a minute would hold up all timers."""
    rng = random.Random(1)
    costs = [
        {UUID(int=row * MOST_DRIVERS + number): rng.random() for number in range(MOST_DRIVERS)}
        for row in range(timers.BATCH)
    ]
    began = timezone.now()
    assert len(assign(costs)) == timers.BATCH
    assert (timezone.now() - began).total_seconds() < 10


@pytest.mark.django_db
def test_a_plan_reads_by_a_few_statements(django_assert_max_num_queries: Any) -> None:
    """However many searches there are; and more than one batch is matched in one window."""
    _, passengers = crowd(12)
    for number, passenger in enumerate(passengers):
        look(passenger, 250 * number)
    finders = list(Finder.objects.all())
    with django_assert_max_num_queries(4):
        made = plan(finders, timezone.now())
    asked = [decision.driver_id for decisions in made.values() for decision in decisions if decision.is_offered]
    assert len(set(asked)) == len(asked) == 12


@pytest.mark.django_db
def test_more_than_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one look does not take, the next one does, in the same window."""
    monkeypatch.setattr(timers, "BATCH", 5)
    _, passengers = crowd(12)
    for passenger in passengers:
        look(passenger)
    assert [end_of_window(), timers.run_due(), timers.run_due(), timers.run_due()] == [5, 5, 2, 0]
    assert len(pairs()) == 12


def test_without_a_plan_each_looks_for_itself(
    dewi: User, putri: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of the assignment holds up nobody."""

    def fails(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(windows, "assign", fails)
    stand_by(dewi)
    look(putri)
    assert end_of_window() == 1
    assert pairs() == {(dewi, putri)}
    assert "could not be matched together" in caplog.text


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("survived", range(3))
def test_a_process_that_dies_loses_no_search(survived: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the plan, between two searches or within one: another process goes on with the rest in the same window."""
    _, passengers = crowd(3)
    for passenger in passengers:
        look(passenger)
    made: list[Finder] = []
    really = offers_services.candidates_record

    def dies(finder: Finder, *rest: Any) -> None:
        if len(made) == survived:
            raise Killed
        made.append(finder)
        really(finder, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(offers_services, "candidates_record", dies)
        with pytest.raises(Killed):
            end_of_window()
    assert len(pairs()) == survived
    assert timers.run_due() == 3 - survived
    assert len(pairs()) == 3
    assert {finder.attempts for finder in Finder.objects.all()} == {1}
    assert timers.run_due() == 0


@pytest.fixture
def _real_threads(transactional_db: None) -> None:
    if not connection.features.has_select_for_update:
        pytest.skip("SQLite has one process.")


@pytest.mark.usefixtures("_real_threads")
@pytest.mark.parametrize("limit", [1, 2])
def test_processes_that_match_at_once_keep_the_limit(limit: int, settings: Any) -> None:
    """Each plans and acts; no driver has more offers than allowed, and no search is looked at twice."""
    settings.MATCH_MAX_OPEN_OFFERS, settings.MATCH_MAX_DRIVERS = limit, 3
    drivers, passengers = crowd(6)
    for passenger in passengers:
        look(passenger)
    Finder.objects.update(due_at=timezone.now() - WINDOW)
    together = Barrier(3)

    def run(_: int) -> int:
        try:
            together.wait()
            return timers.run_due()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, range(3)))
    assert timers.run_due() == 0
    for driver in drivers:
        assert Match.objects.filter(driver=driver).count() <= limit
    assert {finder.attempts for finder in Finder.objects.all()} == {1}
    assert SearchAttempt.objects.count() == 6
    without = Finder.objects.exclude(passenger__in=Match.objects.values("passenger"))
    assert set(without.values_list("status", flat=True)) <= {"OPEN"}, "the others were quicker, so it goes on"
    assert without.count() <= 6 - len(drivers) / settings.MATCH_MAX_DRIVERS
