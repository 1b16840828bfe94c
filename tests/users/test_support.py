"""The support role, and what somebody who has it tries."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from django.db import models
from django.test import Client

from common.errors import Conflict
from events.dead_letters import dead_letters_keep
from events.models import DeadLetter
from rides.models import Payment, Ride, TrackPoint
from tests.cast import arrive
from tests.events.test_dead_letters import dead
from users.models import StaffRecord, User
from users.selectors import may_act_on
from users.support import SUPPORT, support_add, support_group_update, support_permissions

pytestmark = pytest.mark.django_db
NOT_SHOWN = {Group, StaffRecord}
"""What is in the admin, but not for support."""


@pytest.fixture
def clerk() -> User:
    return support_add(msisdn="+6281200000098")


@pytest.fixture
def support(client: Client, clerk: User) -> Client:
    client.force_login(clerk)
    return client


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("+6281200000099", "a long password")


def url(model: type[models.Model]) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def everything() -> list[dict[str, Any]]:
    """What must stay as it is: people with all their rights, groups with theirs, rides, payments and tracks."""
    people = User.objects.order_by("pk").values()
    rights = Permission.objects.order_by("pk").values("pk", "group", "user")
    found: list[dict[str, Any]] = [{k: v for k, v in row.items() if k != "last_login"} for row in people]
    for rows in (rights, Group.objects.values(), Ride.objects.values(), Payment.objects.values()):
        found.extend(dict(row) for row in rows)
    found.extend(dict(row) for row in TrackPoint.objects.order_by("pk").values())
    return found


def records() -> Iterator[tuple[type[models.Model], str]]:
    """A record of each model of the admin, and one that does not exist."""
    for model in admin.site._registry:
        if model._meta.managed:
            for one in model._default_manager.all()[:9]:
                yield model, str(one.pk)
        yield model, str(uuid4())


def test_support_sees_every_model_of_the_admin_but_groups_and_the_record_of_staff(support: Client) -> None:
    for model in admin.site._registry:
        assert support.get(url(model)).status_code == (403 if model in NOT_SHOWN else 200), model
    index = support.get("/admin/").content.decode()
    assert "/admin/rides/ride/" in index
    assert "/admin/realtime/liveconnection/" in index
    assert "/admin/auth/group/" not in index


def test_support_can_add_change_and_delete_nothing_by_hand(
    support: Client, clerk: User, boss: User, dewi: User, putri: User
) -> None:
    arrive(dewi, putri, tracked_km=2)
    before = everything()
    evil = {
        "full_name": "Evil", "msisdn": "+6281200000055", "password": "x", "password1": "x", "password2": "x",
        "is_superuser": "on", "is_staff": "on", "is_active": "on", "role": "driver", "token_version": "7",
        "groups": str(Group.objects.get().pk), "user_permissions": str(Permission.objects.all()[0].pk),
        "name": "Evil", "permissions": [str(one.pk) for one in Permission.objects.all()[:5]],
        "status": "ACCEPTED", "total_cost": "1", "admin_fee": "0", "driver_payout": "1", "rate_per_km": "1",
        "driver-TOTAL_FORMS": "1", "driver-INITIAL_FORMS": "0", "driver-0-vehicle_plate": "E 1",
        "payment-TOTAL_FORMS": "1", "payment-INITIAL_FORMS": "0", "payment-0-total_cost": "1",
        "post": "yes", "_save": "Save",
    }  # fmt: skip
    tried = 0
    for model, pk in list(records()):
        for path in ("add/", f"{pk}/change/", f"{pk}/delete/", f"{pk}/history/"):
            answer = support.post(url(model) + path, evil)
            assert answer.status_code in (200, 302, 403, 404), (model, path, answer.status_code)
            assert path.endswith("history/") or answer.status_code != 200, (model, path)
            assert answer.status_code != 302 or answer["Location"] == "/admin/", (model, path)
            tried += 1
    assert tried > 100
    assert everything() == before


def test_support_cannot_edit_lists_in_place(support: Client, dewi: User, putri: User) -> None:
    arrive(dewi, putri)
    before = everything()
    for model in admin.site._registry:
        body = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": "1", "_save": "Save"}
        assert support.post(url(model), body).status_code in (200, 302, 403), model
    assert everything() == before


def test_of_all_actions_support_has_six(support: Client, dewi: User, putri: User, boss: User) -> None:
    dead_letters_keep([dead(7)])
    arrive(dewi, putri)
    before = everything()
    had: set[str] = set()
    for model, model_admin in admin.site._registry.items():
        if not model._meta.managed or model in NOT_SHOWN:
            continue
        chosen = [str(one.pk) for one in model._default_manager.all()]
        for name in {str(getattr(one, "__name__", one)) for one in model_admin.actions or ()} | {"delete_selected"}:
            answer = support.post(url(model), {"action": name, "_selected_action": chosen, "post": "yes"})
            if b"Yes: " in answer.content:
                had.add(name)
    assert had == {"deactivate", "reactivate", "log_out", "cancel", "finish", "review"}
    assert everything() == before
    assert not DeadLetter.objects.exclude(replay_requested_at=None).exists()


def test_what_support_may_do_it_does_and_to_staff_it_does_nothing(
    support: Client, clerk: User, boss: User, dewi: User, putri: User
) -> None:
    def act(model: str, action: str, *pks: Any) -> str:
        body = {"action": action, "_selected_action": list(map(str, pks)), "confirmed": "yes", "reason": "Because"}
        return support.post(f"/admin/{model}/", body, follow=True).content.decode()

    other = User.objects.create_user("+6281200000097", "a long password", is_staff=True)
    ride = arrive(dewi, putri)
    for action, done in (("log_out", "Logged out everywhere"), ("deactivate", "Deactivated")):
        assert f"{done}: 1 of 4 users." in act("users/user", action, putri.pk, boss.pk, other.pk, clerk.pk)
    assert "Reactivated: 1 of 1 users." in act("users/user", "reactivate", putri.pk)
    assert "is cancelled" in act("rides/ride", "cancel", ride.pk)
    for one in (boss, other, clerk):
        one.refresh_from_db()
        assert (one.is_active, one.token_version) == (True, 0)
    User.objects.filter(pk=other.pk).update(is_active=False)
    assert "Reactivated: 0 of 1 users." in act("users/user", "reactivate", other.pk)


def test_nobody_is_taken_over_by_a_password(support: Client, putri: User, boss: User) -> None:
    for user in (putri, boss):
        support.post(f"/admin/users/user/{user.pk}/password/", {"password1": "x", "password2": "x"}, follow=True)
        before = user.password
        user.refresh_from_db()
        assert user.password == before


def test_the_group_has_what_is_granted_and_loses_what_was_added(clerk: User) -> None:
    group = Group.objects.get(name=SUPPORT)
    group.permissions.add(Permission.objects.get(codename="change_user"))
    support_group_update()
    have = {f"{one.content_type.app_label}.{one.codename}" for one in group.permissions.select_related("content_type")}
    assert have == support_permissions()
    assert not {name for name in have if ".add_" in name or ".change_" in name or ".delete_" in name}


def test_somebody_becomes_support_once_and_keeps_his_password(clerk: User) -> None:
    clerk.set_password("a long password")
    clerk.save()
    again = support_add(msisdn="0812-0000-0098")
    assert (again.pk, again.is_staff, again.is_superuser) == (clerk.pk, True, False)
    assert again.check_password("a long password")
    assert list(again.groups.values_list("name", flat=True)) == [SUPPORT]


def test_the_command_says_what_is_left_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("support", "0812-0000-0098")
    said = capsys.readouterr().out
    assert "+6281200000098 is support." in said
    assert "manage.py changepassword +6281200000098" in said
    with pytest.raises(CommandError, match="phone number"):
        call_command("support", "nonsense")


def test_without_the_permissions_it_says_how_to_get_them() -> None:
    Permission.objects.filter(codename="cancel_ride").delete()
    with pytest.raises(Conflict, match=r"manage\.py migrate"):
        support_group_update()


def test_who_may_act_on_whom(clerk: User, boss: User, putri: User) -> None:
    assert may_act_on(boss, clerk)
    assert may_act_on(boss, boss)
    assert may_act_on(clerk, putri)
    assert not may_act_on(clerk, clerk)
    assert not may_act_on(clerk, boss)
