"""One-time codes: made at random, kept as a keyed hash, good for one login within `OTP_TTL` and `OTP_MAX_TRIES`.

Codes and tries are counted by number and address, so that a stranger who knows a number can neither flood its owner
with messages nor lock the owner out of another address. Two limits remain: a stranger with `ADDRESSES_PER_NUMBER`
addresses can use up all codes of a number for an hour, and people who share the owner's address share its tries.
The `address` is the network that a call comes from (`common.addresses.network_of`).
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from common.db import hold_name
from common.errors import RateLimited
from users.models import OneTimeCode

HOUR = timedelta(hours=1)

ADDRESSES_PER_NUMBER = 3
"""Addresses that may each ask for all the codes that a number gets within an hour."""


@transaction.atomic
def code_create(*, msisdn: str, address: str = "", limit: int | None = None) -> str:
    """Create a code for a normalised number and return its six digits; older codes of the address end.

    Raises `RateLimited` when too many were made within the last hour: `limit` (`OTP_MAX_PER_HOUR`; 0 is no limit at
    all) for the number from this address, `ADDRESSES_PER_NUMBER` times as many from all addresses, or
    `OTP_MAX_PER_ADDRESS` from this address for all numbers.
    """
    now = timezone.now()
    limit = settings.OTP_MAX_PER_HOUR if limit is None else limit
    if limit:
        _refuse_too_many(msisdn, address, now, limit)
    code = f"{secrets.randbelow(10**6):06d}"
    OneTimeCode.objects.filter(msisdn=msisdn, address=address, used_at__isnull=True).update(expires_at=now)
    OneTimeCode.objects.create(
        msisdn=msisdn,
        address=address,
        code_hash=_hash(msisdn, code),
        created_at=now,
        expires_at=now + settings.OTP_TTL,
    )
    return code


def code_use(*, msisdn: str, code: str, address: str = "") -> bool:
    """Return True, once, for the right code of a number. Every call uses up one of the code's tries, also a right one.

    The code that the address asked for is tried. An address without one tries the newest code, counted separately: the
    owner's phone may have changed networks, but a stranger who guesses must not use up the owner's tries.

    Not in one transaction: a wrong try must stay counted, and of two calls at once only one may succeed.
    """
    now = timezone.now()
    live = OneTimeCode.objects.filter(msisdn=msisdn, used_at__isnull=True, expires_at__gt=now).order_by("-created_at")
    row = live.filter(address=address).first()
    account = "tries" if row else "tries_elsewhere"
    row = row or live.first()
    if row is None:
        return False
    left = {f"{account}__lt": settings.OTP_MAX_TRIES}
    if not live.filter(pk=row.pk, **left).update(**{account: F(account) + 1}):
        return False
    if not constant_time_compare(row.code_hash, _hash(msisdn, code)):
        return False
    return OneTimeCode.objects.filter(pk=row.pk, used_at__isnull=True).update(used_at=now) == 1


def purge_codes() -> int:
    """Delete the codes that no limit counts any more; return how many."""
    count, _ = OneTimeCode.objects.filter(created_at__lt=timezone.now() - HOUR - settings.OTP_TTL).delete()
    return count


def _refuse_too_many(msisdn: str, address: str, now: datetime, limit: int) -> None:
    hold_name(f"codes for {msisdn}")  # or two calls at once could both take the last one
    hold_name(f"codes from {address}")
    recent = OneTimeCode.objects.filter(created_at__gt=now - HOUR)
    number, everywhere = recent.filter(msisdn=msisdn), limit * ADDRESSES_PER_NUMBER
    text = "At most {} codes are sent to a number within an hour."
    _refuse_more(number.filter(address=address), limit, now, text)
    _refuse_more(number, everywhere, now, text)
    if settings.OTP_MAX_PER_ADDRESS:
        text = "At most {} codes are sent for one address within an hour."
        _refuse_more(recent.filter(address=address), settings.OTP_MAX_PER_ADDRESS, now, text)


def _refuse_more(codes: QuerySet[OneTimeCode], limit: int, now: datetime, text: str) -> None:
    times = list(codes.order_by("-created_at").values_list("created_at", flat=True)[:limit])
    if len(times) == limit:
        raise RateLimited(text.format(limit), retry_after=(times[-1] + HOUR - now).total_seconds())


def _hash(msisdn: str, code: str) -> str:
    return salted_hmac("users.codes", f"{msisdn}:{code}", algorithm="sha256").hexdigest()
