"""Dead letters that are published once more, on real servers."""

from uuid import UUID

import pytest
from nats.aio.client import Client

from common.threads import in_read_thread, in_write_thread
from events import dead_letters
from events.models import DeadLetter, OutboxEvent
from events.signature import SIGNATURE_HEADER, is_signed, signature_of
from events.stream import ID_HEADER, TYPE_HEADER, VIEWS_HEADER
from realtime.bridge.bridge import Bridge
from realtime.bridge.replay import headers_of_replay
from tests.patience import until
from tests.realtime.bridge.conftest import has, letters, say, told
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_dead_letter_can_be_replayed_after_a_fix(
    bridge: Bridge, nats_client: Client, monkeypatch: pytest.MonkeyPatch, dewi: User
) -> None:
    monkeypatch.setattr("realtime.bridge.reading.MAX_PAYLOAD", 10)
    await say(nats_client, "match.found", driver_id=dewi.pk, n=1)
    await until(lambda: bridge.counts.dead == 1)
    monkeypatch.setattr("realtime.bridge.reading.MAX_PAYLOAD", 1000)
    assert await in_write_thread(dead_letters.dead_letters_request_replay) == 1
    await until(lambda: has(dewi, 1))
    [letter] = await letters()
    await until(lambda: in_read_thread(DeadLetter.objects.filter(replayed_at__isnull=False).exists))
    assert [frame["data"]["n"] for frame in await told(dewi.pk)] == [1]
    assert await in_write_thread(dead_letters.dead_letters_request_replay) == 0
    assert await in_write_thread(lambda: dead_letters.dead_letters_request_replay(ids=[letter.pk])) == 1
    await until(lambda: has(dewi, 2))


async def test_a_letter_of_ours_is_read_as_ours(
    bridge: Bridge, nats_client: Client, monkeypatch: pytest.MonkeyPatch, dewi: User, putri: User
) -> None:
    """Each recipient sees what is theirs, and nobody else hears of it; also when it is replayed once more."""
    monkeypatch.setattr("realtime.bridge.reading.MAX_PAYLOAD", 10)
    row = OutboxEvent(key="k", type="match_proposal", subject="match.found", data={"n": 1, "driver_id": str(dewi.pk)})
    row.audience = {str(putri.pk): {"n": 2}}
    await in_write_thread(row.save)
    await until(lambda: bridge.counts.dead == 1)
    monkeypatch.setattr("realtime.bridge.reading.MAX_PAYLOAD", 1000)
    await in_write_thread(dead_letters.dead_letters_request_replay)
    await until(lambda: has(putri, 1))
    [letter] = await letters()
    await until(lambda: in_read_thread(DeadLetter.objects.filter(replayed_at__isnull=False).exists))
    await in_write_thread(lambda: dead_letters.dead_letters_request_replay(ids=[letter.pk]))
    await until(lambda: has(putri, 2))
    assert [(frame["type"], frame["data"]) for frame in await told(putri.pk)] == [("match_proposal", {"n": 2})] * 2
    assert await told(dewi.pk) == []


HEADERS = {ID_HEADER: str(UUID(int=7)), TYPE_HEADER: "match_proposal", VIEWS_HEADER: "{}"}


def letter_with(headers: dict[str, str]) -> DeadLetter:
    return DeadLetter(
        pk=3, stream_id="S:1", sequence=9, subject="match.found", payload=b"{}", headers=headers, replays=0
    )


def test_each_replay_has_an_id_of_its_own_and_keeps_it() -> None:
    """One that is published twice, since its mark got lost, is the same to the stream."""
    signed = {**HEADERS, SIGNATURE_HEADER: signature_of("match.found", b"{}", HEADERS)}
    letter = letter_with({**signed, "Nats-Expected-Stream": "NEBENGJEK"})
    first = headers_of_replay(letter)
    assert first == headers_of_replay(letter)
    assert is_signed("match.found", b"{}", first)
    assert (first[TYPE_HEADER], first[VIEWS_HEADER]) == ("match_proposal", "{}")
    assert "Nats-Expected-Stream" not in first
    letter.replays = 1
    assert len({first[ID_HEADER], headers_of_replay(letter)[ID_HEADER], HEADERS[ID_HEADER]}) == 3


def test_what_only_claims_to_be_ours_is_not_signed() -> None:
    for headers in (HEADERS, {**HEADERS, SIGNATURE_HEADER: "0" * 64}):
        found = headers_of_replay(letter_with(headers))
        assert not is_signed("match.found", b"{}", found)
        assert found[ID_HEADER] == f"{HEADERS[ID_HEADER]}:replay:3:1"
    assert headers_of_replay(letter_with({}))[ID_HEADER] == "S:1:9:replay:3:1"


async def test_a_letter_that_nats_refuses_blocks_no_other(bridge: Bridge, nats_client: Client) -> None:
    context = nats_client.jetstream()
    await context.publish("match.found", b"1")
    await context.publish("match.found", b"2", headers={"Nats-Expected-Last-Sequence": "1"})
    await context.publish("match.found", b"3")
    await until(lambda: bridge.counts.dead == 3)
    await in_write_thread(dead_letters.dead_letters_request_replay)
    await until(lambda: bridge.counts.replayed == 3)
