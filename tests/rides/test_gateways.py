from typing import Any
from uuid import UUID

from rides.gateways import payment_url


class Elsewhere:
    """Another provider."""

    def payment_url(self, payment_id: UUID, amount: int) -> str:
        return f"https://pay.example/{payment_id}?amount={amount}"


def test_the_default_gateway_points_to_this_server(settings: Any) -> None:
    settings.PUBLIC_URL = "https://api.example.com"
    assert payment_url(UUID(int=1), 5000) == f"https://api.example.com/api/payments/{UUID(int=1)}/qr.svg"


def test_another_gateway_is_another_class(settings: Any) -> None:
    settings.PAYMENT_GATEWAY = "tests.rides.test_gateways.Elsewhere"
    assert payment_url(UUID(int=1), 5000) == f"https://pay.example/{UUID(int=1)}?amount=5000"
