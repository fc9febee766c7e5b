"""`idp clients`."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from program import Forked

from idp.domain.clients.clients import digest_of_secret
from keys import key_set, new_key


def new_id() -> str:
    return f"client-{secrets.token_hex(6)}"


def created(program: Forked, client_id: str, *options: str) -> dict[str, Any]:
    arguments = ("clients", "create", "--id", client_id, "--name", "My app", *options)
    answer: dict[str, Any] = program.json(*arguments)
    return answer


async def stored_secrets(database: Any, client_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        await database.fetchval("SELECT secrets FROM clients WHERE client_id = $1", client_id)
    )
    return found


async def test_a_confidential_client_gets_a_secret_that_only_the_answer_holds(program: Forked, database: Any) -> None:
    client_id = new_id()

    client = created(
        program, client_id, "--grant", "password", "--grant", "refresh_token", "--origin", "https://a.example"
    )
    shown = program("clients", "show", client_id, "--format", "json")

    assert client["client_id"] == client_id
    assert client["grant_types"] == ["password", "refresh_token"]
    assert client["scope"] == "openid profile email offline_access"
    assert client["origins"] == ["https://a.example"]
    assert (client["auth_method"], client["public"], client["enabled"]) == (None, False, True)
    assert [one["digest"] for one in await stored_secrets(database, client_id)] == [
        digest_of_secret(client["client_secret"])
    ]
    assert shown.json == {name: value for name, value in client.items() if name != "client_secret"}
    assert digest_of_secret(client["client_secret"]) not in shown.out


async def test_a_public_client_gets_none(program: Forked, database: Any) -> None:
    client_id = new_id()

    client = created(
        program, client_id, "--public", "--grant", "authorization_code", "--redirect-uri", "https://a.example/cb"
    )

    assert "client_secret" not in client
    assert (client["auth_method"], client["redirect_uris"]) == ("none", ["https://a.example/cb"])
    assert await stored_secrets(database, client_id) == []


async def test_every_fault_of_a_client_is_named(program: Forked, database: Any) -> None:
    refused = program("clients", "create", "--id", "mÿ app", "--name", "x", "--grant", "magic", "--origin", "a.example")

    assert refused.status == 1
    assert all(field in refused.err for field in ("client_id: ", "grant_types: ", "origins: "))
    assert await database.fetchval("SELECT count(*) FROM clients WHERE client_id = 'my app'") == 0


async def test_an_update_replaces_the_lists_it_names_and_leaves_the_rest(program: Forked, database: Any) -> None:
    client_id = new_id()
    created(
        program, client_id, "--grant", "password", "--origin", "https://a.example", "--resource", "https://api.example"
    )

    options = ("--origin", "https://b.example", "--resource", "", "--disable", "--name", "Renamed")
    updated = program.json("clients", "update", client_id, *options)

    assert (updated["origins"], updated["resources"], updated["enabled"]) == (["https://b.example"], [], False)
    assert (updated["name"], updated["grant_types"]) == ("Renamed", ["password"])
    rows = await database.fetch("SELECT detail, actor FROM audit.events WHERE client_id = $1 ORDER BY at", client_id)
    assert [(json.loads(row["detail"])["change"], row["actor"]) for row in rows] == [
        ("created", "cli:operator"),
        ("updated", "cli:operator"),
    ]


async def test_a_rotated_secret_leaves_the_old_one_for_the_overlap(program: Forked, database: Any) -> None:
    client_id = new_id()
    old = created(program, client_id, "--grant", "client_credentials")["client_secret"]

    new = program.json("clients", "rotate-secret", client_id, "--overlap", "1h")

    stored = await stored_secrets(database, client_id)
    assert [one["digest"] for one in stored] == [digest_of_secret(new["client_secret"]), digest_of_secret(old)]
    assert stored[0]["expires_at"] is None
    left = datetime.fromisoformat(stored[1]["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=50) < left <= timedelta(hours=1)


ROTATING = """
import asyncio, sys
from idp.cli.environment import with_services

async def work(services):
    rotate = services.client_registration.rotate_secret
    return [made.secret for made in await asyncio.gather(*(rotate(sys.argv[1]) for _ in range(8)))]

