"""
Which addresses this server may call on behalf of a client.

Public ones. What an address stands for counts, not how it is written: an IPv4 address inside an IPv6 one (mapped, 6to4,
NAT64) is judged by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

GLOBAL_UNICAST = IPv6Network("2000::/3")
NAT64 = IPv6Network("64:ff9b::/96")
# Own networks: RFC 1918, carrier-grade NAT (RFC 6598) and unique local addresses (RFC 4193).
PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
PRIVATE_6 = IPv6Network("fc00::/7")
# Not to be routed, though some versions of `ipaddress` call them global: former 6to4 relays, protocol assignments.
SPECIAL = tuple(map(IPv4Network, ("192.88.99.0/24", "192.0.0.0/24")))


@dataclass(frozen=True, slots=True)
class Reach:
    """*private*: also the operator's own networks. *loopback*: also this machine. Never a link, a group or what is reserved."""

    private: bool = False
    loopback: bool = False

    def allows(self, text: str) -> bool:
        """*text* is an address, as a resolver gives it."""
        address = unwrapped(ip_address(text.partition("%")[0]))
        if address.is_loopback:
            return self.loopback
        if isinstance(address, IPv6Address):
            return _is_public_6(address) or (self.private and address in PRIVATE_6)
        return _is_public(address) or (self.private and any(address in network for network in PRIVATE))


def unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for, if it stands for one."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: IPv4Address) -> bool:
    special = address.is_multicast or address.is_reserved or any(address in network for network in SPECIAL)
    return address.is_global and not special


def _is_public_6(address: IPv6Address) -> bool:
    return address in GLOBAL_UNICAST and address.is_global and address.teredo is None
