"""Who presides, who is missed, and when to try oneself: the presidential selection of sections 2.4 and 3.3.1.

Liveness only, but for the grants of leases, which it hands out with its answers to the roll and
leaves to ``lease``.  Nothing here can make two decrees pass in one slot, so it may be as clever as
it likes: a president stays while it is heard, a member asks before it disturbs, and only a
member that has caught up is followed.
"""

from paxon.core.archive import Archive
from paxon.core.decree import NO_BALLOT, Ballot, NodeId
from paxon.core.lease import Grants, LeaseTerms
from paxon.core.messages import Canvass, CanvassReply, HandOver, Presence, Present, Superseded
from paxon.core.pen import Pen
from paxon.core.president import President
from paxon.core.roster import Rosters
from paxon.core.slip import Polling
from paxon.core.timing import NEVER_MS, Timing

PATIENCE_MAX = 3
"""The pause between canvasses in vain doubles this often at the most."""


class Attendance:
    """What we believe about the president, and our own candidature."""

    def __init__(
        self,
        pen: Pen,
        president: President,
        archive: Archive,
        rosters: Rosters,
        timing: Timing,
        grants: Grants,
        terms: LeaseTerms,
    ) -> None:
        self._pen = pen
        self._ledger = pen.ledger
        self._president = president
        self._archive = archive
        self._rosters = rosters
        self._timing = timing
        self._grants = grants
        self._terms = terms
        self.heard: Ballot | None = None
        """The ballot of the president we last heard, or ``None``: nobody, or one we miss by now."""
        self._heard_ms = pen.now_ms
        self._highest = NO_BALLOT
        """The highest ballot we heard of, so that a first attempt is high enough (section 2.4)."""
        self._canvass = 0
        self._supporters: set[NodeId] | None = None
        """Who answered our canvass well; ``None`` when we have none under way."""
        self._in_vain = 0
        self._act_at_ms = pen.now_ms + timing.presence_ms + pen.jitter(timing.presence_ms)

    @property
    def president(self) -> Ballot | None:
        """The ballot of the president, ourselves included, as far as we know."""
        slip = self._president.slip
        if slip is not None and isinstance(slip, Polling):
            return slip.ballot
        return self.heard

    def next_deadline(self) -> int:
        """When to canvass next; ``NEVER_MS`` while we conduct a ballot."""
        return self._act_at_ms if self._president.slip is None else NEVER_MS

    def on_deadline(self) -> None:
        """Miss the president, and ask whether others do."""
        if self._president.slip is None and self._pen.now_ms >= self._act_at_ms:
            self.heard = None
            if self._grants.are_binding:
                # Nobody who is bound as we are will promise us anything before that.
                self._act_at_ms = self._grants.until_ms + self._pen.jitter(self._timing.presence_ms // 4)
            else:
                self._ask_around()

    def heard_from(self, ballot: Ballot) -> None:
        """A president is at work.

        Enabled when: ``ballot`` is not below our promise; an older president is told so instead.
        """
        self.note(ballot)
        if ballot.owner == self._pen.me or ballot < self._ledger.next_ballot:
            return
        slip = self._president.slip
        if slip is not None and slip.ballot < ballot:
            self._president.lose_slip()
        self.heard = ballot
        self._heard_ms = self._pen.now_ms
        self._supporters = None
        self._in_vain = 0
        self._wait(self._timing.election_timeout_ms)

    def note(self, ballot: Ballot) -> None:
        """Remember the highest ballot around."""
        self._highest = max(self._highest, ballot)

    def suspect(self, peer: NodeId) -> None:
        """The link to ``peer`` broke.  If it presides, do not wait for the timeout: asking around disturbs nobody."""
        if self.heard is not None and self.heard.owner == peer:
            self.heard = None
            self._act_at_ms = self._pen.now_ms + self._pen.jitter(self._timing.presence_ms // 4)

    def presiding(self) -> None:
        """We preside ourselves: whoever did before us is history, also when our own ballot ends."""
        self.heard = None

    def deposed(self) -> None:
        """Our own ballot ended: unless we heard who took over, let the others try first."""
        if self.heard is None:
            self._wait(self._timing.election_timeout_ms // 2)

    def on_presence(self, sender: NodeId, message: Presence) -> None:
        """Answer the roll call of a president that we may follow."""
        if message.ballot < self._ledger.next_ballot:
            self._pen.send(sender, Superseded(message.ballot, by=self._ledger.next_ballot))
            return
        self.heard_from(message.ballot)
        self._archive.on_claim(sender, message.ballot, message.passed_until)
        lease_ms = self._grants.give(message.ballot, message.lease_ms)
        self._pen.send(sender, Present(message.ballot, message.roll_call, self._ledger.passed_until, lease_ms))

    def on_canvass(self, sender: NodeId, message: Canvass) -> None:
        """Support a candidate if we miss the president too and the candidate has all that we have (3.3.1)."""
        ledger = self._ledger
        # Of two canvassers that would both do, the later name wins, as in the paper's sample rule (2.4).
        stands = self._supporters is not None or self._president.slip is not None
        rival = stands and (ledger.passed_until, self._pen.me) > (message.passed_until, sender)
        supports = self._misses_president() and not rival and message.passed_until >= ledger.passed_until
        if supports and sender != self._pen.me:
            self._supporters = None
            self._wait(self._timing.election_timeout_ms)
        self._archive.on_claim(sender, NO_BALLOT, message.passed_until)
        highest = max(self._highest, ledger.next_ballot)
        self._pen.send(sender, CanvassReply(message.canvass, supports, highest, ledger.passed_until))

    def on_canvass_reply(self, sender: NodeId, message: CanvassReply) -> None:
        """Count a supporter; with a quorum of them, start a ballot above everything they know of."""
        self.note(message.next_ballot)
        self._archive.on_claim(sender, NO_BALLOT, message.passed_until)
        if self._supporters is None or message.canvass != self._canvass or not message.supports:
            return
        self._supporters.add(sender)
        self._maybe_stand()

    def on_hand_over(self, message: HandOver) -> None:
        """Start a ballot at the president's own request: no need to ask around."""
        may_follow = message.ballot >= self._ledger.next_ballot
        if may_follow and self._president.slip is None and self._ledger.passed_until >= message.passed_until:
            self.note(message.ballot)
            # Without leases nobody can be bound, and the question stays as short as it is.
            self._stand(message.ballot if self._terms.duration_ms else NO_BALLOT)

    def _misses_president(self) -> bool:
        if isinstance(self._president.slip, Polling) or self._grants.are_binding:
            return False
        return self.heard is None or self._pen.now_ms - self._heard_ms >= self._timing.election_timeout_ms

    def _ask_around(self) -> None:
        self._canvass += 1
        self._supporters = {self._pen.me}
        members = self._rosters.of(self._ledger.passed_until).members
        others = [member for member in members if member != self._pen.me]
        self._pen.send_all(others, Canvass(self._canvass, self._ledger.passed_until))
        self._act_at_ms = self._pen.now_ms + self._pause()
        self._in_vain += 1
        self._maybe_stand()

    def _maybe_stand(self) -> None:
        roster = self._rosters.of(self._ledger.passed_until)
        if self._supporters is not None and roster.is_promise_quorum(self._supporters):
            self._stand()

    def _stand(self, released: Ballot = NO_BALLOT) -> None:
        self._supporters = None
        self.heard = None
        self._wait(self._timing.election_timeout_ms)
        self._president.try_ballot(self._highest, released)

    def _pause(self) -> int:
        """Between canvasses: grows with every one in vain, and differs between members by chance."""
        span_ms = self._timing.presence_ms << min(self._in_vain, PATIENCE_MAX)
        return span_ms + self._pen.jitter(span_ms)

    def _wait(self, at_least_ms: int) -> None:
        self._act_at_ms = self._pen.now_ms + at_least_ms + self._pen.jitter(at_least_ms)
