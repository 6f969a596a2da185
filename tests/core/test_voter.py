"""Steps 2 and 4: what is reported, what is voted for, and how often."""

import pytest

from paxon.core import ledger as ledger_module
from paxon.core import voter as voter_module
from paxon.core.decree import NO_BALLOT, Slot
from paxon.core.effects import Effects, Letter, Recall
from paxon.core.ledger import Outcome, Passed, PromisedBallot, Vote
from paxon.core.messages import BeginBallot, NextBallot, Success, Voted
from paxon.core.roster import ROSTER_LAG
from paxon.errors import InvariantViolation, ProtocolError
from tests.core.build import M1, M2, M3, S1, S2, S3, S4, S5, ballot, decree, idle, outcomes, promise

EARLY, ASKED = ballot(1, 1), ballot(3, 2)
NEW = decree("new", ASKED)


def test_a_promise_reports_what_the_asker_lacks_and_nothing_else() -> None:
    member = idle(
        M3,
        *outcomes("ab"),
        Outcome(S4, decree("d")),
        Vote(S5, EARLY, decree("e")),
        Vote(S3, ballot(2, 2), decree("c")),
    )
    assert member.receive(M2, NextBallot(ASKED, S2), 0) == Effects(
        records=[PromisedBallot(ASKED)],
        letters=[
            Letter(
                M2,
                promise(
                    ASKED,
                    [Vote(S3, ballot(2, 2), decree("c")), Vote(S5, EARLY, decree("e"))],
                    [Outcome(S2, decree("b")), Outcome(S4, decree("d"))],
                    S3,
                ),
                after=6,
            )
        ],
    )


def test_votes_below_what_the_asker_knows_are_not_reported() -> None:
    member = idle(M3, Vote(S1, EARLY, decree("a")), Vote(S3, EARLY, decree("c")))
    letter = member.receive(M2, NextBallot(ASKED, S3), 0).letters[0]
    assert letter.message == promise(ASKED, [Vote(S3, EARLY, decree("c"))])


def test_a_promise_is_repeated_until_we_vote_in_its_ballot() -> None:
    """After that, the answer would hide the vote that this one replaced (I7), and nobody waits for it."""
    member = idle(M3, Vote(S1, EARLY, decree("a")))
    first = member.receive(M2, NextBallot(ASKED, S1), 0)
    again = member.receive(M2, NextBallot(ASKED, S1), 1)
    assert again == Effects(letters=first.letters)
    member.receive(M2, BeginBallot(ASKED, S2, NEW, S1), 2)
    assert member.receive(M2, NextBallot(ASKED, S1), 3) == Effects()


