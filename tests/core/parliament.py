"""A parliament in virtual time: real legislators, and a post office and disks that do what a test says.

Everything is decided by the arguments: how long a letter travels (``delivery_ms``), how long
its recipient takes to act on it (``reaction_ms``), how long ink takes to dry (``sync_ms``), what
each member draws by chance, which letters are lost (``loses``) or doubled (``copies``), and whether
letters wait for the ink at all (``honours_after``).  After every step the
outcomes of all members, dead or alive, are compared.
"""

from collections.abc import Callable, Mapping
from heapq import heappop, heappush

from msgspec import Struct, field

from paxon.core.decree import NO_BALLOT, Ballot, Decree, NodeId, Slot
from paxon.core.effects import Effects, Letter
from paxon.core.ledger import Ledger, Outcome, Record
from paxon.core.legislator import Legislator
from paxon.core.messages import HandOver, Message, Success
from paxon.core.roster import Majority, QuorumSystem, Roster, Rosters
from paxon.core.slip import Polling
from paxon.core.timing import Timing

RECALLED_SLOTS = 64
"""How many decrees the host reads from the file for one ``Recall``."""


AT_ONCE_MAX = 20_000
"""So many events at one instant are a deadline that never gets later."""


class Sent(Struct, frozen=True):
    """A letter that has left its sender's hands."""

    at_ms: int
    sender: NodeId
    to: NodeId
    message: Message


class Seat(Struct):
    """One member: what its disk holds, and its present life if it is up."""

    me: NodeId
    legislator: Legislator | None = None
    life: int = 0
    steps: int = 0
    durable: list[Record] = field(default_factory=list)
    drying: list[Record] = field(default_factory=list)
    waiting: list[Letter] = field(default_factory=list)
    """Letters whose line is not durable yet, and those behind them that also wait for one."""
    passed: dict[Slot, Decree] = field(default_factory=dict)
    """What this member ever said has passed; a crash does not take back what was said."""
    passed_ms: dict[Slot, int] = field(default_factory=dict)
    """When it first said so."""
    readings: dict[int, Slot | None] = field(default_factory=dict)

    def records(self) -> list[Record]:
        """Everything written in this life or before, durable or not."""
        return [*self.durable, *self.drying]


