from datetime import date
from typing import Any

import pytest

from common.errors import Conflict
from users.models import Approval, Driver, Paper, PaperKind, User
from users.services import driver_create, driver_decide, paper_record


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
