"""One seed, one run: the same events at the same times in the same order, in any process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from paxon.sim.plan import LONG_FROM
from paxon.sim.world import World
from tests.sim.interpreters import OTHER_PYTHON, other_interpreters, output_of, usable


@pytest.mark.parametrize("seed", [4, 7, 13, 21])
def test_a_seed_gives_the_same_trace_twice(seed: int) -> None:
    first, second = World(seed).run(), World(seed).run()
    assert first == second


def test_two_seeds_differ() -> None:
    assert World(6).run().digest != World(11).run().digest


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_trace_does_not_depend_on_the_hash_seed(hash_seed: str) -> None:
    program = "from paxon.sim.world import World; print(*(World(seed).run().digest for seed in (4, 13)))"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.split() == [World(4).run().digest, World(13).run().digest]


def test_a_trace_does_not_depend_on_the_version_of_python(tmp_path: Path) -> None:
    others = other_interpreters()
    if not others:
        pytest.skip(f"no other Python from 3.11 on is on the path, nor named by {OTHER_PYTHON}")
    seeds = (4, 13, 21, LONG_FROM)
    program = f"from paxon.sim.world import World; print(*(World(seed).run().digest for seed in {seeds}))"
    here = [World(seed).run().digest for seed in seeds]
    for number, other in enumerate(others):
        try:
            python = usable(other, tmp_path / str(number))
        except subprocess.CalledProcessError as error:
            pytest.skip(f"{other} lacks what a run needs, and it cannot be installed: {error.stderr!r}")
        assert output_of(python, program).split() == here, python
