"""The reasons of errors: each refusal has one, and each means one thing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from common.errors import ErrorReason
from nebengjek.settings import BASE_DIR
from web.docs.asyncapi import REASONS

APPS = ("common", "events", "users", "rides", "realtime", "web", "nebengjek")
REFUSALS = {"ValidationFailed", "Conflict", "InvalidFormat", "RateLimited"}
"""`Unauthorized` says no more than its code on purpose."""

WITHOUT = {"users/support.py"}
"""What only commands of operators raise."""


def test_each_refusal_has_a_reason() -> None:
    """Wherever an error of the contract is made, its reason is said too."""
    bare = [f"{path}:{call.lineno}" for path, call in _refusals() if "reason" not in {one.arg for one in call.keywords}]
    assert not [place for place in bare if place.split(":")[0] not in WITHOUT]
    assert len(list(_refusals())) > 50


def test_each_reason_means_one_thing() -> None:
    """No word and no meaning is there twice, in all apps; documents list the reasons of each."""
    assert set(REASONS) == set(ErrorReason.__subclasses__())
    words = [word for kind in REASONS for word in kind]
    assert len({word.value for word in words}) == len({word.meaning for word in words}) == len(words)
    for word in words:
        assert word.value == word.name.lower()
        assert word.meaning.endswith(".")


def test_each_reason_is_given() -> None:
    """None is only documented."""
    used = {
        node.attr
        for path in _sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id.endswith("Reason")
    }
    assert not {word.name for kind in REASONS for word in kind} - used


def _refusals() -> Iterator[tuple[str, ast.Call]]:
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in REFUSALS:
                yield str(path.relative_to(BASE_DIR)), node


def _sources() -> Iterator[Path]:
    for app in APPS:
        yield from (BASE_DIR / app).rglob("*.py")
