import resource
from typing import Any

import pytest

from common.descriptors import allowed, needed, requests_at_once


@pytest.mark.parametrize(("limit", "requests"), [(16, 1), (64, 2), (256, 8), (512, 16), (100_000, 16)])
def test_few_descriptors_are_few_requests(
    monkeypatch: pytest.MonkeyPatch, settings: Any, limit: int, requests: int
) -> None:
    """Each opens a database, so a burst of them must not take what the sockets need."""
    settings.HTTP_THREADS = 16
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert requests_at_once() == requests
    assert needed() == 42 + 3 * requests


def test_no_limit_is_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert allowed() > 10**9
