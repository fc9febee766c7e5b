"""`idp db`."""

from __future__ import annotations

from program import Forked

from idp.database.migration import known_steps


async def test_a_database_without_tables_is_told_and_brought_up_once(empty_program: Forked) -> None:
    before = empty_program("db", "status", "--format", "json")
    refused = empty_program("users", "list")
    applied = empty_program.json("db", "migrate")
    again = empty_program.json("db", "migrate")
    after = empty_program.json("db", "status")

    assert before.status == 1
    assert refused.status == 1
    assert "idp db migrate" in refused.err
    assert (applied, again) == ({"applied": known_steps()}, {"applied": []})
    assert after == [{"step": step, "applied": True} for step in known_steps()]


async def test_a_downgrade_asks_first_and_undoes_what_it_names(empty_program: Forked) -> None:
    empty_program("db", "migrate")

    unanswered = empty_program("db", "downgrade", "--to", "zero")
    unknown = empty_program("db", "downgrade", "--to", "0000_never", "--yes")
    still = empty_program("db", "status")
    undone = empty_program.json("db", "downgrade", "--to", "zero", "--yes")
    nothing_left = empty_program("db", "downgrade", "--yes")

    assert (unanswered.status, unknown.status, still.status) == (1, 2, 0)
    assert undone == {"undone": known_steps()[::-1]}
    assert nothing_left.status == 1


async def test_a_database_that_is_down_is_status_1_without_a_traceback_or_its_password(program: Forked) -> None:
    down = "postgresql://idp_app:hidden-word@127.0.0.1:1/idp"

    answers = [
        program("db", step, IDP_DATABASE_URL=down, IDP_MIGRATION_DATABASE_URL=down) for step in ("migrate", "status")
    ]

    assert [answer.status for answer in answers] == [1, 1]
    assert all("Traceback" not in answer.err and "hidden-word" not in answer.err for answer in answers)
