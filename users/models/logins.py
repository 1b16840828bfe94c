"""What logging in needs: one-time codes, the addresses of earlier logins, and counts of what looks like an attack."""

from __future__ import annotations

from enum import StrEnum

from django.db import models

from users.models.people import User


class OneTimeCode(models.Model):
    """A login code that was sent to a number; only a keyed hash of it is kept."""

    msisdn = models.CharField(max_length=16)
    address = models.CharField(max_length=64)  # the network that asked for it
    code_hash = models.CharField(max_length=64)
    tries = models.PositiveSmallIntegerField(default=0)
    tries_elsewhere = models.PositiveSmallIntegerField(default=0)  # by other networks
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = (
            models.Index(fields=("msisdn", "-created_at"), name="code_by_number"),
            models.Index(fields=("address", "-created_at"), name="code_by_address"),
        )

    def __str__(self) -> str:
        return f"code for {self.msisdn}"


class KnownAddress(models.Model):
    """A network (`common.addresses.network_of`) from which a user has logged in."""

    user = models.ForeignKey(User, models.CASCADE, related_name="known_addresses")
    address = models.CharField(max_length=64)
    last_login_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("user", "address"), name="one_record_per_known_address"),)

    def __str__(self) -> str:
        return f"{self.user_id} from {self.address}"


class TokenAnswer(models.Model):
    """The tokens that answered a request, so that the same request gets the same answer if the first one was lost."""

    request = models.CharField(max_length=64, primary_key=True, help_text="SHA-256 of what makes requests the same.")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    jti = models.CharField(max_length=255, help_text="The id of the refresh token.")
    token_version = models.PositiveIntegerField(help_text="The user's version then; later ones end the answer.")
    answered_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"tokens of {self.user_id} at {self.answered_at:%Y-%m-%d %H:%M:%S}"


class Erasure(models.Model):
    """An account that has ended, and when all data of its person was gone."""

    user_id = models.UUIDField(primary_key=True)
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.user_id} {'erased' if self.finished_at else 'to be erased'}"


class Watermark(models.Model):
    """Up to when a rule of retention has been applied to rows that it changes and does not delete."""

    name = models.CharField(max_length=64, primary_key=True)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} until {self.until:%Y-%m-%d %H:%M:%S}"


class Suspicion(StrEnum):
    """What is counted because it may be an attack."""

    CODES_CAPPED = "codes_capped"
    REFRESH_REUSED = "refresh_reused"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105
    PASSWORDS_LIMITED = "passwords_limited"


class Tally(models.Model):
    """How often something has happened since the database was made, over all processes; for the metrics."""

    name = models.CharField(max_length=32, primary_key=True)
    count = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name}: {self.count}"
