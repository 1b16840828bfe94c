"""The Kubernetes manifests: of the schema, with commands and settings that exist, and the time to stop in stages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import kubernetes_validate
import pytest
import yaml
from django.conf import settings
from django.urls import resolve

from common.env import _period
from nebengjek.settings import BASE_DIR, DECLARED_VARIABLES
from realtime.server.websocket_protocol import CLOSE_GRACE
from tests.deploy.test_compose import DOCKERFILE, assert_is_a_command

FOLDER = BASE_DIR / "deploy" / "kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
VERSIONS = ["1.29", kubernetes_validate.latest_version()]
"""The oldest version that we look at, and the newest that has a schema here."""

MANIFESTS: dict[str, dict[str, Any]] = {
    f"{manifest['kind']}/{manifest['metadata']['name']}": manifest
    for path in sorted(FOLDER.glob("*.yaml"))
    if path.name != "kustomization.yaml"
    for manifest in yaml.safe_load_all(path.read_text())
}
DEPLOYMENTS = [name for name in MANIFESTS if name.startswith("Deployment/")]
WORKLOADS = [*DEPLOYMENTS, "Job/nebengjek-migrate"]
WEB = "Deployment/nebengjek-web"


def variables(name: str) -> dict[str, str]:
    """Return what a file of variables sets."""
    lines = (FOLDER / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]", line))


SETTINGS = variables("settings.env")
SECRETS = variables("secrets.example.env")


def pod(name: str) -> dict[str, Any]:
    """Return what a workload says of its pods."""
    spec: dict[str, Any] = MANIFESTS[name]["spec"]["template"]["spec"]
    return spec


def containers(name: str) -> Iterator[dict[str, Any]]:
    """Return the containers of a workload, those that begin first included."""
    yield from pod(name).get("initContainers", [])
    yield from pod(name)["containers"]


def labels(name: str) -> dict[str, str]:
    """Return the labels of the pods of a workload."""
    found: dict[str, str] = MANIFESTS[name]["spec"]["template"]["metadata"]["labels"]
    return found


def test_kustomize_knows_every_file() -> None:
    """A manifest that is not listed is not applied."""
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(KUSTOMIZATION["resources"]) == files
    assert KUSTOMIZATION["namespace"] == MANIFESTS["Namespace/nebengjek"]["metadata"]["name"]


def test_it_is_the_whole_system() -> None:
    """Web, bridge, dispatcher and migration, with the way in and what an upgrade of nodes may take away."""
    assert set(MANIFESTS) == {
        "Namespace/nebengjek", "Job/nebengjek-migrate", "Service/nebengjek-web",
        "NetworkPolicy/nebengjek-closed", "NetworkPolicy/nebengjek-web", "NetworkPolicy/nebengjek-metrics",
        *(f"{kind}/nebengjek-{name}" for kind in ("Deployment", "PodDisruptionBudget")
          for name in ("web", "bridge", "dispatcher")),
    }  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_is_of_the_schema(name: str, version: str) -> None:
    """Kubernetes' own schema knows each field, and its value."""
    kubernetes_validate.validate(MANIFESTS[name], version, strict=True)


def test_a_wrong_manifest_is_found() -> None:
    """The schema does not take a misspelt field."""
    wrong = {**MANIFESTS["Service/nebengjek-web"], "sepc": {}}
    with pytest.raises(kubernetes_validate.ValidationError, match="sepc"):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_container_runs_a_command(name: str) -> None:
    """It is one that `manage.py`, the entry point of the image, takes."""
    assert 'ENTRYPOINT ["python", "manage.py"]' in DOCKERFILE
    for container in containers(name):
        assert "command" not in container
        assert_is_a_command(container["args"])
        assert container["image"] == KUSTOMIZATION["images"][0]["name"]


