"""Whose address counts (PX1, PX2, PX5, LK6, LK7): pure tests of the walk, and one server behind a trusted proxy."""

from __future__ import annotations

import re
from ipaddress import ip_network

import pytest
from world import PASSWORD, World

from idp.edge.addresses import Addresses, parsed

PEER = "10.0.0.1"
CALLER = "203.0.113.7"
PROXIES = Addresses([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


@pytest.mark.parametrize("header", [b"203.0.113.7", b"127.0.0.1", b"::1", b"garbage", b""])
def test_nobody_is_believed_when_no_proxy_is_trusted(header: bytes) -> None:
    """PX1."""
    assert Addresses([]).of(PEER, [header]) == PEER


@pytest.mark.parametrize("addresses", [Addresses([]), PROXIES])
@pytest.mark.parametrize(
    ("peer", "address"),
    [("::ffff:203.0.113.7", CALLER), (CALLER, CALLER), ("2001:db8::7", "2001:db8::7"), ("::ffff:x", "::ffff:x")],
)
def test_a_caller_over_ipv4_has_an_ipv4_address_at_every_socket(addresses: Addresses, peer: str, address: str) -> None:
    """LK7: mails and the trail have it as people and other logs know it."""
    assert addresses.of(peer, []) == address


def test_a_peer_that_is_no_trusted_proxy_is_not_believed() -> None:
    """PX1."""
    assert PROXIES.of("198.51.100.9", [CALLER.encode()]) == "198.51.100.9"


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ([], PEER),
        ([b"203.0.113.7"], CALLER),
        ([b"1.2.3.4, 203.0.113.7"], CALLER),
        ([b"1.2.3.4", b"203.0.113.7"], CALLER),
        ([b"203.0.113.7, 10.9.9.9"], CALLER),
        ([b"203.0.113.7", b"10.9.9.9, 10.9.9.8"], CALLER),
        ([b"10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        ([b"203.0.113.7:51234"], CALLER),
        ([b"  203.0.113.7\t"], CALLER),
        ([b"2001:db8::7"], "2001:db8::7"),
        ([b"[2001:db8::7]"], "2001:db8::7"),
        ([b"[2001:db8::7]:443"], "2001:db8::7"),
        ([b"2001:DB8:0::0007"], "2001:db8::7"),
        ([b"203.0.113.7, fd00::1"], CALLER),
        ([b"::ffff:203.0.113.7"], CALLER),
        ([b"203.0.113.7, ::ffff:10.0.0.9"], CALLER),
    ],
)
def test_the_caller_is_the_first_from_the_right_that_is_no_proxy(headers: list[bytes], address: str) -> None:
    """PX2, LK7: what a client writes in front is never reached; a v4 address written as v6 is the v4 address."""
    assert PROXIES.of(PEER, headers) == address


@pytest.mark.parametrize(
    "hop",
    [
        b"",
        b" ",
        b"unknown",
        b"_hidden",
        b"localhost",
        b"256.1.1.1",
        b"1.2.3",
        b"010.1.1.1",
        b"1.2.3.4.5",
        b"1.2.3.4:x:y",
        b"2001:db8::7::1",
        b"[2001:db8::7",
        b"[]",
        b"\xff\xfe",
        b"\0",
        b"' OR 1=1",
        b"9" * 9000,
        b"\xd9\xa1.1.1.1",
    ],
)
def test_a_hop_that_is_no_address_ends_the_walk_at_the_last_that_was(hop: bytes) -> None:
    """PX2: authentik CVE-2024-47070 class. It fails towards the proxy, never towards what stands in front of it."""
    expected = "2001:db8::7" if hop == b"[2001:db8::7" else PEER

    assert PROXIES.of(PEER, [b"1.2.3.4, " + hop]) == expected


@pytest.mark.parametrize("zone", ["eth0", "x" * 200, "\x1b[31m", "1%2"])
def test_the_zone_of_an_address_is_no_part_of_it(zone: str) -> None:
    """It may be any text: a caller could have a new address, or a line of the log, with each request."""
    assert str(parsed(f"fe80::1%{zone}")) == "fe80::1"


@pytest.mark.parametrize("peer", ["unknown", "", "unix:"])
def test_a_peer_without_an_address_keeps_its_name(peer: str) -> None:
    assert PROXIES.of(peer, [b"203.0.113.7"]) == peer


async def test_spoofed_headers_reach_neither_trail_nor_answer(world: World) -> None:
    """PX1, PX3, PX4, PX5; oauth2-proxy CVE-2025-64484: this server trusts no proxy."""
    spoofed = {
        "X-Forwarded-For": "1.2.3.4",
        "X-Real-IP": "1.2.3.4",
        "Forwarded": "for=1.2.3.4;host=evil.example;proto=javascript",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "javascript",
        "X_Forwarded_For": "1.2.3.4",
        "Connection": "X-Forwarded-For",
        "Host": "evil.example",
    }
    email = world.new_email()
    body = {"email": email, "password": PASSWORD, "name": "Ada"}

    registered = await world.http.post("/auth/register", json=body, headers=spoofed)
    answers = [registered] + [
        await world.http.get(path, headers=spoofed)
        for path in (
            "/.well-known/openid-configuration",
            "/",
            "/nowhere",
            "/evil.example//..",
            "/health//live",
            "/health/",
            "/auth//login",
        )
    ]

    user_id = await world.database.fetchval("SELECT id FROM users WHERE email_norm = $1", email)
    assert (await world.events("user_registered", user_id=user_id))[0]["address"] == "127.0.0.1"
    assert not [it for it in answers if re.search("evil|javascript|1\\.2\\.3\\.4", it.text + str(it.headers))]
    assert not [it for it in answers if it.is_redirect]
    assert answers[1].json()["issuer"] == world.settings.issuer
