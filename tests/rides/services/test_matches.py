from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from common.errors import ValidationFailed
from rides.models import Finder, FinderStatus, Match, Ride
from rides.services.finders import finder_update
from rides.services.matches import match_confirm, match_expire
from tests.cast import BLOK_M, MONAS, book, propose, stand_by, told, told_types
from users.models import User
from users.services import user_deactivate


def yes(user: User, match: Match) -> None:
    match_confirm(user_id=user.pk, match_id=match.pk, accepted=True)


def test_one_side_confirms_and_both_are_told(dewi: User, putri: User) -> None:
    match = propose(dewi, putri)
    yes(putri, match)
    match.refresh_from_db()
    assert match.status == "PASSENGER_CONFIRMED"
    for user in (dewi, putri):
        kind, data = told(user)[-1]
        assert (kind, data["match_status"]) == ("match_confirm", "PASSENGER_CONFIRMED")
    assert not Ride.objects.exists()


@pytest.mark.parametrize("driver_first", [True, False])
def test_both_confirm_and_the_ride_exists(dewi: User, putri: User, driver_first: bool) -> None:
    match = propose(dewi, putri)
    for user in (dewi, putri) if driver_first else (putri, dewi):
        yes(user, match)
    ride = Ride.objects.get()
    assert (ride.driver, ride.passenger, ride.status, ride.match) == (dewi, putri, "PICKUP", match)
    assert told_types(putri)[-3:] == ["match_confirm", "match_confirm", "ride_pickup"]
    assert told(dewi)[-1] == told(putri)[-1]
    data = told(dewi)[-1][1]
    assert (data["ride_id"], data["match_id"]) == (str(ride.pk), str(match.pk))
    assert Finder.objects.get().status == FinderStatus.MATCHED


def test_an_accepted_match_ends_all_other_proposals_of_both(
    dewi: User, joko: User, putri: User, sari: User, settings: Any
) -> None:
    settings.MATCH_MAX_OPEN_OFFERS = 0
    stand_by(dewi)
    stand_by(joko)
    for passenger in (putri, sari):
        finder_update(user_id=passenger.pk, is_active=True, location=MONAS, target_location=BLOK_M)
    match = Match.objects.get(driver=dewi, passenger=putri)
    yes(dewi, match)
    yes(putri, match)
    others = {(m.driver, m.passenger): (m.status, m.reason) for m in Match.objects.exclude(pk=match.pk)}
    assert others == {
        (joko, putri): ("REJECTED", "taken"),
        (dewi, sari): ("REJECTED", "taken"),
        (joko, sari): ("PENDING", ""),
    }
    assert [data["reason"] for kind, data in told(sari) if kind == "match_rejected"] == ["taken"]
    assert [data["reason"] for kind, data in told(joko) if kind == "match_rejected"] == ["taken"]


@pytest.mark.parametrize("decliner", ["dewi", "putri"])
def test_either_side_may_decline_also_after_the_other_has_confirmed(dewi: User, putri: User, decliner: str) -> None:
    match = propose(dewi, putri)
    other, user = (putri, dewi) if decliner == "dewi" else (dewi, putri)
    yes(other, match)
    match_confirm(user_id=user.pk, match_id=match.pk, accepted=False)
    match.refresh_from_db()
    assert (match.status, match.reason) == ("REJECTED", "declined")
    assert told(dewi)[-1] == told(putri)[-1]
    assert told(dewi)[-1][1]["reason"] == "declined"


def test_a_strangers_match_and_one_that_does_not_exist_sound_the_same(dewi: User, putri: User, tono: User) -> None:
    match = propose(dewi, putri)
    messages = set()
    for match_id in (match.pk, uuid4()):
        with pytest.raises(ValidationFailed) as caught:
            match_confirm(user_id=tono.pk, match_id=match_id, accepted=True)
        messages.add(caught.value.message)
    assert len(messages) == 1
    match.refresh_from_db()
    assert match.status == "PENDING"
    assert told(tono) == []


def test_nobody_accepts_twice(dewi: User, putri: User) -> None:
    match = propose(dewi, putri)
    yes(dewi, match)
    with pytest.raises(ValidationFailed, match="already"):
        yes(dewi, match)


def test_what_was_decided_stays_decided(dewi: User, putri: User) -> None:
    match = propose(dewi, putri)
    match_confirm(user_id=dewi.pk, match_id=match.pk, accepted=False)
    for answer in (True, False):
        with pytest.raises(ValidationFailed, match="decided already: declined"):
            match_confirm(user_id=putri.pk, match_id=match.pk, accepted=answer)


