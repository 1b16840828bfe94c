"""Somebody who is connected while others attack: asks `sync` again and again, and says how long the answers took.

    python -m tests.stress.witness HOST:PORT TOKEN

A process of its own, or it would measure how busy the attackers are. It ends with its standard input, and prints how
many answers it got, their median and the worst in seconds, and how many were none.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from tests.stress.rawsocket import CLOSE, TEXT, RawSocket, frame

PAUSE = 0.2
"""Seconds between an answer and the next question."""

PATIENCE = 180.0
"""Seconds after which an answer will not come any more."""

SYNC = b'{"type":"sync","data":{},"id":"%d"}'


class Seen(msgspec.Struct):
    """How the witness was answered; known when the block of `watching` has ended."""

    answers: int = 0
    refused: int = 0
    median: float = 0.0
    worst: float = 0.0


@asynccontextmanager
async def watching(host: str, token: str) -> AsyncIterator[Seen]:
    """Let a witness ask for as long as the block takes."""
    seen = Seen()
    command = [sys.executable, "-m", "tests.stress.witness", host, token]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    try:
        yield seen
        said, _ = await process.communicate(b"")  # which closes its standard input
        if process.returncode:
            raise ConnectionError("The witness was not answered.")
        for name, value in msgspec.structs.asdict(msgspec.json.decode(said, type=Seen)).items():
            setattr(seen, name, value)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ask(raw: RawSocket, number: int) -> bool:
    """Ask, and wait for the answer; return whether it was one."""
    raw.send(frame(TEXT, SYNC % number))
    while True:
        opcode, payload = await raw.read_frame()
        if opcode == CLOSE:
            raise ConnectionError("The witness was shown out.")
        if opcode == TEXT and (said := json.loads(payload)).get("id") == str(number):
            return bool(said["type"] == "ack")


async def witness(host: str, token: str) -> Seen:
    """Ask until standard input ends, at least once."""
    loop = asyncio.get_running_loop()
    over = loop.run_in_executor(None, sys.stdin.read)
    raw = await RawSocket.open(host, token)
    took: list[float] = []
    refused = 0
    while not (took and over.done()):
        began = time.perf_counter()
        async with asyncio.timeout(PATIENCE):
            refused += not await ask(raw, len(took))
        took.append(time.perf_counter() - began)
        await asyncio.wait([over], timeout=PAUSE)
    raw.close()
    return Seen(len(took), refused, round(statistics.median(took), 4), round(max(took), 4))


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(asyncio.run(witness(*sys.argv[1:]))).decode())
