"""Section 4.1: the same decrees in the same order, so the same state; and 4.2's comparison with commit protocols."""

from functools import reduce
from itertools import pairwise

import pytest

from paxon.core.decree import NOOP
from paxon.core.messages import BeginBallot, LastVote, NextBallot, Success, Voted
from paxon.core.timing import Timing
from tests.core.parliament import Parliament
from tests.paper.test_2_2_preliminary import troubled

State = tuple[tuple[str, str], ...]


def name_server(command: str, state: State) -> tuple[str, State]:
    """Figure 2 in a few words: ``name=value`` updates and says ok, ``name`` reads and changes nothing."""
    laws = dict(state)
    if "=" not in command:
        return laws.get(command, ""), state
    name, _, value = command.partition("=")
    return "ok", tuple(sorted((laws | {name: value}).items()))


def carried_out(decrees: list[str]) -> State:
    """The state after some decrees."""
    empty: State = ()
    return reduce(lambda state, text: name_server(text, state)[1], decrees, empty)


def test_a_state_machine_is_a_function() -> None:
    """4.1: command and state in, response and state out; nothing else needs to know what it does."""
    assert name_server("olive=green", ()) == ("ok", (("olive", "green"),))
    assert name_server("olive", (("olive", "green"),)) == ("green", (("olive", "green"),))
    assert name_server("fig", ()) == ("", ())


@pytest.mark.parametrize("seed", [3, 5, 8])
def test_the_states_of_servers_are_states_of_one_sequence(seed: int) -> None:
    """4.1: servers may lag, but each is where the others were or will be: its decrees are a prefix of theirs."""
    parliament = troubled(seed, size=5)
    sequences = sorted((parliament.texts(me) for me in parliament.members), key=len)
    for shorter, longer in pairwise(sequences):
        assert longer[: len(shorter)] == shorter
        assert carried_out(longer[: len(shorter)]) == carried_out(shorter)


def test_a_fast_read_is_a_past_state_and_a_slow_one_the_present() -> None:
    """4.1: a server may answer from its own version at once, or have the read pass like an update."""
    parliament = Parliament(3)
    parliament.pass_decree("olive=green")
    president = parliament.presidents[0]
    behind = next(me for me in parliament.members if me != president)
    parliament.loses = lambda sent: sent.to == behind
    parliament.propose(president, "olive=black")
    parliament.run_for(10)
    fast = name_server("olive", carried_out(parliament.texts(behind)))[0]
    assert fast == "green", "real, and past"
    parliament.loses = lambda sent: False
    slot = parliament.propose(president, "olive")
    parliament.run_until(lambda: all(parliament[me].ledger.passed_until > slot for me in parliament.members))
    for me in parliament.members:
        before = carried_out(parliament.texts(me)[: slot - 1])
        assert name_server("olive", before)[0] == "black"


def test_without_a_majority_nothing_passes_and_nothing_diverges() -> None:
    """4.1: consistency whatever fails; progress only with enough servers that can talk to each other."""
    parliament = Parliament(5)
    president = parliament.elect()
    parliament.pass_decree("a")
    for me in [me for me in parliament.members if me != president][:3]:
        parliament.crash(me)
    parliament.propose(president, "b")
    parliament.run_for(60_000)
    assert len(parliament.passed) == 1
    assert parliament.presidents == []
    for me in parliament.members:
        if me not in parliament.alive:
            parliament.start(me)
    parliament.pass_decree("c")
    texts = parliament.texts(president)
    assert texts[0] == "a"
    assert texts[-1] == "c"
    assert set(texts[1:-1]) <= {"b", ""}


@pytest.mark.parametrize(("fresh", "messages"), [(True, 5), (False, 3)])
def test_a_ballot_is_a_commit_protocol_whose_first_phase_is_shared(fresh: bool, messages: int) -> None:
    """4.2: five messages like three-phase commit, but the decree is named in the third, so the first two serve for all.

    To commit is to pass the decree, to abort is to pass a no-op instead.
    """
    parliament = Parliament(3, timing=Timing(presence_ms=10_000, election_timeout_ms=60_000, flush_ms=0))
    if not fresh:
        parliament.elect(within_ms=600_000)
        parliament.run_for(100)
    since = parliament.now_ms
    if fresh:
        parliament.stand(parliament.members[0])
        parliament.run_until(lambda: bool(parliament.presidents))
    slot = parliament.propose(parliament.presidents[0], "a")
    parliament.run_until(lambda: all(parliament[me].ledger.knows(slot) for me in parliament.members))
    ballot_messages = {NextBallot, LastVote, BeginBallot, Voted, Success}
    kinds = {type(sent.message) for sent in parliament.sent if sent.at_ms >= since} & ballot_messages
    assert len(kinds) == messages
    assert NOOP not in parliament.passed.values()
