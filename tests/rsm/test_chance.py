"""Decided chance: the same everywhere, and fair."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxon.rsm.chance import Chance


def test_draws_are_the_same_in_every_release() -> None:
    chance = Chance(b"slot 7")
    drawn = (chance.bits(16), chance.below(1000), chance.between(-3, 3), chance.choice("abcdef"), chance.bytes(3).hex())
    assert drawn == (19435, 980, -2, "b", "84971f")
    assert f"{chance.random():.6f}" == "0.482046"


def test_another_seed_gives_other_draws() -> None:
    assert Chance(b"a").bits(64) != Chance(b"b").bits(64)


@given(st.binary(), st.integers(1, 1 << 70))
def test_a_number_below_a_limit_is_below_it(seed: bytes, limit: int) -> None:
    assert 0 <= Chance(seed).below(limit) < limit


@given(st.binary(), st.integers(0, 200))
def test_bits_are_so_many(seed: bytes, count: int) -> None:
    assert 0 <= Chance(seed).bits(count) < 1 << count


@given(st.binary())
def test_a_fraction_is_below_one(seed: bytes) -> None:
    assert 0 <= Chance(seed).random() < 1


def test_every_number_comes_about_as_often() -> None:
    chance = Chance(b"fair")
    counts = Counter(chance.between(1, 6) for _ in range(6000))
    assert sorted(counts) == [1, 2, 3, 4, 5, 6]
    assert all(850 < count < 1150 for count in counts.values())


def test_a_shuffle_reaches_every_order() -> None:
    chance = Chance(b"cards")
    orders = set()
    for _ in range(200):
        cards = ["a", "b", "c"]
        chance.shuffle(cards)
        orders.add("".join(cards))
    assert orders == {"abc", "acb", "bac", "bca", "cab", "cba"}


def test_what_cannot_be_drawn_is_refused() -> None:
    chance = Chance(b"")
    with pytest.raises(ValueError, match="from 0 to below 0"):
        chance.below(0)
    with pytest.raises(ValueError, match="from 2 to 1"):
        chance.between(2, 1)
    with pytest.raises(ValueError, match="-1 bits"):
        chance.bits(-1)
    with pytest.raises(IndexError, match="nothing to choose from"):
        chance.choice("")
