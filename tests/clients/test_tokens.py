import asyncio
from typing import Any

import pytest

from nebengjek_client import LoginRequired, RateLimited, Rest, ServerError, Tokens, Unreachable
from nebengjek_client.tokens import TokenKeeper
from tests.clients.script import http_server
from tests.patience import until

NEW = (200, {"access": "a2", "refresh": "r2"})
REFUSED = (401, {"code": "UNAUTHORIZED", "message": "Authentication required"})


async def test_new_pairs_are_kept_first() -> None:
    """A new pair is handed to the application before it is used."""
    kept: list[Tokens] = []

    async def keep(tokens: Tokens) -> None:
        await asyncio.sleep(0)
        kept.append(tokens)

    async with http_server(NEW) as server, Rest(server.url, "a1") as rest:
        keeper = TokenKeeper(rest, "r1", keep)
        await keeper.renew("a1")
    assert server.bodies == [{"refresh": "r1"}]
    assert (keeper.access, keeper.refresh, kept) == ("a2", "r2", [Tokens("a2", "r2")])


async def test_renewals_are_shared() -> None:
    """Many who need a renewal at once share one."""
    async with http_server(NEW) as server, Rest(server.url, "a1") as rest:
        keeper = TokenKeeper(rest, "r1", None)
        await asyncio.gather(*(keeper.renew("a1") for _ in range(5)))
        await keeper.renew("a1")  # comes late: that one has been replaced
    assert len(server.bodies) == 1


async def test_abandoned_renewals_finish() -> None:
    """A renewal is finished even when nobody waits for it any more."""
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


async def test_bad_tokens_need_a_login() -> None:
    """Tokens that the server refuses need a login."""
    async with http_server(REFUSED) as server, Rest(server.url, "a1") as rest:
        with pytest.raises(LoginRequired, match="UNAUTHORIZED"):
            await TokenKeeper(rest, "r1", None).renew("a1")
        with pytest.raises(LoginRequired, match="no refresh token"):
            await TokenKeeper(rest, None, None).renew("a1")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [((429, {"code": "RATE_LIMIT", "message": ""}, "Retry-After: 3"), RateLimited), ((503, "away"), ServerError)],
)
async def test_busy_servers_are_asked_again(answer: Any, kind: type[ServerError]) -> None:
    """A server that is busy may be asked again."""
    async with http_server(answer, NEW) as server, Rest(server.url, "a1") as rest:
        keeper = TokenKeeper(rest, "r1", None)
        with pytest.raises(kind):
            await keeper.renew("a1")
        await keeper.renew("a1")
        assert keeper.access == "a2"


async def test_silence_is_no_refusal() -> None:
    """A server that does not answer has not refused the tokens."""
    async with Rest("http://127.0.0.1:1", "a1") as rest:
        with pytest.raises(Unreachable):
            await TokenKeeper(rest, "r1", None).renew("a1")


async def test_failing_callbacks_stop_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """An application that cannot keep the tokens does not end the client."""

    def fail(_: Tokens) -> None:
        raise OSError("disk full")

    async with http_server(NEW) as server, Rest(server.url, "a1") as rest:
        keeper = TokenKeeper(rest, "r1", fail)
        await keeper.renew("a1")
    assert keeper.access == "a2"
    assert "disk full" in caplog.text
    assert "r2" not in caplog.text
