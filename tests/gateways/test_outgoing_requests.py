"""What this server asks of others, and whom it never asks (AD10), against real servers on this machine."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from places import Place, certificate, place

from idp.domain.operation.outgoing import LONGEST_REASON, OutgoingFailed
from idp.gateways.addresses import Reach
from idp.gateways.outgoing import LARGEST_ANSWER, GuardedOutgoing, Resolve

HERE = Reach(loopback=True)
JSON = "application/json"


@pytest.fixture
async def other() -> AsyncIterator[Place]:
    async with place() as found:
        found.says(b"{}")
        yield found


@pytest.fixture
async def outgoing() -> AsyncIterator[GuardedOutgoing]:
    found = GuardedOutgoing(HERE, deadline=1.0)
    yield found
    await found.close()


def always(*addresses: str) -> Resolve:
    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


async def failure(outgoing: GuardedOutgoing, url: str) -> str:
    with pytest.raises(OutgoingFailed) as failed:
        await outgoing.get(url, accept=JSON)
    return str(failed.value)


async def test_a_document_is_read(other: Place, outgoing: GuardedOutgoing) -> None:
    other.says(b'{"keys": []}')

    body = await outgoing.get(f"http://localhost:{other.port}/jwks?x=1", accept=JSON)

    assert body == b'{"keys": []}'
    asked = other.asked[0].decode().split("\r\n")
    assert asked[0] == "GET /jwks?x=1 HTTP/1.1"
    assert {f"Host: localhost:{other.port}", f"Accept: {JSON}", "Accept-Encoding: identity"} <= set(asked)


async def test_a_form_is_posted_and_its_status_told(other: Place, outgoing: GuardedOutgoing) -> None:
    other.says(b"no", "400 Bad Request")

    status = await outgoing.post(f"http://127.0.0.1:{other.port}/logout", {"logout_token": "a.b.c", "x": "ä&="})

    assert status == 400
    head, _, form = other.asked[0].partition(b"\r\n\r\n")
    assert b"Content-Type: application/x-www-form-urlencoded" in head
    assert form == b"logout_token=a.b.c&x=%C3%A4%26%3D"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_no_redirect_is_followed(other: Place, outgoing: GuardedOutgoing, status: str) -> None:
    """AD10."""
    async with place() as inside:
        other.says(b"", status, f"Location: http://127.0.0.1:{inside.port}/")

        why = await failure(outgoing, f"http://127.0.0.1:{other.port}/")
        posted = await outgoing.post(f"http://127.0.0.1:{other.port}/", {})

        assert why == f"answered {status[:3]}"
        assert posted == int(status[:3])
        assert inside.asked == []


@pytest.mark.parametrize("status", ["204 No Content", "206 Partial", "404 Not Found", "500 Oops"])
async def test_only_a_200_is_an_answer(other: Place, outgoing: GuardedOutgoing, status: str) -> None:
    other.says(b"", status)

    assert await failure(outgoing, f"http://127.0.0.1:{other.port}/") == f"answered {status[:3]}"


async def test_an_answer_has_a_size(other: Place, outgoing: GuardedOutgoing) -> None:
    url = f"http://127.0.0.1:{other.port}/"
    other.says(b"a" * LARGEST_ANSWER)
    assert len(await outgoing.get(url, accept=JSON)) == LARGEST_ANSWER

    other.says(b"a" * (LARGEST_ANSWER + 1))
    assert "more than" in await failure(outgoing, url)


async def test_an_answer_without_end_is_left(other: Place, outgoing: GuardedOutgoing) -> None:
    async def on_and_on(writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while True:
                writer.write(b"1000\r\n" + b"a" * 4096 + b"\r\n")
                await writer.drain()

    other.answer, other.stay = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", on_and_on

    assert "more than" in await failure(outgoing, f"http://127.0.0.1:{other.port}/")


async def test_nothing_is_decompressed(other: Place, outgoing: GuardedOutgoing) -> None:
    bomb = gzip.compress(b"a" * 10_000_000)
    other.says(bomb, "200 OK", "Content-Encoding: gzip")

    assert await outgoing.get(f"http://127.0.0.1:{other.port}/", accept=JSON) == bomb


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"])
async def test_who_does_not_answer_in_time_is_left(other: Place, answer: bytes) -> None:
    silent = asyncio.Event()

    async def never(_: asyncio.StreamWriter) -> None:
        await silent.wait()

    other.answer, other.stay = answer, never
    outgoing = GuardedOutgoing(HERE, deadline=0.05)

    assert "no answer within" in await failure(outgoing, f"http://127.0.0.1:{other.port}/")
    silent.set()
    await outgoing.close()


@pytest.mark.parametrize(
    "answer", [b"\x00\xff\r\n\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b""]
)
async def test_what_is_no_http_is_a_failure(other: Place, outgoing: GuardedOutgoing, answer: bytes) -> None:
    other.answer = answer

    assert await failure(outgoing, f"http://127.0.0.1:{other.port}/")


@pytest.mark.parametrize("junk", [b"eyJ" * 20_000, b"\x1b]0;owned\x07" * 8_000, b"://" * 20_000])
async def test_why_it_failed_is_short_and_legible_whatever_the_other_side_sends(
    other: Place, outgoing: GuardedOutgoing, junk: bytes
) -> None:
    """LG9: the reason repeats what came, and goes into the log and the trail."""
    other.answer = junk + b"\r\n\r\n"

    why = await failure(outgoing, f"http://127.0.0.1:{other.port}/")

    assert len(why) <= LONGEST_REASON
    assert why.isprintable()
    assert "ProtocolError" in why


async def test_a_port_where_nobody_listens_is_a_failure(outgoing: GuardedOutgoing) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    assert "Connect" in await failure(outgoing, f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    "url",
    [
        *("http://a.example/", "http://10.0.0.1/", "ftp://localhost/", "file:///etc/passwd", "//localhost/", "", "x"),
        *("https://", "https://user@localhost/", "https://localhost:x/", "https://[::1/", "https://localhost/ x"),
        *("https://localhost/\r\nX: y", "https://ä.example/", "unix:/run/x.sock", "http://127.0.0.1.evil.example/"),
    ],
)
async def test_what_is_no_place_to_ask_is_not_asked(url: str) -> None:
    async def unused(host: str, port: int) -> list[str]:
        raise AssertionError("it was looked up")

    outgoing = GuardedOutgoing(Reach(private=True, loopback=True), resolve=unused)

    assert await failure(outgoing, url)
    await outgoing.close()


# Addresses.

INSIDE = [
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255"),
    *("fc00::1", "fd00:ec2::254", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:0a00:0001::1"),
]
MACHINE = ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]
NEVER = [
    *("0.0.0.0", "169.254.169.254", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.0.2.1"),
    *("198.51.100.1", "203.0.113.1", "198.18.0.1", "192.0.0.1", "192.88.99.1", "::", "fe80::1", "fe80::1%eth0"),
    *("fec0::1", "ff02::1", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "64:ff9b:1::1", "2002:a9fe:a9fe::"),
    *("2001:db8::1", "2001::1", "100::1", "::7f00:1", "::10.0.0.1", "4000::1", "::ffff:0:127.0.0.1"),
]
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "2606:4700::1111",
    "2a00:1450::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::",
]


@pytest.mark.parametrize("address", [*INSIDE, *MACHINE, *NEVER])
def test_only_public_addresses_are_called(address: str) -> None:
    """AD10, however an address is written."""
    assert not Reach().allows(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_every_public_address_may_be_called(address: str) -> None:
    assert Reach().allows(address)


def test_private_networks_and_this_machine_are_allowed_one_by_one() -> None:
    assert all(map(Reach(private=True).allows, [*INSIDE, *PUBLIC]))
    assert all(map(Reach(loopback=True).allows, [*MACHINE, *PUBLIC]))
    assert not any(map(Reach(private=True).allows, [*MACHINE, *NEVER]))
    assert not any(map(Reach(loopback=True).allows, [*INSIDE, *NEVER]))
    assert not any(map(Reach(private=True, loopback=True).allows, NEVER))


async def test_a_name_that_leads_inside_is_not_called(other: Place) -> None:
    """AD10."""
    outgoing = GuardedOutgoing(Reach(), resolve=always("127.0.0.1", "10.0.0.1"))

    assert "no address" in await failure(outgoing, f"https://a.example:{other.port}/")
    assert other.asked == []
    await outgoing.close()


async def test_a_name_that_changes_its_mind_gains_nothing(tmp_path: Path) -> None:
    """AD10, DNS rebinding: what was judged is what is connected to; the name is looked up once."""
    server, trusting = certificate(tmp_path, "a.example")
    looked_up = []

    async def rebinding(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"] if len(looked_up) == 1 else ["169.254.169.254"]

    async with place(server) as other:
        other.says(b"{}")
        outgoing = GuardedOutgoing(HERE, tls=trusting, resolve=rebinding)

        assert await outgoing.get(f"https://a.example:{other.port}/", accept=JSON) == b"{}"
        assert "no address" in await failure(outgoing, f"https://a.example:{other.port}/")
        assert (looked_up, len(other.asked)) == (["a.example"] * 2, 1)
        await outgoing.close()


async def test_of_several_addresses_the_first_that_answers_is_asked(tmp_path: Path) -> None:
    server, trusting = certificate(tmp_path, "a.example")
    async with place(server) as other:
        other.says(b"{}")
        outgoing = GuardedOutgoing(HERE, tls=trusting, resolve=always("10.0.0.1", "127.0.0.2", "127.0.0.1"))

        assert await outgoing.get(f"https://a.example:{other.port}/", accept=JSON) == b"{}"
        await outgoing.close()


@pytest.mark.parametrize(("name", "trusted"), [("b.example", True), ("a.example", False)])
async def test_a_server_proves_that_it_has_the_name(tmp_path: Path, name: str, trusted: bool) -> None:
    """The address was chosen here, and still the certificate is held against the name."""
    server, trusting = certificate(tmp_path, name)
    async with place(server) as other:
        other.says(b"{}")
        outgoing = GuardedOutgoing(HERE, tls=trusting if trusted else None, resolve=always("127.0.0.1"))

        assert "certificate verify failed" in await failure(outgoing, f"https://a.example:{other.port}/")
        assert other.asked == []
        await outgoing.close()


async def test_no_proxy_of_the_environment_is_used(
    other: Place, outgoing: GuardedOutgoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

        assert await outgoing.get(f"http://127.0.0.1:{other.port}/", accept=JSON) == b"{}"
        assert proxy.asked == []
