"""The simulated phone against a real socket whose other end says what the test wants."""

from __future__ import annotations

from typing import Any

import pytest

from nebengjek_client import Tokens, ValidationFailed
from simulation import phone as module
from simulation.phone import Phone
from tests.clients.script import Script, scripted_server


async def test_frames_and_latencies_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A phone shows every frame and notes how fast commands are answered."""
    monkeypatch.setattr(module, "LATENCIES_KEPT", 2)
    seen: list[tuple[str, str, str]] = []

    async def answer(script: Script, frame: dict[str, Any]) -> None:
        if frame["type"] == "ride_start":
            await script.say("error", {"code": "VALIDATION_FAILED", "message": "no"}, id=frame["id"])
        elif "id" in frame:
            await script.say("ack", {}, id=frame["id"])

    def log(name: str, direction: str, frame: dict[str, Any]) -> None:
        seen.append((name, direction, frame["type"]))

    async with scripted_server(answer) as server, Phone("Dewi", server.url, Tokens("a", "b"), log) as phone:
        await phone.location_update(latitude=1, longitude=2)
        await phone.sync()
        for _ in range(2):
            with pytest.raises(ValidationFailed):
                await phone.ride_start(ride_id="1")
    assert seen[:4] == [
        ("Dewi", "<-", "session_ready"),
        ("Dewi", "->", "location_update"),
        ("Dewi", "->", "sync"),
        ("Dewi", "<-", "ack"),
    ]
    assert len(phone.latencies) == 2
    assert all(0 < latency < 5 for latency in phone.latencies)
