"""The shapes of partitions."""

from collections import Counter
from random import Random

import pytest

from paxon.core.decree import NodeId
from paxon.sim.partitions import all_but_ring, both_ways, some_partition
from paxon.sim.strikes import PARTS


def members(size: int) -> tuple[NodeId, ...]:
    return tuple(NodeId(number) for number in range(1, size + 1))


@pytest.mark.parametrize("size", range(3, 10))
def test_on_the_ring_everybody_reaches_a_majority_and_not_everybody_everybody(size: int) -> None:
    everybody = members(size)
    cut = all_but_ring(everybody)
    reached = {one: {other for other in everybody if (one, other) not in cut} for one in everybody}
    assert cut == {(to, sender) for sender, to in cut}
    assert all(len(others) > size // 2 for others in reached.values())
    if size >= 4:
        assert len({frozenset(others) for others in reached.values()}) == (max(4, size))
        assert all(len(others) <= size // 2 + 2 for others in reached.values())
    else:
        assert sorted(map(len, reached.values())) == [2, 2, 3]


@pytest.mark.parametrize("size", [2, 3, 5, 7])
def test_every_form_of_partition_comes_and_is_what_it_is_called(size: int) -> None:
    everybody, leader = members(size), NodeId(2)
    forms: Counter[str] = Counter()
    for seed in range(400):
        fault, form, cut = some_partition(Random(seed), everybody, leader)
        forms[f"{fault} {form}"] += 1
        assert cut, f"{form} of {size} cuts something"
        if fault == "N1":
            assert cut == {(to, sender) for sender, to in cut}
        if form == "leader alone":
            assert cut == both_ways([leader], [member for member in everybody if member != leader])
        if form == "deaf":
            assert len({to for _, to in cut}) == 1
            assert len(cut) == size - 1
        if form == "mute":
            assert len({sender for sender, _ in cut}) == 1
        if form == "bridge":
            untouched = [one for one in everybody if not any(one in way for way in cut)]
            assert len(untouched) == 1
    wanted = {f"{fault} {part}" for fault in ("N1", "N2") for part in PARTS[fault]}
    assert set(forms) == (wanted if size > 2 else wanted - {"N1 bridge"})
