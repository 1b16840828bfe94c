"""What a server does not load before it serves: each of these takes a part of a second, and memory for good."""

import os
import subprocess
import sys

import pytest

from nebengjek.settings import BASE_DIR

HEAVY = {"twisted", "numpy", "haversine", "httpx", "markdown_it", "hypothesis", "jsonschema", "pytest", "simulation"}
"""For other servers, tests, pages that are made once, routing engines, and the town of a demo."""

UNUSED = {"aiohttp", "multidict", "opentelemetry", "requests", "urllib3", "pygments"}
"""What libraries import because it is installed; see `common.left_out`."""

MANY = {"DATABASE_URL": "postgres://u:p@127.0.0.1/n", "REDIS_URL": "redis://127.0.0.1", "NATS_URL": "nats://127.0.0.1"}

LOOK = """
import sys
sys.argv = ["manage.py", "serve"]
import nebengjek.settings
import nebengjek.asgi
import nebengjek.urls
import nebengjek.management.commands.serve
import realtime.server.uvicorn_server
from django.utils.module_loading import import_string
from nebengjek.settings import BACKENDS
[import_string(path) for path in BACKENDS.values()]
print(*sorted({name.partition(".")[0] for name in sys.modules}))
print(*sorted(name for name in sys.modules if ".migrations.0" in name))
"""


CLIENTS = {"redis", "channels_redis", "nats", "psycopg"}
"""Of servers that one process alone does without."""


@pytest.mark.parametrize(("urls", "more"), [({}, CLIENTS), (MANY, set())], ids=["one process", "many"])
def test_a_server_loads_little(urls: dict[str, str], more: set[str]) -> None:
    """Neither what only others need nor the migrations, whose names are all that it looks at."""
    env = {**os.environ, "DOTENV": ".env.of-no-tests", "DJANGO_SETTINGS_MODULE": "nebengjek.settings", "DEBUG": "true"}
    command = [sys.executable, "-c", LOOK]
    done = subprocess.run(command, cwd=BASE_DIR, env={**env, **urls}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    modules, migrations = done.stdout.splitlines()
    assert not (HEAVY | UNUSED | more) & set(modules.split())
    assert not migrations
