"""The stream on a real NATS: made where there is none, taken where it fits, refused where it does not."""

from datetime import timedelta
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType

from events.stream import (
    DUPLICATE_WINDOW,
    STREAM,
    SUBJECTS,
    StreamMismatch,
    ensure_stream,
    is_streamed,
    plain_subject,
    stream_for,
)


@pytest.mark.parametrize(
    ("subject", "kept"),
    [
        ("match.found", True),
        ("ride.pickup", True),
        ("payment.processed", True),
        ("user.beacon", False),
        ("location.update", False),
        ("rides.pickup", False),
        ("nebengjek.outbox", False),
    ],
)
def test_what_is_about_matches_rides_and_payments_is_kept(subject: str, kept: bool) -> None:
    assert is_streamed(subject) == kept


async def test_where_there_is_no_stream_it_is_made(nats_client: Client, settings: Any) -> None:
    settings.NATS_STREAM_MAX_AGE = timedelta(hours=5)
    made = await ensure_stream(nats_client.jetstream())
    config = (await nats_client.jetstream().stream_info(STREAM)).config
    assert set(config.subjects or ()) == set(SUBJECTS)
    assert (config.retention, config.storage) == (RetentionPolicy.LIMITS, StorageType.FILE)
    assert (config.duplicate_window, config.max_age) == (DUPLICATE_WINDOW, 5 * 3600)
    again = await ensure_stream(nats_client.jetstream())
    assert again.created == made.created


async def test_a_stream_that_fits_is_left_as_it_is(nats_client: Client, caplog: pytest.LogCaptureFixture) -> None:
    context = nats_client.jetstream()
    subjects = [*SUBJECTS, "weather.*"]
    limits: dict[str, Any] = {"max_msgs": 9, "discard": DiscardPolicy.NEW}
    await context.add_stream(name=STREAM, subjects=subjects, duplicate_window=DUPLICATE_WINDOW, **limits)
    info = await ensure_stream(context)
    assert info.config.max_msgs == 9
    assert set(info.config.subjects or ()) == set(subjects)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"subjects": ["match.*"]}, r"lacks the subjects payment\.\*, ride\.\*"),
        (
            {"subjects": list(SUBJECTS), "retention": RetentionPolicy.WORK_QUEUE},
            "retention workqueue; it must be limits",
        ),
        ({"subjects": list(SUBJECTS), "retention": RetentionPolicy.INTEREST}, "retention interest; it must be limits"),
    ],
)
async def test_a_stream_that_loses_our_messages_is_refused(
    nats_client: Client, config: dict[str, Any], complaint: str
) -> None:
    await nats_client.jetstream().add_stream(name=STREAM, **config)
    with pytest.raises(StreamMismatch, match=complaint):
        await ensure_stream(nats_client.jetstream())


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"storage": StorageType.MEMORY, "duplicate_window": DUPLICATE_WINDOW}, "is in memory"),
        ({"duplicate_window": 120.0}, "forgets message ids after 120.0 s"),
        ({"duplicate_window": DUPLICATE_WINDOW, "max_bytes": 10**6}, "drops its oldest messages (max_bytes)"),
        ({"duplicate_window": DUPLICATE_WINDOW, "max_msg_size": 1000}, "refuses messages of more than 1000 bytes"),
    ],
)
async def test_a_stream_that_does_less_than_ours_is_taken_with_a_warning(
    nats_client: Client, caplog: pytest.LogCaptureFixture, config: dict[str, Any], complaint: str
) -> None:
    await nats_client.jetstream().add_stream(name=STREAM, subjects=list(SUBJECTS), **config)
    await ensure_stream(nats_client.jetstream())
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert complaint in record.getMessage()


async def test_each_shard_has_a_stream(two_shards: None, nats_client: Client, settings: Any) -> None:
    """That of shard 0 is the one that was there, and what is in it stays; all of its subjects are as before."""
    context = nats_client.jetstream()
    shards, settings.REDIS_SHARDS = settings.REDIS_SHARDS, []
    before = await ensure_stream(context)
    await context.publish("match.found", b"{}")
    settings.REDIS_SHARDS = shards
    for _ in range(2):
        one, other = [await ensure_stream(context, shard) for shard in (0, 1)]
    assert set(one.config.subjects or ()) == {*SUBJECTS, "shard.0.>"}
    assert (one.created, one.state.messages) == (before.created, 1)
    assert (other.config.name, other.config.subjects) == ("NEBENGJEK_1", ["shard.1.>"])
    settings.REDIS_SHARDS = []
    assert (await ensure_stream(context)).created == before.created


@pytest.mark.parametrize(
    ("subject", "plain", "stream"),
    [
        ("match.found", "match.found", STREAM),
        ("shard.0.match.found", "match.found", STREAM),
        ("shard.12.user.beacon", "user.beacon", "NEBENGJEK_12"),
        ("shard.x", "shard.x", STREAM),
        ("shard.x.y", "y", STREAM),
        ("shards.1.match.found", "shards.1.match.found", STREAM),
    ],
)
def test_subjects_of_shards(subject: str, plain: str, stream: str) -> None:
    """The subject of the contract follows the shard."""
    assert (plain_subject(subject), stream_for(subject)) == (plain, stream)
