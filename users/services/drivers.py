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

    With `DRIVER_APPROVAL` the driver waits for staff. Who was refused stays so: registering again is no way around it.
    """
    if not User.objects.filter(pk=user_id, role=Role.PASSENGER).update(role=Role.DRIVER):
        raise Conflict(_("You are registered as a driver already."))
    vehicle = {"vehicle_type": vehicle_type, "vehicle_plate": vehicle_plate}
    Driver.objects.update_or_create(user_id=user_id, defaults=vehicle)
    _approve_anew(user_id)
    revoke_tokens(user_id)
    return User.objects.select_related("driver").get(pk=user_id)


@transaction.atomic
def driver_update(*, user_id: UUID, vehicle_type: str, vehicle_plate: str) -> User:
    """Give a driver another vehicle; with `DRIVER_APPROVAL` it waits for staff. Raises `Conflict` for a passenger."""
    rows = Driver.objects.filter(pk=user_id, user__role=Role.DRIVER)
    if not rows.update(vehicle_type=vehicle_type, vehicle_plate=vehicle_plate):
        raise Conflict(_("You are not registered as a driver."))
    _approve_anew(user_id)
    return User.objects.select_related("driver").get(pk=user_id)


@transaction.atomic
def driver_delete(*, user_id: UUID) -> None:
    """Make a driver a passenger again and end all older tokens. Raises `Conflict` for a passenger.

    What staff have decided or recorded is kept for the next registration.
    """
    if not User.objects.filter(pk=user_id, role=Role.DRIVER).update(role=Role.PASSENGER):
        raise Conflict(_("You are not registered as a driver."))
    Driver.objects.filter(pk=user_id, approval_at=None, papers=None).delete()
    revoke_tokens(user_id)


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


def _approve_anew(user_id: UUID) -> None:
    """Let staff look at what they have not seen; a refusal stays."""
    if settings.DRIVER_APPROVAL:
        Driver.objects.filter(pk=user_id, approval=Approval.APPROVED).update(approval=Approval.PENDING)
