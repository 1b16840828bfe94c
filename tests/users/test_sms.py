from typing import Any

import pytest

from users.sms import forget_messages, last_message, send_sms

SENT: list[tuple[str, str]] = []


class Recorder:
    """Another provider."""

    def send(self, msisdn: str, text: str) -> None:
        SENT.append((msisdn, text))


def test_the_console_backend_writes_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    send_sms("+6281200000001", "hello")
    assert capsys.readouterr().out == "SMS to +6281200000001: hello\n"


def test_another_provider_is_another_class(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    settings.SMS_BACKEND = "tests.users.test_sms.Recorder"
    send_sms("+6281200000001", "hello")
    assert SENT == [("+6281200000001", "hello")]
    assert capsys.readouterr().out == ""


def test_the_last_message_is_kept_for_the_demo_only(settings: Any) -> None:
    send_sms("+6281200000001", "before")
    settings.DEMO = True
    assert last_message("+6281200000001") == ""
    send_sms("+6281200000001", "first")
    send_sms("+6281200000001", "second")
    send_sms("+6281200000002", "other")
    assert last_message("+6281200000001") == "second"
    forget_messages("+6281200000002")
    assert last_message("+6281200000002") == ""
    settings.DEMO = False
    assert last_message("+6281200000001") == ""
