"""`idp users import`: what is taken over from each format, what is refused, and that a second run changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

import pytest
from foreign_users import (
    PASSWORD,
    auth0_scrypt,
    auth0_user,
    bcrypt_hash,
    hashes,
    keycloak_argon2,
    keycloak_pbkdf2,
    keycloak_realm,
    keycloak_user,
    lines,
    new_email,
)
from program import Answer, Beside
from world import World

LONG = "A" * 43
REFUSED = {
    "no address": ({"name": "Ada"}, "email: an account needs an e-mail address."),
    "half an address": ({"email": "ada"}, "email: Give an e-mail address, such as ada@example.com."),
    "a misspelt member": ({"email": "ada@example.com", "password": "x"}, "password: there is no such member"),
    "a name of one letter": ({"email": "ada@example.com", "name": "A"}, "name: A name has 2 to 50 characters."),
    "another role": ({"email": "ada@example.com", "roles": ["ROOT"]}, "roles: there are USER, ADMIN, no others."),
    "another status": ({"email": "ada@example.com", "status": "gone"}, "status: there are active, disabled"),
    "no UUID": ({"email": "ada@example.com", "id": "17"}, "id: Give a UUID"),
    "no instant": ({"email": "ada@example.com", "created_at": "yesterday"}, "created_at: Give an instant"),
    "a claim that breaks its rule": (
        {"email": "ada@example.com", "claims": {"website": "javascript:1"}},
        "claims.website: Give an address",
    ),
    "text for a flag": (
        {"email": "ada@example.com", "email_verified": "yes"},
        "email_verified: must be true or false.",
    ),
    "plain text for a hash": ({"email": "ada@example.com", "password_hash": PASSWORD}, "password_hash: This is no"),
    "an empty hash": ({"email": "ada@example.com", "password_hash": ""}, "password_hash: This is no"),
    "a dear hash": (
        {"email": "ada@example.com", "password_hash": f"$scrypt$ln=30,r=8,p=1${LONG}${LONG}"},
        "password_hash: scrypt takes 128 MiB here",
    ),
    "no object": (["ada@example.com"], "the line: must be a JSON object."),
}


async def user(world: World, email: str) -> dict[str, Any]:
    row = await world.database.fetchrow("SELECT * FROM users WHERE email_norm = $1", email.lower())
    assert row is not None
    return dict(row)


async def signs_in(world: World, email: str) -> bool:
    return (await world.post("/auth/login", email=email, password=PASSWORD)).status_code == 200


def counts(answer: Answer) -> tuple[int, int, int]:
    assert answer.out, answer.err
    summary = json.loads(answer.out)
    return summary["created"], summary["known"], summary["refused"]


async def test_an_account_has_all_that_its_line_says(program: Beside, world: World, folder: Path) -> None:
    email, user_id = new_email(), uuid4()
    line = {
        "email": email.upper(),
        "name": "Ada",
        "email_verified": True,
        "roles": ["ADMIN", "USER"],
        "status": "disabled",
        "id": str(user_id),
        "created_at": "2020-01-31T12:00:00+01:00",
        "claims": {"given_name": "Ada", "address": {"country": "GB"}},
    }

    done = await program("users", "import", lines(folder, line), "--format", "json")

    assert counts(done) == (1, 0, 0)
    made = await user(world, email)
    assert (made["id"], made["roles"], made["status"]) == (user_id, ["USER", "ADMIN"], "disabled")
    assert (made["email_verified"], made["password_hash"]) == (True, None)
    assert made["created_at"].isoformat() == "2020-01-31T11:00:00+00:00"
    assert json.loads(made["claims"]) == line["claims"]
    [event] = await world.events("user_imported", user_id=user_id)
    assert (event["actor"], event["detail"]) == ("cli:operator", {"source": "jsonl", "roles": "USER ADMIN"})
    assert not await world.database.fetchval("SELECT count(*) FROM mails WHERE user_id = $1", user_id)


async def test_users_of_every_scheme_sign_in_and_are_hashed_anew(program: Beside, world: World, folder: Path) -> None:
    given = {new_email(): text for text in hashes().values()}

    await program.json("users", "import", lines(folder, *({"email": e, "password_hash": h} for e, h in given.items())))

    for email, before in given.items():
        tokens = await world.signed_in(email=email)
        made = await user(world, email)
        assert made["password_hash"] != before
        assert made["password_hash"].startswith("$bcrypt-sha256$v=2,t=2b,r=4$")
        assert (await world.refresh(tokens)).status_code == 200
        assert await signs_in(world, email)
        assert len(await world.events("password_rehashed", user_id=made["id"])) == 1


async def test_a_user_without_a_password_sets_one_by_mail(program: Beside, world: World, folder: Path) -> None:
    email = new_email()
    await program.json("users", "import", lines(folder, {"email": email, "name": "Ada"}))
    assert not await signs_in(world, email)

    await world.post("/auth/forgot-password", email=email)
    token = (await world.mail(email, "password")).token
    await world.post("/auth/reset-password", token=token, newPassword=PASSWORD)

    assert await signs_in(world, email)


async def test_every_line_that_is_refused_says_why_and_the_others_are_made(
    program: Beside, world: World, folder: Path
) -> None:
    good, errors = new_email(), folder / "refused.jsonl"
    file = lines(folder, {"email": good}, *(line for line, _ in REFUSED.values()))
    Path(file).write_text(Path(file).read_text() + "{half\n\n" + '"\\ud800"\n')

    done = await program("users", "import", file, "--errors", str(errors), "--format", "json")

    assert done.status == 1
    assert counts(done) == (1, 0, len(REFUSED) + 2)
    told = [json.loads(line) for line in errors.read_text().splitlines()]
    assert [line["line"] for line in told] == [*range(2, len(REFUSED) + 3), len(REFUSED) + 4]
    for (_, reason), line in zip(REFUSED.values(), told, strict=False):
        assert line["error"].startswith(reason)
        assert f"{file}:{line['line']}: {line['error']}" in done.err
    assert errors.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in done.out + done.err + errors.read_text()
    await user(world, good)


async def test_a_line_without_end_is_refused_and_the_next_one_read(program: Beside, folder: Path) -> None:
    file = folder / "long.jsonl"
    file.write_text(
        json.dumps({"email": new_email()}) + "\n" + "x" * 3_000_000 + "\n" + json.dumps({"email": new_email()})
    )

    done = await program("users", "import", str(file), "--format", "json")

    assert counts(done) == (2, 0, 1)
    assert ":2: the line is longer than" in done.err


async def test_known_addresses_are_left_alone_in_any_spelling(program: Beside, world: World, folder: Path) -> None:
    email, other_id = await world.registered(), uuid4()
    before = await user(world, email)

    done = await program(
        "users",
        "import",
        lines(
            folder,
            {"email": email.upper(), "roles": ["ADMIN"], "password_hash": bcrypt_hash("Another-Horse-7")},
            {"email": new_email(), "id": str(other_id)},
            {"email": new_email(), "id": str(other_id)},
            {"email": new_email(), "id": str(before["id"])},
        ),
        "--format",
        "json",
    )

    assert counts(done) == (1, 1, 2)
    assert done.err.count("id: it belongs to an account with another address.") == 2
    assert await user(world, email) == before


async def test_a_dry_run_says_the_same_and_writes_nothing(program: Beside, world: World, folder: Path) -> None:
    email = new_email()
    one, other = new_email(), str(uuid4())
    file = lines(
        folder,
        *({"email": email}, {"email": await world.registered()}, {"email": "ada"}),
        *({"email": email.upper()}, {"email": one, "id": other}, {"email": f"z{one}", "id": other}),
        *({"email": f"n{number}-{one}"} for number in range(250)),  # more than one step
        *({"email": email}, {"email": f"n7-{one}"}, {"email": f"y{one}", "id": other}),
    )

    dry = await program("users", "import", file, "--dry-run", "--format", "json")
    known = await world.database.fetchval("SELECT count(*) FROM users WHERE email_norm = $1", email)
    real = await program("users", "import", file, "--format", "json")

    assert (counts(dry), known, counts(real)) == ((252, 4, 3), 0, (252, 4, 3))


@pytest.mark.parametrize("indented", [True, False], ids=["indented", "one line"])
async def test_a_keycloak_realm_is_recognised_and_its_users_sign_in(
    program: Beside, world: World, folder: Path, indented: bool
) -> None:
    credentials = [keycloak_pbkdf2("pbkdf2"), keycloak_pbkdf2("pbkdf2-sha256"), keycloak_pbkdf2("pbkdf2-sha512")]
    credentials.append(keycloak_argon2())
    users = [keycloak_user(new_email(), credential, id=str(uuid4())) for credential in credentials]
    users[0]["realmRoles"].append("realm-admin")
    service = {"username": "service-account-app", "serviceAccountClientId": "app", "enabled": True}
    without = keycloak_user("nobody") | {"email": None}
    file = folder / "realm.json"
    file.write_text(keycloak_realm([*users, service, without], indented=indented))

    done = await program("users", "import", str(file), "--admin-role", "realm-admin", "--format", "json")

    assert (counts(done), json.loads(done.out)["ignored"]) == ((4, 0, 1), 1)
    assert f"{file}:6: email: an account needs" in done.err
    for given in users:
        assert await signs_in(world, given["email"])
        made = await user(world, given["email"])
        assert (str(made["id"]), made["name"], made["email_verified"]) == (given["id"], "Ada Lovelace", True)
        assert json.loads(made["claims"]) == {"given_name": "Ada", "family_name": "Lovelace"}
        assert made["created_at"].timestamp() == 1_700_000_000.123
        assert made["roles"] == (["USER", "ADMIN"] if given is users[0] else ["USER"])


async def test_a_folder_of_keycloak_is_taken_in_the_order_of_its_numbers(
    program: Beside, world: World, folder: Path
) -> None:
    export = folder / "export"
    export.mkdir()
    emails = [new_email() for _ in range(3)]
    (export / "example-realm.json").write_text(json.dumps({"realm": "example", "roles": {}}))
    for number, email in zip((0, 2, 10), emails, strict=True):
        document = {"realm": "example", "users": [keycloak_user(email), keycloak_user("no address", enabled=False)]}
        (export / f"example-users-{number}.json").write_text(json.dumps(document))

    done = await program("users", "import", str(export), "--format", "json")

    assert counts(done) == (3, 0, 3)
    files = [line.partition(":")[0] for line in done.err.splitlines()]
    assert files == [str(export / f"example-users-{number}.json") for number in (0, 2, 10)]
    assert all([await user(world, email) for email in emails])


@pytest.mark.parametrize(
    ("credential", "reason"),
    [
        (keycloak_pbkdf2("pbkdf2-sha256") | {"secretData": "{}"}, "password_hash: This is no password hash"),
        (keycloak_pbkdf2("pbkdf2-sha256") | {"credentialData": "no"}, "credentials.credentialData: must be a JSON"),
        (
            keycloak_pbkdf2("pbkdf2") | {"credentialData": '{"hashIterations": 9, "algorithm": "md5"}'},
            "credentials.credentialData.algorithm: Keycloak's pbkdf2",
        ),
        (
            keycloak_pbkdf2("pbkdf2") | {"credentialData": '{"hashIterations": 99999999, "algorithm": "pbkdf2"}'},
            "password_hash: PBKDF2 takes 1 to 2,000,000 iterations here.",
        ),
    ],
    ids=["nothing", "no JSON", "another algorithm", "too dear"],
)
async def test_a_credential_of_keycloak_that_cannot_be_used_is_refused(
    program: Beside, folder: Path, credential: dict[str, Any], reason: str
) -> None:
    file = folder / "realm.json"
    file.write_text(keycloak_realm([keycloak_user(new_email(), credential)]))

    done = await program("users", "import", str(file), "--dry-run")

    assert done.status == 1
    assert f"{file}:1: {reason}" in done.err


async def test_a_realm_that_breaks_off_says_where(program: Beside, folder: Path) -> None:
    file = folder / "realm.json"
    file.write_text(keycloak_realm([keycloak_user(new_email()) for _ in range(3)])[:-400])

    done = await program("users", "import", str(file), "--from", "keycloak", "--format", "json")

    assert counts(done)[0] == 2
    assert f"{file}:3: the JSON ends or breaks here" in done.err


async def test_users_of_auth0_sign_in_under_an_id_that_can_be_computed(
    program: Beside, world: World, folder: Path
) -> None:
    exported, imported = auth0_user(new_email()), {"email": new_email(), "custom_password_hash": auth0_scrypt()}
    bulk = folder / "bulk.json"
    bulk.write_text(json.dumps([imported, {"email": new_email(), "blocked": True, "user_id": "17"}]))

    done = await program("users", "import", lines(folder, exported), str(bulk), "--format", "json")

    assert counts(done) == (3, 0, 0)
    assert await signs_in(world, exported["email"])
    assert await signs_in(world, imported["email"])
    made = await user(world, exported["email"])
    assert made["id"] == uuid5(NAMESPACE_URL, f"auth0|{exported['_id']['$oid']}")


async def test_a_format_that_is_not_recognised_is_asked_for(program: Beside, folder: Path) -> None:
    file = folder / "strange.txt"
    file.write_text("ada@example.com,Ada\n")

    done = await program("users", "import", str(file))

    assert done.status == 1
    assert "whose format is this? Give --from jsonl, keycloak, auth0." in done.err


async def test_standard_input_is_a_file_too(program: Beside, world: World) -> None:
    email = new_email()

    done = await program("users", "import", "-", "--format", "json", typed=json.dumps({"email": email}))

    assert counts(done) == (1, 0, 0)
    await user(world, email)


async def test_a_file_that_is_not_there_is_told(program: Beside) -> None:
    done = await program("users", "import", "/nowhere/users.jsonl")

    assert (done.status, done.out) == (1, "")
    assert "/nowhere/users.jsonl: No such file or directory." in done.err
