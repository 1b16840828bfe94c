"""What support can do about a person, from the person's page."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from tests.cast import book
from users.models import Driver, User
from users.staff.buttons import person_buttons

ALL = ("view_user", "view_driver", "shut_out_user", "erase_user", "approve_driver")


def clerk(*permissions: str) -> User:
    user, _ = User.objects.get_or_create(msisdn="+6281200000098", defaults={"is_staff": True})
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return User.objects.get(pk=user.pk)


def actions(actor: User, user: User) -> list[str]:
    return [button.action for button in person_buttons(actor, User.objects.get(pk=user.pk))]


def test_each_has_what_they_have_a_permission_for(dewi: User, putri: User) -> None:
    """And what would change something."""
    assert actions(clerk("view_user"), putri) == []
    assert actions(clerk("shut_out_user"), putri) == ["log_out", "deactivate"]
    assert actions(clerk("erase_user"), putri) == ["erase"]
    assert actions(clerk("approve_driver"), putri) == []
    assert actions(clerk(*ALL), dewi) == ["refuse", "log_out", "deactivate", "erase"]
    Driver.objects.update(approval="refused")
    User.objects.filter(pk=dewi.pk).update(is_active=False)
    assert actions(clerk(*ALL), dewi) == ["approve", "log_out", "reactivate", "erase"]
    Driver.objects.update(approval="pending")
    assert actions(clerk("approve_driver"), dewi) == ["approve", "refuse"]
    User.objects.filter(pk=dewi.pk).update(role="passenger")
    assert actions(clerk("approve_driver"), dewi) == []


def test_nobody_acts_on_staff_on_the_erased_or_on_themselves(putri: User) -> None:
    """Only superusers act on staff."""
    actor = clerk(*ALL)
    boss = User.objects.create_superuser("+6281200000099", "a long password")
    for user in (actor, boss):
        assert actions(actor, user) == []
    assert actions(boss, actor) == ["log_out", "deactivate", "erase"]
    assert actions(boss, boss) == []
    User.objects.filter(pk=putri.pk).update(erased_at=putri.created_at)
    assert actions(boss, putri) == []


def press(client: Client, user: User, action: str, model: str = "user", **answer: str) -> Any:
    page = f"/admin/users/user/{user.pk}/change/"
    body = {"action": action, "_selected_action": [str(user.pk)], "back": page, **answer}
    return client.post(f"/admin/users/{model}/", body, follow=True)


def test_a_button_asks_and_comes_back(client: Client, dewi: User) -> None:
    """To the page of the person, which says what was done."""
    client.force_login(clerk(*ALL))
    page = f"/admin/users/user/{dewi.pk}/change/"
    shown = client.get(page).content.decode()
    for text in ("Log out everywhere …", "Deactivate …", "Refuse as a driver …", "Delete the account and its data …"):
        assert f">{text}</button>" in shown, text
    asked = press(client, dewi, "deactivate").content.decode()
    assert f'<a href="{page}" class="button cancel-link">' in asked
    assert f'name="back" value="{page}"' in asked
    answer = press(client, dewi, "deactivate", confirmed="yes")
    assert answer.redirect_chain == [(page, 302)]
    assert "Deactivated: 1 of 1" in answer.content.decode()
    answer = press(client, dewi, "refuse", "driver", confirmed="yes", reason="A copy")
    assert answer.redirect_chain == [(page, 302)]
    assert "A copy" in answer.content.decode()


def test_an_account_is_deleted_from_its_page(client: Client, dewi: User, putri: User, tono: User) -> None:
    """Or it is said why not; the page of a deleted account has no name and no buttons."""
    client.force_login(clerk(*ALL))
    book(dewi, putri)
    assert "have a ride that is under way" in press(client, putri, "erase", confirmed="yes").content.decode()
    shown = press(client, tono, "erase", confirmed="yes").content.decode()
    assert "Deleted: 1 of 1" in shown
    assert "Tono" not in shown
    assert "action-button" not in shown


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "\\\\evil", "xyzzy"]
)
def test_nobody_is_sent_elsewhere(client: Client, putri: User, back: str) -> None:
    """The field of a form leads within the site only."""
    client.force_login(clerk(*ALL))
    body = {"action": "log_out", "_selected_action": [str(putri.pk)], "back": back}
    assert back not in client.post("/admin/users/user/", body).content.decode()
    answer = client.post("/admin/users/user/", {**body, "confirmed": "yes"})
    assert answer.headers["Location"] == "/admin/users/user/"


def test_a_driver_is_decided_upon_on_the_drivers_page(client: Client, dewi: User) -> None:
    """By those who may; others see the papers."""
    Driver.objects.update(approval="pending")
    page = f"/admin/users/driver/{dewi.pk}/change/"
    client.force_login(clerk(*ALL))
    assert "Approve as a driver …" in client.get(page).content.decode()
    client.force_login(clerk("view_driver"))
    assert "Approve as a driver …" not in client.get(page).content.decode()
