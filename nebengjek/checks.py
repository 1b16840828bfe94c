"""System checks: a wrong configuration is reported at the start, with a hint, and not at run time."""

from __future__ import annotations

import ipaddress
import os
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import phonenumbers
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as CheckWarning
from django.utils.module_loading import import_string

from common.shards import redis_urls
from nebengjek.trace_checks import OTEL_VARIABLES

SECRET_LENGTH = 32
"""Bytes; HS256 asks for a key as long as its hash."""

DISTINCT = 8
"""Different characters in a secret: of 32 random hexadecimal digits, one in 27 million has fewer."""

OPTIONAL_SECRETS = {"JWT_SECRET_PREVIOUS": SECRET_LENGTH, "METRICS_TOKEN": 16}
"""With the least bytes of each; a scraper's token opens figures, not accounts."""

NEARLY = 0.88
"""How alike a misspelt name is (difflib's ratio): one wrong letter in nine, but not NATS_PORT for NATS_URL."""

PLUGGABLE = {
    "SMS_BACKEND": "nebengjek.E004",
    "PAYMENT_GATEWAY": "nebengjek.E005",
    "ETA_BACKEND": "nebengjek.E014",
    "PUSH_BACKEND": "nebengjek.E016",
}

WEB_PUSH = "rides.push.webpush.WebPush"


@register()
def check_secrets(**_: Any) -> list[CheckMessage]:
    """No secret has a usable default, but for a look on one's own machine."""
    problems: list[CheckMessage] = []
    for name, number in (("SECRET_KEY", 1), ("JWT_SECRET", 2)):
        value = getattr(settings, name)
        default = value == settings.DEVELOPMENT_SECRET
        weakness = "not set" if default and not settings.ON_OWN_MACHINE else _weakness(value, SECRET_LENGTH)
        if weakness:
            hint = (
                f"Set it to at least {SECRET_LENGTH} random characters, such as the output of "
                "`python -c 'import secrets; print(secrets.token_urlsafe(48))'`. For a look on your own machine "
                "leave DEBUG and ALLOWED_HOSTS out; only clients there are served then."
            )
            problems.append(Error(f"{name} is {weakness}.", hint=hint, id=f"nebengjek.E00{number}"))
    return problems


@register()
def check_optional_secrets(**_: Any) -> list[CheckMessage]:
    """A secret that need not be set is no formality where it is."""
    if settings.DEBUG:
        return []
    return [
        Error(
            f"{name} is {weakness}.",
            hint=f"Set it to at least {least} random characters, or leave it out.",
            id="nebengjek.E023",
        )
        for name, least in OPTIONAL_SECRETS.items()
        if (value := getattr(settings, name)) and (weakness := _weakness(value, least))
    ]


def _weakness(secret: str, least: int) -> str:
    """Return what is wrong with a secret, or nothing."""
    if len(secret.encode()) < least:
        return "too short"
    return "easily guessed" if len(set(secret)) < DISTINCT else ""


@register()
def check_shared_secrets(**_: Any) -> list[CheckMessage]:
    """Each secret has one use: who gets to know one must not be able to do what the other is for."""
    if settings.SECRET_KEY != settings.JWT_SECRET or settings.JWT_SECRET == settings.DEVELOPMENT_SECRET:
        return []
    hint = "Give JWT_SECRET a value of its own; JWT_SECRET_PREVIOUS lets tokens over the present one hold meanwhile."
    return [CheckWarning("SECRET_KEY and JWT_SECRET are the same.", hint=hint, id="nebengjek.W007")]


@register()
def check_proxies(**_: Any) -> list[CheckMessage]:
    """A proxy that is named in a way that never matches is not trusted, and all clients have its address."""
    wrong = [item for item in settings.TRUSTED_PROXIES if not _is_network(item)]
    if wrong:
        hint = "Write addresses and networks, such as 10.0.0.1,10.1.0.0/16; a network ends with zeros: 10.0.0.0/8."
        return [Error(f"TRUSTED_PROXIES can never match: {wrong}", hint=hint, id="nebengjek.E024")]
    whole = [item for item in settings.TRUSTED_PROXIES if item.endswith("/0")]
    if whole:
        hint = "Anybody could then name any address as theirs: limits by address would hold for nobody."
        return [CheckWarning(f"TRUSTED_PROXIES={whole} trusts everybody.", hint=hint, id="nebengjek.W008")]
    return []


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


