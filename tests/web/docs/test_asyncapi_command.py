import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from jsonschema import Draft7Validator

from web.docs.asyncapi import document, render
from web.docs.outputs import default_url

OFFICIAL = json.loads((Path(settings.BASE_DIR) / "tests/data/asyncapi-3.0.0.json").read_text())


def faults(made: dict[str, Any]) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in Draft7Validator(OFFICIAL).iter_errors(made)]


def test_it_is_a_document_of_asyncapi_3() -> None:
    made = json.loads(render(default_url()))
    assert made["asyncapi"] == "3.0.0"
    assert faults(made) == []


@pytest.mark.parametrize("lost", ["info", "asyncapi"])
def test_what_is_no_document_of_asyncapi_is_noticed(lost: str) -> None:
    made = document(default_url())
    del made[lost]
    assert faults(made)
    made = document(default_url())
    made["operations"]["sendRideStart"]["action"] = "shout"
    assert faults(made)


def test_every_reference_leads_somewhere() -> None:
    made = document(default_url())

    def references(part: Any) -> list[str]:
        if isinstance(part, list):
            return [one for item in part for one in references(item)]
        if isinstance(part, dict):
            own = [part["$ref"]] if "$ref" in part else []
            return own + [one for item in part.values() for one in references(item)]
        return []

    found = references(made)
    assert len(found) > 100
    for reference in set(found):
        place = made
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_the_command_prints_it_or_writes_it(tmp_path: Path) -> None:
    printed, said = StringIO(), StringIO()
    call_command("asyncapi", stdout=printed)
    assert printed.getvalue() == render(default_url())
    call_command("asyncapi", "--output", str(tmp_path / "a.json"), "--url", "https://nebeng.example/x", stdout=said)
    assert said.getvalue() == f"Wrote {tmp_path / 'a.json'}.\n"
    server = json.loads((tmp_path / "a.json").read_text())["servers"]["server"]
    assert (server["host"], server["pathname"], server["protocol"]) == ("nebeng.example", "/x", "wss")
