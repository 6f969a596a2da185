"""Section 3.3, as far as the protocol goes: presidents (3.3.1), stamps (3.3.3), slow reads (3.3.4), gaps (3.3.5)."""

from functools import partial
from random import Random

import pytest

from paxon.core import ledger as ledger_module
from paxon.core.decree import NOOP, Decree, NodeId
from paxon.core.ledger import Outcome, Vote
from paxon.core.messages import BeginBallot, HandOver, NextBallot, Present, Voted
from paxon.core.slip import Polling
from tests.core.build import M1, M2, M3, S1, S2, ballot, decree, polling, polling_slip, promise
from tests.core.parliament import Parliament, Sent
from tests.paper.test_2_2_preliminary import heal

HOUR = 3_600_000
MINUTE = 60_000


# --- 3.3.1, picking a president ---


def test_a_returning_member_with_the_last_name_does_not_take_office(monkeypatch: pytest.MonkeyPatch) -> None:
    """3.3.1: under the sample rule, a priest with a late name came back after six months and presided at once.

    Parliament then stood still while it copied the decrees it had missed.  Ours stays with the
    president it has, goes on passing decrees at the same pace, and the returner catches up.
    """
    monkeypatch.setattr(ledger_module, "KEPT_SLOTS", 100)
    parliament = Parliament(5)
    stale = parliament.members[-1]
    parliament.crash(stale)
    president = parliament.elect()
    for number in range(1_000):
        parliament.propose(president, f"{number}")
        parliament.run_for(2)
    since = parliament.now_ms
    parliament.start(stale)
    slowest = 0
    for number in range(200):
        slot, begun = parliament.propose(president, f"later {number}"), parliament.now_ms
        parliament.run_for(3)
        slowest = max(slowest, parliament.seats[president].passed_ms[slot] - begun)
    assert slowest == 2, "a round trip, as ever"
    assert not parliament.letters(NextBallot, since)
    assert parliament.presidents == [president]
    parliament.run_until(lambda: len(parliament.texts(stale)) == 1_200, within_ms=3_000)


@pytest.mark.parametrize("seed", range(4))
def test_nor_does_one_that_was_cut_off_and_kept_trying(seed: int) -> None:
    """3.3.1 again: all the while it was away it missed the president, and it comes back without a high ballot."""
    random = Random(seed)
    parliament = Parliament(3, chance=lambda me: random.randrange(2**32))
    president = parliament.elect()
    stale = next(me for me in reversed(parliament.members) if me != president)
    parliament.loses = lambda sent: stale in (sent.sender, sent.to) and sent.sender != sent.to
    parliament.run_for(120_000)
    parliament.propose(president, "missed")
    parliament.run_for(1_000)
    since = parliament.now_ms
    parliament.loses = lambda sent: False
    parliament.run_for(5_000)
    assert parliament.presidents == [president]
    assert not parliament.letters(NextBallot, since)
    assert parliament.texts(stale) == ["missed"]


def test_a_president_stays_until_it_leaves() -> None:
    """3.3.1's first proposal: whoever presides goes on presiding while it is there."""
    parliament = Parliament(5)
    president = parliament.elect()
    for me in parliament.members:
        if me != president:
            parliament.crash(me)
            parliament.run_for(2_000)
            parliament.start(me)
            parliament.run_for(2_000)
            assert parliament.presidents == [president]


def test_office_can_be_passed_on_to_one_that_is_up_to_date() -> None:
    """3.3.1: a better president may take over, but only once it has all the decrees."""
    parliament = Parliament(3)
    president = parliament.elect()
    behind, ready = (me for me in parliament.members if me != president)
    parliament.crash(behind)
    for number in range(50):
        parliament.propose(president, f"{number}")
        parliament.run_for(3)
    parliament.run_for(300)
    parliament.loses = lambda sent: sent.to == behind and not isinstance(sent.message, NextBallot | BeginBallot)
    parliament.start(behind)
    parliament.hand_over(president)
    parliament.run_until(lambda: parliament.presidents == [ready])
    assert {sent.to for sent in parliament.letters(HandOver)} == {ready}
    assert len({sent.message for sent in parliament.letters(NextBallot) if sent.sender == ready}) == 1


# --- 3.3.3, stamps ---


def test_stamps_do_not_run_backwards_between_presidents() -> None:
    """3.3.3's example: decree 2854 at 9:45 by one president, 2855 at 9:20 by the next, whose clock is slow.

    Terms of office are reckoned from these stamps, so ours are raised to what came before.
    """
    parliament = Parliament(3, skew_ms={M1: -10 * MINUTE, M2: 15 * MINUTE, M3: 20 * MINUTE})

    def in_office(me: NodeId) -> bool:
        return parliament.presidents == [me] and parliament[me].may_propose

    for me in (M3, M2, M1) * 3:
        parliament.stand(me)
        parliament.run_until(partial(in_office, me))
        parliament.propose(me, f"by {me}")
        parliament.run_for(300)
    stamps = [parliament.passed[slot].stamp_ms for slot in sorted(parliament.passed)]
    assert len(stamps) == 9
    assert stamps == sorted(stamps)
    assert stamps[0] >= 20 * MINUTE


