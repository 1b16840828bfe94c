"""The systemd units: directives that exist, commands that run, and the time to stop in stages."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.urls import resolve

from common.env import _period
from nebengjek.settings import BASE_DIR, DECLARED_VARIABLES
from realtime.server.websocket_protocol import CLOSE_GRACE
from tests.deploy.test_compose import CADDYFILE, assert_is_a_command

Unit = dict[tuple[str, str], list[str]]
"""The values of each directive, by section and name, in their order."""

FOLDER = BASE_DIR / "deploy" / "systemd"
FILES = sorted(path.name for path in FOLDER.iterdir())
SERVICES = [name for name in FILES if name.endswith(".service")]
STAYING = [name for name in SERVICES if name != "nebengjek-migrate.service"]
INSTANCES = {"nebengjek-web@.service": "8001", "nebengjek-bridge@.service": "9101"}
OF_PYTHON = {"PYTHONUNBUFFERED"}
PYTHON = "/opt/nebengjek/.venv/bin/python"
PROGRAMS = [PYTHON, "/usr/bin/curl"]
OTHER_UNITS = ["sysinit.target", "basic.target", "shutdown.target", "network-online.target", "multi-user.target"]
EXPOSURE = 20
"""How much of the system a service may see, by the measure of `systemd-analyze security`: 0 is none, 100 is all."""

needs_analyze = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not on the PATH")


def read(name: str) -> Unit:
    """Return a unit."""
    unit: Unit = defaultdict(list)
    section = ""
    for line in (FOLDER / name).read_text().splitlines():
        if found := re.fullmatch(r"\[(\w+)\]", line):
            section = found[1]
        elif line and not line.startswith(("#", ";")):
            key, sign, value = line.partition("=")
            assert sign, line
            unit[section, key].append(value)
    return unit


def known_directives() -> dict[tuple[str, str], str]:
    """Return the kind of value of each directive of systemd 252, the oldest version that we look at."""
    known: dict[tuple[str, str], str] = {}
    section = ""
    for line in (BASE_DIR / "tests" / "data" / "systemd-252.txt").read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        else:
            name, _, kind = line.partition("=")
            known[section, name] = kind
    return known


def one(unit: Unit, name: str) -> str:
    """Return the only value of a directive of a service."""
    (value,) = unit["Service", name]
    return value


def environment(unit: Unit) -> dict[str, str]:
    """Return the variables that a service sets."""
    return dict(word.split("=", 1) for line in unit["Service", "Environment"] for word in shlex.split(line))


def example_name(name: str) -> str:
    """Return the name of a unit, of a template that of an instance."""
    return name.replace("@", f"@{INSTANCES.get(name, '')}")


def test_each_process_has_a_unit() -> None:
    """Web, bridge, dispatcher and migration, and a target that holds them together."""
    assert FILES == [
        "nebengjek-bridge@.service",
        "nebengjek-dispatcher.service",
        "nebengjek-migrate.service",
        "nebengjek-web@.service",
        "nebengjek.target",
    ]


@pytest.mark.parametrize("name", FILES)
def test_every_directive_exists(name: str) -> None:
    """Systemd ignores what it does not know, hardening included; a boolean is written as one."""
    known = known_directives()
    for place, values in read(name).items():
        assert place in known, place
        if known[place] == "BOOLEAN":
            assert values in (["yes"], ["no"]), place


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_a_command(name: str) -> None:
    """It is one that `manage.py` takes, run by the Python of the installation."""
    unit = read(name)
    words = shlex.split(one(unit, "ExecStart").replace("%i", INSTANCES.get(name, "")))
    assert words[:2] == [PYTHON, "manage.py"]
    assert_is_a_command(words[2:])
    assert words[0].startswith(one(unit, "WorkingDirectory"))


@pytest.mark.parametrize("name", SERVICES)
def test_every_variable_is_a_setting(name: str) -> None:
    """What a unit sets, the settings read; secrets are in the file of root only."""
    unit = read(name)
    assert set(environment(unit)) - OF_PYTHON <= set(DECLARED_VARIABLES)
    assert environment(unit)["DEBUG"] == "false"
    assert one(unit, "EnvironmentFile") == "/etc/nebengjek/settings.env"


@pytest.mark.parametrize("name", STAYING)
def test_it_may_finish_before_a_kill(name: str) -> None:
    """Systemd waits for longer than a process takes to stop in stages."""
    unit = read(name)
    notice = _period(environment(unit).get("SHUTDOWN_NOTICE", "0s"))
    needed = notice.total_seconds() + settings.SHUTDOWN_TIMEOUT.total_seconds() + CLOSE_GRACE
    assert _period(one(unit, "TimeoutStopSec")).total_seconds() > needed
    assert ("Service", "KillSignal") not in unit  # SIGTERM


@pytest.mark.parametrize("name", STAYING)
def test_it_is_started_again_for_ever(name: str) -> None:
    """A database that is away for an hour must not end a service for good."""
    unit = read(name)
    assert one(unit, "Restart") == "always"
    assert unit["Unit", "StartLimitIntervalSec"] == ["0"]
    assert unit["Unit", "PartOf"] == unit["Install", "WantedBy"] == ["nebengjek.target"]


def test_the_proxy_notices_before_it_stops() -> None:
    """A web process that stops listens until the proxy has seen that it is not ready."""
    notice = _period(environment(read("nebengjek-web@.service"))["SHUTDOWN_NOTICE"])
    waits = (_period(found).total_seconds() for found in re.findall(r"health_(?:interval|timeout) (\w+)", CADDYFILE))
    assert notice.total_seconds() > sum(waits)


def test_a_restart_waits_until_ready() -> None:
    """`systemctl restart` asks the new process itself, and its failure ends nothing."""
    after = one(read("nebengjek-web@.service"), "ExecStartPost")
    assert after.startswith("-/usr/bin/curl ")
    (url,) = re.findall(r"http://localhost:%i(/\S+)", after)
    assert resolve(url).view_name == resolve("/health/ready").view_name


def test_prometheus_scrapes_their_ports() -> None:
    """The ports of the metrics are those that prometheus.yml has."""
    config = yaml.safe_load((BASE_DIR / "deploy" / "prometheus" / "prometheus.yml").read_text())
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}
    port = re.findall(r"--metrics-port (\d+)", one(read("nebengjek-dispatcher.service"), "ExecStart"))
    assert targets["nebengjek-dispatcher"] == [f"127.0.0.1:{port[0]}"]
    for name in ("web", "bridge"):
        head = (FOLDER / f"nebengjek-{name}@.service").read_text().partition("[Unit]")[0]
        instances = re.findall(rf"nebengjek-{name}@(\d+)", head)
        assert [target.partition(":")[2] for target in targets[f"nebengjek-{name}"]] == instances


def test_all_services_are_hardened_alike() -> None:
    """What one process may not do, none may."""
    parts = [(FOLDER / name).read_text().partition("# What it may not do.")[2] for name in SERVICES]
    texts = {part.partition("\n\n")[0].strip() for part in parts}
    assert len(texts) == 1
    assert "NoNewPrivileges=yes" in texts.pop()


@needs_analyze
def test_systemd_itself_finds_no_fault(tmp_path: Path) -> None:
    """`systemd-analyze verify` reads the units, and says nothing."""
    units = tmp_path / "etc" / "systemd" / "system"
    shutil.copytree(FOLDER, units)
    for program in PROGRAMS:
        path = tmp_path / program[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o755)
    for name in OTHER_UNITS:
        (units / name).write_text(f"[Unit]\nDescription={name}\n")
    names = [example_name(name) for name in FILES]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"--root={tmp_path}", *names],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_analyze
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_exposed_little(name: str) -> None:
    """`systemd-analyze security` finds that it may do little more than it needs."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}", FOLDER / name],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
