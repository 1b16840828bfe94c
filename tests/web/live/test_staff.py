import pytest
from django.contrib.sessions.backends.db import SessionStore

from tests.web.live.watcher import logged_in
from users.models import User
from web.live.staff import staff_sessions

pytestmark = pytest.mark.django_db


def good(key: str) -> bool:
    return staff_sessions({key}) == {key}


def test_a_session_of_staff_is_good(rina: User) -> None:
    assert good(logged_in(rina))


def test_nobody_elses_is(tono: User) -> None:
    nobodys = SessionStore()
    nobodys.create()
    assert not any(map(good, (logged_in(tono), str(nobodys.session_key), "", "0" * 32)))


@pytest.mark.parametrize("change", [{"is_staff": False}, {"is_active": False}])
def test_who_is_staff_no_longer_has_a_session_no_longer(rina: User, change: dict[str, bool]) -> None:
    key = logged_in(rina)
    User.objects.filter(pk=rina.pk).update(**change)
    assert not good(key)


def test_a_session_ends_with_the_logout_and_with_another_password(rina: User) -> None:
    first, second = logged_in(rina), logged_in(rina)
    SessionStore(first).flush()
    assert not good(first)
    assert good(second)
    rina.set_password("another")
    rina.save()
    assert not good(second)


def test_a_session_with_nonsense_in_it_is_nobodys(rina: User) -> None:
    session = SessionStore()
    session["_auth_user_id"] = "nonsense"
    session.save()
    assert not good(str(session.session_key))


def test_staff_without_the_permission_do_not_see_the_map(rina: User) -> None:
    """The page asks for a permission of its own, and so does its socket."""
    key = logged_in(rina)
    rina.user_permissions.clear()
    assert not good(key)
