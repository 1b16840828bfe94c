"""What support may do about a person, as buttons on the person's page; each asks before it acts."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _

from common.admin import ActionButton
from users.models import Approval, Driver, Role, User
from users.selectors import may_act_on


def person_buttons(actor: User, user: User) -> Iterator[ActionButton]:
    """Yield what the actor has a permission for and what would change something; nobody acts on themselves."""
    if actor.pk == user.pk or user.erased_at is not None or not may_act_on(actor, user):
        return
    driver = Driver.objects.select_related("user").filter(pk=user.pk).first()
    if driver is not None:
        yield from driver_buttons(actor, driver)
    at = reverse("admin:users_user_changelist")
    if actor.has_perm("users.shut_out_user"):
        yield ActionButton(_("Log out everywhere …"), "log_out", at, is_grave=False)
        if user.is_active:
            yield ActionButton(_("Deactivate …"), "deactivate", at)
        else:
            yield ActionButton(_("Reactivate …"), "reactivate", at, is_grave=False)
    if actor.has_perm("users.erase_user"):
        yield ActionButton(_("Delete the account and its data …"), "erase", at)


def driver_buttons(actor: User, driver: Driver) -> Iterator[ActionButton]:
    """Yield the decisions that are open on a driver, for those who may decide."""
    if driver.user.role != Role.DRIVER or actor.pk == driver.pk or not actor.has_perm("users.approve_driver"):
        return
    at = reverse("admin:users_driver_changelist")
    if driver.approval != Approval.APPROVED:
        yield ActionButton(_("Approve as a driver …"), "approve", at, is_grave=False)
    if driver.approval != Approval.REFUSED:
        yield ActionButton(_("Refuse as a driver …"), "refuse", at)
