"""Plays: scenarios as text that somebody who has only read the paper can follow.

A play is a list of stage directions, one a line, for the members of a simulated parliament.  What
happened in answer to each is written below it, on lines that begin with ``>``; running a play
makes those lines anew, so a test compares the two.  The language is described in docs/plays.md;
``Stage`` has one method for each of its words.

Knows: stage directions, and what is worth telling after each.  Does not know: how anything is
said, which is in ``telling``, or how anything is done, which is in ``script``.

``python -m paxon.sim.play FILE`` prints a play as it is told anew; with ``--picture out.html`` or
``--svg out.svg`` it is drawn instead.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import get_args

from paxon.core.decree import NodeId
from paxon.core.lease import NO_LEASE, LeaseTerms
from paxon.core.messages import Message, Presence, Present
from paxon.core.roster import Flexible, Majority, QuorumSystem, Weighted
from paxon.errors import ConfigurationError, InvariantViolation, check
from paxon.node.consistency import LEASED, LINEARIZABLE
from paxon.node.letters import HostMessage
from paxon.sim.network import Parcel
from paxon.sim.picture.drawing import draw
from paxon.sim.picture.page import Caption, render
from paxon.sim.recording import Recording
from paxon.sim.script import PIPELINE_DEPTH, Script
from paxon.sim.telling import Teller
from paxon.sim.watcher import Watcher
from paxon.sim.workload import Request

TOLD = "> "

BROKEN = f"{TOLD}broken: "
"""How the last line of a play begins in which a rule was broken or something expected is not so."""

KINDS: dict[str, type] = {kind.__name__: kind for kind in (*get_args(Message), *get_args(HostMessage))}

MEMBERS_MAX = 9
"""More would only make a play hard to follow."""

TIME_MS_MAX = 60_000
"""The longest single wait or pause: a minute in which nobody gives a direction is told in seconds."""

CLOCK_STEP_MS_MAX = 365 * 24 * 3600 * 1000
"""How far a wall clock may step, a year: further on a stamp does not fit a message."""

WAY = re.compile(r"(\d+)->(\d+)")

LARGE_BYTES = 200_000
"""A large command: of two, only one fits what a ``LastVote`` carries of passed decrees (core.voter)."""


def run_play(text: str, watcher: Watcher | None = None) -> str:
    """The play with everything told anew, and to ``watcher`` too.

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
                stage = Stage(words, watcher)
            else:
                lines += [TOLD + told for told in stage.direct(words)]
        except InvariantViolation as broken:
            lines.append(f"{BROKEN}{broken}")
            break
        except (ValueError, IndexError, KeyError) as error:
            raise ConfigurationError(f"line {number}: {line!r} is no stage direction ({error})") from error
    return "\n".join(lines) + "\n"


