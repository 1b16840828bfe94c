import re

import pytest
from django.conf import settings

from realtime.commands.routes import ROUTES
from rides.situations import Situation
from web.docs.clients import BY_HAND, javascript_commands, python_commands, type_of, typescript
from web.docs.clients import PYTHON_GIVEN as PYTHON
from web.docs.clients import TYPESCRIPT as TS


@pytest.mark.parametrize("kind", sorted(set(ROUTES) - set(BY_HAND)))
def test_every_command_is_a_method_of_both_clients(kind: str) -> None:
    """In the spelling of each language."""
    name = re.sub(r"_(\w)", lambda found: found[1].upper(), kind)
    assert f"    async def {kind}(" in python_commands()
    assert re.search(rf'  {name}\(.*\) {{ return this.command\("{kind}", .*, options\); }}', javascript_commands())
    assert re.search(rf"  {name}\(.*\): Ack;", typescript())


@pytest.mark.parametrize("kind", BY_HAND)
def test_commands_that_need_more_are_written_by_hand(kind: str) -> None:
    """And only those."""
    assert f"async def {kind}(" not in python_commands()
    folder = settings.BASE_DIR / "clients"
    assert f"async def {kind}(" in (folder / "python/src/nebengjek_client/client.py").read_text()
    name = re.sub(r"_(\w)", lambda found: found[1].upper(), kind)
    assert f"  {name}(" in (folder / "javascript/src/nebengjek.js").read_text().replace("async ", "")


@pytest.mark.parametrize(
    ("schema", "python", "typescript"),
    [
        ({"type": "string", "format": "uuid"}, "Id", "string"),
        ({"type": ["string", "null"], "format": "date-time"}, "datetime | str | None", "string | null"),
        ({"type": "string", "enum": ["A", "B"]}, 'Literal["A", "B"]', '"A" | "B"'),
        (
            {"type": "array", "items": {"type": "string", "enum": ["A", "B"]}},
            'list[Literal["A", "B"]]',
            '("A" | "B")[]',
        ),
        ({"anyOf": [{"$ref": "#/components/schemas/GeoPoint"}, {"type": "null"}]}, "Location | None", "Place | null"),
        ({"type": "array", "items": {"$ref": "#/x/OpenMatch"}}, "list[Match]", "Match[]"),
        ({"type": "integer", "minimum": 0}, "int", "number"),
    ],
)
def test_a_schema_is_a_type_in_both_languages(schema: dict[str, object], python: str, typescript: str) -> None:
    """The same facts, two spellings."""
    assert (type_of(schema, PYTHON), type_of(schema, TS)) == (python, typescript)


def test_the_javascript_client_knows_every_situation() -> None:
    """A new situation needs a line in `state.js`."""
    text = (settings.BASE_DIR / "clients/javascript/src/nebengjek/state.js").read_text()
    facts = set(re.findall(r"^    ([A-Z_]+):", text, re.MULTILINE))
    assert facts == {one.name for one in Situation}


def test_a_value_by_default_is_sent_by_both_clients() -> None:
    """Paying is what `payment_process` is for."""
    assert '        status: Literal["ACCEPTED", "REJECTED"] = "ACCEPTED",' in python_commands()
    assert '{ status: "ACCEPTED", ...data }' in javascript_commands()
    assert 'status?: "ACCEPTED" | "REJECTED"' in typescript()
