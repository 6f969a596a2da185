"""Commands on their way: waiting for a slot, or in a slot that has not passed.

Knows: limits, deadlines, and which command sits where in which decree.  Does not know: what a
command says, or other members.  A command leaves in one of three ways: applied, *not* applied
(and then it may be tried elsewhere), or with its fate unknown at its deadline.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from msgspec import Struct

from paxon.core.decree import Ballot, Decree, Slot
from paxon.errors import DeadlineExceeded, NotLeader, OutcomeUnknown, Overloaded, RequestError, TooLarge, check
from paxon.node.ports import Reply
from paxon.node.settings import Limits
from paxon.rsm.attempt import Result

NO_DEADLINE_MS = 1 << 62
"""The deadline of a command that another member waits for: its origin keeps the real one."""


class Applied(Struct, frozen=True):
    """The outcome of one command: the slot that holds it and the state machine's result."""

    slot: int
    result: bytes


class Pending(Struct):
    """One command whose submitter waits."""

    command: bytes
    reply: Reply[Applied]
    deadline_ms: int

    def succeed(self, slot: Slot, result: Result) -> None:
        """Tell the submitter what the state machine said."""
        if self.reply.done():
            return
        if isinstance(result, bytes):
            self.reply.set_result(Applied(slot, result))
        else:
            self.reply.set_exception(result)

    def fail(self, error: RequestError) -> None:
        """Tell the submitter why there is no result."""
        if not self.reply.done():
            self.reply.set_exception(error)


Tell = Callable[[Pending, Slot, Result], None]
"""Tells a submitter what the state machine said, as ``Pending.succeed`` does, at once or when it may be told."""


class Batch(Struct):
    """What one decree of ours holds.  It is ours if it passed as first proposed in ``ballot``."""

    ballot: Ballot
    pendings: list[Pending]
    bytes: int = 0
    """Of all its commands."""

    def __post_init__(self) -> None:
        self.bytes = sum(len(pending.command) for pending in self.pendings)


