"""Quorum systems: they meet (B2), they ignore strangers, and rosters that could not work are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxon.core.decree import NODE_ID_MAX, NodeId, Slot
from paxon.core.roster import Flexible, Majority, QuorumSystem, Roster, Rosters, Weighted
from paxon.errors import ConfigurationError
from tests.core.build import FIVE, M1, M2, M3, M4, M5, subsets
from tests.core.steady import steady

SIZES_MAX = 5
MEMBERS = st.sets(st.integers(1, NODE_ID_MAX).map(NodeId), min_size=1, max_size=SIZES_MAX).map(tuple)


@st.composite
def flexible(draw: st.DrawFn) -> Flexible:
    members = draw(MEMBERS)
    promises = draw(st.integers(1, len(members)))
    votes = draw(st.integers(len(members) - promises + 1, len(members)))
    return Flexible(members, promises, votes)


@st.composite
def weighted(draw: st.DrawFn) -> Weighted:
    members = draw(MEMBERS)
    weights = draw(st.lists(st.integers(0, 5), min_size=len(members), max_size=len(members)).filter(any))
    return Weighted(dict(zip(members, weights, strict=True)))


SYSTEMS: st.SearchStrategy[QuorumSystem] = st.one_of(MEMBERS.map(Majority), weighted(), flexible())


@steady
@given(SYSTEMS)
def test_every_promise_quorum_meets_every_vote_quorum(system: QuorumSystem) -> None:
    roster = Roster(system)
    some = subsets(roster.members)
    promises = [present for present in some if roster.is_promise_quorum(present)]
    votes = [present for present in some if roster.is_vote_quorum(present)]
    assert all(one & other for one in promises for other in votes)
    assert roster.quorums_meet()


@steady
@given(SYSTEMS)
def test_all_together_are_a_quorum_and_nobody_is_not(system: QuorumSystem) -> None:
    roster = Roster(system)
    everyone = frozenset(roster.members)
    assert roster.is_promise_quorum(everyone)
    assert roster.is_vote_quorum(everyone)
    assert not roster.is_promise_quorum(frozenset())
    assert not roster.is_vote_quorum(frozenset())


@steady
@given(SYSTEMS)
def test_more_members_never_unmake_a_quorum(system: QuorumSystem) -> None:
    roster = Roster(system)
    for present in subsets(roster.members):
        for member in roster.members:
            assert roster.is_promise_quorum(present) <= roster.is_promise_quorum(present | {member})
            assert roster.is_vote_quorum(present) <= roster.is_vote_quorum(present | {member})


@steady
@given(SYSTEMS, st.sets(st.integers(1, NODE_ID_MAX).map(NodeId)))
def test_strangers_do_not_count(system: QuorumSystem, strangers: set[NodeId]) -> None:
    roster = Roster(system)
    strangers -= set(roster.members)
    for present in subsets(roster.members):
        assert roster.is_promise_quorum(present | strangers) == roster.is_promise_quorum(present)
        assert roster.is_vote_quorum(present | strangers) == roster.is_vote_quorum(present)


class Anyone(Majority, frozen=True):
    """A system that lets any single member pass a decree: not one that B2 allows."""

    def is_promise_quorum(self, present: object) -> bool:
        return bool(present)


def test_quorums_that_need_not_meet_are_found() -> None:
    assert not Roster(Anyone((M1, M2))).quorums_meet()


@pytest.mark.parametrize(
    ("size", "quorum"),
    [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)],
)
def test_a_majority_is_more_than_half(size: int, quorum: int) -> None:
    members = tuple(NodeId(number) for number in range(1, size + 1))
    roster = Roster(Majority(members))
    assert roster.is_vote_quorum(frozenset(members[:quorum]))
    assert not roster.is_vote_quorum(frozenset(members[: quorum - 1]))
    assert not roster.is_promise_quorum(frozenset(members[: quorum - 1]))


def test_weight_and_not_heads_decides() -> None:
    roster = Roster(Weighted({M1: 3, M2: 1, M3: 1, M4: 0}))
    assert roster.members == (M1, M2, M3, M4)
    assert roster.is_vote_quorum({M1})
    assert not roster.is_vote_quorum({M2, M3, M4})
    halves = Roster(Weighted({M1: 2, M2: 1, M3: 1}))
    assert not halves.is_promise_quorum({M1}), "half is not more than half"
    assert not halves.is_promise_quorum({M2, M3})
    assert halves.is_promise_quorum({M1, M2})


def test_flexible_sizes_are_counted_apart() -> None:
    roster = Roster(Flexible(FIVE.members, promises=4, votes=2))
    assert roster.is_vote_quorum({M1, M5})
    assert not roster.is_vote_quorum({M1})
    assert roster.is_promise_quorum({M1, M2, M3, M4})
    assert not roster.is_promise_quorum({M1, M2, M3})


@pytest.mark.parametrize(
    "system",
    [
        Majority(()),
        Majority((M1, M1)),
        Majority((NodeId(0), M1)),
        Majority((NodeId(-1),)),
        Majority((NodeId(NODE_ID_MAX + 1),)),
        Weighted({}),
        Weighted({M1: 0, M2: 0}),
        Weighted({M1: 3, M2: -1}),
        Flexible((), 0, 0),
        Flexible((M1, M1), 2, 2),
        Flexible((M1, M2, M3), 0, 3),
        Flexible((M1, M2, M3), 3, 0),
        Flexible((M1, M2, M3), 4, 1),
        Flexible((M1, M2, M3), 1, 4),
        Flexible((M1, M2, M3), 1, 2),
        Flexible((M1, M2, M3, M4), 2, 2),
    ],
)
def test_bad_rosters_are_refused(system: QuorumSystem) -> None:
    with pytest.raises(ConfigurationError):
        Roster(system)


@pytest.mark.parametrize("system", [Majority((NodeId(NODE_ID_MAX),)), Flexible((M1, M2, M3), 3, 1), Weighted({M1: 1})])
def test_rosters_at_the_edge_are_not(system: QuorumSystem) -> None:
    assert Roster(system).members == system.members


def test_the_founding_roster_governs_every_slot() -> None:
    founding = Roster(Majority((M1, M2, M3)))
    assert [Rosters(founding).of(Slot(number)) for number in (1, 2, 10**9)] == [founding] * 3
