"""Who counts a vote remembers how far the voter's ledger was durable; so does everybody after a heartbeat."""

import pytest

from paxon.core.decree import Ballot, NodeId, Slot
from paxon.core.ledger import Ledger, PromisedBallot
from paxon.core.messages import LastVote, NextBallot, Presence, Voted
from paxon.errors import Disowned
from paxon.net.peer_memory import PeerMemory
from paxon.node.letters import PeerMessage
from paxon.node.vouching import remember, vouched
from tests.node.stage import Stage

ME, PEER, THIRD = NodeId(1), NodeId(2), NodeId(3)
BALLOT = Ballot(4, ME)


@pytest.mark.parametrize(
    "message", [Voted(BALLOT, Slot(2)), NextBallot(BALLOT, Slot(2)), LastVote(BALLOT, Slot(2), (), (), 0)]
)
def test_what_rests_on_the_ledger_says_how_far_it_is_durable(message: PeerMessage) -> None:
    sent = vouched(message, ME, 17, PeerMemory())
    assert (type(sent), getattr(sent, "line", None)) == (type(message), 17)
    memory = PeerMemory()
    remember(ME, sent, PEER, Ledger(), memory)
    assert memory.lines() == ((ME, 17),)


def test_a_heartbeat_says_it_of_everybody() -> None:
    memory = PeerMemory()
    memory.note(THIRD, 30)
    sent = vouched(Presence(BALLOT, 1, Slot(2)), ME, 17, memory)
    assert sent == Presence(BALLOT, 1, Slot(2), ((ME, 17), (THIRD, 30)))
    heard = PeerMemory()
    remember(ME, sent, PEER, Ledger(), heard)
    assert dict(heard.lines()) == {ME: 17, THIRD: 30}


def test_a_member_learns_from_a_heartbeat_that_it_forgot_something() -> None:
    ledger = Ledger()
    ledger.write(PromisedBallot(BALLOT))
    remember(PEER, Presence(BALLOT, 1, Slot(2), ((ME, 1),)), ME, ledger, PeerMemory())
    with pytest.raises(Disowned, match="ends at line 1, but member 2 says that line 2 of it was durable"):
        remember(PEER, Presence(BALLOT, 1, Slot(2), ((ME, 2),)), ME, ledger, PeerMemory())


def test_every_vote_and_promise_of_running_hosts_is_remembered_before_it_counts() -> None:
    stage = Stage()
    stage.elect(1)
    answer = stage[1].submit(b"x")
    stage.run_until(answer.done)
    stage.run_for(1_000)
    messages = [sent.message for sent in stage.sent]
    told = [message.line for message in messages if isinstance(message, Voted | LastVote | NextBallot)]
    assert told
    assert min(told) > 0, "whatever leaves rests on at least one record"
    heartbeats = [message for message in messages if isinstance(message, Presence)]
    assert heartbeats
    assert {member for member, _ in heartbeats[-1].lines} == {1, 2, 3}


def test_a_host_that_is_told_of_its_own_loss_dies_and_says_why() -> None:
    stage = Stage()
    stage.elect(1)
    stage[2].host.receive(NodeId(1), Presence(BALLOT, 9, Slot(1), ((NodeId(2), 1_000_000),)))
    assert [type(error) for error in stage[2].fatal] == [Disowned]
