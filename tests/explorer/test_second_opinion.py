"""``core.invariants``, which watches single runs, agrees with the rules of the explorer, on good ways and on bad."""

import random

import pytest

from paxon.core.invariants import History
from paxon.core.ledger import Outcome, Passed, Vote
from paxon.core.roster import Majority, Roster, Rosters
from paxon.errors import InvariantViolation
from paxon.sim.explore.bounds import Bounds
from paxon.sim.explore.post import Sent
from paxon.sim.explore.seat import Polled, ledger_of
from paxon.sim.explore.steps import Crash, Step
from paxon.sim.explore.world import World
from tests.mutants import core
from tests.mutants.mutant import Mutant

LENGTH = 60
"""How many moves each way has at the most."""


def walk(world: World, chance: random.Random) -> None:
    """One way through the world by chance, told to a ``History``."""
    history = History(Rosters(Roster(Majority(world.members))))
    state = world.start
    for _ in range(LENGTH):
        ways = list(world.moves(state))
        if not ways:
            return
        _, chain, state = chance.choice(ways)
        for move in chain:
            for step in move.steps:
                if step.broken is not None:
                    raise InvariantViolation(step.broken)
                tell(history, step)


def walk_for_long(world: World, chance: random.Random) -> None:
    for _ in range(3000):
        walk(world, chance)


def tell(history: History, step: Step) -> None:
    """Report what happened in a step as a simulated run would."""
    seat = step.seat
    durable = ledger_of(seat.durable)
    if isinstance(step.event, Crash):
        history.restarted(seat.me, durable)
        return
    for number, record in enumerate(step.records):
        match record:
            case Vote() if number < step.kept:
                history.vote(seat.me, record)
            case Passed(slot=slot) | Outcome(slot=slot):
                history.outcome(seat.me, slot, next(o.decree for o in seat.ledger.outcomes if o.slot == slot))
            case _:
                pass
    if isinstance(seat.slip, Polled):
        history.life(seat.me, seat.life, seat.slip.ballot)
        history.poll(seat.slip.ballot, seat.slip.promised)
        for slot, decree, voters in seat.slip.open:
            history.polling(slot, seat.slip.ballot, decree, voters)
    for letter in step.posted:
        if isinstance(letter, Sent):
            history.letter(seat.me, seat.life, letter.message, durable)


@pytest.mark.parametrize(
    "bounds", [Bounds(ballots=6, each=2, slots=2, crashes=2, haste=False), Bounds(ballots=4, crashes=1)]
)
def test_good_ways_are_good_to_both(bounds: Bounds) -> None:
    chance, world = random.Random(3), World(bounds)
    for _ in range(60):
        walk(world, chance)


@pytest.mark.parametrize("mutant", [core.reported_votes_ignored, core.short_vote_quorum])
def test_bad_ways_are_bad_to_both(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.apply(monkeypatch)
    chance, world = random.Random(3), World(Bounds(ballots=3))
    with pytest.raises(InvariantViolation, match=r"\A(B3|Lemma|I1|I5)"):
        walk_for_long(world, chance)
