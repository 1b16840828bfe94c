"""Tokens of other issuers."""

from typing import Any

import jwt
from django.conf import settings


def make_token(claims: dict[str, Any]) -> str:
    """Sign any claims at all with the shared secret."""
    return jwt.api_jws.encode(_dump(claims), settings.JWT_SECRET, algorithm="HS256")


def _dump(claims: dict[str, Any]) -> bytes:
    import json

    return json.dumps(claims).encode()
