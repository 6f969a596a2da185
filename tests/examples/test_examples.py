"""Each example is short, says what happens when a process dies, and does what it claims."""

import subprocess
import sys

import pytest

from examples.__main__ import HERE, names
from tests.docs.documents import ROOT

LINES_MAX = 79
"""An example is read whole."""

every_example = pytest.mark.parametrize("name", names())


@every_example
def test_it_is_short_and_says_what_a_death_does(name: str) -> None:
    text = (HERE / f"{name}.py").read_text(encoding="utf-8")
    assert text.count("\n") <= LINES_MAX
    assert "dies" in text.split('"""')[1]


@pytest.mark.slow
@every_example
def test_it_does_what_it_claims(name: str) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", f"examples.{name}"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith("as claimed\n")
    assert run.stderr == ""


def test_a_claim_that_does_not_hold_is_no_success() -> None:
    program = "from examples.processes import claim; claim(1 > 2, 'one is more than two')"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert run.returncode != 0
    assert "one is more than two" in run.stderr
