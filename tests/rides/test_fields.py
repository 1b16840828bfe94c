from web.docs.asyncapi import document
from web.docs.outputs import default_url


def test_every_field_says_what_it_means_in_a_sentence() -> None:
    """In the class or, where several share it, in `rides.fields`."""
    for name, schema in document(default_url())["components"]["schemas"].items():
        for field, own in schema.get("properties", {}).items():
            if not name.endswith(("Command", "Message")) or field not in ("type", "data"):
                assert own.get("description", "").endswith("."), f"{name}.{field}"
