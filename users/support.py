"""The support role: a group that sees everything and changes no money, no staff and no rights."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q

from common.errors import Conflict
from users.models import User
from users.phone import normalise_msisdn

SUPPORT = "Support"

GRANTED = (
    "users.view_user",
    "users.view_driver",
    "users.shut_out_user",
    "rides.view_beacon",
    "rides.view_finder",
    "rides.view_candidate",
    "rides.view_match",
    "rides.view_ride",
    "rides.cancel_ride",
    "rides.view_trackpoint",
    "rides.view_ledgerentry",
    "rides.view_payment",
    "events.view_outboxevent",
    "events.view_deadletter",
    "realtime.view_liveconnection",
    "realtime.end_liveconnection",
)
"""By name and not by pattern: a model that comes later is seen by support when somebody has thought about it."""


@transaction.atomic
def support_group_update() -> Group:
    """Make the group, or bring it up to date: it then has `GRANTED` and nothing else."""
    group, _ = Group.objects.get_or_create(name=SUPPORT)
    wanted = Q()
    for name in GRANTED:
        app, _, codename = name.partition(".")
        wanted |= Q(content_type__app_label=app, codename=codename)
    permissions = list(Permission.objects.filter(wanted))
    if len(permissions) != len(GRANTED):
        raise Conflict("Permissions are missing: run `manage.py migrate` first.")
    group.permissions.set(permissions)
    return group


@transaction.atomic
def support_add(*, msisdn: str) -> User:
    """Let somebody log in to the admin as support, and make him a user where he is none.

    Raises `ValueError` for what is no phone number. He has no password until `manage.py changepassword` sets one.
    """
    number = normalise_msisdn(msisdn)
    user = User.objects.filter(msisdn=number).first() or User.objects.create_user(number)
    if not user.is_staff:
        user.is_staff = True
        user.save(update_fields=["is_staff"])
    user.groups.add(support_group_update())
    return user
