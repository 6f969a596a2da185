"""The invariants' own tests: they accept the paper's example and reject what it would be with one thing changed."""

import pytest

from paxon.core.decree import NOOP, Ballot, Decree, NodeId, Slot
from paxon.core.invariants import History
from paxon.core.ledger import Ledger, PromisedBallot, TriedBallot, Vote
from paxon.core.messages import LastVote, NextBallot, Voted
from paxon.core.roster import Flexible, Majority, Roster, Rosters, Weighted
from paxon.errors import InvariantViolation

A, B, G, D, E = (NodeId(number) for number in range(1, 6))
SLOT = Slot(1)


def ballot(number: int) -> Ballot:
    return Ballot(number, A)


ALPHA = Decree(ballot(2), 0, (b"alpha",))
BETA = Decree(ballot(5), 0, (b"beta",))

FIGURE_1 = (
    (2, ALPHA, (A, B, G, D), (D,)),
    (5, BETA, (A, B, G, E), (G,)),
    (14, ALPHA, (B, D, E), (B, E)),
    (27, BETA, (A, G, D), (A, G, D)),
    (29, BETA, (B, G, D), (B,)),
)


def play(ballots: tuple[tuple[int, Decree, tuple[NodeId, ...], tuple[NodeId, ...]], ...]) -> History:
    history = History(Rosters(Roster(Majority((A, B, G, D, E)))))
    for number, decree, quorum, voters in ballots:
        history.poll(ballot(number), frozenset(quorum))
        history.begin(SLOT, ballot(number), decree)
        for voter in voters:
            history.vote(voter, Vote(SLOT, ballot(number), decree))
    return history


def test_the_five_ballots_of_figure_1_satisfy_the_three_conditions() -> None:
    """Section 2.1, Figure 1: only ballot 27 succeeds."""
    history = play(FIGURE_1)
    assert history.passed == {SLOT: BETA}
    assert play(FIGURE_1[:3]).passed == {}


@pytest.mark.parametrize("flipped", range(1, 5))
def test_figure_1_with_the_decree_of_one_ballot_changed_breaks_b3(flipped: int) -> None:
    """Section 2.1: the decrees of ballots 14, 27 and 29 are forced by B3, those of 2 and 5 by what follows them."""
    number, decree, quorum, voters = FIGURE_1[flipped]
    other = (number, BETA if decree is ALPHA else ALPHA, quorum, voters)
    with pytest.raises(InvariantViolation, match=r"B3|Lemma"):
        play((*FIGURE_1[:flipped], other, *FIGURE_1[flipped + 1 :]))


def test_the_first_ballot_of_figure_1_changed_breaks_b3_at_the_third() -> None:
    """Section 2.1: ballot 14 proposes what D voted for in ballot 2."""
    other = (2, Decree(ballot(2), 0, (b"gamma",)), *FIGURE_1[0][2:])
    with pytest.raises(InvariantViolation, match="B3"):
        play((other, *FIGURE_1[1:]))


def test_one_ballot_has_one_decree() -> None:
    history = play(())
    history.begin(SLOT, ballot(2), ALPHA)
    history.begin(SLOT, ballot(2), ALPHA)
    with pytest.raises(InvariantViolation, match="B1"):
        history.begin(SLOT, ballot(2), NOOP)


def test_two_decrees_that_pass_are_noticed_whatever_was_promised() -> None:
    history = play(())
    for voter in (A, B, G):
        history.vote(voter, Vote(SLOT, ballot(2), ALPHA))
    with pytest.raises(InvariantViolation, match=r"Theorem 1|Lemma"):
        history.vote(D, Vote(SLOT, ballot(5), BETA))


def test_an_outcome_needs_a_quorum_of_durable_votes() -> None:
    history = play(FIGURE_1[:3])
    with pytest.raises(InvariantViolation, match="I1"):
        history.outcome(A, SLOT, ALPHA)


def test_a_letter_is_covered_by_what_is_durable() -> None:
    history, durable = play(()), Ledger()
    with pytest.raises(InvariantViolation, match="I7"):
        history.letter(A, 1, NextBallot(ballot(2), SLOT), durable)
    durable.write(TriedBallot(ballot(2)))
    history.letter(A, 1, NextBallot(ballot(2), SLOT), durable)
    with pytest.raises(InvariantViolation, match="I7"):
        history.letter(A, 1, LastVote(ballot(2), SLOT, (), (), 0), durable)
    durable.write(PromisedBallot(ballot(2)))
    history.letter(A, 1, LastVote(ballot(2), SLOT, (), (), 0), durable)
    history.begin(SLOT, ballot(2), ALPHA)
    with pytest.raises(InvariantViolation, match="I7"):
        history.letter(A, 1, Voted(ballot(2), SLOT), durable)
    history.vote(A, Vote(SLOT, ballot(2), ALPHA))
    history.letter(A, 1, Voted(ballot(2), SLOT), durable)


