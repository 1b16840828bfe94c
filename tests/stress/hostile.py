"""Clients who mean harm: a million random frames, broken handshakes, violations, resets, slow and idle ones.

    python -m tests.stress.hostile [--frames 1000000] [--handshakes 20000] [--slow 2000] [--idle 5000] [--seed 1]

Starts a server of its own on a database in a temporary folder. A witness is connected all the time and must be
answered. At the end the server must be alive, have logged no error, and have in hand what it had before.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import resource
import string
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tests.stress.rawsocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawSocket, frame, handshake
from tests.stress.violations import VIOLATIONS
from tests.stress.witness import PATIENCE, Seen, watching

if TYPE_CHECKING:
    from devservers.web import ServerProcess

PARSER = argparse.ArgumentParser(description="Clients who mean harm.")
PARSER.add_argument("--frames", type=int, default=1_000_000, help="random frames (%(default)s)")
PARSER.add_argument("--handshakes", type=int, default=20_000, help="random handshakes (%(default)s)")
PARSER.add_argument("--slow", type=int, default=2000, help="handshakes that are never finished (%(default)s)")
PARSER.add_argument("--idle", type=int, default=5000, help="connections that do nothing (%(default)s)")
PARSER.add_argument("--seed", type=int, default=1, help="of what is random (%(default)s)")

BATCH = 250
"""Frames of one connection."""

AT_ONCE = 8
"""Hostile clients at the same time."""

PEOPLE = 1 + 2 * AT_ONCE
"""Users that an attack needs."""

HANDSHAKE_TIMEOUT = 3
"""Seconds that the server of this test gives a handshake."""

MOST_IDLE_KILOBYTES = 30
"""What an idle connection may take."""

MOST_GROWTH_MB = 15
"""How much more memory the server may have in the end than after a twentieth of the attack."""

MOST_DELAY = 0.2
"""Seconds that a witness may wait for an answer, at the median."""

SETTLE = 7.0
"""Seconds after which the server has cut off the last of those who did not say goodbye."""

TYPES = (
    "location_update", "beacon_update", "finder_update", "match_confirm", "ride_start", "ride_arrived",
    "payment_process", "ride_cancel", "token_refresh", "sync", "", "event.deliver", "session.revoke", "close",
)  # fmt: skip
FIELDS = (
    "latitude", "longitude", "timestamp", "accuracy", "is_active", "location", "target_location", "match_id",
    "accepted", "ride_id", "adjustment_factor", "total_cost", "status", "reason", "token", "type", "id", "data", "seq",
    "__class__",
)  # fmt: skip
WORDS = (
    "", "null", "NaN", "0", "ACCEPTED", "00000000-0000-0000-0000-000000000000", "2026-01-01T00:00:00Z", "\0", "\ud800",
    "' OR 1=1 --", "{{7*7}}", "../../etc/passwd", "%s%n", "é" * 20, "a" * 60,
)  # fmt: skip
NUMBERS = (0, -1, 1, 91, 180.5, -6.1754, 106.8272, 1e308, -1e308, 2**63, 2**64, 1e-320, 10**40, True, False, None)


class Outcome(msgspec.Struct):
    """What became of it."""

    frames: int = 0
    connections: int = 0
    handshakes: int = 0
    answers: Counter[str] = msgspec.field(default_factory=Counter)
    witness: Seen = msgspec.field(default_factory=Seen)
    failures: list[str] = msgspec.field(default_factory=list)


class Hostile:
    """Makes up what a hostile client sends; the same again from the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def value(self, depth: int = 0) -> Any:
        """Return any JSON value at all."""
        kind = self._random.randrange(8 if depth < 3 else 5)
        if kind < 2:
            return self._random.choice(NUMBERS)
        if kind < 4:
            return self._random.choice(WORDS)
        if kind == 4:
            return "".join(self._random.choices(string.printable, k=self._random.randrange(30)))
        if kind == 5:
            return [self.value(depth + 1) for _ in range(self._random.randrange(4))]
        return {self._random.choice(FIELDS): self.value(depth + 1) for _ in range(self._random.randrange(5))}

    def text(self) -> bytes:
        """Return the payload of a text frame, not larger than a server takes, from nonsense to almost right."""
        kind = self._random.randrange(6)
        if kind == 0:
            return bytes(self._random.choices(string.printable.encode(), k=self._random.randrange(200)))
        if kind == 1:
            return json.dumps(self.value()).encode()[:512]
        if kind == 2:
            return b"[" * self._random.randrange(512)
        data = {self._random.choice(FIELDS): self.value(1) for _ in range(self._random.randrange(6))}
        envelope: dict[str, Any] = {"type": self._random.choice(TYPES), "data": data}
        if kind == 4:
            envelope["id"] = self.value(2)
        return json.dumps(envelope).encode()[:512]

    def frames(self) -> bytes:
        """Return one message as RFC 6455 allows it: whole or in fragments, with pings between."""
        kind = self._random.randrange(20)
        if kind == 0:
            return frame(BINARY, self._random.randbytes(self._random.randrange(512)))
        if kind == 1:
            return frame(self._random.choice((PING, PONG)), self._random.randbytes(self._random.randrange(126)))
        text = self.text()
        if kind > 3:
            return frame(TEXT, text)
        place = self._random.randrange(len(text) + 1)
        between = frame(PING, b"between") if kind == 2 else b""
        return frame(TEXT, text[:place], fin=False) + between + frame(CONTINUATION, text[place:])

    def handshake(self, host: str, token: str) -> bytes:
        """Return a request that is broken in one way or another."""
        good = handshake(host, token)
        kind = self._random.randrange(6)
        if kind == 0:
            return self._random.randbytes(self._random.randrange(1, 400))
        if kind == 1:
            return good[: self._random.randrange(len(good))]
        if kind == 2:
            lines = good.split(b"\r\n")
            del lines[self._random.randrange(len(lines) - 2)]
            return b"\r\n".join(lines)
        if kind == 3:
            place = self._random.randrange(len(good))
            return good[:place] + self._random.randbytes(self._random.randrange(1, 5)) + good[place + 1 :]
        if kind == 4:
            return good[:-2] + b"X-Long: " + b"x" * self._random.choice((10, 5000, 100_000)) + b"\r\n\r\n"
        return good.replace(b"13", str(self._random.randrange(100)).encode(), 1)

    def choose(self, count: int) -> int:
        """Return a number below `count`."""
        return self._random.randrange(count)


