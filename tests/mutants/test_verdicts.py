"""The program that judges mutants is not taken in by one that proves nothing."""

import json

import pytest
from msgspec import structs

from tests.mutants import __main__ as program
from tests.mutants.catalogue import MUTANTS
from tests.mutants.machine import versions_stand_still
from tests.mutants.mutant import ACCIDENTS
from tests.mutants.specimens import KILLER, SPECIMENS, harmless
from tests.mutants.trial import Outcome, OutOfTime, Trial, is_accident, run
from tests.mutants.verdict import Fate, is_of, objections, verdict

PASSED = Outcome(KILLER, None, 0.5)
FAILED = Outcome(KILLER, "AssertionError: 1 is not 2", 0.5)


@pytest.mark.parametrize(
    ("name", "fate", "reason"),
    [
        ("harmless", Fate.SURVIVED, "its code ran 2 times"),
        ("clumsy", Fate.WRONG_REASON, "the mutant itself failed: TypeError"),
        ("clumsy_elsewhere", Fate.WRONG_REASON, "TypeError: 'NoneType' object is not callable"),
        ("out_of_date", Fate.NO_TRIAL, "NameServer has no apply_all of its own"),
        ("empty", Fate.NO_TRIAL, "empty replaces nothing"),
        ("without_a_killer", Fate.NO_TRIAL, "not found: "),
    ],
)
def test_a_specimen_is_not_taken_for_killed(name: str, fate: Fate, reason: str) -> None:
    (found,) = program.judged([SPECIMENS[name]], jobs=1)
    assert found.fate is fate
    assert reason in found.reason


@pytest.mark.slow
def test_a_test_that_does_not_end_is_interrupted_and_kills_nothing() -> None:
    (found,) = program.judged([SPECIMENS["endless"]], jobs=1)
    assert (found.fate, found.reason) == (Fate.WRONG_REASON, "OutOfTime: no end within 10 seconds")


def test_a_run_that_cannot_be_interrupted_is_ended() -> None:
    trial = run("endless", [KILLER], limit_s=0.1)
    assert verdict(SPECIMENS["endless"], trial).fate is Fate.NO_TRIAL


def test_a_mutant_of_the_catalogue_is_killed(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["versions_stand_still", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["fate"] == "killed"
    assert found["killer"] == versions_stand_still.killers[0]
    assert found["reason"].startswith("AssertionError: ")


def test_the_program_fails_over_a_survivor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(MUTANTS, harmless.name, harmless)
    assert program.main([harmless.name]) == 1
    assert capsys.readouterr().out.splitlines()[1] == "1 mutants, 0 killed"


def test_the_program_fails_over_a_killer_that_does_not_run_on_the_code_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(MUTANTS, "without_a_killer", SPECIMENS["without_a_killer"])
    assert program.main(["without_a_killer"]) == 1
    assert "test_that_was_renamed" in capsys.readouterr().err


def test_a_search_lists_who_notices(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["versions_stand_still", "--search", "--among", KILLER]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "versions_stand_still: its code ran 2 times"
    assert KILLER in second


def test_every_named_killer_must_kill() -> None:
    other = structs.replace(PASSED, test="another")
    two = SPECIMENS["harmless"].__class__("two", "", "", "", (KILLER, "another"), harmless.damage)
    assert verdict(two, Trial([FAILED, other])).fate is Fate.SURVIVED
    assert verdict(two, Trial([FAILED, structs.replace(other, failure="no")])).fate is Fate.KILLED
    assert verdict(two, Trial([FAILED])).fate is Fate.NO_TRIAL


def test_one_parameter_that_fails_is_enough() -> None:
    outcomes = [structs.replace(PASSED, test=f"{KILLER}[1]"), structs.replace(FAILED, test=f"{KILLER}[2]")]
    found = verdict(harmless, Trial(outcomes))
    assert (found.fate, found.killer, found.seconds) == (Fate.KILLED, f"{KILLER}[2]", 1.0)


def test_a_failure_outside_of_the_test_is_no_kill() -> None:
    assert verdict(harmless, Trial([structs.replace(FAILED, is_accident=True)])).fate is Fate.WRONG_REASON


def test_killers_that_fail_or_do_not_run_on_the_code_as_it_is_are_told() -> None:
    assert objections([KILLER], Trial([PASSED])) == []
    assert "fails without a mutant" in objections([KILLER], Trial([FAILED]))[0]
    assert objections([KILLER], Trial([])) == [f"{KILLER} does not run"]
    assert objections([KILLER], Trial(exit_code=4, said="no such file")) == ["no such file"]


@pytest.mark.parametrize("accident", [*ACCIDENTS, OutOfTime])
def test_careless_code_is_found_behind_other_errors(accident: type[BaseException]) -> None:
    behind = ValueError("on top")
    behind.__cause__ = accident("below")
    assert is_accident(accident("itself"))
    assert is_accident(behind)
    assert is_accident(BaseExceptionGroup("of two", [ValueError("one"), behind]))
    behind.__cause__ = KeyError("no accident")
    assert not is_accident(behind)


def test_a_killer_covers_its_parameters_and_no_other_test() -> None:
    assert is_of(f"{KILLER}[a]", KILLER)
    assert not is_of(f"{KILLER}_too", KILLER)
