import threading
from typing import Any

import pytest

from tests.api import ApiClient
from tests.patience import TIMEOUT
from users import sms
from users.sms import forget_messages, last_message, send_sms, sms_senders

SENT: list[tuple[str, str]] = []


class Recorder:
    """Another provider."""

    def send(self, msisdn: str, text: str) -> None:
        SENT.append((msisdn, text))


def test_the_console_backend_writes_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert send_sms("+6281200000001", "hello")
    sms_senders().settle()
    assert capsys.readouterr().out == "SMS to +6281200000001: hello\n"


def test_another_provider_is_another_class(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    settings.SMS_BACKEND = "tests.users.test_sms.Recorder"
    send_sms("+6281200000001", "hello")
    sms_senders().settle()
    assert SENT == [("+6281200000001", "hello")]
    assert capsys.readouterr().out == ""


def test_the_last_message_is_kept_for_the_demo_only(settings: Any) -> None:
    send_sms("+6281200000001", "before")
    sms_senders().settle()
    settings.DEMO = True
    assert last_message("+6281200000001") == ""
    send_sms("+6281200000001", "first")
    sms_senders().settle()
    send_sms("+6281200000001", "second")
    send_sms("+6281200000002", "other")
    sms_senders().settle()
    assert last_message("+6281200000001") == "second"
    forget_messages("+6281200000002")
    assert last_message("+6281200000002") == ""
    settings.DEMO = False
    assert last_message("+6281200000001") == ""


class Hangs:
    """A provider that does not answer."""

    gate = threading.Event()

    def send(self, msisdn: str, text: str) -> None:
        self.gate.wait(TIMEOUT)


@pytest.mark.django_db
def test_a_slow_provider_holds_up_nobody(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """All who ask for a code are answered at once, up to a number that waits; then they hear when to come back."""
    settings.SMS_BACKEND = "tests.users.test_sms.Hangs"
    settings.OTP_MAX_PER_ADDRESS = 0
    monkeypatch.setattr(sms, "WAITING", 40)
    client = ApiClient()
    numbers = [f"+628120000{n:04}" for n in range(41)]
    answers = [client.post("/api/auth/otp/", {"msisdn": number}) for number in numbers]
    assert [answer.status_code for answer in answers] == [202] * 40 + [429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert client.get("/health/live").status_code == 200
    Hangs.gate.set()
    sms_senders().settle()
    assert client.post("/api/auth/otp/", {"msisdn": numbers[-1]}).status_code == 202
    sms_senders().settle()


def test_a_message_that_was_not_taken_is_logged(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Without the number, the code or a traceback."""
    settings.SMS_BACKEND = "tests.users.services.test_drivers.Down"
    assert send_sms("+6281200000001", "123456")
    sms_senders().settle()
    [record] = caplog.records
    assert record.getMessage() == "Could not send (sms): no provider"
    assert record.exc_info is None
