from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from rides import timers
from rides.models import Finder, Match, MatchStatus, Ride
from rides.services.matches import match_expire
from tests.cast import book, propose, stand_by, start, told, told_types
from users.models import User


@pytest.fixture
def expired(dewi: User, joko: User, putri: User, sari: User) -> tuple[Match, Match]:
    """Two offers that nobody has answered in time, the one that comes first before the other."""
    first, second = propose(dewi, putri), propose(joko, sari)
    for seconds, match in ((1, first), (0, second)):
        Match.objects.filter(pk=match.pk).update(expires_at=timezone.now() - timedelta(seconds=seconds))
    Finder.objects.update(due_at=timezone.now() + timedelta(hours=1))
    return first, second


def test_nothing_is_done_before_its_time(dewi: User, putri: User) -> None:
    propose(dewi, putri)
    assert timers.run_due() == 0


def test_what_is_due_expires_and_the_search_goes_on(dewi: User, joko: User, putri: User) -> None:
    propose(dewi, putri)
    stand_by(joko)
    Match.objects.update(expires_at=timezone.now())
    assert timers.run_due() == 1
    assert timers.run_due() == 1
    assert told_types(putri)[-2:] == ["match_rejected", "match_proposal"]
    assert told(joko)[-1][0] == "match_proposal"
    assert timers.run_due() == 0


def test_one_that_fails_does_not_keep_the_others_waiting(
    expired: tuple[Match, Match], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = expired

    def fails_first(*, match_id: object) -> bool:
        if match_id == first.pk:
            raise RuntimeError("broken")
        return match_expire(match_id=match_id)  # type: ignore[arg-type]

    monkeypatch.setattr(timers, "match_expire", fails_first)
    timers.run_due()
    assert Match.objects.get(pk=second.pk).reason == "expired"
    assert Match.objects.get(pk=first.pk).status == "PENDING"


def test_many_that_fail_starve_nobody(expired: tuple[Match, Match], monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole batch of them is left alone for a while, in which others have their turn; then it is tried again."""
    first, second = expired
    tried: list[object] = []

    def fails(*, match_id: object) -> bool:
        tried.append(match_id)
        raise RuntimeError("broken")

    monkeypatch.setattr(timers, "match_expire", fails)
    monkeypatch.setattr(timers, "BATCH", 1)
    for _ in range(3):
        assert timers.run_due() == 0
    assert tried == [first.pk, second.pk]
    monkeypatch.setattr(timers, "RETRY_AFTER", 0.0)
    timers.run_due()
    assert tried[2:] == [first.pk]


def test_an_outage_is_no_fault_of_a_row(expired: tuple[Match, Match], monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the round, without a traceback for each row; a row that somebody holds lets the others go first."""
    first, second = expired

    def is_held(*, match_id: object) -> bool:
        if match_id == first.pk:
            raise OperationalError("canceling statement due to lock timeout")
        return match_expire(match_id=match_id)  # type: ignore[arg-type]

    monkeypatch.setattr(timers, "match_expire", is_held)
    with pytest.raises(OperationalError):
        timers.run_due()
    assert timers.run_due() == 1
    assert Match.objects.get(pk=second.pk).reason == "expired"


def test_a_ride_that_does_not_start_is_cancelled(dewi: User, putri: User) -> None:
    """After `PICKUP_TIMEOUT` both are free again, by the system's doing."""
    ride = book(dewi, putri)
    assert timers.run_due() == 0
    Ride.objects.update(created_at=timezone.now() - timedelta(minutes=30, seconds=1))
    assert timers.run_due() == 1
    ride.refresh_from_db()
    assert (ride.status, ride.cancelled_by) == ("CANCELLED", "system")
    assert told(putri)[-1][1]["cancelled_by"] == "system"
    assert timers.run_due() == 0


def test_a_ride_under_way_takes_as_long_as_it_takes(dewi: User, putri: User) -> None:
    """Only a ride that has not started has a deadline."""
    start(dewi, putri)
    Ride.objects.update(created_at=timezone.now() - timedelta(hours=5))
    assert timers.run_due() == 0
    assert Ride.objects.get().status == "ONGOING"


@pytest.mark.django_db
def test_a_fast_clock_ends_no_offer(dewi: User, putri: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dispatcher an hour ahead leaves what is not due by the database's clock."""
    propose(dewi, putri)
    now = timezone.now()
    ahead = timezone.now() + timedelta(hours=1)
    monkeypatch.setattr(timers, "database_now", lambda: now)
    monkeypatch.setattr("django.utils.timezone.now", lambda: ahead)
    assert timers.run_due() == 0
    assert Match.objects.get().status == MatchStatus.PENDING
