"""Section 2.2, the preliminary protocol: how numbers, quorums and promises make B1, B2 and B3 true."""

from random import Random

import pytest

from paxon.core.decree import NO_BALLOT, Ballot, NodeId
from paxon.core.effects import Effects, Letter
from paxon.core.ledger import Outcome, Passed, PromisedBallot, TriedBallot, Vote
from paxon.core.messages import BeginBallot, NextBallot, Presence, Success, Superseded, Voted
from paxon.core.roster import Roster, Weighted
from paxon.core.slip import Polling
from tests.core.build import (
    M1,
    M2,
    M3,
    S1,
    S2,
    ballot,
    decree,
    idle,
    polling,
    polling_slip,
    promise,
    stand,
    to,
    trying,
    trying_slip,
)
from tests.core.parliament import Parliament, Sent


def troubled(seed: int, size: int = 3, *, loss: float = 0.2, sync_ms: int = 2) -> Parliament:
    """A parliament after a few seconds of loss, crashes and rival ballots, all drawn from ``seed``."""
    random = Random(seed)
    parliament = Parliament(size, chance=lambda me: random.randrange(2**32), sync_ms=sync_ms)
    parliament.loses = lambda sent: random.random() < loss
    parliament.copies = lambda sent: [random.randrange(500)] if random.random() < 0.1 else []
    for number in range(60):
        parliament.run_for(random.randrange(120))
        me = random.choice(parliament.members)
        if random.random() < 0.15:
            if me in parliament.alive:
                parliament.crash(me)
            else:
                parliament.start(me)
        elif random.random() < 0.15 and me in parliament.alive and parliament[me].slip is None:
            parliament.stand(me)
        for president in parliament.presidents:
            if parliament[president].may_propose:
                parliament.propose(president, f"{number} by {president}")
    return parliament


def heal(parliament: Parliament) -> None:
    """Everyone is back and nothing is lost any more; wait until one more decree is known everywhere."""
    parliament.loses = lambda sent: False
    parliament.copies = lambda sent: []
    for me in parliament.members:
        if me not in parliament.alive:
            parliament.start(me)
    slot = parliament.pass_decree("healed")
    parliament.run_until(lambda: all(parliament[me].ledger.passed_until > slot for me in parliament.members))


@pytest.mark.parametrize("seed", range(5))
def test_no_number_is_used_by_two_or_by_two_lives_of_one(seed: int) -> None:
    """2.2, B1: numbers are pairs of an integer and a priest, so each priest has its own and remembers those it used."""
    lives: dict[Ballot, tuple[NodeId, int]] = {}
    random = Random(seed)
    parliament = Parliament(3, sync_ms=3, chance=lambda me: random.randrange(2**32))

    def watch(sent: Sent) -> bool:
        if isinstance(sent.message, NextBallot):
            life = (sent.sender, parliament.seats[sent.sender].life)
            assert lives.setdefault(sent.message.ballot, life) == life
            assert sent.message.ballot.owner == sent.sender
        return random.random() < 0.3

    parliament.loses = watch
    for _ in range(150):
        parliament.run_for(random.randrange(30))
        me = random.choice(parliament.members)
        if me not in parliament.alive:
            parliament.start(me)
        elif random.random() < 0.5 and parliament[me].slip is None:
            parliament.stand(me)
        else:
            parliament.crash(me)
    assert len(lives) > 10


def test_quorums_may_be_weighed() -> None:
    """2.2, B2: any rule will do whose quorums meet; the paper's first example lets heavy priests outvote light ones."""
    roster = Roster(Weighted({M1: 5, M2: 2, M3: 2}))
    assert roster.quorums_meet()
    assert roster.is_vote_quorum({M1})
    assert not roster.is_vote_quorum({M2, M3})


def test_a_promise_rules_out_votes_between_the_vote_reported_and_the_ballot_asked_for() -> None:
    """2.2, B3: what makes MaxVote known is that the answer stays true: no vote is cast in between any more."""
    member = idle(M3, Vote(S1, ballot(1, 1), decree("a")))
    (answer,) = member.receive(M2, NextBallot(ballot(5, 2), S1), 0).letters
    assert answer.message == promise(ballot(5, 2), [Vote(S1, ballot(1, 1), decree("a"))])
    for between in (ballot(1, 2), ballot(3, 1), ballot(5, 1)):
        effects = member.receive(between.owner, BeginBallot(between, S1, decree("b"), S1), 1)
        assert effects.records == []


