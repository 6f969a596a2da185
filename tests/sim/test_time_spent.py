"""Where the time of a run goes: every file has its part, and looking changes nothing."""

import threading
from collections import Counter
from pathlib import Path

import pytest

import paxon
from paxon.sim.outcome import Campaign, run_seed
from paxon.sim.time_spent import JUDGE, PARTS, _part_at, _part_of, in_words, sampled, shares
from paxon.sim.world import World

ROOT = Path(paxon.__file__).parent


@pytest.mark.parametrize("path", PARTS)
def test_every_path_named_is_there(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_longest_path_that_fits_counts() -> None:
    assert _part_of(str(ROOT / "core/ledger.py")) == "core"
    assert _part_of(str(ROOT / "core/invariants.py")) == JUDGE
    assert _part_of(str(ROOT / "sim/world.py")) == "agenda"
    assert _part_of(str(ROOT / "sim/network.py")) == "network"


def test_what_is_not_ours_and_small_helpers_are_their_callers() -> None:
    assert _part_of("/usr/lib/python3.11/random.py") == ""
    assert _part_of(str(ROOT / "errors.py")) == ""
    assert _part_at(None) == "other"


def test_a_busy_run_is_seen_and_stays_the_same() -> None:
    samples: Counter[str] = Counter()
    alone = World(5).run()
    with sampled(samples):
        # A run takes many times the interval; the kernel's clock may be a coarse one, so it is repeated.
        while sum(samples.values()) < 10:
            assert World(5).run() == alone
    assert set(samples) <= {*PARTS.values(), "other"}


def test_in_another_thread_nothing_is_added() -> None:
    samples: Counter[str] = Counter()

    def run() -> None:
        with sampled(samples):
            World(0).run()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert not samples


def test_shares_add_up_and_are_told_largest_first() -> None:
    assert shares({"core": 1, "codec": 3}) == {"codec": 0.75, "core": 0.25}
    assert in_words({"core": 1, "codec": 3}) == "codec 75%, core 25%"
    assert in_words({}) == ""


def test_an_outcome_says_what_it_cost() -> None:
    assert run_seed(Campaign(0, 1), 0).cpu_s > 0
