import pytest
from django.test import Client

from users.models import User

pytestmark = pytest.mark.django_db


def test_staff_gets_the_map(client: Client, rina: User) -> None:
    client.force_login(rina)
    page = client.get("/live/")
    assert page.status_code == 200
    assert "/admin/rides/ride/00000000-0000-0000-0000-000000000000/change/" in page.content.decode()
    assert 'id="map-config"' in page.content.decode()


def test_everybody_else_is_asked_to_log_in_and_comes_back(client: Client, tono: User) -> None:
    assert client.get("/live/").headers["location"] == "/admin/login/?next=/live/"
    client.force_login(tono)
    assert client.get("/live/").headers["location"] == "/admin/login/?next=/live/"


def test_the_page_is_only_read(client: Client, rina: User) -> None:
    client.force_login(rina)
    assert client.post("/live/").status_code == 405


def test_staff_without_the_permission_are_refused(client: Client, rina: User) -> None:
    """They are logged in, so there is nothing to log in for."""
    rina.user_permissions.clear()
    client.force_login(rina)
    assert client.get("/live/").status_code == 403
