"""Becoming a driver, and whether somebody may drive."""

from __future__ import annotations

from datetime import date
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Min
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.errors import Conflict
from users.models import Approval, Driver, Paper, PaperKind, Role, User
from users.services.revocation import revoke_tokens
from users.sms import send_sms

DECISIONS = {
    Approval.APPROVED: gettext_lazy("You may drive with NebengJek now. Switch your beacon on in the app."),
    Approval.REFUSED: gettext_lazy("You may not drive with NebengJek: {reason}"),
}
"""What a driver is told by a text message."""


@transaction.atomic
def driver_create(*, user_id: UUID, vehicle_type: str, vehicle_plate: str) -> User:
    """Make a passenger a driver and end all older tokens. Raises `Conflict` for a driver.

    With `DRIVER_APPROVAL` the driver waits for staff.
    """
    if not User.objects.filter(pk=user_id, role=Role.PASSENGER).update(role=Role.DRIVER):
        raise Conflict(_("You are registered as a driver already."))
    approval = Approval.PENDING if settings.DRIVER_APPROVAL else Approval.APPROVED
    Driver.objects.create(user_id=user_id, vehicle_type=vehicle_type, vehicle_plate=vehicle_plate, approval=approval)
    revoke_tokens(user_id)
    return User.objects.select_related("driver").get(pk=user_id)


@transaction.atomic
def driver_decide(*, user_id: UUID, approval: Approval, reason: str = "") -> bool:
    """Approve or refuse a driver, who gets a text message with the reason. Return False if nothing changed."""
    change = {"approval": approval, "approval_reason": reason, "approval_at": timezone.now()}
    if not Driver.objects.filter(pk=user_id).exclude(approval=approval).update(**change):
        return False
    msisdn = User.objects.values_list("msisdn", flat=True).get(pk=user_id)
    transaction.on_commit(partial(send_sms, msisdn, str(DECISIONS[approval]).format(reason=reason)))
    return True


@transaction.atomic
def paper_record(*, user_id: UUID, kind: PaperKind, expires_on: date) -> None:
    """Record until when a paper of a driver is valid; it replaces the one of its kind that was there."""
    Driver.objects.select_for_update().get(pk=user_id)
    Paper.objects.update_or_create(driver_id=user_id, kind=kind, defaults={"expires_on": expires_on})
    earliest = Paper.objects.filter(driver_id=user_id).aggregate(on=Min("expires_on"))["on"]
    Driver.objects.filter(pk=user_id).update(papers_until=earliest)
