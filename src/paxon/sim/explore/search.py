"""The walk over every state of a small world, breadth first, so that the first broken rule has a shortest story.

Theory of operation.  A state is the members' seats, each a number, and the post, a set of bits.
What an event does to a seat is worked out once (``steps``); from then on it is a look-up.

Symmetry.  Each round belongs to at most one member.  That is no restriction: the core only compares
ballots, and takes any number above those it knows, so a run whose ballots are, in order,
b1 < b2 < ... < bk goes the same way when they are called 1, 2, ..., k.  Then no ballot is ever decided by its
owner's name, members differ in nothing but their names, and states that are renamings of
each other are one: of up to ``n!`` of them only the first is kept.  What commands say is no
matter either: one name for all of them is enough (``steps.Propose``).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import permutations

from msgspec import Struct, field

from paxon.core.decree import Ballot, NodeId
from paxon.core.roster import Majority, Roster, Rosters
from paxon.errors import InvariantViolation
from paxon.sim.explore.post import Post, Sent, is_spent
from paxon.sim.explore.rules import View
from paxon.sim.explore.seat import Renaming, Seat, renamed_seat
from paxon.sim.explore.steps import Ask, Crash, Deliver, Event, Step, Try, own_events, steps_of

State = tuple[int, ...]
"""The seats of all members by number, then the post."""


class Bounds(Struct, frozen=True):
    """How large the world is."""

    members: int = 3
    ballots: int = 2
    """How many ballots there may be, whoever conducts them."""
    each: int = 9
    """How many of them one member may conduct."""
    slots: int = 1
    crashes: int = 0
    catch_up: bool = False
    """Whether members may ask each other for decrees out of the blue."""
    only_agreement: bool = False
    """Whether to look past every other broken rule, to a disagreement."""


class Move(Struct):
    """A step, in numbers."""

    seat: int
    posted: int
    needs: int
    """How many crashes it has taken, this member's, when the step is over."""
    step: Step
    checked: set[int] = field(default_factory=set)
    """The facts with which its claims were found right."""


class Place(Struct):
    """A seat with what is known of it."""

    number: int
    seat: Seat
    crashes: int
    own: list[tuple[Event, tuple[Move, ...]]] | None = None
    answers: dict[int, tuple[Move, ...]] = field(default_factory=dict)
    """What each letter does, by bit."""
    asked: dict[Ask, tuple[Move, ...]] = field(default_factory=dict)
    idle: int = 0
    """Letters that do nothing here."""
    judged: int = 0
    spent: int = 0
    """Letters, of those judged, that can never again do anything here."""


class Report(Struct):
    """What a search has seen."""

    bounds: Bounds
    states: int = 0
    transitions: int = 0
    depth: int = 0
    is_complete: bool = False
    seats: int = 0
    letters: int = 0
    wall_s: float = 0.0
    violation: str | None = None
    path: list[State] = field(default_factory=list)
    last: tuple[int, Step] | None = None
    """Where in ``path[-1]`` the rule broke, and the step that broke it."""


