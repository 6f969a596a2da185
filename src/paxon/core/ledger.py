"""The ledger: everything of one legislator that survives a crash, and the only way to change it.

``Ledger.write`` takes one record; reading the records of a file back through ``replay``, which
is the same call but for what a snapshot has made superfluous, gives the same ledger.  The union
``Record`` is therefore the complete list of what is durable.  Knows: what each record means
(sections 1.3 and 2.3, appendix A1).  Does not know: files.  Memory is bounded: of what has passed
only a tail stays here; the file has the rest, or where a snapshot has taken the place of the
oldest records (section 3.3.2), the state machine.
"""

from msgspec import Struct

from paxon.core.decree import FIRST_SLOT, NO_BALLOT, Ballot, Decree, Slot
from paxon.errors import check

KEPT_SLOTS = 4096
"""How many passed decrees stay in memory for members that were briefly away (section 3.3.2)."""

KEPT_BYTES = 32 * 1024 * 1024
"""And how many bytes of commands they may hold together."""

OUTCOME_BYTES = 64
"""What an outcome weighs beside its commands, roughly, so that a batch of empty decrees has an end."""


class TriedBallot(Struct, frozen=True):
    """``lastTried[p] := ballot``: we may never start a ballot this low again (A1, Try New Ballot)."""

    ballot: Ballot


class PromisedBallot(Struct, frozen=True):
    """``nextBal[p] := ballot``: we vote in nothing older (step 2; industry: promised)."""

    ballot: Ballot


class Vote(Struct, frozen=True):
    """``prevVote[p]`` in one slot (step 4; industry: accepted).  Implies the promise of its ballot (E2)."""

    slot: Slot
    ballot: Ballot
    decree: Decree


class Passed(Struct, frozen=True):
    """The vote we hold in ``slot``, cast in ``ballot``, is the slot's outcome: spares writing the decree twice."""

    slot: Slot
    ballot: Ballot


class Outcome(Struct, frozen=True):
    """``outcome[p]`` of one slot, told to us in full (step 6; industry: chosen entry)."""

    slot: Slot
    decree: Decree


class Jumped(Struct, frozen=True):
    """Everything below ``slot`` passed; its effects are in a snapshot, and its decrees not in this ledger (3.3.2).

    ``stamp_ms`` is the highest stamp among those decrees.
    """

    slot: Slot
    stamp_ms: int


Record = TriedBallot | PromisedBallot | Vote | Passed | Outcome | Jumped


class Beginning(Struct, frozen=True):
    """What a ledger begins with, once its oldest records have made room for a snapshot (3.3.2).

    ``last_tried`` and ``next_ballot`` are as of ``line``, the last record that is gone.  Every
    slot below ``slot`` has passed, and no decree or vote of a slot from there on was among what
    is gone.  ``stamp_ms`` is at least the highest stamp below ``slot``.
    """

    line: int = 0
    last_tried: Ballot = NO_BALLOT
    next_ballot: Ballot = NO_BALLOT
    slot: Slot = FIRST_SLOT
    stamp_ms: int = 0


FOUNDING = Beginning()
"""A ledger that has all its records."""


