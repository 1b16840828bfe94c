"""compose.yaml, the Dockerfile and the proxy's configuration, as far as they can be checked without containers."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from secrets import token_urlsafe
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands, load_command_class
from jsonschema import Draft202012Validator
from packaging.utils import canonicalize_name

from common.env import _period
from nebengjek.settings import BASE_DIR, DECLARED_VARIABLES
from realtime.server.websocket_protocol import CLOSE_GRACE

VENDORED = files("check_jsonschema") / "builtin_schemas" / "vendor"
TEXT = (BASE_DIR / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
WEB = ["web-1", "web-2"]
DOCKERFILE = (BASE_DIR / "Dockerfile").read_text()
LOCK = (BASE_DIR / "requirements.lock").read_text()
CADDYFILE = (BASE_DIR / "deploy" / "Caddyfile").read_text()
EXAMPLE = dict(
    line.split("=", 1)
    for line in (BASE_DIR / "deploy" / "example.env").read_text().splitlines()
    if re.match(r"[A-Z]", line)
)
SPECIFICATION = Draft202012Validator(json.loads((VENDORED / "compose-spec.json").read_text()))
VARIABLE = r"\$\{([A-Z_]+)(:\?set it in \.env)?\}"


class SilentSMS:
    """Sends nothing."""

    def send(self, msisdn: str, text: str) -> None:
        """Send nothing."""


def assert_is_a_command(words: list[str]) -> None:
    """Fail unless `manage.py` takes these words."""
    name, *options = words
    command = load_command_class(get_commands()[name], name)
    command.create_parser("manage.py", name).parse_args(options)


@pytest.mark.parametrize("path", ["compose.yaml", "deploy/compose.traces.yaml"])
def test_it_is_of_the_schema(path: str) -> None:
    """The Compose Specification knows each field, and its value."""
    assert list(SPECIFICATION.iter_errors(yaml.safe_load((BASE_DIR / path).read_text()))) == []


def test_a_wrong_field_is_found() -> None:
    """The schema does not take a misspelt one."""
    wrong = {"services": {"web-1": {**SERVICES["web-1"], "enviroment": {}}}}
    [error] = SPECIFICATION.iter_errors(wrong)
    assert "enviroment" in error.message


def test_it_is_the_whole_system() -> None:
    """Compose runs every process and server of the system."""
    assert sorted(OURS) == ["bridge", "dispatcher", "migrate", "web-1", "web-2"]
    assert set(SERVICES) - set(OURS) == {"proxy", "postgres", "valkey", "nats"}


@pytest.mark.parametrize("name", OURS)
def test_every_command_exists(name: str) -> None:
    """Every process runs a command that exists."""
    assert_is_a_command(SERVICES[name]["command"])


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(name: str) -> None:
    """Compose sets no variable that the settings do not know."""
    assert set(SERVICES[name]["environment"]) <= set(DECLARED_VARIABLES)


def test_required_variables_are_listed() -> None:
    """Variables without a default are demanded by Compose and listed in the example."""
    used = re.findall(VARIABLE, TEXT)
    assert all(required for _, required in used)
    assert {name for name, _ in used} == set(EXAMPLE)
    assert TEXT.count("${") == len(used)


def test_the_settings_are_consistent() -> None:
    """With secrets and a way to send codes, the system checks of production have nothing to say."""
    values = {name: value or token_urlsafe(48) for name, value in EXAMPLE.items()}
    values["SMS_BACKEND"] = "tests.deploy.test_compose.SilentSMS"
    environment = SERVICES["web-1"]["environment"]
    filled = {name: re.sub(VARIABLE, lambda match: values[match[1]], value) for name, value in environment.items()}
    clean = {name: value for name, value in os.environ.items() if name not in DECLARED_VARIABLES}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--fail-level", "WARNING"],
        cwd=BASE_DIR, env={**clean, **filled, "DOTENV": "none", "DJANGO_SETTINGS_MODULE": "nebengjek.settings"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_stores_ask_for_a_password() -> None:
    """Whoever gets into the network of the containers still needs a password for each store, and ours have it."""
    assert SERVICES["valkey"]["command"][-2:] == ["--requirepass", "${VALKEY_PASSWORD:?set it in .env}"]
    assert SERVICES["nats"]["command"][-2:] == ["--pass", "${NATS_PASSWORD:?set it in .env}"]
    assert "POSTGRES_PASSWORD" in SERVICES["postgres"]["environment"]
    urls = {"DATABASE_URL": "POSTGRES", "REDIS_URL": "VALKEY", "NATS_URL": "NATS"}
    for service in OURS:
        for url, store in urls.items():
            assert re.search(rf":\$\{{{store}_PASSWORD\W.*@{store.lower()}:", SERVICES[service]["environment"][url]), (
                url
            )


def test_only_the_proxy_is_public() -> None:
    """Only the proxy publishes ports."""
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert COMPOSE["networks"]["back"]["internal"] is True
    on_front = {name for name, service in SERVICES.items() if "front" in service["networks"]}
    assert on_front == {"proxy", *WEB}


def test_the_proxy_is_trusted() -> None:
    """The address of the proxy is the one in TRUSTED_PROXIES."""
    address = SERVICES["proxy"]["networks"]["front"]["ipv4_address"]
    subnet = COMPOSE["networks"]["front"]["ipam"]["config"][0]["subnet"]
    assert ipaddress.ip_address(address) in ipaddress.ip_network(subnet)
    assert {SERVICES[name]["environment"]["TRUSTED_PROXIES"] for name in WEB} == {address}


def test_everything_restarts() -> None:
    """Every service has a restart policy, and a health check where it lives on."""
    assert all("restart" in service for service in SERVICES.values())
    without_health = {name for name, service in SERVICES.items() if "healthcheck" not in service}
    assert without_health == {"proxy", "migrate"}


@pytest.mark.parametrize("name", ["bridge", "dispatcher"])
def test_worker_health_asks_the_port_of_the_metrics(name: str) -> None:
    """The health checks of bridge and dispatcher ask the port that these listen on."""
    kind, python, option, code = SERVICES[name]["healthcheck"]["test"]
    assert (kind, python, option) == ("CMD", "python", "-c")
    compile(code, "healthcheck", "exec")
    _, flag, port = SERVICES[name]["command"]
    assert flag == "--metrics-port"
    assert f"http://localhost:{port}/health/ready" in code


@pytest.mark.parametrize("name", WEB)
def test_web_health_asks_for_readiness(name: str) -> None:
    """The health check of the web process is valid Python and asks `/health/ready`."""
    kind, python, option, code = SERVICES[name]["healthcheck"]["test"]
    assert (kind, python, option) == ("CMD", "python", "-c")
    compile(code, "healthcheck", "exec")
    assert "http://localhost:8000/health/ready" in code


def test_dependencies_have_health_checks() -> None:
    """Whatever others wait for has a health check."""
    for service in SERVICES.values():
        for name, needed in service.get("depends_on", {}).items():
            if needed["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[name]
            else:
                assert name == "migrate"


def test_migrations_come_first() -> None:
    """Every process waits for the migrations."""
    for name in OURS:
        if name != "migrate":
            assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize("name", OURS)
def test_grace_periods_are_long_enough(name: str) -> None:
    """Each grace period is longer than the shutdown of its process."""
    notice = _period(SERVICES[name].get("environment", {}).get("SHUTDOWN_NOTICE", "0s"))
    needed = notice.total_seconds() + settings.SHUTDOWN_TIMEOUT.total_seconds() + CLOSE_GRACE
    assert _period(SERVICES[name]["stop_grace_period"]).total_seconds() > needed


@pytest.mark.parametrize("name", WEB)
def test_shutdown_notice_covers_the_proxy(name: str) -> None:
    """SHUTDOWN_NOTICE is longer than the proxy needs to notice."""
    notice = _period(SERVICES[name]["environment"]["SHUTDOWN_NOTICE"]).total_seconds()
    interval, timeout = (
        _period(found).total_seconds() for found in re.findall(r"health_(?:interval|timeout) (\w+)", CADDYFILE)
    )
    assert notice > interval + timeout


@pytest.mark.parametrize("name", OURS)
def test_processes_are_restricted(name: str) -> None:
    """Our processes have a read-only file system, no capabilities and no new privileges."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_data_is_in_volumes() -> None:
    """All data that is kept is in a volume."""
    named = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert named == {*COMPOSE["volumes"], "./deploy/Caddyfile"}
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]  # since 18; /data before
    assert {"postgres", "valkey", "nats"} <= named


