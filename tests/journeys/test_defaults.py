"""
The numbers that users get by default, from outside, and what the trail has of it.

One walk through them all, on a server of its own with nothing configured but its stores, a proxy in front and a mail server
that is dead at first. Each test looks at one part of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from caller import new_address, refused
from inbox import Inbox, smtp_server
from process import ServerProcess, free_port
from world import PASSWORD

from idp.database.servers import credentials
from idp.embedded import EmbeddedStores

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("defaults")]

ADMIN, ADMIN_PASSWORD = "admin@example.com", "Root-Of-Things-1"
WRONG, NEW_PASSWORD, SECOND_PASSWORD = "Wrong-Horse-9", "Battery-Staple-8", "Second-Admin-5"
SECRET_FIELDS = {"password", "newPassword", "currentPassword", "token", "refreshToken", "accessToken"}
Answers = list[httpx.Response]


@dataclass
class Walk:
    """*secrets*: every password and token that went either way. *answers*: by the part of the walk."""

    http: httpx.AsyncClient
    database: asyncpg.Pool
    inbox: Inbox
    secrets: set[str] = field(default_factory=set)
    answers: dict[str, Answers] = field(default_factory=dict)
    export: str = ""
    log: str = ""

    async def send(
        self, method: str, path: str, *, address: str | None = None, bearer: str = "", **body: Any
    ) -> httpx.Response:
        """From an address that nobody has called from, unless *address* says which."""
        headers = {"X-Forwarded-For": address or new_address()}
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        answer = await self.http.request(method, path, json=body or None, headers=headers)
        given = answer.json() if "application/json" in answer.headers.get("content-type", "") else {}
        self.secrets |= {value for name, value in [*body.items(), *given.items()] if name in SECRET_FIELDS}
        return answer

    async def registered(self, name: str) -> str:
        email = f"{name.lower()}@example.com"
        answer = await self.send("POST", "/auth/register", email=email, password=PASSWORD, name=name)
        assert answer.status_code == 201, answer.text
        return email

    async def login(self, email: str, password: str = PASSWORD, address: str | None = None) -> httpx.Response:
        return await self.send("POST", "/auth/login", address=address, email=email, password=password)

    async def signed_in(self, email: str, password: str = PASSWORD) -> dict[str, Any]:
        answer = await self.login(email, password)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def time_passes(self, span: timedelta) -> None:
        """For every failed sign-in so far."""
        await self.database.execute(
            "UPDATE sign_in_failures SET failed_at = failed_at - $1::interval, blocked_until = blocked_until - $1", span
        )

    async def mail(self, email: str, subject: str) -> str:
        """The token of that mail, once it has arrived; mails that wait for their next attempt need not wait."""
        async with asyncio.timeout(60):
            while not (found := [it for it in self.inbox.to(email) if subject in it["Subject"]]):
                await self.database.execute("UPDATE mails SET next_at = now() WHERE sent_at IS NULL")
                await asyncio.sleep(0.05)
        text = found[-1].get_body(("plain",))
        assert text is not None
        link = re.search(r"\?token=([\w-]+)", text.get_content())
        assert link
        self.secrets.add(link[1])
        return link[1]


@pytest.fixture(scope="module")
async def walk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Walk]:
    folder, inbox, port = tmp_path_factory.mktemp("defaults"), Inbox(), free_port()
    server = ServerProcess(
        folder,
        limited=True,
        IDP_ADMIN_EMAIL=ADMIN,
        IDP_ADMIN_PASSWORD=ADMIN_PASSWORD,
        IDP_TRUSTED_PROXIES="127.0.0.0/8",
        IDP_SMTP_URL=f"smtp://127.0.0.1:{port}",
    )
    with server:
        urls = EmbeddedStores(folder / "data").attach()
        assert urls is not None
        async with (
            httpx.AsyncClient(
                base_url=server.url, timeout=60, limits=httpx.Limits(max_connections=300), verify=False
            ) as http,
            asyncpg.create_pool(**credentials(urls.migration), min_size=1, max_size=2) as database,
        ):
            walk = Walk(http, database, inbox)
            await through_limits(walk)
            await through_input_and_roles(walk)
            await through_reset_and_administration(walk, port)
            await without_valkey(walk, folder)
            walk.log = server.output()
            yield walk


async def through_limits(walk: Walk) -> None:
    answers, address = walk.answers, new_address()
    answers["sign-ins"] = [await walk.login(f"nobody-{n}@example.com", WRONG, address) for n in range(6)]
    answers["registrations"] = [
        await walk.send(
            "POST", "/auth/register", address=address, email=f"r{n}@example.com", password=PASSWORD, name="Rob"
        )
        for n in range(4)
    ]
    ada = await walk.registered("Ada")
    answers["before"] = [await walk.login(ada)]
    answers["wrong"] = []
    for _ in range(5):
        answers["wrong"].append(await walk.login(ada, WRONG))
        await walk.time_passes(timedelta(seconds=8))
    answers["locked"] = [await walk.login(ada)]
    bob = await walk.registered("Bob")
    answers["at once"] = await asyncio.gather(*(walk.login(bob, WRONG) for _ in range(200)))
    tokens = await walk.signed_in(await walk.registered("Carol"))
    answers["refreshes"] = []
    for _ in range(11):
        answer = await walk.send("POST", "/auth/refresh", refreshToken=tokens["refreshToken"])
        tokens |= answer.json() if answer.status_code == 200 else {}
        answers["refreshes"].append(answer)


async def through_input_and_roles(walk: Walk) -> None:
    good = {"email": "dan@example.com", "password": PASSWORD, "name": "Dan"}
    for name, bad in (("password", "weak"), ("email", "no-address"), ("name", "D")):
        walk.answers[f"bad {name}"] = [await walk.send("POST", "/auth/register", **good | {name: bad})]
    user = await walk.signed_in("carol@example.com")
    walk.answers["forbidden"] = [await walk.send("GET", "/admin/users", bearer=user["accessToken"])]
    walk.answers["health"] = [await walk.http.head("/health")]


async def through_reset_and_administration(walk: Walk, port: int) -> None:
    """Everything that is to be mailed is asked for before the mail server is there."""
    before = walk.answers["before"][0].json()
    admin = (await walk.signed_in(ADMIN, ADMIN_PASSWORD))["accessToken"]
    second = {"email": "second@example.com", "name": "Second", "roles": ["ADMIN", "USER"]}
    walk.answers["while SMTP is dead"] = [
        await walk.send("POST", "/auth/forgot-password", email="ada@example.com"),
        await walk.send("POST", "/admin/users", bearer=admin, **second),
    ]
    async with smtp_server(walk.inbox, port=port):
        link = {"token": await walk.mail("ada@example.com", "Reset"), "newPassword": NEW_PASSWORD}
        invitation = {"token": await walk.mail("second@example.com", "ready"), "newPassword": SECOND_PASSWORD}
    walk.answers["reset"] = [await walk.send("POST", "/auth/reset-password", **link) for _ in range(2)]
    walk.answers["old session"] = [
        await walk.send("GET", "/auth/profile", bearer=before["accessToken"]),
        await walk.send("POST", "/auth/refresh", refreshToken=before["refreshToken"]),
    ]
    walk.answers["after"] = [await walk.login("ada@example.com", NEW_PASSWORD)]
    walk.answers["administration"] = [await walk.send("GET", "/admin/users", bearer=admin) for _ in range(50)]
    await walk.send("POST", "/auth/reset-password", **invitation)
    other = (await walk.signed_in("second@example.com", SECOND_PASSWORD))["accessToken"]
    walk.export = (await walk.send("GET", "/admin/audit?format=jsonl", bearer=other)).text


async def without_valkey(walk: Walk, folder: Path) -> None:
    """Killed again as soon as its keeper has started it, so that the failures are counted somewhere else."""
    eve = await walk.registered("Eve")
    walk.answers["without Valkey"] = []
    for _ in range(5):
        kill_valkey(folder)
        walk.answers["without Valkey"].append(await walk.login(eve, WRONG))
        await walk.time_passes(timedelta(seconds=8))
    kill_valkey(folder)
    walk.answers["without Valkey"].append(await walk.login(eve))


def kill_valkey(folder: Path) -> None:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"valkey-server" in (process / "cmdline").read_bytes() and belongs_to(process, folder):
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue  # ended meanwhile, or not ours


def belongs_to(process: Path, folder: Path) -> bool:
    return str(folder).encode() in (process / "cmdline").read_bytes() or (process / "cwd").readlink().is_relative_to(
        folder
    )


def statuses(walk: Walk, part: str) -> list[int]:
    return [answer.status_code for answer in walk.answers[part]]


async def test_the_sixth_sign_in_in_15_minutes_from_one_address_waits(walk: Walk) -> None:
    """LK5, LK11."""
    last = walk.answers["sign-ins"][-1]

    assert statuses(walk, "sign-ins") == [401] * 5 + [429]
    assert refused(last)
    assert [last.headers[f"ratelimit-{name}"] for name in ("limit", "remaining")] == ["5", "0"]
    assert 0 < int(last.headers["retry-after"]) <= 16 * 60


async def test_the_fourth_registration_in_an_hour_from_one_address_waits(walk: Walk) -> None:
    assert statuses(walk, "registrations") == [201] * 3 + [429]


async def test_the_fifth_wrong_password_locks_for_15_minutes(walk: Walk) -> None:
    """LK1."""
    [locked] = walk.answers["locked"]

    assert statuses(walk, "wrong") == [401] * 5
    assert refused(locked, "too_many_attempts")
    assert 14 * 60 < int(locked.headers["retry-after"]) <= 15 * 60


async def test_of_200_wrong_passwords_at_once_at_most_five_are_looked_at(walk: Walk) -> None:
    """LK2."""
    assert 1 <= statuses(walk, "at once").count(401) <= 5
    assert statuses(walk, "at once").count(429) >= 195


async def test_the_eleventh_refresh_in_a_minute_of_one_user_waits(walk: Walk) -> None:
    assert statuses(walk, "refreshes") == [200] * 10 + [429]


async def test_the_fifty_first_call_in_an_hour_of_one_administrator_waits(walk: Walk) -> None:
    """The invitation was the first."""
    assert statuses(walk, "administration") == [200] * 49 + [429]
    assert refused(walk.answers["administration"][-1])


@pytest.mark.parametrize("name", ["password", "email", "name"])
async def test_what_an_account_cannot_have_is_named(walk: Walk, name: str) -> None:
    """PW1, IN3."""
    [answer] = walk.answers[f"bad {name}"]

    assert answer.status_code == 400
    assert [fault["field"] for fault in answer.json()["errors"]] == [name]


async def test_a_user_is_not_let_into_administration(walk: Walk) -> None:
    """AD1."""
    assert statuses(walk, "forbidden") == [403]


async def test_health_comes_with_the_headers_that_protect(walk: Walk) -> None:
    """HD1, HD3."""
    [answer] = walk.answers["health"]

    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["x-xss-protection"] == "1; mode=block"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"


async def test_a_dead_mail_server_delays_no_answer_and_loses_no_mail(walk: Walk) -> None:
    """RG2. That the mails arrived is what the reset below lives from."""
    assert statuses(walk, "while SMTP is dead") == [202, 201]
    assert {str(mail["To"]) for mail in walk.inbox.messages} >= {"ada@example.com", "second@example.com"}


async def test_a_reset_link_works_once_and_ends_sessions_and_lock(walk: Walk) -> None:
    """RG5, RG11."""
    assert statuses(walk, "before") == [200]
    assert statuses(walk, "reset") == [204, 400]
    assert statuses(walk, "old session") == [401, 401]
    assert statuses(walk, "after") == [200]


async def test_the_trail_shows_all_of_it(walk: Walk) -> None:
    """LG3."""
    events = [json.loads(line) for line in walk.export.splitlines()]

    assert {event["name"] for event in events} >= {
        "user_registered",
        "sign_in_failed",
        "account_locked",
        "signed_in",
        "access_denied",
        "password_reset_requested",
        "password_reset",
        "session_revoked",
        "account_unlocked",
        "user_created",
    }
    [denied] = [event for event in events if event["name"] == "access_denied"]
    assert denied["detail"] == {"method": "GET", "path": "/admin/users"}


async def test_the_trail_shows_no_secret(walk: Walk) -> None:
    """LG1: no password, no token, no hash or digest of one, and no address that has no account."""
    rows = await walk.database.fetch(
        "SELECT password_hash FROM users WHERE password_hash IS NOT NULL UNION ALL SELECT digest FROM mail_tokens"
    )
    kept = {row[0] for row in rows}

    assert {PASSWORD, ADMIN_PASSWORD, WRONG, NEW_PASSWORD, SECOND_PASSWORD} < walk.secrets
    assert len(walk.secrets) > 20
    assert len(kept) > 5
    assert [text for text in walk.secrets | kept if text in walk.export] == []
    assert "nobody-" not in walk.export


async def test_wrong_passwords_are_counted_without_valkey(walk: Walk) -> None:
    """LK13."""
    assert statuses(walk, "without Valkey") == [401] * 5 + [429]
    assert "limits_counted_locally" in walk.log
