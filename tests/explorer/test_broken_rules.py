"""Each broken rule is found, by a shortest story; and nearly each leads to two outcomes of one slot if nobody looks."""

import re

import pytest
from msgspec import structs

from paxon.sim.explore.bounds import Bounds
from paxon.sim.explore.search import search
from paxon.sim.explore.story import story
from paxon.sim.explore.world import World
from tests.explorer import broken

HEAVY = Bounds(weights=(3, 1, 1), catch_up=True)
"""One member is a quorum alone, so two others may stay behind with an old ballot: what else takes five members."""

FOUND: dict[broken.Break, tuple[Bounds, int, str]] = {
    broken.promise_leaves_before_it_is_durable: (Bounds(crashes=1), 2, "I7: LastVote leaves"),
    broken.vote_leaves_before_it_is_durable: (Bounds(crashes=1), 7, "I7: Voted leaves"),
    broken.number_leaves_before_it_is_durable: (Bounds(crashes=1), 1, "I7: NextBallot leaves"),
    broken.promise_is_not_written: (Bounds(), 2, "I7: LastVote leaves"),
    broken.number_is_used_again_after_a_restart: (Bounds(), 1, "I7: NextBallot leaves"),
    broken.vote_below_the_promise: (Bounds(), 9, "I7: no vote below"),
    broken.promise_is_given_after_a_vote_in_the_ballot: (Bounds(), 15, "I7: LastVote of . for ballot ... reports"),
    broken.lowest_vote_wins: (Bounds(ballots=3), 19, "B3: "),
    broken.one_responder_is_listened_to: (Bounds(ballots=3), 19, "B3: "),
    broken.reported_votes_are_ignored: (Bounds(), 13, "B3: "),
    broken.half_of_the_votes_pass_a_decree: (Bounds(), 9, "I1: "),
    broken.half_of_the_promises_start_a_ballot: (Bounds(), 7, "I1: "),
    broken.outcomes_beyond_a_gap_are_not_reported: (Bounds(slots=2), 13, "I7: LastVote of"),
    broken.foreign_decree_does_not_end_the_ballot: (HEAVY, 14, "I7: what ballot ... proposed"),
    broken.claim_passes_votes_of_any_ballot: (Bounds(), 19, "I1: "),
}
"""With the world that shows it, and how many events the story takes at the most."""

DISAGREE: dict[broken.Break, tuple[Bounds, int]] = {
    broken.promise_leaves_before_it_is_durable: (Bounds(crashes=1), 17),
    broken.vote_leaves_before_it_is_durable: (Bounds(crashes=1), 20),
    broken.number_leaves_before_it_is_durable: (Bounds(crashes=1), 16),
    broken.promise_is_not_written: (Bounds(), 16),
    broken.number_is_used_again_after_a_restart: (Bounds(crashes=1), 16),
    broken.vote_below_the_promise: (Bounds(), 16),
    broken.reported_votes_are_ignored: (Bounds(), 16),
    broken.half_of_the_votes_pass_a_decree: (Bounds(), 17),
    broken.half_of_the_promises_start_a_ballot: (Bounds(), 12),
    broken.outcomes_beyond_a_gap_are_not_reported: (Bounds(slots=2), 20),
    broken.foreign_decree_does_not_end_the_ballot: (HEAVY, 16),
    broken.claim_passes_votes_of_any_ballot: (Bounds(), 19),
}

LONG_WAY: dict[broken.Break, tuple[Bounds, int]] = {
    broken.lowest_vote_wins: (Bounds(ballots=3), 22),
    broken.one_responder_is_listened_to: (Bounds(ballots=3), 22),
}


def named(mutant: object) -> str:
    return getattr(mutant, "__name__", "")


def told(mutant: broken.Break, patch: pytest.MonkeyPatch, bounds: Bounds) -> list[str]:
    """The story of how the broken rule comes to light."""
    mutant(patch)
    world = World(bounds)
    report = search(world)
    assert report.violation is not None, f"{named(mutant)} is not noticed in {report.states} states"
    return story(world, report)


@pytest.mark.parametrize("mutant", FOUND, ids=named)
def test_a_broken_rule_is_found(mutant: broken.Break, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds, events_max, rule = FOUND[mutant]
    *events, last = told(mutant, monkeypatch, bounds)
    assert len(events) <= events_max, "\n".join(events)
    assert re.search(rule, last)


@pytest.mark.parametrize("mutant", DISAGREE, ids=named)
def test_a_broken_rule_leads_to_disagreement(mutant: broken.Break, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds, events_max = DISAGREE[mutant]
    *events, last = told(mutant, monkeypatch, structs.replace(bounds, only_agreement=True))
    assert len(events) <= events_max, "\n".join(events)
    assert "agreement: " in last or "Theorem 1: " in last


@pytest.mark.slow
@pytest.mark.parametrize("mutant", LONG_WAY, ids=named)
def test_a_broken_rule_leads_to_disagreement_by_and_by(mutant: broken.Break, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds, events_max = LONG_WAY[mutant]
    *events, last = told(mutant, monkeypatch, structs.replace(bounds, only_agreement=True))
    assert len(events) <= events_max, "\n".join(events)
    assert "Theorem 1: " in last


def test_what_disagrees_only_by_its_invariants() -> None:
    """The answer that reports too little reaches a president that is past counting: nobody is misled by it."""
    assert FOUND.keys() - DISAGREE.keys() - LONG_WAY.keys() == {broken.promise_is_given_after_a_vote_in_the_ballot}
