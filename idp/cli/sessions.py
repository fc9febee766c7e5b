"""`idp sessions`: who is signed in where, and ending it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import click

from idp.cli.environment import with_services
from idp.cli.output import TEXT, formatted, instant, show_record, show_records
from idp.cli.progress import progress
from idp.domain.errors import NotFound
from idp.domain.sessions.sessions import RevokedReason, Session

if TYPE_CHECKING:
    from idp.bootstrap import Services

COLUMNS = ("id", "client_id", "scope", "created_at", "expires_at")


@click.group("sessions")
def command() -> None:
    """
    Sessions.

    \b
    Example:
      idp sessions list --user ada@example.com
    """


@command.command("list")
@click.option("--user", "who", metavar="EMAIL_OR_ID", type=TEXT, required=True)
@formatted
def list_sessions(who: str, form: str) -> None:
    """
    List the live sessions of a user, the newest first.

    \b
    Example:
      idp sessions list --user ada@example.com
    """

    async def work(services: Services) -> list[Session]:
        user = await services.user_administration.find(who)
        return await services.sessions.list_of(user.id)

    show_records([_record(session) for session in with_services(work)], form, COLUMNS)


@command.command("revoke")
@click.argument("session_id", type=click.UUID, required=False)
@click.option("--user", "who", metavar="EMAIL_OR_ID", type=TEXT, help="Every session of this user.")
@click.option("--all", "everybody", is_flag=True, help="Every session of every user.")
@click.option("--yes", is_flag=True, help="Do not ask, with --all.")
@formatted
def revoke(session_id: UUID | None, who: str | None, everybody: bool, yes: bool, form: str) -> None:
    """
    End one session, or all of a user, or all there are. No refresh works afterwards.

    \b
    Example:
      idp sessions revoke --user ada@example.com
      idp sessions revoke --all --yes
    """
    if [session_id is not None, who is not None, everybody].count(True) != 1:
        raise click.UsageError("Give a SESSION_ID, --user or --all.")
    if everybody and not yes:
        click.confirm("Sign every user out, everywhere?", abort=True, err=True)

    async def work(services: Services) -> int:
        if session_id is not None:
            return await _revoke(services, session_id)
        if everybody:
            with progress("sessions", None) as shown:
                return await services.session_service.end_everybodys(RevokedReason.ADMIN, shown.advance)
        user = await services.user_administration.find(who or "")
        return await services.session_service.end_all(user.id, RevokedReason.ADMIN)

    show_record({"revoked": with_services(work)}, form)


async def _revoke(services: Services, session_id: UUID) -> int:
    """How many ended now: one that has ended already is no error."""
    state = await services.sessions.find(session_id)
    if state is None:
        raise NotFound(f"There is no session {session_id}.")
    return int(await services.session_service.revoke(state.session, RevokedReason.ADMIN))


def _record(session: Session) -> dict[str, object]:
    return {
        "id": str(session.id),
        "user_id": str(session.user_id),
        "client_id": session.client_id,
        "scope": session.scope,
        "audience": session.audience,
        "auth_time": instant(session.auth_time),
        "created_at": instant(session.created_at),
        "expires_at": instant(session.expires_at),
    }
