"""Thousands of malformed requests: none is an error of the server (IN10, TE22, RF20; claim 4 of the catalogue)."""

from __future__ import annotations

import asyncio
from collections import Counter

from malformed import Known, Malformed
from raw_http import RawAnswer, RawConnection, opened
from structlog.testing import capture_logs
from world import PASSWORD, World

REQUESTS = 20_000
CONNECTIONS = 4
SEED = 20_240_601


class Sender:
    """One connection at a time; another one where the server has closed it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open: RawConnection | None = None

    async def answer(self, method: str, data: bytes, *, framed: bool) -> RawAnswer | None:
        self._open = self._open or await opened(self._url)
        try:
            await self._open.send(data)
            if not framed:
                self._open.end_of_request()
            answer = await self._open.answer(method=method)
        except ConnectionError:
            answer = None
        if answer is None or not framed or answer.header("connection") == "close":
            self.close()
        return answer

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open = None


async def known_to(world: World) -> Known:
    client = await world.client()
    tokens = await world.signed_in(client)
    return Known(
        tokens.email, PASSWORD, client.client_id, client.secret or "", tokens.access_token, tokens.refresh_token
    )


async def test_no_malformed_request_is_an_error_of_the_server(world: World) -> None:
    """Drawn from a fixed seed; over every endpoint, with mutated methods, paths, headers, bodies and lengths."""
    known = await known_to(world)
    statuses: Counter[int | None] = Counter()
    failed: list[bytes] = []

    async def sends(share: int) -> None:
        sender, requests = Sender(world.settings.issuer), Malformed(SEED + share, known)
        for _ in range(REQUESTS // CONNECTIONS):
            request = requests.request()
            answer = await sender.answer(request.method, request.data, framed=request.framed)
            statuses[answer and answer.status] += 1
            if answer is not None and answer.status >= 500 and answer.status != 501:
                failed.append(request.data)
        sender.close()

    with capture_logs() as lines:
        await asyncio.gather(*map(sends, range(CONNECTIONS)))

    unhandled = [line for line in lines if line["event"] == "unhandled_exception" or line.get("logger") == "asyncio"]
    assert not failed, failed[:3]
    assert not unhandled, unhandled[:3]
    assert statuses[None] < REQUESTS // 20  # an answer to nearly all
    assert {200, 201, 204, 400, 401, 404, 405, 413, 415} <= set(statuses)  # and every kind of it was reached
    assert (await world.http.get("/health/ready")).status_code == 200
    assert await world.signed_in()
