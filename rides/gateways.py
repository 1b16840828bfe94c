"""Payment gateways. `PAYMENT_GATEWAY` names the class; another provider is another class with the same method."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string


class PaymentGateway(Protocol):
    """Where passengers pay."""

    def payment_url(self, payment_id: UUID, amount: int) -> str:
        """Return the address of a QR code with which `amount` rupiah can be paid.

        Called within the transaction of the arrival: it must not wait for another server.
        """


class QRLinkGateway:
    """A QR code that this server draws itself (see `rides.api.qr_code`)."""

    def payment_url(self, payment_id: UUID, amount: int) -> str:
        """Return the address of the picture."""
        return f"{settings.PUBLIC_URL}/api/payments/{payment_id}/qr.svg"


def payment_url(payment_id: UUID, amount: int) -> str:
    """Return where `amount` rupiah can be paid, by the configured gateway."""
    gateway: PaymentGateway = import_string(settings.PAYMENT_GATEWAY)()
    return gateway.payment_url(payment_id, amount)
