from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command


def test_only_stale_files_are_written_and_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command writes what differs, and says so."""
    made = {"a.md": lambda: "ä", "b.md": lambda: "b"}
    monkeypatch.setattr("web.management.commands.make_docs.OUTPUTS", made)
    (tmp_path / "b.md").write_text("b", encoding="utf-8")
    (tmp_path / "a.md").write_text("old", encoding="utf-8")
    said = StringIO()
    call_command("make_docs", "--folder", str(tmp_path), stdout=said)
    assert said.getvalue() == "Wrote a.md.\n"
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == "ä"
    call_command("make_docs", "--folder", str(tmp_path), stdout=said)
    assert said.getvalue() == "Wrote a.md.\n"
