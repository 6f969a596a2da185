"""Section 2.1's ballots as only the gods see them: sets of numbered ballots and the conditions B1 to B3.

Nothing here knows the implementation.  Names of priests are letters, as in Figure 1.
"""

from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

Priests = frozenset[str]


class Held(NamedTuple):
    """One ballot: its number, its decree, its quorum, and who of all priests voted."""

    number: int
    decree: str
    quorum: Priests
    voters: Priests

    @property
    def is_successful(self) -> bool:
        """Every member of the quorum voted."""
        return self.quorum <= self.voters


def held(number: int, decree: str, quorum: str, voters: str) -> Held:
    """A ballot, with each set of priests as a word."""
    return Held(number, decree, frozenset(quorum), frozenset(voters))


def max_vote(number: int, priests: Iterable[str], ballots: Iterable[Held]) -> Held | None:
    """MaxVote(b, Q, B): the latest ballot before ``number`` in which any of ``priests`` voted."""
    among = frozenset(priests)
    return max((one for one in ballots if one.number < number and one.voters & among), default=None)


def b1(ballots: Iterable[Held]) -> bool:
    """Each ballot has a number of its own."""
    numbers = [one.number for one in ballots]
    return len(set(numbers)) == len(numbers)


def b2(ballots: Iterable[Held]) -> bool:
    """The quorums of any two ballots have a priest in common."""
    return all(one.quorum & other.quorum for one, other in combinations(ballots, 2))


def b3_of(one: Held, ballots: Iterable[Held]) -> bool:
    """The decree of ``one`` is that of the latest earlier vote of anybody in its quorum, if there is such a vote."""
    latest = max_vote(one.number, one.quorum, ballots)
    return latest is None or latest.decree == one.decree


def b3(ballots: Iterable[Held]) -> bool:
    """``b3_of`` for every ballot."""
    every = list(ballots)
    return all(b3_of(one, every) for one in every)


def conditions_hold(ballots: Iterable[Held]) -> bool:
    """B1, B2 and B3."""
    every = list(ballots)
    return b1(every) and b2(every) and b3(every)


def agree(ballots: Iterable[Held]) -> bool:
    """Theorem 1's conclusion: all successful ballots are for one decree."""
    return len({one.decree for one in ballots if one.is_successful}) <= 1


def sets_of(priests: str, at_least: int) -> list[Priests]:
    """All sets of so many priests or more."""
    sizes = range(at_least, len(priests) + 1)
    return [frozenset(some) for size in sizes for some in combinations(priests, size)]
