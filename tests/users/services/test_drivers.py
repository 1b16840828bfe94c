from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from common.errors import Conflict
from users.models import Approval, Driver, Paper, PaperKind, User
from users.services import driver_create, driver_decide, driver_delete, driver_update, paper_record
from users.sms import sms_senders


def test_a_driver_is_made_once(putri: User) -> None:
    """A driver is not registered again."""
    driver_create(user_id=putri.pk, vehicle_type="car", vehicle_plate="B 1 X")
    with pytest.raises(Conflict):
        driver_create(user_id=putri.pk, vehicle_type="car", vehicle_plate="B 1 X")


@pytest.mark.parametrize(("setting", "approval"), [(False, "approved"), (True, "pending")])
def test_a_new_driver_waits_where_that_is_wanted(putri: User, settings: Any, setting: bool, approval: str) -> None:
    """`DRIVER_APPROVAL` is off by default."""
    settings.DRIVER_APPROVAL = setting
    driver = driver_create(user_id=putri.pk, vehicle_type="car", vehicle_plate="B 1 X").driver
    assert (driver.approval, driver.may_drive) == (approval, not setting)


def test_a_decision_is_told_by_a_text_message(
    dewi: User, capsys: pytest.CaptureFixture[str], django_capture_on_commit_callbacks: Any
) -> None:
    """Once; the same decision again changes nothing."""
    with django_capture_on_commit_callbacks(execute=True):
        assert driver_decide(user_id=dewi.pk, approval=Approval.REFUSED, reason="The photo is not yours")
        assert not driver_decide(user_id=dewi.pk, approval=Approval.REFUSED, reason="Again")
    sms_senders().settle()
    assert (
        capsys.readouterr().out == f"SMS to {dewi.msisdn}: You may not drive with NebengJek: The photo is not yours\n"
    )
    driver = Driver.objects.get()
    assert (driver.approval_reason, driver.may_drive) == ("The photo is not yours", False)
    assert driver_decide(user_id=dewi.pk, approval=Approval.APPROVED)
    assert Driver.objects.get().may_drive


def test_the_earliest_paper_counts(dewi: User) -> None:
    """A new paper of a kind replaces the old one."""
    paper_record(user_id=dewi.pk, kind=PaperKind.LICENCE, expires_on=date(2030, 1, 1))
    paper_record(user_id=dewi.pk, kind=PaperKind.INSURANCE, expires_on=date(2029, 1, 1))
    assert Driver.objects.get().papers_until == date(2029, 1, 1)
    paper_record(user_id=dewi.pk, kind=PaperKind.INSURANCE, expires_on=date(2031, 1, 1))
    assert Driver.objects.get().papers_until == date(2030, 1, 1)
    assert Paper.objects.count() == 2


@pytest.mark.parametrize("setting", [False, True])
def test_a_refusal_outlives_the_registration(dewi: User, settings: Any, setting: bool) -> None:
    """Who was refused does not become new by leaving and coming back, whatever the vehicle; by staff's word or not."""
    settings.DRIVER_APPROVAL = setting
    for at in (timezone.now(), None):
        Driver.objects.update(approval="refused", approval_reason="A copy", approval_at=at)
        driver_delete(user_id=dewi.pk)
        driver = driver_create(user_id=dewi.pk, vehicle_type="car", vehicle_plate="B 9 X").driver
        assert (driver.approval, driver.approval_reason, driver.may_drive) == ("refused", "A copy", False)
        assert (driver.vehicle_type, driver.vehicle_plate) == ("car", "B 9 X")
        driver = driver_update(user_id=dewi.pk, vehicle_type="van", vehicle_plate="B 8 X").driver
        assert driver.approval == "refused"


def test_who_was_never_looked_at_leaves_nothing(putri: User, settings: Any) -> None:
    """The next registration waits like the first."""
    settings.DRIVER_APPROVAL = True
    driver_create(user_id=putri.pk, vehicle_type="car", vehicle_plate="B 1 X")
    driver_delete(user_id=putri.pk)
    assert not Driver.objects.exists()
    assert driver_create(user_id=putri.pk, vehicle_type="car", vehicle_plate="B 1 X").driver.approval == "pending"


def test_approval_and_papers_survive_a_break(dewi: User, settings: Any) -> None:
    """Papers stay; with `DRIVER_APPROVAL` staff look once more."""
    paper_record(user_id=dewi.pk, kind=PaperKind.LICENCE, expires_on=date(2020, 1, 1))
    driver_delete(user_id=dewi.pk)
    driver = driver_create(user_id=dewi.pk, vehicle_type="car", vehicle_plate="B 1 X").driver
    assert (driver.approval, driver.may_drive) == ("approved", False)
    driver_delete(user_id=dewi.pk)
    settings.DRIVER_APPROVAL = True
    assert driver_create(user_id=dewi.pk, vehicle_type="car", vehicle_plate="B 1 X").driver.approval == "pending"


def test_another_vehicle_waits_and_the_same_does_not(dewi: User, settings: Any) -> None:
    """An app that sends its profile again loses no day's work."""
    settings.DRIVER_APPROVAL = True
    same = {"vehicle_type": dewi.driver.vehicle_type, "vehicle_plate": dewi.driver.vehicle_plate}
    assert driver_update(user_id=dewi.pk, **same).driver.may_drive
    assert not driver_update(user_id=dewi.pk, vehicle_type="car", vehicle_plate="B 9 X").driver.may_drive
    with pytest.raises(Conflict):
        driver_update(user_id=uuid4(), **same)


def test_nobody_decides_on_a_vehicle_that_they_did_not_see(dewi: User, settings: Any) -> None:
    """It changed after the page was opened."""
    settings.DRIVER_APPROVAL = True
    seen_at = timezone.now()
    driver_update(user_id=dewi.pk, vehicle_type="van", vehicle_plate="B 9 X")
    assert not driver_decide(user_id=dewi.pk, approval=Approval.APPROVED, seen_at=seen_at)
    assert driver_decide(user_id=dewi.pk, approval=Approval.APPROVED, seen_at=timezone.now())


def test_a_decision_stands_without_its_message(
    dewi: User, settings: Any, django_capture_on_commit_callbacks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The provider is down: staff see no error page, and the log has it."""
    settings.SMS_BACKEND = "tests.users.services.test_drivers.Down"
    with django_capture_on_commit_callbacks(execute=True):
        assert driver_decide(user_id=dewi.pk, approval=Approval.REFUSED, reason="A copy")
    sms_senders().settle()
    assert Driver.objects.get().approval == "refused"
    assert "no provider" in caplog.text


class Down:
    """A provider that is down."""

    def send(self, msisdn: str, text: str) -> None:
        """Fail."""
        raise ConnectionError("no provider")
