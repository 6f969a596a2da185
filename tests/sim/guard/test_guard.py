"""Users' machines in the simulator: good ones pass, and every hidden dependence is caught and named."""

import datetime
import os
import random
import re
import time
from pathlib import Path

import pytest

from paxon.errors import ConfigurationError
from paxon.kv.name_server import NameServer
from paxon.sim.guard.interpreters import Interpreter, Origin
from paxon.sim.guard.subject import UserSubject
from paxon.sim.guard.trail import Course, Decided
from paxon.sim.plan import Plan, plan_of
from paxon.sim.world import Report, Violation, World
from tests.sim.guard import machines, objects

SEED = 3
"""Crashes and little else, so that there are replays."""


def run(machine: type, seed: int = SEED) -> Report:
    return World(seed, plan_of(seed, members=3), subject=UserSubject.of(machine)).run()


GOOD = (NameServer, machines.Accounts, machines.Digested, machines.Harmless, machines.Busy, machines.ByDecidedTime)


@pytest.mark.parametrize("machine", GOOD)
def test_a_good_machine_is_not_accused(machine: type) -> None:
    report = run(machine)
    assert report.faults["P8"] > 4
    assert report.counts["commands compared"] > 100


BAD = {
    machines.SetOrder: "the hash seed: the order of a set",
    machines.HashOfText: r"the hash seed: .*hash \(machines\.py:\d+\)",
    machines.Timed: r"the clock: time\.time \(machines\.py:\d+\)",
    machines.TimedByName: r"the clock: time\.time \(machines\.py:\d+\)",
    machines.Dated: r"the clock: datetime\.now \(machines\.py:\d+\)",
    machines.Today: r"the clock: date\.today \(machines\.py:\d+\)",
    machines.Lottery: r"chance: random\.choice \(machines\.py:\d+\)",
    machines.OwnLottery: r"chance: Random\(\) \(machines\.py:\d+\)",
    machines.Secretive: r"chance: \w+\.urandom \(machines\.py:\d+\)",
    machines.Stamped: r"the clock: time\.strftime \(machines\.py:\d+\)",
    machines.Receipts: r"chance: uuid\.uuid4 \(machines\.py:\d+\)",
    machines.Salted: r"chance: \w+\.urandom \(machines\.py:\d+\)",
    machines.ByAddress: r"the addresses of objects: id \(machines\.py:\d+\)",
    machines.Shown: "the addresses of objects: there is one in what it gives",
    machines.Shared: r"what all machines of the process share: .*\.Shared\.totals changes",
    machines.Configured: r"the environment: .*os\.environ\['PAXON_TEST_RATE'\] \(machines\.py:\d+\)",
    machines.ByProcess: r"the environment: .*getpid \(machines\.py:\d+\)",
    machines.Counting: "questions: query changes the state",
    machines.RaisesOnReplay: r"the clock: time\.time \(machines\.py:\d+\)",
}


@pytest.mark.parametrize("machine", BAD)
def test_a_hidden_dependence_is_caught_and_named(machine: type[machines.Accounts]) -> None:
    with pytest.raises(Violation) as caught:
        run(machine)
    story = str(caught.value)
    assert story.startswith(f"tests.sim.guard.machines:{machine.__name__} is not deterministic: ")
    found = [line for line in story.splitlines() if "it depends on" in line]
    assert len(found) == 1
    assert re.search(f"it depends on {BAD[machine]}", found[0]), found
    assert f"seed {SEED}" in story
    assert re.search(r"command \d+ \(b'\w+ -?\d+', slot \d+\)", story.splitlines()[0])


BROKEN = {
    machines.FromFile: r"apply of command 1 .* opens '.*machines\.py' \(machines\.py:\d+\)",
    machines.Threaded: r"apply of command 1 .* starts a thread \(machines\.py:\d+\)",
    machines.CountingDigested: r"query\(b'\w+'\) after \d+ commands changed the state",
    machines.Hasty: r"raised ValueError: too late after it had changed the state",
    machines.Wordy: r"apply of command 1 .* returned str where bytes are due",
    machines.FailingDigest: r"digest\(\) raised ZeroDivisionError",
    machines.WordyAnswers: r"query\(.*returned str where bytes are due",
}


