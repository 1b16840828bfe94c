"""From a frame to a command that is carried out once, and its answer."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, QuerySet

from common import clock
from common.db import database_now, delete_batch
from common.errors import CommonReason, DomainError, InvalidFormat, RateLimited, Unauthorized, ValidationFailed
from common.prepared import Prepared
from common.rows import insert_rows
from common.tracing import tracing
from realtime.commands.routes import ROUTES, Route
from realtime.contract.frames import BadFrame, Command, Frame, error_data, plain_values, readable
from realtime.models import CommandReceipt
from users.acting import Actor, acting
from users.models import User
from users.tokens import Claims, check_account, check_claims

logger = logging.getLogger(__name__)

Answer = dict[str, Any]
"""`{"type": "ack" or "error", "data": {…}}`, as it is stored and sent."""


NOT_STORED = frozenset({InvalidFormat.code, RateLimited.code})
"""Errors after which a command may be sent again with the same `id`."""


def route_of(frame: Frame) -> Route:
    """Return the route of a frame; raise `BadFrame` for a type that does not exist."""
    route = ROUTES.get(frame.type)
    if route is None:
        raise BadFrame(
            InvalidFormat(f"unknown message type: {frame.type}", reason=CommonReason.UNKNOWN_TYPE, field="type"),
            frame.command_id,
        )
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
        raise InvalidFormat(f"data: {exc}.", reason=CommonReason.NOT_JSON, field="data") from exc


def execute(claims: Claims, route: Route, frame: Frame) -> Answer:
    """Carry out a command of the domain and return its answer; with an `id` it happens once, and the answer is kept.

    What the command changes and its receipt are one transaction. A refusal changes nothing, and its receipt is kept
    afterwards. Whatever is not a `DomainError` is raised, and then nothing has happened and nothing is stored.
    """
    try:
        with tracing.step("command", frame.type, id=frame.command_id):
            return _execute_once(claims, route, frame)
    except IntegrityError:
        if _delete_expired(claims.user_id, frame):  # that had been rolled back together with a command that was refused
            return _execute_once(claims, route, frame)
        # By another connection, which sent the same `id` and was faster: ours was rolled back.
        receipt = _receipt(claims.user_id, frame)
        if receipt is None:
            raise
        return _stored_answer(receipt, route, frame)


def purge_receipts() -> int:
    """Delete a batch of the answers that are no longer given again; return how many."""
    return delete_batch(CommandReceipt.objects.filter(created_at__lt=database_now() - settings.COMMAND_ID_TTL))


def error_answer(exc: DomainError) -> Answer:
    """Return the answer for a command that was refused."""
    return {"type": "error", "data": error_data(exc)}


def _execute_once(claims: Claims, route: Route, frame: Frame) -> Answer:
    """Answer as before, or carry the command out; raise `IntegrityError` when its receipt was written meanwhile."""
    try:
        with transaction.atomic(), acting(claims) as actor:
            *account, is_repeated = _BEGINNING.first(claims.user_id, frame.command_id or "") or (False,)
            receipt = _receipt(claims.user_id, frame) if is_repeated else None
            if receipt is not None:
                return _stored_answer(receipt, route, frame)
            answer = {"type": "ack", "data": _carry_out(actor, route, frame, account)}
            _keep(claims.user_id, route, frame, answer)
            return answer
    except DomainError as exc:
        logger.info("Refused: %s", exc.message, extra={"code": exc.code.value})
        refusal = error_answer(exc)
        if exc.code not in NOT_STORED:
            with transaction.atomic():
                _keep(claims.user_id, route, frame, refusal)
        return refusal


def _carry_out(actor: Actor, route: Route, frame: Frame, account: Sequence[Any]) -> dict[str, Any]:
    """Call the service, unless the token's user, role or version have come to an end.

    That is looked at again under the lock of the user, which the service takes: a socket that is about to be closed
    does not slip in one more command.
    """
    assert route.service is not None
    command = read_command(route, actor.claims.role, frame)
    check_account(actor.claims, account or None)
    result = route.service(user_id=actor.claims.user_id, **msgspec.structs.asdict(command))
    if connection.features.has_select_for_update and not actor.is_certain:
        check_claims(actor.claims)
    return result or {}


def _receipt(user_id: UUID, frame: Frame) -> CommandReceipt | None:
    """Return the receipt of a command's `id`, if it was sent within `COMMAND_ID_TTL` before."""
    receipt = CommandReceipt.objects.filter(user_id=user_id, command_id=frame.command_id).first()
    if receipt is None:
        return None
    if receipt.created_at < clock.now() - settings.COMMAND_ID_TTL:
        receipt.delete()
        return None
    return receipt


def _delete_expired(user_id: UUID, frame: Frame) -> bool:
    """Delete the receipt of a command's `id` that is not valid any more; return whether there was one."""
    if frame.command_id is None:
        return False
    old = clock.now() - settings.COMMAND_ID_TTL
    found = CommandReceipt.objects.filter(user_id=user_id, command_id=frame.command_id, created_at__lt=old)
    return bool(found.delete()[0])


def _keep(user_id: UUID, route: Route, frame: Frame, answer: Answer) -> None:
    """Write the receipt of a command that has an `id`."""
    if frame.command_id is not None:
        receipt = CommandReceipt(
            user_id=user_id,
            command_id=frame.command_id,
            type=frame.type,
            digest=_digest(route, frame),
            answer=answer,
            created_at=clock.now(),
        )
        insert_rows([receipt])


def _beginning(user_id: UUID, command_id: str) -> QuerySet[User, Any]:
    """Return what a command begins with: the account of its token, and whether its `id` was sent before."""
    receipts = CommandReceipt.objects.filter(user_id=user_id, command_id=command_id)
    return User.objects.filter(pk=user_id).values_list("role", "token_version", "is_active", Exists(receipts))


_BEGINNING = Prepared(UUID, str, build=_beginning)


def _stored_answer(receipt: CommandReceipt, route: Route, frame: Frame) -> Answer:
    if receipt.digest not in (_digest(route, frame), _digest_of_json(frame)):
        text = f"id: was used for another command ({receipt.type}) before."
        return error_answer(ValidationFailed(text, reason=CommonReason.ID_REUSED, field="id"))
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
