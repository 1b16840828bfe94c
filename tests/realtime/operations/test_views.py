from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError
from django.test import Client

from realtime.operations import health
from realtime.server.background import Background
from tests.api import as_user
from tests.metrics import read_metrics, value_of
from users.models import User
from users.presence import Presence, presence

OPERATORS = ("/metrics", "/health/detailed")
STATS = "/api/realtime/stats/"
TOKEN = "a token of the scraper's own"


@pytest.fixture
def staff(db: None) -> User:
    """Somebody of the support."""
    return User.objects.create_superuser("+6281200000009", "a password of hers")


def bearer(token: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {token}"})


def test_a_process_that_answers_is_alive(client: Client) -> None:
    assert client.get("/health/live").json() == {"status": "ok"}


def test_a_server_is_ready_when_the_database_and_the_background_work_are(
    client: Client, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["background"]) == (503, False)
    monkeypatch.setattr(Background, "is_running", True)
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ok", "database": True, "background": True, "serving": True},
    )


def test_a_database_that_does_not_answer_is_noticed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        vendor = "postgresql"

        def cursor(self) -> None:
            raise DatabaseError("gone")

    monkeypatch.setattr(health, "connection", Broken())
    assert client.get("/health/ready").json()["database"] is False


def test_other_methods_are_refused(client: Client) -> None:
    assert client.post("/health/live").status_code == 405


def test_detailed_health_is_503_unless_everything_is_well(
    client: Client, transactional_db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEBUG = True
    answer = client.get("/health/detailed")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert answer.json()["database"] == {"ok": True}
    monkeypatch.setattr(Background, "is_running", True)
    answer = client.get("/health/detailed")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_metrics_are_what_prometheus_reads(client: Client, db: None, settings: Any) -> None:
    settings.DEBUG = True
    answer = client.get("/metrics")
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    assert value_of(read_metrics(answer.content.decode()), "connections", role="driver") == 0


@pytest.mark.parametrize("path", OPERATORS)
def test_with_debug_nobody_is_asked_who_he_is(path: str, db: None, settings: Any) -> None:
    settings.DEBUG = True
    for client in (Client(), bearer("nonsense")):
        assert client.get(path).status_code in (200, 503)


@pytest.mark.parametrize("path", OPERATORS)
def test_operators_are_staff_or_have_the_token(path: str, staff: User, tono: User, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    session = Client()
    session.force_login(staff)
    for client in (bearer(TOKEN), as_user(staff), session):
        assert client.get(path).status_code in (200, 503)
    for stranger in (Client(), bearer("nonsense"), bearer("")):
        answer = stranger.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")
    answer = as_user(tono).get(path)
    assert (answer.status_code, answer.json()["message"]) == (403, "Authentication required")


@pytest.mark.parametrize("path", OPERATORS)
def test_without_a_token_of_the_site_none_opens(path: str, db: None) -> None:
    assert bearer("").get(path).status_code == bearer(TOKEN).get(path).status_code == 401


def test_staff_see_how_many_are_connected(staff: User) -> None:
    roles = ["driver", "driver", "passenger"]
    presence().note(
        [Presence(connection_id=UUID(int=n), user_id=UUID(int=n), role=role) for n, role in enumerate(roles)]
    )
    session = Client()
    session.force_login(staff)
    for client in (session, as_user(staff)):
        answer = client.get(STATS).json()
        assert answer.pop("timestamp").endswith("Z")
        assert list(answer.pop("connections_by_process").values()) == [3]
        assert answer == {
            "total_connections": 3,
            "connections_by_role": {"passenger": 1, "driver": 2},
            "stale_connections": 0,
        }


def test_roles_of_nobody_are_there_too(staff: User) -> None:
    answer = as_user(staff).get(STATS).json()
    assert (answer["total_connections"], answer["connections_by_role"]) == (0, {"passenger": 0, "driver": 0})


def test_others_do_not_see_who_is_connected(tono: User, settings: Any) -> None:
    settings.DEBUG, settings.METRICS_TOKEN = True, TOKEN
    for client, status in ((Client(), 401), (bearer(TOKEN), 401), (bearer("x"), 401), (as_user(tono), 403)):
        answer = client.get(STATS)
        assert (answer.status_code, answer.json()["code"]) == (status, "UNAUTHORIZED")
