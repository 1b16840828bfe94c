import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from realtime.history import EVENT_ID_TTL, MemoryHistory

A, B = UUID(int=1), UUID(int=2)


async def fill(history: MemoryHistory, count: int) -> None:
    for n in range(count):
        await history.append(A, f"e{n}", "t", b"{}")


async def test_numbers_count_up_by_user_without_gaps() -> None:
    history = MemoryHistory()
    numbers = [(await history.append(A, f"e{n}", "t", b"{}")).seq for n in range(3)]
    assert numbers == [1, 2, 3]
    assert (await history.append(B, "e0", "t", b"{}")).seq == 1
    assert await history.head(A) == 3
    assert await history.head(UUID(int=9)) == 0


async def test_the_same_event_gets_the_same_number() -> None:
    history = MemoryHistory()
    first = await history.append(A, "e", "t", b'{"a":1}')
    await history.append(A, "f", "t", b"{}")
    assert await history.append(A, "e", "t", b'{"a":1}') == first
    assert await history.head(A) == 2


async def test_what_was_missed_is_given_again() -> None:
    history = MemoryHistory()
    await fill(history, 5)
    missed = await history.since(A, 3)
    assert missed is not None
    assert [item.seq for item in missed] == [4, 5]
    assert missed[0].frame == b'{"type":"t","data":{},"seq":4}'
    assert await history.since(A, 5) == []
    assert await history.since(UUID(int=9), 0) == []


@pytest.mark.parametrize("seq", [6, 10**17, -1])
async def test_nobody_resumes_from_what_was_not_yet(seq: int) -> None:
    history = MemoryHistory()
    await fill(history, 5)
    assert await history.since(A, seq) is None


async def test_only_so_many_are_kept(settings: Any) -> None:
    settings.HISTORY_MAX = 3
    history = MemoryHistory()
    await fill(history, 5)
    assert await history.since(A, 1) is None
    kept = await history.since(A, 2)
    assert kept is not None
    assert [item.seq for item in kept] == [3, 4, 5]


async def test_only_for_so_long(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.HISTORY_TTL = timedelta(seconds=10)
    history = MemoryHistory()
    await fill(history, 2)
    now = time.monotonic()
    monkeypatch.setattr("realtime.history.time.monotonic", lambda: now + 11)
    assert await history.since(A, 0) is None
    history.purge()
    assert not history._users[A].frames
    assert (await history.append(A, "new", "t", b"{}")).seq == 3
    monkeypatch.setattr("realtime.history.time.monotonic", lambda: now + EVENT_ID_TTL + 1)
    history.purge()
    assert list(history._users[A].numbers) == ["new"]


def test_every_generation_has_its_own_name() -> None:
    names = {MemoryHistory().epoch for _ in range(10)}
    assert len(names) == 10
    assert all(name.replace("-", "").replace("_", "").isalnum() for name in names)