class Stage:
    """The members of a play and what was last seen of them.

    A word of the language is the name of a method here, after ``_do_``.
    """

    def __init__(self, words: list[str], watcher: Watcher | None = None) -> None:
        if words[0] != "members":
            raise ValueError("a play begins with its members")
        size = int(words[1])
        if not 2 <= size <= MEMBERS_MAX:
            raise ValueError(f"a play has from 2 to {MEMBERS_MAX} members")
        self._everyone = tuple(NodeId(member) for member in range(1, size + 1))
        quorums, words = _quorums_of(self._everyone, words[2:])
        depth, lease = PIPELINE_DEPTH, NO_LEASE
        if words[:1] == ["lease"]:
            _, duration_word, *words = words
            # The clocks of a play agree; what a lease loses to standstills that nobody notices, it loses here too.
            lease = LeaseTerms(int(duration_word), drift_ppm=0)
        if words:
            pipeline, depth_word = words
            _expect_word(pipeline, "pipeline")
            depth = int(depth_word)
        self._script = Script(size, quorums, depth, watcher, lease)
        self._teller = Teller(self._script)
        self._ended: set[str] = set()
        self._tells_roll = False
        self._seen = {member: self._teller.member(member) for member in self._everyone}
        self._mail: list[Parcel] = []

    @classmethod
    def words(cls) -> list[str]:
        """Every word that a stage direction may begin with."""
        return ["members", *sorted(name.removeprefix("_do_") for name in vars(cls) if name.startswith("_do_"))]

    def direct(self, words: list[str]) -> list[str]:
        """Follow one stage direction; returns what happened."""
        verb, *rest = words
        direction: Callable[[list[str]], None] | None = getattr(self, f"_do_{verb}", None)
        if direction is None:
            raise ValueError(f"nobody can {verb}")
        direction(rest)
        return [*self._changes(), *self._letters(), *self._endings()]

    # --- ballots and requests ---

    def _do_elect(self, words: list[str]) -> None:
        round_, words = _round_of(words)
        self._script.elect(int(words[0]), _among(words[1:]), round_)

    def _do_stand(self, words: list[str]) -> None:
        round_, words = _round_of(words)
        (member,) = map(int, words)
        self._script.stand(member, round_)

    def _do_submit(self, words: list[str]) -> None:
        member, is_large = _with_option(words, "large")
        padding_bytes = LARGE_BYTES if is_large else 0
        self._ask("c", lambda: self._script.submit(member, padding_bytes=padding_bytes))

    def _do_read(self, words: list[str]) -> None:
        member, is_leased = _with_option(words, "leased")
        self._ask("r", lambda: self._script.read(member, LEASED if is_leased else LINEARIZABLE))

    # --- letters ---

    def _do_deliver(self, words: list[str]) -> None:
        _require_any(self._script.deliver(*_letters_of(words)), words)

    def _do_drop(self, words: list[str]) -> None:
        _require_any(self._script.drop(*_letters_of(words)), words)

    def _do_double(self, words: list[str]) -> None:
        _require_any(self._script.double(*_letters_of(words)), words)

    def _do_hold(self, words: list[str]) -> None:
        _require_any(self._script.hold(*_letters_of(words)), words)

    def _do_free(self, words: list[str]) -> None:
        _require_any(self._script.free(*_letters_of(words)), words)

    # --- disks, processes, clocks ---

    def _do_sync(self, words: list[str]) -> None:
        self._script.sync(*map(int, words))

    def _do_fail(self, words: list[str]) -> None:
        sync, member = words
        _expect_word(sync, "sync")
        self._script.world.fates.fail_sync(NodeId(int(member)))

    def _do_crash(self, words: list[str]) -> None:
        member, is_process_only = _with_option(words, "process")
        self._script.crash(member, power_cut=not is_process_only)

    def _do_restart(self, words: list[str]) -> None:
        (member,) = map(int, words)
        self._script.restart(member)
        self._script.now()

    def _do_pause(self, words: list[str]) -> None:
        member, time_ms = map(int, words)
        _require_time(time_ms)
        self._script.world.fates.pause(NodeId(member), time_ms)

    def _do_clock(self, words: list[str]) -> None:
        member, by_ms = map(int, words)
        if abs(by_ms) > CLOCK_STEP_MS_MAX:
            raise ValueError(f"a clock steps by {CLOCK_STEP_MS_MAX} milliseconds at the most")
        self._script.world.fates.step_wall_clock(NodeId(member), by_ms)

    def _do_wait(self, words: list[str]) -> None:
        (time_ms,) = map(int, words)
        _require_time(time_ms)
        self._script.wait(time_ms)

    def _do_settle(self, words: list[str]) -> None:
        self._script.settle(among=_among(words))

    # --- telling ---

    def _do_tell(self, words: list[str]) -> None:
        match words:
            case ["roll"]:
                self._tells_roll = True
            case ["stamps"]:
                self._teller.tells_stamps = True
                # What was told without stamps is not news with them.
                self._seen = {member: self._teller.member(member) for member in self._everyone}
            case _:
                raise ValueError("only the roll and stamps are told on demand")

    def _do_expect(self, words: list[str]) -> None:
        is_negated = words[0] == "not"
        said = " ".join(words[1:] if is_negated else words)
        is_so = any(re.match(rf"{re.escape(said)}(?![\w.+])", told) for told in self._everything())
        check(is_so != is_negated, f"the play expects {'that it is not so: ' if is_negated else ''}{said}")

    def _everything(self) -> Iterable[str]:
        """Whatever could be told at this moment, news or not."""
        for member in self._everyone:
            for told in self._teller.member(member).values():
                yield f"{member} {told}"
        yield from map(self._letter, self._script.mailbox)
        for name, request in self._teller.requests:
            if request.done():
                yield self._teller.ending(name, request)

    def _ask(self, letter: str, ask: Callable[[], Request]) -> None:
        requests = self._teller.requests
        number = 1 + sum(name.startswith(letter) for name, _ in requests)
        requests.append((f"{letter}{number}", ask()))

    def _changes(self) -> Iterable[str]:
        for member in self._everyone:
            before, now = self._seen[member], self._teller.member(member)
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
                yield self._letter(parcel)

    def _letter(self, parcel: Parcel) -> str:
        return f"{parcel.sender}->{parcel.to} {self._teller.message(parcel.message)}"

    def _endings(self) -> Iterable[str]:
        for name, request in self._teller.requests:
            if request.done() and name not in self._ended:
                self._ended.add(name)
                yield self._teller.ending(name, request)


