"""Taking accounts over, one batch after the other: what a line says is checked, and what is good is made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial

from idp.domain.password_hashes import UnusableHash
from idp.domain.passwords import Passwords
from idp.domain.user_imports import Entry, Fate, ImportedUser, Source, UserImports
from idp.services.imports import auth0, jsonl, keycloak

Reader = Callable[[object], ImportedUser | None]
ID_TAKEN = "id: it belongs to an account with another address."


@dataclass(frozen=True, slots=True)
class Refused:
    entry: Entry
    reason: str


@dataclass(slots=True)
class Tally:
    """*known*: had an account already. *ignored*: no users, such as accounts of services."""

    read: int = 0
    created: int = 0
    known: int = 0
    ignored: int = 0
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserImport:
    imports: UserImports
    passwords: Passwords

    def reader(self, source: Source, admin_roles: Collection[str] = ()) -> Reader:
        """*admin_roles*: the realm roles of Keycloak that make an administrator."""
        readers: dict[Source, Reader] = {
            Source.JSONL: jsonl.user_of,
            Source.KEYCLOAK: partial(keycloak.user_of, admin_roles=admin_roles),
            Source.AUTH0: auth0.user_of,
        }
        return readers[source]

    async def take(self, entries: Sequence[Entry], source: Source, reader: Reader, *, dry_run: bool = False) -> Tally:
        """
        What became of *entries*, which are one step: all that are good are made, with their events. *dry_run* writes nothing.

        Raises `StoreUnavailable`: the step may be taken again.
        """
        tally = Tally(read=len(entries))
        good: list[tuple[Entry, ImportedUser]] = []
        for entry in entries:
            try:
                user = self._user(entry, reader)
            except ValueError as fault:
                tally.refused.append(Refused(entry, str(fault)))
                continue
            if user is None:
                tally.ignored += 1
            else:
                good.append((entry, user))
        users = [user for _, user in good]
        fates = await (self.imports.look(users) if dry_run else self.imports.add_all(users, source))
        for (entry, _), fate in zip(good, fates, strict=True):
            tally.created += fate is Fate.CREATED
            tally.known += fate is Fate.KNOWN
            if fate is Fate.ID_TAKEN:
                tally.refused.append(Refused(entry, ID_TAKEN))
        tally.refused.sort(key=lambda refused: refused.entry.number)
        return tally

    def _user(self, entry: Entry, reader: Reader) -> ImportedUser | None:
        if entry.fault is not None:
            raise ValueError(entry.fault)
        user = reader(entry.value)
        if user is not None and user.password_hash is not None:
            try:
                self.passwords.require_usable(user.password_hash)
            except UnusableHash as fault:
                raise ValueError(f"password_hash: {fault}") from None
        return user
