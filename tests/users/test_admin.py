import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client

from common.admin import MOST_AT_ONCE
from events.models import OutboxEvent
from tests.cast import book
from tests.users.test_names import SCRIPTS
from users.models import User
from users.support import support_add


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    """A superuser in the admin, logged in with a number as people write it."""
    User.objects.create_superuser("+6281200000099", "a long password")
    assert client.login(username="0812-0000-0099", password="a long password")
    return client


def act(client: Client, action: str, *users: User) -> bytes:
    """Choose an action, and say yes to what it asks."""
    body = {"action": action, "_selected_action": [str(user.pk) for user in users], "confirmed": "yes"}
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
    assert b"Deactivated: 1 of 1" in act(staff, "deactivate", putri)
    putri.refresh_from_db()
    assert (putri.is_active, putri.token_version) == (False, 1)
    assert OutboxEvent.objects.get().subject == "user.revoked"
    assert b"Reactivated: 1 of 1" in act(staff, "reactivate", putri)


def test_role_state_and_number_cannot_be_edited(staff: Client, putri: User) -> None:
    body = {"full_name": "P", "role": "driver", "is_active": "", "msisdn": "+6281200000077", "token_version": "9"}
    body |= {"driver-TOTAL_FORMS": "0", "driver-INITIAL_FORMS": "0"}
    staff.post(f"/admin/users/user/{putri.pk}/change/", body)
    putri.refresh_from_db()
    assert (putri.full_name, putri.role, putri.is_active, putri.token_version) == ("P", "passenger", True, 0)
    assert putri.msisdn == "+6281200000003"


def test_an_action_asks_first_and_stands_in_the_history_of_the_user(staff: Client, putri: User, sari: User) -> None:
    body = {"action": "log_out", "_selected_action": [str(putri.pk)]}
    asked = staff.post("/admin/users/user/", body).content.decode()
    assert "must log in again with a code" in asked
    assert "Putri" in asked
    assert "Sari" not in asked
    putri.refresh_from_db()
    assert putri.token_version == 0
    assert b"Logged out everywhere: 1 of 1" in act(staff, "log_out", putri)
    putri.refresh_from_db()
    assert (putri.is_active, putri.token_version) == (True, 1)
    assert "Logged out everywhere by support." in staff.get(f"/admin/users/user/{putri.pk}/history/").content.decode()


def test_more_than_somebody_reads_is_refused_at_once(staff: Client, putri: User) -> None:
    many = [User(msisdn=f"+62813{n:08d}") for n in range(MOST_AT_ONCE)]
    User.objects.bulk_create(many)
    body = {"action": "deactivate", "_selected_action": [str(putri.pk)], "select_across": "1", "confirmed": "yes"}
    assert b"Choose at most 200 at once." in staff.post("/admin/users/user/", body, follow=True).content
    assert not User.objects.filter(is_active=False).exists()


def test_staff_accounts_are_touched_by_superusers_only(client: Client, db: None, putri: User) -> None:
    boss = User.objects.create_superuser("+6281200000099", "a long password")
    clerk = User.objects.create_user("+6281200000098", "a long password", is_staff=True)
    other = User.objects.create_user("+6281200000097", "a long password", is_staff=True)
    wanted = ["view_user", "change_user", "shut_out_user"]
    clerk.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    client.force_login(clerk)
    body = {"full_name": "C", "is_superuser": "on", "is_staff": "on"}
    body |= {"driver-TOTAL_FORMS": "0", "driver-INITIAL_FORMS": "0"}
    for user, status in ((clerk, 403), (other, 403), (boss, 403), (putri, 302)):
        assert client.post(f"/admin/users/user/{user.pk}/change/", body).status_code == status
        user.refresh_from_db()
        assert (user.full_name, user.is_staff, user.is_superuser) == (
            "C" if user == putri else "",
            user != putri,
            user == boss,
        )
    for action in ("deactivate", "log_out"):
        assert b"0 of 3 users. The others" in act(client, action, boss, other, clerk)
    assert not User.objects.filter(is_active=False).exists()
    assert not User.objects.exclude(token_version=0).exists()


def test_nobody_is_added_or_deleted_by_hand(staff: Client, putri: User) -> None:
    assert staff.get("/admin/users/user/add/").status_code == 403
    assert staff.post(f"/admin/users/user/{putri.pk}/delete/", {"post": "yes"}).status_code == 403


def test_who_is_logged_out_everywhere_is_logged_out_of_the_admin(staff: Client) -> None:
    clerk = User.objects.create_superuser("+6281200000098", "a long password")
    his = Client()
    assert his.login(username=clerk.msisdn, password="a long password")
    assert his.get("/admin/users/user/").status_code == 200
    act(staff, "log_out", clerk)
    assert his.get("/admin/users/user/").status_code == 302
    assert staff.get("/admin/users/user/").status_code == 200


