"""Section 3.1, the multi-decree protocol: one Synod for each decree number, one president and one phase 1 for all."""

import pytest

from paxon.core.decree import NO_BALLOT, NOOP, Slot
from paxon.core.effects import Letter
from paxon.core.ledger import Outcome, Vote
from paxon.core.messages import BeginBallot, Lacking, LastVote, NextBallot, Success, Voted
from tests.core.build import (
    M1,
    M2,
    M3,
    S1,
    S2,
    S3,
    S4,
    S5,
    ballot,
    decree,
    idle,
    outcomes,
    own_promise,
    polling,
    polling_slip,
    promise,
    stand,
    to,
    trying,
    trying_slip,
)
from tests.core.parliament import Parliament, Sent

LONG_AGO = ballot(1, 2)


@pytest.mark.parametrize("length", [0, 3, 300])
def test_one_phase_1_serves_every_decree_number(length: int) -> None:
    """3.1: a new president asks once for all numbers at the same time, however long the ledgers are."""
    parliament = Parliament(3)
    president = parliament.elect()
    for number in range(length):
        parliament.propose(president, f"{number}")
        parliament.run_for(3)
    parliament.run_for(20)
    parliament.crash(president)
    since = parliament.now_ms
    for number in range(10):
        parliament.pass_decree(f"after {number}")
    asked = parliament.letters(NextBallot, since)
    assert len({sent.message for sent in asked}) == 1
    assert len(asked) == 3, "one letter for each member"
    assert len(parliament.letters(LastVote, since)) == 2, "and one finite answer of each that is here"


def test_an_answer_is_finite_for_it_tells_only_of_slots_voted_in() -> None:
    """3.1: of the infinitely many instances, a priest has voted in finitely many."""
    member = idle(M3, Vote(Slot(1_000_000), LONG_AGO, decree("far")))
    (answer,) = member.receive(M2, NextBallot(ballot(5, 2), S1), 0).letters
    assert answer.message == promise(ballot(5, 2), [Vote(Slot(1_000_000), LONG_AGO, decree("far"))])


def test_the_decree_is_chosen_in_step_3_and_not_before() -> None:
    """3.1: that is why steps 1 and 2 can be done in advance: a later request costs one round trip to pass."""
    parliament = Parliament(3, delivery_ms=10)
    president = parliament.elect()
    parliament.run_for(40)
    asked = parliament.now_ms
    slot = parliament.propose(president, "a")
    parliament.run_until(lambda: parliament[president].ledger.knows(slot))
    assert parliament.now_ms - asked == 2 * 10
    assert not parliament.letters(NextBallot, asked)


def test_what_is_forced_comes_first_and_new_decrees_take_the_lowest_number_left() -> None:
    """3.1: a new president runs step 3 at once for every instance that is forced, and then for new requests."""
    votes = [Vote(S1, LONG_AGO, decree("one")), Vote(S3, LONG_AGO, decree("three"))]
    member = trying(M1, above=1)
    member.receive(M1, promise(ballot(2, 1)), 0)
    effects = member.receive(M2, promise(ballot(2, 1), votes), 0)
    begun = [
        (letter.message.slot, letter.message.decree)
        for letter in effects.letters
        if letter.to == M3 and isinstance(letter.message, BeginBallot)
    ]
    assert begun == [(S1, decree("one")), (S2, NOOP), (S3, decree("three"))]
    assert member.next_slot == S4
    member.propose((b"new",), 1, 0)
    assert member.next_slot == S5


def test_ledgers_are_filled_both_ways_inside_phase_1() -> None:
    """3.1: NextBallot says how far the president's ledger goes.  The answer carries the decrees and votes beyond,
    and asks for those that the answerer lacks, which it is then sent.
    """
    full, lagging = idle(M2, *outcomes("abc")), idle(M3, *outcomes("a"))
    member = idle(M1, *outcomes("ab"))
    (question, *_) = stand(member).letters
    own = trying_slip(member).ballot
    assert question.message == NextBallot(own, S3)

    member.receive(M1, own_promise(member, own), 0)
    (answer,) = lagging.receive(M1, question.message, 0).letters
    assert answer.message == promise(own, passed_until=S2)
    sent = member.receive(M3, answer.message, 0).letters
    (fill,) = [letter for letter in sent if letter.to == M3 and isinstance(letter.message, Success)]
    assert fill.message == Success(NO_BALLOT, S3, outcomes("b", 2))
    assert lagging.receive(M1, fill.message, 0).passed == [(S2, decree("b"))]

    (answer,) = full.receive(M1, question.message, 0).letters
    assert answer.message == promise(own, known=outcomes("c", 3), passed_until=S4)
    assert member.receive(M2, answer.message, 0).passed == [(S3, decree("c"))]


