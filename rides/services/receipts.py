"""What has reached people's devices, as the devices confirm it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import transaction

from rides.models import DeviceReceipt, NotificationReceipt
from rides.services.offers import offers_receive

OFFER = "match_proposal"


class Confirmed(msgspec.Struct, frozen=True):
    """A notification about a match or a ride that has reached a device; `key` is that of its event."""

    type: str
    key: UUID
    status: str = ""


class Receipt(msgspec.Struct, frozen=True):
    """Everything up to number `seq` has reached the device of a user."""

    seq: int
    received_at: datetime
    confirmed: Sequence[Confirmed] = ()


@transaction.atomic
def receipts_record(*, receipts: Mapping[UUID, Sequence[Receipt]]) -> None:
    """Keep the receipts of many users, each user's in the order in which they came.

    It takes two statements however many users there are, and one more for each driver who has received an offer.
    """
    newest = [_newest(user_id, own) for user_id, own in receipts.items()]
    DeviceReceipt.objects.bulk_create(
        newest, update_conflicts=True, unique_fields=["user"], update_fields=["seq", "received_at"]
    )
    rows = [row for user_id, own in receipts.items() for row in _rows(user_id, own)]
    NotificationReceipt.objects.bulk_create(rows, ignore_conflicts=True)
    for row in rows:
        if row.type == OFFER:
            offers_receive(match_ids=[UUID(row.key)], driver_id=row.user_id, received_at=row.received_at)


def _newest(user_id: UUID, receipts: Sequence[Receipt]) -> DeviceReceipt:
    last = max(receipts, key=lambda receipt: receipt.received_at)
    return DeviceReceipt(user_id=user_id, seq=last.seq, received_at=last.received_at)


def _rows(user_id: UUID, receipts: Sequence[Receipt]) -> list[NotificationReceipt]:
    return [
        NotificationReceipt(
            user_id=user_id, key=str(one.key), type=one.type, status=one.status, received_at=receipt.received_at
        )
        for receipt in receipts
        for one in receipt.confirmed
    ]
