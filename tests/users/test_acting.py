import time
from uuid import uuid4

import pytest

from common.errors import Unauthorized
from users.acting import acting, check_locked
from users.tokens import Claims

USER = uuid4()
CLAIMS = Claims(user_id=USER, role="passenger", exp=time.time() + 60, ver=3)


def test_a_lock_on_others_says_nothing() -> None:
    """Only a lock on the actor's own row makes the token certain."""
    with acting(CLAIMS) as actor:
        check_locked([(uuid4(), "passenger", 3, True)])
        assert not actor.is_certain
        check_locked([(uuid4(), "driver", 1, True), (USER, "passenger", 3, True)])
        assert actor.is_certain


@pytest.mark.parametrize(
    "account", [("driver", 3, True), ("passenger", 4, True), ("passenger", 3, False)], ids=["role", "version", "active"]
)
def test_a_revoked_token_ends_the_command(account: tuple[str, int, bool]) -> None:
    """A token that does not hold under the lock is refused, and is not certain."""
    with acting(CLAIMS) as actor, pytest.raises(Unauthorized):
        check_locked([(USER, *account)])
    assert not actor.is_certain


def test_nobody_acts_outside() -> None:
    """After the command, and outside any, locks check no token; within one, the inner actor counts."""
    other = Claims(user_id=uuid4(), role="driver", exp=time.time() + 60)
    with acting(CLAIMS) as outer:
        with acting(other):
            check_locked([(USER, "driver", 0, False)])
        check_locked([(USER, "passenger", 3, True)])
        assert outer.is_certain
    check_locked([(USER, "driver", 0, False)])
