"""Threads that push: nothing waits for a push service, and no transaction is open meanwhile."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection
from functools import partial
from uuid import UUID

from django.db import transaction

from common import clock
from common.errors import brief
from common.process import process
from common.retrying import repetition
from common.senders import Senders
from rides.models import Device
from rides.push.base import DeviceGone, PushBackend, Target, Wake, push_backend
from users.presence import presence

logger = logging.getLogger(__name__)

THREADS = 4
WAITING = 1000
"""Wakes that wait at most; a push service that hangs must not fill the memory."""


class PushSender:
    """Wakes people, one after the other; what is too much is dropped."""

    def __init__(self) -> None:
        self._senders = Senders("push", threads=THREADS, waiting=WAITING)

    def put(self, user_ids: Collection[UUID], wake: Wake, *, only_away: bool) -> None:
        """Wake these users soon; with `only_away` only those without a socket."""
        self._senders.put(lambda: push(user_ids, wake, only_away=only_away))

    def settle(self) -> None:
        """Wait for everything that was put."""
        self._senders.settle()


def wake_up(*user_ids: UUID, wake: Wake, only_away: bool = False) -> None:
    """Wake the phones of users when the caller's transaction has been committed; with `only_away` those without one."""
    transaction.on_commit(partial(push_sender().put, user_ids, wake, only_away=only_away))


def push(user_ids: Collection[UUID], wake: Wake, *, only_away: bool = False) -> int:
    """Push to all devices of these users; return how many took it. Devices that are gone are removed."""
    seconds = math.floor((wake.expires_at - clock.now()).total_seconds())
    chosen = set(user_ids) - (presence().online(user_ids) if only_away else set())
    if seconds <= 0 or not chosen:
        return 0
    backend = push_backend()
    devices = list(Device.objects.filter(user__in=chosen, user__is_active=True, kind__in=backend.kinds))
    return sum(_send(backend, device, wake, seconds) for device in devices)


def _send(backend: PushBackend, device: Device, wake: Wake, seconds: int) -> bool:
    try:
        backend.send(Target(device.kind, device.token, device.keys), wake, seconds)
    except DeviceGone:
        logger.info("A device is gone; its push address is removed.")
        Device.objects.filter(pk=device.pk).delete()
    except Exception as exc:
        if repetition(_send).is_new(reason := brief(exc)):
            logger.warning("A push was not taken: %s", reason)
    else:
        return True
    return False


def push_sender() -> PushSender:
    """Return the sender of this process."""
    return process.one(PushSender, PushSender)
