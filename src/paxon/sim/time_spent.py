"""Where the time of a run goes: a timer looks every few milliseconds at what is being done.

Knows: which file belongs to which part of the simulator.  Does not know: what a run is.  It
counts and changes nothing, so a run is the same with it and without it.

Theory of operation.  Counting calls would cost more than most of them do, so the process is
sampled instead: the kernel sends a signal after so much processor time, and its handler walks the
stack.  A thread that looks from time to time would be simpler and wrong: it gets to look when the
other one lets go of the interpreter, which is mostly in the middle of a hash or a checksum.
"""

import signal
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

INTERVAL_S = 0.004
"""Of processor time; kernels do not look more often than their clock ticks, which is this."""

JUDGE = "oracle"
"""Whatever is done on its behalf counts as its work: it keeps ledgers of its own."""

PARTS = {
    "core/": "core",
    "core/invariants.py": JUDGE,
    "codec/": "codec",
    "node/": "host",
    "rsm/": "state machine",
    "storage/": "ledger file",
    "sim/": "agenda",
    "sim/directory.py": "disk",
    "sim/disk.py": "disk",
    "sim/faults.py": "faults",
    "sim/strikes.py": "faults",
    "sim/machine.py": "state machine",
    "sim/member.py": "host",
    "sim/network.py": "network",
    "sim/oracle.py": JUDGE,
    "sim/post.py": "clients",
    "sim/progress.py": JUDGE,
    "sim/replica.py": "state machine",
    "sim/sessions/": "clients",
    "sim/sessions/judge.py": JUDGE,
    "sim/sessions/machine.py": "state machine",
    "sim/sessions/witness.py": JUDGE,
    "sim/terms/": "clients",
    "sim/terms/judge.py": JUDGE,
    "sim/workload.py": "clients",
}
"""Part by file or directory of the package; the longest that fits counts."""

CALLERS = ("errors.py", "sim/dice.py")
"""Small helpers of everybody: their time is their caller's."""

_ROOT = f"{Path(__file__).parent.parent}/"
"""The package."""


@contextmanager
def sampled(samples: Counter[str]) -> Iterator[None]:
    """Add to ``samples`` by part while the body runs.

    Signals reach the main thread only, so in any other thread nothing is added.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def look(_: int, frame: FrameType | None) -> None:
        samples[_part_at(frame)] += 1

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def shares(samples: Mapping[str, int]) -> dict[str, float]:
    """The part of the time that each part took, the largest first."""
    total = sum(samples.values())
    return {part: count / total for part, count in sorted(samples.items(), key=lambda item: (-item[1], item[0]))}


def in_words(samples: Mapping[str, int]) -> str:
    """The shares in one line; empty if nothing was sampled."""
    return ", ".join(f"{part} {share:.0%}" for part, share in shares(samples).items())


def _part_at(frame: FrameType | None) -> str:
    """The part that works: the innermost that is one of ours, or the judge if it stands behind it."""
    innermost = ""
    while frame is not None:
        part = _part_of(frame.f_code.co_filename)
        if part == JUDGE:
            return part
        innermost = innermost or part
        frame = frame.f_back
    return innermost or "other"


_parts: dict[str, str] = {}
"""What ``_part_of`` has answered, by file."""


def _part_of(file: str) -> str:
    """The part that ``file`` belongs to; empty if it is none of ours, or one whose time is its caller's."""
    part = _parts.get(file)
    if part is None:
        place = file.removeprefix(_ROOT)
        fitting = [path for path in PARTS if place.startswith(path)]
        is_ours = place != file and place not in CALLERS
        part = _parts[file] = PARTS[max(fitting, key=len)] if is_ours and fitting else ""
    return part