class Proposals:
    """Every command taken in here that has no answer yet, except those forwarded to another member."""

    def __init__(self, limits: Limits, tell: Tell = Pending.succeed) -> None:
        self._limits = limits
        self._tell = tell
        self._waiting: deque[Pending] = deque()
        self._bytes = 0
        self._begun = 0
        self._open: dict[Slot, list[Batch]] = {}
        """Batches of ours by slot, each of another ballot.  Only the outcome of the slot says what became of them."""
        self._sweep_at_ms = 1 << 62
        """No deadline is earlier."""

    def __len__(self) -> int:
        return len(self._waiting) + self._begun

    @property
    def are_waiting(self) -> bool:
        """Whether a command waits for a slot or for a leader."""
        return bool(self._waiting)

    @property
    def open_batches(self) -> int:
        """How many of our decrees have neither passed nor been beaten."""
        return len(self._open)

    def admit(self, command: bytes, elsewhere: int = 0, elsewhere_bytes: int = 0) -> None:
        """Refuse a command that is too large or one too many; ``elsewhere`` counts those forwarded.

        Raises:
            TooLarge: over ``command_bytes_max``.
            Overloaded: over ``waiting_commands_max`` or ``waiting_bytes_max``.
        """
        limits = self._limits
        if len(command) > limits.command_bytes_max:
            raise TooLarge(f"the command has {len(command)} bytes, the limit is {limits.command_bytes_max}: send less")
        if len(self) + elsewhere >= limits.waiting_commands_max:
            raise Overloaded(f"{len(self) + elsewhere} commands are waiting, the limit: try again a little later")
        waiting_bytes = self._bytes + elsewhere_bytes
        if waiting_bytes + len(command) > limits.waiting_bytes_max:
            raise Overloaded(f"{waiting_bytes} bytes of commands are waiting, near the limit: try again a little later")

    def add(self, pending: Pending) -> None:
        """Queue an admitted command."""
        self._waiting.append(pending)
        self._bytes += len(pending.command)
        self._sweep_at_ms = min(self._sweep_at_ms, pending.deadline_ms)

    def add_again(self, pendings: Sequence[Pending]) -> None:
        """Queue commands that were certainly not applied, before the others."""
        self._waiting.extendleft(reversed(pendings))
        self._bytes += sum(len(pending.command) for pending in pendings)
        self._sweep_at_ms = min([self._sweep_at_ms, *(pending.deadline_ms for pending in pendings)])

    def take(self, bytes_max: int) -> list[Pending]:
        """The next commands, about ``bytes_max`` together, no longer waiting; those nobody waits for are dropped."""
        taken: list[Pending] = []
        room = bytes_max
        while self._waiting and (not taken or room >= len(self._waiting[0].command)):
            pending = self._waiting.popleft()
            self._bytes -= len(pending.command)
            if pending.reply.done():
                continue
            room -= len(pending.command)
            taken.append(pending)
        return taken

    def begin(self, slot: Slot, batch: Batch) -> None:
        """``batch`` was proposed in ``slot``.

        A ballot of ours that we lost may have left a batch in the same slot, and it stays there:
        it cannot have passed (or we could not propose another), but a vote for it may be left
        with a member that did not answer, and force a later president to propose it again.
        """
        batches = self._open.setdefault(slot, [])
        check(all(earlier.ballot < batch.ballot for earlier in batches), "one decree per ballot and slot")
        batches.append(batch)
        self._count(batch, 1)

    def settle(self, slot: Slot, decree: Decree, results: list[Result]) -> list[Pending]:
        """``decree`` passed in ``slot``.  Returns our commands for that slot that are not in it: not applied."""
        beaten: list[Pending] = []
        for batch in self._open.pop(slot, ()):
            self._count(batch, -1)
            if decree.ballot != batch.ballot:
                beaten += batch.pendings
                continue
            check(len(results) == len(batch.pendings), "our decree holds our commands")
            for pending, result in zip(batch.pendings, results, strict=True):
                self._tell(pending, slot, result)
        return beaten

    def jump(self, until: Slot) -> None:
        """Every slot below ``until`` passed, and nobody will tell us with what: a snapshot took their place."""
        for slot in [slot for slot in self._open if slot < until]:
            for batch in self._open.pop(slot):
                self._count(batch, -1)
                for pending in batch.pendings:
                    pending.fail(
                        OutcomeUnknown("this member was away for too long to learn what became of the command")
                    )

    def limit_open(self, deadline_ms: int) -> None:
        """Give a deadline to every command that is in a slot and has none."""
        for batch in self._batches():
            for pending in batch.pendings:
                if pending.deadline_ms == NO_DEADLINE_MS:
                    pending.deadline_ms = deadline_ms
                    self._sweep_at_ms = min(self._sweep_at_ms, deadline_ms)

    def expire(self, now_ms: int) -> None:
        """Answer those whose deadline has passed."""
        if now_ms < self._sweep_at_ms:
            return
        self._sweep_at_ms = 1 << 62
        for pending in self._waiting:
            if pending.deadline_ms <= now_ms:
                pending.fail(NotLeader("no leader could take the command before its deadline; it was not applied"))
            else:
                self._sweep_at_ms = min(self._sweep_at_ms, pending.deadline_ms)
        for batch in self._batches():
            for pending in batch.pendings:
                if pending.deadline_ms <= now_ms:
                    pending.fail(DeadlineExceeded("no majority answered before the deadline; it may yet be applied"))
                else:
                    self._sweep_at_ms = min(self._sweep_at_ms, pending.deadline_ms)
        self._let_go_of_what_nobody_waits_for()
        if any(pending.reply.done() for pending in self._waiting):
            waiting = self.take_all_waiting()
            self.add_again([pending for pending in waiting if not pending.reply.done()])

    def _let_go_of_what_nobody_waits_for(self) -> None:
        # The slot of a lost ballot may stay open for as long as nobody writes: its commands, whose
        # callers were told that their fate is unknown, must not count against the limits all the while.
        for slot, batches in list(self._open.items()):
            kept: list[Batch] = []
            for batch in batches:
                if all(pending.reply.done() for pending in batch.pendings):
                    self._count(batch, -1)
                else:
                    kept.append(batch)
            if kept:
                self._open[slot] = kept
            else:
                del self._open[slot]

    def abandon(self, error: RequestError) -> None:
        """Nobody will learn here what became of what is in a slot."""
        for batch in self._batches():
            self._count(batch, -1)
            for pending in batch.pendings:
                pending.fail(error)
        self._open.clear()

    def _batches(self) -> Iterator[Batch]:
        return chain.from_iterable(self._open.values())

    def _count(self, batch: Batch, sign: int) -> None:
        self._begun += sign * len(batch.pendings)
        self._bytes += sign * batch.bytes

    def take_all_waiting(self) -> list[Pending]:
        """Everything that waits, no longer waiting."""
        taken = list(self._waiting)
        self._bytes -= sum(len(pending.command) for pending in taken)
        self._waiting.clear()
        return taken
