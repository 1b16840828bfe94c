from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from realtime.delivery.layer_messages import DISCONNECT, group_of
from realtime.operations.live_connections import chosen, connected, disconnect, with_users
from users.models import User
from users.presence import Presence, presence

pytestmark = pytest.mark.django_db


def note(*users: User, since: float = 1000.0) -> list[Presence]:
    """Let people be connected, each a second after the one before."""
    made = [
        Presence(
            connection_id=uuid4(),
            user_id=user.pk,
            role=user.role,
            process=f"host:{place}",
            address="198.51.100.7",
            since=since + place,
        )
        for place, user in enumerate(users)
    ]
    presence().note(made)
    return made


def ids(found: Iterable[Presence]) -> list[UUID]:
    return [one.user_id for one in found]


def test_people_are_found_by_number_name_and_id(dewi: User, putri: User) -> None:
    note(dewi, putri)
    for text in ("0812-0000-0003", "+628120000 0003", "putri", str(putri.pk)):
        assert ids(connected(text)) == [putri.pk]
    assert ids(connected("tono")) == []
    assert ids(connected(" ")) == [putri.pk, dewi.pk]


def test_they_come_in_the_order_that_is_asked_for(dewi: User, putri: User, joko: User) -> None:
    note(dewi, putri, joko)
    assert ids(connected("", "since")) == [dewi.pk, putri.pk, joko.pk]
    assert ids(connected("", "-heard")) == [joko.pk, putri.pk, dewi.pk]
    assert ids(connected("", "-role"))[0] == putri.pk
    assert ids(connected("", "user_id; DROP TABLE")) == [dewi.pk, putri.pk, joko.pk]


def test_users_are_read_by_one_query(dewi: User, putri: User, django_assert_num_queries: Any) -> None:
    present = note(dewi, putri, User(id=uuid4(), role="driver"))
    with django_assert_num_queries(1):
        found = with_users(present)
    assert [one.user for one in found] == [dewi, putri, None]
    assert found[0].since.timestamp() == 1000


def test_those_who_have_gone_cannot_be_chosen(dewi: User, putri: User) -> None:
    first, second = note(dewi, putri)
    async_to_sync(presence().release)(first)
    wanted = {str(first.connection_id), str(second.connection_id), "nonsense"}
    assert [one.presence for one in chosen(wanted)] == [second]


def test_whose_connection_shall_end_is_told_to_all_of_his(dewi: User) -> None:
    from asgiref.sync import async_to_sync

    layer = get_channel_layer()
    channel = async_to_sync(layer.new_channel)()
    async_to_sync(layer.group_add)(group_of(dewi.pk), channel)
    [one] = with_users(note(dewi))
    disconnect(one)
    message = async_to_sync(layer.receive)(channel)
    assert message == {"type": DISCONNECT, "connection": str(one.presence.connection_id)}
