"""Packages that seem absent to one module of a library, and to nothing else."""

import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from common.left_out import leave_out, seeming_absent
from devservers.process import free_port
from devservers.servers import NatsServer
from nebengjek.settings import BASE_DIR

LIBRARY = """
try:
    from optional_part import inner
    NAME = inner.NAME
except ModuleNotFoundError:
    NAME = ""
"""

SAY_HELLO = """
import asyncio, django
django.setup()
from common.nats import connect_to_nats

async def main():
    client = await connect_to_nats("web")
    await client.flush()
    print(client.connected_url.scheme)
    await client.close()

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a library, a second one, and a package that both take where it is there."""
    for name in ("with_all", "with_less"):
        (tmp_path / f"{name}.py").write_text(LIBRARY)
    (tmp_path / "optional_parts.py").touch()
    (tmp_path / "optional_part").mkdir()
    (tmp_path / "optional_part" / "__init__.py").touch()
    (tmp_path / "optional_part" / "inner.py").write_text("NAME = 'installed'")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield
    for name in ("with_all", "with_less", "optional_parts", "optional_part", "optional_part.inner"):
        sys.modules.pop(name, None)


def fresh(name: str) -> ModuleType:
    return importlib.import_module(name)


def test_one_module_does_without() -> None:
    leave_out({"with_less": ["optional_part"]})
    assert fresh("with_less").NAME == ""
    assert fresh("with_all").NAME == "installed"


def test_what_is_loaded_in_part_is_left_out() -> None:
    """Another library may have loaded the outermost package before."""
    fresh("optional_part")
    leave_out({"with_less": ["optional_part"]})
    assert fresh("with_less").NAME == ""


def test_other_threads_see_it_meanwhile() -> None:
    found: list[str] = []
    with seeming_absent(["optional_part"]):
        thread = threading.Thread(target=lambda: found.append(fresh("with_all").NAME))
        thread.start()
        thread.join()
    assert found == ["installed"]


def test_only_the_package_itself_is_absent() -> None:
    with seeming_absent(["optional_part"]):
        fresh("optional_parts")
        with pytest.raises(ModuleNotFoundError, match="optional_part"):
            fresh("optional_part.inner")
    assert fresh("optional_part.inner").NAME == "installed"


@pytest.mark.e2e
@pytest.mark.parametrize("scheme", ["ws", "nats"])
def test_nats_over_websockets_works(tmp_path: Path, scheme: str) -> None:
    """The transport that needs aiohttp has it where an address asks for it."""
    port = free_port()
    (tmp_path / "nats.conf").write_text(f"websocket {{ host: 127.0.0.1, port: {port}, no_tls: true }}")
    with NatsServer(tmp_path, config=tmp_path / "nats.conf") as server:
        url = f"ws://127.0.0.1:{port}" if scheme == "ws" else server.url
        ours = {"DOTENV": ".env.of-no-tests", "DJANGO_SETTINGS_MODULE": "nebengjek.settings", "NATS_URL": url}
        env = {**os.environ, **ours}
        command = [sys.executable, "-c", SAY_HELLO]
        done = subprocess.run(command, cwd=BASE_DIR, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == f"{scheme}\n", done.stderr
