"""Clients: they submit commands that nobody submitted before, read, repeat what was refused, and tell the oracle."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from paxon.core.decree import NodeId, Slot
from paxon.errors import ApplyFailed, OutcomeUnknown, RequestError, check
from paxon.node.consistency import LEASED, LINEARIZABLE, Consistency
from paxon.node.ports import Reply
from paxon.node.proposals import Applied
from paxon.sim.dice import Dice
from paxon.sim.machine import Raised, Result
from paxon.sim.promises import Promises
from paxon.sim.subject import Onlookers, Subject

ATTEMPTS_MAX = 12
"""How often a client repeats a refused command before it gives up."""

TIMEOUT_MS = (300, 8_000)


class Servant(Protocol):
    """What a member does on nobody's behalf."""

    def errand(self) -> bytes | None:
        """What it submits next; ``None`` if nothing."""

    def is_due(self, ahead_ms: int) -> bool:
        """Whether it leads and something that waits for time will be due by its clock ``ahead_ms`` from now."""


class Parliament(Protocol):
    """What clients may do."""

    @property
    def members(self) -> Mapping[NodeId, Servant]:
        """All members, by number."""

    def submit(self, member: NodeId, command: bytes, reply: Reply[Applied], timeout_ms: int) -> bool:
        """Give a command to a member; ``False`` if nobody is there."""

    def read(self, member: NodeId, reply: Reply[int], timeout_ms: int, consistency: Consistency) -> bool:
        """Ask a member to be fit for a read; ``False`` if nobody is there."""

    def query(self, member: NodeId, question: bytes) -> Result:
        """What a member's state answers at this moment."""

    def clock_ms(self, member: NodeId, then_ms: int) -> int:
        """What the monotonic clock of a member's machine showed at a true time."""


class Request:
    """One attempt.  Satisfies ``Reply`` of either kind."""

    def __init__(
        self,
        workload: "Workload",
        member: NodeId,
        command: bytes | None,
        retry: Callable[[], None] | None,
        question: bytes | None = None,
        consistency: Consistency = LINEARIZABLE,
    ) -> None:
        """``retry`` is called some time after a refusal, unless whoever made the request sees to that."""
        self._workload = workload
        self.member = member
        self.command = command
        """``None`` for a read."""
        self.question = question
        """What is read, if anything but how far the member has come."""
        self.answer: Result | None = None
        """What was answered to the question."""
        self.consistency = consistency
        """What a read is to promise."""
        # The witness judges what is linearizable, and others need not go together with it.
        is_judged = consistency in (LINEARIZABLE, LEASED)
        self.number = workload.witness.called(member, command, question) if is_judged else None
        self.floor = workload.promises.floor(member, consistency)
        """What a read must see."""
        self._retry = retry
        self.is_over = False
        self.ending = ""
        """How it ended, in a word, once it is over."""
        self.result: object = None
        """What it got, if it ended well."""
        workload.trace.watcher.asked(self)

    def set_result(self, result: object, /) -> None:
        """See ``Reply``."""
        self._finish("done")
        self.result = result
        self._workload.succeeded(self, result)

    def set_exception(self, error: Exception, /) -> None:
        """See ``Reply``."""
        self._finish(type(error).__name__)
        check(isinstance(error, RequestError), f"a request ends in a result or a RequestError, not in {error!r}")
        self._workload.failed(self, error, self._retry)

    def done(self) -> bool:
        """Whether it has ended; an ``asyncio.Future`` has this too."""
        return self.is_over

    def lost(self) -> None:
        """The member that had it crashed: its fate is unknown."""
        self._finish("its member crashed")
        self._workload.trace.counts["unknown"] += 1

    def turned_away(self) -> None:
        """No member took it."""
        self._finish("nobody was there")

    def _finish(self, ending: str) -> None:
        check(not self.is_over, "a request is answered once")
        self.is_over = True
        self.ending = ending
        self._workload.trace.watcher.answered(self)
        self._workload.outstanding.pop(self, None)


