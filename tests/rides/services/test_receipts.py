"""Receipts of devices, as they are kept."""

from datetime import timedelta
from uuid import UUID, uuid4

from django.utils import timezone

from rides.models import DeviceReceipt, Match, NotificationReceipt
from rides.services.receipts import Confirmed, Receipt, receipts_record
from tests.cast import propose
from users.models import User

NOW = timezone.now()


def confirm(user: User, seq: int, *confirmed: Confirmed, at: timedelta = timedelta()) -> None:
    receipts_record(receipts={user.pk: [Receipt(seq, NOW + at, confirmed)]})


def test_the_newest_receipt_of_a_user_is_kept(dewi: User, putri: User) -> None:
    """One row for each user, whatever they confirm."""
    confirm(dewi, 3)
    confirm(dewi, 7, at=timedelta(seconds=1))
    confirm(putri, 2)
    assert dict(DeviceReceipt.objects.values_list("user", "seq")) == {dewi.pk: 7, putri.pk: 2}


def test_an_offer_is_received_by_its_driver(dewi: User, putri: User) -> None:
    """The passenger's receipt of the same offer says nothing about the driver's device."""
    match = propose(dewi, putri)
    confirm(putri, 1, Confirmed("match_proposal", match.pk, "PENDING"))
    assert Match.objects.get().received_at is None
    confirm(dewi, 1, Confirmed("match_proposal", match.pk, "PENDING"))
    assert Match.objects.get().received_at == NOW
    confirm(dewi, 2, Confirmed("match_proposal", match.pk, "PENDING"), at=timedelta(seconds=9))
    assert Match.objects.get().received_at == NOW


def test_the_first_receipt_of_a_notification_counts(dewi: User) -> None:
    """A notification that is sent and confirmed once more keeps its time."""
    ride = uuid4()
    confirm(dewi, 1, Confirmed("ride_start", ride, "ONGOING"))
    confirm(dewi, 1, Confirmed("ride_start", ride, "ONGOING"), at=timedelta(seconds=5))
    confirm(dewi, 2, Confirmed("payment_process", ride, "PENDING"), Confirmed("payment_process", ride, "ACCEPTED"))
    assert list(NotificationReceipt.objects.order_by("id").values_list("type", "status")) == [
        ("ride_start", "ONGOING"),
        ("payment_process", "PENDING"),
        ("payment_process", "ACCEPTED"),
    ]
    assert NotificationReceipt.objects.earliest("id").received_at == NOW


def test_matches_that_do_not_exist_are_no_trouble(dewi: User) -> None:
    """Another service's notification may name a match that was never adopted."""
    confirm(dewi, 1, Confirmed("match_proposal", UUID(int=9), "PENDING"))
    assert DeviceReceipt.objects.get().seq == 1
