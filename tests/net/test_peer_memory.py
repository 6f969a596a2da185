"""What members remember of each other: who is refused for what it forgot, and who never is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxon.core.decree import NodeId
from paxon.net.handshake import DISOWNED, Standing
from paxon.net.introductions import Introductions
from paxon.net.peer_memory import PeerMemory

BEN = NodeId(2)


def test_a_ledger_with_fewer_lines_than_it_vouched_for_is_refused() -> None:
    memory = PeerMemory("ada")
    memory.note(BEN, 70)
    goodbye = memory.meet(BEN, "ben", Standing(69, 5, 1))
    assert goodbye is not None
    assert goodbye.code == DISOWNED
    assert "the ledger of ben ends at line 69, but ada remembers that line 70" in goodbye.reason
    assert "leave it down" in goodbye.reason
    assert memory.of(BEN) == Standing(70), "who is refused leaves no trace"
    assert memory.meet(BEN, "ben", Standing(70, 5, 1)) is None


def test_lines_never_fall() -> None:
    memory = PeerMemory()
    for line in (3, 9, 5):
        memory.note(BEN, line)
    assert memory.lines() == ((BEN, 9),)


@pytest.mark.parametrize(
    ("second", "is_refused"),
    [
        (Standing(0, 5, 1), False),  # the same process on its other lane, or again
        (Standing(0, 6, 2), False),  # restarted
        (Standing(0, 5, 2), True),  # a copy started as often
        (Standing(0, 4, 2), True),  # an older copy
        (Standing(0, 0, 0), False),  # a release that does not know of this
    ],
)
def test_two_processes_on_copies_of_one_directory(second: Standing, is_refused: bool) -> None:
    memory = PeerMemory()
    assert memory.meet(BEN, "ben", Standing(0, 5, 1)) is None
    goodbye = memory.meet(BEN, "ben", second)
    assert (goodbye is not None) == is_refused
    if goodbye is not None:
        assert goodbye.code == DISOWNED
        assert "two processes use a copy of the directory each" in goodbye.reason


def test_what_an_earlier_life_wrote_down_counts() -> None:
    memory = PeerMemory("ada", {BEN: Standing(70, 5, 1)})
    assert memory.meet(BEN, "ben", Standing(69, 6, 2)) is not None
    assert memory.meet(BEN, "ben", Standing(70, 4, 2)) is not None
    assert PeerMemory("ada", memory.remembered).of(BEN) == Standing(70, 5, 1)


@given(st.lists(st.tuples(st.sampled_from(["vouch", "write", "restart"]), st.integers(0, 5)), max_size=40))
def test_a_member_that_keeps_its_ledger_is_never_refused(steps: list[tuple[str, int]]) -> None:
    """Whatever was durable and vouched for is there after every crash, with some of what was not durable, or none."""
    memory = PeerMemory()
    durable, written, boot = 0, 0, 1
    for step, number in steps:
        if step == "write":
            written += number
        elif step == "vouch":
            durable = min(written, durable + number)
            memory.note(BEN, durable)
        else:
            written = durable = min(written, durable + number)
            boot += 1
        assert memory.meet(BEN, "ben", Standing(written, boot, boot * 7)) is None


def introductions(others: int, welcomed: int, enough: int) -> Introductions:
    made = Introductions(others, lambda member, storage: None, lambda members: len(members) >= enough)
    for number in range(welcomed):
        made.welcomed_by(NodeId(number + 2))
    return made


@pytest.mark.parametrize(
    ("others", "welcomed", "is_moment_over", "may"),
    [
        (0, 0, False, True),
        (2, 0, True, False),
        (2, 1, False, False),  # the other one may be there and know better
        (2, 1, True, True),
        (2, 2, False, True),
        (4, 1, True, False),
        (4, 2, True, True),
        (4, 3, False, False),
    ],
)
def test_a_known_storage_waits_for_all_or_for_a_moment_and_a_quorum(
    others: int, welcomed: int, is_moment_over: bool, may: bool
) -> None:
    made = introductions(others, welcomed, enough=others // 2)
    assert made.may_take_part(already=True, is_moment_over=is_moment_over) == may


def test_a_new_storage_waits_for_a_majority_of_the_others_however_long() -> None:
    assert not introductions(4, 2, enough=0).may_take_part(already=False, is_moment_over=True)
    assert introductions(4, 3, enough=4).may_take_part(already=False, is_moment_over=False)
