"""Some seeds of every profile: each a storm with an oracle after every event, then calm, and then progress.

``make simulate`` runs a thousand others, and demands that every fault strikes.
"""

import pytest

from paxon.sim.plan import plan_of
from paxon.sim.sessions.subject import SessionSubject
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


ONCE_BROKEN = {
    445: "A trimmed ledger began within a gap that it had jumped over.",
    1_000_025: "A disk was struck while its process had no open files to spare.",
    1_000_356: "A stamp was that of a vote which a president could not know of.",
    1_000_806: "A member died as it wrote down that it was disowned.",
    1_005_578: "A leader was deposed after everything had healed, with commands of unknown fate.",
    1_008_230: "One that was left behind with a higher promise was heard of long after the others had come to rest.",
    1_015_825: "A leader that was deposed kept commands of others in a slot that nobody used again.",
    1_027_430: "A leader was deposed after everything had healed, once more.",
}


ONCE_BROKEN_WITH_SESSIONS = {
    1_002_859: "A member had an errand just as its work was looked at.",
    1_017_944: "A wall clock that was set to before 1970 stood still.",
    1_020_679: "A member had an errand just as its work was looked at, once more.",
}


@pytest.mark.parametrize("seed", ONCE_BROKEN)
def test_seeds_of_campaigns_that_once_broke(seed: int) -> None:
    World(seed).run()


@pytest.mark.parametrize("seed", ONCE_BROKEN_WITH_SESSIONS)
def test_seeds_with_sessions_that_once_broke(seed: int) -> None:
    World(seed, subject=SessionSubject()).run()
