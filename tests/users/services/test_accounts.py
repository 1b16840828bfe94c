from typing import Any

import pytest
from django.utils import timezone

from common.errors import Unauthorized
from events.models import OutboxEvent
from users import services
from users.models import Driver, User
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


def test_a_new_owner_of_a_drivers_number_is_approved_again(dewi: User, settings: Any) -> None:
    """The papers that staff have seen are those of somebody else."""
    settings.DRIVER_APPROVAL = True
    User.objects.filter(pk=dewi.pk).update(name_confirmed=False, history_from=timezone.now())
    services.profile_update(user_id=dewi.pk, full_name="dewi")
    assert Driver.objects.get().approval == "approved"
    User.objects.filter(pk=dewi.pk).update(name_confirmed=False, history_from=timezone.now())
    services.profile_update(user_id=dewi.pk, full_name="Somebody")
    assert Driver.objects.get().approval == "pending"


@pytest.mark.parametrize("setting", [False, True])
def test_another_name_is_no_way_around_a_refusal(dewi: User, settings: Any, setting: bool) -> None:
    """Whoever has the number now stays refused until staff decide, and does not read why another person was."""
    settings.DRIVER_APPROVAL = setting
    Driver.objects.update(approval="refused", approval_reason="The licence is a copy")
    User.objects.filter(pk=dewi.pk).update(name_confirmed=False, history_from=timezone.now())
    services.profile_update(user_id=dewi.pk, full_name="Somebody")
    driver = Driver.objects.get()
    assert (driver.approval, driver.approval_reason, driver.may_drive) == ("refused", "", False)
