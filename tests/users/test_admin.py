import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from events.models import OutboxEvent
from users.models import User


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    """A superuser in the admin, logged in with a number as people write it."""
    User.objects.create_superuser("+6281200000099", "a long password")
    assert client.login(username="0812-0000-0099", password="a long password")
    return client


def act(client: Client, action: str, *users: User) -> bytes:
    body = {"action": action, "_selected_action": [str(user.pk) for user in users]}
    return client.post("/admin/users/user/", body, follow=True).content


def test_users_are_found_by_number_and_name_and_filtered(staff: Client, dewi: User, putri: User) -> None:
    for query, found in (("00000003", "Putri"), ("Dewi", "Dewi")):
        page = staff.get("/admin/users/user/", {"q": query}).content.decode()
        assert found in page
        assert "1 user" in page
    page = staff.get("/admin/users/user/", {"role__exact": "driver", "is_active__exact": "1"}).content.decode()
    assert "Dewi" in page
    assert "Putri" not in page
    assert "Dewi" in staff.get("/admin/users/driver/", {"q": "XYZ"}).content.decode()


def test_a_user_is_deactivated_and_his_sockets_are_told(staff: Client, putri: User) -> None:
    assert b"Deactivated 1 of 1" in act(staff, "deactivate", putri)
    putri.refresh_from_db()
    assert (putri.is_active, putri.token_version) == (False, 1)
    assert OutboxEvent.objects.get().subject == "user.revoked"
    assert b"Reactivated 1 of 1" in act(staff, "reactivate", putri)


def test_role_state_and_number_cannot_be_edited(staff: Client, putri: User) -> None:
    body = {"full_name": "P", "role": "driver", "is_active": "", "msisdn": "+6281200000077", "token_version": "9"}
    body |= {"driver-TOTAL_FORMS": "0", "driver-INITIAL_FORMS": "0"}
    staff.post(f"/admin/users/user/{putri.pk}/change/", body)
    putri.refresh_from_db()
    assert (putri.full_name, putri.role, putri.is_active, putri.token_version) == ("P", "passenger", True, 0)
    assert putri.msisdn == "+6281200000003"


def test_staff_who_are_no_superusers_neither_hand_out_rights_nor_shut_superusers_out(client: Client, db: None) -> None:
    boss = User.objects.create_superuser("+6281200000099", "a long password")
    clerk = User.objects.create_user("+6281200000098", "a long password", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client.force_login(clerk)
    body = {"full_name": "C", "is_superuser": "on", "driver-TOTAL_FORMS": "0", "driver-INITIAL_FORMS": "0"}
    client.post(f"/admin/users/user/{clerk.pk}/change/", body)
    clerk.refresh_from_db()
    assert (clerk.full_name, clerk.is_superuser) == ("C", False)
    assert b"Deactivated 0 of 0" in act(client, "deactivate", boss)


def test_nobody_is_added_or_deleted_by_hand(staff: Client, putri: User) -> None:
    assert staff.get("/admin/users/user/add/").status_code == 403
    assert staff.post(f"/admin/users/user/{putri.pk}/delete/", {"post": "yes"}).status_code == 403
