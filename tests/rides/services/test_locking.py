from typing import Any

from rides.services.locking import lock_affairs, lock_users
from tests.cast import propose
from users.models import User


def test_everybody_with_an_open_match_is_locked_passengers_first(
    dewi: User, joko: User, putri: User, tono: User, django_assert_num_queries: Any
) -> None:
    propose(dewi, putri)
    with django_assert_num_queries(2) as captured:
        lock_affairs(dewi.pk)
    locking = captured.captured_queries[-1]["sql"]
    assert dewi.pk.hex in locking
    assert putri.pk.hex in locking
    assert joko.pk.hex not in locking
    assert tono.pk.hex not in locking
    assert '"role" DESC' in locking


def test_nobody_is_locked_for_nothing(db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        lock_users([])
