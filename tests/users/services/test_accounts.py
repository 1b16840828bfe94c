import pytest

from common.errors import Conflict, Unauthorized
from events.models import OutboxEvent
from users import services
from users.models import User
from users.tokens import authenticate, tokens_issue

pytestmark = pytest.mark.django_db


def test_a_profile_is_changed(putri: User) -> None:
    assert services.profile_update(user_id=putri.pk, full_name="Putri A.").full_name == "Putri A."


def test_shutting_out_and_letting_in_again(putri: User) -> None:
    token = tokens_issue(putri)["access"]
    assert services.user_deactivate(user_id=putri.pk)
    assert not services.user_deactivate(user_id=putri.pk)
    assert services.user_reactivate(user_id=putri.pk)
    assert not services.user_reactivate(user_id=putri.pk)
    with pytest.raises(Unauthorized):
        authenticate(token)
    assert OutboxEvent.objects.count() == 1


def test_a_driver_is_made_once(putri: User) -> None:
    services.driver_create(user_id=putri.pk, vehicle_type="car", vehicle_plate="B 1 X")
    with pytest.raises(Conflict):
        services.driver_create(user_id=putri.pk, vehicle_type="car", vehicle_plate="B 1 X")
