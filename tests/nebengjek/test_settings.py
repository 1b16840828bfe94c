import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings

from devservers.patience import FACTOR
from devservers.web import ServerProcess, completed
from nebengjek.settings import BASE_DIR, DECLARED_VARIABLES, SECRET_VARIABLES

EXAMPLE = BASE_DIR / "settings.example.env"


def manage(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py with these variables only."""
    clean = {name: value for name, value in os.environ.items() if name not in DECLARED_VARIABLES}
    defaults = {"DJANGO_SETTINGS_MODULE": "nebengjek.settings", "DOTENV": ".env.of-no-tests", "DEBUG": "1"}
    command = [sys.executable, "manage.py", *args]
    return completed(ServerProcess.popen, command, {**clean, **defaults, **env}, 60 * FACTOR)


def test_the_example_is_complete() -> None:
    """`settings.example.env` lists every variable with its default and its meaning."""
    lines = EXAMPLE.read_text().splitlines()
    listed = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]", line))
    assert listed == DECLARED_VARIABLES
    for number, line in enumerate(lines):
        if re.match(r"[A-Z]", line):
            assert re.match(r"# [A-Z].*\.$", lines[number - 1]), line


@pytest.mark.parametrize(
    "name",
    ["WS_READ_BUFFER_SIZE", "WS_WRITE_BUFFER_SIZE", "WS_MAX_MESSAGE_SIZE", "WS_HANDSHAKE_TIMEOUT", "WS_PING_PERIOD"],
)
def test_the_contract_is_kept(name: str) -> None:
    """Names and defaults of the contract are kept."""
    defaults = {
        "WS_READ_BUFFER_SIZE": "1024",
        "WS_WRITE_BUFFER_SIZE": "1024",
        "WS_MAX_MESSAGE_SIZE": "512",
        "WS_HANDSHAKE_TIMEOUT": "10s",
        "WS_PING_PERIOD": "54s",
    }
    assert DECLARED_VARIABLES[name] == defaults[name]


def test_idle_sockets_outlive_proxies() -> None:
    """Many proxies cut what is silent for 30 s, and the ping period of the contract is longer."""
    assert timedelta(seconds=30) > settings.WS_IDLE_PING
    assert DECLARED_VARIABLES["WS_IDLE_PING"] == "25s"


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("WS_PING_PERIOD", "often", "a duration such as"),
        ("JWT_EXPIRATION", "0", "a whole number from 1"),
        ("DEBUG", "perhaps", "true or false"),
        ("DATABASE_URL", "mysql://x/y", "postgres://"),
        ("DATABASE_URL", "sqlite://", "name a file"),
        ("DATABASE_URL", "nonsense", "sqlite"),
    ],
)
def test_nonsense_is_one_line(variable: str, value: str, allowed: str) -> None:
    """A wrong value ends the start with one line."""
    done = manage("check", **{variable: value})
    assert done.returncode == 1
    assert done.stderr.startswith("Configuration error: ")
    assert variable in done.stderr
    assert allowed in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_example_names_all_secrets() -> None:
    """Its head says which settings may be files."""
    head = EXAMPLE.read_text().partition("# ---")[0]
    assert set(re.findall(r"[A-Z]+_[A-Z_]+", head)) - {"NAME_FILE"} == set(SECRET_VARIABLES)


def test_secrets_come_from_files(tmp_path: Path) -> None:
    """A secret may be the content of a file, without its last line break; its error never shows the content."""
    (tmp_path / "key").write_text("  a key of production, long enough for all\n")
    (tmp_path / "short").write_text("hunter2")
    ours = {"JWT_SECRET": "another of production, long enough too", "SMS_BACKEND": "tests.users.test_sms.Recorder"}
    assert manage("check", **ours, DEBUG="0", SECRET_KEY_FILE=f"{tmp_path}/key").returncode == 0
    done = manage("check", **ours, DEBUG="0", SECRET_KEY_FILE=f"{tmp_path}/short")
    assert (done.returncode, "nebengjek.E001" in done.stderr, "hunter2" in done.stderr) == (1, True, False)
    done = manage("check", **ours, DEBUG="0", SECRET_KEY_FILE="/no/such/file")
    assert done.stderr.endswith("SECRET_KEY_FILE='/no/such/file' cannot be read: No such file or directory.\n")
    assert done.stderr.count("\n") == 1


def test_nothing_set_is_a_look_on_ones_own_machine() -> None:
    """No error pages, but secrets of the source for clients on this machine; whoever names a host means it."""
    code = "from django.conf import settings as s; print(s.DEBUG, s.ON_OWN_MACHINE, s.SESSION_COOKIE_SECURE)"
    assert manage("shell", "-v", "0", "-c", code, DEBUG="").stdout.split() == ["False", "True", "False"]
    assert manage("check", "--fail-level", "WARNING", DEBUG="").returncode == 0
    for named in ({"DEBUG": "0"}, {"DEBUG": "", "ALLOWED_HOSTS": "api.example.com"}):
        done = manage("check", **named)
        assert (done.returncode, "SECRET_KEY is not set" in done.stderr) == (1, True)


def test_production_needs_secrets(tmp_path: Path) -> None:
    """With DEBUG off no secret has a usable default."""
    done = manage("check", DEBUG="0")
    assert done.returncode == 1
    for identifier in ("nebengjek.E001", "nebengjek.E002", "nebengjek.E003"):
        assert identifier in done.stderr
    good = {"SECRET_KEY": "abcdefgh" * 4, "JWT_SECRET": "ijklmnop" * 4, "SMS_BACKEND": "tests.users.test_sms.Recorder"}
    assert manage("check", DEBUG="0", **good).returncode == 0


def test_serve_refuses_impossible_settings(tmp_path: Path) -> None:
    """`serve` refuses settings that cannot work."""
    empty = f"sqlite:///{tmp_path}/empty.sqlite3"
    for args, words in (
        (("--workers", "2"), "--workers must be 1"),
        (("--host", "0.0.0.0"), "Set SECRET_KEY and JWT_SECRET"),
        (("--port", "99999"), "--port must be a number"),
        ((), "manage.py migrate"),
    ):
        done = manage("serve", *args, DATABASE_URL=empty)
        assert done.returncode == 1
        assert words in done.stderr


@pytest.mark.parametrize("query", ["", "?sslmode=disable"])
def test_a_database_server_is_not_waited_for_for_ever(query: str) -> None:
    """What the URL says is kept beside our limits."""
    code = "from django.conf import settings; print(settings.DATABASES['default'])"
    done = subprocess.run(
        [sys.executable, "-c", f"import django; {code}"],
        cwd=BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "nebengjek.settings", "DOTENV": ".env.of-no-tests",
             "DATABASE_URL": f"postgres://user@127.0.0.1:5432/name{query}"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "'ENGINE': 'common.postgresql'" in done.stdout
    assert "'answer_timeout': 17" in done.stdout
    assert ("'sslmode': 'disable'" in done.stdout) is bool(query)
