"""Receipts: what a connection remembers, and how the process writes it."""

import asyncio
import json
import time
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError
from django.utils import timezone
from nats.aio.client import Client

from common.background_tasks import end
from common.threads import in_read_thread, in_write_thread
from realtime import metrics
from realtime.server.background import Background
from realtime.socket import receipts
from realtime.socket.nats_publisher import Link
from realtime.socket.receipts import REMEMBERED, ReceiptTracker, flush_interval, receipt_buffer
from rides.models import DeviceReceipt, Match, NotificationReceipt
from rides.services.receipts import Confirmed, Receipt, receipts_record
from tests.cast import propose
from tests.patience import until, within
from tests.realtime.phone import Phone
from users.models import User

NOW = timezone.now()
MATCH, RIDE = UUID(int=1), UUID(int=2)


def frame(kind: str, **data: Any) -> str:
    return json.dumps({"type": kind, "data": data, "seq": 1})


def tracker_with(*frames: str) -> ReceiptTracker:
    """A connection that has forwarded these frames, numbered from 1."""
    tracker = ReceiptTracker()
    for seq, one in enumerate(frames, 1):
        tracker.forwarded(seq, 0, one)
    return tracker


def test_a_receipt_is_cumulative() -> None:
    """One number confirms everything up to it, and nothing twice."""
    tracker = tracker_with(
        frame("match_proposal", match_id=str(MATCH), match_status="PENDING"),
        frame("ride_pickup", match_id=str(MATCH), ride_id=str(RIDE)),
        frame("payment_process", ride_id=str(RIDE), status="PENDING"),
    )
    assert tracker.confirm(2, NOW) == Receipt(
        2, NOW, [Confirmed("match_proposal", MATCH, "PENDING"), Confirmed("ride_pickup", RIDE)]
    )
    assert tracker.confirm(2, NOW).confirmed == []
    assert tracker.confirm(3, NOW).confirmed == [Confirmed("payment_process", RIDE, "PENDING")]


@pytest.mark.parametrize("seq", [0, 10**18])
def test_a_number_that_was_not_sent_confirms_no_more(seq: int) -> None:
    """Neither nothing nor the future is an error."""
    tracker = tracker_with(frame("ride_start", ride_id=str(RIDE), status="ONGOING"))
    assert len(tracker.confirm(seq, NOW).confirmed) == (1 if seq else 0)


@pytest.mark.parametrize(
    "data",
    [{}, {"match_id": "m-1"}, {"match_id": None}, {"ride": 5}, {"ride_id": str(RIDE), "status": {"a": 1}}],
    ids=str,
)
def test_frames_of_other_services_are_passed_over(data: dict[str, Any]) -> None:
    """Whatever another service's notification looks like, the receipt goes on."""
    tracker = tracker_with(frame("match_proposal", **data), frame("ride_start", ride_id=str(RIDE)))
    assert tracker.confirm(2, NOW).confirmed == [Confirmed("ride_start", RIDE)]


def test_a_completed_ride_is_named_by_its_ride() -> None:
    """`ride_completed` has its id within the ride."""
    tracker = tracker_with(frame("ride_completed", ride={"ride_id": str(RIDE), "status": "COMPLETED"}, payment={}))
    assert tracker.confirm(1, NOW).confirmed == [Confirmed("ride_completed", RIDE)]


def test_offers_of_the_state_are_confirmed_with_it() -> None:
    """Who confirms the number of a `session_ready` has its offers; before that they do not."""
    tracker = ReceiptTracker()
    tracker.state_sent(5, [MATCH])
    assert tracker.confirm(4, NOW).confirmed == []
    assert tracker.confirm(5, NOW).confirmed == [Confirmed("match_proposal", MATCH, "PENDING")]
    assert tracker.confirm(6, NOW).confirmed == []


def test_an_app_that_never_confirms_costs_no_memory() -> None:
    """After some notifications without a receipt nothing is remembered, until one comes."""
    tracker = tracker_with(*[frame("ride_start", ride_id=str(RIDE))] * (REMEMBERED + 1))
    assert not tracker._waiting
    assert tracker.confirm(REMEMBERED + 1, NOW).confirmed == []
    tracker.forwarded(REMEMBERED + 2, 0, frame("ride_arrived", ride_id=str(RIDE)))
    assert tracker.confirm(REMEMBERED + 2, NOW).confirmed == [Confirmed("ride_arrived", RIDE)]


def test_what_an_app_confirms_late_is_bounded() -> None:
    """A client that confirms is remembered the newest notifications for."""
    tracker = ReceiptTracker()
    tracker.confirm(0, NOW)
    for seq in range(1, 1000):
        tracker.forwarded(seq, 0, frame("ride_start", ride_id=str(UUID(int=seq))))
    confirmed = tracker.confirm(999, NOW).confirmed
    assert [one.key for one in confirmed] == [UUID(int=seq) for seq in range(1000 - REMEMBERED, 1000)]


def test_the_time_to_the_device_is_measured() -> None:
    """`nebengjek_receipt_seconds` counts what was confirmed and when it had happened."""
    tracker = ReceiptTracker()
    tracker.forwarded(1, time.time() - 2, frame("ride_start", ride_id=str(RIDE)))
    tracker.forwarded(2, 0, frame("ride_start", ride_id=str(RIDE)))  # when it happened is not known
    tracker.confirm(2, NOW)
    place, width = metrics._receipt[()], len(metrics.BUCKETS) + 1
    assert sum(metrics.cells[place : place + width]) == 1
    assert metrics.cells[place + width] >= 2


