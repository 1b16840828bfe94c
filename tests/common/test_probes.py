"""Probes and scrapes by any address."""

from typing import Any

import pytest
from django.test import Client

HOSTS = ["10.1.2.3:8000", "[fe80::1]:8000", "pod-7.svc.cluster.local", "evil.example", "", "\udcff", "a b"]


@pytest.mark.django_db
@pytest.mark.parametrize("allowed", [["app.example"], [".app.example"], ["*"]])
@pytest.mark.parametrize("host", HOSTS)
def test_health_answers_any_host(host: str, allowed: list[str], settings: Any) -> None:
    """Health and metrics answer by pod address, IPv6, a foreign name and without a `Host`."""
    settings.ALLOWED_HOSTS = allowed
    settings.DEBUG = False
    client = Client(headers={"host": host})
    assert client.get("/health/live").status_code == 200
    assert client.get("/health/ready").status_code in (200, 503)
    assert client.get("/metrics").status_code == 401
    assert client.get("/health/detailed").status_code == 401


@pytest.mark.django_db
def test_what_is_not_well_is_no_error(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Probes come every few seconds, for as long as it lasts; a view that breaks is one."""
    client = Client()
    client.raise_request_exception = False
    assert client.get("/health/ready").status_code == 503
    assert caplog.records == []
    monkeypatch.setattr("realtime.operations.views.readiness", lambda: 1 / 0)
    assert client.get("/health/ready").status_code == 500
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.django_db
def test_other_paths_look_at_the_host(settings: Any) -> None:
    """What makes links from the `Host` still refuses a foreign one."""
    settings.ALLOWED_HOSTS = ["app.example"]
    settings.DEBUG = False
    for path in ("/", "/api/me/", "/admin/", "/healthy"):
        assert Client(headers={"host": "evil.example"}).get(path).status_code == 400