def test_the_six_steps_of_one_ballot() -> None:
    """2.2, steps 1 to 6, letter by letter: member 1 conducts a ballot among three, and 2 and 3 answer."""
    first, second, third = idle(M1), idle(M2), idle(M3)
    own = ballot(1, 1)

    # Step 1: choose a number of our own and ask.
    step = stand(first)
    assert step == Effects(records=[TriedBallot(own)], letters=to((M1, M2, M3), NextBallot(own, S1), after=1))

    # Step 2: answer with the last vote, which is none, and promise.
    answers = {}
    for me, member in ((M1, first), (M2, second)):
        step = member.receive(M1, NextBallot(own, S1), 0)
        answer = promise(own)
        assert step == Effects(records=[PromisedBallot(own)], letters=[Letter(M1, answer, after=member.ledger.line)])
        answers[me] = answer

    # Step 3: a majority has answered and nothing is forced, so the decree is ours to choose.
    first.receive(M1, answers[M1], 0)
    first.receive(M2, answers[M2], 0)
    step = first.propose((b"olives",), 0, 830)
    ((slot, new),) = {
        (letter.message.slot, letter.message.decree)
        for letter in step.letters
        if isinstance(letter.message, BeginBallot)
    }
    assert slot == S1
    begin = BeginBallot(own, slot, new, S1)
    assert step == Effects(letters=to((M1, M2, M3), begin))

    # Step 4: vote, in the ledger first.  Member 3 had no part in steps 1 and 2 and may vote all the same.
    for me, member in ((M1, first), (M2, second), (M3, third)):
        step = member.receive(M1, begin, 0)
        assert step == Effects(
            records=[Vote(S1, own, new)], letters=[Letter(M1, Voted(own, S1), after=member.ledger.line)]
        ), me

    # Step 5: with the votes of a quorum, enter the decree and tell everyone.
    assert first.receive(M2, Voted(own, S1), 0) == Effects()
    step = first.receive(M3, Voted(own, S1), 0)
    assert step == Effects(records=[Passed(S1, own)], passed=[(S1, new)])
    news = first.on_deadline(first.next_deadline(), 0)
    success = Success(own, S2, ())
    assert news == Effects(letters=to((M2, M3), success))

    # Step 6: enter it.
    for member in (second, third):
        assert member.receive(M1, success, 0) == Effects(records=[Passed(S1, own)], passed=[(S1, new)])


@pytest.mark.parametrize("seed", range(8))
def test_not_acting_is_always_safe(seed: int) -> None:
    """2.2: no step has to be carried out; a priest may ignore any letter, which is as if it was lost.

    Four letters in ten are ignored.  The parliament compares all ledgers after every step;
    once letters are answered again, progress is made.
    """
    heal(troubled(seed, loss=0.4))


@pytest.mark.parametrize("seed", range(4))
def test_letters_that_come_twice_do_no_harm(seed: int) -> None:
    """2.2: a second copy makes a priest do again what it did, and the result is the same."""
    random = Random(seed)
    parliament = Parliament(3, sync_ms=1, chance=lambda me: random.randrange(2**32))
    parliament.copies = lambda sent: [random.randrange(5), random.randrange(3_000)]
    for number in range(20):
        parliament.propose(parliament.elect(), f"{number}")
        parliament.run_for(random.randrange(60))
    parliament.run_for(5_000)
    assert parliament.texts(M1) == parliament.texts(M2) == parliament.texts(M3) == [f"{n}" for n in range(20)]


def test_the_third_step_is_done_once_in_a_ballot() -> None:
    """2.2: choosing again on a second copy of an answer, or on a later one, could choose another decree."""
    president = polling(M1, above=1, answers={M2: promise(ballot(2, 1))})
    begun = president.propose((b"ours",), 0, 0).letters
    late = promise(ballot(2, 1), [Vote(S1, ballot(1, 3), decree("theirs"))])
    for sender, answer in ((M2, promise(ballot(2, 1))), (M3, late), (M3, late)):
        assert president.receive(sender, answer, 1) == Effects()
    (open_,) = polling_slip(president).open.values()
    assert {letter.message.decree for letter in begun if isinstance(letter.message, BeginBallot)} == {open_.decree}


