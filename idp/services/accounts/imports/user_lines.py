"""What `idp users export` writes of a user: what `jsonl` reads."""

from __future__ import annotations

from typing import Any

from idp.domain.accounts.users import User


def line_of(user: User, password_hash: str | None = None) -> dict[str, Any]:
    """Of microseconds nothing is lost. *password_hash* None: the member is left out."""
    line: dict[str, Any] = {
        "id": str(user.id),
        "email": user.email,
        "name": user.name,
        "email_verified": user.email_verified,
        "roles": [role.value for role in user.roles],
        "status": user.status.value,
        "created_at": user.created_at.isoformat(),
        "updated_at": user.updated_at.isoformat(),
        "claims": dict(user.claims),
    }
    return line if password_hash is None else line | {"password_hash": password_hash}
