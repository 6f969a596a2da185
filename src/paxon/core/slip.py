"""The slip of paper: what a legislator keeps about the ballot it conducts, and may lose (section 2.3).

A legislator's status is which slip it holds: ``None`` is the paper's *idle*.  Losing the slip
is always safe, and a restart is nothing else.
"""

from collections import deque

from msgspec import Struct, field

from paxon.core.decree import NO_BALLOT, Ballot, Decree, NodeId, Slot
from paxon.core.lease import Lease
from paxon.core.ledger import Vote
from paxon.core.messages import LastVote


class Trying(Struct):
    """Steps 1 and 2: ``NextBallot`` is out, promises come in (industry: candidate)."""

    ballot: Ballot
    until_ms: int
    """When to give up."""
    sent_ms: int
    released: Ballot = NO_BALLOT
    """The ballot of the president that asked us to take over, if members may be bound to it."""
    promises: dict[NodeId, LastVote] = field(default_factory=dict)

    def latest_votes(self) -> dict[Slot, Vote]:
        """The paper's MaxVote in each slot, over everyone who answered (E1)."""
        latest: dict[Slot, Vote] = {}
        for promise in self.promises.values():
            for vote in promise.votes:
                if vote.slot not in latest or vote.ballot > latest[vote.slot].ballot:
                    latest[vote.slot] = vote
        return latest


class Open(Struct):
    """One slot being voted on: between steps 3 and 5."""

    decree: Decree
    sent_ms: int
    voters: set[NodeId] = field(default_factory=set)
    resent: int = 0


class Question(Struct):
    """A linearizable read that waits for a roll call and for ``passed_until``."""

    token: int
    roll_call: int
    passed_until: Slot


class Polling(Struct):
    """Steps 3 to 5 in as many slots as are open (industry: leader).

    Invariants: ``promised`` contains a promise quorum of every slot in ``open``; slots in
    ``forced`` and ``open`` are below ``next_slot``; a slot is begun at most once per ballot.
    """

    ballot: Ballot
    promised: frozenset[NodeId]
    next_slot: Slot
    """The lowest slot that no decree may have been proposed in: where new decrees go."""
    forced: deque[tuple[Slot, Decree]]
    """What phase 1 forces, and no-ops for the gaps, in slot order, not yet begun (section 3.1)."""
    recovered_until: Slot
    """Everything that passed before this ballot is below: no read is answered before all of it is known."""
    stamp_ms: int
    """No later decree may carry a lower stamp (section 3.3.3)."""
    held_ms: int
    """When the president last made its regular round; roll calls for reads come between."""
    progress_ms: int
    """When the ledger was last seen to grow, or to lack nothing that was recovered."""
    progress_until: Slot
    """How far it had grown then."""
    open: dict[Slot, Open] = field(default_factory=dict)
    told_until: Slot = Slot(0)
    """How far the others were told that decrees passed."""
    flush_at_ms: int | None = None
    roll_call: int = 0
    heard_ms: dict[NodeId, int] = field(default_factory=dict)
    answered: dict[NodeId, int] = field(default_factory=dict)
    """The latest roll call each member answered."""
    standing: dict[NodeId, Slot] = field(default_factory=dict)
    """The ``passed_until`` each member last reported."""
    questions: list[Question] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    """Tokens that came while a roll call was under way, for the next one."""
    handing_over_until_ms: int | None = None
    called_ms: dict[int, int] = field(default_factory=dict)
    """When we began each roll call that asked for a lease, as long as an answer to it may be worth something."""
    grants: dict[NodeId, Lease] = field(default_factory=dict)
    """The latest that each member lets us count on."""
    lease: Lease | None = None
    """What a vote quorum lets us count on."""
    is_lease_released: bool = False
    """Whether we told somebody that our lease is over: it is, for as long as this ballot lasts."""

    def told(self, passed_until: Slot) -> None:
        """The others are being told that everything below ``passed_until`` has passed."""
        self.told_until = passed_until
        self.flush_at_ms = None


Slip = Trying | Polling | None
