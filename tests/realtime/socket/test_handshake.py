from typing import Any

import pytest
from channels.testing import WebsocketCommunicator

from common.addresses import is_loopback
from common.threads import in_write_thread
from nebengjek.asgi import websocket_application
from realtime.socket.handshake import LoopbackOnly, is_allowed_origin
from tests.realtime.phone import Headers, Phone, refused
from users.models import User
from users.tokens import tokens_issue

pytestmark = pytest.mark.django_db(transaction=True)
EXTENSIONS: dict[str, Any] = {"websocket.http.response": {}}
UNAUTHORIZED = (401, {"code": "UNAUTHORIZED", "message": "Authentication required"})


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", b"Bearer x")],
        [(b"authorization", b"Bearer \xff\xfe")],
        [(b"authorization", b"Basic dTpw")],
        [(b"cookie", b"token=x")],
    ],
)
async def test_without_a_good_token_there_is_no_upgrade(headers: Headers) -> None:
    assert await refused(headers) == UNAUTHORIZED


@pytest.mark.parametrize(
    "subprotocols", [["bearer"], ["bearer", "x"], ["x", "bearer"], ["bearer", "x", "y"], ["graphql"]]
)
async def test_subprotocols_without_a_good_token_do_not_help(subprotocols: list[str]) -> None:
    assert await refused([], subprotocols=subprotocols) == UNAUTHORIZED


async def test_a_token_in_the_query_is_not_looked_at(putri: User) -> None:
    token = (await in_write_thread(tokens_issue, putri))["access"]
    assert await refused([], f"/ws/?token={token}&access_token={token}") == UNAUTHORIZED


async def test_two_tokens_are_one_too_many(putri: User) -> None:
    header = (b"authorization", b"Bearer " + (await in_write_thread(tokens_issue, putri))["access"].encode())
    assert await refused([header, header]) == UNAUTHORIZED


async def test_a_browser_sends_its_token_as_a_subprotocol(putri: User) -> None:
    token = (await in_write_thread(tokens_issue, putri))["access"]
    socket = WebsocketCommunicator(websocket_application, "/ws/", subprotocols=["bearer", token])
    assert await socket.connect() == (True, "bearer")
    await socket.disconnect()


async def test_the_user_is_in_the_scope(putri: User) -> None:
    phone = await Phone.of(putri)
    assert phone.ready["user_id"] == str(putri.pk)
    await phone.hang_up()


async def test_the_origin_is_looked_at_before_the_token(putri: User) -> None:
    token = (await in_write_thread(tokens_issue, putri))["access"]
    headers = [(b"origin", b"https://evil.example"), (b"authorization", f"Bearer {token}".encode())]
    status, body = await refused(headers)
    assert (status, body["code"]) == (403, "UNAUTHORIZED")
    assert (await refused([(b"origin", b"https://evil.example")]))[0] == 403


async def test_another_path_does_not_exist() -> None:
    assert (await refused([], "/wss/"))[0] == 404


async def test_a_server_that_can_only_say_403_says_that() -> None:
    socket = WebsocketCommunicator(websocket_application, "/ws/")
    connected, _ = await socket.connect()
    assert not connected


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://api.example.com", True),
        ("http://api.example.com:8080", True),
        ("https://app.example.org", True),
        ("https://app.example.org:444", False),
        ("https://evil.example", False),
        ("https://api.example.com.evil.example", False),
        ("https://evil.example/https://api.example.com", False),
        ("null", False),
        ("", False),
        ("file://", False),
        ("ftp://api.example.com", False),
        ("http://[::1]:8000", True),
        ("http://[::1", False),
        ("http://[", False),
    ],
)
def test_origins_of_the_site_and_those_allowed_may_connect(settings: Any, origin: str, allowed: bool) -> None:
    settings.ALLOWED_HOSTS = ["api.example.com", "[::1]"]
    settings.WS_ALLOWED_ORIGINS = ["https://app.example.org"]
    assert is_allowed_origin(origin) is allowed


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("x", False)],
)
def test_what_is_this_machine(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_public_secrets_serve_this_machine_only(kind: str) -> None:
    served: list[str] = []
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        served.append(scope["client"][0] if scope["client"] else "a socket file")

    async def receive() -> dict[str, Any]:
        return {"type": f"{kind}.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    guarded = LoopbackOnly(app)
    for client in (("127.0.0.1", 1), ("10.0.0.7", 1), None):
        scope: dict[str, Any] = {"type": kind, "client": client, "headers": [], "extensions": EXTENSIONS}
        await guarded(scope, receive, send)
    assert served == ["127.0.0.1", "a socket file"]
    prefix = "http.response" if kind == "http" else "websocket.http.response"
    assert [(m["type"], m.get("status")) for m in sent] == [(f"{prefix}.start", 403), (f"{prefix}.body", None)]


@pytest.mark.parametrize(
    ("name", "value", "served"),
    [
        ("x-forwarded-for", "127.0.0.1", True),
        ("x-forwarded-for", "127.0.0.1:4711, ::1", True),
        ("x-forwarded-for", "203.0.113.7", False),
        ("x-forwarded-for", "127.0.0.1, 203.0.113.7:4711", False),
        ("x-forwarded-for", "203.0.113.7, 127.0.0.1", False),
        ("x-forwarded-for", "unknown", False),
        ("X-Real-IP", "203.0.113.7", False),
        ("forwarded", "for=127.0.0.1", True),
        ("forwarded", 'for="[::1]:80";proto=http', True),
        ("forwarded", "proto=https; For=203.0.113.7, for=127.0.0.1", False),
        ("forwarded", 'for="[2001:db8::1]:4711"', False),
        ("forwarded", "for=_hidden", False),
        ("forwarded", "proto=https", False),
        ("x-forwarded-proto", "https", True),
    ],
)
async def test_public_secrets_serve_nobody_behind_a_proxy(name: str, value: str, served: bool) -> None:
    """A proxy on this machine that names its client brings in only clients that are on this machine too."""
    seen: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(True)

    async def nothing(*_: Any) -> Any:
        pass

    headers = [(b"host", b"localhost"), (name.encode(), value.encode())]
    await LoopbackOnly(app)({"type": "http", "client": ("127.0.0.1", 1), "headers": headers}, nothing, nothing)
    assert bool(seen) is served


@pytest.mark.parametrize(
    "place", [("bearer", None), ("bearer", None, "graphql-ws"), ("graphql-ws", "bearer", None, "x")]
)
async def test_other_subprotocols_may_be_offered(putri: User, place: tuple[str | None, ...]) -> None:
    """The token stands behind `bearer`, whatever else a library offers; `bearer` is what is chosen."""
    token = (await in_write_thread(tokens_issue, putri))["access"]
    offered = [token if word is None else word for word in place]
    socket = WebsocketCommunicator(websocket_application, "/ws/", subprotocols=offered)
    assert await socket.connect() == (True, "bearer")
    await socket.disconnect()
