"""A number with a new owner: what was the earlier person's is neither shown to them nor counted against them."""

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from common.errors import ValidationFailed
from realtime.delivery.history import Cursor, history
from realtime.delivery.history.memory import MemoryHistory
from realtime.models import CommandReceipt
from rides.models import Beacon, Device, DeviceReceipt, Finder, Match, Ride
from rides.services.beacons import beacon_update
from rides.services.payments import payment_process
from rides.services.relations import ride_block, ride_rate
from rides.snapshots import people_of
from tests.api import as_user
from tests.cast import arrive, propose
from tests.users.services.test_logins import enter
from users.models import Approval, Block, Driver, KnownAddress, Rating, User
from users.personal_data.base import personal_data
from users.selectors import blocked_among
from users.services import driver_update, profile_update
from users.services.drivers import driver_decide

PUSH = {"kind": "fcm", "keys": {}}


@pytest.fixture
def paid(dewi: User, putri: User) -> Ride:
    """A ride from before."""
    ride = arrive(dewi, putri)
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=0, status="ACCEPTED")
    Beacon.objects.update(is_active=False)
    return Ride.objects.get()


def take_over(user: User) -> User:
    """Somebody else logs in with the number, and says their name."""
    enter(user)
    return profile_update(user_id=user.pk, full_name="Somebody Else")


def exported(user: User) -> dict[str, Any]:
    user.refresh_from_db()
    return {name: value for part in personal_data() for name, value in part.export(user).items()}


def test_ratings_belong_to_the_person(paid: Ride, dewi: User, putri: User) -> None:
    """They begin anew, and stars for the earlier owner are not given to the new one."""
    ride_rate(user_id=putri.pk, ride_id=paid.pk, rating=1)
    dewi.refresh_from_db()
    assert (dewi.rating_sum, dewi.rating_count) == (1, 1)
    dewi = take_over(dewi)
    assert (dewi.rating_sum, dewi.rating_count, dewi.rating) == (0, 0, None)
    Rating.objects.all().delete()
    ride_rate(user_id=putri.pk, ride_id=paid.pk, rating=1)
    dewi.refresh_from_db()
    assert (dewi.rating_sum, dewi.rating_count) == (0, 0)


def test_the_same_person_keeps_everything(paid: Ride, dewi: User, putri: User) -> None:
    """A new phone is not a new owner."""
    ride_rate(user_id=putri.pk, ride_id=paid.pk, rating=4)
    ride_block(user_id=dewi.pk, ride_id=paid.pk)
    enter(dewi)
    dewi = profile_update(user_id=dewi.pk, full_name="dewi")
    assert (dewi.rating_sum, dewi.rating_count) == (4, 1)
    assert Block.objects.filter(blocker=dewi).exists()
    assert Driver.objects.get(pk=dewi.pk).vehicle_plate == "B 1234 XYZ"
    assert len(exported(dewi)["rides"]) == 1


def test_own_blocks_go_and_those_of_others_stay(paid: Ride, dewi: User, putri: User, tono: User) -> None:
    """Else another name would be a way around a block."""
    Block.objects.create(blocker=dewi, blocked=tono, created_at=timezone.now())
    ride_block(user_id=putri.pk, ride_id=paid.pk)
    take_over(dewi)
    assert blocked_among(dewi.pk, [putri.pk, tono.pk]) == {putri.pk}


def test_a_new_owner_cannot_act_on_older_rides(paid: Ride, putri: User) -> None:
    """Not rate, not block; also not before the name is confirmed."""
    enter(putri)
    for act in (ride_block, lambda **who: ride_rate(rating=5, **who)):
        with pytest.raises(ValidationFailed, match="no such ride"):
            act(user_id=putri.pk, ride_id=paid.pk)
    assert as_user(putri).get(f"/api/rides/{paid.pk}/").status_code == 404
    profile_update(user_id=putri.pk, full_name="Putri")
    ride_block(user_id=putri.pk, ride_id=paid.pk)


def test_the_other_side_does_not_learn_the_new_name(paid: Ride, dewi: User, putri: User) -> None:
    """The card of an older ride is that of the person who was on it, or of nobody."""
    take_over(dewi)
    User.objects.filter(pk=dewi.pk).update(rating_sum=25, rating_count=5)
    card = as_user(putri).get(f"/api/rides/{paid.pk}/").json()["driver"]
    assert "Somebody" not in str(card)
    card = people_of(Ride.objects.get())["driver"]
    assert (card.full_name, card.rating, card.vehicle_plate) == ("", None, "B 1234 XYZ")


