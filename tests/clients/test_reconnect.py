import pytest

from nebengjek_client import ConnectFailed, LoginRequired, Replaced, Rest
from nebengjek_client.backoff import BACKOFF_FIRST, BACKOFF_LEAST, STABLE_AFTER
from nebengjek_client.connection import ConnectionLost
from nebengjek_client.reconnect import FLOOD_WAIT, FLOODING, REPLACED, UNAUTHORIZED, Reconnect
from nebengjek_client.tokens import TokenKeeper
from realtime.contract.frames import CloseCode
from tests.clients.script import http_server

AWAY = "http://127.0.0.1:1"


def policy(url: str = AWAY, refresh: str | None = "r1") -> Reconnect:
    return Reconnect(TokenKeeper(Rest(url, "a1"), refresh, None))


def test_codes_are_the_servers() -> None:
    """The close codes are those of the server."""
    assert {UNAUTHORIZED, REPLACED, FLOODING} == {CloseCode.UNAUTHORIZED, CloseCode.REPLACED, CloseCode.FLOODING}


@pytest.mark.parametrize("code", [None, 1000, 1001, 1006, 1009, 1011, 1012, 1013, 4408])
async def test_most_ends_reconnect_soon(code: int | None) -> None:
    """After most ends the client comes back soon."""
    assert BACKOFF_FIRST * BACKOFF_LEAST <= await policy().after_close(code, "", lived=1) <= BACKOFF_FIRST


async def test_waits_grow() -> None:
    """Waits grow until a connection has lived."""
    reconnect = policy()
    for lived in (0, 0, STABLE_AFTER - 1):
        wait = await reconnect.after_close(1006, "", lived=lived)
    assert wait > BACKOFF_FIRST
    assert await reconnect.after_close(1006, "", lived=STABLE_AFTER) <= BACKOFF_FIRST


async def test_announced_restarts_are_obeyed() -> None:
    """An announced restart gives the wait, once."""
    reconnect = policy()
    reconnect.restart_announced(7.5)
    assert await reconnect.after_close(1012, "", lived=60) == 7.5
    assert await reconnect.after_refusal(ConnectionLost("refused"), "a1") < 2


async def test_floods_wait_longer() -> None:
    """After 4429 the client stays away for a while."""
    assert await policy().after_close(FLOODING, "", lived=60) >= FLOOD_WAIT


async def test_replaced_clients_stay_away() -> None:
    """After 4409 the client does not come back."""
    with pytest.raises(Replaced) as caught:
        await policy().after_close(REPLACED, "", lived=60)
    assert caught.value.code == 4409


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_tokens_are_renewed_once(status: int) -> None:
    """Refused tokens are renewed once."""
    new = (200, {"access": "a2", "refresh": "r2"})
    async with http_server(new, new) as server:
        reconnect = policy(server.url)
        refusal = ConnectionLost("no", status=status)
        assert await reconnect.after_refusal(refusal, "a1") == 0
        with pytest.raises(LoginRequired, match="with fresh tokens"):
            await reconnect.after_refusal(refusal, "a2")
        assert len(server.bodies) == 1
        reconnect.session_began()
        assert await reconnect.after_close(UNAUTHORIZED, "", lived=60) >= BACKOFF_FIRST * BACKOFF_LEAST
        assert len(server.bodies) == 2


async def test_refusals_without_refresh_are_final() -> None:
    """Without a refresh token a refusal is final."""
    for decision in (
        policy(refresh=None).after_refusal(ConnectionLost("no", status=401), "a1"),
        policy(refresh=None).after_close(UNAUTHORIZED, "expired", lived=60),
    ):
        with pytest.raises(LoginRequired):
            await decision


async def test_failed_renewals_are_retried() -> None:
    """A renewal that reaches no server is tried again later."""
    assert await policy().after_refusal(ConnectionLost("no", status=401), "a1") > 0
    busy = (429, {"code": "RATE_LIMIT", "message": ""}, "Retry-After: 9")
    async with http_server(busy) as server:
        assert await policy(server.url).after_refusal(ConnectionLost("no", status=401), "a1") >= 9
    async with http_server(busy) as server:
        assert await policy(server.url).after_close(UNAUTHORIZED, "", lived=60) >= 9


async def test_refused_handshakes_are_sorted() -> None:
    """A busy server says when to come back; one without a socket is given up."""
    assert await policy().after_refusal(ConnectionLost("", status=429, retry_after=12), "a1") >= 12
    assert await policy().after_refusal(ConnectionLost("", status=503, retry_after=5), "a1") >= 5
    assert await policy().after_refusal(ConnectionLost("", status=502), "a1") <= BACKOFF_FIRST
    with pytest.raises(ConnectFailed, match="404"):
        await policy().after_refusal(ConnectionLost("answered with 404", status=404), "a1")
    for status in (408, 429):
        assert await policy().after_refusal(ConnectionLost("", status=status), "a1") > 0
