"""Plays: scenarios as text that somebody who has only read the paper can follow.

A play is a list of stage directions.  What happened in answer to each is written below it, on
lines that begin with ``>``; running a play produces the same text with those lines made anew,
so a test compares the two, and a new play is written by leaving them out.

    members 3                 the cast; ``members 3 flexible 3 1`` for other quorums
    elect 1                   letters go to and fro until member 1 presides (``among 1 2`` if only there)
    stand 1                   member 1 starts a ballot
    submit 1                  member 1 is given a command; commands are called c1, c2, ...
    read 1                    member 1 is asked for a linearizable read
    deliver Voted 2->1 slot 3 the letters of that kind, on that way, for that slot arrive (each may be left out)
    drop 1->3                 they are lost
    sync 2                    what member 2 wrote becomes durable
    crash 3                   the power goes at member 3 (``crash 3 process``: only the process dies)
    restart 3
    wait 200                  milliseconds pass
    settle                    everything is delivered and synced until one presides and all agree (``among 1 2``)

Told are: new letters, what a member promised, voted for and knows to have passed, who presides,
and how requests ended.  Roll calls and their answers are told only if a line says ``roll``.
The oracle watches: a play that breaks a rule ends with the rule.
"""

import re
from collections.abc import Callable, Iterable

from paxon.core.decree import NOOP, Ballot, Decree, NodeId
from paxon.core.messages import BeginBallot, LastVote, NextBallot, Presence, Present, Success, Superseded, Voted
from paxon.core.roster import Flexible, QuorumSystem
from paxon.core.slip import Polling, Trying
from paxon.errors import ConfigurationError, InvariantViolation
from paxon.node.letters import PeerMessage
from paxon.sim.network import Parcel
from paxon.sim.script import Script
from paxon.sim.workload import Request

TOLD = "> "

KINDS = {
    kind.__name__: kind for kind in (BeginBallot, LastVote, NextBallot, Presence, Present, Success, Superseded, Voted)
}

WAY = re.compile(r"(\d+)->(\d+)")


def run_play(text: str) -> str:
    """The play with everything told anew.

    Raises:
        ConfigurationError: a line is no stage direction; the message names it.
    """
    stage: Stage | None = None
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith(TOLD.rstrip()):
            continue
        lines.append(line)
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            if stage is None:
                stage = Stage(words)
            else:
                lines += [TOLD + told for told in stage.direct(words)]
        except InvariantViolation as broken:
            lines.append(f"{TOLD}broken: {broken}")
            break
        except (ValueError, IndexError, KeyError) as error:
            raise ConfigurationError(f"line {number}: {line!r} is no stage direction ({error})") from error
    return "\n".join(lines) + "\n"


