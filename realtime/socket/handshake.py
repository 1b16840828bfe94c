"""The handshake: who may open a socket, decided before the upgrade.

The origin is looked at first (403), then how often the address has tried (429), then the token (401, with the JSON body
of the contract). On a server without the ASGI extension for refusals (Daphne) all of them are a bare 403.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.http.request import validate_host

from common.addresses import client_address, is_loopback, named_clients, network_of
from common.errors import SECURITY_MESSAGE, ErrorCode, Unauthorized
from common.process import process
from common.together import Together
from realtime import metrics
from realtime.contract.frames import encode
from realtime.socket.rate_limits import minute_limit
from users.tokens import Claims, accounts, check_account, claims_of

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SUBPROTOCOL = "bearer"


class OriginMiddleware:
    """Lets through sockets without an origin (native apps), of the site itself, and of `WS_ALLOWED_ORIGINS`."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse any other origin with 403: a page of somebody else must not use a visitor's browser."""
        origins = headers_of(scope, b"origin")
        if all(is_allowed_origin(origin) for origin in origins):
            await self._app(scope, receive, send)
        else:
            logger.info("Handshake refused: origin %s", origins)
            await refuse(scope, receive, send, status=403, code=ErrorCode.UNAUTHORIZED, message="Origin not allowed")


class ConnectRateMiddleware:
    """Lets each user try `WS_CONNECT_RATE` handshakes a minute; puts the `address` into the scope.

    Whoever shows no token of ours counts by address: a hundred phones behind one carrier's address are people, a
    hundred bad tokens from there are not.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer any more with 429 and `Retry-After`."""
        peer = (scope.get("client") or ("",))[0]
        address = client_address(peer, ",".join(headers_of(scope, b"x-forwarded-for")))
        kind, key = _counted_by(scope, address)
        wait = await minute_limit("WS_CONNECT_RATE").take(key)
        if not wait:
            scope["address"] = address  # a copy would live as long as the socket
            await self._app(scope, receive, send)
            return
        metrics.limited("connect")
        logger.info("Handshake refused: too many from %s", address, extra={"code": ErrorCode.RATE_LIMIT.value})
        text = f"At most {settings.WS_CONNECT_RATE} connections a minute from one {kind}."
        retry_after = (b"retry-after", str(math.ceil(wait)).encode())
        await refuse(scope, receive, send, status=429, code=ErrorCode.RATE_LIMIT, message=text, header=retry_after)


def _counted_by(scope: Scope, address: str) -> tuple[str, str]:
    """Return what a handshake counts by, and its key: the user of a token whose signature holds, else the network."""
    with contextlib.suppress(Unauthorized):
        return "user", str(read_token(scope).user_id)
    return "address", network_of(address)


class JWTAuthMiddleware:
    """Puts the user of the access token into the scope: `claims`, and the `subprotocol` to answer with.

    There is no `user`: making a model costs more than the query that checks the claims.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a missing or bad token with 401."""
        try:
            claims = read_token(scope)
            check_account(claims, await _accounts().get(claims.user_id))
        except Unauthorized as exc:
            logger.info("Handshake refused: %s", exc.message)
            await refuse(scope, receive, send, status=401, code=ErrorCode.UNAUTHORIZED, message=SECURITY_MESSAGE)
            return
        del claims
        await self._app(scope, receive, send)


