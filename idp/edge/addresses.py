"""
The caller's address.

`X-Forwarded-For` is believed only from configured proxies, and counted from the right: what a client puts in front of it
is never reached. Anything that cannot be read as an address ends the walk at the last one that could.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network


class Addresses:
    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = tuple(trusted)

    def of(self, peer: str, forwarded_for: Sequence[bytes]) -> str:
        """*peer* is the other end of the connection, *forwarded_for* the values of all `X-Forwarded-For` headers."""
        if not self._trusted:
            # A socket for both versions of IP, `[::]`, names IPv4 callers so.
            return peer if not peer.startswith("::ffff:") else str(parsed(peer) or peer)
        caller = parsed(peer)
        hops = ",".join(value.decode("latin-1") for value in forwarded_for).split(",") if forwarded_for else []
        while hops and caller is not None and self._is_trusted(caller):
            hop = parsed(hops.pop().strip())
            if hop is None:
                break
            caller = hop
        return str(caller) if caller is not None else peer

    def trusts(self, peer: str) -> bool:
        """Whether the other end of the connection is a configured proxy."""
        address = parsed(peer) if self._trusted else None
        return address is not None and self._is_trusted(address)

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted if network.version == address.version)


def parsed(text: str) -> IPv4Address | IPv6Address | None:
    """An address, with or without a port; without the zone of a link-local one; a v4 address written as v6 is that."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
