"""Section 3.2: the order of decrees (3.2.1), and what one decree costs behind closed doors (3.2.2)."""

from collections import Counter
from random import Random

import pytest

from paxon.core.decree import NOOP, Slot
from paxon.core.messages import BeginBallot, Message, Success, Voted
from paxon.core.roster import Flexible
from paxon.core.timing import Timing
from tests.core.build import FIVE, M1, M2, M3, S1, S2, S3, polling, polling_slip
from tests.core.parliament import Parliament
from tests.paper.test_2_2_preliminary import troubled

QUIET = Timing(presence_ms=1_000, election_timeout_ms=6_000, flush_ms=5)


def test_decrees_pass_in_any_order_and_are_carried_out_in_theirs() -> None:
    """3.2.1: ballots for many numbers go on at once, and which passes first is not said; laws change in order."""
    president = polling(M1)
    own = polling_slip(president).ballot
    for text in (b"a", b"b", b"c"):
        president.propose((text,), 0, 0)
    told: list[Slot] = []
    for slot in (S3, S1, S2):
        president.receive(M2, Voted(own, slot), 0)
        told += [passed for passed, _ in president.receive(M3, Voted(own, slot), 0).passed]
        assert president.ledger.knows(slot)
    assert told == [S1, S2, S3]


@pytest.mark.parametrize("seed", range(8))
def test_a_decree_proposed_after_another_passed_has_a_higher_number(seed: int) -> None:
    """3.2.1, decree ordering: if A passed before B was proposed, A's number is lower; for no-ops it does not matter.

    *Proposed* is when it was first proposed.  A forced decree proposed again is no new proposal.
    """
    random = Random(seed)
    parliament = Parliament(5, chance=lambda me: random.randrange(2**32), sync_ms=1)
    parliament.loses = lambda sent: random.random() < 0.15
    known_when_proposed: dict[str, set[Slot]] = {}
    for number in range(300):
        parliament.run_for(random.randrange(60))
        if random.random() < 0.06:
            me = random.choice(parliament.members)
            if me not in parliament.alive:
                parliament.start(me)
            elif len(parliament.alive) > 3:
                parliament.crash(me)
        for president in parliament.presidents:
            if parliament[president].may_propose:
                text = f"{number} by {president}"
                known_when_proposed[text] = {slot for slot, passed in parliament.passed.items() if passed != NOOP}
                parliament.propose(president, text)
    compared = 0
    for slot, decree in parliament.passed.items():
        if decree != NOOP:
            earlier = known_when_proposed[decree.commands[0].decode()]
            compared += len(earlier)
            assert all(before < slot for before in earlier)
    assert compared > 50


def costs(size: int, decrees: int, gap_ms: int) -> Counter[type[Message]]:
    """How many letters of each kind went to others for so many decrees, one every ``gap_ms``."""
    parliament = Parliament(size, timing=QUIET)
    president = parliament.elect(within_ms=120_000)
    parliament.run_for(100)
    since = parliament.now_ms
    for number in range(decrees):
        parliament.propose(president, f"{number}")
        parliament.run_for(gap_ms)
    parliament.run_for(20)
    return Counter(type(sent.message) for sent in parliament.sent if sent.at_ms >= since and sent.sender != sent.to)


@pytest.mark.parametrize("size", [3, 5])
def test_a_decree_by_itself_costs_three_letters_for_each_other_member(size: int) -> None:
    """3.2.2: BeginBallot, Voted, Success and nothing else.  We ask everyone to vote, so it is 3(N - 1) (erratum E4)."""
    others = size - 1
    assert costs(size, 1, 20) == {BeginBallot: others, Voted: others, Success: others}
    assert costs(size, 10, 20) == {BeginBallot: 10 * others, Voted: 10 * others, Success: 10 * others}


@pytest.mark.parametrize("size", [3, 5])
def test_in_a_busy_parliament_it_costs_two(size: int) -> None:
    """3.2.2: news of one decree rides on the BeginBallot of the next; only the last one needs a letter of its own."""
    others = size - 1
    assert costs(size, 50, 3) == {BeginBallot: 50 * others, Voted: 50 * others, Success: others}


def test_a_decree_is_known_everywhere_after_three_message_delays() -> None:
    """3.2.2: one delay each for BeginBallot, Voted and Success.  The president knows after two."""
    parliament = Parliament(5, timing=Timing(flush_ms=0), delivery_ms=10)
    president = parliament.elect()
    parliament.run_for(50)
    begun = parliament.now_ms
    slot = parliament.propose(president, "a")
    parliament.run_until(lambda: all(parliament[me].ledger.knows(slot) for me in parliament.members))
    taken = {me: parliament.seats[me].passed_ms[slot] - begun for me in parliament.members}
    assert taken == {me: 20 if me == president else 30 for me in parliament.members}


def test_an_idle_parliament_hears_of_its_last_decree_soon() -> None:
    """3.2.2: Success may wait for something to ride on, but not for ever."""
    parliament = Parliament(3, timing=QUIET, delivery_ms=10)
    president = parliament.elect(within_ms=120_000)
    parliament.run_for(100)
    begun = parliament.now_ms
    slot = parliament.propose(president, "a")
    parliament.run_until(lambda: all(parliament[me].ledger.knows(slot) for me in parliament.members))
    assert parliament.now_ms - begun == 30 + QUIET.flush_ms


def test_the_president_s_own_disk_delays_nobody() -> None:
    """3.2.2 counts messages; with disks it is one sync of a quorum: the president's runs while its letters travel."""
    parliament = Parliament(3, timing=QUIET, delivery_ms=10, sync_ms=7)
    president = parliament.elect(within_ms=120_000)
    parliament.run_for(100)
    begun = parliament.now_ms
    slot = parliament.propose(president, "a")
    assert {sent.at_ms for sent in parliament.letters(BeginBallot, begun)} == {begun}
    parliament.run_until(lambda: parliament[president].ledger.knows(slot))
    assert parliament.now_ms - begun == 10 + 7 + 10


def test_only_a_quorum_has_to_vote() -> None:
    """3.2.2: the decree passes with the votes of a quorum; with small vote quorums that is fewer than half."""
    parliament = Parliament(Flexible(FIVE.members, promises=4, votes=2))
    president = parliament.elect()
    parliament.run_for(20)
    helper = next(me for me in parliament.members if me != president)
    parliament.loses = lambda sent: isinstance(sent.message, Voted) and sent.sender not in (president, helper)
    slot = parliament.propose(president, "a")
    parliament.run_for(5)
    assert parliament[president].ledger.knows(slot)


def test_the_order_of_decrees_is_one_for_all() -> None:
    """3.2.1: whatever happens, the decrees that members tell of are the same under the same number, without gaps."""
    parliament = troubled(17, size=5)
    texts = [parliament.texts(me) for me in parliament.members]
    longest = max(texts, key=len)
    assert len(longest) > 5
    assert all(text == longest[: len(text)] for text in texts)
    for me in parliament.members:
        assert sorted(parliament.seats[me].passed) == list(range(1, len(parliament.texts(me)) + 1))
