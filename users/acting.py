"""On whose behalf a transaction acts. Who locks that user's row also checks the token, by the same statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import msgspec

from users.tokens import Claims, check_account


class Actor(msgspec.Struct):
    """A token, and whether its user has been seen under a lock: then nobody can revoke it before the commit."""

    claims: Claims
    is_certain: bool = False


_actor: ContextVar[Actor | None] = ContextVar("actor", default=None)


@contextmanager
def acting(claims: Claims) -> Iterator[Actor]:
    """Let the services within act on behalf of a token."""
    actor = Actor(claims)
    before = _actor.set(actor)
    try:
        yield actor
    finally:
        _actor.reset(before)


def check_locked(users: Iterable[tuple[Any, ...]]) -> None:
    """Raise `Unauthorized` when the actor is among these users and the token does not hold any more.

    `users` are rows that the transaction has locked: id, role, token version, is active.
    """
    actor = _actor.get()
    if actor is None:
        return
    for user_id, *account in users:
        if user_id == actor.claims.user_id:
            check_account(actor.claims, account)
            actor.is_certain = True