@register()
def check_hosts(**_: Any) -> list[CheckMessage]:
    """Hosts are names, without what belongs to an address of a page."""
    if settings.DEBUG:
        return []
    if "*" in settings.ALLOWED_HOSTS:
        hint = "Name the hosts of this site: links are made from the Host that a request names."
        return [CheckWarning("ALLOWED_HOSTS=* lets anybody name any host.", hint=hint, id="nebengjek.W009")]
    wrong = [host for host in settings.ALLOWED_HOSTS if "/" in host or "*" in host or _has_port(host)]
    if not wrong:
        return []
    hint = "Write bare names, such as api.example.com, or .example.com for all below it: no scheme, port or wildcard."
    return [Error(f"ALLOWED_HOSTS can never match: {wrong}", hint=hint, id="nebengjek.E025")]


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdecimal() and not host.endswith("]") and host.count(":") == 1


@register()
def check_sms_backend(**_: Any) -> list[CheckMessage]:
    """Codes on standard output are for development: anybody who reads the log can log in as anybody."""
    if settings.ON_OWN_MACHINE or settings.SMS_BACKEND != "users.sms.ConsoleSMS":
        return []
    hint = "Set SMS_BACKEND to the dotted path of a class that sends messages (see users/sms.py)."
    return [Error("The console SMS backend is for development only.", hint=hint, id="nebengjek.E003")]


@register()
def check_dotted_paths(**_: Any) -> list[CheckMessage]:
    """What is named by a dotted path must exist."""
    problems: list[CheckMessage] = []
    for name, identifier in PLUGGABLE.items():
        path = getattr(settings, name)
        try:
            import_string(path)
        except ImportError as exc:
            hint = "Set it to the dotted path of a class."
            problems.append(Error(f"{name}={path!r} cannot be imported: {exc}", hint=hint, id=identifier))
    return problems


@register()
def check_vapid(**_: Any) -> list[CheckMessage]:
    """Push services refuse what is not signed."""
    if settings.PUSH_BACKEND != WEB_PUSH:
        return []
    problems: list[CheckMessage] = []
    if not _is_vapid_key():
        hint = "Give the file that `vapid --gen` makes, or the key itself, and keep it: subscriptions hang on it."
        text = "VAPID_PRIVATE_KEY is not the private key that Web Push needs."
        problems.append(Error(text, hint=hint, id="nebengjek.E017"))
    if not settings.VAPID_SUBJECT.startswith(("mailto:", "https://")):
        hint = "Set it to mailto:ops@example.com or an https address where push services can reach you."
        problems.append(Error("VAPID_SUBJECT names nobody.", hint=hint, id="nebengjek.E018"))
    return problems


def _is_vapid_key() -> bool:
    try:
        return bool(import_string(WEB_PUSH)().application_server_key)
    except Exception:  # the libraries raise what they like for what is no key
        return False


@register()
def check_countries(**_: Any) -> list[CheckMessage]:
    """Phone numbers need at least one country that exists."""
    known = phonenumbers.SUPPORTED_REGIONS
    wrong = [country for country in settings.OTP_COUNTRIES if country not in known]
    if settings.OTP_COUNTRIES and not wrong:
        return []
    hint = "Set OTP_COUNTRIES to two-letter country codes with commas between, such as ID,MY."
    return [Error(f"OTP_COUNTRIES names no or unknown countries: {wrong}", hint=hint, id="nebengjek.E006")]


@register()
def check_backends(**_: Any) -> list[CheckMessage]:
    """Many processes need all three: a database server, Redis and NATS."""
    problems: list[CheckMessage] = []
    if bool(settings.REDIS_URL) != bool(settings.NATS_URL):
        one, other = ("REDIS_URL", "NATS_URL") if settings.REDIS_URL else ("NATS_URL", "REDIS_URL")
        hint = "Set both to run in many processes, or neither to run in one."
        problems.append(Error(f"{one} is set without {other}.", hint=hint, id="nebengjek.E007"))
    if settings.NATS_TLS_KEY and not settings.NATS_TLS_CERT:
        hint = "Set NATS_TLS_CERT to the file of the certificate that the key belongs to."
        problems.append(Error("NATS_TLS_KEY is set without NATS_TLS_CERT.", hint=hint, id="nebengjek.E010"))
    for name in ("NATS_CREDENTIALS", "NATS_TLS_CA", "NATS_TLS_CERT", "NATS_TLS_KEY"):
        path = getattr(settings, name)
        if path and not Path(path).is_file():
            hint = "Give the path of a file that this process can read."
            problems.append(Error(f"{name}={path!r} is no file.", hint=hint, id="nebengjek.E011"))
    if settings.DISTRIBUTED and "sqlite" in settings.DATABASES["default"]["ENGINE"]:
        hint = "All processes must run on one machine, and write one at a time; PostgreSQL lets them work at once."
        text = "Many processes share an SQLite file (REDIS_URL and NATS_URL are set)."
        problems.append(CheckWarning(text, hint=hint, id="nebengjek.W002"))
    return problems


