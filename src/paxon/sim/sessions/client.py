"""One client with one session: sends again whatever has no answer, gives up now and then, goes away or comes back.

Knows: what the submitting side that ships (``rsm.submitter``) makes of answers, and how a client that
means to annoy behaves.  Does not know: members, or whether what it is told is right.
"""

from collections.abc import Callable
from typing import Protocol

from paxon.rsm.session_requests import Close, Ended, Open, answers_of, decode_answer, encode
from paxon.rsm.submitter import Submitter
from paxon.sim.agenda import Agenda
from paxon.sim.dice import Dice
from paxon.sim.post import Ending, Post
from paxon.sim.sessions.judge import Judge, Order
from paxon.sim.sessions.machine import Failing

IN_FLIGHT_MAX = 16
"""Commands of one session without an answer; a client that has so many waits."""

TTL_MS = (300, 8_000)
"""How long sessions live without a command: from less than an outage to more than most."""

PAUSE_MS = (5, 250)
"""Before what failed is sent again."""

DEADLINE_MS = (100, 12_000)
"""When a client gives a command up: it is withdrawn when it would be sent again after that."""

STRAYS = 0.1
"""How many requests go to another member than those before them, and may overtake them."""

BURST_MAX = 4
"""How many commands a client begins at once."""

TOGETHER = 0.5
"""How often commands that are sent at once travel as one."""

KEEPS_OPEN = 0.6
"""How many sessions are used again in time by their clients although there is nothing to do."""

CLOSES, LEAVES = 0.02, 0.02
"""How often a client closes its session, in the middle of whatever it does, or is never seen again."""

REPEATS = 0.05
"""How often a request that has its answer comes once more, as from a queue in which it was forgotten."""

REPEATED_AFTER_MS = (50, 6_000)


class Exchange(Protocol):
    """What a session needs of its surroundings."""

    agenda: Agenda
    judge: Judge
    post: Post
    random: Dice
    is_ending: bool

    def failing(self, number: int) -> Failing:
        """Whether the command with this number is to fail, and how."""

    def begin(self, order: Order) -> int:
        """A client begins with an order; returns the number under which its outcome is reported."""

    def settled(self, call: int, order: Order) -> None:
        """The client knows the outcome of its order."""

    def next_number(self) -> int:
        """A number that nobody had before."""


