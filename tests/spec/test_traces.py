"""What the code does in the simulator, the specification allows; what it does not do, the specification refuses."""

import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from functools import cache

import pytest
from msgspec import structs

from paxon.core.decree import NOOP, Ballot, NodeId
from paxon.core.roster import Majority, QuorumSystem, Weighted
from paxon.sim.plan import DROWSY, HASTY, RESTLESS, Plan
from paxon.sim.world import Violation, World
from spec.tlc import Verdict, check
from tests.mutants import core
from tests.mutants.mutant import Mutant
from tests.spec.recorder import CONFIGURATION, Event, module_of, recording

THREE = Majority((NodeId(1), NodeId(2), NodeId(3)))
HEAVY = Weighted({NodeId(1): 2, NodeId(2): 1, NodeId(3): 1, NodeId(4): 1})

EVENTS = 400
"""A beginning of a run is a run; so many events have several elections, crashes and forced decrees in them."""


EVENTFUL = (22, 31)
"""Seeds whose beginnings have everything in them; see the test that says so."""


def _record(seed: int, quorums: QuorumSystem) -> tuple[Event, ...]:
    """A run in which presidents follow each other quickly."""
    logging.getLogger("paxon").setLevel(logging.CRITICAL)
    machines = structs.replace(DROWSY, crash_every_ms=300)
    plan = Plan("trace", quorums, RESTLESS, machines, HASTY, storm_ms=2_500, request_every_ms=60, reads=0.0)
    # A violation ends the recording; whether it is a behaviour up to there is for TLC to say.
    with recording() as recorder, suppress(Violation):
        World(seed, plan).run()
    return tuple(recorder.events[:EVENTS])


@cache
def _recorded(seed: int, *, is_weighted: bool = False) -> tuple[Event, ...]:
    return _record(seed, HEAVY if is_weighted else THREE)


def _explained(events: tuple[Event, ...] | list[Event], quorums: QuorumSystem = THREE) -> int:
    """How many of the events, from the first on, the specification explains."""
    verdict = check("Trace", CONFIGURATION, {"Recording": module_of(events, quorums)})
    if verdict.violated == "IsUnexplained":
        return len(events)
    assert verdict.violated is None, verdict.output
    return _last_explained(verdict)


def _last_explained(verdict: Verdict) -> int:
    # One state before the first event, and one after each that was explained.
    return verdict.depth - 1


@pytest.mark.usefixtures("tlc")
@pytest.mark.parametrize("seed", [*EVENTFUL, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(5, 27))])
def test_a_run_of_the_code_is_a_behaviour_of_the_specification(seed: int) -> None:
    events = _recorded(seed)
    assert _explained(events) == EVENTS


@pytest.mark.usefixtures("tlc")
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_weights_too(seed: int) -> None:
    events = _recorded(seed, is_weighted=True)
    assert _explained(events, HEAVY) == len(events)


def test_the_recorded_runs_have_what_they_are_recorded_for() -> None:
    events = [event for seed in EVENTFUL for event in _recorded(seed)]
    kinds = Counter(event["kind"] for event in events)
    forced = [event for event in events if event["kind"] == "begin" and event["decree"].ballot != event["ballot"]]
    assert len(forced) >= 5
    assert any(event["decree"] == NOOP for event in forced)
    wanted = {"try": 10, "poll": 5, "promise": 15, "vote": 20, "enter": 20, "lose": 5, "crash": 10, "dry": 50}
    assert {kind: kinds[kind] for kind, least in wanted.items() if kinds[kind] < least} == {}


@pytest.mark.usefixtures("tlc")
@pytest.mark.parametrize(
    "broken",
    [
        core.vote_sent_before_durable,
        pytest.param(core.promise_sent_before_durable, marks=pytest.mark.slow),
        pytest.param(core.promise_forgotten, marks=pytest.mark.slow),
    ],
)
def test_a_run_of_broken_code_is_no_behaviour_of_it(broken: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    broken.apply(monkeypatch)
    # The oracle would notice at once; here the specification is the only judge.
    monkeypatch.setattr("paxon.core.invariants.check", lambda condition, claim: None)
    monkeypatch.setattr("paxon.sim.oracle.check", lambda condition, claim: None)
    events = _record(EVENTFUL[0], THREE)
    assert _explained(events) < len(events)


def _find(events: list[Event], kind: str, fits: Callable[[Event], bool] = lambda event: True) -> int:
    return next(number for number, event in enumerate(events) if event["kind"] == kind and fits(event))


def _other_text(events: list[Event]) -> int:
    """A member votes for something else than it was asked to."""
    at = _find(events, "vote")
    events[at]["decree"] = structs.replace(events[at]["decree"], commands=(b"something else",))
    return at


def _sent_undried(events: list[Event]) -> int:
    """A vote leaves before it is durable."""
    at = _find(events, "vote")
    vote = events[at]
    letter = {"kind": "sent Voted", "member": vote["member"], "ballot": vote["ballot"], "slot": vote["slot"]}
    events.insert(at + 1, letter)
    return at + 1


def _entered_unasked(events: list[Event]) -> int:
    """A member enters a decree as soon as it has voted for it."""
    at = _find(events, "vote", lambda event: not any(e["kind"] == "enter" for e in events[: events.index(event)]))
    vote = events[at]
    events.insert(at + 1, {key: vote[key] for key in ("member", "slot", "decree")} | {"kind": "enter"})
    return at + 1


def _number_reused(events: list[Event]) -> int:
    """A member starts a ballot that it has tried before."""
    at = _find(events, "try")
    events.insert(at + 1, dict(events[at]))
    return at + 1


def _claimed_too_much(events: list[Event]) -> int:
    """A president says that more has passed than it knows."""
    at = _find(events, "sent claim")
    events[at]["until"] += 1
    return at


def _one_responder_less(events: list[Event]) -> int:
    """Polling starts with one answer."""
    at = _find(events, "poll")
    events[at]["responders"] = frozenset(sorted(events[at]["responders"])[:1])
    return at


def _promise_not_kept(events: list[Event]) -> int:
    """After a step, a member has promised less than the step made it promise."""
    at = _find(events, "look", lambda event: bool(event["seen"]["promised"] != Ballot(0, NodeId(0))))
    events[at]["seen"]["promised"] = Ballot(0, NodeId(0))
    return at


@pytest.mark.usefixtures("tlc")
@pytest.mark.parametrize(
    "tamper",
    [
        _other_text,
        _sent_undried,
        pytest.param(_entered_unasked, marks=pytest.mark.slow),
        pytest.param(_number_reused, marks=pytest.mark.slow),
        _claimed_too_much,
        pytest.param(_one_responder_less, marks=pytest.mark.slow),
        pytest.param(_promise_not_kept, marks=pytest.mark.slow),
    ],
)
def test_a_tampered_recording_is_refused_where_it_was_tampered_with(tamper: Callable[[list[Event]], int]) -> None:
    events = deepcopy(list(_recorded(EVENTFUL[0])))
    at = tamper(events)
    # What comes after is of no interest, and need not be looked at.
    assert _explained(events[: at + 10]) == at
