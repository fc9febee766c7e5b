"""Taking accounts over, one batch after the other: what a line says is checked, and what is good is made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from idp.domain.accounts.affordable_hashes import UnusableHash
from idp.domain.accounts.passwords import Passwords
from idp.domain.accounts.user_imports import Entry, Fate, ImportedUser, Rehearsal, Source, UserImports
from idp.services.accounts.imports import auth0, jsonl, keycloak
from idp.services.accounts.imports.tally import Tally

Reader = Callable[[object], ImportedUser | None]
ID_TAKEN = "id: it belongs to an account with another address."


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

    async def take(
        self, entries: Sequence[Entry], source: Source, reader: Reader, rehearsal: Rehearsal | None = None
    ) -> Tally:
        """
        What became of *entries*, which are one step: all that are good are made, with their events. With a *rehearsal*, which
        goes from step to step, nothing is written.

        Raises `StoreUnavailable`: the step may be taken again.
        """
        tally = Tally()
        good = tally.readable(entries, lambda value: self._user(value, reader))
        users = [user for _, user in good]
        fates = await (
            self.imports.look(users, rehearsal) if rehearsal is not None else self.imports.add_all(users, source)
        )
        for (entry, _), fate in zip(good, fates, strict=True):
            tally.created += fate is Fate.CREATED
            tally.known += fate is Fate.KNOWN
            if fate is Fate.ID_TAKEN:
                tally.refuse(entry, ID_TAKEN)
        return tally.sorted()

    def _user(self, value: object, reader: Reader) -> ImportedUser | None:
        user = reader(value)
        if user is not None and user.password_hash is not None:
            try:
                self.passwords.require_usable(user.password_hash)
            except UnusableHash as fault:
                raise ValueError(f"password_hash: {fault}") from None
        return user
