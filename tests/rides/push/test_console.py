from __future__ import annotations

import pytest
from django.utils import timezone

from rides.push.base import Target, Wake
from rides.push.console import ConsolePush


def test_what_would_be_sent_is_printed_without_the_token(capsys: pytest.CaptureFixture[str]) -> None:
    """The token of a device lets anybody wake it."""
    target = Target(kind="webpush", token="https://push.example/secret", keys={"auth": "secret"})
    push = ConsolePush()
    push.check(target)
    push.send(target, Wake("match_proposal", timezone.now()), 30)
    said = capsys.readouterr().out
    assert said.startswith("Push to a webpush device, for 30 s: {")
    assert "match_proposal" in said
    assert "secret" not in said
