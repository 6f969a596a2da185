"""Bugs that were found, each as the story that found it.  Every one of these failed before its fix."""

from paxon.core.decree import NO_BALLOT, Ballot, NodeId, Slot
from paxon.core.ledger import Outcome
from paxon.core.messages import BeginBallot, LastVote, NextBallot, Success, Superseded
from paxon.core.slip import Polling
from paxon.node.host import LAZY_SYNC_MS
from paxon.sim.script import Script


def ballot_of(script: Script, member: int) -> Ballot:
    slip = script.legislator(member).slip
    assert isinstance(slip, Polling)
    return slip.ballot


def test_a_decree_whose_slot_went_to_our_next_ballot_may_still_pass() -> None:
    """A leader that proposes again in a slot it once lost must not give the first commands to anybody else.

    1 proposes D in a slot, and only 5 votes.  1 loses its ballot, wins another one without 5, and
    proposes D' in the same slot, which nobody hears.  Then 2 takes over with 3 and 5, and 5's
    vote forces D.  Had 1 taken D for beaten and begun its command anew, it would pass twice.
    """
    script = Script(5)
    script.elect(1)
    script.settle()
    slot = script.legislator(1).next_slot
    first = script.submit(1)
    script.deliver(BeginBallot, to=5)
    script.sync(5)
    script.sync(1)
    script.drop()
    lost = ballot_of(script, 1)
    script.inject(2, 1, Superseded(lost, Ballot(lost.round + 1, NodeId(2))))
    script.stand(1)
    script.sync(1)
    for member in (2, 3, 4):
        script.deliver(NextBallot, to=member)
    script.sync(2, 3, 4)
    script.deliver(LastVote, to=1)
    assert ballot_of(script, 1) > lost
    assert script.legislator(1).next_slot == slot, "the vote of 5 is not among the answers"
    second = script.submit(1)
    begun = [parcel.message for parcel in script.waiting(BeginBallot, to=2)]
    assert [message.slot for message in begun if isinstance(message, BeginBallot)] == [slot], (
        "nothing of D is begun anew"
    )
    script.drop()
    script.sync(1)
    script.drop()
    script.stand(2)
    script.settle(lambda: 2 in script.presidents, among=(2, 3, 5))
    script.settle()
    assert slot is not None
    assert script.commands_in(1, slot) == (first.command,)
    assert first.done()
    assert script.world.workload.outstanding.keys() <= {second}


def test_a_president_that_learns_of_a_decree_above_its_own_proposes_nothing_there() -> None:
    """What passed where we never proposed is a later president's work, and our ballot is over.

    If we went on, our next BeginBallot would name a slot below its own ``passed_until``, and
    every voter would take our decree for the one that passed.
    """
    script = Script(3)
    script.elect(1)
    script.settle()
    script.elect(2, among=(2, 3))
    script.submit(2)
    script.settle(lambda: script.legislator(2).ledger.passed_until > 1, among=(2, 3))
    assert script.presidents == [1, 2]
    # 1 hears of the decree from 3, by way of an answer to a question it once asked, and of nothing else.
    script.drop()
    outcome = script.legislator(2).ledger.outcomes[Slot(1)]
    script.inject(3, 1, Success(NO_BALLOT, Slot(2), (Outcome(Slot(1), outcome),)))
    assert script.presidents == [2]


def test_what_an_idle_member_learned_becomes_durable_without_anybody_waiting_for_it() -> None:
    """Outcomes need no sync for safety, so no letter ever waits for them; yet the file must not stay behind for ever.

    If it did, a member that caught up would forget decrees that its file does not have, answer
    nobody who lacks them, and lack them itself after the next power cut.
    """
    script = Script(3)
    script.elect(1)
    script.settle()
    for _ in range(3):
        script.submit(1)
        script.settle(among=(1, 2))
    script.drop()
    script.settle()
    assert script.legislator(3).ledger.passed_until == 4
    script.sync(3)
    script.wait(2 * LAZY_SYNC_MS)
    script.sync(3)
    script.crash(3)
    script.restart(3)
    assert script.legislator(3).ledger.passed_until == 4
