"""The translations: complete, compiled, and with the placeholders of the originals."""

import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

CATALOGUES = sorted((Path(settings.BASE_DIR) / "web/locale").rglob("*.po"))
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%s|\{\w*\}|%%|<[^>]+>")


def texts(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield each text as it is looked up, its last form (the plural, if there is one) and the translation."""
    for entry in path.read_text().split("\n\n")[1:]:
        parts = re.findall(r'^(msgid|msgid_plural|msgstr(?:\[0\])?) ((?:".*"\n?)+)', entry, re.MULTILINE)
        read = {name: "".join(eval(line) for line in lines.splitlines()) for name, lines in parts}
        last = read.get("msgid_plural", read["msgid"])
        yield read["msgid"], last, read.get("msgstr[0]", read.get("msgstr", ""))


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.name)
def test_every_text_is_translated(path: Path) -> None:
    """None is empty or a guess of the tool, and each has the placeholders and tags of the original."""
    assert "#, fuzzy" not in path.read_text()
    for _, text, translated in texts(path):
        assert translated, text
        assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(translated)), text


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.name)
def test_the_compiled_catalogue_is_up_to_date(path: Path) -> None:
    """`make texts` compiles; pages read the compiled one alone."""
    with path.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for text, last, translated in texts(path):
        found = compiled.gettext(text) if text == last else compiled.ngettext(text, last, 2)
        assert found == translated, text
