"""The pytest plugin, in a pytest of its own: it costs nothing until it is used, and its options arrive."""

import subprocess
import sys
from pathlib import Path

import pytest

MACHINE = """
import time


class Bank:
    def __init__(self):
        self.total = 0

    def apply(self, command, context):
        self.total += int(command)
        return b"%d" % self.total

    def query(self, question):
        return b"%d" % self.total

    @staticmethod
    def simulated_commands(random):
        while True:
            yield b"%d" % random.randrange(10)


class Late(Bank):
    def apply(self, command, context):
        return super().apply(command, context) + b"%d" % time.time()
"""


def run_pytest(directory: Path, tests: str, *arguments: str) -> tuple[int, str]:
    (directory / "bank.py").write_text(MACHINE, encoding="utf-8")
    (directory / "test_bank.py").write_text(tests, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *arguments, "test_bank.py"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout + run.stderr


def test_the_fixture_and_both_options_are_there(tmp_path: Path) -> None:
    tests = """
from bank import Bank
from paxon.testing import simulate


def test_by_hand(simulated_cluster):
    cluster = simulated_cluster(Bank, members=3, seed=7)
    assert cluster.submit(b"5") == b"5"
    cluster.crash(cluster.leader)
    cluster.run(2)
    assert cluster.query(b"") == b"5"


def test_by_chance():
    assert simulate(Bank, seeds=1000).seeds == 2
"""
    code, out = run_pytest(tmp_path, tests, "--paxon-seeds", "2", "--paxon-start", "3")
    assert code == 0, out
    assert "2 passed" in out


def test_a_failure_ends_in_the_reason_and_the_way_to_see_it_again(tmp_path: Path) -> None:
    tests = """
from bank import Late
from paxon.testing import simulate


def test_by_chance():
    simulate(Late, seeds=5)
"""
    code, out = run_pytest(tmp_path, tests, "--paxon-start", "2")
    assert code == 1
    assert "it depends on the clock: time.time (bank.py:" in out
    assert "pytest --paxon-start 2 --paxon-seeds 1" in out
    assert "paxon simulate --machine bank:Late --start 2 --seeds 1" in out


def test_a_cluster_of_the_fixture_is_judged_when_the_test_is_over(tmp_path: Path) -> None:
    tests = """
import bank


class Keyed(bank.Bank):
    def apply(self, command, context):
        return super().apply(command, context) + b"%d" % hash(command)


def test_by_hand(simulated_cluster):
    simulated_cluster(Keyed).submit(b"5")
"""
    code, out = run_pytest(tmp_path, tests)
    assert code == 1
    assert "it depends on the hash seed" in out


def test_whoever_simulates_nothing_pays_nothing(tmp_path: Path) -> None:
    tests = """
import sys


def test_nothing():
    assert [name for name in sys.modules if name.startswith("paxon.sim")] == []
"""
    assert run_pytest(tmp_path, tests)[0] == 0


@pytest.mark.parametrize("wrong", [["--paxon-seeds", "0"], ["--paxon-start", "-1"]])
def test_options_that_make_no_sense_are_refused(tmp_path: Path, wrong: list[str]) -> None:
    code, out = run_pytest(tmp_path, "", *wrong)
    assert code == 4
    assert wrong[0] in out
