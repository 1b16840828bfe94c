"""Both glossaries, that of the rides and that of the socket: no entry that nothing has."""

from common.rest.schemas import components
from realtime.commands.routes import ROUTES
from rides.glossary import GLOSSARY
from rides.snapshots import RideDetail
from web.docs.asyncapi import glossary
from web.docs.asyncapi.document import sent_structs


def fields_of(kinds: list[type]) -> set[str]:
    schemas = components(kinds, {})
    return {f"{name}.{field}" for name, schema in schemas.items() for field in schema.get("properties", {})}


def test_every_entry_is_of_a_field_that_exists() -> None:
    said = fields_of([route.command for route in ROUTES.values()])
    heard = fields_of([*sent_structs(), RideDetail])
    everywhere = said | heard
    bare = {name.split(".")[1] for name in everywhere}
    assert set(glossary.COMMANDS) - set(GLOSSARY) <= said
    assert set(glossary.MESSAGES) - set(GLOSSARY) <= heard
    for name in GLOSSARY:
        assert name in everywhere if "." in name else name in bare, name


def test_every_entry_is_a_sentence() -> None:
    for name, text in {**glossary.COMMANDS, **glossary.MESSAGES}.items():
        assert text.endswith("."), name
