"""What the spans of stores, tokens and outgoing calls say, by the semantic conventions where there is one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from idp.database.scripts import Script
from idp.gateways.tracing.spans import Attributes, Method

# The read that many refreshes share on one connection: each has a span of its own for its own wait.
SESSION_READ = "SELECT sessions users"


def session_read(*_: object) -> Attributes:
    return {"db.system.name": "postgresql", "db.operation.name": "SELECT", "db.query.summary": SESSION_READ}


def script_name(_: object, script: Script, *__: object) -> str:
    return f"EVALSHA {script.name}"


def script_attributes(_: object, script: Script, *__: object) -> Attributes:
    return {
        "db.system.name": "redis",
        "db.operation.name": "EVALSHA",
        "db.stored_procedure.name": script.name,
    }


def request_of(method: str) -> Any:
    """Of a call to an address that a client registered: its host. Path and query may hold what is the client's secret."""

    def attributes(_: object, url: str, *__: object, **___: object) -> Attributes:
        try:
            host = urlsplit(url).hostname
        except ValueError:
            host = None
        return {"http.request.method": method, **({"server.address": host} if host else {})}

    return attributes


def status_of(answer: object) -> Attributes:
    if not isinstance(answer, int):
        return {"http.response.status_code": 200}
    return {"http.response.status_code": answer, **({"error.type": str(answer)} if answer >= 400 else {})}


OUTGOING = tuple(
    Method(name=verb.lower(), span=verb, asked=request_of(verb), answered=status_of, calls_out=True)
    for verb in ("GET", "POST")
)


def token_asked(server: Any, fields: Any, *_: object, **__: object) -> Attributes:
    """The grant, if it is one of ours: what else a caller writes there stays out."""
    asked = {value for name, value in fields if name == "grant_type"}
    known = sorted(asked.intersection(server.grant_types))
    return {"idp.grant_type": known[0]} if known else {}


def token_answered(answer: Any) -> Attributes:
    """*error* is one of the words of RFC 6749. The client's id only once it has authenticated."""
    error = (answer.body or {}).get("error")
    found = {"idp.client_id": answer.client and answer.client.client_id, "idp.oauth.error": error}
    return {name: value for name, value in found.items() if value is not None}


def rotation_answered(rotation: Any) -> Attributes:
    return {"idp.refresh.outcome": str(rotation.outcome)}


def limit_asked(_: object, category: object, *__: object) -> Attributes:
    return {"idp.limit.category": str(category)}


def mail_asked(_: object, mail: Any) -> Attributes:
    return {"idp.mail.kind": str(mail.kind)}


def notice_asked(_: object, notice: Any) -> Attributes:
    return {"idp.client_id": str(notice.client_id)}
