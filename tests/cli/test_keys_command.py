"""`idp keys`. No store is asked: none of these tests has any."""

from __future__ import annotations

from pathlib import Path

import pytest
from program import Forked, Forks


@pytest.fixture
def program(tmp_path: Path, forks: Forks) -> Forked:
    nowhere = {"IDP_DATABASE_URL": "postgresql://idp@127.0.0.1:1/idp", "IDP_REDIS_URL": "redis://127.0.0.1:1/0"}
    return Forked(tmp_path, nowhere | {"IDP_KEYS_DIR": str(tmp_path / "keys")}, forks=forks)


def states(program: Forked) -> dict[str, str]:
    return {key["kid"]: key["state"] for key in program.json("keys", "list")}


def test_a_new_key_waits_until_clients_know_it_and_signs_when_the_old_one_is_retired(program: Forked) -> None:
    [(first, active)] = states(program).items()

    made = program.json("keys", "rotate")
    refused = program("keys", "rotate")
    retired = program.json("keys", "retire", first)

    assert (active, made["state"], made["algorithm"], made["bits"]) == ("active", "next", "RS256", 2048)
    assert refused.status == 1
    assert made["kid"] in refused.err
    assert retired["state"] == "retired"
    assert states(program) == {made["kid"]: "active", first: "retired"}


def test_one_algorithm_is_rotated_by_itself_and_all_of_them_together(program: Forked) -> None:
    first = program.json("keys", "rotate", "--algorithm", "ES256")
    made = program.json("keys", "rotate")
    refused = program("keys", "rotate", "--algorithm", "ES256")
    unknown = program("keys", "rotate", "--algorithm", "HS256")
    table = program("keys", "list").out

    assert (first["algorithm"], first["bits"], first["state"], first["others"]) == ("ES256", 256, "active", [])
    assert (made["algorithm"], [key["algorithm"] for key in made["others"]]) == ("RS256", ["ES256"])
    assert {key["state"] for key in (made, *made["others"])} == {"next"}
    assert (refused.status, unknown.status) == (1, 2)
    assert table.count("RS256") == table.count("ES256") == 2


def test_the_next_keys_of_several_algorithms_are_shown_as_a_table(program: Forked) -> None:
    program.json("keys", "rotate", "--algorithm", "EdDSA")

    shown = program("keys", "rotate").out

    assert [line.split()[1:4] for line in shown.splitlines()[1:]] == [
        ["next", "RS256", "2048"],
        ["next", "EdDSA", "256"],
    ]


def test_a_compromised_key_is_published_no_longer(program: Forked) -> None:
    [kid] = states(program)

    withdrawn = program.json("keys", "retire", kid, "--compromised")

    assert withdrawn["state"] == "withdrawn"
    assert sorted(states(program).values()) == ["active", "withdrawn"]


@pytest.mark.parametrize("kid", ["-qf_3", "-hqf3", "-q_hf"])
def test_a_kid_may_begin_with_a_dash(program: Forked, kid: str) -> None:
    refused = program("keys", "retire", kid, "--format", "json")

    assert refused.status == 1
    assert f"no signing key {kid}" in refused.err


def test_a_key_that_others_can_read_is_refused_by_name(program: Forked) -> None:
    [kid] = states(program)
    (program.folder / "keys" / f"{kid}.json").chmod(0o644)

    refused = program("keys", "list")

    assert refused.status == 1
    assert f"{kid}.json" in refused.err
    assert "Traceback" not in refused.err
