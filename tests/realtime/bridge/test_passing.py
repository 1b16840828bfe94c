import nats.errors
import nats.js.errors
import pytest
import redis
from django.db import IntegrityError, InterfaceError, OperationalError

from events.buses.base import BusUnavailable
from realtime.bridge.passing import PASSING
from realtime.delivery.fence import Fenced


@pytest.mark.parametrize(
    "error",
    [
        redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError, OperationalError, InterfaceError,
        nats.errors.TimeoutError, nats.errors.NoRespondersError, nats.js.errors.APIError, BusUnavailable, OSError,
    ],
)  # fmt: skip
def test_an_unavailable_server_is_no_fault_of_a_message(error: type[Exception]) -> None:
    assert issubclass(error, PASSING)


@pytest.mark.parametrize("error", [ValueError, IntegrityError, redis.DataError, Fenced])
def test_other_faults_are(error: type[Exception]) -> None:
    assert not issubclass(error, PASSING)