@register()
def check_shards(**_: Any) -> list[CheckMessage]:
    """A server that is named twice would be two shards with one set of keys; without NATS there are no shards."""
    if not settings.REDIS_SHARDS:
        return []
    problems: list[CheckMessage] = []
    if not settings.DISTRIBUTED:
        hint = "Set all three, or leave REDIS_SHARDS out."
        problems.append(Error("REDIS_SHARDS is set without REDIS_URL and NATS_URL.", hint=hint, id="nebengjek.E030"))
    urls = [urlsplit(url) for url in redis_urls()]
    if wrong := [number for number, url in enumerate(urls) if url.scheme not in ("redis", "rediss", "unix")]:
        hint = "Write each as redis://host:6379/0, with commas between; a comma within a password is %2C."
        problems.append(
            Error(f"REDIS_URL or REDIS_SHARDS: shard {wrong[0]} has no address.", hint=hint, id="nebengjek.E031")
        )
    places = [(url.hostname, url.port or 6379, url.path.strip("/") or "0") for url in urls]
    if len(set(places)) < len(places):
        hint = "Name each server once; REDIS_URL is shard 0 and not in REDIS_SHARDS."
        problems.append(Error("REDIS_URL and REDIS_SHARDS name a server twice.", hint=hint, id="nebengjek.E032"))
    return problems


@register()
def check_origins(**_: Any) -> list[CheckMessage]:
    """An origin is a scheme and a host; anything else never equals what a browser sends."""
    problems: list[CheckMessage] = []
    names = ["WS_ALLOWED_ORIGINS", "CSRF_TRUSTED_ORIGINS"]
    if settings.CORS_ALLOWED_ORIGINS is not settings.WS_ALLOWED_ORIGINS:  # which it is by default
        names.append("CORS_ALLOWED_ORIGINS")
    for name in names:
        below = "*." if name == "CSRF_TRUSTED_ORIGINS" else ""  # Django lets hosts below one be meant there
        wrong = [origin for origin in getattr(settings, name) if not _is_origin(origin.replace(f"//{below}", "//"))]
        if wrong:
            hint = "Write origins as https://app.example.com or http://localhost:5173, without a path or a wildcard."
            problems.append(Error(f"{name} can never match: {wrong}", hint=hint, id="nebengjek.E015"))
    return problems


def _is_origin(text: str) -> bool:
    parts = urlsplit(text)
    bare = parts.netloc and not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    return bool(parts.scheme and bare) and "*" not in text and text == text.lower()


@register()
def check_fares(**_: Any) -> list[CheckMessage]:
    """Prices that the law forbids, and services that are named without what they need."""
    problems: list[CheckMessage] = []
    if settings.PAYMENT_GATEWAY == "rides.gateways.MidtransGateway":
        for name in ("PAYMENT_URL", "PAYMENT_SECRET"):
            if not getattr(settings, name):
                hint = "settings.example.env says what it is; without it nobody could pay, or nobody be believed."
                problems.append(Error(f"{name} is not set.", hint=hint, id="nebengjek.E019"))
    if settings.ETA_BACKEND == "rides.eta.OSRMETA" and not _is_origin(settings.OSRM_URL):
        hint = "Set it to the address of the OSRM server, such as http://127.0.0.1:5000."
        problems.append(Error("OSRM_URL is not the address of a server.", hint=hint, id="nebengjek.E020"))
    unknown = set(settings.RIDES_MAX_SPEEDS_KMH) - {"motorcycle", "car", "van"}
    if unknown:
        hint = "The kinds are motorcycle, car and van."
        text = f"RIDES_MAX_SPEEDS_KMH names unknown vehicles: {', '.join(sorted(unknown))}."
        problems.append(Error(text, hint=hint, id="nebengjek.E021"))
    lowest, highest = settings.PRICING_LEGAL_MIN_PER_KM, settings.PRICING_LEGAL_MAX_PER_KM
    rate = settings.PRICING_RATE_PER_KM
    if (lowest and rate < lowest) or (highest and rate > highest):
        hint = "Set PRICING_RATE_PER_KM within PRICING_LEGAL_MIN_PER_KM and PRICING_LEGAL_MAX_PER_KM."
        problems.append(Error(f"The law does not allow {rate} a kilometre.", hint=hint, id="nebengjek.E022"))
    return problems


def _pieces(name: str) -> set[str]:
    """Return all three letters in a row; names that are `NEARLY` the same share some."""
    return {name[start : start + 3] for start in range(len(name) - 2)}


