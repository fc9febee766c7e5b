"""The facts of the folder of signing keys. Read, not loaded: that would make a key where there is none."""

from __future__ import annotations

import stat
from datetime import UTC, datetime

from idp.domain.errors import InvalidKeyFile
from idp.domain.operation.diagnosis import KeyFacts
from idp.domain.operation.signing_keys import KeySchedule
from idp.gateways.key_folder import KeyFolder
from idp.settings import Settings


def facts(settings: Settings) -> KeyFacts:
    now = datetime.now(UTC)
    try:
        if not settings.keys_dir.exists():
            return KeyFacts()
        mode = stat.S_IMODE(settings.keys_dir.stat().st_mode)
        stored = KeyFolder(settings.keys_dir).read()
    except (InvalidKeyFile, OSError) as fault:
        return KeyFacts(fault=str(fault))
    schedule = KeySchedule((key.record for key in stored.values()), settings.access_token_ttl)
    oldest = min(key.created_at for key in signers) if (signers := schedule.signers(now)) else None
    return KeyFacts(
        mode=mode,
        made_at=oldest if schedule.signer(now) else None,
        keys=schedule.keys(now),
        configured_bits=settings.key_bits,
    )
