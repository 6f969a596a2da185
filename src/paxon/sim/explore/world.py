"""A small world: its states, and what may happen in each.

A state is the members' seats, each a number (``places``), and the post, a set of bits (``post``).
"""

from collections.abc import Iterator, Sequence

from paxon.errors import InvariantViolation
from paxon.sim.explore.bounds import Bounds
from paxon.sim.explore.places import Move, Place, Places
from paxon.sim.explore.post import Sent, count_of
from paxon.sim.explore.rules import View
from paxon.sim.explore.seat import Seat

State = tuple[int, ...]
"""The seats of all members by number, then the post."""

Chain = Sequence[Move]
"""What happens to one member in one go: letters that are only counted, and then the move they count for."""


class World:
    """All that may happen within some bounds."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.places = Places(bounds)
        self.post = self.places.post
        self.members = self.places.members
        weights = bounds.weights or (1,) * bounds.members
        self._weights = dict(zip(self.members, weights, strict=True))
        self._orders: dict[State, tuple[State, tuple[int, ...]]] = {}
        self._views: dict[int, View] = {}

    @property
    def start(self) -> State:
        """Empty ledgers, and nothing said."""
        return (*(self.places.number(Seat(member)) for member in self.members), 0)

    def canonical(self, state: State) -> State:
        """The first of all renamings of ``state``."""
        post, seats = state[-1], state[:-1]
        found = self._orders.get(seats)
        if found is None:
            found = self._orders[seats] = self._order(seats)
        best, ways = found
        if len(ways) == 1:
            return (*best, self.post.renamed(post, ways[0]) if ways[0] else post)
        return (*best, min(self.post.renamed(post, which) if which else post for which in ways))

    def _order(self, seats: State) -> tuple[State, tuple[int, ...]]:
        """The first of all renamings of ``seats``, and which renamings lead to it."""
        versions = [
            tuple(table[seats[origin]] for origin in origins)
            for table, origins in zip(self.places.renamed, self.places.origins, strict=True)
        ]
        best = min(versions)
        return best, tuple(which for which, version in enumerate(versions) if version == best)

    def moves(self, state: State) -> Iterator[tuple[int, Chain, State]]:
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
                for other in places:
                    for move in self.places.asked(place, other.seat) if other is not place else ():
                        if move.crashes <= room:
                            yield who, (move,), self._after(state, who, move)

    def check(self, who: int, chain: Chain, after: State) -> None:
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
            view = View(self.post.read(facts), self._weights, self.bounds.only_agreement)
            self._views[facts] = view
        if not self.bounds.only_agreement:
            for step in move.steps:
                for claim in step.claims:
                    view.check_claim(self.members[who], claim)
        move.checked.add(facts)

    def _chains(self, place: Place, post: int) -> Iterator[Chain]:
        """What may happen at ``place``: single moves, or letters that are counted together."""
        for round_, moves in self.places.own(place):
            if not round_ or self._may_try(place, round_, post):
                for move in moves:
                    yield (move,)
        letters = post & self.post.inbox[place.seat.me]
        remaining = letters & ~place.idle
        while remaining:
            bit = remaining & -remaining
            remaining ^= bit
            moves = self.places.answers(place, bit)
            if self.bounds.haste and bit & place.counted:
                # Whatever was counted before this one has its chains already.
                yield from self._counted(moves, letters & self._counted_with(bit) & ~(place.counted & (bit - 1)))
            else:
                for move in moves:
                    yield (move,)

    def _counted(self, counted: Chain, letters: int) -> Iterator[Chain]:
        """A letter is counted, and then others of the same count, until it is complete."""
        place = self.places[counted[-1].seat]
        while letters:
            bit = letters & -letters
            letters ^= bit
            moves = self.places.answers(place, bit)
            if bit & place.counted:
                yield from self._counted((*counted, *moves), letters)
            else:
                for move in moves:
                    yield (*counted, move)

    def _counted_with(self, bit: int) -> int:
        letter = self.post.posted[bit.bit_length() - 1]
        count = count_of(letter) if isinstance(letter, Sent) else None
        return ~bit & self.post.counted_with[count] if count is not None else 0

    def _may_try(self, place: Place, round_: int, post: int) -> bool:
        """Whether nobody else has used ``round_``, and the member has ballots left."""
        mine = 0
        for ballot, bit in self.post.used.items():
            if post & bit:
                if ballot.owner == place.seat.me:
                    mine += ballot.round != round_
                elif ballot.round == round_:
                    return False
        return mine < self.bounds.each

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
                    self.places.judge(place, fresh)
                post ^= inbox & place.spent
        return (*seats, post)