@pytest.mark.parametrize("name", WORKLOADS)
def test_settings_and_secrets_are_by_reference(name: str) -> None:
    """A container takes both from where kustomize and the operator put them, and names no secret itself."""
    (generated,) = KUSTOMIZATION["configMapGenerator"]
    assert generated["envs"] == ["settings.env"]
    example = (FOLDER / "secrets.example.env").read_text()
    for container in containers(name):
        config, secret = container["envFrom"]
        assert config == {"configMapRef": {"name": generated["name"]}}
        assert f"create secret generic {secret['secretRef']['name']} " in example
        assert not {variable["name"] for variable in container.get("env", [])} & set(SECRETS)


def test_every_variable_is_a_setting() -> None:
    """What is set, the settings read; what is no setting is only part of another value."""
    assert set(SETTINGS) | set(SECRETS) <= set(DECLARED_VARIABLES)
    assert not set(SETTINGS) & set(SECRETS)
    assert set(SECRETS.values()) == {""}
    for name in WORKLOADS:
        for container in containers(name):
            env = {variable["name"]: variable for variable in container.get("env", [])}
            used = {part for variable in env.values() for part in re.findall(r"\$\((\w+)\)", variable.get("value", ""))}
            assert set(env) - set(DECLARED_VARIABLES) == used
            for variable in env.values():
                if "configMapKeyRef" in variable.get("valueFrom", {}):
                    assert variable["valueFrom"]["configMapKeyRef"]["key"] in SETTINGS


