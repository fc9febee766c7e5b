"""`idp audit`: what happened, and whether the trail of it is as it was written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from idp.cli.environment import with_services
from idp.cli.output import TEXT, formatted, show_record, show_records
from idp.domain.audit.trail import EventFilter, ExaminedDay, RecordedEvent, Severity

if TYPE_CHECKING:
    from idp.bootstrap import Services

EVENT_COLUMNS = ("at", "severity", "name", "user_id", "client_id", "actor", "address", "detail")
DAY_COLUMNS = ("day", "events", "digest", "state")


class Instant(click.ParamType):  # type: ignore[type-arg]
    """RFC 3339; without an offset it is UTC; a day alone is its beginning."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            read = datetime.fromisoformat(str(value))
            return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("must be an instant such as 2026-01-31 or 2026-01-31T12:00:00Z", param, ctx)


class Kept(click.ParamType):  # type: ignore[type-arg]
    name = "DAY=HEX"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[date, bytes]:
        day, _, digest = str(value).partition("=")
        try:
            read = date.fromisoformat(day), bytes.fromhex(digest)
        except ValueError:
            self.fail("must be a day and its digest, such as 2026-01-31=9f86d0…", param, ctx)
        if len(read[1]) != 32:
            self.fail("a digest has 64 hexadecimal digits", param, ctx)
        return read


@click.group("audit")
def command() -> None:
    """
    The audit trail.

    \b
    Example:
      idp audit list --name sign_in_failed
      idp audit verify
    """


@command.command("list")
@click.option("--name", type=TEXT, help="Name of the event.")
@click.option("--severity", type=click.Choice([severity.value for severity in Severity]))
@click.option(
    "--user", "who", metavar="EMAIL_OR_ID", type=TEXT, help="Whom it concerns; the id also of a deleted user."
)
@click.option("--client", "client_id", metavar="ID", type=TEXT, help="The client concerned.")
@click.option("--actor", type=TEXT, help="Who did it, when that is not the user concerned.")
@click.option("--address", type=TEXT, help="Where it came from.")
@click.option("--since", type=Instant(), help="The first instant that counts.")
@click.option("--until", type=Instant(), help="The first instant that no longer counts.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many.")
@formatted
def list_events(who: str | None, severity: str | None, limit: int, form: str, **given: Any) -> None:
    """
    List events, the newest first.

    \b
    Example:
      idp audit list --user ada@example.com --since 2026-01-31 --format json
    """

    async def work(services: Services) -> list[RecordedEvent]:
        user_id = await _user_id(services, who) if who else None
        wanted = EventFilter(user_id=user_id, severity=Severity(severity) if severity else None, **given)
        return list((await services.audit.page(wanted, limit, None)).items)

    show_records([_event(event) for event in with_services(work)], form, EVENT_COLUMNS)


@command.command("prune")
@formatted
def prune(form: str) -> None:
    """
    Delete the days that are older than IDP_AUDIT_RETENTION was at the last `idp db migrate`. The server does so every hour.

    \b
    Example:
      idp audit prune
    """

    async def work(services: Services) -> int:
        return await services.audit.prune()

    show_record({"pruned": with_services(work)}, form)


@command.command("verify")
@click.option("--expect", "kept", type=Kept(), multiple=True, help="A digest kept elsewhere. May be given again.")
@formatted
@click.pass_context
def verify(context: click.Context, kept: tuple[tuple[date, bytes], ...], form: str) -> None:
    """
    Compute the chain of every day anew. Exit status 1 when a row was changed or is missing.

    The digest of a day that is over says all of it: keep it where who writes the database cannot, and give it to --expect.

    \b
    Example:
      idp audit verify
      idp audit verify --expect 2026-01-31=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    """

    async def work(services: Services) -> list[ExaminedDay]:
        return [day async for day in services.audit_verification.days(_by_day(kept))]

    days = with_services(work)
    show_records([_day(day) for day in days], form, DAY_COLUMNS)
    broken = [day for day in days if day.fault is not None]
    if broken:
        click.echo(f"The trail is broken on {len(broken)} of {len(days)} days.", err=True)
        context.exit(1)


def _by_day(kept: tuple[tuple[date, bytes], ...]) -> Mapping[date, bytes]:
    if len(dict(kept)) != len(kept):
        raise click.UsageError("Give one digest for a day.")
    return dict(kept)


async def _user_id(services: Services, who: str) -> UUID:
    try:
        return UUID(who)
    except ValueError:
        return (await services.user_administration.find(who)).id


def _event(event: RecordedEvent) -> dict[str, object]:
    return {
        "id": str(event.id),
        "at": event.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "name": event.name,
        "severity": event.severity,
        "user_id": event.user_id and str(event.user_id),
        "client_id": event.client_id,
        "session_id": event.session_id and str(event.session_id),
        "actor": event.actor,
        "address": event.address,
        "request_id": event.request_id,
        "detail": event.detail,
    }


def _day(day: ExaminedDay) -> dict[str, object]:
    place = f" at {day.seq}" if day.seq is not None else ""
    return {
        "day": day.day.isoformat(),
        "events": day.events,
        "digest": day.digest.hex(),
        "state": f"{day.fault}{place}" if day.fault else "whole",
        "fault": day.fault,
        "seq": day.seq,
    }
