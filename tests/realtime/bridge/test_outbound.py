"""From the outbox to the users, on real servers."""

import pytest
from nats.aio.client import Client

from common.threads import in_read_thread, in_write_thread
from events.models import OutboxEvent
from realtime.bridge.bridge import Bridge
from tests.patience import until
from tests.realtime.bridge.conftest import has, told
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)


async def test_an_event_that_nats_does_not_take_is_given_up(bridge: Bridge, dewi: User, putri: User) -> None:
    for user, data in ((putri, {"x": "x" * 2_000_000}), (dewi, {"driver_id": str(dewi.pk)})):
        audience = {str(user.pk): None}
        await in_write_thread(
            OutboxEvent.objects.create, key=str(user.pk), type="t", subject="match.found", data=data, audience=audience
        )
    await until(lambda: has(dewi, 1))
    await until(lambda: in_read_thread(OutboxEvent.objects.filter(failed_at__isnull=False).exists))


async def test_recipients_may_see_different_data(bridge: Bridge, nats_client: Client, dewi: User, putri: User) -> None:
    await in_write_thread(
        OutboxEvent.objects.create,
        key="k", type="ride_start", subject="ride.started", data={"driver_id": str(dewi.pk), "n": "all"},
        audience={str(dewi.pk): None, str(putri.pk): {"n": "less"}},
    )  # fmt: skip
    await until(lambda: has(putri, 1))
    assert [(await told(user.pk))[0]["data"]["n"] for user in (dewi, putri)] == ["all", "less"]
