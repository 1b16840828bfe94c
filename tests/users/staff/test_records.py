import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from tests.cast import book
from users.models import StaffAct, StaffRecord, User


@pytest.fixture
def boss(client: Client, db: None) -> User:
    user = User.objects.create_superuser("+6281200000099", "a long password", full_name="Boss")
    client.force_login(user)
    return user


def recorded() -> list[tuple[object, str, str, str]]:
    return list(StaffRecord.objects.order_by("pk").values_list("actor_id", "target_type", "target_id", "text"))


def test_actions_are_recorded(client: Client, boss: User, dewi: User, putri: User) -> None:
    """On users, rides and forms, with who did it and to whom; the record names nobody."""
    ride = book(dewi, putri)
    yes = {"confirmed": "yes", "reason": "The chain is broken"}
    client.post("/admin/rides/ride/", {"action": "cancel", "_selected_action": [str(ride.pk)], **yes})
    client.post("/admin/users/user/", {"action": "deactivate", "_selected_action": [str(putri.pk)], **yes})
    body = {"full_name": "P", "driver-TOTAL_FORMS": "0", "driver-INITIAL_FORMS": "0"}
    client.post(f"/admin/users/user/{putri.pk}/change/", body)
    assert recorded()[:2] == [
        (boss.pk, "rides.ride", str(ride.pk), "Cancelled by support: The chain is broken"),
        (boss.pk, "users.user", str(putri.pk), "Deactivated by support."),
    ]
    assert recorded()[2][:3] == (boss.pk, "users.user", str(putri.pk))
    assert "full_name" in recorded()[2][3] or "Full name" in recorded()[2][3]
    assert "Putri" not in str(recorded())


def test_the_record_can_be_read_and_not_written(client: Client, boss: User, putri: User) -> None:
    """By the id of whom it is about, and by who acted; with a permission of its own."""
    client.post("/admin/users/user/", {"action": "log_out", "_selected_action": [str(putri.pk)], "confirmed": "yes"})
    for query in ("", str(putri.pk), "boss", boss.msisdn):
        assert "1 staff record" in client.get("/admin/users/staffrecord/", {"q": query}).content.decode()
    assert "0 staff records" in client.get("/admin/users/staffrecord/", {"q": "nobody"}).content.decode()
    record = StaffRecord.objects.get()
    assert record.act == StaffAct.ACTION
    assert client.post(f"/admin/users/staffrecord/{record.pk}/delete/", {"post": "yes"}).status_code == 403
    clerk = User.objects.create_user("+6281200000098", "a long password", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_user"))
    client.force_login(clerk)
    assert client.get("/admin/users/staffrecord/").status_code == 403
