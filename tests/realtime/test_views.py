import pytest
from django.db import DatabaseError
from django.test import Client

from realtime import views
from realtime.background import background as server_background


def test_a_process_that_answers_is_alive(client: Client) -> None:
    assert client.get("/health/live").json() == {"status": "ok"}


def test_a_server_is_ready_when_the_database_and_the_background_work_are(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["background"]) == (503, False)
    monkeypatch.setattr(type(server_background), "is_running", True)
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "database": True, "background": True})


def test_a_database_that_does_not_answer_is_noticed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def cursor(self) -> None:
            raise DatabaseError("gone")

    monkeypatch.setattr(views, "connection", Broken())
    assert client.get("/health/ready").json()["database"] is False


def test_other_methods_are_refused(client: Client) -> None:
    assert client.post("/health/live").status_code == 405
