import asyncio

import uvloop

from common.loops import run


def test_commands_run_on_uvloop() -> None:
    """Like `serve`; what the coroutine returns comes back."""

    async def which() -> type:
        return type(asyncio.get_running_loop())

    assert run(which()) is uvloop.Loop