@pytest.mark.parametrize("machine", BROKEN)
def test_a_broken_promise_is_caught_and_named(machine: type[machines.Accounts]) -> None:
    with pytest.raises(Violation, match=rf"\Atests\.sim\.guard\.machines:{machine.__name__}: .*{BROKEN[machine]}"):
        run(machine)


@pytest.mark.parametrize(
    ("plan", "options"),
    [
        (plan_of(SEED), ""),
        (plan_of(SEED, "calm"), " --profile calm"),
        (plan_of(SEED, "hasty", 4), " --profile hasty --members 4"),
    ],
)
def test_the_way_to_see_it_again_has_every_option(plan: Plan, options: str) -> None:
    with pytest.raises(Violation) as caught:
        World(SEED, plan, subject=UserSubject.of(machines.Timed)).run()
    command = f"paxon simulate --machine tests.sim.guard.machines:Timed --start {SEED} --seeds 1{options}"
    assert f"\nagain: {command}\n" in str(caught.value)


def test_a_seed_gives_the_same_story_twice() -> None:
    stories = []
    for _ in range(2):
        with pytest.raises(Violation) as caught:
            run(machines.Receipts)
        stories.append(str(caught.value))
    assert stories[0] == stories[1]


def test_nothing_of_ours_is_left_in_python() -> None:
    def looked_at() -> tuple[object, ...]:
        return time.time, datetime.datetime, os.urandom, random.random, random.Random.seed, random.getstate(), id

    before = looked_at()
    run(machines.Accounts)
    assert looked_at() == before


@pytest.mark.parametrize("seed", [2, 3])
def test_equal_commands_are_told_apart(seed: int) -> None:
    """Users' commands repeat themselves, and each passes once all the same."""
    subject = UserSubject.of(machines.Accounts, machines.deposits)
    report = World(seed, plan_of(seed, members=3), subject=subject).run()
    assert report.counts["acknowledged"] > len(machines.NAMES)


WRONG = {
    machines.WordyDigest: r"digest\(\) returned str where bytes are due",
    machines.FromFileAtStart: r"making one opens '.*machines\.py'",
    machines.Unmakeable: "cannot be made without arguments: TypeError: .*rate",
    machines.NoQuery: r"no state machine: it has no method query\(question\)",
    machines.OneArgument: r"no state machine: apply is not apply\(command, context\)",
    machines.NothingToDo: r"nothing is known to ask .* simulated_commands\(random\)",
    machines.WordyCommands: "yields str where bytes are due",
    machines.NoCommands: "yields nothing",
}


@pytest.mark.parametrize("machine", WRONG)
def test_what_is_no_state_machine_is_told_what_it_lacks(machine: type) -> None:
    with pytest.raises(ConfigurationError, match=WRONG[machine]):
        UserSubject.of(machine)


def test_a_machine_that_no_fresh_interpreter_can_import_is_refused() -> None:
    class Local(machines.Accounts):
        pass

    with pytest.raises(ConfigurationError, match="made inside of a function: move it into the module"):
        UserSubject.of(Local)


def test_a_module_that_only_its_file_leads_to_is_found(tmp_path: Path) -> None:
    source = Path(machines.__file__).read_text(encoding="utf-8")
    (tmp_path / "lonely.py").write_text(source, encoding="utf-8")
    origin = Origin("not_on_the_path.lonely", "Accounts", str(tmp_path / "lonely.py"))
    interpreter = Interpreter("7", origin, None)
    interpreter.start(Course((Decided(1, 1, b"1 ada 5"),)))
    assert [step.result for step in interpreter.finish().steps] == [b"5"]
    interpreter.close()


def test_replicated_objects_go_in_by_way_of_a_function() -> None:
    good = UserSubject.of(objects.stock, objects.deliveries)
    assert World(SEED, plan_of(SEED, members=3), subject=good).run().counts["commands compared"] > 0
    bad = UserSubject.of(objects.perishing, objects.perishing_deliveries)
    with pytest.raises(Violation, match=r"it depends on the clock: time\.time \(objects\.py:\d+\)"):
        World(SEED, plan_of(SEED, members=3), subject=bad).run()
