"""The processes of this machine that run the seeds of a campaign."""

import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_any

from paxon.sim.outcome import Campaign, Outcome, run_seed

AHEAD = 2
"""Seeds handed out per process: one under way, and one that waits so that no process ever does."""

DEATHS_MAX = 3
"""A seed whose process died so often is not run again: whatever kills it is a finding."""


class LocalCrew:
    """``jobs`` processes; with one, the seeds run in this very process."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs

    def __call__(self, campaign: Campaign, seeds: Iterator[int]) -> Iterator[Outcome]:
        """See ``Crew``."""
        if self._jobs == 1:
            yield from (run_seed(campaign, seed) for seed in seeds)
            return
        deaths: Counter[int] = Counter()
        again: deque[int] = deque()
        while True:
            yield from self._until_death(campaign, seeds, again, deaths)
            if not again:
                return
            yield from (died(seed, deaths[seed]) for seed in again if deaths[seed] >= DEATHS_MAX)
            again = deque(seed for seed in again if deaths[seed] < DEATHS_MAX)

    def _until_death(
        self, campaign: Campaign, seeds: Iterator[int], again: deque[int], deaths: Counter[int]
    ) -> Iterator[Outcome]:
        """Run seeds until there are no more, or until a process dies: all that were under way are in ``again`` then.

        Which of them killed it is not known.  So the suspects are run one at a time, and only the
        one that does it repeatedly is at fault.
        """
        # Fresh interpreters: a forked one would share what this one has imported and opened.
        context = multiprocessing.get_context("spawn")
        open_: dict[Future[Outcome], int] = {}
        with ProcessPoolExecutor(self._jobs, mp_context=context, initializer=_live_and_die_with_the_parent) as pool:
            while True:
                room = 1 if again else AHEAD * self._jobs
                while len(open_) < room:
                    seed = again.popleft() if again else next(seeds, None)
                    if seed is None:
                        break
                    try:
                        open_[pool.submit(run_seed, campaign, seed)] = seed
                    except BrokenProcessPool:
                        # A process died this very moment; the seeds under way will say so.
                        again.appendleft(seed)
                        break
                if not open_:
                    return
                for future in wait(open_, return_when=FIRST_COMPLETED).done:
                    seed = open_.pop(future)
                    try:
                        outcome = future.result()
                    except BrokenProcessPool:
                        deaths[seed] += 1
                        for other in open_.values():
                            deaths[other] += 1
                        again.extend([seed, *open_.values()])
                        return
                    yield outcome


def died(seed: int, times: int) -> Outcome:
    """What is said of a seed whose process dies whenever it runs."""
    return Outcome(seed, violation=f"seed {seed}: the process that ran it died, {times} times in a row")


def _live_and_die_with_the_parent() -> None:
    """Ctrl-C is for the parent, which lets the seeds under way end; and nobody stays behind if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel

    def follow() -> None:
        wait_any([sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
