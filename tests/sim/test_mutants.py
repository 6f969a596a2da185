"""Each broken rule is noticed, by some seed soon; the stories that take chance too long are in ``test_script``."""

import pytest

from paxon.sim.plan import PROFILES
from paxon.sim.world import Violation, World
from tests.mutants import core, host, presidency, snapshots
from tests.mutants.mutant import Mutant

MUTANTS: dict[Mutant, str] = {
    core.promise_sent_before_durable: "I7",
    core.vote_sent_before_durable: "I5|I7",
    host.outbox_holds_nothing: "I7",
    core.promise_forgotten: "I7",
    core.vote_below_promise: "I7",
    core.ballot_number_not_kept: "I7|I2",
    core.ballot_number_sent_before_durable: "I7|I2",
    # With votes ignored nothing seems left to recover, so a president alone reads too early before it proposes.
    core.reported_votes_ignored: "B3|Lemma|a read at member",
    core.short_vote_quorum: "I1",
    core.short_promise_quorum: "I5",
    core.late_outcomes_not_reported: "I7",
    core.votes_of_any_ballot_pass: "I1",
    presidency.read_before_recovery: "a read at member",
    host.forwards_begun_twice: "at most once",
    core.stamps_from_the_clock_alone: "3.3.3",
    snapshots.trimmed_beyond_the_snapshot: "lets go of decrees",
    snapshots.votes_go_with_their_segment: "remembers every vote",
    snapshots.nothing_says_that_we_jumped: "applied only passed slots|stuck",
    snapshots.a_jump_keeps_votes: "remembers every vote|beyond its gap",
    snapshots.fetched_file_stays_a_draft: "stuck|FileNotFoundError|lets go of decrees",
}

SEEDS = (*range(2 * len(PROFILES)), *range(PROFILES.index("hasty") + 2 * len(PROFILES), 1_000, len(PROFILES)))
"""Some of every plan, then the hasty plan, which has the most contention."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_rule_is_noticed(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.apply(monkeypatch)
    with pytest.raises(Violation, match=rf"\A[^\n]*({MUTANTS[mutant]})[^\0]*python -m paxon\.sim"):
        _run_seeds()


def _run_seeds() -> None:
    for seed in SEEDS:
        World(seed).run()
