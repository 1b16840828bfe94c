"""Payment gateways. `PAYMENT_GATEWAY` names the class; another provider is another class with the same methods."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import ClassVar, Literal, Protocol
from uuid import UUID

import msgspec
from django.conf import settings
from django.utils.module_loading import import_string

from common.errors import CommonReason, ValidationFailed
from rides.reasons import RideReason

Outcome = Literal["pending", "paid", "failed", "refunded"]


class Notice(msgspec.Struct, frozen=True):
    """What a gateway tells of a payment: its own number of the transaction, its words for the state, and ours."""

    payment_id: UUID
    reference: str
    words: str
    outcome: Outcome
    amount: int


class PaymentGateway(Protocol):
    """Where passengers pay.

    One that `settles` confirms each payment by a webhook; with any other the passenger's word counts.
    """

    name: ClassVar[str]
    settles: ClassVar[bool]

    def payment_url(self, payment_id: UUID, amount: int) -> str:
        """Return the address where `amount` rupiah can be paid.

        Called within the transaction of the arrival: it must not wait for another server.
        """

    def read_notice(self, body: bytes, headers: Mapping[str, str]) -> Notice:
        """Return what a call of the webhook says; raises `ValidationFailed` unless it is the gateway's own."""


class QRLinkGateway:
    """A QR code that this server draws itself (see `rides.api.qr_code`); nobody confirms it but the passenger."""

    name: ClassVar[str] = "qr"
    settles: ClassVar[bool] = False

    def payment_url(self, payment_id: UUID, amount: int) -> str:
        """Return the address of the picture."""
        return f"{settings.PUBLIC_URL}/api/payments/{payment_id}/qr.svg"

    def read_notice(self, body: bytes, headers: Mapping[str, str]) -> Notice:
        """Refuse: a picture tells nothing."""
        raise ValidationFailed("This gateway sends no notices.", reason=RideReason.NO_NOTICES)


class MidtransNotice(msgspec.Struct):
    """The fields of a Midtrans notification that concern us (docs.midtrans.com, "HTTP(S) Notification / Webhooks")."""

    order_id: str
    status_code: str
    gross_amount: str
    signature_key: str
    transaction_id: str
    transaction_status: str
    fraud_status: str = "accept"


class MidtransGateway:
    """Midtrans, or whatever speaks like it: the order's number is that of our payment.

    `PAYMENT_URL` is where passengers are sent, with `{payment_id}` and `{amount}` in it: the page of the operator that
    asks Midtrans for a transaction. `PAYMENT_SECRET` is the server key.
    """

    name: ClassVar[str] = "midtrans"
    settles: ClassVar[bool] = True

    OUTCOMES: ClassVar[dict[str, Outcome]] = {
        "capture": "paid", "settlement": "paid", "pending": "pending", "authorize": "pending", "deny": "failed",
        "cancel": "failed", "expire": "failed", "failure": "failed", "refund": "refunded", "partial_refund": "refunded",
        "chargeback": "refunded", "partial_chargeback": "refunded",
    }  # fmt: skip

    def payment_url(self, payment_id: UUID, amount: int) -> str:
        """Return the operator's page for this payment."""
        return str(settings.PAYMENT_URL).format(payment_id=payment_id, amount=amount)

    def read_notice(self, body: bytes, headers: Mapping[str, str]) -> Notice:
        """Check the signature before anything else is believed."""
        try:
            said = msgspec.json.decode(body, type=MidtransNotice)
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise ValidationFailed(f"The notice cannot be read: {exc}", reason=RideReason.UNREADABLE_NOTICE) from exc
        signed = f"{said.order_id}{said.status_code}{said.gross_amount}{settings.PAYMENT_SECRET}"
        signature = hashlib.sha512(signed.encode()).hexdigest()
        if not settings.PAYMENT_SECRET or not hmac.compare_digest(signature.encode(), said.signature_key.encode()):
            raise ValidationFailed("The signature is wrong.", reason=RideReason.WRONG_SIGNATURE, field="signature_key")
        return Notice(
            payment_id=_payment_id(said.order_id),
            reference=said.transaction_id[:128],
            words=said.transaction_status[:32],
            outcome=self._outcome(said),
            amount=_whole(said.gross_amount),
        )

    def _outcome(self, said: MidtransNotice) -> Outcome:
        """Return what a notice means; money under suspicion of fraud has not come, and neither has an unknown state.

        The signature covers the status code but not the status, so a success must have both.
        """
        outcome = self.OUTCOMES.get(said.transaction_status, "pending")
        if outcome == "paid" and (said.status_code != "200" or said.fraud_status != "accept"):
            return "pending"
        return outcome


def _payment_id(order_id: str) -> UUID:
    try:
        return UUID(order_id)
    except ValueError as exc:
        raise ValidationFailed(
            "order_id is no payment of ours.", reason=CommonReason.NOT_FOUND, field="order_id"
        ) from exc


def _whole(amount: str) -> int:
    try:
        exact = Decimal(amount)
        if 0 <= exact < 2**63 and exact == int(exact):  # the range first: the whole of 1e999999999 has a GB of digits
            return int(exact)
    except InvalidOperation:
        pass
    raise ValidationFailed(
        "gross_amount must be a whole amount, such as 12500.00.",
        reason=RideReason.UNREADABLE_NOTICE,
        field="gross_amount",
    )


def gateway() -> PaymentGateway:
    """Return the configured gateway."""
    found: PaymentGateway = import_string(settings.PAYMENT_GATEWAY)()
    return found


def payment_url(payment_id: UUID, amount: int) -> str:
    """Return where `amount` rupiah can be paid, by the configured gateway."""
    return gateway().payment_url(payment_id, amount)
