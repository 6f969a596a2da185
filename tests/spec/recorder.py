"""Watches a simulated run, and writes it down as the module ``Recording`` that ``spec/Trace.tla`` reads.

Nothing here changes what happens: the entrances of ``Legislator`` and the ears of the oracle
are wrapped, and what goes in and out is noted.  Each step of a member becomes the actions of
``spec/Parliament.tla`` that it consists of, in their order, and then a look at its ledger and slip.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from paxon.core.decree import NO_BALLOT, NOOP, Ballot, Decree, NodeId
from paxon.core.effects import Effects
from paxon.core.ledger import Ledger, Outcome, Passed, PromisedBallot, Record, TriedBallot, Vote
from paxon.core.legislator import Legislator
from paxon.core.messages import BeginBallot, LastVote, NextBallot, Presence, Success, Voted
from paxon.core.roster import ROSTER_LAG, Majority, QuorumSystem, Weighted
from paxon.core.slip import Polling
from paxon.node.letters import PeerMessage
from paxon.node.settings import SnapshotSettings
from paxon.sim import member as member_module
from paxon.sim.oracle import Oracle

ENTRANCES = ("receive", "propose", "read", "on_deadline", "suspect", "hand_over")

Event = dict[str, Any]
"""``kind``, ``member``, and what else ``Trace.tla`` wants to know of an event of that kind."""


@dataclass
class Shelf:
    """What is on its way to one member's disk."""

    drying: list[int] = field(default_factory=list)
    """Records, and letters that wait without one: the line that each needs."""
    durable: int = 0


class Recorder:
    """The events of one run, in the order in which they happened."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._shelves: dict[NodeId, Shelf] = {}
        self._polled: dict[NodeId, Ballot] = {}
        self._looks: dict[NodeId, Event] = {}
        self._conducting: frozenset[NodeId] = frozenset()
        """Who had a slip after its last step."""

    def note(self, kind: str, member: NodeId, **what: Any) -> None:
        """One event."""
        self.events.append({"kind": kind, "member": member, **what})

    # --- disks ---

    def restarted(self, member: NodeId, line: int) -> None:
        """A member comes back, and its disk has everything through ``line``."""
        self.synced(member, line)
        self._shelves[member] = Shelf(durable=line)
        self._polled.pop(member, None)
        self._conducting -= {member}
        self._looks.pop(member, None)
        self.note("crash", member)

    def synced(self, member: NodeId, line: int) -> None:
        """A member's disk has everything through ``line``."""
        shelf = self._shelves.setdefault(member, Shelf())
        shelf.durable = max(shelf.durable, line)
        self._dry(member, shelf)

    def _shelve(self, member: NodeId, line: int) -> None:
        self._shelves.setdefault(member, Shelf()).drying.append(line)

    def _dry(self, member: NodeId, shelf: Shelf) -> None:
        while shelf.drying and shelf.drying[0] <= shelf.durable:
            del shelf.drying[0]
            self.note("dry", member)

    # --- steps ---

    def stepped(self, legislator: Legislator, message: PeerMessage | None, effects: Effects) -> None:
        """A member took one step, perhaps because of ``message``."""
        me = legislator.me
        first_line = legislator.ledger.line - len(effects.records) + 1
        for number, record in enumerate(effects.records):
            self._wrote(legislator, message, record)
            self._shelve(me, first_line + number)
        self._answered_without_record(me, message, effects)
        slip = legislator.slip
        if isinstance(slip, Polling) and self._polled.get(me) != slip.ballot:
            self._polled[me] = slip.ballot
            self.note("poll", me, responders=frozenset(slip.promised))
        noted = set()
        for letter in effects.letters:
            begun = letter.message
            if isinstance(begun, BeginBallot) and begun.slot not in noted:
                noted.add(begun.slot)
                # Without office by the end of the step, this is an old letter again.
                kind = "begin" if isinstance(slip, Polling) else "sent BeginBallot"
                self.note(kind, me, ballot=begun.ballot, slot=begun.slot, decree=begun.decree)
        if slip is None and me in self._conducting:
            self.note("lose", me)
        self._conducting = self._conducting - {me} if slip is None else self._conducting | {me}
        seen = self._look(legislator)
        if seen != self._looks.get(me):
            self._looks[me] = seen
            self.note("look", me, seen=seen)
        self._dry(me, self._shelves.setdefault(me, Shelf()))

    def _wrote(self, legislator: Legislator, message: PeerMessage | None, record: Record) -> None:
        me = legislator.me
        match record:
            case TriedBallot(ballot=ballot):
                self.note("try", me, ballot=ballot)
            case PromisedBallot(ballot=ballot):
                assert isinstance(message, NextBallot)
                self.note("promise", me, ballot=ballot, **{"from": message.passed_until})
            case Vote(slot=slot, ballot=ballot, decree=decree):
                self.note("vote", me, ballot=ballot, slot=slot, decree=decree)
            case Passed(slot=slot):
                self.note("enter", me, slot=slot, decree=legislator.ledger.outcomes[slot])
            case Outcome(slot=slot, decree=decree):
                self.note("enter", me, slot=slot, decree=decree)

    def _answered_without_record(self, me: NodeId, message: PeerMessage | None, effects: Effects) -> None:
        """A promise given again, or a question put again: letters that wait for a record of an earlier step."""
        if any(isinstance(record, PromisedBallot | TriedBallot) for record in effects.records):
            return
        for letter in effects.letters:
            if isinstance(letter.message, LastVote):
                assert isinstance(message, NextBallot)
                self.note("promise", me, ballot=message.ballot, **{"from": message.passed_until})
            elif isinstance(letter.message, NextBallot):
                self.note("ask", me)
            else:
                continue
            self._shelve(me, letter.after)
            return

    def _look(self, legislator: Legislator) -> Event:
        ledger, slip = legislator.ledger, legislator.slip
        seen: Event = {
            "tried": ledger.last_tried,
            "promised": ledger.next_ballot,
            "until": ledger.passed_until,
            "known": ledger.known_until,
            "votes": frozenset((slot, vote.ballot) for slot, vote in ledger.votes.items()),
            "stamp": Stamp(ledger.stamp_ms),
            "status": "idle" if slip is None else "polling" if isinstance(slip, Polling) else "trying",
        }
        if slip is not None:
            seen["ballot"] = slip.ballot
        if isinstance(slip, Polling):
            seen |= {
                "responders": frozenset(slip.promised),
                "next": slip.next_slot,
                "forced": frozenset(slot for slot, _ in slip.forced),
                "open": frozenset(slip.open),
                "floor": Stamp(slip.stamp_ms),
            }
        return seen

    # --- letters ---

    def sent(self, sender: NodeId, message: PeerMessage) -> None:
        """A letter left a member."""
        match message:
            case NextBallot(ballot=ballot, passed_until=passed_until):
                self.note("sent NextBallot", sender, ballot=ballot, **{"from": passed_until})
            case LastVote():
                self.note("sent LastVote", sender, letter=_answer(sender, message))
            case BeginBallot(ballot=ballot, slot=slot, decree=decree, passed_until=passed_until):
                self.note("sent BeginBallot", sender, ballot=ballot, slot=slot, decree=decree)
                self.note("sent claim", sender, ballot=ballot, until=passed_until)
            case Voted(ballot=ballot, slot=slot):
                self.note("sent Voted", sender, ballot=ballot, slot=slot)
            case Success(ballot=ballot, passed_until=passed_until, outcomes=outcomes):
                for outcome in outcomes:
                    self.note("sent Success", sender, slot=outcome.slot, decree=outcome.decree)
                if ballot != NO_BALLOT:
                    self.note("sent claim", sender, ballot=ballot, until=passed_until)
            case Presence(ballot=ballot, passed_until=passed_until):
                self.note("sent claim", sender, ballot=ballot, until=passed_until)
            case _:
                pass