def test_an_expired_proposal_cannot_be_accepted_even_before_it_is_cleared_away(dewi: User, putri: User) -> None:
    match = propose(dewi, putri)
    Match.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(ValidationFailed, match="expired"):
        yes(dewi, match)


def test_a_proposal_that_nobody_answered_expires_for_both(dewi: User, putri: User) -> None:
    match = propose(dewi, putri)
    assert match_expire(match_id=match.pk)
    for user in (dewi, putri):
        assert told(user)[-1][1]["reason"] == "expired"
    assert not match_expire(match_id=match.pk)
    assert told_types(dewi).count("match_rejected") == 1


def test_a_driver_with_a_ride_cannot_be_booked_again(dewi: User, putri: User, sari: User) -> None:
    match = propose(dewi, sari)
    Match.objects.filter(pk=match.pk).update(status="REJECTED")  # keep it away from the first booking
    book(dewi, putri)
    Match.objects.filter(pk=match.pk).update(status="PASSENGER_CONFIRMED")
    with pytest.raises(ValidationFailed, match="driver has a current ride"):
        yes(dewi, match)
    assert Ride.objects.count() == 1
    match.refresh_from_db()
    assert match.status == "PASSENGER_CONFIRMED"


def test_a_passenger_with_an_unpaid_ride_cannot_be_booked_again(dewi: User, joko: User, putri: User) -> None:
    match = propose(joko, putri)
    Match.objects.filter(pk=match.pk).update(status="REJECTED")
    Finder.objects.update(status="CANCELLED")
    from tests.cast import arrive

    arrive(dewi, putri)
    Match.objects.filter(pk=match.pk).update(status="PASSENGER_CONFIRMED")
    with pytest.raises(ValidationFailed, match="passenger has a current ride"):
        yes(joko, match)


@pytest.mark.parametrize("gone", ["dewi", "putri"])
def test_nobody_gets_a_ride_with_somebody_who_was_shut_out(dewi: User, putri: User, gone: str) -> None:
    match = propose(dewi, putri)
    gone_user, other = (dewi, putri) if gone == "dewi" else (putri, dewi)
    yes(gone_user, match)
    user_deactivate(user_id=gone_user.pk)
    with pytest.raises(ValidationFailed, match="not available any more"):
        yes(other, match)
    assert not Ride.objects.exists()


def test_one_press_makes_a_ride(dewi: User, putri: User) -> None:
    """With auto-accept the driver's yes is enough, while the passenger's app sleeps."""
    stand_by(dewi)
    finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=BLOK_M, auto_accept=True)
    match = Match.objects.get()
    yes(dewi, match)
    match.refresh_from_db()
    assert match.status == "ACCEPTED"
    assert Ride.objects.get().status == "PICKUP"
    assert told_types(putri) == ["finder_update", "match_proposal", "match_confirm", "ride_pickup"]
    assert told(putri)[2][1]["match_status"] == "ACCEPTED"


def test_auto_accept_takes_the_first_of_two_drivers(dewi: User, joko: User, putri: User) -> None:
    """The second yes comes too late, and says so."""
    stand_by(dewi)
    stand_by(joko)
    finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=BLOK_M, auto_accept=True)
    first, second = Match.objects.get(driver=joko), Match.objects.get(driver=dewi)
    yes(joko, first)
    with pytest.raises(ValidationFailed, match="taken"):
        yes(dewi, second)
    assert Ride.objects.get().driver == joko


def test_auto_accept_is_the_passengers_word_only(dewi: User, putri: User) -> None:
    """The driver decides for themself; a passenger who confirms anyway waits for that."""
    stand_by(dewi)
    finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=BLOK_M, auto_accept=True)
    match = Match.objects.get()
    yes(putri, match)
    match.refresh_from_db()
    assert match.status == "PASSENGER_CONFIRMED"
    match_confirm(user_id=dewi.pk, match_id=match.pk, accepted=False)
    assert not Ride.objects.exists()


def test_who_comes_is_said_when_both_have_confirmed(dewi: User, putri: User) -> None:
    """Nobody is named in an offer; with the ride both are."""
    book(dewi, putri)
    events = dict(told(putri))
    assert not {"driver", "passenger"} & set(events["match_proposal"])
    for kind in ("match_confirm", "ride_pickup"):
        assert events[kind]["driver"] == {
            "full_name": "Dewi",
            "vehicle_type": "motorcycle",
            "vehicle_plate": "B 1234 XYZ",
        }
        assert events[kind]["passenger"] == {"full_name": "Putri"}
    confirmed = [data for kind, data in told(dewi) if kind == "match_confirm"]
    assert ["driver" in data for data in confirmed] == [False, True]
