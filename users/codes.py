"""One-time codes: made at random, kept as a keyed hash, good for one login within `OTP_TTL` and `OTP_MAX_TRIES`.

Codes and tries are counted by number and address. So a stranger who knows a number can neither flood its owner with
messages nor lock the owner out of an address where they logged in before: there only the limit of that number from that
address counts. (People who share the owner's address share this limit and its tries.)

The `address` is the network that a call comes from (`common.addresses.network_of`).
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

from common import clock
from common.db import delete_batch, hold_name
from common.errors import RateLimited
from users.models import KnownAddress, OneTimeCode
from users.tokens import GRACE

HOUR = timedelta(hours=1)

ADDRESSES_PER_NUMBER = 3
"""Addresses that may each ask for all the codes that a number gets within an hour."""

CODES_THAT_WORK = 2
"""The newest codes of an address that still work: the first message may arrive while the second is on its way."""


class CodesCapped(RateLimited):
    """All codes of the hour (`OTP_MAX_PER_HOUR_OVERALL`) have been sent: somebody may be running up the bill."""


@transaction.atomic
def code_create(*, msisdn: str, address: str = "", limit: int | None = None) -> str:
    """Create a code for a normalised number and return its six digits; the one before it still works.

    Raises `RateLimited` when too many were made within the last hour: `limit` (`OTP_MAX_PER_HOUR`; 0 is no limit at
    all) for the number from this address; and where nobody has logged in with this number from this address before,
    `ADDRESSES_PER_NUMBER` times as many from all addresses, `OTP_MAX_PER_ADDRESS` from this address for all numbers, or
    (as `CodesCapped`) `OTP_MAX_PER_HOUR_OVERALL`.
    """
    now = clock.now()
    limit = settings.OTP_MAX_PER_HOUR if limit is None else limit
    if limit:
        _refuse_too_many(msisdn, address, now, limit)
    code = f"{secrets.randbelow(10**6):06d}"
    mine = OneTimeCode.objects.filter(msisdn=msisdn, address=address, used_at__isnull=True, expires_at__gt=now)
    still_work = mine.order_by("-created_at", "-pk").values("pk")[: CODES_THAT_WORK - 1]
    mine.exclude(pk__in=list(still_work.values_list("pk", flat=True))).update(expires_at=now)
    OneTimeCode.objects.create(
        msisdn=msisdn,
        address=address,
        code_hash=_hash(msisdn, code),
        created_at=now,
        expires_at=now + settings.OTP_TTL,
    )
    return code


def code_check(*, msisdn: str, code: str, address: str = "") -> OneTimeCode | None:
    """Return the record of a right code, or None. Every call uses up a try, also one with the right code.

    The codes that the address asked for are tried. An address without any tries the newest ones: the owner's phone may
    have changed networks. Unless the owner logged in there before, such tries are counted separately, so that a
    stranger who guesses does not use up the owner's tries. Codes that were used within the last `GRACE` are right too:
    `code_take` tells them apart.

    Not for use in a transaction: a wrong try must stay counted.
    """
    now = clock.now()
    codes = OneTimeCode.objects.filter(msisdn=msisdn).order_by("-created_at", "-pk")
    live = codes.filter(used_at__isnull=True, expires_at__gt=now)
    own = live.filter(address=address).exists()
    rows = list((live.filter(address=address) if own else live)[:CODES_THAT_WORK])
    # one that was used between the two queries is in both, and may take one try only
    rows += [row for row in codes.filter(used_at__gt=now - GRACE)[:CODES_THAT_WORK] if row not in rows]
    account = "tries" if own or is_known(msisdn, address) else "tries_elsewhere"
    digest = _hash(msisdn, code)
    tried = [row for row in rows if _take_try(row, account)]
    return next((row for row in tried if constant_time_compare(row.code_hash, digest)), None)


def code_take(row: OneTimeCode) -> bool:
    """Mark a code as used, and end the others of its address. Return False if it was used before."""
    now = clock.now()
    if not OneTimeCode.objects.filter(pk=row.pk, used_at__isnull=True).update(used_at=now):
        return False
    others = OneTimeCode.objects.filter(msisdn=row.msisdn, address=row.address, used_at__isnull=True)
    others.filter(expires_at__gt=now).update(expires_at=now)
    return True


def is_known(msisdn: str, address: str) -> bool:
    """Return whether the owner of a number has logged in from this address before."""
    return KnownAddress.objects.filter(user__msisdn=msisdn, address=address).exists()


def codes_of_the_hour() -> int:
    """Return how many codes were sent within the last hour, to all numbers."""
    return OneTimeCode.objects.filter(created_at__gt=clock.now() - HOUR).count()


def purge_codes() -> int:
    """Delete a batch of the codes that no limit counts any more; return how many."""
    return delete_batch(OneTimeCode.objects.filter(created_at__lt=clock.now() - HOUR - settings.OTP_TTL))


def _take_try(row: OneTimeCode, account: str) -> bool:
    left = {f"{account}__lt": settings.OTP_MAX_TRIES}
    return OneTimeCode.objects.filter(pk=row.pk, **left).update(**{account: F(account) + 1}) == 1


def _refuse_too_many(msisdn: str, address: str, now: datetime, limit: int) -> None:
    hold_name("codes")  # or two calls at once could both take the last one
    recent = OneTimeCode.objects.filter(created_at__gt=now - HOUR)
    number, everywhere = recent.filter(msisdn=msisdn), limit * ADDRESSES_PER_NUMBER
    text = _("At most {} codes are sent to a number within an hour.")
    _refuse_more(number.filter(address=address), limit, now, text)
    if is_known(msisdn, address):
        return
    _refuse_more(number, everywhere, now, text)
    if settings.OTP_MAX_PER_ADDRESS:
        text = _("At most {} codes are sent for one address within an hour.")
        _refuse_more(recent.filter(address=address), settings.OTP_MAX_PER_ADDRESS, now, text)
    if settings.OTP_MAX_PER_HOUR_OVERALL:
        text = _("Too many codes were sent within an hour.")
        _refuse_more(recent, settings.OTP_MAX_PER_HOUR_OVERALL, now, text, CodesCapped)


def _refuse_more(
    codes: QuerySet[OneTimeCode], limit: int, now: datetime, text: str, error: type[RateLimited] = RateLimited
) -> None:
    oldest = codes.order_by("-created_at").values_list("created_at", flat=True)[limit - 1 : limit].first()
    if oldest is not None:
        raise error(text.format(limit), retry_after=(oldest + HOUR - now).total_seconds())


def _hash(msisdn: str, code: str) -> str:
    return salted_hmac("users.codes", f"{msisdn}:{code}", algorithm="sha256").hexdigest()
