"""A campaign on a cluster of this machine, one worker of which is killed on the way.  Prints its figures as JSON."""

import json
import os
import signal
import sys

from distributed import LocalCluster

from paxon.sim.campaign import Tally, run_campaign
from paxon.sim.dask_crew import DaskCrew
from paxon.sim.outcome import Campaign


def main(seeds: int) -> None:
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")  # type: ignore[no-untyped-call]
    with cluster:
        victims = [worker.process.pid for worker in cluster.workers.values()]

        def progress(tally: Tally) -> None:
            # After the first seed the other worker is in the middle of one, and both have one that waits.
            if tally.seeds == 1:
                os.kill(victims[0], signal.SIGKILL)

        tally = run_campaign(Campaign(0, seeds), DaskCrew(cluster.scheduler_address), progress)
    violations = [outcome.seed for outcome in tally.violations]
    figures = {"seeds": tally.seeds, "counts": tally.counts, "faults": tally.faults, "violations": violations}
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main(int(sys.argv[1]))
