from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.cast import book
from users.models import User


def test_a_person_is_erased_after_a_yes(putri: User, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Anything but yes leaves everything as it is; it may be run again."""
    monkeypatch.setattr("builtins.input", lambda _: "no")
    with pytest.raises(CommandError, match="Nothing was erased"):
        call_command("erase_user", putri.msisdn)
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    call_command("erase_user", putri.msisdn)
    putri.refresh_from_db()
    assert putri.erased_at is not None
    call_command("erase_user", str(putri.pk))
    assert "Erased user" in capsys.readouterr().out


def test_a_ride_stands_against_it(dewi: User, putri: User) -> None:
    """The reason is said."""
    book(dewi, putri)
    with pytest.raises(CommandError, match="current ride"):
        call_command("erase_user", putri.msisdn, "--yes")
