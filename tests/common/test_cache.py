"""What the cache in Redis holds."""

import pickle
from typing import Any

import pytest
from django.core.cache.backends.redis import RedisCache

from common.cache import JSONSerializer
from devservers.servers import ValkeyServer
from nebengjek.settings import DISTRIBUTED_BACKENDS


@pytest.mark.parametrize("value", [0, -7, 2.5, True, None, "text", "", [1.5, 2.5], {"a": [1]}])
def test_values_come_back(value: Any) -> None:
    """What JSON can tell is the same again."""
    serializer = JSONSerializer()
    assert serializer.loads(serializer.dumps(value)) == value


@pytest.mark.parametrize("value", [object(), float("nan"), b"bytes", {1, 2}], ids=["object", "nan", "bytes", "set"])
def test_other_values_are_refused(value: Any) -> None:
    """What JSON has no form for is an error where it is written."""
    with pytest.raises((TypeError, ValueError)):
        JSONSerializer().dumps(value)


class Trap:
    """Runs code where it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('code was run')",)


def test_who_writes_to_redis_runs_no_code(valkey: ValkeyServer) -> None:
    """A pickle in the place of a value is an error, and is not executed; counters still count."""
    assert DISTRIBUTED_BACKENDS["cache"] == "django.core.cache.backends.redis.RedisCache"
    cache = RedisCache(valkey.url, {"OPTIONS": {"serializer": "common.cache.JSONSerializer"}})
    cache.set("trap", 1)
    cache._cache.get_client(write=True).set(cache.make_key("trap"), pickle.dumps(Trap()))
    with pytest.raises(UnicodeDecodeError):
        cache.get("trap")
    cache.set("count", 1)
    assert cache.incr("count") == 2
    assert cache.get("count") == 2