class CountingMiddleware:
    """Counts the answers over HTTP."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at the status that goes by."""

        async def count(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                metrics.answered(message["status"])
            await send(message)

        await self._app(scope, receive, count)


class UpgradeRequired:
    """Answers requests to the path of a WebSocket that are no handshake: most likely a proxy has dropped a header."""

    def __init__(self, app: App, *paths: str) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 426, and name the headers."""
        if scope["path"] not in self._paths:
            await self._app(scope, receive, send)
            return
        text = (
            "This is a WebSocket: send `Connection: Upgrade` and `Upgrade: websocket`, and have proxies pass them on."
        )
        header = (b"upgrade", b"websocket")
        await refuse(scope, receive, send, status=426, code=ErrorCode.VALIDATION_FAILED, message=text, header=header)


class LoopbackOnly:
    """Lets only this machine in: for a server whose secrets stand in its source code."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse everybody else with 403, also those for whom a proxy on this machine asks."""
        client = scope.get("client")
        if (client is None or is_loopback(client[0])) and all(map(is_loopback, forwarded_clients(scope))):
            await self._app(scope, receive, send)
            return
        text = "Set SECRET_KEY and JWT_SECRET to serve other machines"
        await refuse(scope, receive, send, status=403, code=ErrorCode.UNAUTHORIZED, message=text)


def forwarded_clients(scope: Scope) -> list[str]:
    """Return all addresses that proxies name as those of the client, whether they are to be believed or not."""
    lists = headers_of(scope, b"x-forwarded-for") + headers_of(scope, b"x-real-ip")
    return named_clients(lists, headers_of(scope, b"forwarded"))


def has_public_secrets() -> bool:
    """Return whether a secret of this server stands in its source code."""
    return settings.DEVELOPMENT_SECRET in (settings.SECRET_KEY, settings.JWT_SECRET)


def is_allowed_origin(origin: str) -> bool:
    """Return whether pages of this origin may open a socket."""
    return origin in settings.WS_ALLOWED_ORIGINS or is_of_site(origin)


def is_of_site(origin: str) -> bool:
    """Return whether an origin names a host of ours (`ALLOWED_HOSTS`), on whichever port."""
    try:
        parts = urlsplit(origin)
        host = parts.hostname or ""
    except ValueError:
        return False
    host = f"[{host}]" if ":" in host else host
    return parts.scheme in ("http", "https") and validate_host(host, settings.ALLOWED_HOSTS)


def _accounts() -> Together[UUID, Sequence[Any]]:
    return process.one("accounts of handshakes", lambda: Together(accounts))


def read_token(scope: Scope) -> Claims:
    """Return the claims of a handshake's token, and put them into the scope with the `subprotocol` to answer with.

    Raises `Unauthorized`. Whether they are true of an account is not known yet.
    """
    if "claims" not in scope:
        token, subprotocol = find_token(scope)
        scope |= {"claims": claims_of(token), "subprotocol": subprotocol}
    claims: Claims = scope["claims"]
    return claims


def find_token(scope: Scope) -> tuple[str, str | None]:
    """Return the token of a handshake and the subprotocol to answer with; raise `Unauthorized` without one.

    It is in the header `Authorization: Bearer <token>`, or, for browsers, in the subprotocols `bearer, <token>`; others
    may stand before and behind these two.
    """
    headers = headers_of(scope, b"authorization")
    if headers:
        scheme, _, token = headers[0].partition(" ")
        if len(headers) == 1 and scheme.lower() == "bearer" and token.strip():
            return token.strip(), SUBPROTOCOL if SUBPROTOCOL in scope["subprotocols"] else None
        raise Unauthorized("the Authorization header is not `Bearer <token>`")
    offered = iter(scope["subprotocols"])
    token = next(offered, "") if SUBPROTOCOL in offered else ""  # `in` reads up to what it finds
    if token:
        return token, SUBPROTOCOL
    raise Unauthorized("no token")


async def refuse(
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    status: int,
    code: ErrorCode,
    message: str,
    header: tuple[bytes, bytes] | None = None,
) -> None:
    """Answer a handshake, or a request, with an HTTP status and the JSON body of an error."""
    prefix = "http.response" if scope["type"] == "http" else "websocket.http.response"
    if prefix.startswith("websocket"):
        await receive()  # websocket.connect
        if prefix not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close"})
            return
    body = encode({"code": code.value, "message": message})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if header is not None:
        headers.append(header)
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": f"{prefix}.start", "status": status, "headers": headers})
    await send({"type": f"{prefix}.body", "body": body})


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a handshake for a path that does not exist."""
    await refuse(scope, receive, send, status=404, code=ErrorCode.VALIDATION_FAILED, message="Not found.")


def headers_of(scope: Scope, name: bytes) -> list[str]:
    """Return the values of all headers of a name (lower case)."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]
