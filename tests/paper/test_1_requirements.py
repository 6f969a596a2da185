"""Sections 1.2 and 1.3: what ledgers promise, when progress is due, and what may be taken for granted."""

from random import Random

import pytest

from paxon.core.decree import Decree
from paxon.core.ledger import Outcome
from paxon.core.messages import BeginBallot, Success
from paxon.errors import InvariantViolation
from tests.core.build import M1, M2, M3, S1, ballot, decree, idle, outcomes, state_of, written
from tests.core.parliament import Parliament
from tests.paper.test_2_2_preliminary import heal, troubled


def test_a_decree_in_a_ledger_is_never_changed() -> None:
    """1.2: ledgers are written in ink: a decree, once entered under a number, stays."""
    for before in (outcomes("a"), (Outcome(S1, decree("a")), *outcomes("b", 2))):
        ledger = written(*before)
        with pytest.raises(InvariantViolation):
            ledger.write(Outcome(S1, decree("z")))
        assert ledger.outcomes[S1] == decree("a")


def test_nor_by_a_letter_of_anybody() -> None:
    """1.2 again: whoever writes that another decree passed is not believed; something is badly wrong then."""
    member = idle(M2, *outcomes("a"))
    with pytest.raises(InvariantViolation):
        member.receive(M1, Success(ballot(9, 1), S1, (Outcome(S1, decree("z")),)), 0)
    assert member.ledger.outcomes[S1] == decree("a")


@pytest.mark.parametrize("seed", range(6))
def test_no_two_ledgers_contradict_each_other(seed: int) -> None:
    """1.2, consistency: entries may be missing, but two ledgers never differ in an entry that both have.

    The parliament checks it after every step; here the ledgers are replayed from disk as well.
    """
    parliament = troubled(seed, size=5)
    agreed: dict[int, Decree] = {}
    for seat in parliament.seats.values():
        for slot, entered in written(*seat.durable).outcomes.items():
            assert agreed.setdefault(slot, entered) == entered
    assert agreed


@pytest.mark.parametrize("seed", range(6))
def test_with_a_majority_and_time_every_decree_passes_and_reaches_every_ledger(seed: int) -> None:
    """1.2, progress: consistency is kept by blank ledgers too, so something has to be promised as well."""
    parliament = troubled(seed, size=5)
    heal(parliament)
    assert len({tuple(parliament.texts(me)) for me in parliament.members}) == 1
    assert parliament.texts(M1)[-1] == "healed"


def test_any_decree_may_be_passed() -> None:
    """1.2: legislators vote for whatever is put to them; they do not judge it."""
    strange = Decree(ballot(1, 1), -5, (b"", b"\x00\xff" * 1_000, b"down with parliament"))
    assert idle(M2).receive(M1, BeginBallot(ballot(1, 1), S1, strange, S1), 0).records


def test_slips_may_be_lost_and_ledgers_not() -> None:
    """1.3: what was written in the ledger is there after any absence, and nothing else needs to be."""
    parliament = Parliament(3, sync_ms=2)
    for number in range(10):
        parliament.pass_decree(f"{number}")
    before = {me: state_of(parliament[me].ledger) for me in parliament.members}
    for me in parliament.members:
        parliament.run_for(50)
        parliament.crash(me)
        parliament.start(me)
        after = parliament[me].ledger
        assert after.outcomes == before[me]["outcomes"]
        assert after.passed_until == before[me]["passed_until"]
    parliament.pass_decree("on we go")
    assert parliament.texts(M1) == [*map(str, range(10)), "on we go"]


@pytest.mark.parametrize("seed", range(4))
def test_messengers_may_lose_double_reorder_and_dawdle(seed: int) -> None:
    """1.3: letters are never changed on the way, and that is all that may be assumed.

    One in five comes again, up to an hour later and into another life of its recipient.
    """
    random = Random(seed)
    parliament = Parliament(3, sync_ms=1, chance=lambda me: random.randrange(2**32))
    parliament.loses = lambda sent: random.random() < 0.1
    parliament.copies = lambda sent: [random.randrange(3_600_000)] if random.random() < 0.2 else []
    for number in range(40):
        parliament.run_for(random.randrange(20_000))
        me = random.choice(parliament.members)
        if random.random() < 0.3:
            if me in parliament.alive:
                parliament.crash(me)
            else:
                parliament.start(me)
        for president in parliament.presidents:
            if parliament[president].may_propose:
                parliament.propose(president, f"{number}")
    heal(parliament)
    assert parliament.texts(M1) == parliament.texts(M2) == parliament.texts(M3)


@pytest.mark.parametrize("delay_ms", [1, 90, 400, 2_000])
def test_timers_that_are_wrong_cost_time_and_nothing_else(delay_ms: int) -> None:
    """1.2 promises progress only while messengers are prompt; consistency is promised whatever they do."""
    parliament = Parliament(3, delivery_ms=delay_ms, chance=lambda me: 97 * me)
    parliament.run_for(20_000)
    for number in range(10):
        for president in parliament.presidents:
            if parliament[president].may_propose:
                parliament.propose(president, f"{number} by {president}")
        parliament.run_for(1_500)
    if delay_ms < 100:
        assert len(parliament.passed) == 10
