"""Becoming a driver, and whether somebody may drive."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Min, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common import clock
from common.errors import Conflict
from users.models import Approval, Driver, Paper, PaperKind, Role, User
from users.reasons import UserReason
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
        raise Conflict(_("You are registered as a driver already."), reason=UserReason.ALREADY_A_DRIVER)
    vehicle = {"vehicle_type": vehicle_type, "vehicle_plate": vehicle_plate}
    waiting = {"approval": Approval.PENDING} if settings.DRIVER_APPROVAL else {}
    _driver, created = Driver.objects.update_or_create(
        user_id=user_id, defaults=vehicle, create_defaults={**vehicle, **waiting}
    )
    if not created:
        _approve_anew(user_id)
    revoke_tokens(user_id)
    return User.objects.select_related("driver").get(pk=user_id)


@transaction.atomic
def driver_update(*, user_id: UUID, vehicle_type: str, vehicle_plate: str) -> User:
    """Give a driver another vehicle; with `DRIVER_APPROVAL` it waits for staff. Raises `Conflict` for a passenger."""
    rows = Driver.objects.filter(pk=user_id, user__role=Role.DRIVER)
    if not rows.exists():
        raise Conflict(_("You are not registered as a driver."), reason=UserReason.NOT_A_DRIVER)
    vehicle = {"vehicle_type": vehicle_type, "vehicle_plate": vehicle_plate}
    if rows.exclude(**vehicle).update(**vehicle):
        _approve_anew(user_id)
    return User.objects.select_related("driver").get(pk=user_id)


@transaction.atomic
def driver_delete(*, user_id: UUID) -> None:
    """Make a driver a passenger again and end all older tokens. Raises `Conflict` for a passenger.

    What staff have decided or recorded is kept for the next registration.
    """
    if not User.objects.filter(pk=user_id, role=Role.DRIVER).update(role=Role.PASSENGER):
        raise Conflict(_("You are not registered as a driver."), reason=UserReason.NOT_A_DRIVER)
    undecided = Driver.objects.filter(pk=user_id, approval_at=None, papers=None)
    undecided.exclude(approval=Approval.REFUSED).delete()
    revoke_tokens(user_id)


@transaction.atomic
def driver_decide(*, user_id: UUID, approval: Approval, reason: str = "", seen_at: datetime | None = None) -> bool:
    """Approve or refuse a driver, who gets a text message with the reason. Return False if nothing changed.

    Nothing does when the driver was decided upon, or changed the vehicle, after `seen_at`: when staff saw the record.
    """
    msisdn = User.objects.select_for_update(no_key=True).values_list("msisdn", flat=True).get(pk=user_id)
    now = clock.now()
    as_seen = Q(approval_at=None) | Q(approval_at__lte=seen_at or now)
    rows = Driver.objects.filter(as_seen, pk=user_id, user__role=Role.DRIVER).exclude(approval=approval)
    if not rows.update(approval=approval, approval_reason=reason, approval_at=now):
        return False
    text = str(DECISIONS[approval]).format(reason=reason)
    transaction.on_commit(lambda: send_sms(msisdn, text), robust=True)  # the decision stands without the message
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
        rows = Driver.objects.filter(pk=user_id).exclude(approval=Approval.REFUSED)
        rows.update(approval=Approval.PENDING, approval_at=clock.now())
