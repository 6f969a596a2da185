"""Decided chance: the same everywhere, and fair."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxon.rsm.dice import Dice


def test_draws_are_the_same_in_every_release() -> None:
    dice = Dice(b"slot 7")
    drawn = (dice.bits(16), dice.below(1000), dice.between(-3, 3), dice.choice("abcdef"), dice.bytes(3).hex())
    assert drawn == (19435, 980, -2, "b", "84971f")
    assert f"{dice.random():.6f}" == "0.482046"


def test_another_seed_gives_other_draws() -> None:
    assert Dice(b"a").bits(64) != Dice(b"b").bits(64)


@given(st.binary(), st.integers(1, 1 << 70))
def test_a_number_below_a_limit_is_below_it(seed: bytes, limit: int) -> None:
    assert 0 <= Dice(seed).below(limit) < limit


@given(st.binary(), st.integers(0, 200))
def test_bits_are_so_many(seed: bytes, count: int) -> None:
    assert 0 <= Dice(seed).bits(count) < 1 << count


@given(st.binary())
def test_a_fraction_is_below_one(seed: bytes) -> None:
    assert 0 <= Dice(seed).random() < 1


def test_every_number_comes_about_as_often() -> None:
    dice = Dice(b"fair")
    counts = Counter(dice.between(1, 6) for _ in range(6000))
    assert sorted(counts) == [1, 2, 3, 4, 5, 6]
    assert all(850 < count < 1150 for count in counts.values())


def test_a_shuffle_reaches_every_order() -> None:
    dice = Dice(b"cards")
    orders = set()
    for _ in range(200):
        cards = ["a", "b", "c"]
        dice.shuffle(cards)
        orders.add("".join(cards))
    assert orders == {"abc", "acb", "bac", "bca", "cab", "cba"}


def test_what_cannot_be_drawn_is_refused() -> None:
    dice = Dice(b"")
    with pytest.raises(ValueError, match="from 0 to below 0"):
        dice.below(0)
    with pytest.raises(ValueError, match="from 2 to 1"):
        dice.between(2, 1)
    with pytest.raises(ValueError, match="-1 bits"):
        dice.bits(-1)
    with pytest.raises(IndexError, match="nothing to choose from"):
        dice.choice("")
