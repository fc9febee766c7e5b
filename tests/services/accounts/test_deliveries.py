"""Mails leave by a mail server that dies, comes back and refuses; nothing is lost, nothing is sent twice."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import httpx
import pytest
from inbox import Inbox, smtp_server
from process import ServerProcess, free_port
from world import PASSWORD

from idp.bootstrap.accounts import mail_jobs
from idp.database.servers import credentials
from idp.embedded import EmbeddedStores
from idp.settings import Settings

pytestmark = pytest.mark.isolated


@dataclass
class Post:
    """A server of two processes, its database, and the port where its mail server listens or does not."""

    http: httpx.AsyncClient
    database: asyncpg.Pool
    port: int

    async def registered(self) -> str:
        """The address of a new user: there is one mail to it."""
        email = f"user-{secrets.token_hex(8)}@example.com"
        answer = await self.http.post("/auth/register", json={"email": email, "password": PASSWORD, "name": "Ada"})
        assert answer.status_code == 201, answer.text
        return email

    async def mail(self, email: str) -> Any:
        return await self.database.fetchrow("SELECT * FROM mails WHERE recipient_norm = $1", email)

    async def until(self, email: str, condition: str) -> Any:
        """The row of the mail once *condition* holds for it."""
        query = f"SELECT * FROM mails WHERE recipient_norm = $1 AND {condition}"
        async with asyncio.timeout(60):
            while (row := await self.database.fetchrow(query, email)) is None:
                await asyncio.sleep(0.02)
        return row

    async def is_due(self, email: str) -> None:
        await self.database.execute("UPDATE mails SET next_at = now() WHERE recipient_norm = $1", email)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, int]]:
    port = free_port()
    settings = {"IDP_SMTP_URL": f"smtp://127.0.0.1:{port}", "IDP_WORKERS": "2", "IDP_LOG_FORMAT": "json"}
    with ServerProcess(tmp_path_factory.mktemp("post"), **settings) as running:
        yield running, port


@pytest.fixture
async def post(server: tuple[ServerProcess, int]) -> AsyncIterator[Post]:
    running, port = server
    urls = EmbeddedStores(running.folder / "data").attach()
    assert urls is not None
    async with (
        httpx.AsyncClient(base_url=running.url, timeout=60, verify=False) as http,
        asyncpg.create_pool(**credentials(urls.migration), min_size=1, max_size=2) as database,
    ):
        # What a test before left waiting would take the replies meant for this one.
        await database.execute("UPDATE mails SET dropped_at = now() WHERE sent_at IS NULL AND dropped_at IS NULL")
        yield Post(http, database, port)


async def test_two_processes_send_each_mail_once(post: Post) -> None:
    inbox = Inbox()
    async with smtp_server(inbox, port=post.port):
        emails = await asyncio.gather(*(post.registered() for _ in range(60)))
        for email in emails:
            await post.until(email, "sent_at IS NOT NULL")

    assert Counter(message["To"] for message in inbox.messages) == dict.fromkeys(emails, 1)


async def test_a_mail_waits_for_a_mail_server_that_is_dead(post: Post) -> None:
    inbox = Inbox()
    email = await post.registered()
    waiting = await post.until(email, "attempts = 1 AND next_at > now() AND next_at < now() + interval '11 seconds'")

    async with smtp_server(inbox, port=post.port):
        await post.is_due(email)
        await post.until(email, "sent_at IS NOT NULL")

    assert waiting["sent_at"] is None
    assert len(inbox.to(email)) == 1


async def test_each_attempt_waits_longer_than_the_one_before(post: Post) -> None:
    email = await post.registered()
    spans = []
    for attempt in (1, 2, 3):
        row = await post.until(email, f"attempts = {attempt} AND next_at < now() + interval '1 minute'")
        spans.append(await post.database.fetchval("SELECT round(extract(epoch FROM $1 - now()) / 10)", row["next_at"]))
        await post.is_due(email)

    assert spans == [1, 2, 4]


async def test_a_retry_has_a_new_token_and_the_older_one_is_void(post: Post) -> None:
    inbox = Inbox()
    inbox.replies["DATA"] = ["451 later"]
    async with smtp_server(inbox, port=post.port):
        email = await post.registered()
        await post.until(email, "attempts = 1 AND next_at < now() + interval '1 minute'")
        first = await tokens_of(post, email)
        await post.is_due(email)
        await post.until(email, "sent_at IS NOT NULL")

    second = await tokens_of(post, email)
    assert (len(first), len(second)) == (1, 1)
    assert first != second
    assert len(inbox.to(email)) == 1


async def test_what_the_other_server_never_takes_is_given_up_with_an_event(post: Post) -> None:
    inbox = Inbox()
    inbox.replies["RCPT"] = ["550 no such user"]
    async with smtp_server(inbox, port=post.port):
        email = await post.registered()
        row = await post.until(email, "dropped_at IS NOT NULL")

    event = await post.database.fetchrow(
        "SELECT * FROM audit.events WHERE name = 'mail_dropped' AND user_id = $1", row["user_id"]
    )
    assert (row["attempts"], row["sent_at"]) == (1, None)
    assert "550" in event["detail"]
    assert email not in event["detail"]


async def test_a_mail_is_given_up_after_three_days(post: Post) -> None:
    email = await post.registered()
    await post.until(email, "attempts = 1 AND next_at < now() + interval '1 minute'")
    await post.database.execute(
        "UPDATE mails SET created_at = created_at - interval '3 days', next_at = now() WHERE recipient_norm = $1", email
    )

    row = await post.until(email, "dropped_at IS NOT NULL")

    assert row["attempts"] == 2


async def test_a_mail_that_cannot_be_made_is_given_up_and_keeps_no_other_waiting(post: Post) -> None:
    inbox, damaged = Inbox(), f"user-{secrets.token_hex(8)}@example.com"
    insert = """
        INSERT INTO mails (id, kind, recipient, recipient_norm, params, created_at, next_at, attempts)
        VALUES (gen_random_uuid(), 'reset_password', $1::text, $1::text, '[]', now() - interval '3 days', now(), 0)
    """
    async with smtp_server(inbox, port=post.port):
        await post.database.execute(insert, damaged)
        await post.until(await post.registered(), "sent_at IS NOT NULL")
        row = await post.until(damaged, "dropped_at IS NOT NULL")

    assert (row["attempts"], row["sent_at"]) == (1, None)
    assert inbox.to(damaged) == []


async def test_nothing_is_written_to_an_address_that_has_no_account(post: Post) -> None:
    inbox = Inbox()
    unknown = f"nobody-{secrets.token_hex(8)}@example.com"
    async with smtp_server(inbox, port=post.port):
        answer = await post.http.post("/auth/forgot-password", json={"email": unknown})
        await post.until(unknown, "dropped_at IS NOT NULL")

    assert answer.status_code == 202
    assert inbox.messages == []
    trail = await post.database.fetch("SELECT detail::text FROM audit.events")
    assert unknown not in "".join(row["detail"] for row in trail)


async def test_no_log_line_names_an_address_or_a_link(post: Post, server: tuple[ServerProcess, int]) -> None:
    """LG1, RG13: neither of one that could not be sent, nor of one that was."""
    email = await post.registered()
    await post.until(email, "attempts > 0 AND next_at < now() + interval '1 minute'")  # postponed, no longer claimed
    async with smtp_server(Inbox(), port=post.port):
        await post.is_due(email)
        await post.until(email, "sent_at IS NOT NULL")

    log = server[0].output()
    assert '"mail_postponed"' in log
    assert "token=" not in log
    assert email not in log


def test_in_production_mails_wait_until_there_is_a_mail_server(settings: Settings) -> None:
    """Written to files they would be lost in silence."""
    assert mail_jobs(replace(settings, env="production", smtp_url=None), None) == []  # type: ignore[arg-type]


async def tokens_of(post: Post, email: str) -> list[str]:
    rows = await post.database.fetch("SELECT digest FROM mail_tokens WHERE email = $1", email)
    return [row["digest"] for row in rows]
