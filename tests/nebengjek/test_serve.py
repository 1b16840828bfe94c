import os
from io import StringIO
from typing import Any

import pytest
from django.conf import settings as real_settings
from django.core.management import CommandError, call_command
from django.db import OperationalError

from nebengjek.management.commands import serve
from nebengjek.management.commands.serve import refuse_development_secrets, refuse_old_database, show_demo


def test_public_secrets_stay_local(settings: Any) -> None:
    """With the development secrets `serve` refuses addresses that other machines reach."""
    refuse_development_secrets("127.0.0.1")
    refuse_development_secrets("localhost")
    with pytest.raises(CommandError, match="before listening on 0"):
        refuse_development_secrets("0.0.0.0")
    settings.SECRET_KEY = settings.JWT_SECRET = "a secret of somebody's own, long enough"
    refuse_development_secrets("0.0.0.0")
    assert real_settings.DEVELOPMENT_SECRET


def test_workers_know_the_demo(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--demo` switches the demo on in this process and its workers."""
    monkeypatch.setenv("DEMO", "false")
    settings.DEMO = False
    show_demo()
    assert real_settings.DEMO
    assert os.environ["DEMO"] == "true"


def test_a_migrated_database_is_accepted(transactional_db: None) -> None:
    """A migrated database is accepted."""
    refuse_old_database()


def test_a_database_that_is_down_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a traceback."""

    def down(_connection: object) -> None:
        raise OperationalError("connection refused\n\tIs the server running?")

    monkeypatch.setattr(serve, "MigrationRecorder", down)
    with pytest.raises(CommandError, match=r"^The database does not answer: connection refused$"):
        refuse_old_database()


@pytest.mark.parametrize(("option", "value"), [("workers", 2), ("port", -1), ("port", 65536)])
def test_impossible_options_are_refused(option: str, value: int) -> None:
    """Options that cannot work are refused with their name."""
    with pytest.raises(CommandError, match=f"--{option} must be"):
        call_command("serve", **{option: value}, stdout=StringIO(), skip_checks=True)
