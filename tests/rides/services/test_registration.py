import pytest

from common.errors import Conflict
from events.models import OutboxEvent
from rides.services.finders import finder_update
from rides.services.registration import driver_register
from tests.cast import BLOK_M, MONAS, book
from users.models import User


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
