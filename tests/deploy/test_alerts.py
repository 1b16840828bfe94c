"""The alerts, their runbook, and what Prometheus must know to find both."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import Any

import promql_parser
import pytest
import yaml
from django.urls import resolve

from common.errors import ErrorCode
from nebengjek.settings import BASE_DIR, DECLARED_VARIABLES
from tests.deploy import promql
from tests.deploy.test_dashboard import PANELS

FOLDER = BASE_DIR / "deploy" / "prometheus"
GROUPS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
CASES = BASE_DIR / "tests" / "deploy" / "alerts_test.yml"
RUNBOOK = (BASE_DIR / "docs" / "runbook.md").read_text()
SECTIONS = dict(re.findall(r"^### (.+)\n((?:(?!^##).*\n?)*)", RUNBOOK, re.MULTILINE))
TEMPLATE = re.compile(r"\{\{ \$(?:value|labels\.\w+)(?: \| humanize(?:1024|Duration|Percentage|Timestamp)?)? \}\}")
CONFIGS = ["prometheus.yml", "prometheus-kubernetes.yml"]

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="process_… metrics are shown on Linux only")


def configuration(name: str) -> dict[str, Any]:
    """Return a file of Prometheus."""
    config: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return config


@pytest.fixture
def promtool() -> str:
    """The program of Prometheus that checks rules, which no package of Python brings."""
    found = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if not found:
        pytest.skip("promtool is not on the PATH; Debian has it in the package prometheus")
    return found


def run(*command: str) -> str:
    """Run a program that must succeed; return what it says."""
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_name_is_used_once() -> None:
    """Alertmanager and the runbook know an alert by its name."""
    assert len(ALERTS) == sum(len(group["rules"]) for group in GROUPS)
    assert all(re.fullmatch(r"NebengJek[A-Z]\w+", name) for name in ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_everything(name: str) -> None:
    """Whoever is woken reads how urgent it is, what happens, and where to go on."""
    rule = ALERTS[name]
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert not rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["description"].endswith(".")
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_waits_a_known_time(name: str) -> None:
    """A duration is written as Prometheus reads it."""
    assert promql_parser.parse_duration(ALERTS[name].get("for", "1s"))


@linux_only
def test_alerts_ask_for_what_is_shown(db: None, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Every expression is PromQL, over metrics, labels and values that processes show."""
    shown = promql.shown_by_all(monkeypatch, settings)
    found = {name: list(promql.faults(rule["expr"], shown)) for name, rule in ALERTS.items()}
    assert {name: some for name, some in found.items() if some} == {}


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("nebengjek_nothing", "nebengjek_nothing: no such metric"),
        ('nebengjek_errors_total{code="OOPS"}', "nebengjek_errors_total: code is never OOPS"),
        ('nebengjek_errors_total{kind="x"}', "nebengjek_errors_total: kind is never x"),
        ('up{job="nebengjek-wbe"}', "up: job is never nebengjek-wbe"),
        ("sum by (role) (rate(nebengjek_errors_total[5m]))", "by role: no such label"),
    ],
)
def test_a_wrong_expression_is_found(
    expression: str, fault: str, db: None, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """A misspelt metric, label or value would never fire, and nobody would know."""
    assert list(promql.faults(expression, promql.shown_by_all(monkeypatch, settings))) == [fault]


@pytest.mark.parametrize("name", ALERTS)
def test_annotations_use_labels_that_are_left(name: str) -> None:
    """A label that the expression has summed away would be empty in the message."""
    rule = ALERTS[name]
    used = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    kept = {label for labels in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in labels.split(", ")}
    assert used <= (kept if "sum" in rule["expr"] else {"job", "instance"})


@pytest.mark.parametrize("name", ALERTS)
def test_annotations_are_templates_of_prometheus(name: str) -> None:
    """A template that Prometheus cannot read would be the whole message."""
    left = TEMPLATE.sub("", " ".join(ALERTS[name]["annotations"].values()))
    assert "{{" not in left
    assert "}}" not in left


def test_alerts_and_runbook_are_the_same() -> None:
    """Each alert has its section in the runbook, in the same order, and no section is about another."""
    assert list(SECTIONS) == list(ALERTS)


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_answers_three_questions(name: str) -> None:
    """What does it mean, what to look at, what to do."""
    assert re.findall(r"^\*\*(.+?)\*\*:", SECTIONS[name], re.MULTILINE) == ["Means", "Look at", "Do"]


def test_the_runbook_names_what_exists() -> None:
    """Settings, error codes, alerts and panels that the runbook names are there."""
    in_code = " ".join(re.findall(r"`([^`\n]+)`", RUNBOOK))
    settings = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", in_code)) - set(ErrorCode)
    assert settings <= set(DECLARED_VARIABLES)
    assert set(re.findall(r"\bNebengJek[A-Z]\w+", RUNBOOK)) <= set(ALERTS)
    panels = set(re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", RUNBOOK))
    assert {" ".join(panel.split()) for panel in panels} <= {panel["title"] for panel in PANELS}


def test_links_of_the_runbook_lead_on() -> None:
    """A link that leads nowhere costs minutes at night."""
    for target in re.findall(r"\]\(([^)#]+)", RUNBOOK):
        assert (BASE_DIR / "docs" / target).is_file(), target


@pytest.mark.parametrize("name", CONFIGS)
def test_rules_are_loaded_and_jobs_known(name: str) -> None:
    """Prometheus finds the rules, and scrapes under the names that they use."""
    config = configuration(name)
    assert config["rule_files"] == ["alerts.yml"]
    jobs = {job["job_name"] for job in config["scrape_configs"]}
    assert jobs <= {"nebengjek-web", "nebengjek-bridge", "nebengjek-dispatcher", "nebengjek-ready"}
    assert {"nebengjek-web", "nebengjek-ready"} <= jobs


def test_every_job_of_rules_is_scraped() -> None:
    """On a host with all processes no rule waits for a job that nobody scrapes."""
    jobs = {job["job_name"] for job in configuration("prometheus.yml")["scrape_configs"]}
    used = {job for rule in ALERTS.values() for job in re.findall(r'job="([^"]+)"', rule["expr"])}
    assert used == jobs


@pytest.mark.parametrize("name", CONFIGS)
def test_readiness_is_asked_where_served(name: str) -> None:
    """The probe uses a module that blackbox_exporter has, on a path that we serve."""
    probe = next(job for job in configuration(name)["scrape_configs"] if job["job_name"] == "nebengjek-ready")
    modules = configuration("blackbox.yml")["modules"]
    assert set(probe["params"]["module"]) <= set(modules)
    assert modules["nebengjek_ready"]["http"]["headers"] == {"Host": "localhost"}
    paths = re.findall(r"http://[^/]+(/[\w/]+)", str(probe))
    assert paths
    assert {resolve(path).view_name for path in paths} == {resolve("/health/ready").view_name}


def test_every_alert_has_a_case() -> None:
    """There are series, for promtool, with which each alert fires, and some with which none does."""
    cases: list[dict[str, Any]] = yaml.safe_load(CASES.read_text())["tests"]
    fired = [re.findall(r'alertname="(\w+)"', str(case["promql_expr_test"])) for case in cases]
    assert {name for names in fired for name in names} == set(ALERTS)
    assert [] in fired


def test_promtool_finds_no_fault(promtool: str) -> None:
    """The rules are what Prometheus itself takes."""
    assert f"{len(ALERTS)} rules found" in run(promtool, "check", "rules", "--lint=all", "--lint-fatal", "alerts.yml")
    run(promtool, "check", "config", "--syntax-only", "prometheus.yml")


def test_each_alert_fires_when_it_should(promtool: str) -> None:
    """Prometheus fires each alert on its series, and no other; on those of a healthy town it fires none."""
    assert "SUCCESS" in run(promtool, "test", "rules", str(CASES))
