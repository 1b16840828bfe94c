"""The signature of our messages."""

from typing import Any

import pytest

from events.signature import SIGNATURE_HEADER, is_signed, own_headers, signature_of
from events.stream import ID_HEADER, TYPE_HEADER, VALID_UNTIL_HEADER, VIEWS_HEADER

HEADERS = {ID_HEADER: "1", TYPE_HEADER: "ride_pickup", VIEWS_HEADER: "{}", VALID_UNTIL_HEADER: "2030-01-01T00:00:00Z"}


def signed(subject: str = "ride.pickup", payload: bytes = b"{}") -> dict[str, str]:
    return {**HEADERS, SIGNATURE_HEADER: signature_of(subject, payload, HEADERS)}


def test_what_we_sign_is_ours() -> None:
    """Headers that NATS adds change nothing."""
    assert is_signed("ride.pickup", b"{}", {**signed(), "Nats-Expected-Stream": "NEBENGJEK"})


@pytest.mark.parametrize("name", HEADERS)
def test_every_header_of_ours_is_signed(name: str) -> None:
    """None can be left out or changed."""
    headers = signed()
    assert not is_signed("ride.pickup", b"{}", {**headers, name: "other"})
    del headers[name]
    assert not is_signed("ride.pickup", b"{}", headers)


def test_payload_and_subject_are_signed() -> None:
    """Neither can be another one."""
    assert not is_signed("ride.pickup", b"{ }", signed())
    assert not is_signed("ride.started", b"{}", signed())


def test_a_part_cannot_become_another() -> None:
    """The end of one part cannot be taken for the beginning of the next."""
    assert signature_of("a", b"bc", {}) != signature_of("ab", b"c", {})
    assert signature_of("a", b"b", {ID_HEADER: "c"}) != signature_of("a", b"b", {TYPE_HEADER: "c"})
    assert signature_of("a", b"0:", {}) != signature_of("a", b"", {ID_HEADER: ""})


@pytest.mark.parametrize("signature", [None, "", "0" * 64, "\u0661" * 64, "\udcff"])
def test_anything_else_is_no_signature(signature: str | None) -> None:
    """What is missing or of other characters is refused without an error."""
    headers = HEADERS if signature is None else {**HEADERS, SIGNATURE_HEADER: signature}
    assert not is_signed("ride.pickup", b"{}", headers)


def test_it_outlives_its_key(settings: Any) -> None:
    """While `SECRET_KEY` is being changed, messages by the previous one are ours, and no longer."""
    good = signed()
    settings.SECRET_KEY, previous = "another key that is long enough for us", settings.SECRET_KEY
    assert not is_signed("ride.pickup", b"{}", good)
    settings.SECRET_KEY_FALLBACKS = [previous]
    assert is_signed("ride.pickup", b"{}", good)


def test_only_headers_of_ours_are_looked_at() -> None:
    """Neither the signature itself nor those of NATS are among them."""
    assert own_headers({**signed(), "Nats-Expected-Stream": "x"}) == HEADERS
    assert own_headers(None) == {}