def test_a_superuser_shuts_out_others_and_not_himself(staff: Client, putri: User) -> None:
    boss = User.objects.get(msisdn="+6281200000099")
    for action in ("log_out", "deactivate"):
        assert b": 1 of 2 users. The others" in act(staff, action, boss, putri)
    boss.refresh_from_db()
    assert (boss.is_active, boss.token_version) == (True, 0)


def test_groups_are_for_superusers_whatever_permissions_somebody_has(staff: Client) -> None:
    assert staff.get("/admin/auth/group/").status_code == 200
    clerk = User.objects.create_user("+6281200000098", "a long password", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label="auth"))
    his = Client()
    his.force_login(clerk)
    assert his.get("/admin/auth/group/").status_code == 403
    assert his.post("/admin/auth/group/add/", {"name": "Bosses"}).status_code == 403
    assert "/admin/auth/group/" not in his.get("/admin/").content.decode()


def test_nobody_learns_a_password_by_asking_for_it(staff: Client, putri: User) -> None:
    for lookup in ("password", "password__startswith", "password__regex"):
        answer = staff.get("/admin/users/user/", {lookup: "x"})
        assert answer.status_code == 400, lookup
    assert staff.get("/admin/users/user/", {"role__exact": "passenger"}).status_code == 200


def test_numbers_are_hidden_from_those_who_may_not_see_them(client: Client, putri: User) -> None:
    """On the list, the page, the search and the filters."""
    clerk = User.objects.create_user("+6281200000098", "a long password", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_user"))
    client.force_login(clerk)
    pages = ("/admin/users/user/", f"/admin/users/user/{putri.pk}/change/")
    for page in pages:
        content = client.get(page).content.decode()
        assert "+6281•••••0003" in content
        assert putri.msisdn not in content
    assert "1 user" in client.get(pages[0], {"q": "081200000003"}).content.decode()
    assert "0 users" in client.get(pages[0], {"q": "00000003"}).content.decode()
    assert client.get(pages[0], {"msisdn__startswith": "+62812"}).status_code == 400
    clerk.user_permissions.add(Permission.objects.get(codename="view_msisdn"))
    for page in pages:
        assert putri.msisdn in client.get(page).content.decode()
    assert "1 user" in client.get(pages[0], {"q": "00000003"}).content.decode()


@pytest.mark.parametrize("name", SCRIPTS.values(), ids=SCRIPTS)
def test_staff_may_mend_names_of_all_scripts(staff: Client, putri: User, name: str) -> None:
    """The form keeps names as the app does, shows them, and finds them."""
    body = {"driver-TOTAL_FORMS": "0", "driver-INITIAL_FORMS": "0"}
    staff.post(f"/admin/users/user/{putri.pk}/change/", {**body, "full_name": f"\u202e{name}"})
    putri.refresh_from_db()
    assert putri.full_name == name
    assert name in staff.get("/admin/users/user/", {"q": name.split(maxsplit=1)[0]}).content.decode()
    answer = staff.post(f"/admin/users/user/{putri.pk}/change/", {**body, "full_name": "a\x1bb"})
    assert "control characters" in answer.content.decode()


def erase(client: Client, *people: User) -> str:
    body = {"action": "erase", "_selected_action": [str(one.pk) for one in people], "confirmed": "yes"}
    return client.post("/admin/users/user/", body, follow=True).content.decode()


def test_an_account_is_deleted_with_its_data(client: Client, dewi: User, putri: User, tono: User) -> None:
    """Not during a ride, not one of staff, not twice; afterwards no page has the name, also not the history."""
    boss = User.objects.create_superuser("+6281200000099", "a long password")
    clerk = User.objects.create_user("+6281200000098", "a long password", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "erase_user", "view_msisdn"]))
    client.force_login(clerk)
    book(dewi, putri)
    assert "Deleted: 1 of 5 users. The others have a ride" in erase(client, dewi, putri, tono, boss, clerk)
    tono.refresh_from_db()
    assert (tono.is_active, tono.full_name) == (False, "")
    assert User.objects.filter(full_name__in=["Dewi", "Putri"], erased_at=None).count() == 2
    assert "Deleted: 0 of 0 users." in erase(client, tono)
    history = client.get(f"/admin/users/user/{tono.pk}/history/").content.decode()
    assert "Deleted by support." in history
    assert "Tono" not in history
    assert not LogEntry.objects.filter(object_repr__contains="Tono").exists()


def test_deleting_needs_a_permission(client: Client, tono: User) -> None:
    """Support has it only where it is given."""
    client.force_login(support_add(msisdn="+6281200000098"))
    erase(client, tono)
    tono.refresh_from_db()
    assert tono.erased_at is None
