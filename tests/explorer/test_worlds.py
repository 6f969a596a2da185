"""Small worlds are walked to their end, and what the walk leaves out is nothing that counts."""

import json
import re
from collections import Counter
from itertools import product

import pytest
from msgspec import structs

from paxon.core.decree import NodeId
from paxon.core.legislator import Legislator
from paxon.core.roster import Majority, Roster, Rosters
from paxon.sim.explore.__main__ import QUICK, described, main
from paxon.sim.explore.bounds import Bounds
from paxon.sim.explore.places import Place
from paxon.sim.explore.post import Cast, Sent, is_spent
from paxon.sim.explore.search import search
from paxon.sim.explore.seat import Ink, Seat, legislator_of, read_ink, slip_read
from paxon.sim.explore.story import story
from paxon.sim.explore.world import State, World
from tests.mutants import core
from tests.tidy.source import ROOT

Sight = tuple[tuple[tuple[Ink, Ink], ...], frozenset[Cast]]
"""What matters of a state: what each member has durably and in mind, and every durable vote ever cast."""


def walked(bounds: Bounds) -> tuple[World, dict[State, State | None]]:
    """A world, and all its states."""
    world = World(bounds)
    parents: dict[State, State | None] = {}
    report = search(world, parents=parents)
    assert report.violation is None, "\n".join(story(world, report))
    assert report.is_complete
    assert report.states == len(parents)
    return world, parents


def sights(bounds: Bounds) -> set[Sight]:
    """Everything that can be seen in a world, under every name that the members could have."""
    world, parents = walked(bounds)
    if not bounds.symmetry:
        return {sight(world, state) for state in parents}
    places, found = world.places, set()
    for state in parents:
        for which, origins in enumerate(places.origins):
            seats = (places.renamed[which][state[origin]] for origin in origins)
            found.add(sight(world, (*seats, world.post.renamed(state[-1], which))))
    return found


def sight(world: World, state: State) -> Sight:
    seats = [world.places[number].seat for number in state[:-1]]
    facts = world.post.read(state[-1] & world.post.facts)
    return tuple((seat.durable, seat.ledger) for seat in seats), frozenset(f for f in facts if isinstance(f, Cast))


@pytest.mark.parametrize("bounds", QUICK, ids=described)
def test_every_rule_holds_in_every_state(bounds: Bounds) -> None:
    world = World(bounds)
    report = search(world)
    assert report.violation is None, "\n".join(story(world, report))
    assert report.is_complete
    row = f"| `{described(bounds)}` | {report.states:,} | {report.transitions:,} | {report.depth} |"
    assert row in (ROOT / "docs/proof.md").read_text(encoding="utf-8"), f"docs/proof.md has not this row: {row}"


TO_COMPARE = [
    (Bounds(ballots=2), "haste"),
    (Bounds(ballots=1, slots=2), "haste"),
    (Bounds(ballots=1, crashes=2), "haste"),
    (Bounds(ballots=1), "forget"),
    (Bounds(ballots=1, crashes=1), "forget"),
    (Bounds(ballots=2), "symmetry"),
    (Bounds(ballots=1, slots=2), "symmetry"),
    (Bounds(ballots=1, crashes=2), "symmetry"),
]
TO_COMPARE_AT_LEISURE = [
    (Bounds(ballots=2), "forget"),
    (Bounds(ballots=1, slots=2), "forget"),
    (Bounds(ballots=1, slots=2, crashes=1), "haste"),
    (Bounds(ballots=1, slots=2, crashes=1), "symmetry"),
]
"""Minutes each."""


def label(value: object) -> str:
    return described(value) if isinstance(value, Bounds) else str(value)


@pytest.mark.parametrize(
    ("bounds", "reduction"),
    [*TO_COMPARE, *(pytest.param(*pair, marks=pytest.mark.slow) for pair in TO_COMPARE_AT_LEISURE)],
    ids=label,
)
def test_a_reduction_loses_no_ledger_and_no_vote(bounds: Bounds, reduction: str) -> None:
    assert sights(bounds) == sights(structs.replace(bounds, **{reduction: False}))


