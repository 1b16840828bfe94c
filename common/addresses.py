"""The address of a client, behind proxies."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HOST_BITS = 64
"""The last bits of an IPv6 address, which its owner may choose freely (RFC 4291, section 2.5.1)."""


_FORWARDED_FOR = re.compile(r"for=([^;,]*)", re.IGNORECASE)
"""RFC 7239: `Forwarded: for=192.0.2.60;proto=https, for="[2001:db8::1]:4711"`."""


def client_address(peer: str, forwarded_for: str) -> str:
    """Return the address of the client behind `peer`.

    `X-Forwarded-For` is read from its end, as long as the hops are `TRUSTED_PROXIES`: what stands before the first
    address that is not one of them may have been written by anybody.
    """
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    address = peer
    while hops and is_trusted_proxy(address):
        address = without_port(hops.pop())
    return address


def is_trusted_proxy(address: str) -> bool:
    """Return whether an address is in one of the networks of `TRUSTED_PROXIES`."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped  # how a socket for both families shows IPv4 peers
    return any(ip in network for network in _networks(tuple(settings.TRUSTED_PROXIES)))


@lru_cache(maxsize=16)
def _networks(written: Sequence[str]) -> tuple[Network, ...]:
    """Return the networks of a list such as `10.0.0.1, 10.1.0.0/16`; the system checks refuse any other."""
    return tuple(ipaddress.ip_network(item, strict=False) for item in written)


def without_port(hop: str) -> str:
    """Return the address of `203.0.113.7:4711` or `[2001:db8::1]:4711`, as some proxies write it."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def named_clients(lists: Sequence[str], forwarded: Sequence[str]) -> list[str]:
    """Return all addresses that proxies name as those of the client, whether they are to be believed or not.

    `lists` are the values of `X-Forwarded-For` and `X-Real-IP`, `forwarded` those of `Forwarded`.
    """
    hops = [hop.strip() for value in lists for hop in value.split(",")]
    for value in forwarded:
        hops += [hop.strip(' "') for hop in _FORWARDED_FOR.findall(value)] or [value]
    return [without_port(hop) for hop in hops]


def is_loopback(host: str) -> bool:
    """Return whether an address is of this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "")


def comes_from_here(request: HttpRequest | Request) -> bool:
    """Return whether the peer of a request, and everybody whom proxies name as its client, is on this machine."""
    lists = [request.META[name] for name in ("HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP") if name in request.META]
    forwarded = [request.META["HTTP_FORWARDED"]] if "HTTP_FORWARDED" in request.META else []
    return all(map(is_loopback, [request.META.get("REMOTE_ADDR", ""), *named_clients(lists, forwarded)]))


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
