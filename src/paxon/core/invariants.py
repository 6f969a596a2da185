"""The invariants I1 to I7 of the appendix over what only the gods observe, grown to many slots.

Theory of operation: ``History`` is the appendix's ghost state: the set B of ballots with their
decrees, responders and voters, for every slot, over the whole life of a parliament, crashes
included.  Whoever watches a parliament reports each thing once, when it happens, and the
report checks the invariants that it could break; so the cost follows what changes and not how
much there is.  Checks raise ``InvariantViolation`` and name the invariant they come from; those
that every letter meets compare first, and make their sentence only for somebody to read.

Where this departs from the printed invariants:

* Each holds slot by slot.  ``lastTried`` and ``nextBal`` are shared by all slots.
* A vote exists once it is durable: before that, nobody may have heard of it, and a crash takes it back.
* A ballot's quorum is all who answered step 1, as in erratum E1, and any vote quorum passes its
  decree, as in E2; I1 and B3 are stated over these.

Knows: what is said and written.  Does not know: when, or by which road.
"""

from collections.abc import Collection, Mapping

from msgspec import Struct, field

from paxon.core.decree import FIRST_SLOT, NO_BALLOT, NOOP, Ballot, Decree, NodeId, Slot
from paxon.core.ledger import Ledger, Vote
from paxon.core.messages import (
    BeginBallot,
    LastVote,
    Message,
    NextBallot,
    Presence,
    Present,
    Success,
    Superseded,
    Voted,
)
from paxon.core.roster import Flexible, Majority, Roster, Rosters, Weighted
from paxon.errors import check


def are_quorum(roster: Roster, present: Collection[NodeId], *, of_votes: bool) -> bool:
    """What ``Roster`` should say of ``present``, counted a second time so that no slip there goes unseen."""
    match roster.quorums:
        case Majority(members=members):
            return len(set(members).intersection(present)) > len(members) // 2
        case Weighted(weights=weights):
            return sum(weights[member] for member in set(present) & weights.keys()) * 2 > sum(weights.values())
        case Flexible(members=members, promises=promises, votes=votes):
            return len(set(members).intersection(present)) >= (votes if of_votes else promises)


class Conducted(Struct):
    """One ballot in one slot: an element of the appendix's B."""

    decree: Decree
    voters: set[NodeId] = field(default_factory=set)
    """Whose vote in it is durable."""


