"""A mailer that says what became of each letter: `sent`, `refused` by the other server, or `postponed`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from idp.domain.accounts.mails import Letter, Mailer, MailNotSent


@dataclass(frozen=True, slots=True)
class ObservedMailer:
    mailer: Mailer
    on_result: Callable[[str], None]

    async def send(self, letter: Letter) -> None:
        try:
            await self.mailer.send(letter)
        except MailNotSent as fault:
            self.on_result("refused" if fault.refused else "postponed")
            raise
        self.on_result("sent")
