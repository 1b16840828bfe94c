"""From a frame to a command that is carried out once, and its answer."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from common.db import database_now, delete_batch
from common.errors import DomainError, InvalidFormat, RateLimited, Unauthorized, ValidationFailed
from realtime.commands.routes import ROUTES, Route
from realtime.contract.frames import BadFrame, Command, Frame, error_data, plain_values, readable
from realtime.models import CommandReceipt
from users.tokens import Claims, user_of

logger = logging.getLogger(__name__)

Answer = dict[str, Any]
"""`{"type": "ack" or "error", "data": {…}}`, as it is stored and sent."""


NOT_STORED = frozenset({InvalidFormat.code, RateLimited.code})
"""Errors after which a command may be sent again with the same `id`."""


def route_of(frame: Frame) -> Route:
    """Return the route of a frame; raise `BadFrame` for a type that does not exist."""
    route = ROUTES.get(frame.type)
    if route is None:
        raise BadFrame(InvalidFormat(f"unknown message type: {frame.type}", field="type"), frame.command_id)
    return route


def read_command(route: Route, role: str, frame: Frame) -> Command:
    """Return the command of a frame. Who may not send it hears nothing about its fields (`Unauthorized`)."""
    if role not in route.roles:
        raise Unauthorized(f"{frame.type} is not for the role {role}")
    try:
        return route.decode(frame.data)
    except msgspec.ValidationError as exc:
        with contextlib.suppress(msgspec.ValidationError):
            return msgspec.convert(plain_values(frame.data), route.command)
        raise readable(str(exc)) from exc
    except (msgspec.DecodeError, RecursionError) as exc:
        raise InvalidFormat(f"data: {exc}.", field="data") from exc


def execute(claims: Claims, route: Route, frame: Frame) -> Answer:
    """Carry out a command of the domain and return its answer; with an `id` it happens once, and the answer is kept.

    Everything, also what is wrong with the command, is settled in one transaction with the receipt. Whatever is not a
    `DomainError` is raised, and then nothing has happened and nothing is stored.
    """
    if frame.command_id is None:
        return _attempt(claims, route, frame)
    with transaction.atomic():
        receipt, is_new = _receipt(claims.user_id, route, frame)
        if not is_new:
            return _stored_answer(receipt, route, frame)
        answer = _attempt(claims, route, frame)
        if answer["data"].get("code") in NOT_STORED:
            receipt.delete()
        else:
            receipt.answer = answer
            receipt.save(update_fields=["answer"])
        return answer


def purge_receipts() -> int:
    """Delete a batch of the answers that are no longer given again; return how many."""
    return delete_batch(CommandReceipt.objects.filter(created_at__lt=database_now() - settings.COMMAND_ID_TTL))


def error_answer(exc: DomainError) -> Answer:
    """Return the answer for a command that was refused."""
    return {"type": "error", "data": error_data(exc)}


def _attempt(claims: Claims, route: Route, frame: Frame) -> Answer:
    """Call the service, unless the token's user, role or version have come to an end.

    That is looked at last: the service has locked the user by then, so that nothing can come in between; a socket that
    is about to be closed does not slip in one more command.
    """
    assert route.service is not None
    try:
        command = read_command(route, claims.role, frame)
        with transaction.atomic():
            result = route.service(user_id=claims.user_id, **msgspec.structs.asdict(command))
            user_of(claims)
    except DomainError as exc:
        logger.info("Refused: %s", exc.message, extra={"code": exc.code.value})
        return error_answer(exc)
    return {"type": "ack", "data": result or {}}


def _receipt(user_id: UUID, route: Route, frame: Frame) -> tuple[CommandReceipt, bool]:
    """Return the receipt of a command's id, and whether it was made now; a second sender waits for the first."""
    now = timezone.now()
    own = CommandReceipt.objects.filter(user_id=user_id, command_id=frame.command_id)
    own.filter(created_at__lt=now - settings.COMMAND_ID_TTL).delete()
    values = {"type": frame.type, "digest": _digest(route, frame), "answer": {}, "created_at": now}
    return own.get_or_create(user_id=user_id, command_id=frame.command_id, defaults=values)


def _stored_answer(receipt: CommandReceipt, route: Route, frame: Frame) -> Answer:
    if receipt.digest not in (_digest(route, frame), _digest_of_json(frame)):
        return error_answer(ValidationFailed(f"id: was used for another command ({receipt.type}) before.", field="id"))
    answer: Answer = receipt.answer
    return answer


def _digest(route: Route, frame: Frame) -> str:
    """Return a hash of type and data by what they mean: a UUID in upper case or 90.0 for 90 changes nothing."""
    try:
        command = msgspec.convert(plain_values(frame.data), route.command)
    except (msgspec.DecodeError, RecursionError):
        return _digest_of_json(frame)
    return _hash(frame.type, msgspec.json.encode(command, order="sorted"))


def _digest_of_json(frame: Frame) -> str:
    """Return a hash of type and data as they are written, for what is no command and for answers of version 0.1.0."""
    try:
        data = msgspec.json.encode(msgspec.json.decode(frame.data), order="sorted")
    except (msgspec.DecodeError, RecursionError):
        data = bytes(frame.data)
    return _hash(frame.type, data)


def _hash(frame_type: str, data: bytes) -> str:
    return hashlib.sha256(frame_type.encode() + b"\0" + data).hexdigest()
