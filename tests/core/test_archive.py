"""Filling gaps: when to ask, whom, how often, and what is handed out."""

import pytest

from paxon.core import archive as archive_module
from paxon.core import ledger as ledger_module
from paxon.core.archive import ASKED_IN_VAIN, CHUNK_BYTES, HURRY_MS, PAUSE_MS
from paxon.core.decree import NO_BALLOT, Ballot, NodeId, Slot
from paxon.core.effects import Effects, Letter, Recall
from paxon.core.ledger import OUTCOME_BYTES, Outcome
from paxon.core.legislator import Legislator
from paxon.core.messages import (
    BeginBallot,
    Canvass,
    CanvassReply,
    Lacking,
    Message,
    Presence,
    Present,
    Success,
)
from paxon.core.timing import Timing
from tests.core.build import M1, M2, M3, S1, S2, S3, S4, ballot, decree, idle, outcomes, polling, polling_slip
from tests.core.parliament import Parliament

TIMING = Timing(presence_ms=100, election_timeout_ms=60_000, retransmit_ms=200, flush_ms=5)
"""Nobody is missed while these tests run."""

OF_M2 = ballot(4, 2)
PATIENCE = TIMING.presence_ms // 2


def told(passed_until: int, texts: str = "", from_slot: int = 1, of: Ballot = NO_BALLOT) -> Success:
    """A ``Success`` of some decrees."""
    return Success(of, Slot(passed_until), outcomes(texts, from_slot))


def listening(*records: Outcome) -> Legislator:
    """A member that hears a president and so has nothing else to do."""
    member = idle(M1, *records, timing=TIMING)
    member.receive(M2, Presence(OF_M2, 1, S1), 0)
    return member


def lacking(sender: NodeId = M2, passed_until: int = 10) -> Legislator:
    """Such a member, that has just heard, at 0 ms, that everything below ``passed_until`` has passed."""
    member = listening()
    member.receive(sender, told(passed_until), 0)
    return member


SOON = 10
"""Less than any other pause here, in milliseconds."""


# --- asking ---


@pytest.mark.parametrize(
    "claim",
    [
        Success(OF_M2, S3, ()),
        Success(NO_BALLOT, S3, ()),
        Presence(OF_M2, 1, S3),
        BeginBallot(OF_M2, S4, decree("d"), S3),
        Canvass(1, S3),
        CanvassReply(1, False, NO_BALLOT, S3),
    ],
    ids=lambda claim: type(claim).__name__,
)
def test_whoever_says_that_more_has_passed_is_asked_for_it(claim: Message) -> None:
    member = listening()
    assert not any(isinstance(letter.message, Lacking) for letter in member.receive(M2, claim, 0).letters)
    assert member.next_deadline() == PATIENCE
    assert member.on_deadline(PATIENCE - 1, 0).letters == []
    assert member.on_deadline(PATIENCE, 0) == Effects(letters=[Letter(M2, Lacking(S1))])


def test_a_president_asks_a_member_that_knows_more() -> None:
    president = polling(M1, timing=TIMING)
    own = polling_slip(president).ballot
    president.receive(M3, Present(own, 1, S3), 0)
    assert president.on_deadline(PATIENCE, 0).letters == [Letter(M3, Lacking(S1))]


def test_nobody_is_asked_for_what_we_have() -> None:
    member = listening(*outcomes("ab"))
    member.receive(M2, told(3), 0)
    assert member.next_deadline() > PATIENCE


def test_nobody_is_asked_for_what_arrives_in_time() -> None:
    member = lacking(passed_until=2)
    member.receive(M3, told(1, "a"), 10)
    assert member.on_deadline(PATIENCE, 0) == Effects()


def test_while_our_ledger_grows_nobody_is_asked() -> None:
    """The decrees are evidently on their way; asking would fetch them twice."""
    member = listening()
    begin = [BeginBallot(OF_M2, Slot(number), decree(str(number)), Slot(max(1, number - 1))) for number in range(1, 9)]
    member.receive(M2, begin[0], 0)
    member.receive(M2, begin[1], 0)
    member.receive(M3, told(9), 10)
    last_ms = 10 + PATIENCE
    for letter in begin[2:6]:
        assert member.ledger.passed_until < 9
        assert member.receive(M2, letter, last_ms - 20).passed
        assert member.on_deadline(last_ms, 0).letters == []
        last_ms += PATIENCE - 20
    assert member.next_deadline() == last_ms
    assert [letter.message for letter in member.on_deadline(last_ms, 0).letters] == [
        Lacking(member.ledger.passed_until)
    ]


