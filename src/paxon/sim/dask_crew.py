"""The machines of a Dask cluster that run the seeds of a campaign.

Dask hands out the work, notices that a worker is gone and gives its seeds to others.  Added here:
workers must have the very source that this process has, for else their seeds would prove something
about another build; the version of Python may differ, because no run depends on it.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from paxon.errors import ConfigurationError
from paxon.sim.build import build
from paxon.sim.crew import AHEAD, DEATHS_MAX, died
from paxon.sim.outcome import Campaign, Outcome, run_seed

WORKERS_WITHIN_S = 60
"""So long a scheduler may be without any worker when a campaign begins."""


class DaskCrew:
    """All workers of the scheduler at ``address``, those that come later too."""

    def __init__(self, address: str) -> None:
        """Find the scheduler and its workers.

        Raises:
            ConfigurationError: Dask is not installed, nobody answers, no worker is there, or one has another build.
        """
        try:
            self._distributed: Any = import_module("distributed")
        except ImportError as error:
            raise ConfigurationError("--scheduler needs Dask: pip install 'paxon[campaign]'") from error
        try:
            self._client = self._distributed.Client(address, set_as_default=False)
            self._client.wait_for_workers(1, timeout=WORKERS_WITHIN_S)
        except (OSError, ValueError) as error:  # Dask's TimeoutError is an OSError too.
            raise ConfigurationError(f"no Dask scheduler with workers at {address}: {error}") from error
        for worker, found in self._client.run(build, on_error="return").items():
            if found != build():
                self._client.close()
                raise ConfigurationError(
                    f"worker {worker} has build {found}, this is {build()}: install the same there"
                )

    def __call__(self, campaign: Campaign, seeds: Iterator[int]) -> Iterator[Outcome]:
        """See ``Crew``.

        Raises:
            ConfigurationError: if a worker that came later has another build.
        """
        distributed, client = self._distributed, self._client
        open_: dict[Any, int] = {}
        ending = distributed.as_completed(loop=client.loop)
        try:
            while True:
                while len(open_) < AHEAD * max(1, sum(client.nthreads().values())):
                    seed = next(seeds, None)
                    if seed is None:
                        break
                    future = client.submit(run_seed_of, build(), campaign, seed, pure=False)
                    open_[future] = seed
                    ending.add(future)
                if not open_:
                    return
                future = next(ending)
                seed = open_.pop(future)
                try:
                    outcome = future.result()
                except distributed.KilledWorker:
                    outcome = died(seed, DEATHS_MAX)
                yield outcome
        finally:
            client.cancel(list(open_))
            client.close()


def run_seed_of(wanted: str, campaign: Campaign, seed: int) -> Outcome:
    """Run one seed here, if this is the build that is wanted.

    Raises:
        ConfigurationError: if it is not.
    """
    if build() != wanted:
        raise ConfigurationError(f"a worker has build {build()}, the campaign is of {wanted}: install the same there")
    return run_seed(campaign, seed)
