"""Section 2.1: what a ballot is, three conditions on a set of ballots, and the two theorems that follow from them."""

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxon.core.decree import NO_BALLOT
from paxon.core.ledger import Vote
from paxon.core.messages import Voted
from tests.core.build import FIVE, M1, M2, M3, M4, S1, ballot, decree, polling, polling_slip, promise
from tests.core.parliament import Parliament
from tests.core.steady import steady
from tests.paper.gods import Held, agree, b1, b2, b3, b3_of, conditions_hold, held, max_vote, sets_of

FIGURE_1 = [
    held(2, "a", "ABGD", "D"),
    held(5, "b", "ABGE", "G"),
    held(14, "a", "BDE", "BE"),
    held(27, "b", "AGD", "AGD"),
    held(29, "b", "BGD", "B"),
]

PRIESTS = "ABC"
MAJORITIES = sets_of(PRIESTS, 2)
DECREES = "ab"


def every_set(ballots_max: int, *, with_b3: bool = True) -> Iterator[list[Held]]:
    """Every set of up to so many ballots of three priests that satisfies B1, B2 and B3, or the first two only.

    Numbers are 1, 2, 3: only their order matters.  Quorums are majorities, so B2 holds.
    """

    def grown(ballots: list[Held]) -> Iterator[list[Held]]:
        yield ballots
        number = len(ballots) + 1
        if number > ballots_max:
            return
        for quorum in MAJORITIES:
            for voters in sets_of("".join(sorted(quorum)), 0):
                for decree_ in DECREES:
                    one = Held(number, decree_, quorum, voters)
                    if not with_b3 or b3_of(one, ballots):
                        yield from grown([*ballots, one])

    return grown([])


def test_figure_1_satisfies_the_conditions() -> None:
    """2.1, Figure 1: five ballots of five priests, given there as an example of B1 to B3."""
    assert b1(FIGURE_1)
    assert b2(FIGURE_1)
    assert b3(FIGURE_1)


def test_one_ballot_of_figure_1_is_successful() -> None:
    """2.1, Figure 1: of the five, only number 27 had the votes of its whole quorum."""
    assert [one.number for one in FIGURE_1 if one.is_successful] == [27]


@pytest.mark.parametrize("number", [one.number for one in FIGURE_1])
def test_figure_1_with_any_decree_flipped_breaks_the_third_condition(number: int) -> None:
    """2.1, Figure 1: each ballot's decree is either forced by an earlier one or forces a later one."""
    flipped = [
        one._replace(decree="b" if one.decree == "a" else "a") if one.number == number else one for one in FIGURE_1
    ]
    assert b1(flipped)
    assert b2(flipped)
    assert not b3(flipped)


@pytest.mark.parametrize(
    ("number", "latest"),
    [(2, None), (5, None), (14, 2), (27, 5), (29, 27)],
)
def test_the_latest_earlier_votes_of_figure_1(number: int, latest: int | None) -> None:
    """2.1, Figure 1 and its discussion: which earlier ballot decides about each of the five.

    Nobody in the quorum of 5 voted before: D, who did, is not in it.
    """
    one = next(one for one in FIGURE_1 if one.number == number)
    found = max_vote(number, one.quorum, FIGURE_1)
    assert (found.number if found else None) == latest


def test_two_votes_for_another_decree_do_not_outweigh_one_later_vote() -> None:
    """2.1, Figure 1, ballot 29: B voted for a in 14, G and D for b in 27; the later one counts, not the larger."""
    assert max_vote(29, "BGD", FIGURE_1) == FIGURE_1[3]
    assert max_vote(29, "BE", FIGURE_1) == FIGURE_1[2]


def test_a_ballot_succeeds_with_all_of_its_quorum_and_nothing_less() -> None:
    """2.1: a ballot is successful exactly if every member of its quorum voted; others' votes do not matter."""
    assert held(1, "a", "AB", "AB").is_successful
    assert held(1, "a", "AB", "ABC").is_successful
    assert not held(1, "a", "AB", "AC").is_successful
    assert not held(1, "a", "ABC", "AB").is_successful


def test_later_means_a_higher_number_and_says_nothing_about_time() -> None:
    """2.1: ballots are ordered by number alone.  A lower one may well be held after a higher one.

    Member 1 begins ballot 1.1, but its letters arrive after member 2 has passed a decree in a
    later ballot: nobody votes in it any more, although in time it comes last.
    """
    parliament = Parliament(3)
    parliament.stand(M2)
    parliament.run_until(lambda: M2 in parliament.presidents)
    slot = parliament.propose(M2, "later")
    parliament.run_until(lambda: parliament[M3].ledger.knows(slot))
    assert parliament[M2].ledger.last_tried > ballot(1, 1)
    president = polling(M1)
    (*_, letter) = president.propose((b"earlier",), 0, 0).letters
    since_ms = parliament.now_ms
    parliament.receive(M3, M1, letter.message)
    assert not [sent for sent in parliament.letters(Voted, since_ms) if sent.to == M1]


