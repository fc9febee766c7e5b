"""docs/security-tests.md is what the tests say of themselves, and every promise on it has a test."""

from __future__ import annotations

from security.index import CATALOGUE, PAGE, files_with, page, rows_named


def test_the_page_is_what_the_docstrings_say() -> None:
    assert PAGE.read_text() == page(), "run `make docs`"


def test_every_promise_has_a_test() -> None:
    assert [row for row in CATALOGUE["rows"] if not files_with(row)] == []


def test_every_row_that_a_test_names_is_on_the_page() -> None:
    assert rows_named() - CATALOGUE["rows"].keys() == set()


def test_every_fault_of_others_has_a_test_and_a_row() -> None:
    faults = CATALOGUE["faults"]

    assert [it["of"] for it in faults if not files_with(it["of"].split(" ", 1)[-1])] == []
    assert {row for it in faults for row in it["rows"].split(", ")} <= CATALOGUE["rows"].keys()
    assert len({it["of"] for it in faults}) == len(faults) > 70
