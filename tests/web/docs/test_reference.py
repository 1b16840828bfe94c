from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from realtime.commands.routes import ROUTES
from realtime.contract.frames import CloseCode
from rides.events import EVENTS
from web.docs import reference


def test_the_page_is_up_to_date() -> None:
    assert reference.page().read_text() == reference.render(), "run `manage.py protocol`"


def test_everything_is_on_the_page() -> None:
    text = reference.render()
    for name in (*ROUTES, *(event.subject for event in EVENTS), *(str(int(code)) for code in CloseCode)):
        assert f"| `{name}` |" in text or f"| {name} |" in text, name
    assert "{" + "commands}" not in text
    assert "`latitude` number -90 to 90" in text
    assert "`timestamp`? RFC 3339" in text
    assert "`adjustment_factor`? number 0 to 1" in text


def test_the_command_writes_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "protocol.md"
    monkeypatch.setattr("web.management.commands.protocol.page", lambda: page)
    call_command("protocol", stdout=StringIO())
    assert page.read_text() == reference.render()
