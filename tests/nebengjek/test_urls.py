import pytest
from django.test import Client


def test_every_page_forbids_what_is_not_its_own(client: Client) -> None:
    for path in ("/admin/login/", "/texts.js", "/nothing"):
        policy = client.get(path).headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy


def test_who_comes_to_the_front_door_finds_the_admin(client: Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "admin/")


@pytest.mark.parametrize("method", ["get", "post"])
def test_unknown_paths_of_the_api_are_answered_in_json(method: str) -> None:
    client = Client(enforce_csrf_checks=True)
    for path in ("/api/", "/api/nothing", "/api/auth/otp"):
        answer = getattr(client, method)(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "VALIDATION_FAILED")
