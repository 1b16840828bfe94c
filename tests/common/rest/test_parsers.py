from io import BytesIO

import pytest
from rest_framework.exceptions import ParseError

from common.rest.parsers import MAX_BODY_SIZE, BoundedJSONParser


def test_json_is_read() -> None:
    assert BoundedJSONParser().parse(BytesIO(b'{"a": 1}')) == {"a": 1}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'"' + b"x" * MAX_BODY_SIZE + b'"', "longer than 16384 bytes"),
        (b"[" * 10_000, "nested too deeply"),
        (b"{", "JSON parse error"),
        (b"\xff", "JSON parse error"),
    ],
)
def test_what_costs_too_much_or_is_no_json_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError, match=reason):
        BoundedJSONParser().parse(BytesIO(body))
