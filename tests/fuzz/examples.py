"""One value of every class that travels beside the protocol's own messages, which ``tests.codec.examples`` has."""

from paxon.core.decree import NodeId, Slot
from paxon.net.handshake import Goodbye, Hello, Welcome
from paxon.node.consistency import LINEARIZABLE, AtLeast, Stale
from paxon.node.letters import (
    Answers,
    AskReading,
    AskSnapshot,
    Forward,
    HostMessage,
    Known,
    ReadingAt,
    Refusals,
    SnapshotOffer,
    SnapshotPart,
)
from paxon.node.service import (
    ClientMessage,
    Events,
    Failure,
    Query,
    Result,
    StatusReply,
    StatusRequest,
    Submit,
    Unwatch,
    Watch,
)
from paxon.node.status import MemberStatus, Role
from paxon.rsm.feed import Event
from tests.codec.examples import LOW

HOST_MESSAGES: list[HostMessage] = [
    Forward(LOW, 7, 1, ((1, b"one"), (2, b""))),
    Answers(7, ((1, Slot(9), b"done"),)),
    Refusals(7, LOW, ((2, "not_leader", "no longer the leader"),)),
    AskReading(7, 3),
    ReadingAt(7, 3, Slot(9)),
    ReadingAt(7, 4, None),
    SnapshotOffer(Slot(300), 41, 7),
    AskSnapshot(SnapshotOffer(Slot(300), 41, 7), 20),
    SnapshotPart(SnapshotOffer(Slot(300), 41, 7), 20, b"bytes"),
    Known(Slot(9)),
]

CLIENT_MESSAGES: list[ClientMessage] = [
    Submit(1, b"\x93\x01\xc4\x01k\xc4\x01v", 5000),
    Query(2, b"\x92\x01\xc4\x01k", 5000, LINEARIZABLE),
    Query(3, b"\x92\x01\xc4\x01k", 5000, AtLeast(Slot(17))),
    Query(4, b"\x92\x01\xc4\x01k", 5000, Stale(250)),
    StatusRequest(3),
    Result(1, 9, b"\x92\x01\x01"),
    Failure(2, "not_leader", "no leader is known here", "127.0.0.1:7400"),
    StatusReply(3, MemberStatus("a", Role.LEADER, 65537, 9, 0, 4096, "0.1", 42, "127.0.0.1:1", "a", "127.0.0.1:1")),
    Watch(4, 17, "Bell", "rung", 5000),
    Watch(5, None, "paxon.terms", "", 1),
    Unwatch(4),
    Events(4, 19, (Event(17, 9, "Bell", "rung", b"\xa3one"),)),
]

HANDSHAKE_WORDS: list[Hello | Welcome | Goodbye] = [
    Hello(1, "cluster", "b", NodeId(2), "storage", "127.0.0.1:2", "bulk", "a"),
    Welcome(1, "cluster", "b", NodeId(2), "storage", "127.0.0.1:2"),
    Goodbye("member", "a knows no member called b"),
]
