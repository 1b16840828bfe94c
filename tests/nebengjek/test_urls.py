import pytest
from django.test import Client


def test_pages_have_a_strict_policy(client: Client) -> None:
    """The content security policy of every page allows nothing from other hosts."""
    for path in ("/admin/login/", "/texts.js", "/nothing"):
        policy = client.get(path).headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy


def test_the_root_leads_to_the_admin(client: Client) -> None:
    """The root address redirects to the admin."""
    answer = client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "admin/")


@pytest.mark.parametrize("method", ["get", "post"])
def test_unknown_api_paths_are_json(method: str) -> None:
    """Unknown paths of the API are answered in JSON."""
    client = Client(enforce_csrf_checks=True)
    for path in ("/api/", "/api/nothing", "/api/auth/otp"):
        answer = getattr(client, method)(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "VALIDATION_FAILED")
