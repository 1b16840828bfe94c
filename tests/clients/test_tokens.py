import asyncio
from typing import Any

import pytest

from nebengjek_client import LoginRequired, RateLimited, Rest, ServerError, Tokens, Unreachable
from nebengjek_client.tokens import TokenKeeper
from tests.clients.script import http_server
from tests.patience import until

NEW = (200, {"access": "a2", "refresh": "r2"})
REFUSED = (401, {"code": "UNAUTHORIZED", "message": "Authentication required"})


async def test_a_new_pair_is_kept_and_handed_over_before_it_is_used() -> None:
    kept: list[Tokens] = []

    async def keep(tokens: Tokens) -> None:
        await asyncio.sleep(0)
        kept.append(tokens)

    async with http_server(NEW) as server, Rest(server.url, "a1") as rest:
        keeper = TokenKeeper(rest, "r1", keep)
        await keeper.renew("a1")
    assert server.bodies == [{"refresh": "r1"}]
    assert (keeper.access, keeper.refresh, kept) == ("a2", "r2", [Tokens("a2", "r2")])


async def test_many_who_need_it_get_one_renewal() -> None:
    async with http_server(NEW) as server, Rest(server.url, "a1") as rest:
        keeper = TokenKeeper(rest, "r1", None)
        await asyncio.gather(*(keeper.renew("a1") for _ in range(5)))
        await keeper.renew("a1")  # comes late: that one has been replaced
    assert len(server.bodies) == 1


async def test_a_renewal_is_finished_also_when_nobody_waits_any_more() -> None:
    async with http_server(NEW) as server, Rest(server.url, "a1") as rest:
        server.hold.clear()
        keeper = TokenKeeper(rest, "r1", None)
        waiting = asyncio.create_task(keeper.renew("a1"))
        await until(lambda: server.bodies)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        server.hold.set()
        await keeper.settle()
        assert (keeper.access, keeper.refresh) == ("a2", "r2")
        await keeper.settle()


async def test_tokens_that_are_no_good_need_a_login() -> None:
    async with http_server(REFUSED) as server, Rest(server.url, "a1") as rest:
        with pytest.raises(LoginRequired, match="UNAUTHORIZED"):
            await TokenKeeper(rest, "r1", None).renew("a1")
        with pytest.raises(LoginRequired, match="no refresh token"):
            await TokenKeeper(rest, None, None).renew("a1")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [((429, {"code": "RATE_LIMIT", "message": ""}, "Retry-After: 3"), RateLimited), ((503, "away"), ServerError)],
)
async def test_a_server_that_is_busy_may_be_asked_again(answer: Any, kind: type[ServerError]) -> None:
    async with http_server(answer, NEW) as server, Rest(server.url, "a1") as rest:
        keeper = TokenKeeper(rest, "r1", None)
        with pytest.raises(kind):
            await keeper.renew("a1")
        await keeper.renew("a1")
        assert keeper.access == "a2"


async def test_nobody_at_home_is_no_refusal() -> None:
    async with Rest("http://127.0.0.1:1", "a1") as rest:
        with pytest.raises(Unreachable):
            await TokenKeeper(rest, "r1", None).renew("a1")


async def test_an_application_that_cannot_keep_them_is_no_reason_to_stop(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Tokens) -> None:
        raise OSError("disk full")

    async with http_server(NEW) as server, Rest(server.url, "a1") as rest:
        keeper = TokenKeeper(rest, "r1", fail)
        await keeper.renew("a1")
    assert keeper.access == "a2"
    assert "disk full" in caplog.text
    assert "r2" not in caplog.text