def test_the_question_says_how_far_our_ledger_goes() -> None:
    member = listening(*outcomes("a"), Outcome(S3, decree("c")))
    member.receive(M2, told(5), 0)
    assert member.on_deadline(PATIENCE, 0).letters == [Letter(M2, Lacking(S2))]


def next_question(member: Legislator, now_ms: int) -> list[Letter]:
    """What ``member`` asks within ``SOON`` after ``now_ms``."""
    deadline_ms = member.next_deadline()
    return member.on_deadline(deadline_ms, 0).letters if deadline_ms <= now_ms + SOON else []


def test_each_answer_leads_to_the_next_question() -> None:
    member = lacking(passed_until=5)
    member.on_deadline(PATIENCE, 0)
    effects = member.receive(M2, told(5, "ab"), 60)
    assert [slot for slot, _ in effects.passed] == [S1, S2]
    assert [*effects.letters, *next_question(member, 60)] == [Letter(M2, Lacking(S3))]
    effects = member.receive(M2, told(5, "cd", 3), 70)
    assert [*effects.letters, *next_question(member, 70)] == [], "until nothing is lacking"
    assert member.next_deadline() > 1_000


def test_an_answer_that_says_that_still_more_has_passed_goes_on() -> None:
    member = lacking(passed_until=2)
    member.on_deadline(PATIENCE, 0)
    effects = member.receive(M2, told(9, "a"), 60)
    assert [*effects.letters, *next_question(member, 60)] == [Letter(M2, Lacking(S2))]


def test_an_answer_that_brings_nothing_new_is_followed_by_no_question() -> None:
    """Asking again at once would go round as fast as the link allows."""
    member = lacking()
    member.on_deadline(PATIENCE, 0)
    member.receive(M2, told(10, "a"), 60)
    next_question(member, 60)
    for late in (told(10, "a"), told(10), told(10, "e", 5)):
        assert member.receive(M2, late, 70).letters == []
        assert next_question(member, 70) == []


def test_questions_leave_live_votes_their_time_while_less_is_missing_and_hurry_while_it_is_not() -> None:
    """Ballots under way reach a member by themselves; where they do not, the claims run away from it."""
    member = lacking(passed_until=10)
    pauses = []
    for now_ms, slot, claim in ((100, 1, 10), (200, 2, 10), (300, 3, 12), (400, 4, 12), (500, 5, 14), (600, 6, 14)):
        member.receive(M2, told(claim, "x", slot), now_ms)
        pauses.append(member.next_deadline() - now_ms)
        member.on_deadline(member.next_deadline(), 0)
    assert pauses == [HURRY_MS, PAUSE_MS, HURRY_MS, PAUSE_MS, HURRY_MS, PAUSE_MS]


def test_what_is_known_beyond_the_gap_is_not_missing() -> None:
    member = lacking(passed_until=10)
    for now_ms, slot in ((100, 1), (200, 2)):
        member.receive(M2, told(10, "x", slot), now_ms)
        member.on_deadline(member.next_deadline(), 0)
    member.receive(M2, told(10, "yz", 7), 250)
    # The claim grows by two decrees, and both are here: what is missing shrinks by the answer.
    member.receive(M2, told(12, "uv", 10), 260)
    member.receive(M2, told(12, "x", 3), 300)
    assert member.next_deadline() == 300 + PAUSE_MS


def test_an_unanswered_question_is_repeated() -> None:
    member = lacking()
    asked = []
    for _ in range(ASKED_IN_VAIN):
        now_ms = member.next_deadline()
        asked.append((now_ms, member.on_deadline(now_ms, 0).letters))
    question = [Letter(M2, Lacking(S1))]
    assert asked == [(PATIENCE + TIMING.retransmit_ms * number, question) for number in range(ASKED_IN_VAIN)]


def test_whoever_does_not_answer_is_forgotten_and_the_next_who_knows_is_asked() -> None:
    member = lacking(M2)
    for _ in range(ASKED_IN_VAIN):
        member.on_deadline(member.next_deadline(), 0)
    gives_up_ms = member.next_deadline()
    assert member.on_deadline(gives_up_ms, 0) == Effects()
    assert member.next_deadline() > gives_up_ms + 1_000, "nobody is left to ask"
    member.receive(M3, told(4), gives_up_ms + 10)
    assert member.next_deadline() == gives_up_ms + 10 + PATIENCE
    assert member.on_deadline(gives_up_ms + 10 + PATIENCE, 0).letters == [Letter(M3, Lacking(S1))]


def test_an_answer_restores_our_trust() -> None:
    member = lacking(M2)
    for _ in range(ASKED_IN_VAIN):
        member.on_deadline(member.next_deadline(), 0)
    member.receive(M2, told(10, "a"), member.next_deadline() - 1)
    for _ in range(ASKED_IN_VAIN - 1):
        assert member.on_deadline(member.next_deadline(), 0).letters == [Letter(M2, Lacking(S2))]