def test_what_an_answer_is_too_small_for_is_asked_for_and_not_voted_on() -> None:
    """3.1: below what an answerer knows nothing is proposed, although the president does not know it yet."""
    member = trying(M1, above=1)
    member.receive(M1, promise(ballot(2, 1)), 0)
    effects = member.receive(M2, promise(ballot(2, 1), passed_until=S5), 0)
    assert not [letter for letter in effects.letters if isinstance(letter.message, BeginBallot)]
    now_ms = member.next_deadline()
    assert Letter(M2, Lacking(S1)) in member.on_deadline(now_ms, 0).letters
    assert member.next_slot == S5


def test_decrees_125_and_126() -> None:
    """3.1's example: 126 was voted for and 125 was not.  126 survives, 125 becomes olive day, new ones come after.

    The old president had begun 125 and 126, and only the letters about 126 arrived.  The
    requests for 125 and for what comes now are from different citizens: to give 125 to the
    new one would put it before 126, which may have passed before it was made.
    """
    parliament = Parliament(3)
    old = parliament.elect()
    for number in range(1, 125):
        parliament.propose(old, f"{number}")
        parliament.run_for(1)
    parliament.run_for(20)
    assert all(parliament[me].ledger.passed_until == 125 for me in parliament.members)

    def loses(sent: Sent) -> bool:
        lost_125 = isinstance(sent.message, BeginBallot) and sent.message.slot == 125 and sent.to != old
        lost_voice = isinstance(sent.message, Voted) and sent.message.slot >= 125
        return lost_125 or lost_voice

    parliament.loses = loses
    assert parliament.propose(old, "the decree that was 125") == 125
    assert parliament.propose(old, "the decree that was 126") == 126
    parliament.run_for(5)
    parliament.crash(old)
    parliament.loses = lambda sent: False

    new = parliament.elect()
    slot = parliament.propose(new, "new")
    assert slot >= 127
    parliament.run_until(lambda: all(parliament[me].ledger.passed_until > slot for me in parliament.alive))
    for me in parliament.alive:
        ledger = parliament[me].ledger
        assert ledger.outcomes[Slot(125)] == NOOP
        assert ledger.outcomes[Slot(126)].commands == (b"the decree that was 126",)
        assert ledger.outcomes[slot].commands == (b"new",)
    # The old president, back again, learns that its 125 is gone for ever: it had voted for it alone.
    parliament.start(old)
    parliament.run_until(lambda: parliament[old].ledger.passed_until > slot)
    assert "the decree that was 125" not in parliament.texts(old)


def test_a_gap_is_no_gap_if_anybody_among_the_quorum_voted_there() -> None:
    """3.1's example the other way round: had one answerer voted for 125, it would be proposed again."""
    votes = [Vote(S2, LONG_AGO, decree("126"))]
    gap = polling(M1, above=1, answers={M2: promise(ballot(2, 1), votes)})
    assert [open_.decree for open_ in polling_slip(gap).open.values()] == [NOOP, decree("126")]
    voted = polling(M1, Vote(S1, LONG_AGO, decree("125")), above=1, answers={M2: promise(ballot(2, 1), votes)})
    assert [open_.decree for open_ in polling_slip(voted).open.values()] == [decree("125"), decree("126")]


def test_no_new_decree_is_begun_before_the_gaps_are() -> None:
    """3.1: the filling of gaps is part of becoming president; new requests come after it."""
    far = Slot(100)
    president = polling(M1, above=1, answers={M2: promise(ballot(2, 1), [Vote(far, LONG_AGO, decree("far"))])})
    assert not president.may_propose
    assert president.next_slot == far + 1


def test_an_olive_day_decree_passes_like_any_other() -> None:
    """3.1: it is voted for, it passes, it is entered, and it changes nothing."""
    president = polling(M1, above=1, answers={M2: promise(ballot(2, 1), [Vote(S2, LONG_AGO, decree("b"))])})
    own = polling_slip(president).ballot
    voter = idle(M3)
    begin = BeginBallot(own, S1, NOOP, S1)
    assert voter.receive(M1, begin, 0).letters == to((M1,), Voted(own, S1), after=1)
    president.receive(M2, Voted(own, S1), 0)
    assert president.receive(M3, Voted(own, S1), 0).passed == [(S1, NOOP)]
    assert NOOP.commands == ()


def test_an_outcome_heard_beyond_a_gap_is_kept() -> None:
    """3.1 and 3.3.2: decrees may be learned in any order; they wait in the ledger for those before them."""
    member = idle(M2)
    assert member.receive(M1, Success(NO_BALLOT, S1, (Outcome(S3, decree("c")),)), 0).passed == []
    assert member.receive(M1, Success(NO_BALLOT, S1, (Outcome(S2, decree("b")),)), 0).passed == []
    passed = member.receive(M1, Success(NO_BALLOT, S1, (Outcome(S1, decree("a")),)), 0).passed
    assert passed == [(S1, decree("a")), (S2, decree("b")), (S3, decree("c"))]