async def fuzz(host: str, token: str, hostile: Hostile, outcome: Outcome, frames: int) -> None:
    """Send so many frames over several connections; each must answer after its last, and leaves in another way."""
    left = frames
    while left > 0:
        count = min(BATCH, left)
        left -= count
        async with asyncio.timeout(PATIENCE):
            raw = await RawSocket.open(host, token)
            reader = asyncio.create_task(_read_until_answered(raw, outcome))
            for _ in range(count):
                raw.send(hostile.frames())
                await raw.writer.drain()
            raw.send(frame(TEXT, b'{"type":"sync","data":{},"id":"the last"}'))
            await reader
            await _leave(raw, hostile.choose(4), hostile, outcome)
        outcome.frames += count
        outcome.connections += 1


async def _read_until_answered(raw: RawSocket, outcome: Outcome) -> None:
    while True:
        opcode, payload = await raw.read_frame()
        if opcode == CLOSE:
            raise ConnectionError(f"the server closed a connection that had done nothing forbidden: {payload!r}")
        if opcode == TEXT:
            said = json.loads(payload)
            outcome.answers[said["data"].get("code", said["type"]) if said["type"] == "error" else said["type"]] += 1
            if said.get("id") == "the last":
                return


async def _leave(raw: RawSocket, manner: int, hostile: Hostile, outcome: Outcome) -> None:
    """Hang up without a word, with a reset, half, or with what RFC 6455 forbids."""
    if manner == 0:
        raw.close()
    elif manner == 1:
        raw.reset()
    elif manner == 2:
        raw.writer.write_eof()
        await raw.end()
        raw.close()
    else:
        violation = VIOLATIONS[hostile.choose(len(VIOLATIONS))]
        raw.send(violation.data)
        if (code := await raw.end()) not in violation.codes:
            outcome.failures.append(f"{violation.name} ended with {code}")
        raw.close()


