"""The signing keys, for administrators: seeing them and making the next one, without going to the machine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from idp.domain.errors import Conflict, InvalidKeyFile
from idp.domain.events import Events, KeyRotated
from idp.domain.signing_keys import SigningKey, SigningKeys

log = structlog.get_logger("idp.keys")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAdministration:
    keys: SigningKeys
    events: Events

    async def all(self) -> Sequence[SigningKey]:
        """Public facts only: active, next, retired, expired, withdrawn."""
        return await asyncio.to_thread(self.keys.list)

    async def rotate(self) -> SigningKey:
        """
        The key that will sign next. Every process that watches the same folder has it within a second.

        Raises `Conflict` while another one waits, and when this process may not write to the folder of keys.
        """
        try:
            made = await asyncio.to_thread(self.keys.rotate)
        except InvalidKeyFile as fault:
            # Its text names the folder, which is nothing for who is outside of the machine.
            log.warning("keys_not_rotated", reason=str(fault))
            raise Conflict(
                "This server cannot write to its folder of signing keys, or finds a fault in it: its log says more. "
                "Make the key with `idp keys rotate` where that folder can be written."
            ) from None
        await self.events.record(KeyRotated(kid=made.kid, activates_at=made.activates_at.isoformat()))
        return made
