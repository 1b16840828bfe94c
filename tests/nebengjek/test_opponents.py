"""What opponents tried on the first version, where no other room is about it; by the whole application."""

from __future__ import annotations

import io
import logging
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib import admin
from django.db import models
from django.test import Client

from nebengjek.asgi import django_handler
from nebengjek.settings import LOGGING
from realtime.server.http_protocol import MOST_BODY
from users.models import User
from web.docs import asyncapi, page

LOOKUPS = ("contains", "regex", "has_key", "contained_by", "year__gt", "isnull", "in", "no_such_lookup", "")
MODELS: list[type[models.Model]] = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture
def boss(client: Client, db: None) -> Client:
    """A browser of a superuser."""
    client.force_login(User.objects.create_superuser("+6281200000099", "a long password"))
    return client


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_no_filter_in_an_address_breaks_a_list(boss: Client, model: type[models.Model]) -> None:
    """Whatever lookups somebody types behind the `?` of a list of the admin: no error of ours, on no database."""
    boss.raise_request_exception = False
    path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    for field in model._meta.concrete_fields:
        for lookup in LOOKUPS:
            answer = boss.get(path, {"__".join(filter(None, (field.name, lookup))): "x"})
            assert answer.status_code in (200, 302, 400, 403), f"{answer.request['QUERY_STRING']}: {answer.status_code}"


def test_a_foreign_host_writes_no_line(client: Client, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A scanner that asks for many hosts must not fill the log: what is said of it is below the levels of the log."""
    settings.ALLOWED_HOSTS = ["api.example.com"]
    with caplog.at_level(logging.DEBUG):
        for host in ("evil.example", "x" * 300, "127.0.0.1:1", "a b", "[::1"):
            assert client.get("/api/me/", headers={"Host": host}).status_code == 400
    assert caplog.records
    assert [record.name for record in caplog.records if record.levelno >= level_of(record.name)] == []


def level_of(name: str) -> int:
    """The level from which lines of a logger are written, by our configuration."""
    loggers: Any = LOGGING["loggers"]
    while name and name not in loggers:
        name = name.rpartition(".")[0]
    return int(getattr(logging, loggers[name]["level"] if name else "WARNING"))


async def test_no_body_goes_to_disk(tmp_path: Any) -> None:
    """The largest body that the server lets through stays in memory, also on paths that take none."""
    parts = [b"x" * 65536] * (MOST_BODY // 65536)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": parts.pop(), "more_body": bool(parts)}

    body = await django_handler.read_body(receive)
    with body:
        assert body.seek(0, io.SEEK_END) == MOST_BODY
        assert not body._rolled
    assert MOST_BODY < django_settings.FILE_UPLOAD_MAX_MEMORY_SIZE


def test_public_documents_are_made_once(client: Client) -> None:
    """They are read by anybody as often as they like, in the process that carries the sockets."""
    assert page.page("http://a.example") is page.page("http://a.example")
    assert asyncapi.render("http://a.example") is asyncapi.render("http://a.example")
    first, second = client.get("/docs/"), client.get("/docs/")
    assert first.content == second.content
    assert "max-age" in first["Cache-Control"]


def test_staff_without_a_permission_see_nothing(client: Client, db: None) -> None:
    """Every page of the admin, the map and figures ask for a permission of their own."""
    staff = User.objects.create_user("+6281200000098", is_staff=True)
    staff.set_password("a long password")
    staff.save()
    client.force_login(staff)
    paths = [f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in MODELS]
    assert len(paths) > 10
    for path in (*paths, "/live/", "/metrics", "/health/detailed", "/api/realtime/stats/"):
        assert client.get(path).status_code in (401, 403), path
