"""A small world in numbers: its states, and the moves from each.

Theory of operation.  A state is the members' seats, each a number, and the post, a set of bits.
What an event does to a seat is worked out once (``steps``); from then on it is a look-up.

Symmetry.  Each round belongs to at most one member.  That is no restriction: the core only compares
ballots, and takes any number above those it knows, so a run whose ballots are, in order,
b1 < b2 < ... < bk goes the same way when they are called 1, 2, ..., k.  Then no ballot is ever decided by its
owner's name, members differ in nothing but their names, and states that are renamings of
each other are one: of up to ``n!`` of them only the first is kept.  What commands say is no
matter either: one name for all of them is enough (``steps``).

Haste, if asked for, leaves out interleavings that change no ledger and no vote:

* A president proposes in all its slots, and tells what has passed, at once.  Letters only get
  more, and may be delivered as late as before.  That a ``BeginBallot`` would have claimed more if
  sent later is no loss, because the news is told by itself as well.  Nor does a slot not yet begun keep office
  longer: a foreign decree in it ends the ballot either way.
* A letter that is merely counted, and teaches nothing, waits for the one that completes the count, and
  both are delivered in one move.  Nothing looks at a count in between.
"""

from collections.abc import Iterator, Sequence
from itertools import permutations

from msgspec import Struct, field

from paxon.core.decree import NodeId
from paxon.core.messages import LastVote, Voted
from paxon.core.roster import Majority, Roster, Rosters
from paxon.errors import InvariantViolation
from paxon.sim.explore.post import Post, Sent, count_of, is_spent
from paxon.sim.explore.rules import View
from paxon.sim.explore.seat import Polled, Renaming, Seat, renamed_seat
from paxon.sim.explore.steps import Ask, Deliver, Event, Propose, Step, Tell, Try, own_events, steps_of

State = tuple[int, ...]
"""The seats of all members by number, then the post."""


class Bounds(Struct, frozen=True):
    """How large the world is, and how it is walked."""

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
    symmetry: bool = True
    forget: bool = True
    """Whether letters that can do nothing any more are taken out."""
    haste: bool = True


class Move(Struct):
    """One way in which an event at one seat may end."""

    seat: int
    posted: int
    crashes: int
    """How many this member has taken, or owes, when it is over."""
    steps: tuple[Step, ...]
    checked: set[int] = field(default_factory=set)
    """The facts with which its claims were found right."""


class Place(Struct):
    """A seat with what is known of it."""

    number: int
    seat: Seat
    crashes: int
    own: list[tuple[int, tuple[Move, ...]]] | None = None
    """What may happen without a letter; with the round, if it is a new ballot's."""
    answers: dict[int, tuple[Move, ...]] = field(default_factory=dict)
    """What each letter does, by bit."""
    asked: dict[Ask, tuple[Move, ...]] = field(default_factory=dict)
    idle: int = 0
    """Letters that do nothing here."""
    counted: int = 0
    """Letters that are merely counted here."""
    judged: int = 0
    spent: int = 0
    """Letters, of those judged, that can never again do anything here."""


