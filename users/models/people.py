"""Users."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import Q
from django.utils.crypto import salted_hmac

from users.phone import masked, normalise_msisdn

SESSION_SALT = "users.User.session"

RATINGS_SHOWN_FROM = 5
"""Ratings of one person from which their mean says something."""


class Role(models.TextChoices):
    """The side of a user in rides; it decides which commands are allowed."""

    PASSENGER = "passenger"
    DRIVER = "driver"


class UserManager(BaseUserManager["User"]):
    """Creates users from phone numbers."""

    def create_user(self, msisdn: str, password: str | None = None, **fields: Any) -> User:
        """Create a user; without a password the user can only log in with one-time codes."""
        user = self.model(msisdn=normalise_msisdn(msisdn), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, msisdn: str, password: str | None = None, **fields: Any) -> User:
        """Create a member of staff with all permissions."""
        return self.create_user(msisdn, password, **{"is_staff": True, "is_superuser": True, **fields})

    def get_by_natural_key(self, username: str | None) -> User:
        """Return the user who logs in to the admin with any spelling of the number."""
        try:
            return self.get(msisdn=normalise_msisdn(username or ""))
        except ValueError as exc:
            raise User.DoesNotExist(str(exc)) from exc


class User(AbstractBaseUser, PermissionsMixin):
    """A person with a phone number.

    `token_version` is written into every token (`ver`); raising it ends all tokens that were issued before.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    msisdn = models.CharField("phone number", max_length=16, unique=True, help_text="E.164, such as +6281200000001.")
    full_name = models.CharField(max_length=150, blank=True)
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.PASSENGER)
    name_confirmed = models.BooleanField(
        default=True,
        db_default=True,  # for servers of the version before
        help_text="Off after a login by code, until the person confirms that they are who they were.",
    )
    owner_since = models.DateTimeField(null=True, blank=True, help_text="When the number came to its present owner.")
    history_from = models.DateTimeField(null=True, blank=True, help_text="Older rides are not shown to the person.")
    erased_at = models.DateTimeField(null=True, blank=True, help_text="When the account ended, with its data.")
    rating_sum = models.PositiveIntegerField(default=0, db_default=0, help_text="Of all stars that others gave.")
    rating_count = models.PositiveIntegerField(default=0, db_default=0)
    token_version = models.PositiveIntegerField(default=0)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField("staff", default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    otp_device: Any  # what has verified a session, set by django-otp on the users of requests

    USERNAME_FIELD = "msisdn"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        ordering = ("-created_at",)
        permissions = (
            ("shut_out_user", "Can deactivate, reactivate and log out users who are not staff"),
            ("view_msisdn", "Can see whole phone numbers"),
            ("erase_user", "Can end the accounts of users who are not staff, and delete their data"),
        )
        constraints = (
            models.CheckConstraint(condition=Q(role__in=Role.values), name="user_role_known"),
            models.CheckConstraint(condition=Q(msisdn__startswith="+"), name="user_msisdn_e164"),
        )

    def __str__(self) -> str:
        """Return name and number for lists and logs: the number is masked (`users.view_msisdn` shows it)."""
        return f"{self.full_name} ({self.masked_msisdn})" if self.full_name else self.masked_msisdn

    @property
    def shown_name(self) -> str:
        """The name that people may see: none until the person at the number has confirmed it."""
        return self.full_name if self.name_confirmed else ""

    @property
    def rating(self) -> float | None:
        """The mean of the stars, with one decimal; None until there are `RATINGS_SHOWN_FROM`."""
        if self.rating_count < RATINGS_SHOWN_FROM:
            return None
        return round(self.rating_sum / self.rating_count, 1)

    @property
    def masked_msisdn(self) -> str:
        """The number for those who may not see it whole."""
        return masked(self.msisdn)

    def get_session_auth_hash(self) -> str:
        """Return the hash that binds admin sessions to password and token version: they end when either changes."""
        return self._session_auth_hash(None)

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        """Return the hashes of sessions that began before `SECRET_KEY` was changed."""
        return map(self._session_auth_hash, settings.SECRET_KEY_FALLBACKS)

    def _session_auth_hash(self, secret: str | None) -> str:
        value = f"{self.password}:{self.token_version}"
        return salted_hmac(SESSION_SALT, value, secret=secret, algorithm="sha256").hexdigest()

    def get_full_name(self) -> str:
        """Return the name that the admin greets staff with."""
        return self.full_name or self.msisdn

    def get_short_name(self) -> str:
        """Return the name that the admin greets staff with."""
        return self.get_full_name()