@register()
def check_spelling(**_: Any) -> list[CheckMessage]:
    """A variable that is nearly one of ours has no effect, and nobody would notice."""
    known = {*settings.DECLARED_VARIABLES, *OTEL_VARIABLES}
    by_piece: defaultdict[str, set[str]] = defaultdict(set)  # to compare each with all would cost a start 20 ms
    for name in known:
        for piece in _pieces(name):
            by_piece[piece].add(name)
    close = {
        name: get_close_matches(name, set().union(*(by_piece.get(piece, ()) for piece in _pieces(name))), 1, NEARLY)
        for name in os.environ
        if name not in known
    }
    hint = "settings.example.env lists all variables."
    return [
        CheckWarning(f"{name} is not a setting; did you mean {found[0]}?", hint=hint, id="nebengjek.W006")
        for name, found in sorted(close.items())
        if found
    ]


@register()
def check_periods(**_: Any) -> list[CheckMessage]:
    """Times that only make sense together."""
    problems: list[CheckMessage] = []
    if settings.WS_PING_PERIOD >= settings.WS_READ_TIMEOUT:
        hint = "A client that answers every ping must not be taken for dead: make WS_PING_PERIOD the shorter one."
        problems.append(Error("WS_PING_PERIOD is not below WS_READ_TIMEOUT.", hint=hint, id="nebengjek.E008"))
    if settings.SHUTDOWN_SPREAD >= settings.SHUTDOWN_TIMEOUT:
        hint = "Sockets would be cut off before `server_restarting` reaches them: make SHUTDOWN_TIMEOUT the longer one."
        problems.append(Error("SHUTDOWN_SPREAD is not below SHUTDOWN_TIMEOUT.", hint=hint, id="nebengjek.E012"))
    if settings.MATCH_SEARCH_INTERVAL > settings.MATCH_RESPONSE_TIMEOUT:
        hint = "Searches then look for new drivers only once per attempt."
        text = "MATCH_SEARCH_INTERVAL is above MATCH_RESPONSE_TIMEOUT."
        problems.append(CheckWarning(text, hint=hint, id="nebengjek.W001"))
    if round(settings.RIDES_MIN_DISTANCE_KM, 9) != settings.RIDES_MIN_DISTANCE_KM:
        hint = "The ledger books whole micrometres: give at most nine decimals."
        problems.append(Error("RIDES_MIN_DISTANCE_KM is too fine.", hint=hint, id="nebengjek.E009"))
    return problems


@register()
def check_matching(**_: Any) -> list[CheckMessage]:
    """Offers that could never do what their settings say."""
    problems: list[CheckMessage] = []
    if settings.OFFER_RECEIPT_TIMEOUT >= settings.MATCH_RESPONSE_TIMEOUT:
        hint = "An offer lapses before the next driver is asked beside it: make OFFER_RECEIPT_TIMEOUT the shorter one."
        text = "OFFER_RECEIPT_TIMEOUT is not below MATCH_RESPONSE_TIMEOUT."
        problems.append(CheckWarning(text, hint=hint, id="nebengjek.W003"))
    problems += _check_window(settings.MATCH_WINDOW)
    if settings.RIDE_SILENCE_TIMEOUT <= settings.LOCATION_MAX_AGE:
        hint = "A driver in a tunnel would be left: make RIDE_SILENCE_TIMEOUT the longer one."
        text = "RIDE_SILENCE_TIMEOUT is not above LOCATION_MAX_AGE."
        problems.append(CheckWarning(text, hint=hint, id="nebengjek.W005"))
    if settings.MATCH_MAX_RADIUS_KM < settings.MATCH_SEARCH_RADIUS_KM:
        hint = "Every attempt then looks within MATCH_SEARCH_RADIUS_KM: make MATCH_MAX_RADIUS_KM at least as large."
        text = "MATCH_MAX_RADIUS_KM is below MATCH_SEARCH_RADIUS_KM."
        problems.append(CheckWarning(text, hint=hint, id="nebengjek.W004"))
    return problems


def _check_window(window: timedelta) -> Iterator[CheckMessage]:
    if not window:
        return
    if window >= settings.MATCH_RESPONSE_TIMEOUT:
        hint = "An attempt then ends before its next look for drivers: a few seconds are enough."
        yield Error("MATCH_WINDOW is not below MATCH_RESPONSE_TIMEOUT.", hint=hint, id="nebengjek.E025")
    if window < settings.TIMERS_INTERVAL:
        hint = (
            "Windows that are shorter than the timers' interval are matched at that interval: make MATCH_WINDOW longer."
        )
        yield CheckWarning("MATCH_WINDOW is below TIMERS_INTERVAL.", hint=hint, id="nebengjek.W010")
    if not settings.MATCH_MAX_DRIVERS:
        hint = "Another service matches then, and decides itself what it waits for: leave MATCH_WINDOW at 0s."
        yield CheckWarning("MATCH_WINDOW does nothing with MATCH_MAX_DRIVERS=0.", hint=hint, id="nebengjek.W011")
