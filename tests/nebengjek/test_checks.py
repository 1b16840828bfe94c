from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from nebengjek import checks, trace_checks
from nebengjek.checks import WEB_PUSH

VAPID_KEY = "A" * 42 + "E"
"""The number 1, in URL-safe base64."""


def ids(problems: list[Any]) -> list[str]:
    assert all(problem.hint for problem in problems)
    return [problem.id for problem in problems]


def every_check() -> list[Any]:
    found = (
        checks.check_secrets,
        checks.check_optional_secrets,
        checks.check_shared_secrets,
        checks.check_proxies,
        checks.check_hosts,
        checks.check_sms_backend,
        checks.check_dotted_paths,
        checks.check_vapid,
        checks.check_countries,
        checks.check_backends,
        checks.check_shards,
        checks.check_periods,
        checks.check_matching,
        checks.check_origins,
        trace_checks.check_tracing,
    )
    return [problem for check in found for problem in check()]


def test_the_development_settings_are_fine(settings: Any) -> None:
    """The defaults raise no check."""
    settings.DEBUG = True
    assert every_check() == []


@pytest.mark.parametrize(
    ("change", "identifier"),
    [
        ({"SECRET_KEY": "short"}, "nebengjek.E001"),
        ({"JWT_SECRET": "short"}, "nebengjek.E002"),
        ({"SECRET_KEY": "ab" * 20}, "nebengjek.E001"),
        ({"JWT_SECRET": "j" * 40}, "nebengjek.E002"),
        ({"SMS_BACKEND": "no.such.Class"}, "nebengjek.E004"),
        ({"PAYMENT_GATEWAY": "rides.gateways.NoSuchClass"}, "nebengjek.E005"),
        ({"ETA_BACKEND": "rides.eta.NoSuchClass"}, "nebengjek.E014"),
        ({"PUSH_BACKEND": "rides.push.NoSuchClass"}, "nebengjek.E016"),
        ({"PUSH_BACKEND": WEB_PUSH, "VAPID_SUBJECT": "mailto:a@b.example"}, "nebengjek.E017"),
        ({"PUSH_BACKEND": WEB_PUSH, "VAPID_SUBJECT": "mailto:a@b.example", "VAPID_PRIVATE_KEY": "x"}, "nebengjek.E017"),
        ({"PUSH_BACKEND": WEB_PUSH, "VAPID_PRIVATE_KEY": VAPID_KEY}, "nebengjek.E018"),
        ({"PUSH_BACKEND": WEB_PUSH, "VAPID_PRIVATE_KEY": VAPID_KEY, "VAPID_SUBJECT": "ops"}, "nebengjek.E018"),
        ({"OTP_COUNTRIES": ["Indonesia"]}, "nebengjek.E006"),
        ({"OTP_COUNTRIES": []}, "nebengjek.E006"),
        ({"REDIS_URL": "redis://localhost"}, "nebengjek.E007"),
        ({"NATS_URL": "nats://localhost"}, "nebengjek.E007"),
        ({"NATS_TLS_KEY": __file__}, "nebengjek.E010"),
        ({"NATS_CREDENTIALS": "no/such/file"}, "nebengjek.E011"),
        ({"DISTRIBUTED": True}, "nebengjek.W002"),
        ({"REDIS_SHARDS": ["redis://b"], "REDIS_URL": "redis://a", "NATS_URL": "nats://c"}, "nebengjek.E030"),
        ({"WS_PING_PERIOD": timedelta(seconds=60)}, "nebengjek.E008"),
        ({"SHUTDOWN_SPREAD": timedelta(seconds=15)}, "nebengjek.E012"),
        ({"WS_ALLOWED_ORIGINS": ["https://app.example/path"]}, "nebengjek.E015"),
        ({"WS_ALLOWED_ORIGINS": ["app.example"]}, "nebengjek.E015"),
        ({"WS_ALLOWED_ORIGINS": ["https://*.example"]}, "nebengjek.E015"),
        ({"WS_ALLOWED_ORIGINS": ["https://App.example"]}, "nebengjek.E015"),
        ({"CORS_ALLOWED_ORIGINS": ["app.example"]}, "nebengjek.E015"),
        ({"CORS_ALLOWED_ORIGINS": ["*"]}, "nebengjek.E015"),
        ({"CSRF_TRUSTED_ORIGINS": ["ops.example.com"]}, "nebengjek.E015"),
        ({"CSRF_TRUSTED_ORIGINS": ["https://ops.example.com/admin"]}, "nebengjek.E015"),
        ({"TRUSTED_PROXIES": ["10.0.0.1/8"]}, "nebengjek.E024"),
        ({"TRUSTED_PROXIES": ["10.0.0.0/33"]}, "nebengjek.E024"),
        ({"TRUSTED_PROXIES": ["proxy.internal"]}, "nebengjek.E024"),
        ({"TRUSTED_PROXIES": ["127.0.0.1:8000"]}, "nebengjek.E024"),
        ({"TRUSTED_PROXIES": ["::/0"]}, "nebengjek.W008"),
        ({"RIDES_MIN_DISTANCE_KM": Decimal("0.1234567891")}, "nebengjek.E009"),
        ({"MATCH_SEARCH_INTERVAL": timedelta(seconds=31)}, "nebengjek.W001"),
        ({"OFFER_RECEIPT_TIMEOUT": timedelta(seconds=30)}, "nebengjek.W003"),
        ({"MATCH_MAX_RADIUS_KM": Decimal(4)}, "nebengjek.W004"),
        ({"MATCH_WINDOW": timedelta(seconds=30)}, "nebengjek.E025"),
        ({"MATCH_WINDOW": timedelta(milliseconds=10)}, "nebengjek.W010"),
        ({"MATCH_WINDOW": timedelta(seconds=2), "MATCH_MAX_DRIVERS": 0}, "nebengjek.W011"),
        ({"RIDE_SILENCE_TIMEOUT": timedelta(seconds=60)}, "nebengjek.W005"),
    ],
)
def test_mistakes_have_ids_and_hints(settings: Any, change: dict[str, Any], identifier: str) -> None:
    """Each mistake has an id and a hint."""
    settings.DEBUG = True
    for name, value in change.items():
        setattr(settings, name, value)
    assert ids(every_check()) == [identifier]


