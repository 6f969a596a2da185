"""One value of every message class, each field different from its neighbours where it can be."""

from paxon.core import messages as m
from paxon.core.decree import Ballot, Decree, NodeId, Slot
from paxon.core.ledger import Jumped, Outcome, Passed, PromisedBallot, Record, TriedBallot, Vote

LOW = Ballot(3, NodeId(1))
HIGH = Ballot(300, NodeId(0xFFFF))
DECREE = Decree(LOW, 1_700_000_000_000, (b"one", b""))

MESSAGES: list[m.Message] = [
    m.NextBallot(HIGH, Slot(7)),
    m.LastVote(HIGH, Slot(7), (Vote(Slot(9), LOW, DECREE),), (Outcome(Slot(8), DECREE),), 1_700_000_000_001),
    m.BeginBallot(HIGH, Slot(9), DECREE, Slot(7)),
    m.Voted(HIGH, Slot(9)),
    m.Success(HIGH, Slot(7), (Outcome(Slot(8), DECREE),)),
    m.Superseded(LOW, HIGH),
    m.Lacking(Slot(7)),
    m.Presence(HIGH, 4, Slot(7)),
    m.Present(HIGH, 4, Slot(7)),
    m.Canvass(5, Slot(7)),
    m.CanvassReply(5, True, HIGH, Slot(7)),
    m.HandOver(HIGH, Slot(7)),
    m.NextBallot(HIGH, Slot(7), 70_000),
    m.LastVote(HIGH, Slot(7), (), (), 1_700_000_000_001, 70_001),
    m.Voted(HIGH, Slot(9), 70_002),
    m.Presence(HIGH, 4, Slot(7), ((NodeId(1), 70_003), (NodeId(0xFFFF), 5))),
]
"""The last few are those that a host has written lines into, as it does whenever they leave."""

RECORDS: list[Record] = [
    TriedBallot(HIGH),
    PromisedBallot(HIGH),
    Vote(Slot(9), HIGH, DECREE),
    Passed(Slot(9), HIGH),
    Outcome(Slot(8), DECREE),
    Jumped(Slot(7), 1_700_000_000_000),
]
