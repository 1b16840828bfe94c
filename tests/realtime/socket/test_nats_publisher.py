"""What a server process says over a real NATS."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from common.background_tasks import end
from common.threads import in_write_thread
from devservers.servers import NatsServer
from events import wakeups
from events.stream import OUTBOX_SUBJECT
from realtime.socket.nats_publisher import LOCATION_SUBJECT, Link, link
from rides.services.beacons import beacon_update
from tests.patience import until, within
from users.models import User


@pytest.fixture
async def running(nats_client: Client) -> AsyncIterator[Link]:
    """The link of a process, connected."""
    made = Link()
    task = asyncio.create_task(made.run())
    await until(lambda: is_connected(made))
    yield made
    await end(task)


def is_connected(made: Link) -> bool:
    return made._client is not None and made._client.is_connected


class Ear:
    """What another service hears."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Msg] = asyncio.Queue()

    @classmethod
    async def on(cls, client: Client, subject: str) -> "Ear":
        ear = cls()
        await client.subscribe(subject, cb=ear.heard.put)
        await client.flush()
        return ear

    async def next(self) -> Msg:
        async with within():
            # What NATS says itself, such as that the stream of the test before was deleted, may come late.
            while (message := await self.heard.get()).subject.startswith("$"):
                pass
            return message


async def test_other_services_hear_what_is_said(running: Link, nats_client: Client) -> None:
    ear = await Ear.on(nats_client, ">")
    await running.publish(LOCATION_SUBJECT, {"street": "Jl. „Käfer“", "latitude": -6.1754})
    message = await ear.next()
    assert message.subject == "location.update"
    assert json.loads(message.data) == {"street": "Jl. „Käfer“", "latitude": -6.1754}


@pytest.mark.django_db(transaction=True)
async def test_each_commit_is_a_word_to_the_relay(running: Link, nats_client: Client, dewi: User) -> None:
    ear = await Ear.on(nats_client, OUTBOX_SUBJECT)
    for is_active in (True, False):
        await in_write_thread(beacon_update, user_id=dewi.pk, is_active=is_active)
        assert (await ear.next()).data == b""


async def test_many_commits_at_once_are_few_words(running: Link, nats_client: Client) -> None:
    ear = await Ear.on(nats_client, ">")
    for _ in range(1000):
        wakeups.wake_relay()
    await asyncio.to_thread(wakeups.wake_relay)
    await ear.next()
    await running.publish("the.end", {})
    words = 1
    while (await ear.next()).subject != "the.end":
        words += 1
    assert words <= 2


async def test_before_it_is_connected_nothing_is_said_and_nobody_is_the_worse_for_it() -> None:
    await Link().publish(LOCATION_SUBJECT, {})
    wakeups.wake_relay()


async def test_when_it_has_ended_it_listens_no_more(nats_client: Client) -> None:
    listening = set(wakeups._listeners)
    made = Link()
    task = asyncio.create_task(made.run("dispatcher"))
    await until(lambda: is_connected(made))
    client = made._client
    assert client is not None
    assert wakeups._listeners - listening == {made._wake}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert client.is_closed
    assert wakeups._listeners == listening
    await made.publish(LOCATION_SUBJECT, {})
    made._wake()  # of a thread that was faster
    await asyncio.sleep(0)


async def test_while_nats_is_away_nothing_waits_and_then_it_goes_on(tmp_path: Path, settings: Any) -> None:
    with NatsServer(tmp_path) as server:
        settings.NATS_URL = server.url
        made = Link()
        task = asyncio.create_task(made.run())
        await until(lambda: is_connected(made))
        server.kill()
        await until(lambda: not is_connected(made))
        await made.publish(LOCATION_SUBJECT, {"n": 1})
        wakeups.wake_relay()
        server.start()
        await until(lambda: is_connected(made))
        assert made._client is not None
        ear = await Ear.on(made._client, LOCATION_SUBJECT)
        await made.publish(LOCATION_SUBJECT, {"n": 2})
        assert json.loads((await ear.next()).data) == {"n": 2}
        await end(task)


def test_a_process_has_one() -> None:
    assert link() is link()
