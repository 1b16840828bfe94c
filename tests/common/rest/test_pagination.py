"""Links from one page of a list to the next."""

from typing import Any

import pytest

from common.rest.pagination import public


def test_links_are_those_of_the_request(settings: Any) -> None:
    """Where nothing is set, a link is to where the request went."""
    settings.PUBLIC_URL_IS_SET = False
    assert public("http://127.0.0.1:4711/api/rides/?page=2") == "http://127.0.0.1:4711/api/rides/?page=2"
    assert public(None) is None


@pytest.mark.parametrize(
    ("public_url", "expected"),
    [
        ("https://app.example", "https://app.example/api/rides/?page=2"),
        ("https://example.com/jek", "https://example.com/jek/api/rides/?page=2"),
        ("http://localhost:8080", "http://localhost:8080/api/rides/?page=2"),
    ],
)
def test_links_begin_with_the_public_url(settings: Any, public_url: str, expected: str) -> None:
    """Behind a proxy a link has the scheme, host and path that clients use."""
    settings.PUBLIC_URL_IS_SET = True
    settings.PUBLIC_URL = public_url
    assert public("http://10.0.0.7:8000/api/rides/?page=2") == expected
    assert public(None) is None
