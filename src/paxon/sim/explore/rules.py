"""What must hold in every state: agreement, and the invariants it rests on, over what the gods saw.

Written a second time beside ``core.invariants``, which watches one run as it goes: here many
runs meet in one state, so everything is asked of the facts alone.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from paxon.core.decree import FIRST_SLOT, NO_BALLOT, NOOP, Ballot, Decree, NodeId, Slot
from paxon.errors import check
from paxon.sim.explore.post import Begun, Cast, Learnt, Posted
from paxon.sim.explore.steps import Chooses, Claim, Claims, Learns, Reports


class View:
    """The facts, put in order.

    Raises ``InvariantViolation`` when they contradict each other: B1, Theorem 1, or the Lemma.
    """

    def __init__(self, facts: Iterable[Posted], weights: Mapping[NodeId, int], only_agreement: bool) -> None:
        self.begun: dict[tuple[Slot, Ballot], Decree] = {}
        self.cast: dict[tuple[Slot, Ballot], set[NodeId]] = {}
        self.passed: dict[Slot, Decree] = {}
        self._passed_in: dict[Slot, Ballot] = {}
        learnt: dict[Slot, Decree] = {}
        voted: dict[tuple[Slot, Ballot, Decree], set[NodeId]] = {}
        for fact in facts:
            match fact:
                case Begun(ballot=ballot, slot=slot, decree=decree):
                    known = self.begun.setdefault((slot, ballot), decree)
                    check(only_agreement or known == decree, f"B1: one decree in {named(ballot)} of slot {slot}")
                case Cast(member=member, ballot=ballot, slot=slot, decree=decree):
                    self.cast.setdefault((slot, ballot), set()).add(member)
                    voted.setdefault((slot, ballot, decree), set()).add(member)
                case Learnt(slot=slot, decree=decree):
                    check(
                        learnt.setdefault(slot, decree) == decree, f"agreement: two outcomes of slot {slot} are known"
                    )
                case _:
                    pass
        for (slot, ballot, decree), voters in sorted(voted.items(), key=lambda item: item[0][1]):
            if 2 * sum(weights[voter] for voter in voters) > sum(weights.values()):
                check(self.passed.setdefault(slot, decree) == decree, f"Theorem 1: one decree passes in slot {slot}")
                self._passed_in.setdefault(slot, ballot)
        for slot, decree in learnt.items():
            check(self.passed.get(slot, decree) == decree, f"agreement: a known outcome of slot {slot} is what passed")
        if not only_agreement:
            self._check_lemma()

    def _check_lemma(self) -> None:
        for (slot, ballot), decree in self.begun.items():
            if slot in self.passed and ballot > self._passed_in[slot]:
                check(decree == self.passed[slot], f"Lemma: {named(ballot)} proposes what passed before in slot {slot}")
        for slot, ballot in self.cast:
            check((slot, ballot) in self.begun, f"I7: votes are cast in ballots that were begun (slot {slot})")

    def check_claim(self, member: NodeId, claim: Claim) -> None:
        """Whether what ``member`` says or does in a step is right."""
        match claim:
            case Learns(slot=slot, decree=decree):
                check(slot in self.passed, f"I1: the outcome of slot {slot} has a quorum of durable votes")
                check(self.passed[slot] == decree, f"I1: the outcome of slot {slot} is what passed")
            case Chooses():
                self._check_choice(claim)
            case Reports():
                self._check_report(member, claim)
            case Claims(ballot=ballot, passed_until=passed_until):
                for number in range(FIRST_SLOT, passed_until):
                    slot = Slot(number)
                    check(slot in self.passed, f"I7: everything below {passed_until} passed, as a letter says")
                    if ballot != NO_BALLOT and (slot, ballot) in self.begun:
                        check(
                            self.begun[slot, ballot] == self.passed[slot],
                            f"I7: what {named(ballot)} proposed in slot {slot} passed, as its president says",
                        )

    def _check_choice(self, claim: Chooses) -> None:
        """B3 over the responders; one of them may have told the outcome without ever voting for it."""
        slot, ballot, decree = claim.slot, claim.ballot, claim.decree
        latest = max(
            (below for of_slot, below in self._votes_of(claim.responders) if of_slot == slot and below < ballot),
            default=None,
        )
        if self.passed.get(slot) == decree:
            return
        if latest is None:
            is_new = decree == NOOP or decree.ballot == ballot
            check(is_new, f"B3: {named(ballot)} is free in slot {slot}, so it proposes something new")
        else:
            check(
                decree == self.begun[slot, latest],
                f"B3: {named(ballot)} proposes in slot {slot} what was voted for in {named(latest)}",
            )

    def _check_report(self, member: NodeId, claim: Reports) -> None:
        """I7 for ``LastVote``: MaxVote in every slot that it does not say has passed."""
        promise = claim.promise
        reported = {vote.slot: vote.ballot for vote in promise.votes}
        told = {outcome.slot for outcome in promise.outcomes}
        latest: dict[Slot, Ballot] = {}
        for slot, ballot in self._votes_of({member}):
            if ballot < promise.ballot:
                latest[slot] = max(ballot, latest.get(slot, NO_BALLOT))
        for slot, ballot in latest.items():
            if slot >= max(claim.from_slot, promise.passed_until) and slot not in told:
                check(
                    reported.get(slot) == ballot,
                    f"I7: LastVote of {member} for {named(promise.ballot)} reports its latest vote in slot {slot}",
                )
        for slot, ballot in reported.items():
            check(member in self.cast.get((slot, ballot), ()), f"I7: LastVote of {member} reports votes that were cast")

    def _votes_of(self, members: AbstractSet[NodeId]) -> Iterable[tuple[Slot, Ballot]]:
        return (voted for voted, voters in self.cast.items() if not voters.isdisjoint(members))


def named(ballot: Ballot) -> str:
    """A ballot for people: round and owner."""
    return f"ballot {ballot.round}.{ballot.owner}"
