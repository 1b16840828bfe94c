from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from users.models import Driver, Paper, User, may_drive


@pytest.mark.parametrize(
    ("setting", "approval", "allowed"),
    [(False, "pending", True), (True, "pending", False), (True, "approved", True), (False, "refused", False),
     (True, None, True)],
)  # fmt: skip
def test_who_may_drive(settings: Any, setting: bool, approval: str | None, allowed: bool) -> None:
    """Waiting counts with `DRIVER_APPROVAL` only, a refusal always; who has no vehicle is asked elsewhere."""
    settings.DRIVER_APPROVAL = setting
    assert may_drive(approval, None) == allowed


@pytest.mark.parametrize(
    ("moment", "allowed"),
    [("2026-05-31T16:59:59Z", True), ("2026-05-31T17:00:00Z", False), ("2026-06-01T12:00:00Z", False)],
)
def test_a_paper_expires_at_midnight_where_people_live(moment: str, allowed: bool) -> None:
    """In Jakarta midnight is at 17:00 UTC."""
    with timezone.override(ZoneInfo("Asia/Jakarta")), time_machine.travel(moment, tick=False):
        assert may_drive("approved", date(2026, 5, 31)) == allowed


def test_approvals_and_papers_are_checked_by_the_database(dewi: User) -> None:
    """One paper of a kind, and states that exist."""
    with pytest.raises(IntegrityError), transaction.atomic():
        Driver.objects.update(approval="perhaps")
    Paper.objects.create(driver=dewi.driver, kind="licence", expires_on=date(2030, 1, 1))
    with pytest.raises(IntegrityError), transaction.atomic():
        Paper.objects.create(driver=dewi.driver, kind="licence", expires_on=date(2031, 1, 1))
    assert str(Paper.objects.get()) == "driving licence (SIM) until 2030-01-01"