@pytest.mark.parametrize("seed", range(6))
def test_stamps_do_not_run_backwards_whatever_happens(seed: int) -> None:
    """3.3.3: two decrees of different presidents: one of them knew of the other's when it proposed its own.

    Clocks are wrong by up to an hour, letters are lost, presidents come and go.
    """
    random = Random(seed)
    skew_ms = {me: random.randrange(-HOUR, HOUR) for me in (M1, M2, M3)}
    parliament = Parliament(3, skew_ms=skew_ms, sync_ms=1, chance=lambda me: random.randrange(2**32))
    parliament.loses = lambda sent: random.random() < 0.1
    for number in range(150):
        parliament.run_for(random.randrange(50))
        me = random.choice(parliament.members)
        if random.random() < 0.05 and parliament[me].slip is None:
            parliament.stand(me)
        for president in parliament.presidents:
            if parliament[president].may_propose:
                parliament.propose(president, f"{number} by {president}")
    heal(parliament)
    stamps = [passed.stamp_ms for _, passed in sorted(parliament.passed.items()) if passed != NOOP]
    assert len(stamps) > 10
    assert stamps == sorted(stamps)


def test_a_forced_decree_keeps_its_stamp() -> None:
    """3.3.3: the stamp says when a decree was first proposed; whoever proposes it again leaves it alone."""
    old = Decree(ballot(1, 2), 1_234, (b"old",))
    president = polling(M1, above=1, answers={M2: promise(ballot(2, 1), [Vote(S1, ballot(1, 2), old)])})
    assert polling_slip(president).open[S1].decree == old


def test_an_olive_day_decree_has_no_time_of_its_own() -> None:
    """3.3.3: only important decrees are dated; a no-op between two of them does not turn time back."""
    assert NOOP.stamp_ms == 0
    dated = decree("a", stamp_ms=9_000)
    votes = [Vote(S2, ballot(1, 2), dated)]
    president = polling(M1, above=1, answers={M2: promise(ballot(2, 1), votes)})
    for slot in (S1, S2):
        president.receive(M2, Voted(ballot(2, 1), slot), 0)
        president.receive(M3, Voted(ballot(2, 1), slot), 0)
    effects = president.propose((b"b",), 0, 5)
    assert {
        letter.message.decree.stamp_ms for letter in effects.letters if isinstance(letter.message, BeginBallot)
    } == {9_000}


# --- 3.3.4, learning about the law ---


def test_a_ledger_may_be_behind_what_a_citizen_was_told() -> None:
    """3.3.4: one citizen hears that a law has passed, and another reads a ledger that does not have it yet."""
    parliament = Parliament(3)
    president = parliament.elect()
    parliament.run_for(20)
    behind = next(me for me in parliament.members if me != president)
    parliament.loses = lambda sent: sent.to == behind
    slot = parliament.propose(president, "goats must be white")
    parliament.run_for(10)
    assert parliament[president].ledger.knows(slot)
    assert not parliament[behind].ledger.knows(slot)


@pytest.mark.parametrize("seed", range(6))
def test_a_slow_read_sees_every_decree_that_passed_before_it(seed: int) -> None:
    """3.3.4, the first reading of monotonicity: an inquiry counts as a decree of its own, so all before it are seen.

    Ours has no decree (the same guarantee costs one roll call): whatever any member said had
    passed when the read began is below the slot that the read waits for.
    """
    random = Random(seed)
    parliament = Parliament(3, chance=lambda me: random.randrange(2**32), sync_ms=1)
    parliament.loses = lambda sent: random.random() < 0.1
    asked: dict[int, int] = {}
    for number in range(300):
        parliament.run_for(random.randrange(20))
        me = random.choice(parliament.members)
        if random.random() < 0.03 and parliament[me].slip is None:
            parliament.stand(me)
        for president in parliament.presidents:
            if parliament[president].may_propose and random.random() < 0.5:
                parliament.propose(president, f"{number} by {president}")
            if random.random() < 0.5:
                asked[number * 10 + president] = max(parliament.passed, default=0)
                parliament.read(president, number * 10 + president)
    parliament.run_for(2_000)
    answered = 0
    for seat in parliament.seats.values():
        for token, until in seat.readings.items():
            if until is not None:
                answered += 1
                assert asked[token] < until
    assert answered > 20
    assert sum(len(seat.readings) for seat in parliament.seats.values()) == len(asked), "every read is answered"


def test_a_president_that_is_over_does_not_answer_for_the_law() -> None:
    """3.3.4: the story of the goats with presidents.  The old one has a law that the new one has changed."""
    parliament = Parliament(5)
    old = parliament.elect()
    parliament.pass_decree("goats must be white")
    parliament.run_for(20)
    others = [me for me in parliament.members if me != old]

    def loses(sent: Sent) -> bool:
        # Only answers to the old president's earlier roll calls still arrive.
        return old in (sent.sender, sent.to) and sent.sender != sent.to and not isinstance(sent.message, Present)

    parliament.loses = loses
    parliament.stand(others[0])
    parliament.run_until(lambda: others[0] in parliament.presidents)
    slot = parliament.propose(others[0], "goats must be black")
    parliament.run_until(lambda: parliament[others[1]].ledger.knows(slot))
    assert isinstance(parliament[old].slip, Polling)
    parliament.read(old, 1)
    parliament.run_for(5_000)
    assert parliament.seats[old].readings == {1: None}


# --- 3.3.5, entries that come late ---


def test_whoever_lacks_an_entry_gets_it_in_the_end() -> None:
    """3.3.5: an entry that one legislator has and another lacks is filled in, with no new decree needed for it."""
    parliament = Parliament(3)
    parliament.elect()
    slot = parliament.pass_decree("a")
    absent = parliament.members[0] if parliament.presidents[0] != M1 else M2
    parliament.crash(absent)
    parliament.pass_decree("b")
    parliament.start(absent)
    parliament.run_until(lambda: parliament[absent].ledger.passed_until == slot + 2, within_ms=1_000)
    assert parliament[absent].ledger.passed_ahead() == ()
    assert parliament[absent].ledger.outcomes[S1] == Outcome(S1, parliament.passed[S1]).decree
