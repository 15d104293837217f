"""Which addresses are the public internet's, and what the others are.

Rules of this file: pure. IPv6 addresses that lead to an IPv4 address are what that one is. What is
not known to be public is refused, so a network that is reserved later is refused from today on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_REFUSED_V4: Sequence[tuple[str, str]] = (
    ("0.0.0.0/8", "unspecified"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "private (shared by a carrier's customers)"),
    ("127.0.0.0/8", "this machine's own"),
    ("168.63.129.16/32", "a cloud's own service"),
    ("169.254.0.0/16", "link-local, where clouds serve their metadata"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "reserved for examples"),
    ("192.31.196.0/24", "reserved"),
    ("192.52.193.0/24", "reserved"),
    ("192.88.99.0/24", "reserved"),
    ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "reserved"),
    ("198.18.0.0/15", "reserved for measurements"),
    ("198.51.100.0/24", "reserved for examples"),
    ("203.0.113.0/24", "reserved for examples"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
)
_REFUSED_V6: Sequence[tuple[str, str]] = (
    ("::/128", "unspecified"),
    ("::1/128", "this machine's own"),
    ("64:ff9b:1::/48", "private"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "private"),
    ("ff00::/8", "multicast"),
    ("2001::/23", "reserved"),
    ("2001:db8::/32", "reserved for examples"),
    ("3fff::/20", "reserved for examples"),
)


def _networks(table: Sequence[tuple[str, str]]) -> list[tuple[Network, str]]:
    return [(ip_network(network), what) for network, what in table]


_REFUSED = [*_networks(_REFUSED_V4), *_networks(_REFUSED_V6)]
_BITS = 32
_LOW = (1 << _BITS) - 1
_EMBEDDED: Sequence[tuple[IPv6Network, int]] = (
    (IPv6Network("::/96"), 0),  # "compatible"
    (IPv6Network("::ffff:0:0/96"), 0),  # "mapped"
    (IPv6Network("::ffff:0:0:0/96"), 0),  # "translated"
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (IPv6Network("2002::/16"), 80),  # 6to4
)
"""Networks whose addresses hold an IPv4 address, and how many bits come after it."""
_PUBLIC_V6 = [IPv6Network("2000::/3"), *(network for network, _ in _EMBEDDED)]
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})
"""The 32 bits before an IPv4 address that a host is reached by, in any network."""


def refusal(address: Address) -> str | None:
    """What the address is, if it is none of the public internet; else None."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "link-local"
    for network, what in _REFUSED:
        if address.version == network.version and address in network:
            return what
    if isinstance(address, IPv4Address):
        return None
    for inner in _inner(address):
        if (what_inner := refusal(inner)) is not None:
            return f"{what_inner} ({inner} in IPv6)"
    return None if any(address in network for network in _PUBLIC_V6) else "reserved"


def read_address(text: str) -> Address:
    """The address. Raises ValueError."""
    return ip_address(text)


def _inner(address: IPv6Address) -> Iterator[IPv4Address]:
    number = int(address)
    for network, bits in _EMBEDDED:
        if address in network:
            yield IPv4Address((number >> bits) & _LOW)
    if (number >> _BITS) & _LOW in _ISATAP:
        yield IPv4Address(number & _LOW)
