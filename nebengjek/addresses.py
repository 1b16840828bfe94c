"""Where a request comes from."""

from __future__ import annotations

from django.conf import settings


def client_address(peer: str, forwarded_for: str) -> str:
    """Return the address of the client behind `peer`.

    `X-Forwarded-For` is believed only as far as the chain of `TRUSTED_PROXIES` reaches, from the nearest hop outwards:
    whatever stands before the first address that is not one of ours may have been written by anybody.
    """
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    address = peer
    while hops and address in settings.TRUSTED_PROXIES:
        address = hops.pop()
    return address