async def break_handshakes(host: str, token: str, hostile: Hostile, outcome: Outcome, count: int) -> None:
    """Send so many broken handshakes, and leave some of them half-way."""
    for _ in range(count):
        with contextlib.suppress(ConnectionError):
            raw = await RawSocket.connect(host)
            raw.send(hostile.handshake(host, token))
            manner = hostile.choose(3)
            if manner == 0:
                raw.reset()
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05 if manner == 1 else 2 * HANDSHAKE_TIMEOUT):
                        await raw.reader.read(1)
                raw.close()
        outcome.handshakes += 1


async def wait_for_the_slow(host: str, token: str, count: int) -> float:
    """Leave so many handshakes unfinished; return after how many seconds a good client is in, meanwhile."""
    slow = [await RawSocket.connect(host) for _ in range(count)]
    for raw in slow:
        raw.send(handshake(host, token)[:40])
    begun = time.monotonic()
    good = await RawSocket.open(host, token)
    took = time.monotonic() - begun
    good.close()
    async with asyncio.timeout(PATIENCE):
        heads = await asyncio.gather(*(raw.reader.read(12) for raw in slow))
    for raw in slow:
        raw.close()
    if given_up := Counter(heads)[b"HTTP/1.1 408"] != count:
        raise AssertionError(f"Of {count} unfinished handshakes only {given_up} were given up.")
    return took


