"""Every command of the contract is a method, with the fields of the contract."""

import inspect

import pytest

from common.examples import example_of
from nebengjek_client import Client
from nebengjek_client.commands import Commands
from nebengjek_client.frames import Data, encode
from realtime.commands.routes import ROUTES
from realtime.contract import frames as protocol
from web.docs.clients import BY_HAND

SENT = [kind for kind in ROUTES if kind not in BY_HAND]


class Recorder(Commands):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, Data]] = []

    async def command(self, kind: str, data: Data) -> Data:
        self.frames.append((kind, data))
        return {"done": True}


@pytest.mark.parametrize("kind", sorted(ROUTES))
def test_every_command_is_a_method(kind: str) -> None:
    """Every command is a method with the fields of the contract."""
    parameters = inspect.signature(getattr(Client, kind)).parameters
    assert set(parameters) - {"self"} == set(ROUTES[kind].command.__struct_fields__)


@pytest.mark.parametrize("kind", SENT)
async def test_every_field_arrives(kind: str) -> None:
    """Every field of the command arrives."""
    recorder = Recorder()
    fields = example_of(ROUTES[kind].command) if ROUTES[kind].command.__struct_fields__ else {}
    assert await getattr(recorder, kind)(**fields) == {"done": True}
    [(sent_kind, data)] = recorder.frames
    frame = protocol.decode_frame(encode(sent_kind, data))
    command = ROUTES[sent_kind].decode(frame.data)
    assert sent_kind == kind
    assert data == fields
    assert type(command) is ROUTES[kind].command
