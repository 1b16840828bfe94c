"""Every command of the contract is a method, with the fields of the contract."""

import inspect
from typing import Any
from uuid import uuid4

import pytest

from nebengjek_client import Client
from nebengjek_client.commands import Commands
from nebengjek_client.frames import Data, encode
from realtime.commands.routes import ROUTES
from realtime.contract import frames as protocol

PLACE = {"latitude": -6.1754, "longitude": 106.8272}
CALLS: dict[str, dict[str, Any]] = {
    "beacon_update": {"is_active": True, **PLACE},
    "finder_update": {"is_active": True, "location": PLACE, "target_location": PLACE},
    "match_confirm": {"match_id": uuid4(), "accepted": False},
    "ride_start": {"ride_id": uuid4(), **PLACE},
    "ride_arrived": {"ride_id": uuid4(), "adjustment_factor": 0.5},
    "payment_process": {"ride_id": uuid4(), "total_cost": 10, "status": "REJECTED"},
    "ride_cancel": {"ride_id": uuid4(), "reason": "rain"},
    "received": {"seq": 7},
    "sync": {},
}


class Recorder(Commands):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, Data]] = []

    async def command(self, kind: str, data: Data) -> Data:
        self.frames.append((kind, data))
        return {"done": True}


@pytest.mark.parametrize("kind", sorted(ROUTES))
def test_every_command_is_a_method_with_its_fields(kind: str) -> None:
    parameters = inspect.signature(getattr(Client, kind)).parameters
    assert set(parameters) - {"self"} == set(ROUTES[kind].command.__struct_fields__)


@pytest.mark.parametrize("kind", sorted(CALLS))
async def test_what_is_sent_is_what_the_server_reads(kind: str) -> None:
    recorder = Recorder()
    assert await getattr(recorder, kind)(**CALLS[kind]) == {"done": True}
    [(sent_kind, data)] = recorder.frames
    frame = protocol.decode_frame(encode(sent_kind, data))
    command = ROUTES[sent_kind].decode(frame.data)
    assert sent_kind == kind
    assert set(data) == set(CALLS[kind])
    assert type(command) is ROUTES[kind].command


def test_no_command_is_left_out() -> None:
    assert set(CALLS) | {"location_update", "token_refresh"} == set(ROUTES)
