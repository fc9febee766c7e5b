"""
The signing keys, for administrators: seeing them and making the next ones, without going to the machine.

And for clients: an algorithm that one of them asks for gets its first key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import structlog

from idp.domain.audit.events import Events, KeyRotated
from idp.domain.errors import Conflict, InvalidKeyFile
from idp.domain.operation.signing_keys import ALGORITHMS, KeyState, SigningKey, SigningKeys

log = structlog.get_logger("idp.keys")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAdministration:
    """*provision*: keys may be made here. Else only those of algorithms that have one can be asked for."""

    keys: SigningKeys
    events: Events
    provision: bool = True

    def offered(self) -> Sequence[str]:
        """The algorithms that a client may have its ID tokens in."""
        if self.provision:
            return ALGORITHMS
        signing = {key.algorithm for key in self.keys.list() if key.state is KeyState.ACTIVE}
        return [algorithm for algorithm in ALGORITHMS if algorithm in signing]

    async def all(self) -> Sequence[SigningKey]:
        """Public facts only: active, next, retired, expired, withdrawn."""
        return await asyncio.to_thread(self.keys.list)

    async def rotate(self) -> Sequence[SigningKey]:
        """
        The keys that will sign next, of each algorithm in use, that of access tokens first.

        Every process that watches the same folder has them within a second. Raises `Conflict` while another one waits, and
        when this process may not write to the folder of keys.
        """
        return await self._made(self.keys.rotate_all)

    async def provide(self, algorithms: Collection[str]) -> None:
        """Each of *algorithms* has a key that signs. Raises `Conflict` when this process cannot make one that is missing."""
        await self._made(lambda: self.keys.provide(algorithms))

    async def _made(self, make: Callable[[], Sequence[SigningKey]]) -> Sequence[SigningKey]:
        try:
            made = await asyncio.to_thread(make)
        except InvalidKeyFile as fault:
            # Its text names the folder, which is nothing for who is outside of the machine.
            log.warning("keys_not_made", reason=str(fault))
            raise Conflict(
                "This server cannot write to its folder of signing keys, or may not, or finds a fault in it: its log says more. "
                "Make the key with `idp keys rotate` where that folder can be written."
            ) from None
        for key in made:
            event = KeyRotated(kid=key.kid, algorithm=key.algorithm, activates_at=key.activates_at.isoformat())
            await self.events.record(event)
        return made
