from typing import Any

import pytest
from django.http import HttpRequest

from common.addresses import client_address, comes_from_here, network_of


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("1.1.1.1", "", "1.1.1.1"),
        ("1.1.1.1", "9.9.9.9", "1.1.1.1"),
        ("10.0.0.1", "9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", "6.6.6.6, 9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", "6.6.6.6, 9.9.9.9, 10.0.0.2", "9.9.9.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "9.9.9.9:4711", "9.9.9.9"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "9.9.9.9:4711, 10.0.0.2:80", "9.9.9.9"),
    ],
)
def test_forwarded_addresses_are_believed_as_far_as_our_own_proxies_reach(
    settings: Any, peer: str, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.1", "10.0.0.2"]
    assert client_address(peer, forwarded) == address


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("10.1.2.3", "9.9.9.9"),
        ("::ffff:10.1.2.3", "9.9.9.9"),
        ("10.2.0.1", "10.2.0.1"),
        ("2001:db8::7", "9.9.9.9"),
        ("2001:db9::7", "2001:db9::7"),
        ("unix:", "unix:"),
        ("", ""),
    ],
)
def test_proxies_may_be_networks(settings: Any, peer: str, address: str) -> None:
    """A whole network of proxies is trusted, of either family, however a peer's address is written."""
    settings.TRUSTED_PROXIES = ["10.1.0.0/16", "2001:db8::/32"]
    assert client_address(peer, "6.6.6.6, 9.9.9.9, 10.1.9.9") == address


@pytest.mark.parametrize(
    ("meta", "here"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, True),
        ({"REMOTE_ADDR": "::1", "HTTP_X_FORWARDED_FOR": "127.0.0.1, ::1"}, True),
        ({"REMOTE_ADDR": "203.0.113.7"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.7, 127.0.0.1"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_REAL_IP": "203.0.113.7"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": 'for="[2001:db8::1]:4711"'}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": "by=_hidden"}, False),
    ],
)
def test_who_is_on_this_machine(meta: dict[str, str], here: bool) -> None:
    """Neither the peer nor anybody whom a proxy names may be elsewhere."""
    request = HttpRequest()
    request.META.update(meta)
    assert comes_from_here(request) is here


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_who_may_choose_his_address_is_counted_by_his_network(address: str, network: str) -> None:
    assert network_of(address) == network