@dataclass(frozen=True, order=True)
class Stamp:
    """A stamp, marked as one: the recording says only which are higher."""

    stamp_ms: int


def _answer(sender: NodeId, message: LastVote) -> Event:
    return {
        "member": sender,
        "ballot": message.ballot,
        "until": message.passed_until,
        "votes": frozenset((vote.slot, vote.ballot, vote.decree) for vote in message.votes),
        "ahead": frozenset(outcome.slot for outcome in message.outcomes if outcome.slot >= message.passed_until),
        "stamp": Stamp(message.stamp_ms),
    }


@contextmanager
def recording() -> Iterator[Recorder]:
    """Record everything that legislators and their disks do meanwhile.  The specification knows no snapshots."""
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        for name in ENTRANCES:
            patch.setattr(Legislator, name, _watched(getattr(Legislator, name), recorder))
        patch.setattr(member_module, "SNAPSHOTS", (SnapshotSettings(),))
        replayed, synced, sent = Oracle.replayed, Oracle.synced, Oracle.sent

        def watch_replayed(self: Oracle, member: NodeId, ledger: Ledger) -> None:
            recorder.restarted(member, ledger.line)
            replayed(self, member, ledger)

        def watch_synced(self: Oracle, member: NodeId, line: int) -> None:
            recorder.synced(member, line)
            synced(self, member, line)

        def watch_sent(self: Oracle, sender: NodeId, message: PeerMessage) -> None:
            recorder.sent(sender, message)
            sent(self, sender, message)

        patch.setattr(Oracle, "replayed", watch_replayed)
        patch.setattr(Oracle, "synced", watch_synced)
        patch.setattr(Oracle, "sent", watch_sent)
        yield recorder


def _watched(entrance: Callable[..., Effects], recorder: Recorder) -> Callable[..., Effects]:
    def watched(self: Legislator, *arguments: Any) -> Effects:
        effects = entrance(self, *arguments)
        message = arguments[1] if entrance.__name__ == "receive" else None
        recorder.stepped(self, message, effects)
        return effects

    return watched


# --- as a module of TLA+ ---


