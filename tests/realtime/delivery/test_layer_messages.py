from uuid import UUID

from channels.layers import BaseChannelLayer

from realtime.commands.routes import ROUTES
from realtime.delivery.layer_messages import CHECK, DELIVER, DISCONNECT, RELAY, REPLACE, REVOKE, group_of
from rides.events import EVENTS

A, B = UUID(int=1), UUID(int=2)


def test_each_user_has_a_group_of_his_own() -> None:
    assert group_of(A) == "user_00000000-0000-0000-0000-000000000001"
    assert group_of(A) != group_of(B)


def test_channels_takes_the_name() -> None:
    assert BaseChannelLayer().require_valid_group_name(group_of(A))


def test_no_event_and_no_client_has_a_type_of_the_layer() -> None:
    types = {CHECK, DELIVER, DISCONNECT, RELAY, REPLACE, REVOKE}
    assert len(types) == 6
    assert not types & {*ROUTES, *(event.type for event in EVENTS), *(event.subject for event in EVENTS)}