@pytest.mark.parametrize(
    "bounds",
    [
        Bounds(ballots=1, crashes=1, forget=False),
        Bounds(ballots=1, catch_up=True, forget=False),
        pytest.param(Bounds(ballots=2, forget=False), marks=pytest.mark.slow),
        pytest.param(Bounds(ballots=1, slots=2, forget=False), marks=pytest.mark.slow),
    ],
    ids=described,
)
def test_a_spent_letter_does_nothing_now_or_later(bounds: Bounds) -> None:
    """Wherever a letter may meet a seat at which it is spent, it takes the slip at the most, and it stays spent."""
    world, parents = walked(bounds)
    places = world.places
    meets: Counter[int] = Counter()
    for state in parents:
        for number in state[:-1]:
            meets[number] |= state[-1] & world.post.inbox[places[number].seat.me]
    looked = 0
    for number, mask in meets.items():
        place = places[number]
        for letter in world.post.read(mask):
            if isinstance(letter, Sent) and is_spent(place.seat, letter.message):
                looked += 1
                for move in places.answers(place, world.post.bit(letter)):
                    assert not move.posted
                    assert places[move.seat].seat == structs.replace(place.seat, slip=None), (place.seat, letter)
                for after in follows(place):
                    assert is_spent(places[after].seat, letter.message), (place.seat, places[after].seat, letter)
    assert looked > 100


def follows(place: Place) -> set[int]:
    """The seats that a seat was seen to become."""
    moves = [moves for _, moves in place.own or ()] + list(place.answers.values())
    return {move.seat for some in moves for move in some}


def test_a_seat_made_into_a_legislator_and_read_back_is_the_same() -> None:
    world, _ = walked(Bounds(ballots=2))
    rosters = Rosters(Roster(Majority(world.members)))
    kinds = set()
    for number in range(len(world.places)):
        seat = world.places[number].seat
        legislator = legislator_of(seat, rosters)
        assert isinstance(legislator, Legislator)
        assert (read_ink(legislator.ledger), slip_read(legislator.slip)) == (seat.ledger, seat.slip)
        kinds.add(type(seat.slip))
    assert len(kinds) == 3


def test_renamings_are_of_equals_only() -> None:
    assert len(World(Bounds()).places.origins) == 6
    assert len(World(Bounds(weights=(3, 1, 1))).places.origins) == 2
    assert len(World(Bounds(weights=(3, 2, 1))).places.origins) == 1


def test_all_renamings_of_a_state_are_one() -> None:
    world, parents = walked(Bounds(ballots=1, crashes=1))
    places = world.places
    for state, which in product(parents, range(len(places.origins))):
        seats = tuple(places.renamed[which][state[origin]] for origin in places.origins[which])
        assert world.canonical((*seats, world.post.renamed(state[-1], which))) == state


def test_a_walk_may_be_cut_short() -> None:
    assert search(World(Bounds()), depth_max=3).depth == 3
    report = search(World(Bounds()), states_max=100)
    assert 100 <= report.states < 1000
    assert not report.is_complete


def test_a_world_with_nothing_in_it() -> None:
    report = search(World(Bounds(ballots=0)))
    assert (report.states, report.depth, report.is_complete) == (1, 0, True)
    world = World(Bounds(members=2))
    assert [world.places[number].seat for number in world.start[:-1]] == [Seat(NodeId(1)), Seat(NodeId(2))]


def test_the_command_prints_a_row_for_each_world(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--ballots", "1"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[1].startswith("3 members, 1 ballots, 1 slots")
    assert main(["--ballots", "1", "--json", "--crashes", "1", "--no-haste", "--states-max", "9"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["world"]["crashes"] == 1
    assert figures["complete"] is False


def test_the_command_tells_the_story_of_a_broken_rule(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    core.lowest_vote_wins.apply(monkeypatch)
    assert main(["--ballots", "3", "--verbose"]) == 1
    captured = capsys.readouterr()
    assert "BROKEN: B3" in captured.out
    assert (
        "  1. member 1 starts a ballot of its own in round 1; durable: tried 1.1; sends NextBallot 1.1" in captured.out
    )
    assert re.search(
        r"broken: B3: ballot 3.\d proposes in slot 1 what was voted for in ballot 2.\d\Z", captured.out.strip()
    )
    assert captured.err.startswith("depth 0: 1 states")
