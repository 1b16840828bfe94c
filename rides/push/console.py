"""Push for development."""

from __future__ import annotations

import sys
from typing import ClassVar

import msgspec

from rides.models import DeviceKind
from rides.push.base import Target, Wake


class ConsolePush:
    """Writes what would be sent to standard output, without the device's token."""

    kinds: ClassVar[tuple[str, ...]] = tuple(DeviceKind.values)
    application_server_key = ""

    def check(self, target: Target) -> None:
        """Take any device."""

    def send(self, target: Target, wake: Wake, seconds: int) -> None:
        """Print one line."""
        payload = msgspec.json.encode(wake).decode()
        sys.stdout.write(f"Push to a {target.kind} device, for {seconds} s: {payload}\n")
        sys.stdout.flush()
