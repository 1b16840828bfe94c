from uuid import UUID

from users.models import User
from users.selectors import users_missing

NOBODY = UUID(int=9)


def test_of_some_ids_those_are_missing_that_no_user_has(dewi: User, putri: User) -> None:
    assert users_missing({dewi.pk, NOBODY, putri.pk}) == {NOBODY}
    assert users_missing([dewi.pk, putri.pk]) == set()
    assert users_missing(set()) == set()


def test_who_is_deactivated_is_still_a_user(tono: User) -> None:
    User.objects.update(is_active=False)
    assert users_missing([tono.pk]) == set()