def test_of_what_passed_the_contiguous_part_may_be_cut_but_not_what_lies_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slot that is neither reported nor below ``passed_until`` is one that the asker may fill."""
    monkeypatch.setattr(voter_module, "LAST_VOTE_BYTES", 0)
    member = idle(M3, *outcomes("abc"), *outcomes("ef", 5))
    message = member.receive(M2, NextBallot(ASKED, S1), 0).letters[0].message
    assert message == promise(ASKED, known=[*outcomes("a"), *outcomes("ef", 5)], passed_until=S4)


def test_what_memory_has_let_go_is_covered_by_passed_until(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "KEPT_SLOTS", 1)
    member = idle(M3, *outcomes("abc"))
    member.ledger.forget_what_the_file_keeps()
    message = member.receive(M2, NextBallot(ASKED, S1), 0).letters[0].message
    assert message == promise(ASKED, known=outcomes("c", 3), passed_until=S4)


def test_one_vote_per_ballot_and_slot_and_as_many_answers_as_asked() -> None:
    member = idle(M3)
    begin = BeginBallot(ASKED, S1, NEW, S1)
    voted = [Letter(M2, Voted(ASKED, S1), after=1)]
    assert member.receive(M2, begin, 0) == Effects(records=[Vote(S1, ASKED, NEW)], letters=voted)
    assert member.receive(M2, begin, 1) == Effects(letters=voted)


def test_a_later_ballot_replaces_the_vote_and_keeps_the_others() -> None:
    member = idle(M3, Vote(S1, EARLY, decree("a")), Vote(S2, EARLY, decree("b")))
    effects = member.receive(M2, BeginBallot(ASKED, S1, NEW, S1), 0)
    assert effects.records == [Vote(S1, ASKED, NEW)]
    assert member.ledger.votes_from(S1) == (Vote(S1, ASKED, NEW), Vote(S2, EARLY, decree("b")))


def test_two_decrees_in_one_ballot_are_somebody_s_bug() -> None:
    member = idle(M3)
    member.receive(M2, BeginBallot(ASKED, S1, NEW, S1), 0)
    with pytest.raises(InvariantViolation, match="one decree per ballot and slot"):
        member.receive(M2, BeginBallot(ASKED, S1, decree("other"), S1), 1)


@pytest.mark.parametrize("slot", [S1, S2])
def test_what_has_passed_is_answered_with_the_outcome(slot: Slot) -> None:
    """Voting for it again could contradict nothing, but the outcome spares the president a ballot."""
    member = idle(M3, *outcomes("ab"))
    effects = member.receive(M2, BeginBallot(ASKED, slot, NEW, S1), 0)
    assert effects == Effects(letters=[Letter(M2, Success(NO_BALLOT, S3, outcomes("ab")[slot - 1 :]))])
    assert member.ledger.next_ballot == NO_BALLOT


def test_what_passed_ahead_is_answered_with_that_outcome_alone() -> None:
    member = idle(M3, Outcome(S2, decree("b")), Outcome(S4, decree("d")))
    effects = member.receive(M2, BeginBallot(ASKED, S4, NEW, S1), 0)
    assert effects == Effects(letters=[Letter(M2, Success(NO_BALLOT, S1, (Outcome(S4, decree("d")),)))])


def test_what_passed_and_is_only_in_the_file_is_recalled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "KEPT_SLOTS", 1)
    member = idle(M3, *outcomes("abc"))
    member.ledger.forget_what_the_file_keeps()
    assert member.receive(M2, BeginBallot(ASKED, S1, NEW, S1), 0) == Effects(recalls=[Recall(M2, S1)])


def test_news_of_what_passed_rides_on_the_next_begin_ballot() -> None:
    """Step 6 for slot 1 inside step 4 for slot 2 (section 3.2.2)."""
    member = idle(M3, Vote(S1, ASKED, decree("a")))
    effects = member.receive(M2, BeginBallot(ASKED, S2, NEW, S2), 0)
    assert effects == Effects(
        records=[Vote(S2, ASKED, NEW), Passed(S1, ASKED)],
        letters=[Letter(M2, Voted(ASKED, S2), after=2)],
        passed=[(S1, decree("a"))],
    )


def test_only_votes_of_the_very_ballot_pass_on_its_president_s_word() -> None:
    """What an older president proposed in the slot may not be what passed there."""
    member = idle(M3, Vote(S1, EARLY, decree("a")), Vote(S2, ASKED, decree("b")))
    effects = member.receive(M2, Success(ASKED, S3, ()), 0)
    assert effects == Effects(records=[Passed(S2, ASKED)])
    assert member.ledger.votes_from(S1) == (Vote(S1, EARLY, decree("a")),)
    assert member.ledger.passed_ahead() == (Outcome(S2, decree("b")),)


def test_votes_at_and_above_the_claim_are_left_alone() -> None:
    member = idle(M3, Vote(S1, ASKED, decree("a")), Vote(S2, ASKED, decree("b")))
    assert member.receive(M2, Success(ASKED, S2, ()), 0).records == [Passed(S1, ASKED)]


@pytest.mark.parametrize(
    "message",
    [NextBallot(ballot(3, 2), S1), BeginBallot(ballot(3, 2), S1, NEW, S1)],
    ids=["NextBallot", "BeginBallot"],
)
def test_nobody_conducts_another_s_ballot(message: NextBallot | BeginBallot) -> None:
    member = idle(M3)
    with pytest.raises(ProtocolError):
        member.receive(M1, message, 0)
    assert member.ledger.line == 0


def test_learning_something_else_than_we_know_is_a_bug() -> None:
    member = idle(M3, *outcomes("a"))
    with pytest.raises(InvariantViolation, match="one decree passes in a slot"):
        member.receive(M2, Success(NO_BALLOT, S2, (Outcome(S1, decree("z")),)), 0)


def test_learning_what_we_voted_for_is_written_short() -> None:
    """The decree is in the ledger already; of another one the whole is written."""
    member = idle(M3, Vote(S1, EARLY, decree("a")), Vote(S2, EARLY, decree("b")))
    told = (Outcome(S1, decree("a")), Outcome(S2, decree("z")))
    assert member.receive(M2, Success(NO_BALLOT, S3, told), 0).records == [
        Passed(S1, EARLY),
        Outcome(S2, decree("z")),
    ]


def test_replay_needs_nothing_else() -> None:
    """A restarted voter answers as the one before it would have."""
    records = (Vote(S1, EARLY, decree("a")), PromisedBallot(ballot(2, 3)))
    ask = NextBallot(ASKED, S1)
    assert idle(M3, *records).receive(M2, ask, 0) == idle(M3, *records).receive(M2, ask, 99)


def test_a_promise_tells_the_highest_stamp_seen_in_what_it_leaves_out_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voter_module, "LAST_VOTE_BYTES", 0)
    member = idle(M3, Outcome(S1, decree("a", stamp_ms=5)), Outcome(S2, decree("b", stamp_ms=77)))
    message = member.receive(M2, NextBallot(ASKED, S1), 0).letters[0].message
    assert message == promise(ASKED, known=[Outcome(S1, decree("a", stamp_ms=5))], passed_until=S3, stamp_ms=77)


def test_a_member_with_too_much_beyond_its_gap_abstains(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory has to end somewhere, and a vote is never owed (section 2.2)."""
    monkeypatch.setattr(ledger_module, "KEPT_SLOTS", 2)
    member = idle(M3, *outcomes("cde", 3))
    far = Slot(1 + ROSTER_LAG)
    assert member.receive(M2, BeginBallot(ASKED, far, NEW, S1), 0) == Effects()
    assert idle(M3, *outcomes("cd", 3)).receive(M2, BeginBallot(ASKED, far, NEW, S1), 0).records


@pytest.mark.parametrize("scarce", ["KEPT_SLOTS", "KEPT_BYTES"])
def test_but_never_within_a_window_of_its_gap(monkeypatch: pytest.MonkeyPatch, scarce: str) -> None:
    """The vote that closes the gap is the one that makes room.  If a quorum denied it, the slot would never pass.

    A window of large decrees is enough to fill memory while one lost ``BeginBallot`` is repeated.
    """
    monkeypatch.setattr(ledger_module, scarce, 1)
    member = idle(M3, *outcomes("bcde", 2))
    for slot in (Slot(ROSTER_LAG), S1):
        assert member.receive(M2, BeginBallot(ASKED, slot, NEW, S1), 0).records == [Vote(slot, ASKED, NEW)]