class History:
    """Everything that was ever begun, voted, promised and passed.

    Invariants: I6, that is B1 (``ballots[s][b]`` never changes its decree), B2 (of the roster)
    and B3 (``begin`` and ``poll``); a slot in ``passed`` never changes; every slot in
    ``[FIRST_SLOT, passed_until)`` is in ``passed``.
    """

    def __init__(self, rosters: Rosters) -> None:
        self._rosters = rosters
        self.ballots: dict[Slot, dict[Ballot, Conducted]] = {}
        self.passed: dict[Slot, Decree] = {}
        self.passed_until = FIRST_SLOT
        self.promised: dict[NodeId, Ballot] = {}
        """The highest promise that each member let anybody know."""
        self._passed_in: dict[Slot, Ballot] = {}
        """The lowest ballot known to have passed each slot."""
        self._begun: dict[Ballot, list[Slot]] = {}
        """The slots of each ballot, in the order they were begun."""
        self._responders: dict[Ballot, frozenset[NodeId]] = {}
        self._cast: dict[NodeId, dict[Slot, list[Ballot]]] = {}
        """The ballots that each member voted in, ascending."""
        self._asked_from: dict[Ballot, Slot] = {}
        """The highest ``passed_until`` in a ``NextBallot`` of each ballot."""
        self._lives: dict[Ballot, int] = {}
        """Which life of the owner used the number."""
        self._compared: dict[Ballot, int] = {}
        """How many of ``_begun`` their president said had passed, and rightly."""
        self._last_slot = Slot(0)
        self._stamps_proposed: dict[Ballot, int] = {}
        """The latest stamp among the passed decrees that each ballot first proposed."""
        self._stamps_passed: dict[Ballot, int] = {}
        """The latest stamp among the decrees that passed in each ballot."""

    def begin(self, slot: Slot, ballot: Ballot, decree: Decree) -> None:
        """The owner of ``ballot`` proposed ``decree``: B1, B3, and the Lemma of section 2.1.

        May be reported any number of times.
        """
        conducted = self.ballots.setdefault(slot, {})
        known = conducted.get(ballot)
        if known is not None:
            if known.decree is not decree and known.decree != decree:
                check(False, f"B1: one decree in {named(ballot)} of slot {slot}")
            return
        conducted[ballot] = Conducted(decree)
        self._begun.setdefault(ballot, []).append(slot)
        self._last_slot = max(self._last_slot, slot)
        if slot in self._passed_in and self._passed_in[slot] < ballot:
            check(self.passed[slot] == decree, f"Lemma: {named(ballot)} proposes what passed before it in slot {slot}")
        if ballot in self._responders:
            self._check_choice(slot, ballot)

    def poll(self, ballot: Ballot, responders: frozenset[NodeId]) -> None:
        """Step 3: ``responders`` answered step 1.  B3 in every slot already begun."""
        known = self._responders.setdefault(ballot, responders)
        check(known == responders, f"I5: the responders of {named(ballot)} are settled when it starts polling")
        if known is responders:
            for slot in self._begun.get(ballot, ()):
                self._check_choice(slot, ballot)

    def vote(self, member: NodeId, vote: Vote) -> None:
        """A vote became durable: I3, and maybe the slot passes (I6, Theorem 1)."""
        slot, ballot = vote.slot, vote.ballot
        self.begin(slot, ballot, vote.decree)
        conducted = self.ballots[slot][ballot]
        cast = self._cast.setdefault(member, {}).setdefault(slot, [])
        if cast:
            check(cast[-1] < ballot, f"I3: member {member} votes in ascending ballots in slot {slot}")
        if ballot < self.promised.get(member, NO_BALLOT):
            check(False, f"I7: member {member} votes in nothing below its promise (slot {slot}, {named(ballot)})")
        cast.append(ballot)
        conducted.voters.add(member)
        if are_quorum(self._rosters.of(slot), conducted.voters, of_votes=True):
            self._pass(slot, ballot, conducted.decree)

    def outcome(self, member: NodeId, slot: Slot, decree: Decree) -> None:
        """I1: what a member writes down as an outcome was voted for by a quorum."""
        if slot not in self.passed:
            check(False, f"I1: the outcome of slot {slot} at member {member} has a quorum of durable votes")
        if self.passed[slot] != decree:
            check(False, f"I1: the outcome of slot {slot} at member {member} is what passed")

    def life(self, member: NodeId, life: int, ballot: Ballot) -> None:
        """I2: a ballot number is used by its owner, and by one life of it."""
        if ballot.owner != member:
            check(False, f"I2: member {member} uses only its own ballots, not {named(ballot)}")
        if self._lives.setdefault(ballot, life) != life:
            check(False, f"I2: {named(ballot)} is not used again by a later life of its owner")

    def letter(self, sender: NodeId, life: int, message: Message, durable: Ledger) -> None:
        """I7: what ``sender`` lets out is covered by what it could not forget if it crashed right now."""
        match message:
            case BeginBallot(ballot=ballot, slot=slot, decree=decree, passed_until=passed_until):
                self.life(sender, life, ballot)
                if ballot > durable.last_tried:
                    check(False, f"I2: {named(ballot)} is begun once its number is durable")
                self.begin(slot, ballot, decree)
                self._check_own_claim(ballot, passed_until)
            case Voted(ballot=ballot, slot=slot):
                conducted = self.ballots.get(slot, {}).get(ballot)
                if conducted is None or sender not in conducted.voters:
                    what = f"Voted by {sender} in slot {slot}, {named(ballot)}"
                    check(False, f"I7: {what}, is sent once the vote is durable")
            case Success(ballot=ballot, passed_until=passed_until, outcomes=outcomes):
                for outcome in outcomes:
                    if self.passed.get(outcome.slot) != outcome.decree:
                        check(False, f"I7: Success for slot {outcome.slot} tells what passed")
                self._check_own_claim(ballot, passed_until)
            case Presence(ballot=ballot, passed_until=passed_until):
                self._check_own_claim(ballot, passed_until)
            case Present(passed_until=passed_until):
                self._check_claim(passed_until)
            case NextBallot(ballot=ballot, passed_until=passed_until):
                self.life(sender, life, ballot)
                check(ballot <= durable.last_tried, f"I7: NextBallot leaves once {named(ballot)} is durably tried")
                self._asked_from[ballot] = max(passed_until, self._asked_from.get(ballot, FIRST_SLOT))
                self._check_claim(passed_until)
            case LastVote():
                self.promise(sender, message, durable)
            case Superseded(ballot=ballot, by=by):
                check(by > ballot, "a ballot is superseded by a later one")
            case _:
                self._check_claim(getattr(message, "passed_until", FIRST_SLOT))

    def promise(self, member: NodeId, message: LastVote, durable: Ledger) -> None:
        """I4 and I7 for ``LastVote``: the promise is durable, and it reports MaxVote(ballot, member) in every slot."""
        ballot = message.ballot
        check(durable.next_ballot >= ballot, f"I7: member {member} promises {named(ballot)} once that is durable")
        self.promised[member] = max(ballot, self.promised.get(member, NO_BALLOT))
        self._check_claim(message.passed_until)
        reported = {vote.slot: vote for vote in message.votes}
        told = {outcome.slot for outcome in message.outcomes}
        for outcome in message.outcomes:
            check(self.passed.get(outcome.slot) == outcome.decree, f"I7: LastVote tells what passed in {outcome.slot}")
        votes = self._cast.get(member, {})
        for number in range(self._asked_from.get(ballot, FIRST_SLOT), self._last_slot + 1):
            slot = Slot(number)
            highest = highest_below(ballot, votes.get(slot, ()))
            if highest is None or slot < message.passed_until or slot in told:
                continue
            check(slot in reported, f"I7: LastVote of {member} for {named(ballot)} reports its vote in slot {slot}")
            check(reported[slot].ballot == highest, f"I7: LastVote of {member} reports its highest vote, slot {slot}")
        for vote in message.votes:
            conducted = self.ballots.get(vote.slot, {}).get(vote.ballot)
            check(
                conducted is not None and member in conducted.voters and conducted.decree == vote.decree,
                f"I7: LastVote of {member} reports votes that were cast, slot {vote.slot}",
            )

    def trying(self, ballot: Ballot, member: NodeId, message: LastVote, durable: Mapping[NodeId, Ledger]) -> None:
        """I4: the owner of ``ballot`` holds this promise, so ``member`` gave it and keeps it."""
        check(message.ballot == ballot, "I4: a promise counts for its own ballot only")
        self.promise(member, message, durable[member])

    def polling(self, slot: Slot, ballot: Ballot, decree: Decree, voters: Collection[NodeId]) -> None:
        """I5: a slot under way has a promise quorum behind it, a ballot in B, and no voters but real ones."""
        if not are_quorum(self._rosters.of(slot), self._responders.get(ballot, ()), of_votes=False):
            check(False, f"I5: {named(ballot)} is begun in slot {slot} with a promise quorum of its roster")
        self.begin(slot, ballot, decree)
        if not self.ballots[slot][ballot].voters.issuperset(voters):
            check(False, f"I5: {named(ballot)} counts only durable votes in slot {slot}")

    def restarted(self, member: NodeId, ledger: Ledger) -> None:
        """A member is back with ``ledger``: it kept its promises and what it said of its own ballots."""
        check(
            ledger.next_ballot >= self.promised.get(member, NO_BALLOT),
            f"I7: member {member} remembers its promise over a restart",
        )

    def _check_choice(self, slot: Slot, ballot: Ballot) -> None:
        """B3, over the responders: the decree of the latest earlier vote of any of them; a new one if there is none."""
        decree = self.ballots[slot][ballot].decree
        votes = (
            highest_below(ballot, self._cast.get(member, {}).get(slot, ()))
            for member in sorted(self._responders[ballot])
        )
        latest = max((vote for vote in votes if vote is not None), default=None)
        if slot in self.passed and self.passed[slot] == decree:
            # A responder may have been told the outcome without ever voting for it.
            return
        if latest is None:
            check(
                decree == NOOP or decree.ballot == ballot,
                f"B3: {named(ballot)} is free in slot {slot}, so it proposes something new",
            )
        else:
            check(
                decree == self.ballots[slot][latest].decree,
                f"B3: {named(ballot)} proposes in slot {slot} what was voted for in {named(latest)}",
            )

    def _pass(self, slot: Slot, ballot: Ballot, decree: Decree) -> None:
        if slot in self.passed:
            check(self.passed[slot] == decree, f"Theorem 1: one decree passes in slot {slot}")
        self.passed[slot] = decree
        self._passed_in[slot] = min(ballot, self._passed_in.get(slot, ballot))
        for later, conducted in self.ballots[slot].items():
            if later >= ballot and conducted.decree != decree:
                check(False, f"Lemma: {named(later)} in slot {slot} proposes what passed in {named(ballot)}")
        while self.passed_until in self.passed:
            self._check_stamp(self.passed_until)
            self.passed_until = Slot(self.passed_until + 1)

    def _check_stamp(self, slot: Slot) -> None:
        """3.3.3: a decree's stamp is no lower than those of earlier slots that its president can have known.

        It knew what it proposed itself, and what had passed in ballots up to its own.  Not what
        merely had votes: one that nobody in its quorum had cast may be found, and passed, by a
        later president, after this one stamped a new decree into a higher slot or a lower one.
        """
        decree = self.passed[slot]
        if decree == NOOP:
            return
        if self._stamps_proposed.get(decree.ballot, 0) > decree.stamp_ms:
            check(False, f"3.3.3: the stamp of slot {slot} is not below an earlier slot's of {named(decree.ballot)}")
        for ballot, stamp_ms in self._stamps_passed.items():
            if stamp_ms > decree.stamp_ms and ballot <= decree.ballot:
                check(False, f"3.3.3: the stamp of slot {slot} is not below what passed in {named(ballot)} before it")
        for stamps, key in ((self._stamps_proposed, decree.ballot), (self._stamps_passed, self._passed_in[slot])):
            stamps[key] = max(decree.stamp_ms, stamps.get(key, 0))

    def _check_claim(self, passed_until: Slot) -> None:
        if passed_until > self.passed_until:
            check(False, f"I7: everything below {passed_until} passed, as a letter says")

    def _check_own_claim(self, ballot: Ballot, passed_until: Slot) -> None:
        """A president says that what it proposed below ``passed_until`` passed: its voters take its word."""
        self._check_claim(passed_until)
        begun, compared = self._begun.get(ballot, ()), self._compared.get(ballot, 0)
        while compared < len(begun) and begun[compared] < passed_until:
            slot = begun[compared]
            if self.ballots[slot][ballot].decree != self.passed[slot]:
                check(False, f"I7: what {named(ballot)} proposed in slot {slot} passed, as its president says")
            compared += 1
            self._compared[ballot] = compared


def highest_below(ballot: Ballot, ascending: Collection[Ballot]) -> Ballot | None:
    """MaxVote: the latest of a member's ballots in one slot before ``ballot``."""
    highest = None
    for cast in ascending:
        if cast >= ballot:
            break
        highest = cast
    return highest


def named(ballot: Ballot) -> str:
    """A ballot for people: round and owner."""
    return f"ballot {ballot.round}.{ballot.owner}"
