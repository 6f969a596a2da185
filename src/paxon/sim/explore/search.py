"""The walk over every state of a small world, breadth first, so that the first broken rule has a shortest story."""

import gc
import time
from collections.abc import Callable

from msgspec import Struct, field

from paxon.errors import InvariantViolation
from paxon.sim.explore.bounds import Bounds
from paxon.sim.explore.world import Chain, State, World


class Report(Struct):
    """What a search has seen."""

    bounds: Bounds
    states: int = 0
    transitions: int = 0
    depth: int = 0
    """How many moves the farthest state is away."""
    is_complete: bool = False
    """Whether every state of the world was visited."""
    seats: int = 0
    letters: int = 0
    wall_s: float = 0.0
    violation: str | None = None
    path: list[State] = field(default_factory=list)
    """The states on the shortest way to the broken rule."""
    last: tuple[int, Chain] | None = None
    """Who did what in the last of them to break it."""


Progress = Callable[[Report, int], None]


def search(
    world: World,
    states_max: int | None = None,
    depth_max: int | None = None,
    progress: Progress | None = None,
    parents: dict[State, State | None] | None = None,
) -> Report:
    """Visit every state, or as many as allowed; whole levels only.

    ``parents``, if given, is filled with every state visited and the one that it was first reached from.
    """
    report = Report(world.bounds)
    collects = gc.isenabled()
    # Millions of tuples and no cycles among them: looking for some again and again takes longer than the search.
    gc.disable()
    try:
        _search(world, report, {} if parents is None else parents, states_max, depth_max, progress)
    finally:
        if collects:
            gc.enable()
    return report


def _search(
    world: World,
    report: Report,
    parents: dict[State, State | None],
    states_max: int | None,
    depth_max: int | None,
    progress: Progress | None,
) -> None:
    began = time.perf_counter()
    start = world.canonical(world.start)
    parents[start] = None
    frontier = [start]
    while frontier and report.violation is None:
        report.states, report.wall_s = len(parents), time.perf_counter() - began
        if progress is not None:
            progress(report, len(frontier))
        if depth_max is not None and report.depth >= depth_max:
            break
        if states_max is not None and len(parents) >= states_max:
            break
        frontier = _next_level(world, frontier, parents, report)
        report.depth += bool(frontier)
    report.is_complete = not frontier and report.violation is None
    report.states, report.wall_s = len(parents), time.perf_counter() - began
    report.seats, report.letters = len(world.places), len(world.post.posted)


def _next_level(world: World, frontier: list[State], parents: dict[State, State | None], report: Report) -> list[State]:
    found: list[State] = []
    for state in frontier:
        for who, chain, after in world.moves(state):
            report.transitions += 1
            try:
                world.check(who, chain, after)
            except InvariantViolation as violation:
                report.violation, report.last, report.path = str(violation), (who, chain), _path(state, parents)
                return found
            known = world.canonical(after)
            if known not in parents:
                parents[known] = state
                found.append(known)
    return found


def _path(state: State, parents: dict[State, State | None]) -> list[State]:
    path = [state]
    while (before := parents[path[-1]]) is not None:
        path.append(before)
    return path[::-1]
