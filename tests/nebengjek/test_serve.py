import os
from io import StringIO
from typing import Any

import pytest
from django.conf import settings as real_settings
from django.core.management import CommandError, call_command

from nebengjek.management.commands.serve import refuse_development_secrets, refuse_old_database, show_demo


def test_public_secrets_are_not_served_to_other_machines(settings: Any) -> None:
    refuse_development_secrets("127.0.0.1")
    refuse_development_secrets("localhost")
    with pytest.raises(CommandError, match="before listening on 0"):
        refuse_development_secrets("0.0.0.0")
    settings.SECRET_KEY = settings.JWT_SECRET = "a secret of somebody's own, long enough"
    refuse_development_secrets("0.0.0.0")
    assert real_settings.DEVELOPMENT_SECRET


def test_the_demo_is_on_here_and_in_the_workers(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO", "false")
    settings.DEMO = False
    show_demo()
    assert real_settings.DEMO
    assert os.environ["DEMO"] == "true"


def test_an_up_to_date_database_is_good(transactional_db: None) -> None:
    refuse_old_database()


@pytest.mark.parametrize(("option", "value"), [("workers", 2), ("port", -1), ("port", 65536)])
def test_what_cannot_work_is_refused(option: str, value: int) -> None:
    with pytest.raises(CommandError, match=f"--{option} must be"):
        call_command("serve", **{option: value}, stdout=StringIO(), skip_checks=True)
