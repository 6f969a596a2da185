"""Every seat that was ever met, by number, with what each event does to it.

Theory of operation.  What an event does to a seat is worked out once, by the real legislator
(``steps``); from then on it is a look-up, in however many worlds it happens.

Symmetry.  Each round belongs to at most one member.  That is no restriction: the core only compares
ballots, and takes any number above those it knows, so a run whose ballots are, in order,
b1 < b2 < ... < bk goes the same way when they are called 1, 2, ..., k.  Then no ballot is ever decided by
its owner's name, members differ in nothing but their names, and states that are renamings of each
other are one: of up to ``n!`` of them only the first is kept.  What commands say is no matter
either: one name for all of them is enough (``steps``).

Haste, if asked for, leaves out interleavings that change no ledger and no vote:

* A president proposes in all its slots, and tells what has passed, at once.  Letters only get
  more, and may be delivered as late as before.  That a ``BeginBallot`` would have claimed more if
  sent later is no loss, because the news is told by itself as well.  Nor does a slot not yet begun
  keep office longer: a foreign decree in it ends the ballot either way.
* A letter that is merely counted, and teaches nothing, waits for the one that completes the count, and
  both are delivered in one move (``World``).  Nothing looks at a count in between.
"""

from collections.abc import Iterator, Sequence
from itertools import permutations

from msgspec import Struct, field

from paxon.core.decree import NodeId
from paxon.core.messages import LastVote, Voted
from paxon.core.roster import Majority, Roster, Rosters, Weighted
from paxon.sim.explore.bounds import Bounds
from paxon.sim.explore.post import Learnt, Post, Sent, is_spent
from paxon.sim.explore.seat import Polled, Renaming, Seat, renamed_seat
from paxon.sim.explore.steps import Ask, Deliver, Event, Propose, Step, Tell, Try, own_events, steps_of


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


class Places:
    """Seats and moves by number."""

    def __init__(self, bounds: Bounds) -> None:
        self.members = tuple(NodeId(number) for number in range(1, bounds.members + 1))
        weights = bounds.weights or (1,) * bounds.members
        orders = [
            order
            for order in permutations(self.members)
            if order == self.members
            or (bounds.symmetry and all(weights[new - 1] == weight for new, weight in zip(order, weights, strict=True)))
        ]
        self._renamings: list[Renaming] = [
            {NodeId(0): NodeId(0), **dict(zip(self.members, order, strict=True))} for order in orders
        ]
        self.post = Post(self.members, self._renamings)
        self.origins = [tuple(order.index(member) for member in self.members) for order in orders]
        """For each renaming: who takes each place."""
        self.renamed: list[list[int]] = [[] for _ in orders]
        """For each renaming: what each seat becomes."""
        self._bounds = bounds
        self._rosters = Rosters(
            Roster(
                Weighted(dict(zip(self.members, weights, strict=True))) if bounds.weights else Majority(self.members)
            )
        )
        self._places: list[Place] = []
        self._numbers: dict[Seat, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int) -> Place:
        return self._places[number]

    def number(self, seat: Seat) -> int:
        """The number of a seat.  All its renamings get theirs together."""
        found = self._numbers.get(seat)
        if found is not None:
            return found
        versions = dict.fromkeys(renamed_seat(seat, renaming) for renaming in self._renamings)
        for version in versions:
            self._numbers[version] = len(self._places)
            self._places.append(Place(len(self._places), version, version.life + version.stalled))
        for version in versions:
            for which, renaming in enumerate(self._renamings):
                self.renamed[which].append(self._numbers[renamed_seat(version, renaming)])
        return self._numbers[seat]

    def own(self, place: Place) -> list[tuple[int, tuple[Move, ...]]]:
        """What may happen without a letter; with the round, if it starts a ballot."""
        if place.own is None:
            place.own = [
                (event.round if isinstance(event, Try) else 0, self._moves(place, event))
                for event in own_events(place.seat, self._bounds.ballots, self._bounds.slots)
                if not (self._bounds.haste and isinstance(event, Propose | Tell))
            ]
        return place.own

    def answers(self, place: Place, bit: int) -> tuple[Move, ...]:
        """What the letter does."""
        moves = place.answers.get(bit)
        if moves is None:
            letter = self.post.posted[bit.bit_length() - 1]
            moves = self._moves(place, Deliver(letter)) if isinstance(letter, Sent) else ()
            place.answers[bit] = moves
            if not moves:
                place.idle |= bit
            elif isinstance(letter, Sent) and self._is_merely_counted(place, moves, letter):
                place.counted |= bit
        return moves

    def asked(self, place: Place, asker: Seat) -> tuple[Move, ...]:
        """What comes of it when ``asker`` asks for what it lacks."""
        ask = Ask(asker.me, asker.ledger.passed_until)
        moves = place.asked.get(ask)
        if moves is None:
            moves = place.asked[ask] = self._moves(place, ask)
        return moves

    def judge(self, place: Place, letters: int) -> None:
        """Find out which of ``letters`` are spent here."""
        place.judged |= letters
        while letters:
            bit = letters & -letters
            letters ^= bit
            letter = self.post.posted[bit.bit_length() - 1]
            # Believed only as far as it can be seen: a core with a broken rule may well do something.
            if isinstance(letter, Sent) and is_spent(place.seat, letter.message) and not self.answers(place, bit):
                place.spent |= bit

    def _moves(self, place: Place, event: Event) -> tuple[Move, ...]:
        """The moves that ``event`` makes possible, without those that change nothing."""
        moves = []
        for step in steps_of(place.seat, event, self._rosters):
            refused = step.broken is not None and not step.records and not step.posted
            if refused and self._bounds.only_agreement:
                # A legislator that found a broken rule itself must not be used again.
                continue
            steps = (step, *self._hasty(place.seat, step.seat)) if self._bounds.haste else (step,)
            number = self.number(steps[-1].seat)
            posted = 0
            for one in steps:
                if self._bounds.only_agreement:
                    one.broken = None
                posted |= self._posted(one)
            if number != place.number or posted or step.broken is not None:
                moves.append(Move(number, posted, self._places[number].crashes, steps))
        return tuple(moves)

    def _posted(self, step: Step) -> int:
        """What a step adds to the post.  Where every outcome is checked when it is learnt, nobody needs to keep it."""
        if self._bounds.only_agreement:
            return self.post.mask(step.posted)
        return self.post.mask(posted for posted in step.posted if not isinstance(posted, Learnt))

    def _hasty(self, before: Seat, seat: Seat) -> Iterator[Step]:
        """What a president does at once: propose, and tell."""
        while isinstance(seat.slip, Polled) and seat.slip.next_slot <= self._bounds.slots:
            (step,) = steps_of(seat, Propose(), self._rosters)
            if step.seat == seat:
                break
            yield step
            seat = step.seat
        if isinstance(seat.slip, Polled) and seat.ledger.passed_until > 1:
            was_polled = isinstance(before.slip, Polled)
            if not was_polled or before.ledger.passed_until < seat.ledger.passed_until:
                yield from steps_of(seat, Tell(), self._rosters)

    def _is_merely_counted(self, place: Place, moves: Sequence[Move], letter: Sent) -> bool:
        """Whether nothing but a count on the slip changes."""
        move = moves[0]
        return (
            isinstance(letter.message, LastVote | Voted)
            and len(moves) == len(move.steps) == 1
            and not move.posted
            and not move.steps[0].records
            and move.steps[0].broken is None
            and type(self._places[move.seat].seat.slip) is type(place.seat.slip)
        )
