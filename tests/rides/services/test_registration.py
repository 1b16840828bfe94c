from collections.abc import Callable

import pytest

from common.errors import Conflict
from events.models import OutboxEvent
from rides.models import Beacon
from rides.services.finders import finder_update
from rides.services.registration import driver_change_vehicle, driver_register, driver_unregister
from tests.cast import BLOK_M, MONAS, book, propose, start
from users.models import Driver, User


def register(user: User) -> User:
    return driver_register(user_id=user.pk, vehicle_type="car", vehicle_plate="B 1 X")


def test_a_passenger_becomes_a_driver_and_older_tokens_end(putri: User) -> None:
    user = register(putri)
    assert (user.role, user.token_version, user.driver.vehicle_plate) == ("driver", 1, "B 1 X")
    assert OutboxEvent.objects.get().data == {"user_id": str(putri.pk), "token_version": 1}


def test_a_driver_registers_once(dewi: User) -> None:
    with pytest.raises(Conflict):
        register(dewi)


def test_nobody_becomes_a_driver_while_looking_for_one(putri: User) -> None:
    finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=BLOK_M)
    with pytest.raises(Conflict, match="finder"):
        register(putri)


def test_nobody_becomes_a_driver_during_a_ride(dewi: User, putri: User) -> None:
    book(dewi, putri)
    with pytest.raises(Conflict, match="current ride"):
        register(putri)
    putri.refresh_from_db()
    assert putri.role == "passenger"


def test_a_driver_drives_another_vehicle(dewi: User, putri: User) -> None:
    """The tokens stay good; offers for the old one are withdrawn."""
    match = propose(dewi, putri)
    user = driver_change_vehicle(user_id=dewi.pk, vehicle_type="car", vehicle_plate="B 2 Y")
    assert (user.role, user.token_version, user.driver.vehicle_type, user.driver.vehicle_plate) == (
        "driver",
        0,
        "car",
        "B 2 Y",
    )
    match.refresh_from_db()
    assert (match.status, match.reason) == ("REJECTED", "cancelled")


def test_a_driver_becomes_a_passenger_again(dewi: User, putri: User) -> None:
    """Beacon and offers end, and so do the older tokens; a vehicle can be registered again."""
    match = propose(dewi, putri)
    driver_unregister(user_id=dewi.pk)
    dewi.refresh_from_db()
    match.refresh_from_db()
    assert (dewi.role, dewi.token_version, match.reason) == ("passenger", 1, "cancelled")
    assert not Beacon.objects.filter(is_active=True).exists()
    assert not Driver.objects.filter(user=dewi).exists()
    assert register(dewi).role == "driver"


@pytest.mark.parametrize("stage", [book, start])
def test_nobody_changes_vehicles_on_a_ride(dewi: User, putri: User, stage: Callable[[User, User], object]) -> None:
    """Neither to another nor to none."""
    stage(dewi, putri)
    with pytest.raises(Conflict, match="current ride"):
        driver_change_vehicle(user_id=dewi.pk, vehicle_type="car", vehicle_plate="B 2 Y")
    with pytest.raises(Conflict, match="current ride"):
        driver_unregister(user_id=dewi.pk)
    dewi.refresh_from_db()
    assert (dewi.role, dewi.driver.vehicle_type) == ("driver", "motorcycle")


def test_a_passenger_has_no_vehicle_to_change(putri: User) -> None:
    """Nothing is made of it."""
    with pytest.raises(Conflict):
        driver_change_vehicle(user_id=putri.pk, vehicle_type="car", vehicle_plate="B 2 Y")
    with pytest.raises(Conflict):
        driver_unregister(user_id=putri.pk)
    assert not Driver.objects.exists()