class Parliament:
    """Seats, a post office and a clock."""

    def __init__(
        self,
        quorums: QuorumSystem | int = 3,
        *,
        timing: Timing = Timing(),  # noqa: B008 - a frozen value
        delivery_ms: int = 1,
        reaction_ms: int = 0,
        sync_ms: int = 0,
        chance: Callable[[NodeId], int] = lambda me: 10 * me,
        skew_ms: Mapping[NodeId, int] | None = None,
        timings: Mapping[NodeId, Timing] | None = None,
        honours_after: bool = True,
        absent: tuple[NodeId, ...] = (),
    ) -> None:
        if isinstance(quorums, int):
            quorums = Majority(tuple(NodeId(number) for number in range(1, quorums + 1)))
        self.rosters = Rosters(Roster(quorums))
        self.members = quorums.members
        self.timing = timing
        self.now_ms = 0
        self.sent: list[Sent] = []
        self.loses: Callable[[Sent], bool] = lambda sent: False
        self.copies: Callable[[Sent], list[int]] = lambda sent: []
        """How much later than the original further copies of a letter arrive."""
        self.passed: dict[Slot, Decree] = {}
        self.seats = {me: Seat(me) for me in self.members}
        self._delivery_ms = delivery_ms
        self._reaction_ms = reaction_ms
        self._sync_ms = sync_ms
        self._chance = chance
        self._skew_ms = skew_ms or {}
        self._timings = timings or {}
        self._honours_after = honours_after
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._planned = 0
        self._at_once = 0
        for me in self.members:
            if me not in absent:
                self.start(me)

    # --- who is here ---

    def __getitem__(self, me: NodeId) -> Legislator:
        legislator = self.seats[me].legislator
        assert legislator is not None, f"member {me} is away"
        return legislator

    @property
    def alive(self) -> list[NodeId]:
        """The members in the chamber."""
        return [me for me, seat in self.seats.items() if seat.legislator is not None]

    @property
    def presidents(self) -> list[NodeId]:
        """Everyone who believes to preside."""
        return [me for me in self.alive if isinstance(self[me].slip, Polling)]

    def start(self, me: NodeId) -> None:
        """Enter the chamber, with what the ledger says and an empty slip."""
        seat = self.seats[me]
        ledger = Ledger()
        for record in seat.durable:
            ledger.write(record)
        ledger.forget_what_the_file_keeps()
        seat.life += 1
        timing = self._timings.get(me, self.timing)
        seat.legislator = Legislator(me, ledger, self.rosters, timing, self.now_ms, self._chance(me))
        self._plan_waking(seat)

    def crash(self, me: NodeId) -> None:
        """Leave without notice.  What was not durable is lost, and so are letters that waited for it."""
        seat = self.seats[me]
        seat.legislator = None
        seat.drying.clear()
        seat.waiting.clear()

    # --- what members are asked to do ---

    def propose(self, me: NodeId, *texts: str) -> Slot:
        """Have the president ``me`` begin one decree.  Returns its slot."""
        slot = self[me].next_slot
        assert slot is not None, f"member {me} presides"
        commands = tuple(text.encode() for text in texts)
        wall_ms = self.now_ms + self._skew_ms.get(me, 0)
        self._step(self.seats[me], lambda member: member.propose(commands, self.now_ms, wall_ms))
        return slot

    def read(self, me: NodeId, token: int) -> None:
        """Have ``me`` ask for a read barrier."""
        self._step(self.seats[me], lambda member: member.read(token, self.now_ms))

    def hand_over(self, me: NodeId) -> None:
        """Have ``me`` leave office."""
        self._step(self.seats[me], lambda member: member.hand_over(self.now_ms))

    def suspect(self, me: NodeId, peer: NodeId) -> None:
        """Tell ``me`` that its link to ``peer`` broke."""
        self._step(self.seats[me], lambda member: member.suspect(peer, self.now_ms))

    def stand(self, me: NodeId) -> Ballot:
        """Have ``me`` start a ballot at once, whatever it thinks of the president.  Returns the ballot."""
        member = self[me]
        asker = next(other for other in self.members if other != me)
        request = HandOver(Ballot(member.ledger.next_ballot.round + 1, asker), member.ledger.passed_until)
        self._step(self.seats[me], lambda member: member.receive(asker, request, self.now_ms))
        slip = member.slip
        assert slip is not None, f"member {me} stands"
        return slip.ballot

    def receive(self, me: NodeId, sender: NodeId, message: Message) -> None:
        """Have a letter arrive that nobody in this run has sent: a late one, or a second copy."""
        seat = self.seats.get(me)
        if seat is not None and seat.legislator is not None:
            self._step(seat, lambda member: member.receive(sender, message, self.now_ms))

    # --- time ---

    def run_for(self, duration_ms: int) -> None:
        """Let time pass."""
        until_ms = self.now_ms + duration_ms
        while self._agenda and self._agenda[0][0] <= until_ms:
            self._next()
        self.now_ms = until_ms

    def run_until(self, happened: Callable[[], bool], within_ms: int = 60_000) -> int:
        """Let time pass until ``happened``, and fail if it has not within the limit.  Returns when."""
        limit_ms = self.now_ms + within_ms
        while not happened():
            assert self._agenda, "something is always planned"
            assert self._agenda[0][0] <= limit_ms, f"not within {within_ms} ms"
            self._next()
        return self.now_ms

    def elect(self, within_ms: int = 60_000) -> NodeId:
        """Let time pass until there is one president that may propose and that all others here have heard."""

        def settled() -> bool:
            presidents = self.presidents
            if len(presidents) != 1 or not self[presidents[0]].may_propose:
                return False
            return all(self[me].president == self[presidents[0]].president for me in self.alive)

        self.run_until(settled, within_ms)
        return self.presidents[0]

    def pass_decree(self, text: str, within_ms: int = 60_000) -> Slot:
        """Propose at the one president and wait until everyone here knows the outcome.

        A letter that was late may still depose that president; then its successor is asked.
        """
        limit_ms = self.now_ms + within_ms
        while True:
            president = self.elect(limit_ms - self.now_ms)
            conducted = self[president].president
            slot = self.propose(president, text)

            def is_known(slot: Slot = slot) -> bool:
                return all(self[me].ledger.knows(slot) for me in self.alive)

            def is_deposed(president: NodeId = president, conducted: Ballot | None = conducted) -> bool:
                return self[president].slip is None or self[president].president != conducted

            self.run_until(lambda: is_known() or is_deposed(), limit_ms - self.now_ms)
            if is_known():
                return slot

    # --- what was said ---

    def letters(self, kind: type[Message], since_ms: int = 0, *, to_self: bool = True) -> list[Sent]:
        """The letters of one kind that left since then, lost ones included."""
        return [
            sent
            for sent in self.sent
            if isinstance(sent.message, kind) and sent.at_ms >= since_ms and (to_self or sent.to != sent.sender)
        ]

    def texts(self, me: NodeId) -> list[str]:
        """What ``me`` says has passed, in slot order: each decree as text, a no-op as an empty one."""
        passed = self.seats[me].passed
        return ["+".join(command.decode() for command in passed[slot].commands) for slot in sorted(passed)]

    # --- inside ---

    def _next(self) -> None:
        at_ms, _, action = heappop(self._agenda)
        self._at_once = self._at_once + 1 if at_ms <= self.now_ms else 0
        assert self._at_once < AT_ONCE_MAX, "time goes on"
        self.now_ms = max(self.now_ms, at_ms)
        action()

    def _plan(self, at_ms: int, action: Callable[[], None]) -> None:
        self._planned += 1
        heappush(self._agenda, (at_ms, self._planned, action))

    def _plan_waking(self, seat: Seat) -> None:
        legislator = seat.legislator
        if legislator is None:
            return
        seat.steps += 1
        steps = seat.steps

        def wake() -> None:
            if seat.steps == steps and seat.legislator is legislator:
                self._step(seat, lambda member: member.on_deadline(self.now_ms, self._chance(seat.me)))

        self._plan(max(self.now_ms, legislator.next_deadline()), wake)

    def _step(self, seat: Seat, act: Callable[[Legislator], Effects]) -> None:
        legislator = seat.legislator
        assert legislator is not None, f"member {seat.me} is away"
        effects = act(legislator)
        seat.drying.extend(effects.records)
        seat.waiting.extend(effects.letters)
        for slot, decree in effects.passed:
            assert self.passed.setdefault(slot, decree) == decree, f"two decrees passed in slot {slot}"
            assert seat.passed.setdefault(slot, decree) == decree, f"member {seat.me} changed slot {slot}"
            seat.passed_ms.setdefault(slot, self.now_ms)
        for reading in effects.readings:
            assert reading.token not in seat.readings, f"read {reading.token} is answered twice"
            seat.readings[reading.token] = reading.passed_until
        for recall in effects.recalls:
            until = min(recall.from_slot + RECALLED_SLOTS, legislator.ledger.passed_until)
            told = tuple(Outcome(Slot(slot), seat.passed[Slot(slot)]) for slot in range(recall.from_slot, until))
            seat.waiting.append(Letter(recall.to, Success(NO_BALLOT, legislator.ledger.passed_until, told)))
        if self._sync_ms and effects.records:
            line = legislator.ledger.line
            self._plan(self.now_ms + self._sync_ms, lambda: self._dry(seat, legislator, line))
        if not self._sync_ms:
            self._dry(seat, legislator, legislator.ledger.line)
        else:
            self._release(seat)
        self._plan_waking(seat)

    def _dry(self, seat: Seat, legislator: Legislator, line: int) -> None:
        if seat.legislator is legislator:
            dried = line - len(seat.durable)
            seat.durable.extend(seat.drying[:dried])
            del seat.drying[:dried]
            self._release(seat)

    def _release(self, seat: Seat) -> None:
        line = len(seat.durable) if self._honours_after else len(seat.records())
        free = [letter for letter in seat.waiting if letter.after <= line]
        seat.waiting = [letter for letter in seat.waiting if letter.after > line]
        for letter in free:
            sent = Sent(self.now_ms, seat.me, letter.to, letter.message)
            self.sent.append(sent)
            if not self.loses(sent):
                way_ms = 0 if letter.to == seat.me else self._delivery_ms
                for late_ms in (0, *self.copies(sent)):
                    self._plan(self.now_ms + way_ms + self._reaction_ms + late_ms, self._arrival(sent))

    def _arrival(self, sent: Sent) -> Callable[[], None]:
        return lambda: self.receive(sent.to, sent.sender, sent.message)