def test_writes_are_well_within_the_time_of_a_hedge(settings: Any) -> None:
    """At most once a second, and three times before an offer is hedged."""
    assert flush_interval() == 1
    settings.OFFER_RECEIPT_TIMEOUT = timedelta(seconds=0.3)
    assert flush_interval() == pytest.approx(0.1)


@pytest.mark.django_db(transaction=True)
async def test_receipts_of_all_users_are_one_write(dewi: User, putri: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many receipts of many users are written together."""
    writes: list[int] = []

    def counted(receipts: Any) -> None:
        writes.append(len(receipts))
        receipts_record(receipts=receipts)

    monkeypatch.setattr(receipts, "receipts_record", counted)
    for seq in range(1, 100):
        receipt_buffer().add(dewi.pk, Receipt(seq, NOW + timedelta(milliseconds=seq)))
        receipt_buffer().add(putri.pk, Receipt(seq, NOW + timedelta(milliseconds=seq)))
    await receipt_buffer().flush()
    await receipt_buffer().flush()
    assert writes == [2]
    found = await in_read_thread(lambda: dict(DeviceReceipt.objects.values_list("user", "seq")))
    assert found == {dewi.pk: 99, putri.pk: 99}


@pytest.mark.django_db(transaction=True)
async def test_receipts_wait_for_the_database(dewi: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database is away they are kept, in their order."""

    def away(**_: Any) -> None:
        raise OperationalError("away")

    receipt_buffer().add(dewi.pk, Receipt(1, NOW))
    with monkeypatch.context() as patched:
        patched.setattr(receipts, "receipts_record", away)
        with pytest.raises(OperationalError):
            await receipt_buffer().flush()
    receipt_buffer().add(dewi.pk, Receipt(2, NOW + timedelta(seconds=1)))
    await receipt_buffer().flush()
    assert await in_read_thread(lambda: DeviceReceipt.objects.get().seq) == 2


@pytest.mark.django_db(transaction=True)
async def test_receipts_of_nobody_do_not_block_the_others(dewi: User) -> None:
    """A user who was erased meanwhile spoils one write, not all that follow."""
    receipt_buffer().add(uuid4(), Receipt(1, NOW))
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        await receipt_buffer().flush()
    receipt_buffer().add(dewi.pk, Receipt(2, NOW))
    await receipt_buffer().flush()
    assert await in_read_thread(lambda: DeviceReceipt.objects.get().user_id) == dewi.pk


@pytest.mark.django_db(transaction=True)
async def test_a_phone_confirms_its_offer(background: Background, dewi: User, putri: User, tono: User) -> None:
    """From the frame to the row: the offer is received when the driver's phone says so, and by nobody else."""
    phones = [await Phone.of(user) for user in (dewi, putri, tono)]
    await in_write_thread(propose, dewi, putri)
    offers = [await phone.next("match_proposal") for phone in phones[:2]]
    await phones[1].do("received", seq=offers[1]["seq"])
    await phones[2].do("received", seq=10**6)
    await receipt_buffer().flush()
    assert await in_read_thread(lambda: Match.objects.get().received_at) is None
    await phones[0].do("received", seq=offers[0]["seq"])
    await receipt_buffer().flush()
    match = await in_read_thread(Match.objects.get)
    assert match.received_at is not None
    assert match.received_at >= match.created_at
    keys = await in_read_thread(lambda: set(NotificationReceipt.objects.values_list("user", "key")))
    assert keys == {(dewi.pk, str(match.pk)), (putri.pk, str(match.pk))}
    for phone in phones:
        await phone.hang_up()


@pytest.mark.django_db(transaction=True)
async def test_an_offer_missed_on_the_way_is_confirmed_after_coming_back(
    background: Background, dewi: User, putri: User
) -> None:
    """A phone that was away confirms the offers of its fresh state."""
    await in_write_thread(propose, dewi, putri)
    phone = await Phone.of(dewi)
    assert len(phone.ready["state"]["proposals"]) == 1
    await phone.do("received", seq=phone.ready["seq"])
    await receipt_buffer().flush()
    assert await in_read_thread(lambda: Match.objects.get().received_at) is not None
    await phone.hang_up()


@pytest.mark.django_db(transaction=True)
async def test_other_services_hear_of_receipts(
    nats_client: Client, dewi: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On core NATS, so that a push service does not wake a phone that is awake."""
    heard: asyncio.Queue[Any] = asyncio.Queue()
    await nats_client.subscribe("received", cb=heard.put)
    await nats_client.flush()
    made = Link()
    monkeypatch.setattr(receipts, "link", lambda: made)
    running = asyncio.create_task(made.run())
    await until(lambda: made.is_connected)
    receipt_buffer().add(dewi.pk, Receipt(7, NOW))
    await receipt_buffer().flush()
    async with within():
        message = await heard.get()
    assert json.loads(message.data) == {
        "user_id": str(dewi.pk),
        "seq": 7,
        "timestamp": NOW.isoformat().replace("+00:00", "Z"),
    }
    await end(running)
