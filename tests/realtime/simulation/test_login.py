from typing import Any

import httpx
import pytest

from nebengjek.asgi import django_application
from nebengjek.threads import in_read_thread
from realtime.simulation.login import LoginFailed, log_in
from users.models import User
from users.tokens import authenticate

pytestmark = pytest.mark.django_db(transaction=True)


def client() -> httpx.AsyncClient:
    application: Any = django_application
    return httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://localhost")


async def test_people_log_in_like_everybody_else_as_often_as_it_takes() -> None:
    async with client() as http:
        for _ in range(5):
            token = await log_in(http, "+6281290000001", driver=False)
        driver = await log_in(http, "+6281290000002", driver=True)
        again = await log_in(http, "+6281290000002", driver=True)
    assert (await in_read_thread(authenticate, token))[0].role == "passenger"
    for access in (driver, again):
        assert (await in_read_thread(authenticate, access))[0].role == "driver"


async def test_a_server_that_does_not_let_them_in_is_quoted() -> None:
    await in_read_thread(User.objects.create_user, "+6281290000001", is_active=False)
    async with client() as http:
        with pytest.raises(LoginFailed, match="/api/auth/token/ answered 401"):
            await log_in(http, "+6281290000001", driver=False)
