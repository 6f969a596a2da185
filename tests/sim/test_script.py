"""Stories that chance takes long to find, played by hand; each is told twice where a broken rule shows in it."""

import pytest

from paxon.core.decree import NOOP, Slot
from paxon.core.messages import BeginBallot, LastVote, NextBallot, Presence, Present, Success, Voted
from paxon.errors import InvariantViolation
from paxon.sim.script import Script
from paxon.sim.workload import Request
from tests.mutants import core, presidency


def test_a_command_passes_everywhere_when_everything_is_delivered() -> None:
    script = Script(3)
    script.elect(1)
    request = script.submit(1)
    script.settle()
    assert request.is_over
    assert {script.commands_in(member, 1) for member in (1, 2, 3)} == {(request.command,)}


def test_letters_wait_and_can_be_lost() -> None:
    script = Script(3)
    script.elect(1)
    request = script.submit(1)
    script.sync(1)
    assert script.drop(BeginBallot) == 2
    assert not request.is_over
    assert script.deliver(BeginBallot) == 0


def test_nothing_that_waits_for_the_disk_leaves_before_the_sync() -> None:
    script = Script(3)
    script.stand(1)
    assert not script.waiting(NextBallot)
    script.sync(1)
    assert script.deliver(NextBallot, to=2) == 1
    assert not script.waiting(LastVote)
    script.sync(2)
    assert len(script.waiting(LastVote, sender=2, to=1)) == 1


def test_a_power_cut_takes_back_a_vote_that_nobody_heard_of() -> None:
    script = Script(3)
    script.elect(1, among=(1, 2))
    script.submit(1)
    script.deliver(BeginBallot, to=2)
    script.crash(2)
    script.restart(2)
    assert script.legislator(2).ledger.votes == {}
    assert not script.waiting(Voted)


def test_the_highest_vote_wins_over_an_older_one_of_another_member() -> None:
    """Step 3 over all responders (E1): member 1 alone voted for its own decree, 2 and 3 passed another."""
    script = Script(3)
    passed = _two_votes_in_one_slot(script)
    script.elect(3, among=(1, 3))
    script.settle(among=(1, 3))
    assert script.commands_in(1, 1) == (passed,)


def test_the_oracle_notices_when_the_lowest_vote_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    core.lowest_vote_wins.apply(monkeypatch)
    script = Script(3)
    _two_votes_in_one_slot(script)
    with pytest.raises(InvariantViolation, match=r"Lemma|B3"):
        script.elect(3, among=(1, 3))


def _two_votes_in_one_slot(script: Script) -> bytes | None:
    script.elect(1)
    script.submit(1)
    script.sync(1)
    script.drop(BeginBallot)
    script.elect(2, among=(2, 3))
    request = script.submit(2)
    script.settle(lambda: request.is_over, among=(2, 3))
    script.drop(Success)
    script.drop(Presence)
    script.drop(sender=2)
    assert Slot(1) in script.legislator(1).ledger.votes
    assert Slot(1) in script.legislator(3).ledger.votes
    return request.command


def test_a_gap_is_filled_with_a_noop_and_what_lies_above_it_survives() -> None:
    """Section 3.1: decree 126 survives, 125 becomes a no-op, the new command comes after both."""
    script = Script(3)
    first, survivor = _gap(script)
    new = script.submit(2)
    script.settle(among=(2, 3))
    assert script.legislator(3).ledger.outcomes[first] == NOOP
    assert script.commands_in(3, first + 1) == (survivor.command,)
    assert script.commands_in(3, first + 2) == (new.command,)


def test_a_gap_that_nobody_fills_ends_all_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    core.gap_left_open.apply(monkeypatch)
    script = Script(3)
    _gap(script)
    new = script.submit(2)
    with pytest.raises(InvariantViolation, match="comes about"):
        script.settle(lambda: new.is_over, among=(2, 3))


def _gap(script: Script) -> tuple[Slot, Request]:
    """Of two decrees of member 1, only the second gets a vote that lasts; member 2 presides next."""
    script.elect(1)
    script.submit(1)
    survivor = script.submit(1)
    begun = [(letter, letter.message) for letter in script.mailbox if isinstance(letter.message, BeginBallot)]
    first, second = sorted({message.slot for _, message in begun})
    assert second == first + 1
    for letter, message in begun:
        if message.slot == first or letter.to == 3:
            script.mailbox.remove(letter)
    assert script.deliver(BeginBallot, to=2) == 1
    script.sync(2)
    script.crash(1)
    script.drop()
    script.elect(2, among=(2, 3))
    return first, survivor


def test_a_deposed_president_answers_no_read() -> None:
    script = Script(3)
    read = _deposed_president_is_read(script)
    assert not read.is_over


def test_the_oracle_notices_a_read_without_a_roll_call(monkeypatch: pytest.MonkeyPatch) -> None:
    presidency.read_without_a_roll_call.apply(monkeypatch)
    with pytest.raises(InvariantViolation, match="as it promises"):
        _deposed_president_is_read(Script(3))


def _deposed_president_is_read(script: Script) -> Request:
    script.elect(1)
    script.submit(1)
    script.settle()
    script.elect(2, among=(2, 3))
    written = script.submit(2)
    script.settle(lambda: written.is_over, among=(2, 3))
    assert sorted(script.presidents) == [1, 2]
    return script.read(1)


def test_what_a_follower_knows_to_have_passed_need_not_be_what_its_president_proposed() -> None:
    """Member 5 follows member 1, and was told by member 2, whom it promised nothing, what passed in a later ballot."""
    script = Script(5)
    passed = _follower_knows_better(script)
    script.settle(lambda: script.commands_in(1, 1), among=(1, 5))
    assert script.commands_in(1, 1) == (passed,)


def test_the_oracle_notices_when_a_follower_is_taken_to_speak_of_its_presidents_ballot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    core.claims_under_the_wrong_ballot.apply(monkeypatch)
    with pytest.raises(InvariantViolation, match="I1"):
        _follower_knows_better(Script(5))


def _follower_knows_better(script: Script) -> bytes | None:
    script.elect(1)
    script.submit(1)
    script.sync(1)
    script.drop()
    script.elect(2, among=(2, 3, 4))
    written = script.submit(2)
    script.settle(lambda: written.is_over, among=(2, 3, 4))
    # Of all this, member 5 hears only that something passed, and asks for it.
    script.drop(NextBallot, to=5)
    script.drop(BeginBallot, to=5)
    script.settle(lambda: script.commands_in(5, 1), among=(2, 5))
    assert script.legislator(5).ledger.next_ballot.owner == 1
    # Member 1 still calls the roll.
    script.drop(to=1)
    script.drop(sender=1)
    while not script.waiting(Presence, sender=1, to=5):
        script.wait(5)
    script.deliver(Presence, sender=1, to=5)
    assert script.deliver(Present, sender=5, to=1) == 1
    return written.command


def test_a_president_that_is_read_all_the_time_still_sends_again_what_was_lost() -> None:
    script = Script(3)
    script.elect(1)
    request = script.submit(1)
    script.drop(BeginBallot)
    for _ in range(40):
        script.read(1)
        script.wait(20)
        script.deliver(Presence)
        script.deliver(Present)
    assert script.waiting(BeginBallot)
    script.settle(lambda: request.is_over)
