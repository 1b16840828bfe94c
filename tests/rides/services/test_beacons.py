import pytest

from common.errors import ValidationFailed
from rides.models import Beacon, Match
from rides.positions import positions
from rides.services.beacons import beacon_update
from tests.cast import MONAS, propose, told, told_types
from users.models import User


def test_a_driver_turns_his_beacon_on_and_off(dewi: User) -> None:
    beacon_update(user_id=dewi.pk, is_active=True)
    assert Beacon.objects.get(driver=dewi).is_active
    beacon_update(user_id=dewi.pk, is_active=False)
    assert not Beacon.objects.get(driver=dewi).is_active
    assert [data["is_active"] for _, data in told(dewi)] == [True, False]


def test_turning_on_what_is_on_tells_nobody(dewi: User) -> None:
    beacon_update(user_id=dewi.pk, is_active=True)
    beacon_update(user_id=dewi.pk, is_active=True)
    beacon_update(user_id=dewi.pk, is_active=False)
    beacon_update(user_id=dewi.pk, is_active=False)
    assert told_types(dewi) == ["beacon_update", "beacon_update"]


@pytest.mark.django_db(transaction=True)
def test_a_position_given_with_the_beacon_counts(dewi: User) -> None:
    beacon_update(user_id=dewi.pk, is_active=True, latitude=MONAS.latitude, longitude=MONAS.longitude)
    last = positions().last(dewi.pk)
    assert last is not None
    assert last.point == MONAS


@pytest.mark.parametrize("half", ["latitude", "longitude"])
def test_half_a_position_is_refused_and_changes_nothing(dewi: User, half: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        beacon_update(user_id=dewi.pk, is_active=True, **{half: 1.0})
    assert caught.value.field == ({"latitude", "longitude"} - {half}).pop()
    assert not Beacon.objects.filter(driver=dewi).exists()


def test_turning_the_beacon_off_withdraws_the_driver_from_open_proposals(dewi: User, putri: User) -> None:
    match = propose(dewi, putri)
    beacon_update(user_id=dewi.pk, is_active=False)
    match.refresh_from_db()
    assert (match.status, match.reason) == ("REJECTED", "cancelled")
    for user in (dewi, putri):
        assert [data["reason"] for kind, data in told(user) if kind == "match_rejected"] == ["cancelled"]
    assert Match.objects.count() == 1
