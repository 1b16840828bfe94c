"""One-time codes: made at random, kept as a keyed hash, good for one login within `OTP_TTL` and `OTP_MAX_TRIES`."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from nebengjek.errors import RateLimited
from users.models import OneTimeCode

HOUR = timedelta(hours=1)


@transaction.atomic
def code_create(*, msisdn: str, limit: int | None = None) -> str:
    """Make a new code for a normalised number and return its six digits; codes made before it no longer work.

    Raises `RateLimited` when the number got `limit` (`OTP_MAX_PER_HOUR`; 0 is no limit) codes within the last hour.
    """
    now = timezone.now()
    _refuse_too_many(msisdn, now, settings.OTP_MAX_PER_HOUR if limit is None else limit)
    code = f"{secrets.randbelow(10**6):06d}"
    OneTimeCode.objects.filter(msisdn=msisdn, used_at__isnull=True).update(expires_at=now)
    OneTimeCode.objects.create(
        msisdn=msisdn, code_hash=_hash(msisdn, code), created_at=now, expires_at=now + settings.OTP_TTL
    )
    return code


def code_use(*, msisdn: str, code: str) -> bool:
    """Return True, once, for the right code of a number. Every call costs one of the code's tries, also a right one.

    Not in one transaction: a wrong try has to stay counted, and two calls at the same moment must not both win.
    """
    now = timezone.now()
    live = OneTimeCode.objects.filter(
        msisdn=msisdn, used_at__isnull=True, expires_at__gt=now, tries__lt=settings.OTP_MAX_TRIES
    )
    row = live.order_by("-created_at").first()
    if row is None or not live.filter(pk=row.pk).update(tries=F("tries") + 1):
        return False
    if not constant_time_compare(row.code_hash, _hash(msisdn, code)):
        return False
    return OneTimeCode.objects.filter(pk=row.pk, used_at__isnull=True).update(used_at=now) == 1


def purge_codes() -> int:
    """Delete the codes that no limit needs any more; return how many."""
    count, _ = OneTimeCode.objects.filter(created_at__lt=timezone.now() - HOUR - settings.OTP_TTL).delete()
    return count


def _refuse_too_many(msisdn: str, now: datetime, limit: int) -> None:
    recent = OneTimeCode.objects.filter(msisdn=msisdn, created_at__gt=now - HOUR).order_by("-created_at")
    times = list(recent.values_list("created_at", flat=True)[:limit]) if limit else []
    if limit and len(times) == limit:
        wait = (times[-1] + HOUR - now).total_seconds()
        raise RateLimited(f"At most {limit} codes are sent to a number within an hour.", retry_after=wait)


def _hash(msisdn: str, code: str) -> str:
    return salted_hmac("users.codes", f"{msisdn}:{code}", algorithm="sha256").hexdigest()
