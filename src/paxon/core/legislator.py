"""A legislator: one member's part in every ballot, as a pure function of its letters.

Knows: its ledger, its slip of paper, the rosters.  Does not know: clocks, disks, sockets, or
what a decree says.  This is the only door to the core: every entrance returns ``Effects``.

Theory of operation.  Four parts share one pen.  ``Voter`` votes (steps 2 and 4), ``President``
conducts a ballot (steps 1, 3 and 5), ``Archive`` fills gaps (step 6 and section 3.1's
catch-up), ``Attendance`` decides who should preside (section 2.4).  Only the first two
carry safety, through the ledger; the door hands each message to the parts it concerns, then
lets the president do whatever the step made possible.
"""

from typing import assert_never

from paxon.core.archive import Archive
from paxon.core.attendance import Attendance
from paxon.core.decree import Ballot, NodeId, Slot
from paxon.core.effects import Effects
from paxon.core.lease import NO_LEASE, Grants, Lease, LeaseTerms
from paxon.core.ledger import Jumped, Ledger
from paxon.core.messages import (
    BeginBallot,
    Canvass,
    CanvassReply,
    HandOver,
    Lacking,
    LastVote,
    Message,
    NextBallot,
    Presence,
    Present,
    Success,
    Superseded,
    Voted,
)
from paxon.core.pen import Pen
from paxon.core.president import President
from paxon.core.roll import Roll
from paxon.core.roster import Rosters
from paxon.core.slip import Polling, Slip
from paxon.core.timing import Timing
from paxon.core.voter import Voter
from paxon.errors import ProtocolError


