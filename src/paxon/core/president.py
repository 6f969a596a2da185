"""The presiding part of a legislator: steps 1, 3 and 5 (industry: proposer, leader).

Knows: the slip of paper and the rosters.  Does not know: whether it *should* preside, which
attendance decides, or how to vote.  Sections 2.3, 3.1, 3.2 and 3.3.3.
"""

from collections import deque

from paxon.core.archive import Archive
from paxon.core.decree import NO_BALLOT, NOOP, ROUND_MAX, Ballot, Decree, NodeId, Slot
from paxon.core.effects import Reading
from paxon.core.ledger import KEPT_SLOTS, TriedBallot
from paxon.core.messages import (
    BeginBallot,
    HandOver,
    LastVote,
    NextBallot,
    Present,
    Success,
    Superseded,
    Voted,
)
from paxon.core.pen import Pen
from paxon.core.roll import Roll
from paxon.core.roster import ROSTER_LAG, Rosters
from paxon.core.slip import Open, Polling, Slip, Trying
from paxon.core.timing import NEVER_MS, Timing
from paxon.errors import check

RESENT_MAX = 3
"""The waiting time before a letter is repeated doubles this often at the most."""

STUCK_TIMEOUTS = 2
"""A president that lacks passed decrees and gets none for so many election timeouts tries a new ballot (2.4)."""

GAPS_MAX = KEPT_SLOTS
"""The most slots that a president fills for want of any news of them.  Whoever began a slot knew every decree a window
below it, and a voter of each of those is among the responders; so honest answers leave gaps within a window only."""


