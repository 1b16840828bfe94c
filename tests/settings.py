"""The settings of the tests: the defaults, whatever the shell or a `.env` says, with shorter periods."""

import os
from datetime import timedelta

os.environ["DOTENV"] = ".env.of-no-tests"
for _name in ("DEBUG", "DEMO", "DATABASE_URL", "SECRET_KEY", "JWT_SECRET", "REDIS_URL", "NATS_URL", "SMS_BACKEND"):
    os.environ.pop(_name, None)
os.environ["DEBUG"] = "true"
if "TESTS_DATABASE_URL" in os.environ:  # see tests/on_postgres.py
    os.environ["DATABASE_URL"] = os.environ["TESTS_DATABASE_URL"]

from nebengjek.settings import *  # noqa: E402, F403

MIGRATED = "migrated"
"""The database of a PostgreSQL server that test databases are copies of."""
if "TESTS_DATABASE_URL" in os.environ:
    DATABASES["default"]["TEST"] = {"TEMPLATE": MIGRATED}  # noqa: F405

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
WHITENOISE_AUTOREFRESH = True  # a test client, as each test has its own, does not read all files to serve hardly any
API_THROTTLE = 0
OTP_MAX_PER_HOUR = 0
WS_COMMAND_RATE = 0
WS_COSTLY_RATE = 0
WS_CONNECT_RATE = 0
WS_LOCATION_RATE = 0
SEARCH_FREE_CANCELS = 0
WS_HEARTBEAT = timedelta(milliseconds=50)
TIMERS_INTERVAL = timedelta(milliseconds=50)
TRACK_FLUSH_INTERVAL = timedelta(milliseconds=50)
LOGGING = {"version": 1, "disable_existing_loggers": False}