class Ledger:
    """One legislator's durable state.

    Invariants: ``next_ballot`` and ``last_tried`` never fall; ``votes[s].ballot <= next_ballot``;
    an outcome never changes; every slot in ``[FIRST_SLOT, passed_until)`` has an outcome, of
    which those in ``[kept_from, passed_until)`` are in ``outcomes``; a slot with an outcome has
    no entry in ``votes``.
    """

    def __init__(self, beginning: Beginning = FOUNDING) -> None:
        self.line = beginning.line
        """How many records were ever written: the name of the latest one."""
        self.last_tried = beginning.last_tried
        self.next_ballot = beginning.next_ballot
        self.votes: dict[Slot, Vote] = {}
        self.outcomes: dict[Slot, Decree] = {}
        self.passed_until = beginning.slot
        """Every decree below has passed, and is known here or was applied."""
        self.known_until = beginning.slot
        """No outcome is known from here on; some below may be missing."""
        self.kept_from = beginning.slot
        """Decrees below are only in the file, or only in a snapshot."""
        self.stamp_ms = beginning.stamp_ms
        """The highest stamp in any vote or outcome."""
        self._begins_at = beginning.slot
        self._kept_bytes = 0

    def replay(self, record: Record) -> None:
        """Take the next record of a ledger that is read back.

        The same as ``write``, but for what is said of slots below the ledger's beginning: a
        segment goes as a whole, so it may hold records of slots whose others are gone.

        Raises:
            InvariantViolation: if the record contradicts what the ledger already says.
        """
        match record:
            case Vote(slot=slot, ballot=ballot) if slot < self._begins_at:
                # It implied the promise of its ballot, and that promise binds us in every slot.
                self.next_ballot = max(self.next_ballot, ballot)
                self.line += 1
            case Passed(slot=slot) | Outcome(slot=slot) | Jumped(slot=slot) if slot < self._begins_at:
                self.line += 1
            case Jumped(slot=slot, stamp_ms=stamp_ms) if slot < self.passed_until:
                # What it jumped over lies below our beginning, so the outcomes that were known beyond it before it
                # was written have taken us further already.
                self.stamp_ms = max(self.stamp_ms, stamp_ms)
                self.line += 1
            case _:
                self.write(record)

    def write(self, record: Record) -> None:
        """Take one record.  The only mutator.

        Raises:
            InvariantViolation: if the record contradicts what the ledger already says.
        """
        self.line += 1
        match record:
            case Vote(slot=slot, ballot=ballot, decree=decree):
                check(not self.knows(slot), "no vote is cast in a slot whose outcome we know")
                check(ballot >= self.next_ballot, "no vote in a ballot below our promise")
                previous = self.votes.get(slot)
                check(previous is None or previous.ballot < ballot, "one vote per ballot and slot")
                self.next_ballot = ballot
                self.votes[slot] = record
                self.stamp_ms = max(self.stamp_ms, decree.stamp_ms)
            case Passed(slot=slot, ballot=ballot):
                vote = self.votes.get(slot)
                check(vote is not None and vote.ballot == ballot, "the vote that passed is the one we hold")
                if vote is not None:
                    self._enter(slot, vote.decree)
            case Outcome(slot=slot, decree=decree):
                check(not self.knows(slot), "an outcome is written once")
                self._enter(slot, decree)
            case PromisedBallot(ballot=ballot):
                check(ballot > self.next_ballot, "a promise only rises")
                self.next_ballot = ballot
            case TriedBallot(ballot=ballot):
                check(ballot > self.last_tried, "a ballot number is never used twice")
                self.last_tried = ballot
            case Jumped(slot=slot, stamp_ms=stamp_ms):
                check(slot >= self.passed_until, "a snapshot takes nobody back")
                self.stamp_ms = max(self.stamp_ms, stamp_ms)
                self._jump(slot)

    def knows(self, slot: Slot) -> bool:
        """Whether the outcome of ``slot`` is known."""
        return slot < self.passed_until or slot in self.outcomes

    @property
    def is_crowded(self) -> bool:
        """Whether memory holds as much beyond the first gap as it may hold before it."""
        return len(self.votes) + self.ahead > KEPT_SLOTS or self._kept_bytes > 2 * KEPT_BYTES

    def passed_from(self, slot: Slot, bytes_max: int) -> tuple[Outcome, ...]:
        """Passed decrees in memory, contiguous from ``slot``: as many as fit, and at least one if there is one."""
        taken: list[Outcome] = []
        room = bytes_max
        for number in range(max(slot, self.kept_from), self.passed_until):
            outcome = Outcome(Slot(number), self.outcomes[Slot(number)])
            room -= OUTCOME_BYTES + sum(map(len, outcome.decree.commands))
            if taken and room < 0:
                break
            taken.append(outcome)
        return tuple(taken)

    @property
    def ahead(self) -> int:
        """How many outcomes are known beyond the first gap."""
        return len(self.outcomes) - (self.passed_until - self.kept_from)

    def passed_ahead(self) -> tuple[Outcome, ...]:
        """The outcomes known beyond the first gap, in slot order."""
        if self.ahead == 0:
            return ()
        return tuple(Outcome(slot, self.outcomes[slot]) for slot in sorted(self.outcomes) if slot >= self.passed_until)

    def votes_from(self, slot: Slot) -> tuple[Vote, ...]:
        """Our votes from ``slot`` on in slots whose outcome we do not know, in slot order."""
        return tuple(self.votes[voted] for voted in sorted(self.votes) if voted >= slot)

    def _enter(self, slot: Slot, decree: Decree) -> None:
        self.outcomes[slot] = decree
        self.votes.pop(slot, None)
        if slot >= self.known_until:
            self.known_until = Slot(slot + 1)
        if decree.stamp_ms > self.stamp_ms:
            self.stamp_ms = decree.stamp_ms
        self._kept_bytes += sum(map(len, decree.commands))
        while self.passed_until in self.outcomes:
            self.passed_until = Slot(self.passed_until + 1)

    def _jump(self, slot: Slot) -> None:
        """Let go of everything below ``slot``: whatever we voted for there, what passed is in the snapshot."""
        for voted in [voted for voted in self.votes if voted < slot]:
            del self.votes[voted]
        for known in [known for known in self.outcomes if known < slot]:
            self._kept_bytes -= sum(map(len, self.outcomes.pop(known).commands))
        self.kept_from = self.passed_until = slot
        self.known_until = max(self.known_until, slot)
        while self.passed_until in self.outcomes:
            self.passed_until = Slot(self.passed_until + 1)

    def forget_what_the_file_keeps(self) -> None:
        """Let go of the oldest passed decrees in memory.  Changes nothing durable; call it once they are applied."""
        while self.kept_from < self.passed_until and (
            self.passed_until - self.kept_from > KEPT_SLOTS or self._kept_bytes > KEPT_BYTES
        ):
            forgotten = self.outcomes.pop(self.kept_from)
            self._kept_bytes -= sum(map(len, forgotten.commands))
            self.kept_from = Slot(self.kept_from + 1)
