"""RFC 6455 on a real server: what it forbids ends the connection with the right code, and nothing else does."""

from __future__ import annotations

import pytest

from devservers.web import ServerProcess
from tests.patience import within
from tests.stress.rawsocket import PONG, TEXT, RawSocket, frame
from tests.stress.violations import LEGAL, VIOLATIONS, Violation

pytestmark = pytest.mark.e2e
ANSWERED = b'{"type":"ack","data":{},"id":"still here"}'


async def test_violations_close_with_their_code(server: ServerProcess) -> None:
    """What RFC 6455 forbids ends the connection with the code that it gives."""
    token = server.log_in("+6281200000003")
    host = server.url.removeprefix("http://")
    wrong: dict[str, int | None] = {}
    for violation in VIOLATIONS:
        async with within():
            raw = await RawSocket.open(host, token)
            raw.send(violation.data)
            code = await raw.end()
        raw.close()
        if code not in violation.codes:
            wrong[violation.name] = code
    assert not wrong
    said = "".join(server.output)
    assert "Traceback" not in said
    assert "ERROR" not in said


@pytest.mark.parametrize("legal", LEGAL, ids=lambda one: one.name.replace(" ", "-"))
async def test_odd_frames_are_allowed(server: ServerProcess, legal: Violation) -> None:
    """Frames that look odd but are allowed keep the connection open."""
    raw = await RawSocket.open(server.url.removeprefix("http://"), server.log_in("+6281200000003"))
    raw.send(legal.data + frame(TEXT, b'{"type":"sync","data":{},"id":"still here"}'))
    async with within():
        while (got := await raw.read_frame()) != (TEXT, ANSWERED):
            assert got[0] in (TEXT, PONG)
    raw.close()