def test_a_number_is_not_used_again_after_a_crash_in_the_third_step() -> None:
    """2.2: the note that a ballot was started is durable, so a forgetful priest does not start it a second time."""
    parliament = Parliament(3, sync_ms=1)
    own = parliament.stand(M1)
    parliament.run_until(lambda: M1 in parliament.presidents)
    parliament.propose(M1, "before the crash")
    parliament.crash(M1)
    parliament.start(M1)
    assert parliament.stand(M1) > own


@pytest.mark.parametrize("seed", range(4))
def test_any_number_of_ballots_may_go_on_at_once(seed: int) -> None:
    """2.2: any priest may start a ballot at any time, and safety does not ask how many there are."""
    random = Random(seed)
    parliament = Parliament(5, sync_ms=1, chance=lambda me: random.randrange(2**32))
    parliament.loses = lambda sent: random.random() < 0.45
    at_once = 0
    for number in range(300):
        for me in parliament.members:
            if random.random() < 0.05 and parliament[me].slip is None:
                parliament.stand(me)
        parliament.run_for(random.randrange(4))
        at_once = max(at_once, sum(parliament[me].slip is not None for me in parliament.alive))
        for me in parliament.presidents:
            if parliament[me].may_propose:
                parliament.propose(me, f"{number} by {me}")
    assert at_once >= 3
    heal(parliament)


def test_a_decree_that_has_passed_without_anybody_here_knowing_it_is_not_free_to_change() -> None:
    """2.2: the decree that step 3 forces may be in the ledger of a priest who left, so it has to be kept."""
    parliament = Parliament(3, sync_ms=1)
    president = parliament.elect()
    parliament.run_for(20)
    parliament.loses = lambda sent: isinstance(sent.message, Success | Presence)
    slot = parliament.propose(president, "known to one")
    parliament.run_until(lambda: parliament[president].ledger.knows(slot))
    parliament.crash(president)
    parliament.loses = lambda sent: False
    assert not any(parliament[me].ledger.knows(slot) for me in parliament.alive)
    parliament.pass_decree("next")
    assert all(parliament.texts(me)[:2] == ["known to one", "next"] for me in parliament.alive)


def test_votes_of_a_priest_to_itself_are_as_durable_as_any() -> None:
    """2.2, footnotes 7 and 10: letters to oneself need no messenger, but they are letters all the same."""
    parliament = Parliament(3, sync_ms=50)
    president = parliament.elect()
    others = [me for me in parliament.members if me != president]
    parliament.loses = lambda sent: sent.to == others[0]
    slot = parliament.propose(president, "a")
    at_ms = parliament.now_ms
    parliament.run_until(lambda: parliament[president].ledger.knows(slot))
    (own,) = [sent for sent in parliament.letters(Voted, at_ms) if sent.sender == president]
    assert own.at_ms == at_ms + 50
    assert any(isinstance(record, Vote) and record.slot == slot for record in parliament.seats[president].durable)
    assert not isinstance(parliament[others[0]].slip, Polling)


def test_an_outcome_heard_twice_is_entered_once() -> None:
    """2.2, step 6: entering a decree that is in the ledger already changes nothing."""
    member = idle(M2)
    told = Success(NO_BALLOT, S2, (Outcome(S1, decree("a")),))
    assert member.receive(M1, told, 0).records == [Outcome(S1, decree("a"))]
    assert member.receive(M3, told, 0) == Effects()


def test_whoever_asks_in_vain_is_told() -> None:
    """2.2 lets a priest be silent about a ballot it promised not to vote in; 2.4 has it speak up, and ours does."""
    member = idle(M2, PromisedBallot(ballot(5, 3)))
    assert member.receive(M1, NextBallot(ballot(4, 1), S1), 0).letters == [
        Letter(M1, Superseded(ballot(4, 1), by=ballot(5, 3)))
    ]
    assert trying_slip(trying(M1, above=5)).ballot > ballot(5, 3)
