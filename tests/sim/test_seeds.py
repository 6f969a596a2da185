"""Some seeds of every profile: each a storm with an oracle after every event, then calm, and then progress.

``make simulate`` runs a thousand others, and demands that every fault strikes.
"""

import pytest

from paxon.sim.plan import plan_of
from paxon.sim.world import World

SEEDS = range(1_000, 1_080)

CHUNK = 4
"""Seeds per test: small, so that two workers share them evenly."""


@pytest.mark.parametrize("first", SEEDS[::CHUNK])
def test_every_rule_holds_and_progress_is_made(first: int) -> None:
    for seed in range(first, first + CHUNK):
        World(seed).run()


def test_the_seeds_contain_what_they_are_meant_to_contain() -> None:
    # A fault that never happens is tested by nobody: this fails if a plan or a count loses its meaning.
    seen: dict[str, int] = {}
    for seed in range(6):
        for profile in ("everything", "lossy", "disks"):
            for name, count in World(seed, plan_of(seed, profile)).run().counts.items():
                seen[name] = seen.get(name, 0) + count
    wanted = (
        "blackout",
        "clock step",
        "crashes",
        "crashes at start",
        "cut",
        "detained",
        "disk full",
        "doubled",
        "elections",
        "failed syncs",
        "lost",
        "members lost",
        "pause",
        "reads",
        "recalls",
        "refused: not_leader",
        "replayed",
        "snapshots fetched",
        "starts from a snapshot",
        "trimmed ledgers",
        "unknown",
    )
    assert [name for name in wanted if not seen.get(name)] == []


@pytest.mark.parametrize("seed", [445, 1_000_025, 1_000_356, 1_000_806, 1_008_230, 1_015_825])
def test_seeds_of_campaigns_that_once_broke(seed: int) -> None:
    """What broke each, in this order.

    A trimmed ledger began within a gap that it had jumped over; a disk was struck while its process had no open files
    to spare; a stamp was that of a vote which a president could not know of; a member died as it wrote down that it
    was disowned; one that was left behind with a higher promise was heard of long after the others had come to rest;
    a leader that was deposed kept commands of others in a slot that nobody used again.
    """
    World(seed).run()