print(*with_services(work))
"""


async def test_rotations_at_once_take_turns(program: Forked, database: Any) -> None:
    client_id = new_id()
    created(program, client_id, "--grant", "client_credentials")

    done = program.python("-c", ROTATING, client_id)

    digests = {digest_of_secret(secret) for secret in done.stdout.decode().split()}
    assert len(digests) == 8, done.stderr
    # Of two that had read the same client, the later would bring back the secret from before both.
    assert {one["digest"] for one in await stored_secrets(database, client_id)} < digests


async def test_deleting_asks_first_and_nobody_there_means_no(program: Forked, database: Any) -> None:
    client_id = new_id()
    created(program, client_id, "--grant", "client_credentials")

    unanswered = program("clients", "delete", client_id)
    still = await database.fetchval("SELECT count(*) FROM clients WHERE client_id = $1", client_id)
    deleted = program("clients", "delete", client_id, "--yes")

    assert (unanswered.status, still) == (1, 1)
    assert deleted.status == 0
    assert await database.fetchval("SELECT count(*) FROM clients WHERE client_id = $1", client_id) == 0


async def test_the_built_in_client_cannot_be_changed(program: Forked) -> None:
    assert program("clients", "update", "idp-rest", "--scope", "openid").status == 1


async def test_everything_a_client_says_of_itself_can_be_typed(program: Forked) -> None:
    client_id = new_id()
    keys = program.folder / "keys.json"
    keys.write_text(json.dumps(key_set(new_key())))

    options = ("--grant", "authorization_code", "--redirect-uri", "com.example.app:/cb", "--jwks-file", str(keys))
    created(program, client_id, *options, *EVERY_OPTION)
    shown = program.json("clients", "show", client_id)

    assert shown.items() >= EVERYTHING.items()
    assert [key["kid"] for key in shown["jwks"]["keys"]]
    assert "secret" not in shown


EVERY_OPTION = (
    *("--auth-method", "private_key_jwt", "--auth-signing-alg", "ES256", "--native"),
    *("--no-pkce", "--first-party", "--post-logout-redirect-uri", "https://a.example/bye", "--contact", "a@b.example"),
    *("--post-logout-redirect-uri", "https://b.example/bye", "--backchannel-logout-uri", "https://a.example/logout"),
    *("--id-token-alg", "PS256", "--userinfo-alg", "EdDSA", "--logo-uri", "https://a.example/logo", "--client-uri"),
    *("https://a.example", "--policy-uri", "https://a.example/policy", "--tos-uri", "https://a.example/tos"),
    *("--id-token-claims", "--initiate-login-uri", "https://a.example/start"),
    *("--audience", "https://api.example", "--default-max-age", "3600", "--backchannel-session", "--require-auth-time"),
)
EVERYTHING = {
    "auth_method": "private_key_jwt",
    "token_endpoint_auth_signing_alg": "ES256",
    "application_type": "native",
    "require_pkce": False,
    "first_party": True,
    "post_logout_redirect_uris": ["https://a.example/bye", "https://b.example/bye"],
    "contacts": ["a@b.example"],
    "backchannel_logout_uri": "https://a.example/logout",
    "backchannel_logout_session_required": True,
    "id_token_signed_response_alg": "PS256",
    "userinfo_signed_response_alg": "EdDSA",
    "id_token_claims": True,
    "initiate_login_uri": "https://a.example/start",
    "logo_uri": "https://a.example/logo",
    "client_uri": "https://a.example",
    "policy_uri": "https://a.example/policy",
    "tos_uri": "https://a.example/tos",
    "audiences": ["https://api.example"],
    "default_max_age": 3600,
    "require_auth_time": True,
    "secrets_expire_at": [],
}


async def test_a_name_of_any_language_can_be_typed_and_none_that_hides(program: Forked) -> None:
    client_id = new_id()
    named = ("clients", "create", "--id", client_id, "--grant", "client_credentials", "--name")

    refused = [program(*named, name) for name in ("a\u202eb", "\u3164", "a\x07b")]
    made = program.json(*named, "نرم\u200cافزار\u00a0من")
    renamed = program.json("clients", "update", client_id, "--name", "会計\u3000サービス")

    assert [answer.status for answer in refused] == [1, 1, 2]
    assert (made["name"], renamed["name"]) == ("نرم\u200cافزار من", "会計 サービス")


async def test_an_id_of_elsewhere_can_be_typed(program: Forked) -> None:
    client_id = "https://app.example/client (old)?" + "x" * 200
    program("clients", "delete", client_id, "--yes")

    created(program, client_id, "--grant", "client_credentials")

    assert program.json("clients", "show", client_id)["client_id"] == client_id
    assert program.json("clients", "delete", client_id, "--yes")["deleted"] is True


async def test_an_empty_text_takes_away_what_a_client_need_not_have(program: Forked) -> None:
    client_id = new_id()
    options = ("--logo-uri", "https://a.example/logo", "--userinfo-alg", "RS256", "--default-max-age", "1")
    created(program, client_id, "--grant", "password", *options)

    emptied = ("--logo-uri", "", "--userinfo-alg", "", "--default-max-age", "", "--jwks-uri", "https://a.example/jwks")
    updated = program.json("clients", "update", client_id, *emptied)

    names = ("logo_uri", "userinfo_signed_response_alg", "default_max_age", "jwks_uri", "jwks")
    assert [updated[name] for name in names] == [None, None, None, "https://a.example/jwks", None]


async def test_a_file_that_holds_no_keys_is_named(program: Forked) -> None:
    odd = program.folder / "odd.json"
    odd.write_text("[]")

    create = ("clients", "create", "--id", new_id(), "--name", "x", "--grant", "password", "--jwks-file")
    refused = [program(*create, str(name)) for name in (program.folder / "nowhere.json", odd)]

    assert [answer.status for answer in refused] == [2, 2]
    assert all("--jwks-file" in answer.err for answer in refused)