class Numbers:
    """Small numbers in place of ballots, stamps and commands, in the same order; TLC's integers are small."""

    def __init__(self, events: Sequence[Event]) -> None:
        found: set[Any] = set()
        _collect(events, found)
        decrees = {thing for thing in found if isinstance(thing, Decree)}
        ballots = {thing for thing in found if isinstance(thing, Ballot)} | {decree.ballot for decree in decrees}
        stamps = {thing.stamp_ms for thing in found if isinstance(thing, Stamp)}
        stamps |= {decree.stamp_ms for decree in decrees}
        self.ballots = {ballot: number for number, ballot in enumerate(sorted(ballots | {NO_BALLOT}))}
        self.stamps = {stamp: number for number, stamp in enumerate(sorted(stamps | {0}))}
        self.texts = {text: number for number, text in enumerate(sorted({decree.commands for decree in decrees}))}


def _collect(thing: object, found: set[Any]) -> None:
    match thing:
        case dict():
            for value in thing.values():
                _collect(value, found)
        case list() | tuple() | frozenset():
            for value in thing:
                _collect(value, found)
        case Ballot() | Decree() | Stamp():
            found.add(thing)
        case _:
            pass


def module_of(events: Sequence[Event], quorums: QuorumSystem) -> str:
    """The module ``Recording``: the events, and what they are about."""
    numbers = Numbers(events)
    slots = [event["slot"] for event in events if "slot" in event]
    slots += [event["seen"]["known"] - 1 for event in events if event["kind"] == "look"]
    slots += [event["seen"]["next"] - 1 for event in events if event["kind"] == "look" and "next" in event["seen"]]
    last_slot = max(slots, default=1)
    ballots = sorted(ballot for ballot in numbers.ballots if ballot != NO_BALLOT)
    weights = _weights(quorums)
    definitions = {
        "RecordedMembers": frozenset(quorums.members),
        "RecordedLastBallot": max(len(ballots), 1),
        "RecordedOwners": tuple(ballot.owner for ballot in ballots) or (quorums.members[0],),
        "RecordedLastSlot": last_slot,
        "RecordedTexts": frozenset(numbers.texts.values()),
        "RecordedStamps": frozenset(numbers.stamps.values()),
        "RecordedLag": ROSTER_LAG,
    }
    lines = [f"{name} == {_tla(value, numbers)}" for name, value in definitions.items()]
    roster = " @@ ".join(f"{member} :> {weight}" for member, weight in sorted(weights.items()))
    lines.append(f"RecordedWeights == [s \\in 1 .. {last_slot + 1} |-> ({roster})]")
    lines.append("Events == <<\n    " + ",\n    ".join(_tla(event, numbers) for event in events) + "\n>>")
    body = "\n\n".join(lines)
    return f"---- MODULE Recording ----\nEXTENDS Integers, TLC\nCONSTANT NothingRecorded\n\n{body}\n\n====\n"


CONFIGURATION = """SPECIFICATION TraceSpec
CONSTANTS
    Nothing = Nothing
    NothingRecorded = Nothing
    Members <- RecordedMembers
    LastBallot <- RecordedLastBallot
    LastSlot <- RecordedLastSlot
    Texts <- RecordedTexts
    Stamps <- RecordedStamps
    Weights <- RecordedWeights
    RosterLag <- RecordedLag
    IsDelayed = TRUE
    IsForgetful = TRUE
    IsNews <- Always
INVARIANTS
    Agreement
    OutcomesPassed
    OneDecree
    LaterAgree
    VotesBelowPromise
    PromisesHold
    VotesHold
    ClaimsSound
    StampsRise
    IsUnexplained
PROPERTIES
    Monotone
    Choices
"""


def _weights(quorums: QuorumSystem) -> dict[NodeId, int]:
    match quorums:
        case Majority(members=members):
            return dict.fromkeys(members, 1)
        case Weighted(weights=weights):
            return weights
        case _:
            raise ValueError("the specification's traces know majorities and weights")


def _tla(thing: object, numbers: Numbers) -> str:
    """A value in the notation of TLA+."""
    match thing:
        case str():
            return f'"{thing}"'
        case Ballot():
            return str(numbers.ballots[thing])
        case Stamp():
            return str(numbers.stamps[thing.stamp_ms])
        case Decree():
            if thing == NOOP:
                return "[first |-> 0, stamp |-> 0, text |-> NothingRecorded]"
            first, stamp, text = (
                numbers.ballots[thing.ballot],
                numbers.stamps[thing.stamp_ms],
                numbers.texts[thing.commands],
            )
            return f"[first |-> {first}, stamp |-> {stamp}, text |-> {text}]"
        case dict():
            return "[" + ", ".join(f"{key} |-> {_tla(value, numbers)}" for key, value in thing.items()) + "]"
        case frozenset():
            return "{" + ", ".join(sorted(_tla(value, numbers) for value in thing)) + "}"
        case tuple():
            return "<<" + ", ".join(_tla(value, numbers) for value in thing) + ">>"
        case int():
            return str(thing)
        case _:
            raise TypeError(f"no notation for {thing!r}")
