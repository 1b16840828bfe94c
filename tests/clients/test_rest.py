from typing import Any

import pytest

from devservers.web import ServerProcess
from nebengjek_client import RateLimited, Rest, ServerError, Tokens, Unauthorized, Unreachable, ValidationFailed
from nebengjek_client.rest import http_url
from tests.clients.people import DEWI, PUTRI, log_in
from tests.clients.script import http_server


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://localhost:8000", "http://localhost:8000"),
        ("https://example.org/", "https://example.org"),
        ("wss://example.org/ws/", "https://example.org"),
        ("ws://[::1]:80/town", "http://[::1]:80/town"),
    ],
)
def test_a_site_is_named_by_any_of_its_addresses(url: str, address: str) -> None:
    assert http_url(url) == address


@pytest.mark.parametrize("url", ["localhost:8000", "", "ftp://x", "http://"])
def test_what_is_no_address_is_said_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        http_url(url)


@pytest.mark.e2e
async def test_a_user_logs_in_looks_at_himself_and_logs_out(server: ServerProcess) -> None:
    putri = await log_in(server, PUTRI)
    assert putri["user"]["role"] == "passenger"
    dewi = await log_in(server, DEWI, driver=True)
    async with Rest(server.url, dewi["access"]) as rest:
        profile = await rest.me()
        assert (profile["msisdn"], profile["driver"]["vehicle_type"]) == (DEWI, "motorcycle")
        assert (await rest.rides())["results"] == []
        with pytest.raises(ValidationFailed) as caught:
            await rest.ride("00000000-0000-0000-0000-000000000000")
        assert caught.value.status == 404
        with pytest.raises(ValidationFailed) as caught:
            await rest.register_driver(vehicle_type="car", vehicle_plate="B 1 X")
        assert caught.value.status == 409
        tokens = await rest.refresh(dewi["refresh"])
        assert rest.access == tokens.access != dewi["access"]
        assert (await rest.me())["id"] == profile["id"]
        await rest.log_out(tokens.refresh)
        for refused in (rest.refresh(tokens.refresh), rest.me()):
            with pytest.raises(Unauthorized) as shut:
                await refused
            assert shut.value.status == 401
        with pytest.raises(ValidationFailed) as caught:
            await rest.request_code("12")
        assert caught.value.field == "msisdn"


async def test_too_many_calls_are_said_with_the_time_to_come_back() -> None:
    answer = (429, {"code": "RATE_LIMIT", "message": "later"}, "Retry-After: 17")
    async with http_server(answer) as server, Rest(server.url) as rest:
        with pytest.raises(RateLimited) as caught:
            await rest.request_code(PUTRI)
    assert (caught.value.retry_after, caught.value.status) == (17, 429)


@pytest.mark.parametrize("body", ["<html>", {"detail": "x"}])
async def test_what_a_proxy_answers_is_an_error_too(body: Any) -> None:
    async with http_server((502, body)) as server, Rest(server.url) as rest:
        with pytest.raises(ServerError, match="HTTP_502") as caught:
            await rest.me()
    assert caught.value.status == 502


async def test_nobody_at_home_is_unreachable() -> None:
    async with Rest("http://127.0.0.1:1") as rest:
        with pytest.raises(Unreachable, match="/api/me/"):
            await rest.me()


def test_tokens_do_not_show() -> None:
    assert "secret" not in f"{Tokens('secret', 'secret')} {Tokens('secret', 'secret')!r}"
