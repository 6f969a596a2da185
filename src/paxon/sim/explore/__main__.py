"""``python -m paxon.sim.explore``: visit every state of some small worlds, and say how many there are.

Without options the worlds of ``USUAL`` are walked, one after the other; with any of the options that
describe a world, that one.
"""

import argparse
import json
import sys
from collections.abc import Sequence

from msgspec import structs

from paxon.sim.explore.bounds import Bounds
from paxon.sim.explore.search import Report, search
from paxon.sim.explore.story import story
from paxon.sim.explore.world import World

QUICK = (
    Bounds(ballots=1, slots=2, haste=False),
    Bounds(ballots=2),
    Bounds(ballots=1, slots=2, catch_up=True),
    Bounds(ballots=1, crashes=2),
    Bounds(ballots=2, weights=(3, 1, 1), catch_up=True),
)
"""Seconds together."""

USUAL = (
    *QUICK,
    Bounds(ballots=2, haste=False),
    Bounds(ballots=2, catch_up=True),
    Bounds(members=4, ballots=2),
    Bounds(ballots=2, crashes=1),
    Bounds(ballots=3),
    Bounds(ballots=1, slots=2, crashes=1),
    Bounds(ballots=2, slots=2),
    Bounds(ballots=2, crashes=2),
)
"""A few minutes together."""

COLUMNS = "{:<58} {:>10} {:>12} {:>6} {:>8} {:>8} {:>8} {:>9}  {}\n"


def main(arguments: Sequence[str]) -> int:
    """Walk; the exit code is 1 if a rule was broken."""
    options = _parser().parse_args(arguments)
    given = {name: value for name in structs.asdict(Bounds()) if (value := getattr(options, name)) is not None}
    worlds = (Bounds(**given),) if given else QUICK if options.quick else USUAL
    if not options.json:
        heads = ("world", "states", "transitions", "depth", "seats", "letters", "s", "states/s", "")
        sys.stdout.write(COLUMNS.format(*heads))
    broken = 0
    for bounds in worlds:
        world = World(bounds)
        report = search(world, options.states_max, options.depth_max, _progress if options.verbose else None)
        broken += report.violation is not None
        sys.stdout.write(json.dumps(_figures(report)) + "\n" if options.json else _row(report))
        if report.violation is not None:
            sys.stdout.write("\n".join(story(world, report)) + "\n")
        sys.stdout.flush()
    return 1 if broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m paxon.sim.explore", description=__doc__)
    switch = argparse.BooleanOptionalAction
    world = parser.add_argument_group("the world")
    world.add_argument("--members", type=int, help="how many members")
    world.add_argument("--weights", type=_weights, help="what their votes weigh, as 3,1,1")
    world.add_argument("--ballots", type=int, help="how many ballots, all members together")
    world.add_argument("--each", type=int, help="how many ballots each member")
    world.add_argument("--slots", type=int, help="how many slots")
    world.add_argument("--crashes", type=int, help="how many crashes, all members together")
    world.add_argument("--catch-up", action=switch, help="members ask each other for decrees out of the blue")
    world.add_argument("--only-agreement", action=switch, help="look past every rule but agreement itself")
    world.add_argument("--symmetry", action=switch, help="worlds that differ in names are one (on)")
    world.add_argument("--forget", action=switch, help="take out letters that can do nothing any more (on)")
    world.add_argument("--haste", action=switch, help="leave out interleavings that change no ledger (on)")
    parser.add_argument("--quick", action="store_true", help="only worlds that take seconds")
    parser.add_argument("--states-max", type=int, help="stop after the level that reaches so many states")
    parser.add_argument("--depth-max", type=int, help="stop at this many moves from the start")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--verbose", action="store_true", help="report each level to standard error")
    return parser


def _weights(text: str) -> tuple[int, ...]:
    return tuple(int(weight) for weight in text.split(","))


def described(bounds: Bounds) -> str:
    """A world in one line: what differs from three members in one slot without crashes."""
    words = [f"{bounds.members} members", f"{bounds.ballots} ballots", f"{bounds.slots} slots"]
    plain = Bounds()
    if bounds.weights:
        words.append(f"weights {bounds.weights}")
    if bounds.crashes:
        words.append(f"{bounds.crashes} crashes")
    if bounds.each != plain.each:
        words.append(f"{bounds.each} each")
    words += [name.replace("_", "-") for name in ("catch_up", "only_agreement") if getattr(bounds, name)]
    words += [f"no-{name}" for name in ("symmetry", "forget", "haste") if not getattr(bounds, name)]
    return ", ".join(words)


def _figures(report: Report) -> dict[str, object]:
    return {
        "world": structs.asdict(report.bounds),
        "states": report.states,
        "transitions": report.transitions,
        "depth": report.depth,
        "complete": report.is_complete,
        "seats": report.seats,
        "letters": report.letters,
        "wall_s": round(report.wall_s, 2),
        "violation": report.violation,
    }


def _row(report: Report) -> str:
    verdict = f"BROKEN: {report.violation}" if report.violation else "" if report.is_complete else "not all visited"
    speed = report.states / report.wall_s if report.wall_s else 0
    return COLUMNS.format(
        described(report.bounds),
        report.states,
        report.transitions,
        report.depth,
        report.seats,
        report.letters,
        f"{report.wall_s:.1f}",
        f"{speed:.0f}",
        verdict,
    )


def _progress(report: Report, frontier: int) -> None:
    sys.stderr.write(f"depth {report.depth}: {report.states} states, {frontier} new, {report.wall_s:.0f} s\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
