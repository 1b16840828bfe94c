from django.contrib import admin
from django.test import Client

from users.models import User
from users.staff.site import StaffSite


def test_the_admin_is_for_staff(client: Client, putri: User) -> None:
    """Everybody else is sent to the login."""
    assert isinstance(admin.site, StaffSite)
    client.force_login(putri)
    assert client.get("/admin/").status_code == 302
    client.force_login(User.objects.create_superuser("+6281200000099", "a long password"))
    assert b"NebengJek" in client.get("/admin/").content