class President:
    """Conducts at most one ballot at a time, in all slots at once."""

    def __init__(self, pen: Pen, archive: Archive, rosters: Rosters, timing: Timing, roll: Roll) -> None:
        self._pen = pen
        self._ledger = pen.ledger
        self._archive = archive
        self._rosters = rosters
        self._timing = timing
        self._roll = roll
        self.slip: Slip = None

    # --- steps 1 and 2 ---

    def try_ballot(self, above: Ballot, released: Ballot = NO_BALLOT) -> None:
        """Start a ballot of our own above ``above`` and everything we ever tried or promised (step 1).

        ``released`` is the ballot that its president asked us to follow, with its lease given up.

        Enabled when: there is a higher round; whether it is wise is for attendance to say.
        Effects: ``last_tried`` rises durably before the first ``NextBallot`` leaves, so that no
        later life of ours uses the number again (B1).
        """
        self.lose_slip()
        ledger, now_ms = self._ledger, self._pen.now_ms
        highest = max(above.round, ledger.last_tried.round, ledger.next_ballot.round)
        if highest >= ROUND_MAX:
            # Elections never get there; somebody spoke of such a ballot.  A higher one could not be read back.
            return
        ballot = Ballot(highest + 1, self._pen.me)
        self._pen.write(TriedBallot(ballot))
        self.slip = Trying(ballot, now_ms + self._timing.election_timeout_ms, now_ms, released)
        self._send_next_ballot(self.slip)

    def on_last_vote(self, sender: NodeId, message: LastVote) -> None:
        """Count a promise (step 2 completed), and start polling with a quorum of them.

        Enabled when: trying, and the promise is for our ballot.  Later ones are ignored: step 3
        is done once per ballot (section 2.2).  What has passed is entered in any case.
        """
        for outcome in message.outcomes:
            self._pen.learn(outcome.slot, outcome.decree)
        slip = self.slip
        if not isinstance(slip, Trying) or message.ballot != slip.ballot:
            return
        slip.promises[sender] = message
        if self._rosters.of(self._ledger.passed_until).is_promise_quorum(slip.promises.keys()):
            self._start_polling(slip)

    def _start_polling(self, trying: Trying) -> None:
        """Choose what the promises force (step 3 for every slot at once, section 3.1).

        The quorum is everyone who answered, and the highest vote is taken over all of them
        (E1).  Slots that passed elsewhere are fetched, not voted on again.
        """
        ledger, now_ms = self._ledger, self._pen.now_ms
        promises = trying.promises
        latest = trying.latest_votes()
        # Below the highest passed_until reported everything has passed, and a decree passed stays
        # passed: proposing there could only repeat it, if we knew it.  Archive asks for it.
        passed_until = max(ledger.passed_until, *(promise.passed_until for promise in promises.values()))
        next_slot = Slot(max(passed_until, ledger.known_until, *(slot + 1 for slot in latest)))
        if next_slot - passed_until > len(latest) + len(ledger.outcomes) + GAPS_MAX:
            # Somebody reports a vote or an outcome that cannot be.  Whoever it is, filling the slots below it would
            # take for ever, and leaving the vote out of account is not ours to decide: no ballot, then.
            self.lose_slip()
            return
        forced: deque[tuple[Slot, Decree]] = deque()
        for number in range(passed_until, next_slot):
            slot = Slot(number)
            if not ledger.knows(slot):
                # A gap is filled with a no-op and never with a new command: commands of clients who
                # waited for the decrees above it would otherwise come before them (section 3.1).
                forced.append((slot, latest[slot].decree if slot in latest else NOOP))
        self.slip = Polling(
            ballot=trying.ballot,
            promised=frozenset(promises),
            next_slot=next_slot,
            forced=forced,
            recovered_until=next_slot,
            stamp_ms=max(ledger.stamp_ms, *(promise.stamp_ms for promise in promises.values())),
            held_ms=now_ms,
            progress_ms=now_ms,
            progress_until=ledger.passed_until,
            heard_ms=dict.fromkeys(promises, now_ms),
            standing={member: promise.passed_until for member, promise in promises.items()},
        )
        for member, promise in promises.items():
            self._archive.on_claim(member, NO_BALLOT, promise.passed_until)
            if member != self._pen.me and promise.passed_until < ledger.passed_until:
                # The request for missing decrees that section 3.1 puts into LastVote.
                self._archive.hand_out(member, promise.passed_until)
        self._roll.call(self.slip)
        self.follow_up()

    # --- steps 3 to 5 ---

    @property
    def may_propose(self) -> bool:
        """Whether a new decree may be begun at once: everything forced comes first, and the window bounds the rest."""
        slip = self.slip
        return (
            isinstance(slip, Polling)
            and not slip.forced
            and slip.handing_over_until_ms is None
            and self._may_begin(slip, slip.next_slot)
        )

    def propose(self, commands: tuple[bytes, ...], wall_ms: int) -> None:
        """Begin a new decree in the lowest slot never used (section 3.1).

        Enabled when: ``may_propose``.
        """
        slip = self.slip
        check(isinstance(slip, Polling) and self.may_propose, "a decree is proposed by a president with room for it")
        if isinstance(slip, Polling):
            slip.stamp_ms = max(slip.stamp_ms, wall_ms)
            slot = slip.next_slot
            slip.next_slot = Slot(slot + 1)
            self._begin(slip, slot, Decree(slip.ballot, slip.stamp_ms, commands))

    def on_voted(self, sender: NodeId, message: Voted) -> None:
        """Count a vote, and pass the decree with a quorum of them (step 5).

        Enabled when: polling in that ballot, and the slot is open.
        """
        slip = self.slip
        if not isinstance(slip, Polling) or message.ballot != slip.ballot:
            return
        slip.heard_ms[sender] = self._pen.now_ms
        open_ = slip.open.get(message.slot)
        if open_ is None:
            return
        open_.voters.add(sender)
        if self._rosters.of(message.slot).is_vote_quorum(open_.voters):
            self._pen.learn(message.slot, open_.decree)

    def on_superseded(self, message: Superseded) -> None:
        """Give up a ballot that somebody has promised not to vote in (section 2.4)."""
        if self.slip is not None and message.ballot == self.slip.ballot and message.by > message.ballot:
            self.lose_slip()

    def lose_slip(self) -> None:
        """Stop conducting our ballot (A1, Forget).  Always safe; readers are told to ask again."""
        slip, self.slip = self.slip, None
        if isinstance(slip, Polling):
            tokens = [question.token for question in slip.questions] + slip.waiting
            self._pen.effects.readings.extend(Reading(token, None) for token in tokens)

    def follow_up(self) -> None:
        """Do what this step made possible: close slots that passed, begin what is forced, answer reads."""
        slip = self.slip
        if slip is None:
            return
        if self._ledger.next_ballot > slip.ballot:
            self.lose_slip()
            return
        if isinstance(slip, Polling):
            if not self._close_passed(slip):
                self.lose_slip()
                return
            while slip.forced:
                slot, decree = slip.forced[0]
                is_known = self._ledger.knows(slot)
                if not is_known and not self._may_begin(slip, slot):
                    break
                slip.forced.popleft()
                if not is_known:
                    self._begin(slip, slot, decree)
            if slip.told_until < self._ledger.passed_until and slip.flush_at_ms is None:
                slip.flush_at_ms = self._pen.now_ms + self._timing.flush_ms
            self._roll.answer(slip)

    def _close_passed(self, slip: Polling) -> bool:
        """Take passed slots off the slip; ``False`` if a decree passed that we did not propose.

        Above everything phase 1 told us, that can only be a later president's work.  We must stop
        at once: followers turn their votes of our ballot into outcomes on our word that all below
        ``passed_until`` has passed (Archive.on_claim), and in such a slot that would be wrong.
        """
        ledger = self._ledger
        if ledger.known_until > slip.next_slot:
            return False
        for slot in [slot for slot in slip.open if ledger.knows(slot)]:
            passed = ledger.outcomes.get(slot)
            if passed is None or passed != slip.open.pop(slot).decree:
                return False
        return True

    def _may_begin(self, slip: Polling, slot: Slot) -> bool:
        """Section 3.3.6: the law that says who votes in ``slot`` is known, and enough of them promised."""
        return slot < self._ledger.passed_until + ROSTER_LAG and self._rosters.of(slot).is_promise_quorum(slip.promised)

    def _begin(self, slip: Polling, slot: Slot, decree: Decree) -> None:
        check(slot not in slip.open, "one decree per ballot and slot")
        slip.open[slot] = Open(decree, sent_ms=self._pen.now_ms)
        # Our own letter goes the same way as the others', so that our vote counts when durable;
        # the others need not wait for our disk.
        self._pen.send_all(self._rosters.of(slot).members, self._begin_ballot(slip, slot, decree))

    def _begin_ballot(self, slip: Polling, slot: Slot, decree: Decree) -> BeginBallot:
        slip.told(self._ledger.passed_until)
        return BeginBallot(slip.ballot, slot, decree, self._ledger.passed_until)

    # --- the roll ---

    def read(self, token: int) -> None:
        """Ask for a read barrier; see ``Roll``.  Without office the answer is that there is none."""
        if isinstance(self.slip, Polling):
            self._roll.read(self.slip, token)
        else:
            self._pen.effects.readings.append(Reading(token, None))

    def on_present(self, sender: NodeId, message: Present) -> None:
        """Mark a member as present."""
        slip = self.slip
        if isinstance(slip, Polling) and message.ballot == slip.ballot:
            self._roll.on_present(slip, sender, message)
            # Not under our ballot: what this member knows to have passed may be a later president's work.
            self._archive.on_claim(sender, NO_BALLOT, message.passed_until)
            self._maybe_hand_over(slip)

    # --- leaving office ---

    def hand_over(self) -> None:
        """Stop proposing, and ask a member that has caught up to take over once nothing is open (3.3.1)."""
        slip = self.slip
        if isinstance(slip, Polling) and slip.handing_over_until_ms is None:
            slip.handing_over_until_ms = self._pen.now_ms + STUCK_TIMEOUTS * self._timing.election_timeout_ms
            self._roll.call(slip)
            self._maybe_hand_over(slip)

    def _maybe_hand_over(self, slip: Polling) -> None:
        if slip.handing_over_until_ms is None or slip.open or slip.forced:
            return
        passed_until = self._ledger.passed_until
        caught_up = [member for member in self._others() if slip.standing.get(member) == passed_until]
        if caught_up:
            heir = max(caught_up, key=lambda member: slip.heard_ms[member])
            # For good, and before anybody can hear of it: this letter may be late for hours, and whoever
            # gets it then tells the others, rightly, that they are bound to this ballot no more.
            slip.is_lease_released = True
            self._pen.send(heir, HandOver(slip.ballot, passed_until))

    # --- time ---

    def next_deadline(self) -> int:
        """When the slip needs attention; ``NEVER_MS`` without one."""
        slip, timing = self.slip, self._timing
        if slip is None:
            return NEVER_MS
        if isinstance(slip, Trying):
            return min(slip.until_ms, slip.sent_ms + timing.retransmit_ms)
        call_ms = slip.held_ms + timing.presence_ms
        return call_ms if slip.flush_at_ms is None else min(call_ms, slip.flush_at_ms)

    def on_deadline(self) -> None:
        """Repeat what was not answered, give up what is hopeless, flush news that found nothing to ride on."""
        slip, now_ms = self.slip, self._pen.now_ms
        if isinstance(slip, Trying):
            if now_ms >= slip.until_ms:
                self.lose_slip()
            elif now_ms >= slip.sent_ms + self._timing.retransmit_ms:
                slip.sent_ms = now_ms
                self._send_next_ballot(slip)
        elif isinstance(slip, Polling):
            if slip.flush_at_ms is not None and now_ms >= slip.flush_at_ms:
                slip.told(self._ledger.passed_until)
                self._pen.send_all(self._others(), Success(slip.ballot, self._ledger.passed_until, ()))
            if now_ms >= slip.held_ms + self._timing.presence_ms:
                slip.held_ms = now_ms
                self._hold_office(slip)

    def _hold_office(self, slip: Polling) -> None:
        """The regular round of a president: is a quorum here, is everything moving?"""
        now_ms, timing = self._pen.now_ms, self._timing
        recently = now_ms - timing.election_timeout_ms
        present = {member for member, heard_ms in slip.heard_ms.items() if heard_ms > recently} | {self._pen.me}
        if not self._rosters.of(slip.next_slot).is_vote_quorum(present):
            self.lose_slip()
            return
        if slip.handing_over_until_ms is not None and now_ms >= slip.handing_over_until_ms:
            slip.handing_over_until_ms = None
        passed_until = self._ledger.passed_until
        if passed_until >= slip.recovered_until or passed_until > slip.progress_until:
            slip.progress_ms, slip.progress_until = now_ms, passed_until
        elif now_ms - slip.progress_ms >= STUCK_TIMEOUTS * timing.election_timeout_ms:
            # We lack decrees that passed, and whoever told us so is gone.  A voter of each is in any
            # promise quorum of those who are here, and will report it to a new ballot.
            self.try_ballot(slip.ballot)
            return
        self._roll.call(slip)
        for slot, open_ in slip.open.items():
            if now_ms - open_.sent_ms >= timing.retransmit_ms << min(open_.resent, RESENT_MAX):
                open_.sent_ms = now_ms
                open_.resent += 1
                absent = [member for member in self._rosters.of(slot).members if member not in open_.voters]
                self._pen.send_all(absent, self._begin_ballot(slip, slot, open_.decree))
        self._maybe_hand_over(slip)

    def _send_next_ballot(self, slip: Trying) -> None:
        silent = [member for member in self._electorate() if member not in slip.promises]
        message = NextBallot(slip.ballot, self._ledger.passed_until, released=slip.released)
        self._pen.send_all(silent, message, after=self._ledger.line)

    def _electorate(self) -> tuple[NodeId, ...]:
        return self._rosters.of(self._ledger.passed_until).members

    def _others(self) -> list[NodeId]:
        return [member for member in self._electorate() if member != self._pen.me]
