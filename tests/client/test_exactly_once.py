"""Commands of outside clients while leaders are killed: the measurement, made short, and what it would notice."""

import importlib.util
import json
import subprocess
import sys
from types import ModuleType

import pytest

from tests.tidy.source import ROOT

PROGRAM = ROOT / "benchmarks/exactly_once.py"


@pytest.mark.slow
def test_every_command_is_applied_once_and_in_order_over_the_death_of_leaders() -> None:
    run = subprocess.run([sys.executable, PROGRAM, "--rounds", "2"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    figures = json.loads(run.stdout)
    assert figures["acknowledged"] > 0
    assert figures["applied"] >= figures["acknowledged"]
    assert figures["resent"] > 0


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The measurement as a module."""
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    specification = importlib.util.spec_from_file_location("exactly_once", PROGRAM)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    # Where the types of its commands are looked for.
    monkeypatch.setitem(sys.modules, "exactly_once", module)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("kept", "wrong"),
    [
        ([1, 2, 4], {}),
        ([1, 2], {}),
        ([1, 4], {"missing": 1, "wrong_results": 1}),
        ([1, 2, 2], {"twice": 1, "out_of_order": 1, "wrong_results": 1}),
        ([2, 1], {"out_of_order": 1, "wrong_results": 2}),
        ([1, 2, 3], {"applied_though_refused": 1}),
    ],
)
def test_the_measurement_notices_what_is_wrong(program: ModuleType, kept: list[int], wrong: dict[str, int]) -> None:
    load = program.Load("client", None, 1)
    load.acknowledged, load.refused, load.unknown = {1: 1, 2: 2}, {3}, {4}
    assert {kind: count for kind, count in load.faults(kept).items() if count} == wrong