def test_the_proxy_knows_every_web_process() -> None:
    """The proxy lists every web process."""
    ports = {SERVICES[name]["command"][-1] for name in WEB}
    assert ports == {"8000"}
    assert re.findall(r"\{\$WEB_\d:(\S+)\}", CADDYFILE) == [f"{name}:8000" for name in WEB]
    assert set(re.findall(r"\{\$(\w+)", CADDYFILE)) - {"WEB_1", "WEB_2"} == set(SERVICES["proxy"]["environment"])


def test_the_image_has_only_the_code() -> None:
    """The image contains the code and nothing else."""
    named = {
        line[1:] for line in (BASE_DIR / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }  # fmt: skip
    apps = {name for name in settings.INSTALLED_APPS if (BASE_DIR / name).is_dir()}
    assert named == {*apps, "simulation", "manage.py", "requirements.lock", "clients/python", "clients/javascript"}


def test_every_package_of_the_image_has_its_hashes() -> None:
    """Nobody who gets hold of an index of packages gets into the image; `make lock` after a change."""
    pinned = re.findall(r"^([\w.-]+)(?:\[\w+\])?==(\S+)", (BASE_DIR / "requirements.txt").read_text(), re.MULTILINE)
    locked = re.findall(r"^(\S+)==(\S+)[^\n]*(?: \\\n +--hash=sha256:[0-9a-f]{64})+$", LOCK, re.MULTILINE)
    assert {canonicalize_name(name): version for name, version in pinned} == dict(locked)
    assert "--require-hashes -r requirements.lock" in DOCKERFILE


def test_the_image_runs_without_root() -> None:
    """The image runs one process, not as root."""
    steps = [line for line in DOCKERFILE.splitlines() if re.match(r"[A-Z]+ ", line)]
    install = steps.index("RUN pip install --require-hashes -r requirements.lock")
    assert install < steps.index("COPY . .")
    local = re.findall(r"^-e \./(\S+)", (BASE_DIR / "requirements.txt").read_text(), re.MULTILINE)
    assert [f"PYTHONPATH=/app/{path}/src" in DOCKERFILE for path in local] == [True]  # pip takes no folder with hashes
    assert "USER 10001" in steps
    assert steps[-2:] == ['ENTRYPOINT ["python", "manage.py"]', 'CMD ["serve", "--host", "0.0.0.0"]']
    assert "requirements-dev" not in DOCKERFILE
    assert "DEBUG=false" in DOCKERFILE


def test_the_example_with_traces_fits() -> None:
    """The collector is where the processes export to; it is reached from this machine only, and adds nothing else."""
    example = yaml.safe_load((BASE_DIR / "deploy" / "compose.traces.yaml").read_text())["services"]
    assert set(example) - set(SERVICES) == {"jaeger"}
    assert set(example) & set(OURS) == {*OURS} - {"migrate"}
    for name in set(example) - {"jaeger"}:
        assert set(example[name]["environment"]) <= set(DECLARED_VARIABLES)
        assert example[name]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://jaeger:4318"
        assert "back" in SERVICES[name]["networks"]
    assert set(example["jaeger"]["networks"]) <= set(COMPOSE["networks"])
    assert all(port.startswith("127.0.0.1:") for port in example["jaeger"]["ports"])