@pytest.mark.parametrize(
    ("change", "identifier"),
    [
        ({"METRICS_TOKEN": "1"}, "nebengjek.E023"),
        ({"METRICS_TOKEN": "x" * 40}, "nebengjek.E023"),
        ({"JWT_SECRET_PREVIOUS": "abcdefghijklmnopqrstuvwxyz"}, "nebengjek.E023"),
        ({"JWT_SECRET": "one of production, long enough for all"}, "nebengjek.W007"),
        ({"ALLOWED_HOSTS": ["*"]}, "nebengjek.W009"),
        ({"ALLOWED_HOSTS": ["https://api.example.com"]}, "nebengjek.E025"),
        ({"ALLOWED_HOSTS": ["api.example.com:8000"]}, "nebengjek.E025"),
        ({"ALLOWED_HOSTS": ["*.example.com"]}, "nebengjek.E025"),
    ],
)
def test_production_is_looked_at_more_closely(settings: Any, change: dict[str, Any], identifier: str) -> None:
    """What does no harm on one's own machine is said where strangers come."""
    settings.DEBUG, settings.SMS_BACKEND = False, "tests.users.test_sms.Recorder"
    settings.SECRET_KEY = "one of production, long enough for all"
    settings.JWT_SECRET = "another of production, long enough too"
    assert every_check() == []
    for name, value in change.items():
        setattr(settings, name, value)
    assert ids(every_check()) == [identifier]


@pytest.mark.parametrize(
    "change",
    [
        {"TRUSTED_PROXIES": ["10.0.0.1", "10.1.0.0/16", "fd00::/8", "::1"]},
        {"ALLOWED_HOSTS": ["api.example.com", ".example.com", "[::1]", "127.0.0.1"]},
        {"CSRF_TRUSTED_ORIGINS": ["https://*.example.com", "http://localhost:8000"]},
        {"CORS_ALLOWED_ORIGINS": ["https://app.example"]},
    ],
)
def test_what_matches_is_no_mistake(settings: Any, change: dict[str, Any]) -> None:
    """Networks, hosts below a name and ports of origins are allowed where they work."""
    for name, value in change.items():
        setattr(settings, name, value)
    settings.DEBUG = settings.ON_OWN_MACHINE = False
    assert ids(every_check()) == ["nebengjek.E001", "nebengjek.E002", "nebengjek.E003"]
    settings.DEBUG = settings.ON_OWN_MACHINE = True
    assert every_check() == []


def test_production_refuses_development_defaults(settings: Any) -> None:
    """Development defaults are errors with DEBUG off."""
    settings.DEBUG = settings.ON_OWN_MACHINE = False
    assert ids(every_check()) == ["nebengjek.E001", "nebengjek.E002", "nebengjek.E003"]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("WS_PING_PERIODE", "WS_PING_PERIOD"),
        ("MATCH_MAX_DRIVER", "MATCH_MAX_DRIVERS"),
        ("ALLOWED_HOST", "ALLOWED_HOSTS"),
        ("OTP_MAX_PER_HOURS", "OTP_MAX_PER_HOUR"),
        ("WP_PING_PERIOD", "WS_PING_PERIOD"),
        ("WS_PIMG_PERIOD", "WS_PING_PERIOD"),
        ("BRICING_LEGAL_MAX_PER_KN", "PRICING_LEGAL_MAX_PER_KM"),
    ],
)
def test_misspelt_settings_are_named(monkeypatch: pytest.MonkeyPatch, wrong: str, right: str) -> None:
    """A variable that is nearly one of ours is said at the start, with the one that was meant."""
    monkeypatch.setenv(wrong, "1")
    [problem] = checks.check_spelling()
    assert problem.id == "nebengjek.W006"
    assert f"did you mean {right}?" in problem.msg


@pytest.mark.parametrize("name", ["NATS_PORT", "REDIS_SERVICE_HOST", "HOME", "PATH", "WS_MAX_MESSAGE_SIZE", "DATABASE"])
def test_other_variables_are_none_of_ours(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What a shell or Kubernetes sets, and what is spelt right, is no mistake."""
    monkeypatch.setenv(name, "1")
    assert checks.check_spelling() == []


@pytest.mark.parametrize(
    ("urls", "identifier"),
    [
        (["redis://a:6379/0", "rediss://u:p%2C@b:6379/0"], None),
        (["redis://a", "redis://a/1"], None),
        (["redis://a", "b:6379"], "nebengjek.E031"),
        (["redis://a", "redis://a/0"], "nebengjek.E032"),
        (["redis://a:6379/0", "redis://b", "redis://u:p@a"], "nebengjek.E032"),
    ],
)
def test_each_shard_is_a_server(settings: Any, urls: list[str], identifier: str | None) -> None:
    """Two shards on one server would take each other's keys for their own."""
    settings.DISTRIBUTED = True
    settings.REDIS_URL, *settings.REDIS_SHARDS = urls
    assert ids(checks.check_shards()) == ([identifier] if identifier else [])
