"""What the answers of a cluster's nodes mean; tests/valkey_topologies has real ones."""

from __future__ import annotations

from uuid import UUID, uuid4

from redis.crc import key_slot

from idp.database.redis_cluster import View, newest_of
from idp.repositories.tokens.families import family_key, refreshes_key

ASKED = ("10.0.0.9", 7000)


def view(epoch: int, *ranges: list[object]) -> View:
    return View.of([list(each) for each in ranges], epoch, ASKED)


def test_the_first_node_of_a_range_serves_it_and_the_others_follow() -> None:
    found = view(1, [0, 2, [b"10.0.0.1", 1], [b"10.0.0.4", 4]], [3, 3, [b"10.0.0.2", 2]])

    assert found.slots == {0: ("10.0.0.1", 1), 1: ("10.0.0.1", 1), 2: ("10.0.0.1", 1), 3: ("10.0.0.2", 2)}
    assert found.nodes == {("10.0.0.1", 1), ("10.0.0.4", 4), ("10.0.0.2", 2)}
    assert found.masters == [("10.0.0.1", 1), ("10.0.0.2", 2)]


def test_a_node_that_names_no_host_is_where_it_was_asked() -> None:
    found = view(1, [0, 0, [None, 1]], [1, 1, [b"", 2]], [2, 2, [b"?", 3]])

    assert found.masters == [("10.0.0.9", 1), ("10.0.0.9", 2), ("10.0.0.9", 3)]


def test_the_view_of_the_highest_epoch_counts() -> None:
    old, new = view(6, [0, 0, [b"old", 1]]), view(7, [0, 0, [b"new", 2]])

    assert newest_of([View(), old, new, view(6)]) is new


def test_a_node_that_was_taken_out_misleads_nobody() -> None:
    """It has the epoch of the others, or a higher one, and no slots or no company."""
    whole = view(7, [0, 0, [b"a", 1]], [1, 1, [b"b", 2]])

    assert newest_of([view(9), whole]) is whole
    assert newest_of([view(7, [0, 1, [b"gone", 3]]), whole]) is whole


def test_the_keys_of_one_decision_share_a_slot() -> None:
    for _ in range(100):
        user_id, family_id = uuid4(), uuid4()
        assert key_slot(family_key(family_id, user_id)) == key_slot(refreshes_key(user_id))
        assert key_slot(refreshes_key(user_id)) == key_slot(family_key(UUID(int=0), user_id))
