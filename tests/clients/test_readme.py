"""What the client's README shows runs as it stands."""

from __future__ import annotations

import asyncio
import re
import sys

import pytest

from devservers.web import ServerProcess
from nebengjek.settings import BASE_DIR
from tests.clients.people import PUTRI, log_in
from tests.patience import within

pytestmark = pytest.mark.e2e
README = (BASE_DIR / "clients" / "python" / "README.md").read_text()


async def test_its_example_looks_for_a_ride(server: ServerProcess) -> None:
    """The example of the README runs and looks for a ride."""
    login = await log_in(server, PUTRI)
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    code = code.replace("http://localhost:8000", server.url).replace("<access>", login["access"])
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-c", code, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    assert running.stdout is not None
    async with within():
        shown = (await running.stdout.readline()).decode()
    running.kill()
    await running.communicate()
    assert shown.startswith("Frame(type='finder_update', data={'user_id':"), shown
