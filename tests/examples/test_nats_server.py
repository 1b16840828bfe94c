"""What each user of the example's configuration may say and hear, as a real server sees it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats.errors
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from devservers.servers import NatsServer
from events.stream import OUTBOX_SUBJECT
from realtime.bridge.reading import events_by_subject
from realtime.socket.nats_publisher import LOCATION_SUBJECT
from rides.events import EVENTS
from tests.examples.conftest import USERS, settle, url_of

API = "$JS.API"
BRIDGES_API = {
    f"{API}.STREAM.INFO.NEBENGJEK",
    f"{API}.STREAM.CREATE.NEBENGJEK",
    f"{API}.CONSUMER.INFO.NEBENGJEK.bridge",
    f"{API}.CONSUMER.DURABLE.CREATE.NEBENGJEK.bridge",
    f"{API}.CONSUMER.DELETE.NEBENGJEK.bridge",
    f"{API}.CONSUMER.MSG.NEXT.NEBENGJEK.bridge",
    "$JS.ACK.NEBENGJEK.bridge.1.1.1.1.1",
}
NOBODYS = {
    f"{API}.INFO",
    f"{API}.STREAM.NAMES",
    f"{API}.STREAM.UPDATE.NEBENGJEK",
    f"{API}.STREAM.PURGE.NEBENGJEK",
    f"{API}.STREAM.DELETE.NEBENGJEK",
    f"{API}.STREAM.MSG.GET.NEBENGJEK",
    f"{API}.STREAM.MSG.DELETE.NEBENGJEK",
    f"{API}.STREAM.CREATE.OTHER",
    f"{API}.DIRECT.GET.NEBENGJEK",
    f"{API}.CONSUMER.CREATE.NEBENGJEK",
    f"{API}.CONSUMER.CREATE.NEBENGJEK.thief.match.found",
    f"{API}.CONSUMER.DURABLE.CREATE.NEBENGJEK.thief",
    f"{API}.CONSUMER.DELETE.NEBENGJEK.thief",
    "$JS.ACK.NEBENGJEK.thief.1.1.1.1.1",
    "user.revoked",
    "anything",
}
INBOXES = {f"_INBOX_{user}.x" for user in USERS}
SUBJECTS = {event.subject for event in EVENTS}
SAYABLE = SUBJECTS | BRIDGES_API | NOBODYS | INBOXES | {OUTBOX_SUBJECT, LOCATION_SUBJECT}
MAY_SAY = {
    "web": {LOCATION_SUBJECT, OUTBOX_SUBJECT},
    "dispatcher": {OUTBOX_SUBJECT},
    "bridge": SUBJECTS | BRIDGES_API,
    "matching": {"match.found"},
}

NOBODY_HEARS = {"user.revoked", "$JS.EVENT.>", "_INBOX.x", ">", "*.*"}
HEARABLE = SUBJECTS | INBOXES | NOBODY_HEARS | {OUTBOX_SUBJECT, LOCATION_SUBJECT}
MATCHING_HEARS = {"match.accepted", "match.rejected", "ride.arrived", "ride.cancelled"}
MAY_HEAR = {
    "web": {"_INBOX_web.x"},
    "dispatcher": {"_INBOX_dispatcher.x"},
    "bridge": {OUTBOX_SUBJECT, "_INBOX_bridge.x"},
    "matching": {"user.beacon", "user.finder", LOCATION_SUBJECT, "_INBOX_matching.x"} | MATCHING_HEARS,
}


@asynccontextmanager
async def connected(server: NatsServer, user: str) -> AsyncIterator[tuple[Client, list[str]]]:
    """Give the connection of a user, and what NATS has forbidden on it so far."""
    forbidden: list[str] = []

    async def hear_error(error: Exception) -> None:
        found = re.search(r'permissions violation for (?:publish|subscription) to "(.*)"', str(error), re.IGNORECASE)
        assert found, error
        forbidden.append(found[1].lower())

    client = await nats.connect(url_of(server, user), error_cb=hear_error)
    yield client, forbidden
    await client.close()


def lowered(subjects: set[str]) -> list[str]:
    """Return subjects as the library reports them."""
    return sorted(subject.lower() for subject in subjects)


def test_all_subjects_are_covered() -> None:
    """Every subject of the contract is tried by one of the users."""
    assert set(events_by_subject()) | {"user.beacon", "user.finder"} == SUBJECTS
    assert set(USERS) == MAY_SAY.keys() == MAY_HEAR.keys()


@pytest.mark.parametrize("user", USERS)
async def test_publishing_is_restricted(guarded_nats: NatsServer, user: str) -> None:
    """Each user of NATS can publish its own subjects and no others."""
    async with connected(guarded_nats, user) as (client, forbidden):
        for subject in SAYABLE:
            await client.publish(subject, b"{}")
        await settle(client)
        assert sorted(forbidden) == lowered(SAYABLE - MAY_SAY[user])


@pytest.mark.parametrize("user", USERS)
async def test_subscribing_is_restricted(guarded_nats: NatsServer, user: str) -> None:
    """Each user of NATS can subscribe to its own subjects and no others."""

    async def hear(message: Msg) -> None:
        raise AssertionError(message)

    async with connected(guarded_nats, user) as (client, forbidden):
        for subject in HEARABLE:
            await client.subscribe(subject, cb=hear)
        await settle(client)
        assert sorted(forbidden) == lowered(HEARABLE - MAY_HEAR[user])


@pytest.mark.parametrize("who", ["", "web:wrong@", "web:@", "matching@", "stranger:secret-of-web@"])
async def test_wrong_passwords_are_refused(guarded_nats: NatsServer, who: str) -> None:
    """Whoever does not know a password is not let in."""
    errors: list[Exception] = []

    async def note(error: Exception) -> None:
        errors.append(error)

    url = guarded_nats.url.replace("://", f"://{who}")
    client = Client()
    with pytest.raises(nats.errors.Error):
        await client.connect(url, max_reconnect_attempts=1, reconnect_time_wait=0, error_cb=note)
    await client.close()
    assert "uthorization" in str(errors[0])
