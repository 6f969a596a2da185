"""A recording has everything that happened in a run, and the run does not notice that it is recorded."""

from collections import Counter

import pytest

from paxon.core.messages import BeginBallot, NextBallot
from paxon.sim.recording import ARRIVED, MARKS, SPANS, Arrow, Recording
from paxon.sim.script import Script
from paxon.sim.world import World


def recorded(seed: int) -> tuple[World, Recording]:
    recording = Recording()
    world = World(seed, watcher=recording)
    world.run()
    return world, recording


def arrows_of(recording: Recording, kind: type) -> list[Arrow]:
    return [arrow for arrow in recording.arrows if isinstance(arrow.message, kind)]


@pytest.mark.parametrize("seed", [4, 10])
def test_a_run_does_not_notice_that_it_is_recorded(seed: int) -> None:
    world, _ = recorded(seed)
    assert world.trace.digest == World(seed).run().digest


@pytest.mark.parametrize("seed", [1, 4, 10])
def test_what_is_recorded_is_what_the_run_counted(seed: int) -> None:
    world, recording = recorded(seed)
    counts = world.trace.counts
    fates = Counter(arrow.fate for arrow in recording.arrows)
    marks = Counter(mark.kind for mark in recording.marks)
    spans = Counter(span.kind for span in recording.spans)
    assert sum(not arrow.is_copy for arrow in recording.arrows) == counts["letters"]
    assert sum(fates.values()) - fates[ARRIVED] - fates["on its way"] - fates["damaged"] == counts["lost"]
    assert marks["crash"] + marks["power"] == spans["down"]
    down = [member for member in world.members.values() if not member.is_alive]
    assert marks["boot"] == len(world.members) + spans["down"] - len(down)
    assert marks["passed"] == len(world.oracle.history.passed)
    assert spans["done"] == counts["reads"] + counts["acknowledged"]
    assert set(marks) <= set(MARKS)
    assert set(spans) <= set(SPANS)


@pytest.mark.parametrize("seed", [4, 10])
def test_moments_and_what_is_in_them_are_in_order(seed: int) -> None:
    _, recording = recorded(seed)
    assert recording.moments == sorted(recording.moments)
    assert all(arrow.ended is None or arrow.sent < arrow.ended or arrow.fate != ARRIVED for arrow in recording.arrows)
    assert all(span.ended is None or span.began <= span.ended for span in recording.spans)
    sent = [arrow.sent for arrow in recording.arrows if not arrow.is_copy]
    assert sent == sorted(sent)


def test_a_script_is_recorded_move_by_move() -> None:
    recording = Recording()
    script = Script(3, watcher=recording)
    script.elect(1)
    script.submit(1)
    script.sync(1)
    script.deliver(BeginBallot, to=2)
    script.drop(BeginBallot, to=3)
    script.crash(2)
    assert {arrow.fate for arrow in arrows_of(recording, NextBallot)} == {ARRIVED}
    assert [(arrow.to, arrow.fate) for arrow in arrows_of(recording, BeginBallot)] == [(2, ARRIVED), (3, "lost")]
    assert [span.words for span in recording.spans if span.kind in ("trying", "polling")] == [
        "tries 2.1",
        "presides in 2.1",
    ]
    assert [(span.words, span.ended) for span in recording.spans if span.kind == "failed"] == [
        ("client asks for c1", None)
    ]
    assert [span.words for span in recording.spans[-2:]] == ["sync: cut short by the crash", "down"]
    assert recording.marks[-1].kind == "power"
    begun, dropped = arrows_of(recording, BeginBallot)
    assert begun.sent == dropped.sent < (begun.ended or 0) < recording.marks[-1].moment


def test_what_passed_is_marked_where_its_quorum_was_completed() -> None:
    recording = Recording()
    script = Script(3, watcher=recording)
    script.elect(1)
    script.submit(1)
    script.settle()
    passed = [mark for mark in recording.marks if mark.kind == "passed"]
    assert [mark.words for mark in passed] == ["c1 passes in slot 1"]