class World:
    """All that may happen within some bounds."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.members = tuple(NodeId(number) for number in range(1, bounds.members + 1))
        self._rosters = Rosters(Roster(Majority(self.members)))
        orders = list(permutations(self.members)) if bounds.symmetry else [self.members]
        nobody = NodeId(0)
        self._renamings: list[Renaming] = [
            {nobody: nobody, **dict(zip(self.members, order, strict=True))} for order in orders
        ]
        self._origins = [tuple(order.index(member) for member in self.members) for order in orders]
        """For each renaming: who takes each place."""
        self.post = Post(self.members, self._renamings)
        self.places: list[Place] = []
        self._numbers: dict[Seat, int] = {}
        self._renamed: list[list[int]] = [[] for _ in orders]
        self._views: dict[int, View] = {}

    @property
    def start(self) -> State:
        """Empty ledgers, and nothing said."""
        return self.canonical((*(self._number(Seat(member)) for member in self.members), 0))

    def canonical(self, state: State) -> State:
        """The first of all renamings of ``state``."""
        post = state[-1]
        best = state[:-1]
        ways = [0]
        for which in range(1, len(self._renamings)):
            table = self._renamed[which]
            seats = tuple([table[state[origin]] for origin in self._origins[which]])
            if seats < best:
                best, ways = seats, [which]
            elif seats == best:
                ways.append(which)
        if len(ways) == 1:
            return (*best, self.post.renamed(post, ways[0]) if ways[0] else post)
        return (*best, min(self.post.renamed(post, which) if which else post for which in ways))

    def moves(self, state: State) -> Iterator[tuple[int, Sequence[Move], State]]:
        """Everything that may happen in ``state``: to whom, what, and the state after it, not canonical."""
        post, seats = state[-1], state[:-1]
        places = [self.places[seat] for seat in seats]
        left = self.bounds.crashes - sum([place.crashes for place in places])
        for who, place in enumerate(places):
            room = left + place.crashes
            for chain in self._chains(place, post):
                if chain[-1].crashes <= room:
                    yield who, chain, self._after(state, who, chain[-1])
            if self.bounds.catch_up:
                for move in self._questions(place, places):
                    if move.crashes <= room:
                        yield who, (move,), self._after(state, who, move)

    def check(self, who: int, chain: Sequence[Move], after: State) -> None:
        """The rules, for what changed.

        Raises:
            InvariantViolation: the rule that is broken.
        """
        move = chain[-1]
        facts = after[-1] & self.post.facts
        if facts in move.checked:
            return
        for step in move.steps:
            if step.broken is not None:
                raise InvariantViolation(step.broken)
        view = self._views.get(facts)
        if view is None:
            view = View(self.post.read(facts), len(self.members) // 2 + 1, self.bounds.only_agreement)
            self._views[facts] = view
        if not self.bounds.only_agreement:
            for step in move.steps:
                for claim in step.claims:
                    view.check_claim(self.members[who], claim)
        move.checked.add(facts)

    # --- moves ---

    def _chains(self, place: Place, post: int) -> Iterator[Sequence[Move]]:
        """What may happen at ``place``: single moves, or letters that are counted together."""
        if place.own is None:
            place.own = [
                (event.round if isinstance(event, Try) else 0, self._moves_for(place, event))
                for event in own_events(place.seat, self.bounds.ballots, self.bounds.slots)
                if not (self.bounds.haste and isinstance(event, Propose | Tell))
            ]
        for round_, moves in place.own:
            if not round_ or self._may_try(place.seat.me, round_, post):
                for move in moves:
                    yield (move,)
        letters = post & self.post.inbox[place.seat.me]
        remaining = letters & ~place.idle
        while remaining:
            bit = remaining & -remaining
            remaining ^= bit
            moves = self._answers(place, bit)
            if not bit & place.counted:
                for move in moves:
                    yield (move,)
            elif self.bounds.haste:
                # Whatever was counted before this one has its chains already.
                yield from self._counted(moves, letters & self._counted_with(bit) & ~(place.counted & (bit - 1)))
            else:
                yield moves

    def _counted(self, counted: Sequence[Move], letters: int) -> Iterator[Sequence[Move]]:
        """A letter is counted, and then others of the same count, until it is complete."""
        place = self.places[counted[-1].seat]
        while letters:
            bit = letters & -letters
            letters ^= bit
            moves = self._answers(place, bit)
            if bit & place.counted:
                yield from self._counted((*counted, *moves), letters)
            else:
                for move in moves:
                    yield (*counted, move)

    def _counted_with(self, bit: int) -> int:
        letter = self.post.posted[bit.bit_length() - 1]
        count = count_of(letter) if isinstance(letter, Sent) else None
        return ~bit & self.post.counted_with[count] if count is not None else 0

    def _answers(self, place: Place, bit: int) -> tuple[Move, ...]:
        moves = place.answers.get(bit)
        if moves is None:
            letter = self.post.posted[bit.bit_length() - 1]
            moves = self._moves_for(place, Deliver(letter)) if isinstance(letter, Sent) else ()
            place.answers[bit] = moves
            if not moves:
                place.idle |= bit
            elif self._is_merely_counted(place, moves, letter):
                place.counted |= bit
        return moves

    def _is_merely_counted(self, place: Place, moves: Sequence[Move], letter: object) -> bool:
        """Whether only a count on the slip changes.  Takes note of the letters that belong to the same count."""
        if not isinstance(letter, Sent) or not isinstance(letter.message, LastVote | Voted):
            return False
        seat, steps = self.places[moves[0].seat].seat, moves[0].steps
        return (
            len(moves) == len(steps) == 1
            and not moves[0].posted
            and not steps[0].records
            and steps[0].broken is None
            and type(seat.slip) is type(place.seat.slip)
        )

    def _questions(self, place: Place, places: Sequence[Place]) -> Iterator[Move]:
        for other in places:
            if other is not place:
                ask = Ask(other.seat.me, other.seat.ledger.passed_until)
                if ask not in place.asked:
                    place.asked[ask] = self._moves_for(place, ask)
                yield from place.asked[ask]

    def _may_try(self, member: NodeId, round_: int, post: int) -> bool:
        mine = 0
        for ballot, bit in self.post.used.items():
            if post & bit:
                if ballot.owner == member:
                    mine += ballot.round != round_
                elif ballot.round == round_:
                    return False
        return mine < self.bounds.each

    def _moves_for(self, place: Place, event: Event) -> tuple[Move, ...]:
        """The moves that ``event`` makes possible, without those that change nothing."""
        moves = []
        for step in steps_of(place.seat, event, self._rosters):
            if self.bounds.only_agreement and step.broken is not None:
                if not step.records and not step.posted:
                    continue
                step.broken = None
            steps = (step, *self._hasty(place.seat, step.seat)) if self.bounds.haste else (step,)
            number = self._number(steps[-1].seat)
            posted = 0
            for one in steps:
                posted |= self.post.mask(one.posted)
            if number != place.number or posted or step.broken is not None:
                moves.append(Move(number, posted, self.places[number].crashes, steps))
        return tuple(moves)

    def _hasty(self, before: Seat, seat: Seat) -> Iterator[Step]:
        """What a president does at once: propose, and tell."""
        while isinstance(seat.slip, Polled) and seat.slip.next_slot <= self.bounds.slots:
            (step,) = steps_of(seat, Propose(), self._rosters)
            if step.seat == seat:
                break
            yield step
            seat = step.seat
        if isinstance(seat.slip, Polled) and seat.ledger.passed_until > 1:
            was_polled = isinstance(before.slip, Polled)
            if not was_polled or before.ledger.passed_until < seat.ledger.passed_until:
                yield from steps_of(seat, Tell(), self._rosters)

    def _after(self, state: State, who: int, move: Move) -> State:
        post = state[-1] | move.posted
        seats = list(state[:-1])
        seats[who] = move.seat
        if self.bounds.forget:
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

    # --- numbers ---

    def _number(self, seat: Seat) -> int:
        """The number of a seat.  All its renamings get theirs together."""
        found = self._numbers.get(seat)
        if found is not None:
            return found
        versions = dict.fromkeys(renamed_seat(seat, renaming) for renaming in self._renamings)
        for version in versions:
            self._numbers[version] = len(self.places)
            self.places.append(Place(len(self.places), version, version.life + version.stalled))
        for version in versions:
            for which, renaming in enumerate(self._renamings):
                self._renamed[which].append(self._numbers[renamed_seat(version, renaming)])
        return self._numbers[seat]
