"""What it costs to capture a large state while commands go on changing it.

Prints one line of JSON for each kind of state: how fast it is written and read back, the longest step, and the first
change of its largest container, which copies that; then what one change costs while nothing is captured.  All times
are of the processor, so that what else runs on the machine does not count.

    python benchmarks/capture.py [--entries 1000000]
"""

import argparse
import gc
import json
from collections.abc import Callable
from time import thread_time
from typing import Any

from paxon.rsm.capture import captured
from paxon.rsm.contract import StateMachine, journal_of, state_of
from paxon.rsm.journal import Journal
from paxon.rsm.restore import restored
from paxon.rsm.tracked import tracked

STATES: dict[str, Callable[[int], dict[int, object]]] = {
    "values of 1 KB": lambda entries: {number: b"%01000d" % number for number in range(entries)},
    "small dictionaries": lambda entries: {
        number: {"owner": "somebody", "amount": number} for number in range(entries)
    },
    "whole numbers": lambda entries: {number: number for number in range(entries)},
}

CHANGES = 20_000
RUNS = 7


class Large(StateMachine):
    """A state with one large dictionary, and what is in it."""

    def __init__(self) -> None:
        self.held: dict[int, Any] = {}


def timed(work: Callable[[], object]) -> tuple[float, Any]:
    """How long ``work`` takes in seconds, and what comes of it."""
    start = thread_time()
    result = work()
    return thread_time() - start, result


def measured(state: dict[int, object]) -> dict[str, float]:
    """The figures of one state."""
    machine = Large()
    machine.held = state
    journal = journal_of(machine)
    journal.forget()
    gc.collect()
    pieces = captured(journal, state_of(machine))
    steps, taken = [], []
    while True:
        seconds, piece = timed(lambda: next(pieces, None))
        steps.append(seconds)
        if piece is None:
            break
        taken.append(piece)
    size_mb = sum(map(len, taken)) / 1e6
    read_s, _ = timed(lambda: restored(Journal(), taken))
    pieces = captured(journal, state_of(machine))
    next(pieces)
    change_s, _ = timed(lambda: machine.held.__setitem__(0, machine.held[1]))
    close_s, _ = timed(pieces.close)
    steps.sort()
    return {
        "size_mb": round(size_mb),
        "write_mb_per_s": round(size_mb / sum(steps)),
        "read_mb_per_s": round(size_mb / read_s),
        "step_ms_median": round(1e3 * steps[len(steps) // 2], 3),
        "step_ms_max": round(1e3 * steps[-1], 3),
        "first_change_ms": round(1e3 * change_s, 3),
        "close_ms": round(1e3 * close_s, 3),
    }


def changes() -> dict[str, float]:
    """What one change costs in microseconds while nothing is captured."""
    journal = Journal()
    held = tracked({number: number for number in range(1000)}, journal)
    listed = tracked(list(range(1000)), journal)

    def change(container: Any) -> None:
        for number in range(CHANGES):
            container[number % 1000] = number
        journal.forget()

    def best(container: Any) -> float:
        return round(min(timed(lambda: change(container))[0] for _ in range(RUNS)) / CHANGES * 1e6, 3)

    return {"dict_change_us": best(held), "list_change_us": best(listed)}


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1_000_000)
    entries = parser.parse_args().entries
    for name, make in STATES.items():
        print(json.dumps({"state": name, "entries": entries, **measured(make(entries))}), flush=True)
    print(json.dumps(changes()))


if __name__ == "__main__":
    main()
