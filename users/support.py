"""The support role: a group that sees everything and changes no money, no staff and no rights."""

from __future__ import annotations

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import transaction

from common.errors import Conflict
from users.models import User
from users.phone import normalise_msisdn

SUPPORT = "Support"


def support_permissions() -> set[str]:
    """Return what support may do, as `app.codename`: the `SUPPORT_PERMISSIONS` of each app's configuration.

    Permissions are declared by name and not by a pattern, so that support sees a new model only after somebody has
    decided that it should.
    """
    declared = ((app.label, getattr(app, "SUPPORT_PERMISSIONS", ())) for app in apps.get_app_configs())
    return {f"{label}.{codename}" for label, codenames in declared for codename in codenames}


@transaction.atomic
def support_group_update() -> Group:
    """Create the group or update it: it then has `support_permissions()` and nothing else.

    Raises `Conflict` when a permission does not exist yet.
    """
    group, _ = Group.objects.get_or_create(name=SUPPORT)
    wanted = support_permissions()
    codenames = {name.partition(".")[2] for name in wanted}
    found = Permission.objects.filter(codename__in=codenames).select_related("content_type")
    permissions = [one for one in found if f"{one.content_type.app_label}.{one.codename}" in wanted]
    if len(permissions) != len(wanted):
        raise Conflict("Permissions are missing: run `manage.py migrate` first.")
    group.permissions.set(permissions)
    return group


@transaction.atomic
def support_add(*, msisdn: str) -> User:
    """Return the user of a number as a member of support who may log in to the admin; create the user if needed.

    Raises `ValueError` for text that is not a phone number. `manage.py changepassword` sets a new user's password.
    """
    number = normalise_msisdn(msisdn)
    user = User.objects.filter(msisdn=number).first() or User.objects.create_user(number)
    if not user.is_staff:
        user.is_staff = True
        user.save(update_fields=["is_staff"])
    user.groups.add(support_group_update())
    return user