def test_search_beacon_and_offers_end(dewi: User, putri: User) -> None:
    """What the earlier owner had open is not the new one's."""
    propose(dewi, putri)
    take_over(putri)
    assert (Finder.objects.get().status, Match.objects.get().reason) == ("CANCELLED", "cancelled")
    Beacon.objects.update(ignored_offers=5, ignored_at=timezone.now())
    take_over(dewi)
    assert not Beacon.objects.exists()


def test_a_driver_says_which_vehicle_it_is_now(dewi: User) -> None:
    """The plate on the card was that of the earlier owner."""
    take_over(dewi)
    with pytest.raises(ValidationFailed, match="which vehicle"):
        beacon_update(user_id=dewi.pk, is_active=True)
    driver_update(user_id=dewi.pk, vehicle_type="car", vehicle_plate="B 1 NEW")
    beacon_update(user_id=dewi.pk, is_active=True)
    assert Beacon.objects.get().is_active


def test_a_refusal_outlives_another_vehicle_and_owner(dewi: User) -> None:
    """Staff decide, not a name."""
    driver_decide(user_id=dewi.pk, approval=Approval.REFUSED, reason="x")
    take_over(dewi)
    driver_update(user_id=dewi.pk, vehicle_type="car", vehicle_plate="B 1 NEW")
    stand = Driver.objects.get(pk=dewi.pk)
    assert (stand.approval, stand.approval_reason, stand.may_drive) == ("refused", "", False)


@pytest.mark.parametrize("single", [True, False])
def test_devices_of_before_are_not_woken(putri: User, settings: Any, single: bool) -> None:
    """At the login where it ends the other devices, else once the number has another owner."""
    settings.SINGLE_DEVICE = single
    Device.objects.create(user=putri, token="old", registered_at=timezone.now(), **PUSH)
    DeviceReceipt.objects.create(user=putri, seq=9, received_at=timezone.now())
    enter(putri)
    assert Device.objects.exists() is DeviceReceipt.objects.exists() is not single
    Device.objects.create(user=putri, token="new", registered_at=timezone.now() + timedelta(seconds=1), **PUSH)
    profile_update(user_id=putri.pk, full_name="Somebody Else")
    assert list(Device.objects.values_list("token", flat=True)) == ["new"]


@pytest.mark.django_db(transaction=True)
def test_a_login_cannot_have_old_notifications_repeated(putri: User) -> None:
    """The numbers go on, so that nothing is taken for something else; what is missing is replaced by the state."""
    kept = history()
    assert isinstance(kept, MemoryHistory)
    for n in range(3):
        kept.append(putri.pk, str(n), '{"type":"ride_pickup","data":{"place":"home"}')
    enter(putri)
    reading = async_to_sync(kept.read)(putri.pk, Cursor(kept.epoch, 1))
    assert (reading.head, reading.missed) == (3, None)
    kept.append(putri.pk, "new", '{"type":"x"')
    reading = async_to_sync(kept.read)(putri.pk, Cursor(kept.epoch, 3))
    assert [one.seq for one in reading.missed or []] == [4]


def test_stored_answers_of_the_earlier_owner_go(putri: User) -> None:
    """The same `id` is another command of another person."""
    old = timezone.now() - timedelta(minutes=1)
    CommandReceipt.objects.create(user=putri, command_id="1", type="sync", digest="", answer={}, created_at=old)
    take_over(putri)
    assert not CommandReceipt.objects.exists()


def test_nothing_of_the_earlier_owner_is_given_out(paid: Ride, dewi: User, putri: User) -> None:
    """Neither by the command, nor to be guessed from where they logged in."""
    ride_rate(user_id=dewi.pk, ride_id=paid.pk, rating=3)
    KnownAddress.objects.create(user=putri, address="192.0.2.7", last_login_at=timezone.now())
    assert len(exported(putri)["rides"]) == 1
    take_over(putri)
    given = exported(putri)
    assert {name for name, value in given.items() if value} <= {"profile", "logins", "sessions", "events", "connection"}
    assert "192.0.2.7" not in str(given)
    assert not any(one["type"] == "ride_pickup" for one in given["events"])


def test_two_names_at_once_are_one_new_owner(dewi: User) -> None:
    """The second is only a change of the name."""
    since = take_over(dewi).owner_since
    Driver.objects.update(vehicle_plate="B 1 NEW")
    again = as_user(dewi).patch("/api/me/", {"full_name": "Third"}).json()
    assert (again["full_name"], again["driver"]["vehicle_plate"]) == ("Third", "B 1 NEW")
    assert User.objects.get(pk=dewi.pk).owner_since == since
