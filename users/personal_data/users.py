"""The accounts themselves: number, name, vehicle, codes, tokens, known addresses."""

from __future__ import annotations

import secrets
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q
from django.forms.models import model_to_dict
from django.utils.translation import gettext as _
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from common import clock
from common.db import delete_old_steps, delete_steps
from common.errors import Conflict
from users.models import Approval, Block, Driver, KnownAddress, OneTimeCode, Paper, Rating, Role, TokenAnswer, User
from users.personal_data.base import Steps
from users.reasons import UserReason
from users.selectors import since_owned
from users.services.revocation import revoke_tokens
from users.sms import forget_messages

ERASED = "erased"


class UsersData:
    """The tables of the users app."""

    def check(self, user: User) -> None:
        """Refuse for staff: a superuser takes their rights first."""
        if user.is_staff or user.is_superuser:
            raise Conflict(_("Accounts of staff cannot be deleted."), reason=UserReason.STAFF_ACCOUNT)

    def withdraw(self, user: User) -> None:
        """Nothing: the login itself ends tokens and hides the name."""

    def hand_over(self, user: User) -> None:
        """Let rating, own blocks, known addresses and the vehicle go; others keep their blocks, and staff a refusal."""
        User.objects.filter(pk=user.pk).update(rating_sum=0, rating_count=0)
        Block.objects.filter(blocker=user).delete()
        KnownAddress.objects.filter(user=user, last_login_at__lt=user.history_from).delete()
        driver = Driver.objects.filter(user=user)
        driver.update(approval_reason="", vehicle_plate="")
        if settings.DRIVER_APPROVAL:
            driver.exclude(approval=Approval.REFUSED).update(approval=Approval.PENDING, approval_at=clock.now())

    def erase(self, user: User) -> None:
        """Take number, name and vehicle away; the row stays, because rides and payments refer to it."""
        revoke_tokens(user.pk)
        OneTimeCode.objects.filter(msisdn=user.msisdn).delete()
        forget_messages(user.msisdn)
        User.objects.filter(pk=user.pk).update(
            msisdn=f"+{ERASED}{secrets.token_hex(4)}",
            full_name="",
            role=Role.PASSENGER,
            is_active=False,
            erased_at=clock.now(),
            last_login=None,
            password="",
        )
        Driver.objects.filter(user=user).delete()
        Block.objects.filter(Q(blocker=user) | Q(blocked=user)).delete()
        for model in (KnownAddress, TokenAnswer, OutstandingToken):
            model._base_manager.filter(user=user).delete()
        kinds = ContentType.objects.get_for_models(User, Driver).values()
        LogEntry.objects.filter(content_type__in=kinds, object_id=str(user.pk)).update(object_repr=ERASED)

    def erase_rest(self, user_id: UUID) -> Steps:
        """Nothing is left."""
        return iter(())

    def expire(self) -> Steps:
        """Forget addresses of logins after `ADDRESS_RETENTION`, the admin's history after `ADMIN_LOG_RETENTION`."""
        oldest = clock.now() - settings.ADDRESS_RETENTION
        yield from delete_steps(KnownAddress.objects.filter(last_login_at__lt=oldest))
        logged = clock.now() - settings.ADMIN_LOG_RETENTION
        yield from delete_old_steps(LogEntry.objects.all(), Q(action_time__lt=logged))

    def export(self, user: User) -> dict[str, Any]:
        """Return the profile, the vehicle, and traces of logins; nothing of an earlier owner of the number."""
        driver = Driver.objects.filter(user=user).first()
        own = since_owned(user)
        tokens = OutstandingToken.objects.filter(own, user=user)
        return {
            "profile": {
                "id": user.pk,
                "created_at": user.created_at,
                **model_to_dict(user, ["msisdn", "full_name", "role", "is_active", "is_staff", "last_login"]),
            },
            "vehicle": model_to_dict(driver, exclude=["user"]) if driver else None,
            "papers": list(Paper.objects.filter(driver=driver).values("kind", "expires_on", "recorded_at")),
            "ratings_given": list(Rating.objects.filter(own, rater=user).values("ride_id", "stars", "created_at")),
            "ratings_received": list(Rating.objects.filter(own, rated=user).values("stars", "created_at")),
            "blocked": list(Block.objects.filter(own, blocker=user).values("blocked_id", "created_at")),
            "logins": list(KnownAddress.objects.filter(user=user).values("address", "last_login_at")),
            "sessions": list(tokens.order_by("pk").values("created_at", "expires_at")),
        }
