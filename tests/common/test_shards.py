"""Which shard a user is of: never another one while the number of shards is the same."""

from typing import Any
from uuid import UUID

from common.shards import by_shard, redis_urls, shard_count, shard_of

EXPECTED = [1, 0, 0, 2, 2, 1, 1, 1, 1, 1, 1, 2]


def test_without_a_setting_all_users_are_on_one(settings: Any) -> None:
    settings.REDIS_URL = "redis://one"
    assert redis_urls() == ["redis://one"]
    assert shard_count() == 1
    assert {shard_of(UUID(int=number)) for number in range(100)} == {0}
    assert by_shard([3, 1], lambda number: UUID(int=number)) == {0: [3, 1]}
    assert by_shard([], lambda number: UUID(int=number)) == {}


def test_users_stay_where_they_are(settings: Any) -> None:
    """Another function would lose every history: these are crc32's."""
    settings.REDIS_SHARDS = ["redis://b", "redis://c"]
    assert [shard_of(UUID(int=number)) for number in range(12)] == EXPECTED
    assert [shard_of(str(UUID(int=number))) for number in range(12)] == EXPECTED


def test_users_are_spread_evenly(settings: Any) -> None:
    settings.REDIS_SHARDS = ["redis://b"]
    found = by_shard(range(2000), lambda number: UUID(int=number * 7919))
    assert sorted(found) == [0, 1]
    assert 900 < len(found[0]) < 1100
    assert found[1] == sorted(found[1])  # in their order