def test_production_checks_take_the_settings() -> None:
    """With secrets and a way to send codes, the system checks have nothing to say."""
    secrets = {name: token_urlsafe(48) for name in SECRETS} | {
        "DATABASE_URL": "postgres://nebengjek:secret@postgres:5432/nebengjek",
        "REDIS_URL": "redis://valkey:6379/0",
        "NATS_URL": "nats://nats:4222",
    }
    filled = {**SETTINGS, **secrets, "SMS_BACKEND": "tests.deploy.test_compose.SilentSMS"}
    clean = {name: value for name, value in os.environ.items() if name not in DECLARED_VARIABLES}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--fail-level", "WARNING"],
        cwd=BASE_DIR, env={**clean, **filled, "DOTENV": "none", "DJANGO_SETTINGS_MODULE": "nebengjek.settings"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_it_may_finish_before_a_kill(name: str) -> None:
    """Kubernetes waits for longer than a process takes to stop in stages."""
    notice = _period(SETTINGS["SHUTDOWN_NOTICE"])
    needed = notice.total_seconds() + settings.SHUTDOWN_TIMEOUT.total_seconds() + CLOSE_GRACE
    assert pod(name)["terminationGracePeriodSeconds"] > needed


def test_readiness_is_noticed_before_it_stops() -> None:
    """A pod that ends listens until its readiness probe has failed."""
    probe = pod(WEB)["containers"][0]["readinessProbe"]
    noticed = probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    assert _period(SETTINGS["SHUTDOWN_NOTICE"]).total_seconds() > noticed


def test_probes_ask_known_paths() -> None:
    """Liveness asks the process alone, readiness also what it stands on, each by a host that is allowed."""
    (web,) = pod(WEB)["containers"]
    probes = {name: web[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    paths = {name: probe["path"] for name, probe in probes.items()}
    assert paths == {"startupProbe": "/health/live", "livenessProbe": "/health/live", "readinessProbe": "/health/ready"}
    assert all(resolve(path) for path in paths.values())
    (hosts,) = (variable["value"] for variable in web["env"] if variable["name"] == "ALLOWED_HOSTS")
    for probe in probes.values():
        (header,) = probe["httpHeaders"]
        assert header["name"] == "Host"
        assert header["value"] in hosts.split(",")
        assert probe["port"] in {port["name"] for port in web["ports"]}


PROBES = ("livenessProbe", "readinessProbe")


@pytest.mark.parametrize("name", ["nebengjek-bridge", "nebengjek-dispatcher"])
def test_workers_are_probed_and_scraped(name: str) -> None:
    """On the port that the process is told to listen on, on an address that others can reach."""
    (container,) = pod(f"Deployment/{name}")["containers"]
    (port,) = container["ports"]
    assert container["args"][1:] == ["--metrics-address", "0.0.0.0", "--metrics-port", str(port["containerPort"])]
    paths = {container[probe]["httpGet"]["path"]: container[probe]["httpGet"]["port"] for probe in PROBES}
    assert paths == {"/health/live": port["name"], "/health/ready": port["name"]}
    policy = MANIFESTS["NetworkPolicy/nebengjek-metrics"]["spec"]
    assert name in policy["podSelector"]["matchExpressions"][0]["values"]
    assert policy["ingress"][0]["ports"] == [{"port": port["name"]}]


def test_the_service_leads_to_the_web() -> None:
    """It selects the web pods and a port that they listen on."""
    service = MANIFESTS["Service/nebengjek-web"]["spec"]
    assert service["selector"].items() <= labels(WEB).items()
    (web,) = pod(WEB)["containers"]
    ports = {port["name"]: str(port["containerPort"]) for port in web["ports"]}
    assert {port["targetPort"] for port in service["ports"]} <= set(ports)
    assert ports["http"] in web["args"]
    policy = MANIFESTS["NetworkPolicy/nebengjek-web"]["spec"]
    assert policy["podSelector"]["matchLabels"] == service["selector"]
    assert policy["ingress"] == [{"ports": [{"port": "http"}]}]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_nodes_may_be_drained(name: str) -> None:
    """There are two of each process, and a drain takes one at a time."""
    deployment = MANIFESTS[name]["spec"]
    budget = MANIFESTS[name.replace("Deployment", "PodDisruptionBudget")]["spec"]
    assert deployment["replicas"] >= 2
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == deployment["selector"]
    assert deployment["selector"]["matchLabels"].items() <= labels(name).items()


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_tables_are_there_before_it_starts(name: str) -> None:
    """A pod waits until the migration of its version is done."""
    (first,) = pod(name)["initContainers"]
    assert first["args"] == ["migrate", "--check"]
    assert pod("Job/nebengjek-migrate")["containers"][0]["args"][0] == "migrate"


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_pod_may_do_little(name: str) -> None:
    """It meets the level `restricted`, which the namespace enforces, and knows nothing of the cluster."""
    spec = pod(name)
    assert MANIFESTS["Namespace/nebengjek"]["metadata"]["labels"] == {
        "pod-security.kubernetes.io/enforce": "restricted"
    }  # fmt: skip
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert f"USER {spec['securityContext']['runAsUser']}" in DOCKERFILE
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is spec["enableServiceLinks"] is False
    for container in containers(name):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]) == {"requests", "limits"}


def test_prometheus_finds_the_pods() -> None:
    """The scrape configuration looks for labels and ports that the pods have."""
    path = BASE_DIR / "deploy" / "prometheus" / "prometheus-kubernetes.yml"
    for job in yaml.safe_load(path.read_text())["scrape_configs"]:
        kept = {rule["source_labels"][0]: rule["regex"] for rule in job["relabel_configs"] if "regex" in rule}
        name = kept["__meta_kubernetes_pod_label_app_kubernetes_io_name"]
        (container,) = pod(f"Deployment/{name}")["containers"]
        assert labels(f"Deployment/{name}")["app.kubernetes.io/name"] == name
        (port,) = container["ports"]
        assert kept["__meta_kubernetes_pod_container_port_name"] == port["name"]
        assert job["kubernetes_sd_configs"][0]["namespaces"]["names"] == [KUSTOMIZATION["namespace"]]


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not on the PATH")
def test_kubectl_builds_it(tmp_path: Path) -> None:
    """Kustomize puts all together, with the hash of the settings in each reference to them."""
    built = subprocess.run(
        ["kubectl", "kustomize", FOLDER], env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    manifests = list(yaml.safe_load_all(built.stdout))
    assert len(manifests) == len(MANIFESTS) + 1
    (settings_map,) = (manifest["metadata"]["name"] for manifest in manifests if manifest["kind"] == "ConfigMap")
    assert built.stdout.count(f"name: {settings_map}") == 1 + 2 * len(DEPLOYMENTS) + 1 + 1
    for manifest in manifests:
        kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)
