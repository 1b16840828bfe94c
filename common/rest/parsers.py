"""Reading the bodies of REST calls."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

MAX_BODY_SIZE = 16 * 1024
"""Bytes; the largest body of the contract is a refresh token of a few hundred."""


class BoundedJSONParser(JSONParser):
    """JSON of at most `MAX_BODY_SIZE` bytes; long and deeply nested bodies are refused cheaply."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the parsed body; raise `ParseError` if it is not JSON, too long or nested too deeply."""
        body = stream.read(MAX_BODY_SIZE + 1)
        if len(body) > MAX_BODY_SIZE:
            raise ParseError(f"The body must not be longer than {MAX_BODY_SIZE} bytes.")
        try:
            data: dict[str, Any] = super().parse(BytesIO(body), media_type, parser_context)
        except RecursionError as exc:
            raise ParseError("The body is nested too deeply.") from exc
        return data
