"""What keeps a process from delivering after another one has taken over.

NotActive          this process is not, or may not be, the active bridge
├── Fenced         the lease had another holder when a delivery reached Redis
├── LeaseLost      (`realtime.bridge.lease`) the lease could not be kept
├── Stalled        (`realtime.bridge.watchdog`) a step of the work makes no progress
└── StreamReplaced (`realtime.bridge.position`) the stream is not the one whose position we know
"""

from __future__ import annotations

import msgspec


class NotActive(Exception):
    """This process is not the active bridge any more: it must stop what it does and wait for its turn."""


class Fenced(NotActive):
    """Another process holds the lease; nothing of the batch was delivered."""


class Fence(msgspec.Struct, frozen=True):
    """The condition of a delivery: `lease_key` must have the value `token`.

    When all is delivered, `position`, where there is one, is stored in `position_key`. Both keys, and all whom the
    delivery is for, are on one `shard`.
    """

    lease_key: str
    token: str
    position_key: str
    position: int | None = None
    shard: int = 0