def _quorums_of(everyone: tuple[NodeId, ...], words: list[str]) -> tuple[QuorumSystem, list[str]]:
    """The quorum system that the words name, and the words after it."""
    match words:
        case ["flexible", promises, votes, *rest]:
            return Flexible(everyone, int(promises), int(votes)), rest
        case ["weights", *rest]:
            weights = [int(word) for word in rest[: len(everyone)]]
            return Weighted(dict(zip(everyone, weights, strict=True))), rest[len(everyone) :]
        case _:
            return Majority(everyone), words


def _expect_word(word: str, wanted: str) -> None:
    if word != wanted:
        raise ValueError(f"{wanted} is meant, not {word}")


def _require_time(time_ms: int) -> None:
    if not 0 <= time_ms <= TIME_MS_MAX:
        raise ValueError(f"choose from 0 to {TIME_MS_MAX} milliseconds")


def _with_option(words: list[str], option: str) -> tuple[int, bool]:
    """A member, and whether the one word that may follow is there."""
    member, *rest = words
    if rest:
        (word,) = rest
        _expect_word(word, option)
    return int(member), bool(rest)


def _require_any(letters: int, words: list[str]) -> None:
    """A play that names letters means letters that are there."""
    check(letters > 0 or not words, f"the play expects a letter: {' '.join(words)}")


def _round_of(words: list[str]) -> tuple[int | None, list[str]]:
    """The round of ``2 in 6.2``, if one is named, and the words without it."""
    if words[1:2] != ["in"]:
        return None, words
    round_, owner = words[2].split(".")
    _expect_word(owner, words[0])
    return int(round_), [words[0], *words[3:]]


def _among(words: list[str]) -> list[int] | None:
    if not words:
        return None
    _expect_word(words[0], "among")
    return [int(word) for word in words[1:]]


def _letters_of(words: list[str]) -> tuple[type | None, int | None, int | None, int | None]:
    kind: type | None = None
    sender = to = slot = None
    if words[-2:-1] == ["slot"]:
        words, slot = words[:-2], int(words[-1])
    for word in words:
        if found := WAY.fullmatch(word):
            sender, to = int(found[1]), int(found[2])
        elif kind is None:
            kind = KINDS[word]
        else:
            raise ValueError("one kind of letter at a time")
    return kind, sender, to, slot


def main(arguments: list[str]) -> int:
    """Run the play that the arguments name: print it as told anew, or draw it.  Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m paxon.sim.play", description="Run a play.")
    parser.add_argument("play", metavar="FILE", type=Path, help="a play")
    parser.add_argument("--picture", metavar="FILE", type=Path, help="draw it into this HTML file")
    parser.add_argument("--svg", metavar="FILE", type=Path, help="draw it into this SVG file, for documents")
    parser.add_argument(
        "--window", metavar=("FROM", "UNTIL"), nargs=2, type=int, help="the steps that --svg draws (all of them)"
    )
    parser.add_argument("--title", help="what the pictures are called (the file's name)")
    options = parser.parse_args(arguments)
    recording = Recording()
    try:
        told = run_play(options.play.read_text(encoding="utf-8"), recording)
        if options.picture or options.svg:
            # Some arrow or mark is there of everybody who takes part: their first start.
            members = sorted({mark.member for mark in recording.marks})
            caption = Caption(options.title or options.play.stem, members, is_to_scale=False)
            if options.picture:
                options.picture.write_text(render(recording, caption), encoding="utf-8")
            if options.svg:
                options.svg.write_text(draw(recording, caption, *options.window or ()), encoding="utf-8")
        else:
            sys.stdout.write(told)
    except (OSError, UnicodeDecodeError, ConfigurationError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
