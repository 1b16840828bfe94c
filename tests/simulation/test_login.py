from typing import Any

import httpx
import pytest

from common.threads import in_read_thread
from nebengjek.asgi import django_application
from nebengjek_client import Rest, ServerError
from simulation.login import log_in
from tests.clients.script import http_server
from users.models import User
from users.tokens import authenticate

pytestmark = pytest.mark.django_db(transaction=True)


def client() -> httpx.AsyncClient:
    application: Any = django_application
    return httpx.AsyncClient(transport=httpx.ASGITransport(application))


async def test_people_log_in_with_codes() -> None:
    """People log in with a code as often as they like, in either role."""
    async with client() as http:
        rest = Rest("http://localhost", http=http)
        for _ in range(5):
            tokens = await log_in(rest, "+6281290000001", driver=False)
        await log_in(rest, "+6281290000002", driver=True)
        again = await log_in(rest, "+6281290000002", driver=True)
    assert (await in_read_thread(authenticate, tokens.access))[0].role == "passenger"
    assert (await in_read_thread(authenticate, again.access))[0].role == "driver"


async def test_refused_logins_are_quoted() -> None:
    """The error of a refused login quotes the server."""
    await in_read_thread(User.objects.create_user, "+6281290000001", is_active=False)
    async with client() as http:
        with pytest.raises(ServerError, match="UNAUTHORIZED: Authentication required"):
            await log_in(Rest("http://localhost", http=http), "+6281290000001", driver=False)


async def test_retry_after_is_obeyed() -> None:
    """A login waits for `Retry-After`."""
    later = (429, {"code": "RATE_LIMIT", "message": "later"}, "Retry-After: 0.01")
    done = (200, {"access": "a", "refresh": "b", "user": {"role": "driver"}})
    async with http_server(later, later, done) as server, Rest(server.url) as rest:
        tokens = await log_in(rest, "+6281290000001", driver=True)
    assert (tokens.access, tokens.refresh) == ("a", "b")
