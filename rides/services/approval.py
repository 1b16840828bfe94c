"""Whether a driver may take passengers, and what ends when they may not any more."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext as _

from common.errors import ValidationFailed
from rides.models import Beacon
from rides.reasons import RideReason
from users.models import Approval, Driver
from users.selectors import drivers_barred


def require_approval(driver: Driver | None) -> None:
    """Raise `ValidationFailed` for a driver who may not drive (`DRIVER_APPROVAL`, papers), with the reason."""
    if driver is None:
        return
    if driver.may_drive:
        if not driver.vehicle_plate:  # it was that of an earlier owner of the number
            raise ValidationFailed(
                _("Say which vehicle you drive before you go online."), reason=RideReason.VEHICLE_NEEDED
            )
        return
    if driver.approval == Approval.REFUSED:
        reason = driver.approval_reason or _("your registration was refused")
        raise ValidationFailed(
            _("You may not drive: %(reason)s.") % {"reason": reason}, reason=RideReason.DRIVER_REFUSED
        )
    if driver.approval == Approval.APPROVED:
        raise ValidationFailed(
            _("A paper of yours was valid until %(day)s; have a new one recorded.") % {"day": driver.papers_until},
            reason=RideReason.PAPERS_EXPIRED,
        )
    raise ValidationFailed(_("Your registration waits for approval."), reason=RideReason.DRIVER_PENDING)


def beacons_barred(limit: int) -> set[UUID]:
    """Return drivers whose beacon is on and who may not drive any more: refused, or a paper has expired."""
    beacons = Beacon.objects.filter(is_active=True, driver__in=drivers_barred().values("pk"))
    return set(beacons.values_list("driver_id", flat=True)[:limit])