def test_a_ballot_number_belongs_to_one_life_of_its_owner() -> None:
    history, durable = play(()), Ledger()
    durable.write(TriedBallot(ballot(2)))
    history.letter(A, 1, NextBallot(ballot(2), SLOT), durable)
    with pytest.raises(InvariantViolation, match="I2"):
        history.letter(A, 2, NextBallot(ballot(2), SLOT), durable)
    with pytest.raises(InvariantViolation, match="I2"):
        history.letter(B, 1, NextBallot(ballot(2), SLOT), durable)


def test_a_promise_forbids_earlier_votes_and_reports_every_vote() -> None:
    history, durable = play(()), Ledger()
    vote = Vote(SLOT, ballot(2), ALPHA)
    history.vote(B, vote)
    durable.write(vote)
    durable.write(PromisedBallot(ballot(9)))
    with pytest.raises(InvariantViolation, match="reports its vote"):
        history.letter(B, 1, LastVote(ballot(9), SLOT, (), (), 0), durable)
    history.letter(B, 1, LastVote(ballot(9), SLOT, (vote,), (), 0), durable)
    with pytest.raises(InvariantViolation, match="below its promise"):
        history.vote(B, Vote(SLOT, ballot(5), BETA))


def test_stamps_of_one_ballot_never_run_backwards() -> None:
    """Section 3.3.3."""
    history = play(())
    for slot, stamp_ms in ((1, 20), (2, 30), (3, 10)):
        decree = Decree(ballot(2), stamp_ms, (b"x",))
        history.vote(A, Vote(Slot(slot), ballot(2), decree))
        history.vote(B, Vote(Slot(slot), ballot(2), decree))
    history.vote(G, Vote(Slot(3), ballot(2), Decree(ballot(2), 10, (b"x",))))
    history.vote(G, Vote(Slot(1), ballot(2), Decree(ballot(2), 20, (b"x",))))
    with pytest.raises(InvariantViolation, match=r"3\.3\.3"):
        history.vote(G, Vote(Slot(2), ballot(2), Decree(ballot(2), 30, (b"x",))))


def stamped(
    history: History, slot: int, in_ballot: int, of_ballot: int, stamp_ms: int, voters: tuple[NodeId, ...]
) -> None:
    """A decree that ``of_ballot`` first proposed gets votes in ``in_ballot``."""
    decree = Decree(ballot(of_ballot), stamp_ms, (b"x%d" % slot,))
    for voter in voters:
        history.vote(voter, Vote(Slot(slot), ballot(in_ballot), decree))


def test_a_vote_that_nobody_in_the_quorum_cast_may_come_back_with_a_later_stamp() -> None:
    """Section 3.3.3: ballot 5 cannot know what only D voted for in ballot 2; ballot 9 finds both, and passes both."""
    history = play(())
    stamped(history, 1, in_ballot=2, of_ballot=2, stamp_ms=30, voters=(D,))
    stamped(history, 2, in_ballot=5, of_ballot=5, stamp_ms=20, voters=(A,))
    stamped(history, 1, in_ballot=9, of_ballot=2, stamp_ms=30, voters=(A, B, D))
    stamped(history, 2, in_ballot=9, of_ballot=5, stamp_ms=20, voters=(A, B, D))
    assert history.passed_until == 3


def test_what_had_passed_before_a_ballot_bounds_its_stamps() -> None:
    history = play(())
    stamped(history, 1, in_ballot=2, of_ballot=2, stamp_ms=30, voters=(A, B, D))
    stamped(history, 2, in_ballot=5, of_ballot=5, stamp_ms=20, voters=(A, B))
    with pytest.raises(InvariantViolation, match="not below what passed in ballot 2"):
        stamped(history, 2, in_ballot=5, of_ballot=5, stamp_ms=20, voters=(D,))


@pytest.mark.parametrize(
    ("quorums", "voters"),
    [
        (Majority((A, B, G)), 2),
        (Weighted({A: 1, B: 1, G: 3}), 3),
        (Flexible((A, B, G), promises=3, votes=1), 1),
    ],
)
def test_a_decree_passes_with_a_vote_quorum_of_its_roster(quorums: Majority | Weighted | Flexible, voters: int) -> None:
    history = History(Rosters(Roster(quorums)))
    for number, voter in enumerate((A, B, G)[:voters], start=1):
        assert SLOT not in history.passed, number
        history.vote(voter, Vote(SLOT, ballot(2), ALPHA))
    assert SLOT in history.passed
