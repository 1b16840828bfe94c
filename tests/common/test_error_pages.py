"""Who sees the error pages of `DEBUG`."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

SECRET = "the-password-in-DATABASE-URL"


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError(SECRET)


urlpatterns = [path("broken/", broken)]


@pytest.fixture
def debugging(settings: Any) -> None:
    settings.DEBUG, settings.ROOT_URLCONF = True, __name__
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "app.example"]
    settings.DATABASE_URL = f"postgres://user:{SECRET}@db/name"


@pytest.mark.usefixtures("debugging")
@pytest.mark.parametrize("accept", ["text/html", "text/plain"])
@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1"])
def test_a_developer_sees_everything(accept: str, host: str) -> None:
    """On this machine, by a name of this machine, the page is Django's."""
    answer = Client(raise_request_exception=False, headers={"host": host, "accept": accept}).get("/broken/")
    assert answer.status_code == 500
    assert SECRET in answer.text


@pytest.mark.usefixtures("debugging")
@pytest.mark.parametrize("accept", ["text/html", "text/plain"])
@pytest.mark.parametrize(
    ("headers", "peer"),
    [
        ({"host": "localhost"}, "203.0.113.7"),
        ({"host": "app.example"}, "127.0.0.1"),
        ({"host": "localhost", "x-forwarded-for": "203.0.113.7"}, "127.0.0.1"),
        ({"host": "localhost", "forwarded": "for=203.0.113.7"}, "127.0.0.1"),
    ],
)
def test_nobody_else_sees_anything(headers: dict[str, str], peer: str, accept: str) -> None:
    """A foreign peer, client or name gets one sentence, without source code or settings."""
    client = Client(raise_request_exception=False, headers={**headers, "accept": accept}, REMOTE_ADDR=peer)
    answer = client.get("/broken/")
    assert (answer.status_code, answer.text) == (500, "Internal server error")


@pytest.mark.usefixtures("debugging")
@pytest.mark.parametrize("peer", ["127.0.0.1", "203.0.113.7"])
def test_a_foreign_host_shows_no_settings(peer: str) -> None:
    """A `Host` that is not allowed is a 400 without settings, also with DEBUG."""
    with override_settings(ROOT_URLCONF="nebengjek.urls"):
        answer = Client(headers={"host": "evil.example"}, REMOTE_ADDR=peer).get("/admin/")
    assert answer.status_code == 400
    assert answer.text == "Internal server error"
