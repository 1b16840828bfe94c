"""The address of a client, behind proxies."""

from __future__ import annotations

import ipaddress

from django.conf import settings

HOST_BITS = 64
"""The last bits of an IPv6 address, which its owner may choose freely (RFC 4291, section 2.5.1)."""


def client_address(peer: str, forwarded_for: str) -> str:
    """Return the address of the client behind `peer`.

    `X-Forwarded-For` is read from its end, as long as the hops are `TRUSTED_PROXIES`: what stands before the first
    address that is not one of them may have been written by anybody.
    """
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    address = peer
    while hops and address in settings.TRUSTED_PROXIES:
        address = without_port(hops.pop())
    return address


def without_port(hop: str) -> str:
    """Return the address of `203.0.113.7:4711` or `[2001:db8::1]:4711`, as some proxies write it."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def network_of(address: str) -> str:
    """Return the key of rate limits: an IPv4 address itself, or the /64 network of an IPv6 address (one customer)."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((int(ip), 128 - HOST_BITS), strict=False))