@steady
@given(st.lists(st.tuples(st.integers(0, 2**70), st.integers(1, 0xFFFF)), unique=True, min_size=2))
def test_ballot_numbers_are_totally_ordered_without_bound(numbers: list[tuple[int, int]]) -> None:
    """2.1: numbers come from an unbounded ordered set; the owner breaks ties, so the order is total (B1)."""
    ballots = [ballot(*number) for number in numbers]
    assert len(set(ballots)) == len(ballots)
    for one in ballots:
        for other in ballots:
            assert (one < other) + (one == other) + (one > other) == 1
            assert (one < other) == (one.term < other.term)
        assert one > NO_BALLOT


@steady
@given(st.dictionaries(st.sampled_from("ABC"), st.integers(1, 8)))
def test_what_a_president_chooses_is_max_vote(cast: dict[str, int]) -> None:
    """2.1, MaxVote: of all votes of the quorum before this ballot, the one with the highest number.

    Member 4 answers itself first, then come the answers of A and B: these three are the
    quorum.  What C voted comes too late to count.
    """

    def decree_of(number: int) -> str:
        return DECREES[number % 2]

    ballots = [
        Held(number, decree_of(number), frozenset("ABCDE"), frozenset(name for name in cast if cast[name] == number))
        for number in sorted(set(cast.values()))
    ]
    own = ballot(9, 4)
    answers = {}
    for me, name in ((M1, "A"), (M2, "B"), (M3, "C")):
        of = ballot(cast.get(name, 0), 5)
        answers[me] = promise(own, [Vote(S1, of, decree(decree_of(of.round), of))] if name in cast else [])
    president = polling(M4, above=8, quorums=FIVE, answers=answers)
    expected = max_vote(9, "AB", ballots)
    begun = {slot: open_.decree.commands for slot, open_ in polling_slip(president).open.items()}
    assert begun == ({} if expected is None else {S1: (expected.decree.encode(),)})


def test_the_lemma_holds_for_every_small_set_of_ballots() -> None:
    """2.1, Lemma: under B1 to B3, every ballot after a successful one has the same decree."""
    seen = successful = 0
    for ballots in every_set(3):
        seen += 1
        for one in ballots:
            if one.is_successful:
                successful += 1
                assert all(later.decree == one.decree for later in ballots if later.number > one.number)
    assert seen > 10_000
    assert successful > 1_000


def test_theorem_1_holds_for_every_small_set_of_ballots() -> None:
    """2.1, Theorem 1: under B1 to B3, any two successful ballots are for the same decree."""
    assert all(agree(ballots) for ballots in every_set(3))


def test_theorem_1_needs_the_third_condition() -> None:
    """2.1: with B1 and B2 alone two different decrees can pass."""
    assert any(not agree(ballots) for ballots in every_set(2, with_b3=False))


def test_theorem_1_needs_the_second_condition() -> None:
    """2.1: with quorums that do not meet, B3 forces nothing and two different decrees can pass."""
    apart = [held(1, "a", "A", "A"), held(2, "b", "BC", "BC")]
    assert b1(apart)
    assert b3(apart)
    assert not b2(apart)
    assert not agree(apart)


def test_theorem_1_needs_the_first_condition() -> None:
    """2.1: with two ballots of one number, neither is earlier, so neither binds the other."""
    twins = [held(1, "a", "AB", "AB"), held(1, "b", "BC", "BC")]
    assert b2(twins)
    assert b3(twins)
    assert not b1(twins)
    assert not agree(twins)


def test_theorem_2_holds_for_every_small_set_of_ballots() -> None:
    """2.1, Theorem 2: whatever happened, a later successful ballot of any majority can be added within B1 to B3."""
    for ballots in every_set(2):
        number = len(ballots) + 1
        for quorum in MAJORITIES:
            latest = max_vote(number, quorum, ballots)
            added = Held(number, latest.decree if latest else "new", quorum, quorum)
            assert added.is_successful
            assert conditions_hold([*ballots, added])


@pytest.mark.parametrize("seed", range(6))
def test_theorem_2_holds_for_the_members_of_a_real_parliament(seed: int) -> None:
    """2.1, Theorem 2: from any state reached, a fresh high ballot of any majority that is here succeeds."""
    random = Random(seed)
    parliament = Parliament(5, chance=lambda me: random.randrange(2**32), sync_ms=1)
    parliament.loses = lambda sent: random.random() < 0.3
    for number in range(25):
        parliament.run_for(random.randrange(150))
        for me in parliament.presidents:
            if parliament[me].may_propose:
                parliament.propose(me, f"{number}")
        if random.random() < 0.2:
            idle = [me for me in parliament.alive if parliament[me].slip is None]
            if idle:
                parliament.stand(random.choice(idle))
    absent = random.sample(parliament.members, 2)
    for me in absent:
        parliament.crash(me)
    parliament.loses = lambda sent: False
    parliament.run_for(1_500)
    candidate = parliament.elect()
    slot = parliament.propose(candidate, "fresh")
    parliament.run_until(lambda: parliament[candidate].ledger.passed_until > slot, within_ms=3_000)
