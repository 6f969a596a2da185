"""What a run with sessions must come to: every command at most once, in order, and as its client was told.

Knows: what was decided, one request after the other, what was added by it, and what clients made of
their answers.  Does not know: how ``Sessions`` remembers anything.  It keeps the whole past of every
session and works every answer out anew.
"""

from collections import Counter, deque

from msgspec import Struct, field

from paxon.errors import ResultLost, SessionEnded, check
from paxon.rsm.machine import Context
from paxon.rsm.session_requests import (
    Answer,
    Close,
    Confirmed,
    Done,
    Early,
    Ended,
    Failed,
    Open,
    Opened,
    Perform,
    Plain,
    Request,
    Tick,
    Withdrawn,
)
from paxon.rsm.submitter import Settled
from paxon.sim.sessions.machine import Failing, addition, receipt_in


class Order(Struct):
    """One command of one client, and what became of it."""

    session: bytes
    sequence: int
    number: int
    failing: Failing
    decided: Done | Failed | None = None
    """What the state machine made of it, if it ever came to that."""
    is_void: bool = False
    """Whether its client was told that it was not applied, and so never will be."""
    told: Answer | None = None
    """What its client was answered."""


class Past(Struct):
    """Everything that was decided about one session."""

    ttl_ms: int
    used_ms: int
    answers: list[Answer] = field(default_factory=list)
    """By number."""
    confirmed: int = 0
    is_over: bool = False


