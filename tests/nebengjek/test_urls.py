import pytest
from django.test import Client


def test_who_comes_to_the_front_door_finds_the_admin(client: Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "admin/")


@pytest.mark.parametrize("method", ["get", "post"])
def test_unknown_paths_of_the_api_are_answered_in_json(method: str) -> None:
    client = Client(enforce_csrf_checks=True)
    for path in ("/api/", "/api/nothing", "/api/auth/otp"):
        answer = getattr(client, method)(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "VALIDATION_FAILED")
