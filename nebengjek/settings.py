"""Django settings, read from the environment (and from `.env` beside `manage.py`, where there is one).

`settings.example.env` lists every variable with its default and meaning. Nothing else in the code reads the
environment, and this file is the only place that chooses backends.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import dj_database_url
import django_stubs_ext
from csp.constants import NONE, SELF

from common.env import ConfigError, Env
from common.left_out import WITHOUT, WITHOUT_FOR_NATS, leave_out
from common.packages import package_folder
from common.tiles import origin_of_tiles

django_stubs_ext.monkeypatch()  # lets generic classes be written as in the type stubs

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env(dotenv=BASE_DIR / os.environ.get("DOTENV", ".env"))  # the tests name one that does not exist

VERSION = "0.1.0"  # of the project, as in pyproject.toml, and so of the documents

# --- Django -----------------------------------------------------------------------------------------------------------

DEBUG = env.flag("DEBUG", False)
# Where nothing says what this is, somebody has a look on their own machine: without the error pages of DEBUG, but with
# the secrets below and codes on the console. Only clients on this machine are served then.
ON_OWN_MACHINE = DEBUG or not any(os.environ.get(name) for name in ("DEBUG", "ALLOWED_HOSTS"))
DEMO = env.flag("DEMO", False)
# Good for a look on one's own machine only: else system checks refuse them, and `serve` refuses to listen
# on any other address than the loopback one with them.
DEVELOPMENT_SECRET = "for-development-on-your-own-machine-only-not-a-secret"  # noqa: S105
SECRET_KEY = env.secret("SECRET_KEY") or DEVELOPMENT_SECRET
SECRET_KEY_FALLBACKS = [key for key in [env.secret("SECRET_KEY_PREVIOUS")] if key]  # still believed, never signed with
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
TRUSTED_PROXIES = env.words("TRUSTED_PROXIES")
PUBLIC_URL = env.text("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
PUBLIC_URL_IS_SET = bool(os.environ.get("PUBLIC_URL"))
CSRF_TRUSTED_ORIGINS = [origin.rstrip("/") for origin in env.words("CSRF_TRUSTED_ORIGINS")] or [PUBLIC_URL]

# Traces of OpenTelemetry; the SDK reads further OTEL_* variables of its specification by itself.
TRACING = env.flag("TRACING", False)
OTEL_SERVICE_NAME = env.text("OTEL_SERVICE_NAME")
OTEL_EXPORTER_OTLP_ENDPOINT = env.text("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")
OTEL_TRACES_SAMPLER = env.text("OTEL_TRACES_SAMPLER", "parentbased_always_on")
OTEL_TRACES_SAMPLER_ARG = env.text("OTEL_TRACES_SAMPLER_ARG")

INSTALLED_APPS = [
    # Daphne only makes `runserver` speak ASGI; it would bring Twisted into every process: 15 MB and 0.2 s of start.
    *(["daphne"] if "runserver" in sys.argv else []),
    "web",  # before the admin, whose templates it extends
    "users.staff.apps.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "rest_framework_simplejwt",
    "rest_framework_simplejwt.token_blacklist",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "corsheaders",
    "csp",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "nebengjek",
    "common",
    "events",
    "users",
    "rides",
    "realtime",
]

MIDDLEWARE = [
    "common.probes.ProbeMiddleware",
    "common.privacy.PrivacyMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "common.static.StaticMiddleware",
    *(["common.tracing.TracingMiddleware"] if TRACING else []),
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "nebengjek.urls"
ASGI_APPLICATION = "nebengjek.asgi.application"
AUTH_USER_MODEL = "users.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
TIME_ZONE = env.text("TIME_ZONE", "Asia/Jakarta")
FORMAT_MODULE_PATH = ["nebengjek.formats"]
USE_TZ = True
STATIC_URL = "static/"
# Of django-leaflet only the files of Leaflet are used: the app would need GDAL.
STATICFILES_DIRS = [
    ("leaflet", package_folder("leaflet") / "static" / "leaflet"),
    ("web", BASE_DIR / "clients" / "javascript" / "src"),  # the pages use our own client
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "common.static.VersionedStorage"},
}
WHITENOISE_USE_FINDERS = True  # the admin has its style without a collectstatic step
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not ON_OWN_MACHINE
SECURE_CONTENT_TYPE_NOSNIFF = True
HSTS_PERIOD = env.duration("HSTS_PERIOD", "365d", low="0s")
# Error pages of DEBUG are for whoever sits at this machine.
DEFAULT_EXCEPTION_REPORTER = "common.error_pages.LocalExceptionReporter"
LANGUAGES = [("en", "English"), ("id", "Bahasa Indonesia")]

# Pages carry nothing from other hosts and nothing inline; only map tiles may come from where MAP_TILES_URL says.
MAP_TILES_URL = env.text("MAP_TILES_URL")
MAP_TILES_ATTRIBUTION = env.text("MAP_TILES_ATTRIBUTION")
LIVE_INTERVAL = env.duration("LIVE_INTERVAL", "1s", low="100ms", high="1m")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:", *origin_of_tiles(MAP_TILES_URL)],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# --- Database ---------------------------------------------------------------------------------------------------------

DATABASE_URL = env.secret("DATABASE_URL", "sqlite:///var/nebengjek.sqlite3")
DATABASE_TIMEOUT = env.duration("DATABASE_TIMEOUT", "20s")
DATABASE_STATEMENT_TIMEOUT = env.duration("DATABASE_STATEMENT_TIMEOUT", "15s", low="0s")
MAINTENANCE = {"migrate", "audit", "dumpdata", "loaddata", "shell", "export_user", "erase_user"}  # may take their time
# What SQLite reads is computed in this process, where threads only fight for the interpreter's lock.
DB_READ_THREADS = env.integer("DB_READ_THREADS", 2 if DATABASE_URL.startswith("sqlite") else 4, low=1, high=64)
HTTP_THREADS = env.integer("HTTP_THREADS", 16, low=1, high=1000)
DB_WRITE_THREADS = env.integer("DB_WRITE_THREADS", 4, low=1, high=64)


def _database() -> dict[str, Any]:
    """Return the settings of the database that DATABASE_URL names."""
    form = "sqlite:///var/nebengjek.sqlite3 or postgres://user:password@host:5432/name"
    try:
        config: dict[str, Any] = dict(dj_database_url.parse(DATABASE_URL))
    except ValueError as exc:
        raise ConfigError(f"DATABASE_URL must be like {form}.") from exc
    if config["ENGINE"] == "django.db.backends.postgresql":
        return {
            **config,
            "ENGINE": "common.postgresql",
            "OPTIONS": {**_postgresql_options(), **config.get("OPTIONS", {})},
        }
    if config["ENGINE"] != "django.db.backends.sqlite3":
        raise ConfigError(f"DATABASE_URL must be like {form}.")
    return _sqlite(config)


def _postgresql_options() -> dict[str, Any]:
    """Return options under which every wait for the server ends, whatever it or the network does."""
    network = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
    options: dict[str, Any] = {"connect_timeout": 3, "application_name": "nebengjek", **network}
    options["tcp_user_timeout"] = 10_000
    statement = int(DATABASE_STATEMENT_TIMEOUT.total_seconds() * 1000)
    if not statement or set(sys.argv[1:2]) & MAINTENANCE:
        return options
    # The server parses a statement once for a connection. It plans with the values, which the partial indexes need.
    options |= {"server_side_binding": True, "prepare_threshold": 2}
    kept: dict[str, int | str] = {"plan_cache_mode": "force_custom_plan"}
    kept |= {"statement_timeout": statement, "lock_timeout": statement * 2 // 3}
    # A process that was suspended within a transaction must not hold its locks until somebody notices.
    kept["idle_in_transaction_session_timeout"] = statement
    # The server's own limit comes first, so that it ends what it can end itself.
    answer = statement / 1000 + 2
    return {**options, "options": " ".join(f"-c {name}={one}" for name, one in kept.items()), "answer_timeout": answer}


def _sqlite(config: dict[str, Any]) -> dict[str, Any]:
    if not config["NAME"] or config["NAME"] == ":memory:":
        raise ConfigError("DATABASE_URL must name a file: what is in memory is lost with the process.")
    path = BASE_DIR / str(config["NAME"])
    path.parent.mkdir(parents=True, exist_ok=True)
    config["NAME"] = path
    config["OPTIONS"] = {
        "timeout": DATABASE_TIMEOUT.total_seconds(),
        # A transaction that reads and then writes must take the write lock first, or SQLite fails it at once.
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    config["TEST"] = {"NAME": path.with_name("test.sqlite3")}
    return config


DATABASES = {"default": _database()}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DB_WRITE_THREADS = 1  # SQLite lets one writer in at a time

# --- One process, or many ---------------------------------------------------------------------------------------------

REDIS_URL = env.secret("REDIS_URL")
REDIS_SHARDS = [url.strip() for url in env.secret("REDIS_SHARDS").split(",") if url.strip()]
NATS_URL = env.secret("NATS_URL")
NATS_CREDENTIALS = env.text("NATS_CREDENTIALS")
NATS_TLS_CA = env.text("NATS_TLS_CA")
NATS_TLS_CERT = env.text("NATS_TLS_CERT")
NATS_TLS_KEY = env.text("NATS_TLS_KEY")
NATS_STREAM_MAX_AGE = env.duration("NATS_STREAM_MAX_AGE", "24h", low="1h")  # the window for duplicates
DISTRIBUTED = bool(REDIS_URL and NATS_URL)
leave_out(WITHOUT if "ws://" in NATS_URL or "wss://" in NATS_URL else WITHOUT | WITHOUT_FOR_NATS)

EMBEDDED_BACKENDS: dict[str, str] = {
    "history": "realtime.delivery.history.memory.MemoryHistory",
    "presence": "users.presence.memory.MemoryPresence",
    "positions": "rides.positions.memory.MemoryPositions",
    "minute_limit": "realtime.socket.rate_limits.MemoryMinuteLimit",
    "channel_layer": "realtime.delivery.layers.memory.InProcessChannelLayer",
    "cache": "django.core.cache.backends.locmem.LocMemCache",
}
DISTRIBUTED_BACKENDS: dict[str, str] = {
    "history": "realtime.delivery.history.redis.RedisHistory",
    "presence": "users.presence.redis.RedisPresence",
    "positions": "rides.positions.redis.RedisPositions",
    "minute_limit": "realtime.socket.rate_limits.RedisMinuteLimit",
    "channel_layer": "realtime.delivery.layers.redis.RedisChannelLayer",
    "cache": "django.core.cache.backends.redis.RedisCache",
}
BACKENDS = DISTRIBUTED_BACKENDS if DISTRIBUTED else EMBEDDED_BACKENDS
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": BACKENDS["channel_layer"],
        "CONFIG": {"hosts": [REDIS_URL, *REDIS_SHARDS], "capacity": 1000},
    },
}
CACHES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": BACKENDS["cache"], "LOCATION": REDIS_URL, "KEY_PREFIX": "nebengjek", "VERSION": 2},
}
CACHES["default"]["OPTIONS"] = (
    {"serializer": "common.cache.JSONSerializer"}  # Django's is pickle: who can write to Redis could run code
    if DISTRIBUTED
    else {"MAX_ENTRIES": 100_000}  # 300 by default: limits would forget whom they count
)

# --- Events and delivery ----------------------------------------------------------------------------------------------

RELAY_INTERVAL = env.duration("RELAY_INTERVAL", "1s", high="1m")
RELAY_BATCH = env.integer("RELAY_BATCH", 500, low=1, high=10_000)
RELAY_MAX_ATTEMPTS = env.integer("RELAY_MAX_ATTEMPTS", 5, low=1, high=100)
OUTBOX_RETENTION = env.duration("OUTBOX_RETENTION", "7d")
DEAD_LETTER_RETENTION = env.duration("DEAD_LETTER_RETENTION", "90d", low="1d")
HISTORY_MAX = env.integer("HISTORY_MAX", 5000, low=1)
HISTORY_TTL = env.duration("HISTORY_TTL", "1h")

BRIDGE_BATCH = env.integer("BRIDGE_BATCH", 500, low=2, high=10_000)
BRIDGE_LEASE = env.duration("BRIDGE_LEASE", "3s", low="500ms", high="1m")
BRIDGE_MAX_ATTEMPTS = env.integer("BRIDGE_MAX_ATTEMPTS", 5, low=1, high=100)
POSITIONS_INTERVAL = env.duration("POSITIONS_INTERVAL", "50ms", low="1ms", high="1s")

# --- The WebSocket ----------------------------------------------------------------------------------------------------

WS_READ_BUFFER_SIZE = env.integer("WS_READ_BUFFER_SIZE", 1024, low=1)
WS_WRITE_BUFFER_SIZE = env.integer("WS_WRITE_BUFFER_SIZE", 1024, low=1)
WS_HANDSHAKE_TIMEOUT = env.duration("WS_HANDSHAKE_TIMEOUT", "10s")
WS_READ_TIMEOUT = env.duration("WS_READ_TIMEOUT", "60s")
WS_WRITE_TIMEOUT = env.duration("WS_WRITE_TIMEOUT", "10s")
WS_PING_PERIOD = env.duration("WS_PING_PERIOD", "54s")
WS_IDLE_PING = env.duration("WS_IDLE_PING", "25s", low="100ms")
WS_MAX_MESSAGE_SIZE = env.integer("WS_MAX_MESSAGE_SIZE", 512, low=256, high=16 * 1024 * 1024)
WS_ALLOWED_ORIGINS = [origin.rstrip("/") for origin in env.words("WS_ALLOWED_ORIGINS")]
WS_HEARTBEAT = env.duration("WS_HEARTBEAT", "2s", low="50ms", high="1m")
WS_TOKEN_NOTICE = env.duration("WS_TOKEN_NOTICE", "60s")
WS_TOKEN_CHECK = env.duration("WS_TOKEN_CHECK", "15s", low="100ms", high="1h")
WS_COMMAND_RATE = env.integer("WS_COMMAND_RATE", 10)
WS_COMMAND_BURST = env.integer("WS_COMMAND_BURST", 30, low=1)
WS_LOCATION_RATE = env.integer("WS_LOCATION_RATE", 5)
WS_COSTLY_RATE = env.integer("WS_COSTLY_RATE", 30)
WS_CONNECT_RATE = env.integer("WS_CONNECT_RATE", 60)
WS_FLOOD_TOLERANCE = env.integer("WS_FLOOD_TOLERANCE", 100, low=1)
MAX_CONNECTIONS = env.integer("MAX_CONNECTIONS", 100_000, low=1)
MAX_UNKNOWN_PER_ADDRESS = env.integer("MAX_UNKNOWN_PER_ADDRESS", 512)
COMMAND_ID_TTL = env.duration("COMMAND_ID_TTL", "10m")

# Web apps of these origins may call REST. Tokens come in a header, so no cookies are sent along.
CORS_ALLOWED_ORIGINS = [origin.rstrip("/") for origin in env.words("CORS_ALLOWED_ORIGINS")] or WS_ALLOWED_ORIGINS
CORS_URLS_REGEX = r"^/api/"
CORS_EXPOSE_HEADERS = ["Retry-After"]

# --- Users, tokens and REST -------------------------------------------------------------------------------------------

JWT_SECRET = env.secret("JWT_SECRET") or DEVELOPMENT_SECRET
JWT_SECRET_PREVIOUS = env.secret("JWT_SECRET_PREVIOUS")  # its tokens hold until they expire
JWT_EXPIRATION = env.integer("JWT_EXPIRATION", 1440, low=1, high=525_600)
JWT_REFRESH_EXPIRATION = env.integer("JWT_REFRESH_EXPIRATION", 43_200, low=1, high=5_256_000)
JWT_LEEWAY = 10  # seconds that an issuer's clock may be ahead of ours

DRIVER_APPROVAL = env.flag("DRIVER_APPROVAL", False)
SINGLE_DEVICE = env.flag("SINGLE_DEVICE", True)
OTP_COUNTRIES = env.words("OTP_COUNTRIES", "ID")
OTP_TTL = env.duration("OTP_TTL", "5m", low="1s", high="1h")
OTP_MAX_TRIES = env.integer("OTP_MAX_TRIES", 5, low=1, high=10)
OTP_MAX_PER_HOUR = env.integer("OTP_MAX_PER_HOUR", 3)
OTP_MAX_PER_ADDRESS = env.integer("OTP_MAX_PER_ADDRESS", 60)
OTP_MAX_PER_HOUR_OVERALL = env.integer("OTP_MAX_PER_HOUR_OVERALL", 2000)
ADMIN_LOGIN_TRIES = env.integer("ADMIN_LOGIN_TRIES", 10)
ADMIN_LOGIN_TRIES_PER_ACCOUNT = env.integer("ADMIN_LOGIN_TRIES_PER_ACCOUNT", 20)
STAFF_SECOND_FACTOR = env.flag("STAFF_SECOND_FACTOR", False)
PERSON_PANELS = [
    "users.staff.panels.identity",
    "rides.staff.person.now",
    "realtime.operations.person.connection",
    "rides.staff.person.rides",
    "rides.staff.person.searches",
    "rides.staff.person.payments",
    "users.staff.panels.logins",
    "users.staff.panels.staff_actions",
]
STAFF_RECORDER = "users.staff.records.record_action"
OTP_TOTP_ISSUER = "NebengJek"
API_THROTTLE = env.integer("API_THROTTLE", 60)
ADDRESS_RETENTION = env.duration("ADDRESS_RETENTION", "180d", low="1h")
ADMIN_LOG_RETENTION = env.duration("ADMIN_LOG_RETENTION", "730d", low="1d")
PERSONAL_DATA = [
    "rides.personal_data.RidesData",  # first, because it locks
    "users.personal_data.users.UsersData",
    "events.personal_data.EventsData",
    "realtime.operations.personal_data.RealtimeData",
]
PERSON_DEACTIVATE = "rides.services.people.person_deactivate"  # `users` knows nothing of rides
SMS_BACKEND = env.text("SMS_BACKEND", "users.sms.ConsoleSMS")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["users.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["common.rest.parsers.BoundedJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["common.rest.throttling.CallerThrottle"],
    "DEFAULT_PAGINATION_CLASS": "common.rest.pagination.PublicPagination",
    "PAGE_SIZE": 20,
    "UNICODE_JSON": False,  # an answer may quote half a surrogate pair, which UTF-8 cannot carry
    "EXCEPTION_HANDLER": "common.rest.exception_handler.contract_errors",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "NebengJek",
    "DESCRIPTION": "Login, profile, drivers and rides. Everything in a ride happens over the WebSocket at "
    "`/ws/`, which [a page of its own](/docs/) describes. Calls from one address are limited "
    "(`API_THROTTLE` a minute).",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api",
    "SORT_OPERATIONS": False,
    "COMPONENT_SPLIT_PATCH": False,
    "ENFORCE_NON_BLANK_FIELDS": True,
    "POSTPROCESSING_HOOKS": ["realtime.operations.openapi.complete"],
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "metricsToken": {"type": "http", "scheme": "bearer", "description": "The `METRICS_TOKEN` of the server."},
        }
    },
    "EXTERNAL_DOCS": {"url": "/docs/", "description": "The protocol of the WebSocket"},
    "TAGS": [
        {"name": "login", "description": "One-time codes and tokens."},
        {"name": "profile", "description": "Your account."},
        {"name": "rides", "description": "Your rides."},
        {"name": "operations", "description": "For staff and monitoring."},
    ],
}

# --- Rides ------------------------------------------------------------------------------------------------------------

LOCATION_MAX_AGE = env.duration("LOCATION_MAX_AGE", "60s", low="1s")
MATCH_SEARCH_RADIUS_KM = env.decimal("MATCH_SEARCH_RADIUS_KM", "5", low="0.1", high="500")
MATCH_MAX_RADIUS_KM = env.decimal("MATCH_MAX_RADIUS_KM", "15", low="0.1", high="500")
MATCH_MAX_OPEN_OFFERS = env.integer("MATCH_MAX_OPEN_OFFERS", 1, low=0, high=100)
OFFER_RECEIPT_TIMEOUT = env.duration("OFFER_RECEIPT_TIMEOUT", "3s", low="100ms", high="1h")
MATCH_MAX_DRIVERS = env.integer("MATCH_MAX_DRIVERS", 5, low=0, high=100)
MATCH_RESPONSE_TIMEOUT = env.duration("MATCH_RESPONSE_TIMEOUT", "30s", low="100ms", high="1h")
MATCH_MAX_ATTEMPTS = env.integer("MATCH_MAX_ATTEMPTS", 3, low=1, high=100)
MATCH_SEARCH_INTERVAL = env.duration("MATCH_SEARCH_INTERVAL", "3s", low="100ms", high="1h")
MATCH_WINDOW = env.duration("MATCH_WINDOW", "0s", low="0s", high="1m")
SEARCH_FREE_CANCELS = env.integer("SEARCH_FREE_CANCELS", 5, low=0, high=1000)
SEARCH_CANCEL_WAIT = env.duration("SEARCH_CANCEL_WAIT", "10s", low="1s", high="10m")
ETA_BACKEND = env.text("ETA_BACKEND", "rides.eta.GreatCircleETA")
OSRM_URL = env.text("OSRM_URL").rstrip("/")
OSRM_TIMEOUT = env.duration("OSRM_TIMEOUT", "300ms", low="10ms", high="5s")
ETA_DETOUR = env.decimal("ETA_DETOUR", "1.4", low="1", high="10")
ETA_SPEED_KMH = env.decimal("ETA_SPEED_KMH", "25", low="1", high="300")
RIDE_PIN = env.flag("RIDE_PIN", False)
PICKUP_TIMEOUT = env.duration("PICKUP_TIMEOUT", "30m", low="1s")
RIDE_SILENCE_TIMEOUT = env.duration("RIDE_SILENCE_TIMEOUT", "10m", low="1s")
CARD_RETENTION = env.duration("CARD_RETENTION", "7d", low="0s")
SERVE_TIMERS = env.flag("SERVE_TIMERS", True)
TIMERS_INTERVAL = env.duration("TIMERS_INTERVAL", "250ms", low="10ms", high="1m")

RIDES_START_DISTANCE_M = 100  # driver and passenger at the start of a ride: a term of the contract
RIDES_MIN_DISTANCE_KM = env.decimal("RIDES_MIN_DISTANCE_KM", "1", low="0.1", high="1000")
RIDES_MAX_ACCURACY_M = env.decimal("RIDES_MAX_ACCURACY_M", "50", low="1", high="100000")
RIDES_MAX_SPEED_KMH = env.decimal("RIDES_MAX_SPEED_KMH", "200")
RIDES_MAX_SPEEDS_KMH = env.table("RIDES_MAX_SPEEDS_KMH", high="1000")
TRACK_FLUSH_INTERVAL = env.duration("TRACK_FLUSH_INTERVAL", "500ms", low="10ms", high="1m")

PRICING_RATE_PER_KM = env.integer("PRICING_RATE_PER_KM", 3000, high=10_000_000)
PRICING_ADMIN_FEE_PERCENT = env.decimal("PRICING_ADMIN_FEE_PERCENT", "5", high="100")
TRACK_RETENTION = env.duration("TRACK_RETENTION", "90d", low="1d")
TRACE_RETENTION = env.duration("TRACE_RETENTION", "30d", low="1h")
PLACE_RETENTION = env.duration("PLACE_RETENTION", "365d", low="1d")
PAYMENT_URL = env.text("PAYMENT_URL")
PAYMENT_SECRET = env.secret("PAYMENT_SECRET")
QUOTE_VALIDITY = env.duration("QUOTE_VALIDITY", "10m", low="10s", high="24h")
PRICING_LEGAL_MIN_PER_KM = env.integer("PRICING_LEGAL_MIN_PER_KM", 0, high=10_000_000)
PRICING_LEGAL_MAX_PER_KM = env.integer("PRICING_LEGAL_MAX_PER_KM", 0, high=10_000_000)
PAYMENT_GATEWAY = env.text("PAYMENT_GATEWAY", "rides.gateways.QRLinkGateway")

PUSH_BACKEND = env.text("PUSH_BACKEND", "rides.push.console.ConsolePush")
PUSH_TIMEOUT = env.duration("PUSH_TIMEOUT", "5s", low="100ms", high="1m")
VAPID_PRIVATE_KEY = env.secret("VAPID_PRIVATE_KEY")
VAPID_SUBJECT = env.text("VAPID_SUBJECT")
WEBPUSH_HOSTS = env.words(
    "WEBPUSH_HOSTS", "fcm.googleapis.com,push.services.mozilla.com,notify.windows.com,push.apple.com"
)
DEVICE_RETENTION = env.duration("DEVICE_RETENTION", "90d", low="1d")

# --- Stopping ---------------------------------------------------------------------------------------------------------

SHUTDOWN_NOTICE = env.duration("SHUTDOWN_NOTICE", "0s", low="0s", high="5m")
SHUTDOWN_SPREAD = env.duration("SHUTDOWN_SPREAD", "5s", low="100ms", high="5m")
SHUTDOWN_TIMEOUT = env.duration("SHUTDOWN_TIMEOUT", "15s", low="1s", high="10m")

# --- Health and metrics -----------------------------------------------------------------------------------------------

METRICS_TOKEN = env.secret("METRICS_TOKEN")
HEALTH_MAX_OUTBOX_AGE = env.duration("HEALTH_MAX_OUTBOX_AGE", "30s")
HEALTH_MAX_BRIDGE_LAG = env.integer("HEALTH_MAX_BRIDGE_LAG", 10_000, low=1)
METRICS_FOLDER = env.text("METRICS_FOLDER")

# --- Logging ----------------------------------------------------------------------------------------------------------

LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOG_FORMAT = env.choice("LOG_FORMAT", "text", ("text", "json"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"text": {"()": "common.logs.LineFormatter"}, "json": {"()": "common.logs.JSONFormatter"}},
    "filters": {
        "context": {"()": "common.logs.ContextFilter"},
        "outages": {"()": "common.logs.Outages"},
        "rarely": {"()": "common.logs.Rarely"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["outages", "context"]},
        "rarely": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["rarely", "context"]},
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        **{
            name: {"handlers": ["console"], "level": LOG_LEVEL, "propagate": False}
            for name in ("nebengjek", "common", "events", "users", "rides", "simulation", "realtime", "web", "django")
        },
        # A scanner that asks for foreign hosts must not write a traceback each time.
        "django.security.DisallowedHost": {"handlers": ["console"], "level": "CRITICAL", "propagate": False},
        # A 401 or a 404 is an answer, not an event of the server.
        "django.request": {"handlers": ["console"], "level": "ERROR", "propagate": False},
        "django.server": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        # Nor is nonsense from a client: who sends much of it must not fill the log.
        "uvicorn.error": {"handlers": ["console"], "level": "ERROR", "propagate": False},
        # It tries every 5 s to export traces to a collector that is away.
        "opentelemetry": {"handlers": ["rarely"], "level": "WARNING", "propagate": False},
    },
}

DECLARED_VARIABLES = dict(env.declared)
SECRET_VARIABLES = tuple(env.secrets)