class Judge:
    """Every method raises ``InvariantViolation`` when what it is told should not be."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.orders: dict[bytes, Order] = {}
        """Every order that was ever given, by its command."""
        self._pasts: dict[bytes, Past] = {}
        self._living: dict[bytes, Past] = {}
        self._added: deque[int] = deque()
        """What the tally was given by the requests under way, and no receipt accounts for yet."""
        self._ever_added: set[int] = set()

    def order(self, session: bytes, sequence: int, number: int, failing: Failing) -> tuple[Order, bytes]:
        """A client begins with a command, whose number nothing else of the run has."""
        command = addition(number, failing)
        order = self.orders[command] = Order(session, sequence, number, failing)
        return order, command

    # --- what was decided ---

    def decided(self, requests: list[Request], context: Context, answers: list[Answer], added: list[int]) -> None:
        """Requests that came together were applied, and ``added`` are the numbers that the tally was given by them."""
        for number in added:
            check(number not in self._ever_added, f"number {number} is added once")
            self._ever_added.add(number)
        self._added.extend(added)
        self._let_lapse(context.now_ms)
        for request, answer in zip(requests, answers, strict=True):
            self._decided(request, context.now_ms, answer)
        check(not self._added, f"nothing is added beside what has a receipt, but {list(self._added)}")

    def _decided(self, request: Request, now_ms: int, answer: Answer) -> None:
        match request:
            case Perform():
                self._performed(request, now_ms, answer)
            case Plain(command=command):
                order = self.orders.get(command)
                if order is not None:
                    self._applied(order, answer)
            case Open():
                self._expect(self._opened(request, now_ms), request, answer)
            case Close(session=session):
                self._expect(self._closed(session), request, answer)
            case Tick():
                self._expect(Done(b""), request, answer)

    @staticmethod
    def _expect(expected: Answer, request: Request, answer: Answer) -> None:
        """Whatever has no effect on the tally has this answer."""
        if answer != expected:
            check(False, f"{_words(request)} is answered by {expected}, and not by {answer}")

    def _let_lapse(self, now_ms: int) -> None:
        for name, past in list(self._living.items()):
            if past.used_ms + past.ttl_ms <= now_ms:
                self._end(name)
                self.counts["sessions expired"] += 1

    def _end(self, name: bytes) -> None:
        self._living.pop(name).is_over = True

    def _opened(self, request: Open, now_ms: int) -> Answer:
        past = self._pasts.get(request.session)
        if past is None:
            past = self._pasts[request.session] = self._living[request.session] = Past(request.ttl_ms, now_ms)
            self.counts["sessions opened"] += 1
        if past.is_over:
            return Ended(len(past.answers))
        past.ttl_ms, past.used_ms = request.ttl_ms, now_ms
        return Opened(len(past.answers))

    def _closed(self, name: bytes) -> Answer:
        if name in self._living:
            self._end(name)
            self.counts["sessions closed"] += 1
        past = self._pasts.get(name)
        return Ended(None if past is None else len(past.answers))

    def _performed(self, request: Perform, now_ms: int, answer: Answer) -> None:
        past = self._pasts.get(request.session)
        if past is not None and not past.is_over:
            past.used_ms = now_ms
            past.confirmed = max(past.confirmed, min(request.confirmed, len(past.answers)))
            if request.sequence == len(past.answers):
                self._used_up(past, request, answer)
                return
        expected = self._without_effect(past, request)
        self._expect(expected, request, answer)
        if isinstance(expected, Early):
            self.counts["early"] += 1
        elif not isinstance(expected, Ended):
            self.counts["answered from memory"] += 1

    @staticmethod
    def _without_effect(past: Past | None, request: Perform) -> Answer:
        """The answer to a command that is not the next one of a living session."""
        if past is None:
            return Ended(None)
        if past.is_over:
            return Ended(len(past.answers))
        if request.sequence > len(past.answers):
            return Early(len(past.answers))
        return Confirmed() if request.sequence < past.confirmed else past.answers[request.sequence]

    def _used_up(self, past: Past, request: Perform, answer: Answer) -> None:
        """The next command of a living session."""
        if request.command is None:
            check(answer == Withdrawn(), f"a number without a command is used up for nothing, and not with {answer}")
        else:
            order = self.orders[request.command]
            whose = (order.session, order.sequence)
            check(whose == (request.session, request.sequence), f"number {order.number} comes under its own sequence")
            self._applied(order, answer)
            self.counts["commands in sessions"] += 1
        past.answers.append(answer)

    def _applied(self, order: Order, answer: Answer) -> None:
        """The machine is given an order, for the first time."""
        check(order.decided is None, f"number {order.number} is given to the machine once")
        check(not order.is_void, f"number {order.number} is never applied: its client was told so")
        check(isinstance(answer, Done | Failed), f"number {order.number} gives a result, and not {answer}")
        has_receipt = isinstance(answer, Done) and receipt_in(answer.result) is not None
        check(not (has_receipt and order.failing), f"number {order.number} fails as it is told to")
        if has_receipt:
            added = self._added.popleft() if self._added else None
            check(added == order.number, f"number {order.number} is added where its client has a receipt, not {added}")
        order.decided = answer if isinstance(answer, Done | Failed) else None

    # --- what clients were told ---

    def told(self, order: Order, settled: Settled) -> None:
        """A client has the one outcome of its order."""
        check(order.told is None, f"number {order.number} has one outcome")
        order.told = settled
        match settled:
            case Done() | Failed():
                check(settled == order.decided, f"number {order.number} gave {order.decided}, and not {settled}")
            case Withdrawn():
                self._void(order)
            case Confirmed():
                check(False, f"the reply to number {order.number} is kept until its client has it")

    def told_of_end(self, order: Order, ended: Ended, *, is_withdrawn: bool) -> None:
        """A client learns that its session ended with an order unanswered."""
        check(ended.sequence is not None, f"session {order.session!r} is remembered after its end")
        if ended.sequence is not None and order.sequence < ended.sequence:
            # Its number is used up: by the command itself, unless its client had withdrawn it.
            was_applied = order.decided is not None
            check(was_applied or is_withdrawn, f"number {order.number} was applied: {ResultLost.__name__}")
            self.counts["results lost"] += was_applied
            order.is_void = not was_applied
        else:
            self._void(order)
            self.counts[f"told: {SessionEnded.code}"] += 1
        order.told = ended

    def _void(self, order: Order) -> None:
        check(order.decided is None, f"number {order.number} was not applied: its client was told so")
        order.is_void = True

    def repeated(self, order: Order, answer: Answer, *, is_afterthought: bool) -> None:
        """An order that has its outcome is answered once more; ``is_afterthought`` if it was sent again after that."""
        self.counts["answered twice"] += 1
        match answer:
            case Confirmed():
                pass
            case Early():
                # The request travelled while another one for the same number was answered.
                check(not is_afterthought, f"number {order.number} had been used up, and comes too early for {answer}")
            case Ended(sequence=sequence):
                was_used_up = sequence is not None and sequence > order.sequence
                check(was_used_up or order.is_void, f"number {order.number} had been used up before the session ended")
            case Withdrawn():
                check(order.is_void, f"number {order.number} is answered as before, and not by {answer}")
            case _:
                check(answer == order.decided, f"number {order.number} is answered as before, and not by {answer}")


def _words(request: Request) -> str:
    """A request without its contents."""
    if isinstance(request, Perform):
        return f"number {request.sequence} of session {request.session!r}"
    return f"the {type(request).__name__} of {getattr(request, 'session', b'nobody')!r}"
