"""Two shards on real servers: each user is told by way of their own Redis, stream and bridge."""

from typing import Any
from uuid import UUID

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from common.redis import PREFIX, async_redis
from common.shards import shard_of
from common.threads import in_read_thread, in_write_thread
from events.models import OutboxEvent
from events.stream import ID_HEADER, stream_of
from realtime.bridge.lease import KEY as LEASE
from realtime.bridge.status import SHARD_KEY, has_relay, read_status
from realtime.delivery.history import history
from rides.services.matches import match_confirm
from tests.cast import make_user, propose
from tests.patience import until
from tests.realtime.bridge.conftest import has, running_bridges, told
from users.models import Driver, User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("two_shards")]


def id_in(shard: int) -> UUID:
    """Return the id of a user of a shard, where there are two."""
    return next(UUID(int=number) for number in range(1, 100) if shard_of(UUID(int=number)) == shard)


@pytest.fixture
def ari(two_shards: None, transactional_db: None) -> User:
    """A driver of shard 0."""
    user = make_user("+6281200000011", "Ari", role="driver", pk=id_in(0))
    Driver.objects.create(user=user, vehicle_type="motorcycle", vehicle_plate="B 1 A")
    return user


@pytest.fixture
def sari(two_shards: None, transactional_db: None) -> User:
    """A passenger of shard 1."""
    return make_user("+6281200000012", "Sari", pk=id_in(1))


async def heads_on(shard: int) -> set[str]:
    """Return whose numbers a server has."""
    keys: Any = await async_redis(shard).keys(f"{PREFIX}head:*")
    return {key.decode().rpartition(":")[2] for key in keys}


async def messages_of(client: Client, shard: int) -> list[str]:
    """Return the subjects of what is in the stream of a shard."""
    context, name = client.jetstream(), stream_of(shard)
    newest = (await context.stream_info(name)).state.last_seq
    return [(await context.get_msg(name, number)).subject or "" for number in range(1, newest + 1)]


async def test_a_match_of_two_shards(nats_client: Client, ari: User, sari: User) -> None:
    """Both are told all of it in order, each by their own server; other services hear what they heard before."""
    heard: list[Msg] = []

    async def hear(message: Msg) -> None:
        heard.append(message)

    await nats_client.subscribe("user.*", cb=hear)
    async with running_bridges():
        match = await in_write_thread(propose, ari, sari)
        for person in (ari, sari):
            await in_write_thread(match_confirm, user_id=person.pk, match_id=match.pk, accepted=True)
        await until(lambda: has(ari, 4))
        await until(lambda: has(sari, 5))
        assert has_relay()
        assert all(read_status(shard).is_active for shard in (0, 1))
    types = [frame["type"] for frame in await told(sari.pk)]
    assert types == ["finder_update", "match_proposal", "match_confirm", "match_confirm", "ride_pickup"]
    assert [frame["type"] for frame in await told(ari.pk)] == types[1:]
    assert [await heads_on(0), await heads_on(1)] == [{str(ari.pk)}, {str(sari.pk)}]
    subjects = ["match.found", "match.confirmed", "match.accepted", "ride.pickup"]
    assert await messages_of(nats_client, 0) == [f"shard.0.{subject}" for subject in subjects]
    assert await messages_of(nats_client, 1) == [f"shard.1.{subject}" for subject in ("user.finder", *subjects)]
    finder = await in_read_thread(OutboxEvent.objects.get, subject="user.finder")
    [message] = [message for message in heard if message.subject == "user.finder"]
    assert (message.headers or {})[ID_HEADER] == str(finder.event_id)
    assert not has_relay()


async def test_one_shard_waits_for_nobody(nats_client: Client, ari: User, sari: User) -> None:
    """While the bridge of one shard is away the other's users are told; then the rest follows, once."""
    async with running_bridges() as bridges:
        await until(lambda: in_read_thread(lambda: read_status(1).is_active))
        bridges[2].stop()
        await until(lambda: in_read_thread(lambda: not read_status(1).is_active))
        await in_write_thread(propose, ari, sari)
        await until(lambda: has(ari, 1))
        assert not await has(sari, 1)
    async with running_bridges():
        await until(lambda: has(sari, 2))
    assert [frame["type"] for frame in await told(sari.pk)] == ["finder_update", "match_proposal"]
    assert len(await told(ari.pk)) == 1


async def test_another_number_of_shards_is_another_epoch(ari: User) -> None:
    """Who comes back to a server may have been told things by another one meanwhile."""
    epochs = []
    for before in (None, "0 of 2", "0 of 1"):
        if before is not None:
            await async_redis(0).set(SHARD_KEY, before)
        async with running_bridges():

            async def is_claimed() -> bool:
                return bool(await async_redis(0).get(SHARD_KEY) == b"0 of 2" and await async_redis(0).exists(LEASE))

            await until(is_claimed)
            await until(lambda: in_read_thread(lambda: read_status(0).lag == 0))
        epochs.append((await history().read(ari.pk)).epoch)
    assert epochs[0] == epochs[1] != epochs[2]