class Search:
    """All states of one world."""

    def __init__(self, bounds: Bounds, *, symmetry: bool = True, forget: bool = True) -> None:
        self.bounds = bounds
        self.members = tuple(NodeId(number) for number in range(1, bounds.members + 1))
        self.rosters = Rosters(Roster(Majority(self.members)))
        orders = list(permutations(self.members)) if symmetry else [self.members]
        self._renamings: list[Renaming] = [{NodeId(0): NodeId(0), **dict(zip(self.members, order, strict=True))} for order in orders]
        # Where the member that takes each place came from.
        self._origins = [
            tuple(order.index(member) for member in self.members) for order in orders
        ]
        self.post = Post(self.members, self._renamings)
        self.places: list[Place] = []
        self._numbers: dict[Seat, int] = {}
        self._renamed: list[list[int]] = [[] for _ in orders]
        self._views: dict[int, View] = {}
        self._forget = forget
        self._majority = bounds.members // 2 + 1
        self._rounds = list(range(1, bounds.ballots + 1))

    @property
    def start(self) -> State:
        """Empty ledgers, and nothing said."""
        return self.canonical((*(self.number(Seat(member)) for member in self.members), 0))

    # --- numbers ---

    def number(self, seat: Seat) -> int:
        """The number of a seat.  All its renamings get theirs together."""
        found = self._numbers.get(seat)
        if found is not None:
            return found
        versions = [renamed_seat(seat, renaming) for renaming in self._renamings]
        for version in versions:
            if version not in self._numbers:
                self._numbers[version] = len(self.places)
                self.places.append(Place(len(self.places), version, version.life + version.stalled))
        for version in dict.fromkeys(versions):
            for which, renaming in enumerate(self._renamings):
                self._renamed[which].append(self._numbers[renamed_seat(version, renaming)])
        return self._numbers[seat]

    def canonical(self, state: State) -> State:
        """The first of all renamings of ``state``."""
        post = state[-1]
        best = state[:-1]
        ways = [0]
        for which in range(1, len(self._renamings)):
            table, origin = self._renamed[which], self._origins[which]
            seats = tuple([table[state[place]] for place in origin])
            if seats < best:
                best, ways = seats, [which]
            elif seats == best:
                ways.append(which)
        if len(ways) == 1:
            return (*best, self.post.renamed(post, ways[0]) if ways[0] else post)
        return (*best, min(self.post.renamed(post, which) if which else post for which in ways))

    # --- one state ---

    def successors(self, state: State) -> Iterator[tuple[int, Move, State]]:
        """Every move in ``state``: who makes it, the move, and the state it leads to, not canonical."""
        post, seats = state[-1], state[:-1]
        crashes = sum([self.places[seat].crashes for seat in seats])
        for who, member in enumerate(self.members):
            place = self.places[seats[who]]
            room = self.bounds.crashes - crashes + place.crashes
            for moves in self._open(place, member, post, seats):
                for move in moves:
                    if move.needs <= room:
                        yield who, move, self._moved(state, who, move)

    def _open(self, place: Place, member: NodeId, post: int, seats: Sequence[int]) -> Iterator[tuple[Move, ...]]:
        if place.own is None:
            events = own_events(place.seat, self.bounds.ballots, self.bounds.slots)
            place.own = [(event, self._moves(place, event)) for event in events]
        for event, moves in place.own:
            if not isinstance(event, Try) or self._may_try(member, event.round, post):
                yield moves
        letters = post & self.post.inbox[member] & ~place.idle
        while letters:
            bit = letters & -letters
            letters ^= bit
            moves = place.answers.get(bit)  # type: ignore[assignment]
            if moves is None:
                letter = self.post.posted[bit.bit_length() - 1]
                moves = self._moves(place, Deliver(letter)) if isinstance(letter, Sent) else ()
                place.answers[bit] = moves
                if not moves:
                    place.idle |= bit
            yield moves
        if self.bounds.catch_up:
            for number in seats:
                asker = self.places[number].seat
                ask = Ask(asker.me, asker.ledger.passed_until)
                if asker.me != member:
                    if ask not in place.asked:
                        place.asked[ask] = self._moves(place, ask)
                    yield place.asked[ask]

    def _may_try(self, member: NodeId, round_: int, post: int) -> bool:
        used, mine = self.post.used, 0
        for ballot, bit in used.items():
            if post & bit:
                if ballot.owner == member:
                    mine += ballot.round != round_
                elif ballot.round == round_:
                    return False
        return mine < self.bounds.each

    def _moves(self, place: Place, event: Event) -> tuple[Move, ...]:
        """The moves that ``event`` makes possible, without those that change nothing."""
        moves = []
        for step in steps_of(place.seat, event, self.rosters):
            if self.bounds.only_agreement:
                if step.broken is not None and step.seat is place.seat:
                    continue
                step.broken = None
            seat = self.number(step.seat)
            posted = self.post.mask(step.posted)
            if seat == place.number and not posted and step.broken is None:
                continue
            moves.append(Move(seat, posted, self.places[seat].crashes, step))
        return tuple(moves)

    def _moved(self, state: State, who: int, move: Move) -> State:
        post = state[-1] | move.posted
        seats = list(state[:-1])
        seats[who] = move.seat
        if self._forget:
            for member, seat in zip(self.members, seats, strict=True):
                place = self.places[seat]
                inbox = post & self.post.inbox[member]
                fresh = inbox & ~place.judged
                if fresh:
                    self._judge(place, fresh)
                post ^= inbox & place.spent
        return (*seats, post)

    def _judge(self, place: Place, letters: int) -> None:
        place.judged |= letters
        while letters:
            bit = letters & -letters
            letters ^= bit
            letter = self.post.posted[bit.bit_length() - 1]
            if isinstance(letter, Sent) and is_spent(place.seat, letter.message):
                place.spent |= bit

    def check(self, who: int, move: Move, after: State) -> None:
        """The rules, for what changed.

        Raises:
            InvariantViolation: the rule that is broken.
        """
        if move.step.broken is not None:
            raise InvariantViolation(move.step.broken)
        facts = after[-1] & self.post.facts
        if facts in move.checked:
            return
        view = self._views.get(facts)
        if view is None:
            view = View(self.post.read(facts), self._majority, self.bounds.only_agreement)
            self._views[facts] = view
        if not self.bounds.only_agreement:
            for claim in move.step.claims:
                view.check_claim(self.members[who], claim)
        move.checked.add(facts)

    # --- all of them ---

    def run(
        self,
        states_max: int | None = None,
        depth_max: int | None = None,
        progress: Callable[[Report, int], None] | None = None,
    ) -> Report:
        """Visit every state, or as many as allowed."""
        report = Report(self.bounds)
        began = time.perf_counter()
        start = self.start
        parents: dict[State, State | None] = {start: None}
        frontier = [start]
        while frontier and report.violation is None:
            report.states, report.wall_s = len(parents), time.perf_counter() - began
            if progress is not None:
                progress(report, len(frontier))
            if depth_max is not None and report.depth >= depth_max:
                break
            if states_max is not None and len(parents) >= states_max:
                break
            frontier = self._level(frontier, parents, report)
            report.depth += bool(frontier)
        report.is_complete = not frontier and report.violation is None
        report.states, report.wall_s = len(parents), time.perf_counter() - began
        report.seats, report.letters = len(self.places), len(self.post.posted)
        return report

    def _level(self, frontier: list[State], parents: dict[State, State | None], report: Report) -> list[State]:
        found = []
        canonical, transitions = self.canonical, 0
        for state in frontier:
            for who, move, after in self.successors(state):
                transitions += 1
                try:
                    self.check(who, move, after)
                except InvariantViolation as violation:
                    report.violation = str(violation)
                    report.last = (who, move.step)
                    report.path = _path(state, parents)
                    return found
                known = canonical(after)
                if known not in parents:
                    parents[known] = state
                    found.append(known)
        report.transitions += transitions
        return found


def _path(state: State, parents: dict[State, State | None]) -> list[State]:
    path = [state]
    while (before := parents[path[-1]]) is not None:
        path.append(before)
    return path[::-1]
