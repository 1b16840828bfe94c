"""What the documents say of the code: paths and names that exist."""

import re
from pathlib import Path

import pytest
from django.conf import settings

BASE = Path(settings.BASE_DIR)
DOCUMENTS = ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in sorted((BASE / "docs").glob("*.md")))]
PATH = re.compile(r"`((?:[\w.-]+/)+(?:[\w.-]+\.(?:py|js|md|lua|html|yaml|json|env))?)(?:: ([\w.]+))?`")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def named(document: str) -> list[tuple[str, str]]:
    """Return the paths that a document names between backticks, each with a name in the file."""
    return [(found[1], found[2] or "") for found in PATH.finditer((BASE / document).read_text(encoding="utf-8"))]


def defines(text: str, name: str) -> bool:
    """Whether a module defines a name, or a class a method."""
    patterns = (rf"^\s*(async def|def|class) {part}\b|^{part}\b.*=" for part in name.split("."))
    return all(re.search(pattern, text, re.MULTILINE) for pattern in patterns)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_that_a_document_names_exists(document: str) -> None:
    """And what it says is in the file, is."""
    for path, name in named(document):
        assert (BASE / path).exists(), f"{document} names {path}"
        if name:
            assert defines((BASE / path).read_text(encoding="utf-8"), name), f"{document} names {path}: {name}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_between_documents_leads_somewhere(document: str) -> None:
    """Relative ones; the others are of the world."""
    for target in LINK.findall((BASE / document).read_text(encoding="utf-8")):
        assert ((BASE / document).parent / target).exists(), f"{document} links to {target}"


def test_the_architecture_names_what_it_walks_through() -> None:
    """The walk is not empty."""
    assert len(named("docs/architecture.md")) > 35
    assert sum(bool(name) for _, name in named("docs/architecture.md")) > 25


def test_a_name_that_is_not_there_is_noticed() -> None:
    """The check can fail."""
    assert defines("class A:\n    async def b(self) -> None: ...\n", "A.b")
    assert not defines("class A: ...\n", "A.b")
    assert defines("ROUTES: dict[str, int] = {}\n", "ROUTES")
