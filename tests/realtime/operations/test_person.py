from types import SimpleNamespace
from typing import Any

from realtime.operations.person import connection
from tests.cast import connect
from users.models import User


def request(*, may: bool) -> Any:
    return SimpleNamespace(user=SimpleNamespace(has_perm=lambda _permission: may))


def test_the_connection_of_a_person(putri: User) -> None:
    """Since when, heard when, from where; a click leads to what can be done about it."""
    [panel] = connection(putri, request(may=True))
    assert (panel.facts, panel.empty) == ([], "Not connected.")
    connect(putri)
    [panel] = connection(putri, request(may=True))
    assert [name for name, _ in panel.facts] == ["Since", "Last heard", "Address", "Process"]
    assert panel.more is not None
    assert panel.more.link == f"/admin/realtime/liveconnection/?q={putri.pk}"
    assert list(connection(putri, request(may=False))) == []