def test_whoever_knows_most_is_asked() -> None:
    member = lacking(M2, passed_until=10)
    member.receive(M3, told(9), 10)
    assert member.on_deadline(PATIENCE, 0).letters == [Letter(M2, Lacking(S1))]
    other = lacking(M2, passed_until=10)
    other.receive(M3, told(11), 10)
    assert other.on_deadline(PATIENCE, 0).letters == [Letter(M3, Lacking(S1))]


# --- handing out ---


def test_what_is_asked_for_is_handed_out() -> None:
    member = idle(M1, *outcomes("abc"))
    assert member.receive(M3, Lacking(S2), 0) == Effects(letters=[Letter(M3, told(4, "bc", 2))])


@pytest.mark.parametrize("from_slot", [S4, Slot(9)])
def test_nothing_is_answered_where_nothing_is_known(from_slot: Slot) -> None:
    assert idle(M1, *outcomes("abc")).receive(M3, Lacking(from_slot), 0) == Effects()


def test_a_decree_beyond_our_own_gap_is_handed_out_if_there_is_nothing_before_it() -> None:
    member = idle(M1, *outcomes("a"), *outcomes("cd", 3))
    assert member.receive(M3, Lacking(S2), 0).letters == [Letter(M3, told(2, "c", 3))]
    assert member.receive(M3, Lacking(S1), 0).letters == [Letter(M3, told(2, "a"))]


def test_one_answer_carries_a_chunk() -> None:
    each = CHUNK_BYTES // 2 - OUTCOME_BYTES
    texts = [str(number) * each for number in range(5)]
    member = idle(M1, *(Outcome(Slot(number), decree(text)) for number, text in enumerate(texts, start=1)))
    (letter,) = member.receive(M3, Lacking(S2), 0).letters
    assert letter.message == Success(NO_BALLOT, Slot(6), (Outcome(S2, decree(texts[1])), Outcome(S3, decree(texts[2]))))


def test_a_decree_larger_than_a_chunk_goes_alone() -> None:
    huge = decree("x" * (CHUNK_BYTES + 1))
    member = idle(M1, Outcome(S1, huge), Outcome(S2, huge))
    (letter,) = member.receive(M3, Lacking(S1), 0).letters
    assert letter.message == Success(NO_BALLOT, S3, (Outcome(S1, huge),))


def test_what_memory_has_let_go_is_recalled_from_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "KEPT_SLOTS", 2)
    member = idle(M1, *outcomes("abcd"))
    member.ledger.forget_what_the_file_keeps()
    assert member.receive(M3, Lacking(S2), 0) == Effects(recalls=[Recall(M3, S2)])
    assert member.receive(M3, Lacking(S3), 0) == Effects(letters=[Letter(M3, told(5, "cd", 3))])


# --- the whole way ---


def test_a_member_that_was_away_catches_up_while_writes_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "CHUNK_BYTES", 5 * (OUTCOME_BYTES + 2))
    monkeypatch.setattr(ledger_module, "KEPT_SLOTS", 30)
    parliament = Parliament(3)
    president = parliament.elect()
    absent = next(me for me in parliament.members if me != president)
    parliament.crash(absent)
    for number in range(200):
        parliament.propose(president, f"{number}")
        parliament.run_for(3)
    parliament.start(absent)
    for number in range(200, 220):
        parliament.propose(president, f"{number}")
        parliament.run_for(20)
    parliament.run_until(lambda: parliament[absent].ledger.passed_until == 221, within_ms=1_000)
    assert parliament.texts(absent) == [f"{number}" for number in range(220)]


def test_gaps_are_filled_without_any_president() -> None:
    """Section 3.3.5: whoever lacks an entry that another has gets it sooner or later, by asking around alone."""
    parliament = Parliament(5, absent=(M1, M2, M3))
    fourth, fifth = parliament.alive
    parliament.receive(fourth, M1, told(3, "ab"))
    parliament.run_until(lambda: parliament[fifth].ledger.passed_until == 3, within_ms=2_000)
    assert parliament.presidents == []


def test_gaps_are_filled_in_an_idle_parliament() -> None:
    parliament = Parliament(3)
    president = parliament.elect()
    other = next(me for me in parliament.members if me != president)
    parliament.loses = lambda sent: sent.to == other and not isinstance(sent.message, Presence)
    slot = parliament.propose(president, "a")
    parliament.run_for(20)
    assert not parliament[other].ledger.knows(slot)
    parliament.loses = lambda sent: False
    parliament.run_until(lambda: parliament[other].ledger.knows(slot), within_ms=500)
