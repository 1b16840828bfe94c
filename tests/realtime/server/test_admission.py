"""Who gets a connection, who makes room, and who finds none."""

from __future__ import annotations

import logging
import resource
from typing import Any

import pytest

from common.descriptors import needed
from realtime.server.admission import Admission, State, address_of_peer, backlog, most_connections

A, B = "192.0.2.1", "192.0.2.2"


class Connection:
    """A connection that notes whether it was closed."""

    def __init__(self, address: str | None = A) -> None:
        self.address = address
        self.evicted = False

    def evict(self) -> None:
        self.evicted = True


def enter(bounds: Admission, count: int, address: str | None = A, *, wait: bool = True) -> list[Connection]:
    """Let so many connections in."""
    made = [Connection(address) for _ in range(count)]
    for connection in made:
        assert bounds.enter(connection)
        if wait:
            bounds.wait(connection)
    return made


def test_the_longest_waiting_makes_room() -> None:
    """Where an address has as many as it may, the one that has waited longest is closed for the next."""
    bounds = Admission(100, 3)
    first, second, third = enter(bounds, 3)
    bounds.work(first)
    bounds.wait(first)  # again, so that it is not the oldest any more
    enter(bounds, 2)
    assert (first.evicted, second.evicted, third.evicted) == (False, True, True)


def test_who_works_makes_no_room() -> None:
    """A connection that the server is working on is not closed; the next one finds no room."""
    bounds = Admission(100, 3)
    working = enter(bounds, 3, wait=False)
    assert not bounds.enter(Connection())
    assert not any(connection.evicted for connection in working)
    bounds.leave(working[0])
    assert bounds.enter(Connection())


def test_other_addresses_are_left_alone() -> None:
    """An address that has too many takes nothing from the others."""
    bounds = Admission(100, 3)
    others = enter(bounds, 3, B)
    enter(bounds, 50, A)
    assert not any(connection.evicted for connection in others)
    assert bounds.enter(Connection(B))


def test_known_people_count_no_more_by_address() -> None:
    """A thousand people behind one address are welcome, once their tokens were seen, and are never closed."""
    bounds = Admission(2000, 3)
    people = []
    for _ in range(1000):
        people += enter(bounds, 1)
        bounds.know(people[-1])
    enter(bounds, 50)
    assert not any(person.evicted for person in people)


def test_all_connections_are_bounded() -> None:
    """Where there are as many as there may be, the one that has waited longest makes room, from whichever address."""
    bounds = Admission(4, 100)
    [known] = enter(bounds, 1)
    bounds.know(known)
    waiting = enter(bounds, 1, A) + enter(bounds, 1, B) + enter(bounds, 1, None)
    enter(bounds, 3, B)
    assert [connection.evicted for connection in waiting] == [True, True, True]
    for connection in enter(bounds, 3, None):
        bounds.know(connection)
    assert not bounds.enter(Connection(B))
    assert not known.evicted


def test_trusted_proxies_are_not_counted() -> None:
    """All clients of a proxy come from its address."""
    bounds = Admission(100, 3)
    assert not any(connection.evicted for connection in enter(bounds, 50, None))


def test_zero_is_no_limit_by_address() -> None:
    """`MAX_UNKNOWN_PER_ADDRESS=0` turns the limit off."""
    bounds = Admission(100, 0)
    assert not any(connection.evicted for connection in enter(bounds, 99))


def test_who_has_left_is_forgotten() -> None:
    """Connections that have ended, in whichever state, leave their places to others."""
    bounds = Admission(4, 3)
    for _ in range(10):
        waiting, working, known = enter(bounds, 3)
        bounds.work(working)
        bounds.know(known)
        for connection in (waiting, working, known, known):
            bounds.leave(connection)
        assert not any(connection.evicted for connection in (waiting, working, known))


def test_late_words_about_the_gone_change_nothing() -> None:
    """What is said of a connection after its end does not bring it back."""
    bounds = Admission(2, 1)
    [gone] = enter(bounds, 1)
    bounds.leave(gone)
    bounds.wait(gone)
    bounds.know(gone)
    enter(bounds, 2)
    assert not gone.evicted


def test_refusals_are_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """A flood of connections does not fill the log."""
    bounds = Admission(2, 1)
    enter(bounds, 1, wait=False)
    with caplog.at_level(logging.WARNING, "realtime"):
        for _ in range(100):
            assert not bounds.enter(Connection())
    assert [record.message for record in caplog.records] == [
        "Refusing connections: there are 1 unknown connections from 192.0.2.1, and none of them can be closed."
    ]


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.1", 1), "192.0.2.1"),
        (("2001:db8:1:2::3", 1), "2001:db8:1:2::/64"),
        (("10.0.0.1", 1), None),
        (None, None),
    ],
)
def test_peers_are_counted_by_network(settings: Any, client: tuple[str, int] | None, address: str | None) -> None:
    """An IPv6 customer has a network; trusted proxies and Unix sockets are not counted."""
    settings.TRUSTED_PROXIES = ["10.0.0.1"]
    assert address_of_peer(client) == address


@pytest.mark.parametrize(
    ("descriptors", "most"), [(64, 12), (256, 171), (1024, 683), (65_536, 63_232), (1_048_576, 100_000)]
)
def test_descriptors_are_kept_for_other_things(monkeypatch: pytest.MonkeyPatch, descriptors: int, most: int) -> None:
    """Of the file descriptors at least a third, or 2,304, are not for connections."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (descriptors, descriptors))
    assert most_connections() == most
    assert most + backlog() + needed() <= descriptors


def test_with_hardly_any_descriptors_somebody_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (32, 32))
    assert (most_connections(), backlog()) == (1, 4)


def test_unlimited_descriptors_are_enough(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Where the system has no limit of descriptors, `MAX_CONNECTIONS` is the only one."""
    unlimited = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda _: (unlimited, unlimited))
    assert most_connections() == settings.MAX_CONNECTIONS


def test_one_address_never_gets_all(settings: Any) -> None:
    """However high the limit by address is, one address gets at most half of all connections."""
    settings.MAX_CONNECTIONS, settings.MAX_UNKNOWN_PER_ADDRESS = 4, 512
    bounds = State().admission
    others = enter(bounds, 2, B)
    enter(bounds, 50, A)
    assert not any(connection.evicted for connection in others)
