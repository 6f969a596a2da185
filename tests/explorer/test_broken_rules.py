"""Each broken rule is found, by a shortest story; and nearly each leads to two outcomes of one slot if nobody looks."""

import re

import pytest
from msgspec import structs

from paxon.sim.explore.bounds import Bounds
from paxon.sim.explore.search import search
from paxon.sim.explore.story import story
from paxon.sim.explore.world import World
from tests.mutants import core
from tests.mutants.mutant import Mutant

HEAVY = Bounds(weights=(3, 1, 1), catch_up=True)
"""One member is a quorum alone, so two others may stay behind with an old ballot: what else takes five members."""

FOUND: dict[Mutant, tuple[Bounds, int, str]] = {
    core.promise_sent_before_durable: (Bounds(crashes=1), 2, "I7: LastVote leaves"),
    core.vote_sent_before_durable: (Bounds(crashes=1), 7, "I7: Voted leaves"),
    core.ballot_number_sent_before_durable: (Bounds(crashes=1), 1, "I7: NextBallot leaves"),
    core.promise_forgotten: (Bounds(), 2, "I7: LastVote leaves"),
    core.ballot_number_not_kept: (Bounds(), 1, "I7: NextBallot leaves"),
    core.vote_below_promise: (Bounds(), 9, "I7: no vote below"),
    core.promise_repeated_after_a_vote: (Bounds(), 15, "I7: LastVote of . for ballot ... reports"),
    core.lowest_vote_wins: (Bounds(ballots=3), 19, "B3: "),
    core.one_responder_listened_to: (Bounds(ballots=3), 19, "B3: "),
    core.reported_votes_ignored: (Bounds(), 13, "B3: "),
    core.short_vote_quorum: (Bounds(), 9, "I1: "),
    core.short_promise_quorum: (Bounds(), 10, "Lemma: "),
    core.late_outcomes_not_reported: (Bounds(slots=2), 13, "I7: LastVote of"),
    core.foreign_decree_does_not_end_the_ballot: (HEAVY, 14, "I7: what ballot ... proposed"),
    core.votes_of_any_ballot_pass: (Bounds(), 19, "I1: "),
}
"""With the world that shows it, and how many events the story takes at the most."""

DISAGREE: dict[Mutant, tuple[Bounds, int]] = {
    core.promise_sent_before_durable: (Bounds(crashes=1), 17),
    core.vote_sent_before_durable: (Bounds(crashes=1), 20),
    core.ballot_number_sent_before_durable: (Bounds(crashes=1), 16),
    core.promise_forgotten: (Bounds(), 16),
    core.ballot_number_not_kept: (Bounds(crashes=1), 16),
    core.vote_below_promise: (Bounds(), 16),
    core.reported_votes_ignored: (Bounds(), 16),
    core.short_vote_quorum: (Bounds(), 17),
    core.short_promise_quorum: (Bounds(), 12),
    core.late_outcomes_not_reported: (Bounds(slots=2), 20),
    core.foreign_decree_does_not_end_the_ballot: (HEAVY, 16),
    core.votes_of_any_ballot_pass: (Bounds(), 19),
}

LONG_WAY: dict[Mutant, tuple[Bounds, int]] = {
    core.lowest_vote_wins: (Bounds(ballots=3), 22),
    core.one_responder_listened_to: (Bounds(ballots=3), 22),
}


def named(mutant: Mutant) -> str:
    return mutant.name


def told(mutant: Mutant, patch: pytest.MonkeyPatch, bounds: Bounds) -> list[str]:
    """The story of how the broken rule comes to light."""
    mutant.apply(patch)
    world = World(bounds)
    report = search(world)
    assert report.violation is not None, f"{mutant.name} is not noticed in {report.states} states"
    return story(world, report)


@pytest.mark.parametrize("mutant", FOUND, ids=named)
def test_a_broken_rule_is_found(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds, events_max, rule = FOUND[mutant]
    *events, last = told(mutant, monkeypatch, bounds)
    assert len(events) <= events_max, "\n".join(events)
    assert re.search(rule, last)


@pytest.mark.parametrize("mutant", DISAGREE, ids=named)
def test_a_broken_rule_leads_to_disagreement(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds, events_max = DISAGREE[mutant]
    *events, last = told(mutant, monkeypatch, structs.replace(bounds, only_agreement=True))
    assert len(events) <= events_max, "\n".join(events)
    assert "agreement: " in last or "Theorem 1: " in last


@pytest.mark.slow
@pytest.mark.parametrize("mutant", LONG_WAY, ids=named)
def test_a_broken_rule_leads_to_disagreement_by_and_by(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds, events_max = LONG_WAY[mutant]
    *events, last = told(mutant, monkeypatch, structs.replace(bounds, only_agreement=True))
    assert len(events) <= events_max, "\n".join(events)
    assert "Theorem 1: " in last


def test_what_disagrees_only_by_its_invariants() -> None:
    """The answer that reports too little reaches a president that is past counting: nobody is misled by it."""
    assert FOUND.keys() - DISAGREE.keys() - LONG_WAY.keys() == {core.promise_repeated_after_a_vote}
