"""`GET /admin/audit`: the trail a page at a time, or all that matches as JSON lines."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
import structlog
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, IPvAnyAddress
from quart import Blueprint, Response

from idp.controllers.http.access import Guard
from idp.controllers.http.exchange import current
from idp.controllers.http.operation import operation
from idp.controllers.http.shapes import Instant, Query, Shape
from idp.domain.audit.trail import AuditTrail, EventFilter, RecordedEvent, Severity
from idp.domain.clients.clients import LONGEST_CLIENT_ID
from idp.domain.errors import StoreUnavailable
from idp.services.operation.cursors import Cursors

log = structlog.get_logger("idp.http")

LISTING = "audit"
JSON_LINES = "application/x-ndjson"
PIECE = 64 * 1024
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d", re.IGNORECASE)

EventName = Annotated[str, Field(max_length=64, pattern=r"^[a-z][a-z0-9_]*$")]
Text = Annotated[str, Field(max_length=200)]
Address = Annotated[IPvAnyAddress, AfterValidator(str)]


def _rfc3339(text: Any) -> Any:
    """Pydantic would read a plain number as seconds."""
    if not isinstance(text, str) or not RFC_3339.match(text):
        raise ValueError("must be an instant of RFC 3339, such as 2026-01-31T12:00:00Z")
    return text


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie between the years 1 and 9999") from None


When = Annotated[AwareDatetime, BeforeValidator(_rfc3339), AfterValidator(_utc)]


class AuditQuery(Query):
    """Every parameter that is given must fit. *since* counts, *until* no longer does: RFC 3339 with an offset."""

    name: EventName | None = None
    severity: Severity | None = None
    user_id: UUID | None = None
    client_id: Annotated[str, Field(max_length=LONGEST_CLIENT_ID)] | None = None
    actor: Text | None = None
    address: Address | None = None
    since: When | None = None
    until: When | None = None
    limit: int = Field(50, ge=1, le=200)
    cursor: Annotated[str, Field(max_length=512)] | None = None
    format: Annotated[str, Field(pattern=r"^(json|jsonl)$")] | None = None

    @property
    def filter(self) -> EventFilter:
        names = [field.name for field in dataclasses.fields(EventFilter) if field.name in type(self).model_fields]
        return EventFilter(**{name: getattr(self, name) for name in names})


class AuditEvent(Shape):
    id: UUID
    at: Instant
    name: str
    severity: Severity
    user_id: UUID | None
    client_id: str | None
    session_id: UUID | None
    actor: str | None
    address: str | None
    request_id: str | None
    detail: dict[str, Any]

    @classmethod
    def of(cls, event: RecordedEvent) -> AuditEvent:
        return cls(**dataclasses.asdict(event))


class AuditEvents(Shape):
    events: list[AuditEvent]
    next_cursor: str | None


def audit_routes(trail: AuditTrail, cursors: Cursors, guard: Guard) -> Blueprint:
    routes = Blueprint("admin_audit", __name__)

    @routes.get("/admin/audit")
    @guard.admin
    @operation(
        "Audit events, newest first; as JSON lines all that match",
        query=AuditQuery,
        gives=AuditEvents,
        streams=JSON_LINES,
    )
    async def events(asked: AuditQuery) -> AuditEvents | Response:
        wanted = asked.filter
        if asked.format == "jsonl" or (asked.format is None and current().header(b"accept") == JSON_LINES):
            return await _exported(trail, wanted)
        filters = dataclasses.asdict(wanted)
        page = await trail.page(wanted, asked.limit, cursors.read(LISTING, filters, asked.cursor))
        return AuditEvents(
            events=[AuditEvent.of(event) for event in page.items],
            next_cursor=cursors.write(LISTING, filters, page.following),
        )

    return routes


async def _exported(trail: AuditTrail, wanted: EventFilter) -> Response:
    events = trail.every(wanted)
    first = await anext(events, None)  # now, while the status can still say that the store does not answer
    headers = {"Content-Disposition": 'attachment; filename="audit.jsonl"', "Cache-Control": "no-store"}
    response = Response(json_lines(first, events), content_type=JSON_LINES, headers=headers)
    response.timeout = None  # as long as the reader takes: nothing is held open for it
    return response


async def json_lines(first: RecordedEvent | None, others: AsyncIterator[RecordedEvent]) -> AsyncIterator[bytes]:
    """
    In pieces that are worth sending. Should the store go away in the middle, the last line is no event but `{"error"}`:
    the status is out already, and a list that ends too early would look whole.
    """
    piece = bytearray(_line(first) if first else b"")
    try:
        async for event in others:
            piece += _line(event)
            if len(piece) >= PIECE:
                yield bytes(piece)
                piece.clear()
    except StoreUnavailable as fault:
        log.warning("export_broken", reason=str(fault))
        piece += orjson.dumps({"error": fault.error}) + b"\n"
    yield bytes(piece)


def _line(event: RecordedEvent) -> bytes:
    return AuditEvent.of(event).model_dump_json(by_alias=True).encode() + b"\n"