class Stage:
    """The members of a play and what was last seen of them."""

    def __init__(self, words: list[str]) -> None:
        if words[0] != "members":
            raise ValueError("a play begins with its members")
        size = int(words[1])
        quorums: QuorumSystem | None = None
        if words[2:3] == ["flexible"]:
            everyone = tuple(NodeId(member) for member in range(1, size + 1))
            quorums = Flexible(everyone, int(words[3]), int(words[4]))
        self._script = Script(size, quorums)
        self._size = size
        self._requests: list[tuple[str, Request]] = []
        self._ended: set[str] = set()
        self._tells_roll = False
        self._seen = {member: self._look(member) for member in self._everyone}
        self._mail: list[Parcel] = []

    def direct(self, words: list[str]) -> list[str]:
        """Follow one stage direction; returns what happened."""
        verb, *rest = words
        if verb == "roll":
            self._tells_roll = True
            return []
        direction: Callable[[list[str]], None] = getattr(self, f"_do_{verb}", self._do_nothing)
        if direction == self._do_nothing:
            raise ValueError(f"nobody can {verb}")
        direction(rest)
        return [*self._changes(), *self._letters(), *self._endings()]

    # --- stage directions ---

    def _do_elect(self, words: list[str]) -> None:
        self._script.elect(int(words[0]), _among(words[1:]))

    def _do_stand(self, words: list[str]) -> None:
        self._script.stand(int(words[0]))

    def _do_submit(self, words: list[str]) -> None:
        self._ask(lambda member: self._script.submit(member), int(words[0]), f"c{self._count('c') + 1}")

    def _do_read(self, words: list[str]) -> None:
        self._ask(lambda member: self._script.read(member), int(words[0]), f"r{self._count('r') + 1}")

    def _do_deliver(self, words: list[str]) -> None:
        self._script.deliver(*_letters_of(words))

    def _do_drop(self, words: list[str]) -> None:
        self._script.drop(*_letters_of(words))

    def _do_sync(self, words: list[str]) -> None:
        self._script.sync(*map(int, words))

    def _do_crash(self, words: list[str]) -> None:
        self._script.crash(int(words[0]), power_cut="process" not in words)

    def _do_restart(self, words: list[str]) -> None:
        self._script.restart(int(words[0]))
        self._script.now()

    def _do_wait(self, words: list[str]) -> None:
        self._script.wait(int(words[0]))

    def _do_settle(self, words: list[str]) -> None:
        self._script.settle(among=_among(words))

    def _do_nothing(self, words: list[str]) -> None:
        pass

    def _ask(self, ask: Callable[[int], Request], member: int, name: str) -> None:
        self._requests.append((name, ask(member)))

    # --- what is told ---

    @property
    def _everyone(self) -> range:
        return range(1, self._size + 1)

    def _count(self, letter: str) -> int:
        return sum(name.startswith(letter) for name, _ in self._requests)

    def _look(self, member: int) -> dict[str, str]:
        """Everything about one member that a play may tell, each under a name."""
        if self._script.world.members[NodeId(member)].host is None:
            return {"state": "is down"}
        legislator = self._script.legislator(member)
        ledger = legislator.ledger
        match legislator.slip:
            case Polling(ballot=ballot):
                state = f"presides in {_ballot(ballot)}"
            case Trying(ballot=ballot):
                state = f"tries {_ballot(ballot)}"
            case _:
                state = "conducts no ballot"
        told = {"state": state}
        if ledger.next_ballot.round:
            told["promise"] = f"promised {_ballot(ledger.next_ballot)}"
        for slot, vote in sorted(ledger.votes.items()):
            told[f"vote {slot}"] = (
                f"votes for {self._decree(vote.decree)} in slot {slot}, ballot {_ballot(vote.ballot)}"
            )
        for slot, decree in sorted(ledger.outcomes.items()):
            told[f"passed {slot}"] = f"knows that {self._decree(decree)} passed in slot {slot}"
        return told

    def _changes(self) -> Iterable[str]:
        for member in self._everyone:
            before, now = self._seen[member], self._look(member)
            self._seen[member] = now
            for name, told in now.items():
                if before.get(name) != told:
                    yield f"{member} {told}"

    def _letters(self) -> Iterable[str]:
        before = {id(parcel) for parcel in self._mail}
        self._mail = list(self._script.mailbox)
        for parcel in self._mail:
            is_roll = isinstance(parcel.message, Presence | Present)
            if id(parcel) not in before and (self._tells_roll or not is_roll):
                yield f"{parcel.sender}->{parcel.to} {self._message(parcel.message)}"

    def _endings(self) -> Iterable[str]:
        for name, request in self._requests:
            if request.done() and name not in self._ended:
                self._ended.add(name)
                yield f"{name} ends: {request.ending}"

    def _message(self, message: PeerMessage) -> str:
        match message:
            case NextBallot(ballot=ballot, passed_until=until):
                return f"NextBallot {_ballot(ballot)}, knows all below {until}"
            case LastVote(ballot=ballot, passed_until=until, votes=votes, outcomes=outcomes):
                told = [
                    f"voted for {self._decree(vote.decree)} in slot {vote.slot}, ballot {_ballot(vote.ballot)}"
                    for vote in votes
                ]
                told += [f"{self._decree(outcome.decree)} passed in slot {outcome.slot}" for outcome in outcomes]
                return "; ".join([f"LastVote {_ballot(ballot)}, knows all below {until}", *told])
            case BeginBallot(ballot=ballot, slot=slot, decree=decree):
                return f"BeginBallot {_ballot(ballot)} slot {slot}: {self._decree(decree)}"
            case Voted(ballot=ballot, slot=slot):
                return f"Voted {_ballot(ballot)} slot {slot}"
            case Success(passed_until=until, outcomes=outcomes):
                told = [f"{self._decree(outcome.decree)} passed in slot {outcome.slot}" for outcome in outcomes]
                return "; ".join([f"Success, all below {until} passed", *told])
            case Superseded(ballot=ballot, by=by):
                return f"Superseded {_ballot(ballot)} by {_ballot(by)}"
            case _:
                return type(message).__name__

    def _decree(self, decree: Decree) -> str:
        if decree == NOOP:
            return "a no-op"
        names = {request.command: name for name, request in self._requests}
        # A command that was just given is not on the list yet; the script numbers them as we do.
        return "+".join(names.get(command, f"c{command.split()[1].decode()[1:]}") for command in decree.commands)


def _ballot(ballot: Ballot) -> str:
    return f"{ballot.round}.{ballot.owner}"


def _among(words: list[str]) -> list[int] | None:
    if not words:
        return None
    if words[0] != "among":
        raise ValueError("write among and the members")
    return [int(word) for word in words[1:]]


def _letters_of(words: list[str]) -> tuple[type | None, int | None, int | None, int | None]:
    kind: type | None = None
    sender = to = slot = None
    if words[-2:-1] == ["slot"]:
        words, slot = words[:-2], int(words[-1])
    for word in words:
        if found := WAY.fullmatch(word):
            sender, to = int(found[1]), int(found[2])
        else:
            kind = KINDS[word]
    return kind, sender, to, slot