class SimSession:
    """One session, from before it is open until its client knows that it is over, or does not care any more."""

    def __init__(self, name: bytes, exchange: Exchange) -> None:
        self._exchange = exchange
        self._random = exchange.random
        self._submitter = Submitter(name)
        self._ttl_ms = self._random.randint(*TTL_MS)
        self._keeps_open = self._random.random() < KEEPS_OPEN
        self._orders: dict[int, Order] = {}
        self._calls: dict[int, int] = {}
        self._deadlines_ms: dict[int, int] = {}
        self._withdrawn: set[int] = set()
        self._unsent: set[int] = set()
        self._is_resending = False
        self._is_open = False
        self._member = exchange.post.some_member()
        """Where requests go, until one fails there."""
        self.is_over = False
        """Whether the client has turned its back on it."""
        self._open()

    @property
    def unanswered(self) -> int:
        """Commands whose outcome the client does not know."""
        return 0 if self.is_over else len(self._orders)

    def act(self) -> None:
        """Do one more thing."""
        if not self._is_open:
            return
        roll = self._random.random()
        if roll < CLOSES:
            self.close()
        elif roll < CLOSES + LEAVES:
            self._exchange.judge.counts["sessions left behind"] += 1
            self.is_over = True
        else:
            burst = min(self._random.randint(1, BURST_MAX), IN_FLIGHT_MAX - len(self._orders))
            begun = [self._begin_order() for _ in range(burst)]
            if self._unsent:
                # Whatever went ahead of those would come back as too early.
                self._unsent.update(begun)
            else:
                self._send_all(begun)

    def close(self) -> None:
        """End the session, whatever is under way in it."""
        self.is_over = True
        # Once: if it gets lost, the session ends by itself.
        self._exchange.post.submit(self._member, encode(Close(self._submitter.session)), lambda ending: None)

    # --- opening ---

    def _open(self) -> None:
        """Open the session, or use it so that it does not end."""

        def heard(ending: Ending) -> None:
            if self.is_over:
                return
            answer = decode_answer(ending) if isinstance(ending, bytes) else None
            if isinstance(answer, Ended):
                self._on_ended(answer)
            elif answer is None and not self._is_open:
                self._later(PAUSE_MS, "open again", open_again)
            elif answer is not None and not self._is_open:
                self._is_open = True
                if self._keeps_open:
                    self._keep_open_later()

        def open_again() -> None:
            if not self.is_over:
                self._open()

        self._attempt(encode(Open(self._submitter.session, self._ttl_ms)), heard)

    def _keep_open_later(self) -> None:
        def keep_open() -> None:
            if not self.is_over and not self._exchange.is_ending:
                self._open()
                self._keep_open_later()

        self._exchange.agenda.after(self._ttl_ms // 3, "keep session", keep_open)

    # --- commands ---

    def _begin_order(self) -> int:
        number = self._exchange.next_number()
        judge, submitter = self._exchange.judge, self._submitter
        sequence = submitter.next_number
        order, command = judge.order(submitter.session, sequence, number, self._exchange.failing(number))
        submitter.number(command)
        self._orders[sequence] = order
        self._calls[sequence] = self._exchange.begin(order)
        self._deadlines_ms[sequence] = self._exchange.agenda.now_ms + self._random.randint(*DEADLINE_MS)
        return sequence

    def _send_all(self, sequences: list[int]) -> None:
        """Send some commands together, or each by itself."""
        if len(sequences) > 1 and self._random.random() < TOGETHER:
            for run in _runs_of(sequences):
                self._send(run)
        else:
            for sequence in sequences:
                self._send(range(sequence, sequence + 1))

    def _send(self, sequences: range) -> None:
        orders = [self._orders[sequence] for sequence in sequences]
        requests = [self._submitter.request(sequence) for sequence in sequences]

        def heard(ending: Ending) -> None:
            if not isinstance(ending, bytes):
                for order in orders:
                    if self._orders.get(order.sequence) is order and not self.is_over:
                        self._send_again(order.sequence)
                return
            answers = [ending] if len(orders) == 1 else answers_of(ending, len(orders))
            for order, request, answer in zip(orders, requests, answers, strict=True):
                self._hear(order, request, answer)

        self._attempt(requests[0] if len(requests) == 1 else self._submitter.together(sequences), heard)

    def _hear(self, order: Order, request: bytes, answer: bytes) -> None:
        if self._orders.get(order.sequence) is not order:
            if order.told is not None:
                self._exchange.judge.repeated(order, decode_answer(answer), is_afterthought=False)
        elif not self.is_over:
            self._on_answer(order.sequence, request, answer)

    def _attempt(self, request: bytes, heard: Callable[[Ending], None]) -> None:
        """Submit a request where the last one went well, or somewhere else."""
        post = self._exchange.post
        member = post.some_member() if self._random.random() < STRAYS else self._member

        def hear(ending: Ending) -> None:
            if not isinstance(ending, bytes) and member == self._member:
                self._member = post.some_member()
            heard(ending)

        post.attempt(member, request, hear)

    def _on_answer(self, sequence: int, request: bytes, answer: bytes) -> None:
        settled = self._submitter.on_answer(sequence, answer)
        if settled is None:
            self._send_again(sequence)
            return
        if isinstance(settled, Ended):
            self._on_ended(settled)
            return
        order = self._orders.pop(sequence)
        self._exchange.judge.told(order, settled)
        self._exchange.settled(self._calls.pop(sequence), order)
        if self._random.random() < REPEATS:
            self._later(REPEATED_AFTER_MS, "late repetition", lambda: self._repeat(order, request))

    def _repeat(self, order: Order, request: bytes) -> None:
        def heard(ending: Ending) -> None:
            if isinstance(ending, bytes):
                self._exchange.judge.repeated(order, decode_answer(ending), is_afterthought=True)

        if not self._exchange.is_ending:
            self._exchange.post.submit(self._exchange.post.some_member(), request, heard)

    def _send_again(self, sequence: int) -> None:
        self._unsent.add(sequence)
        if not self._is_resending:
            self._is_resending = True
            self._later(PAUSE_MS, "resend", self._resend)

    def _resend(self) -> None:
        self._is_resending = False
        unsent, self._unsent = sorted(self._unsent), set()
        counts = self._exchange.judge.counts
        again = [] if self.is_over else [sequence for sequence in unsent if sequence in self._orders]
        for sequence in again:
            if self._deadlines_ms[sequence] <= self._exchange.agenda.now_ms and sequence not in self._withdrawn:
                self._withdrawn.add(sequence)
                self._submitter.withdraw(sequence)
                counts["withdrawals"] += 1
        counts["resends"] += len(again)
        self._send_all(again)

    def _on_ended(self, ended: Ended) -> None:
        """The session is over although its client did not want that: each order has an outcome now."""
        self.is_over = True
        orders, self._orders = self._orders, {}
        for sequence, order in orders.items():
            self._exchange.judge.told_of_end(order, ended, is_withdrawn=sequence in self._withdrawn)
            self._exchange.settled(self._calls[sequence], order)

    def _later(self, range_ms: tuple[int, int], label: str, action: Callable[[], None]) -> None:
        self._exchange.agenda.after(self._random.randint(*range_ms), label, action)


def _runs_of(sequences: list[int]) -> list[range]:
    """Rising numbers, cut into those that follow one another."""
    runs: list[range] = []
    for sequence in sequences:
        if runs and runs[-1].stop == sequence:
            runs[-1] = range(runs[-1].start, sequence + 1)
        else:
            runs.append(range(sequence, sequence + 1))
    return runs