async def attack(server: ServerProcess, tokens: list[str], *, frames: int, handshakes: int, seed: int) -> Outcome:
    """Let `AT_ONCE` hostile clients do their worst, each with a token of its own, and one witness look on."""
    outcome = Outcome()
    host = server.url.removeprefix("http://")
    attackers = [Hostile(seed * 1000 + n) for n in range(AT_ONCE)]
    async with watching(host, tokens[0]) as outcome.witness, asyncio.TaskGroup() as group:
        for place, hostile in enumerate(attackers):
            # Two users each: a handshake that was not broken after all takes over from who has the same token.
            group.create_task(fuzz(host, tokens[1 + place], hostile, outcome, frames // AT_ONCE))
            other = tokens[1 + AT_ONCE + place]
            group.create_task(break_handshakes(host, other, hostile, outcome, handshakes // AT_ONCE))
    if outcome.witness.refused:
        outcome.failures.append(f"the witness was refused {outcome.witness.refused} times")
    return outcome


async def idle(server: ServerProcess, tokens: list[str]) -> list[RawSocket]:
    """Connect everybody, and let them do nothing."""
    host = server.url.removeprefix("http://")
    sockets: list[RawSocket] = []
    gate = asyncio.Semaphore(50)

    async def one(token: str) -> None:
        async with gate:
            raw = await RawSocket.open(host, token)
            await raw.read_frame()
            sockets.append(raw)

    await asyncio.gather(*(one(token) for token in tokens))
    return sockets


def main() -> int:
    """Start a server, attack it, and say what became of it; the exit code is 1 where something is wrong."""
    options = PARSER.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    folder = tempfile.TemporaryDirectory(prefix="bench-hostile-")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nebengjek.settings")
    os.environ.setdefault("DEBUG", "true")
    os.environ["DATABASE_URL"] = f"sqlite:///{folder.name}/e2e.sqlite3"

    import django

    django.setup()

    from django.core.management import call_command
    from django.db import connection

    from bench.database import make_people
    from devservers.web import ServerProcess

    call_command("migrate", verbosity=0)
    tokens = make_people(max(options.idle, PEOPLE) + 1)
    connection.close()
    limits = {"WS_LOCATION_RATE": "0", "WS_HANDSHAKE_TIMEOUT": f"{HANDSHAKE_TIMEOUT}s", "LOG_LEVEL": "WARNING"}
    limits["COMMAND_ID_TTL"] = "5s"  # hostile clients use few ids: so each is free again, and taken, many times
    server = ServerProcess(Path(folder.name), "-m", "tests.stress.census", "serve", "--port", "0", **limits).start()
    try:
        return _measure(server, tokens, options)
    finally:
        server.stop()


def _measure(server: ServerProcess, tokens: list[str], options: argparse.Namespace) -> int:
    from bench.process import memory_mb, open_files
    from tests.stress.census import census_of

    assert server.process
    pid = server.process.pid

    def look() -> dict[str, float]:
        time.sleep(SETTLE)
        counts = census_of(server)
        return {**counts, "files": open_files(pid), "MB": round(memory_mb(pid), 1)}

    small = {"frames": options.frames // 20, "handshakes": options.handshakes // 20}
    failures = asyncio.run(attack(server, tokens, **small, seed=options.seed)).failures
    before = look()
    show(f"before: {before}")
    begun = time.monotonic()
    big = {"frames": options.frames, "handshakes": options.handshakes}
    outcome = asyncio.run(attack(server, tokens, **big, seed=options.seed + 1))
    took = time.monotonic() - begun
    show(f"{outcome.frames} frames, {outcome.connections} connections, {outcome.handshakes} handshakes in {took:.0f} s")
    show(f"answers: {dict(outcome.answers.most_common())}")
    seen = outcome.witness
    show(f"the witness was answered {seen.answers} times: median {seen.median * 1000:.0f} ms, worst {seen.worst:.2f} s")
    after = look()
    show(f"after: {after}")
    failures += outcome.failures
    if seen.median > MOST_DELAY:
        failures.append(f"the witness waited {seen.median:.2f} s at the median")
    waited = asyncio.run(wait_for_the_slow(server.url.removeprefix("http://"), tokens[0], options.slow))
    show(f"beside {options.slow} handshakes that are never finished, a good one took {waited * 1000:.0f} ms")
    kilobytes = _memory_of_idle(server, tokens[1 : options.idle + 1])
    show(f"an idle connection takes {kilobytes:.1f} kB")
    if options.idle >= 1000 and kilobytes > MOST_IDLE_KILOBYTES:
        failures.append(f"an idle connection takes more than {MOST_IDLE_KILOBYTES} kB")
    said = "".join(server.output)
    failures += [line for line in said.splitlines() if "Traceback" in line or "ERROR" in line]
    if failures:
        show(said[-20_000:])
    if after["MB"] > before["MB"] + MOST_GROWTH_MB:
        failures.append(f"memory: {before['MB']} MB before, {after['MB']} MB after")
    for name in ("tasks", "connections", "groups", "mailboxes", "files"):
        if after[name] > before[name]:
            failures.append(f"{name}: {before[name]} before, {after[name]} after")
    for failure in failures[:20]:
        show(f"WRONG: {failure}")
    return 1 if failures else 0


def _memory_of_idle(server: ServerProcess, tokens: list[str]) -> float:
    """Return the kilobytes that each of so many idle connections takes."""
    from bench.process import memory_mb
    from tests.stress.census import census_of

    assert server.process
    pid = server.process.pid

    async def connect_and_look() -> float:
        empty = memory_mb(pid)
        sockets = await idle(server, tokens)
        await asyncio.sleep(3)
        await asyncio.to_thread(census_of, server)  # what is garbage is no cost of a connection
        full = memory_mb(pid)
        for raw in sockets:
            raw.close()
        return (full - empty) * 1024 / len(sockets)

    return asyncio.run(connect_and_look())


def show(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
