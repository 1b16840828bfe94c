from typing import Any

import pytest

from devservers.web import ServerProcess
from nebengjek_client import RateLimited, Rest, ServerError, Tokens, Unauthorized, Unreachable, ValidationFailed
from nebengjek_client.rest import http_url
from tests.clients.people import DEWI, PUTRI, log_in
from tests.clients.script import http_server
from tests.users.test_names import SCRIPTS


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://localhost:8000", "http://localhost:8000"),
        ("https://example.org/", "https://example.org"),
        ("wss://example.org/ws/", "https://example.org"),
        ("ws://[::1]:80/town", "http://[::1]:80/town"),
    ],
)
def test_any_address_names_a_site(url: str, address: str) -> None:
    """A site may be named by any of its addresses."""
    assert http_url(url) == address


@pytest.mark.parametrize("url", ["localhost:8000", "", "ftp://x", "http://"])
def test_bad_addresses_are_refused(url: str) -> None:
    """What is no address is refused at once."""
    with pytest.raises(ValueError, match="is no address"):
        http_url(url)


@pytest.mark.e2e
async def test_login_profile_and_logout(server: ServerProcess) -> None:
    """A user logs in, reads their profile and logs out."""
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


async def test_rate_limits_say_when() -> None:
    """Too many calls are an error with the time to come back."""
    answer = (429, {"code": "RATE_LIMIT", "message": "later"}, "Retry-After: 17")
    async with http_server(answer) as server, Rest(server.url) as rest:
        with pytest.raises(RateLimited) as caught:
            await rest.request_code(PUTRI)
    assert (caught.value.retry_after, caught.value.status) == (17, 429)


@pytest.mark.parametrize("body", ["<html>", {"detail": "x"}])
async def test_proxy_answers_are_errors(body: Any) -> None:
    """What a proxy answers is an error too."""
    async with http_server((502, body)) as server, Rest(server.url) as rest:
        with pytest.raises(ServerError, match="HTTP_502") as caught:
            await rest.me()
    assert caught.value.status == 502


async def test_silence_is_unreachable() -> None:
    """A server that does not answer is `Unreachable`."""
    async with Rest("http://127.0.0.1:1") as rest:
        with pytest.raises(Unreachable, match="/api/me/"):
            await rest.me()


def test_tokens_do_not_show() -> None:
    """The `repr` of tokens does not show them."""
    assert "secret" not in f"{Tokens('secret', 'secret')} {Tokens('secret', 'secret')!r}"


@pytest.mark.e2e
async def test_names_of_all_scripts_come_back(server: ServerProcess) -> None:
    """What is typed in any script reaches the profile as it was typed."""
    login = await log_in(server, "+6281200000031")
    async with Rest(server.url, login["access"]) as rest:
        for name in SCRIPTS.values():
            assert (await rest.set_name(name))["full_name"] == name
        with pytest.raises(ValidationFailed) as caught:
            await rest.set_name("a\nb")
        assert caught.value.field == "full_name"


@pytest.mark.e2e
async def test_an_account_ends_and_begins_anew(server: ServerProcess) -> None:
    """The number then is free for another account; strangers' rides cannot be blocked."""
    login = await log_in(server, "+6281200000032")
    async with Rest(server.url, login["access"]) as rest:
        with pytest.raises(ValidationFailed) as caught:
            await rest.block("00000000-0000-0000-0000-000000000000")
        assert caught.value.status == 404
        await rest.delete_account()
        with pytest.raises(Unauthorized):
            await rest.me()
    again = await log_in(server, "+6281200000032")
    assert again["user"]["id"] != login["user"]["id"]
