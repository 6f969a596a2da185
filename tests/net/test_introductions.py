"""Introductions by themselves: how many others must know a fresh storage, and who must have answered a known one."""

import pytest

from paxon.core.decree import NodeId
from paxon.net.introductions import Introductions


def introductions(others: int, quorum: int = 1) -> Introductions:
    """Those of a member with so many ``others``, ``quorum`` of whom make a quorum with it."""
    return Introductions(others, lambda member, storage: None, lambda welcomed: len(welcomed) >= quorum)


@pytest.mark.parametrize(("others", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4)])
def test_a_strict_majority_of_the_others_is_waited_for(others: int, needed: int) -> None:
    made = introductions(others)
    for welcomed in range(needed):
        assert not made.may_take_part(already=False, is_moment_over=True), f"{welcomed} of {others} know us"
        made.welcomed_by(NodeId(welcomed + 1))
        made.welcomed_by(NodeId(welcomed + 1))
    assert made.may_take_part(already=False, is_moment_over=False)


def test_nobody_is_waited_for_alone() -> None:
    assert introductions(0).may_take_part(already=False, is_moment_over=False)


def test_a_known_storage_waits_for_all_or_for_a_quorum_once_everybody_had_time_to_answer() -> None:
    made = introductions(4, quorum=2)
    made.welcomed_by(NodeId(1))
    assert not made.may_take_part(already=True, is_moment_over=True)
    made.welcomed_by(NodeId(2))
    assert not made.may_take_part(already=True, is_moment_over=False)
    assert made.may_take_part(already=True, is_moment_over=True)
    made.welcomed_by(NodeId(3))
    made.welcomed_by(NodeId(4))
    assert made.may_take_part(already=True, is_moment_over=False)