class Workload:
    """All clients together.

    ``outstanding`` are the attempts without an answer.
    """

    def __init__(
        self,
        seed: int,
        subject: Subject,
        onlookers: Onlookers,
        members: Sequence[NodeId],
        parliament: Parliament,
    ) -> None:
        self._agenda = onlookers.agenda
        self.trace = onlookers.trace
        self.oracle = onlookers.oracle
        self._random = Dice(f"{seed}/workload")
        self._orders = subject.orders(seed, self._random, onlookers.strikes)
        self.witness = subject.witness(onlookers)
        self.members = members
        """Whom clients ask."""
        self._parliament = parliament
        self.outstanding: dict[Request, None] = {}
        self._commands = 0
        self.promises = Promises(seed, self._agenda, self.oracle, parliament.clock_ms)
        self._every_ms = 0
        self._reads = 0.0
        self._reads_vary = False
        self.waiting = 0
        """Refused attempts that will be tried again."""
        self.served: Counter[tuple[NodeId, str]] = Counter()
        """Successes by member and kind, "read" or "write"."""
        self._clients = subject.clients(seed, onlookers, self, parliament)

    def start(self, every_ms: int, reads: float, reads_vary: bool) -> None:
        """Requests at random members, ``every_ms`` on average, until ``stop``."""
        self._every_ms, self._reads, self._reads_vary = every_ms, reads, reads_vary
        if self._clients is not None:
            self._clients.start()
        self._plan_next()

    def stop(self) -> None:
        """No new requests; refused ones are still repeated."""
        self._every_ms = 0
        if self._clients is not None:
            self._clients.stop()

    @property
    def unfinished(self) -> str:
        """What clients still wait for from these members, in words; empty if nothing."""
        outstanding = [request for request in self.outstanding if request.member in self.members]
        if outstanding:
            request = outstanding[0]
            what = "a read" if request.command is None else f"{request.command[:40]!r}"
            return f"{len(outstanding)} requests have no answer, one of them {what} at member {request.member}"
        if self.waiting:
            return f"{self.waiting} refused requests are still to be repeated"
        return "" if self._clients is None else self._clients.unfinished()

    def stay_with(self, members: Sequence[NodeId]) -> None:
        """Clients go to these members alone from here on, and repeat nothing that others refuse."""
        self.members = members

    def write_at(self, member: NodeId | None = None, attempt: int = 0) -> None:
        """Submit a new command, at some member if none is named."""
        if attempt > ATTEMPTS_MAX:
            self.trace.counts["given up"] += 1
            return
        to = self._random.choice(self.members) if member is None else member
        self._commands += 1
        command = self._orders.command(self._commands)

        def retry() -> None:
            # The same member again if one was named: each must prove that it can.
            self.waiting -= 1
            self.write_at(member, attempt + 1)

        self.oracle.submitted(command)
        self.begin(Request(self, to, command, retry))

    def read_at(self, member: NodeId | None = None, attempt: int = 0) -> None:
        """Read, at some member if none is named; one that is named has to show that it can do what is hardest."""
        if attempt > ATTEMPTS_MAX:
            self.trace.counts["given up"] += 1
            return
        to = self._random.choice(self.members) if member is None else member

        def retry() -> None:
            self.waiting -= 1
            self.read_at(member, attempt + 1)

        consistency = self.promises.draw() if self._reads_vary and member is None else LINEARIZABLE
        self.begin(Request(self, to, None, retry, self._orders.question(), consistency))

    def lost_member(self, member: NodeId) -> None:
        """``member`` crashed with all the requests that it had."""
        for request in [request for request in self.outstanding if request.member == member]:
            request.lost()

    def tell_refused(self, request: Request) -> None:
        """The witness hears that an attempt did nothing."""
        if request.number is not None:
            self.witness.refused(request.number)

    def _tell_returned(self, request: Request, result: Result, applied: int = 0) -> None:
        if request.number is not None:
            self.witness.returned(request.number, result, applied)

    def succeeded(self, request: Request, result: object) -> None:
        """An attempt succeeded."""
        if request.command is None:
            check(isinstance(result, int), f"a read ends in a slot, not in {result!r}")
            if isinstance(result, int):
                self.oracle.read(request.member, request.floor, Slot(result))
                self.promises.note()
                if request.question is not None:
                    answer = request.answer = self._parliament.query(request.member, request.question)
                    self._tell_returned(request, answer, self.oracle.books[request.member].applied)
            self.trace.counts["reads"] += 1
            if request.consistency != LINEARIZABLE:
                self.trace.counts[f"reads, {type(request.consistency).__name__}"] += 1
            self.served[request.member, "read"] += 1
        else:
            check(isinstance(result, Applied), f"a command ends in its slot and result, not in {result!r}")
            if isinstance(result, Applied):
                self.oracle.acknowledge(request.command, Slot(result.slot), result.result)
                self.promises.note()
                self._tell_returned(request, result.result)
            self.trace.counts["acknowledged"] += 1
            self.served[request.member, "write"] += 1

    def failed(self, request: Request, error: Exception, retry: Callable[[], None] | None) -> None:
        """An attempt failed: repeat it if it certainly did nothing."""
        if isinstance(error, ApplyFailed) and request.command is not None:
            self.trace.counts["acknowledged"] += 1
            self.served[request.member, "write"] += 1
            self.oracle.failed(request.command, Raised(str(error)))
            self.promises.note()
            self._tell_returned(request, Raised(str(error)))
        elif isinstance(error, OutcomeUnknown) and request.command is not None:
            self.trace.counts["unknown"] += 1
        else:
            self.trace.counts[f"refused: {getattr(error, 'code', '?')}"] += 1
            if request.command is not None:
                self.oracle.refused(request.command)
            self.tell_refused(request)
            if retry is None or request.member not in self.members:
                return
            self.waiting += 1
            self._agenda.after(self._random.randint(5, 400), "retry", retry)

    def begin(self, request: Request) -> None:
        """Make an attempt."""
        timeout_ms = self._random.randint(*TIMEOUT_MS)
        self.outstanding[request] = None
        if request.command is None:
            accepted = self._parliament.read(request.member, request, timeout_ms, request.consistency)
        else:
            accepted = self._parliament.submit(request.member, request.command, request, timeout_ms)
        if not accepted:
            request.turned_away()
            self.tell_refused(request)

    def _plan_next(self) -> None:
        if self._every_ms:
            self._agenda.after(self._random.randint(1, 2 * self._every_ms), "client", self._next)

    def _next(self) -> None:
        if self._every_ms:
            if self._random.random() < self._reads:
                self.read_at()
            elif self._clients is not None:
                self._clients.act()
            else:
                self.write_at()
            self._plan_next()