class Legislator:
    """One member of parliament.

    ``now_ms`` is the caller's monotonic clock, ``wall_ms`` its wall clock, ``chance`` a draw
    from ``[0, 2**32)``: time and chance come from outside.  After an ``InvariantViolation``
    the legislator must not be used again.
    """

    def __init__(
        self,
        me: NodeId,
        ledger: Ledger,
        rosters: Rosters,
        timing: Timing,
        now_ms: int,
        chance: int,
        terms: LeaseTerms = NO_LEASE,
        forgotten_ms: int = 0,
    ) -> None:
        """``forgotten_ms`` is the longest lease that an earlier life of this member may have granted."""
        self.me = me
        self.ledger = ledger
        self._pen = Pen(me, ledger, now_ms, chance)
        self._archive = Archive(self._pen, timing)
        grants = Grants(self._pen, terms, forgotten_ms)
        self._voter = Voter(self._pen, self._archive, grants)
        self._roll = Roll(self._pen, rosters, terms)
        self._president = President(self._pen, self._archive, rosters, timing, self._roll)
        self._attendance = Attendance(self._pen, self._president, self._archive, rosters, timing, grants, terms)
        self._conducted = False
        """Whether we conducted a ballot when this step began."""

    # --- what the host may look at ---

    @property
    def slip(self) -> Slip:
        """The ballot we conduct: ``None`` (idle), ``Trying`` or ``Polling``."""
        return self._president.slip

    @property
    def president(self) -> Ballot | None:
        """The ballot of the president as far as we know, ourselves included."""
        return self._attendance.president

    @property
    def may_propose(self) -> bool:
        """Whether ``propose`` is enabled."""
        return self._president.may_propose

    @property
    def open_slots(self) -> int:
        """How many decrees we have begun that have not passed."""
        slip = self._president.slip
        return len(slip.open) if isinstance(slip, Polling) else 0

    @property
    def next_slot(self) -> Slot | None:
        """The slot that the next ``propose`` will use, while polling."""
        slip = self._president.slip
        return slip.next_slot if isinstance(slip, Polling) else None

    @property
    def lease(self) -> Lease | None:
        """What we hold by which our ledger, just as it is, has everything that was announced to anybody; see ``Roll``.

        A read that finds it, and then a clock that does not show its end yet, is linearizable: what
        was announced before the clock was read was known here by then, and what came into the
        ledger since does no harm.
        """
        slip = self._president.slip
        return self._roll.lease(slip) if isinstance(slip, Polling) else None

    @property
    def claimed_until(self) -> Slot:
        """Somebody has said that everything below has passed; we may know less."""
        return self._archive.claimed_until

    def next_deadline(self) -> int:
        """When to call ``on_deadline`` at the latest, in the time of ``now_ms``."""
        return min(self._president.next_deadline(), self._attendance.next_deadline(), self._archive.next_deadline())

    # --- the entrances ---

    def receive(self, sender: NodeId, message: Message, now_ms: int) -> Effects:
        """Take one letter.

        Raises:
            ProtocolError: if the sender may not send this message.
            InvariantViolation: if something the protocol rests on is broken.
        """
        self._begin(now_ms)
        self._dispatch(sender, message)
        return self._finish()

    def propose(self, commands: tuple[bytes, ...], now_ms: int, wall_ms: int) -> Effects:
        """Begin one decree with ``commands``, in the slot ``next_slot``.  Enabled when ``may_propose``."""
        self._begin(now_ms)
        self._president.propose(commands, wall_ms)
        return self._finish()

    def read(self, token: int, now_ms: int) -> Effects:
        """Ask for a read barrier; the answer is a ``Reading`` with this token, in this or a later step."""
        self._begin(now_ms)
        self._president.read(token)
        return self._finish()

    def on_deadline(self, now_ms: int, chance: int) -> Effects:
        """Let time pass."""
        self._begin(now_ms)
        self._pen.chance = chance
        self._president.on_deadline()
        self._archive.on_deadline()
        self._attendance.on_deadline()
        return self._finish()

    def suspect(self, peer: NodeId, now_ms: int) -> Effects:
        """A hint that ``peer`` may be gone, such as a broken link.  May be wrong."""
        self._begin(now_ms)
        self._attendance.suspect(peer)
        return self._finish()

    def hand_over(self, now_ms: int) -> Effects:
        """Leave office in good order if we preside; ``slip`` tells when it has happened."""
        self._begin(now_ms)
        self._president.hand_over()
        return self._finish()

    def jump(self, slot: Slot, stamp_ms: int, now_ms: int) -> Effects:
        """Take note that everything below ``slot`` passed and is in a snapshot of ours (section 3.3.2).

        Enabled when: we do not know every decree below ``slot``, and the snapshot is durable.
        Effects: votes and outcomes below are dropped.  If we conduct a ballot that still has
        a slot open there, we stop: what passed in it, and whether it was ours, we cannot know.
        """
        self._begin(now_ms)
        self._pen.write(Jumped(slot, stamp_ms))
        return self._finish()

    # --- inside ---

    def _dispatch(self, sender: NodeId, message: Message) -> None:
        match message:
            case BeginBallot():
                self._require_owner(sender, message.ballot)
                self._attendance.heard_from(message.ballot)
                self._voter.on_begin_ballot(sender, message)
                self._archive.on_claim(sender, message.ballot, message.passed_until)
            case Voted():
                self._president.on_voted(sender, message)
            case Presence():
                self._require_owner(sender, message.ballot)
                self._attendance.on_presence(sender, message)
            case Present():
                self._president.on_present(sender, message)
            case Success():
                if message.ballot.owner == sender:
                    self._attendance.heard_from(message.ballot)
                self._archive.on_success(sender, message)
            case NextBallot():
                self._require_owner(sender, message.ballot)
                self._attendance.note(message.ballot)
                self._voter.on_next_ballot(sender, message)
            case LastVote():
                self._president.on_last_vote(sender, message)
            case Superseded():
                self._attendance.note(message.by)
                self._president.on_superseded(message)
            case Lacking():
                self._archive.on_lacking(sender, message)
            case Canvass():
                self._attendance.on_canvass(sender, message)
            case CanvassReply():
                self._attendance.on_canvass_reply(sender, message)
            case HandOver():
                self._require_owner(sender, message.ballot)
                self._attendance.on_hand_over(message)
            case _:
                assert_never(message)

    def _begin(self, now_ms: int) -> None:
        self._pen.now_ms = now_ms
        self._conducted = self._president.slip is not None

    def _finish(self) -> Effects:
        if self._conducted or self._president.slip is not None:
            self._president.follow_up()
            if isinstance(self._president.slip, Polling):
                self._attendance.presiding()
            elif self._conducted and self._president.slip is None:
                self._attendance.deposed()
        self.ledger.forget_what_the_file_keeps()
        effects, self._pen.effects = self._pen.effects, Effects()
        return effects

    @staticmethod
    def _require_owner(sender: NodeId, ballot: Ballot) -> None:
        if ballot.owner != sender:
            raise ProtocolError(f"member {sender} conducts ballot {ballot.round} of member {ballot.owner}")
