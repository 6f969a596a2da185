"""Read barriers on their way: shared, repeated, and never answered too early."""

from paxon.core.decree import Ballot, NodeId, Slot
from paxon.errors import Behind, NotLeader, Stopping
from paxon.node.letters import AskReading, PeerMessage, ReadingAt
from paxon.node.readings import Readings
from tests.node.stage import Answer

ME, LEADER, OTHER = NodeId(1), NodeId(2), NodeId(3)
MINE, THEIRS, NEXT = Ballot(1, ME), Ballot(2, LEADER), Ballot(3, OTHER)
BOOT = 5
RETRANSMIT_MS = 200


class Desk:
    """``Readings`` of one member, and what it says."""

    def __init__(self) -> None:
        self.sent: list[tuple[NodeId, PeerMessage]] = []
        self.readings = Readings(ME, BOOT, RETRANSMIT_MS, lambda to, message: self.sent.append((to, message)))

    def reader(self, deadline_ms: int = 10_000) -> Answer[int]:
        answer: Answer[int] = Answer()
        self.readings.add(answer, deadline_ms)
        return answer

    def asked(self, presiding: Ballot = THEIRS, now_ms: int = 0) -> int:
        """Put the question to another member; returns its number."""
        assert self.readings.ask(presiding, now_ms) == []
        to, message = self.sent.pop()
        assert to == presiding.owner
        assert isinstance(message, AskReading)
        assert message.boot == BOOT
        return message.number

    def hears(self, number: int, passed_until: int | None, boot: int = BOOT) -> None:
        self.readings.on_reading_at(ReadingAt(boot, number, None if passed_until is None else Slot(passed_until)))


def test_one_question_is_put_for_everybody_who_waits() -> None:
    desk = Desk()
    readers = [desk.reader() for _ in range(100)]
    number = desk.asked()
    assert desk.sent == []
    desk.hears(number, 4)
    desk.readings.serve(Slot(4))
    assert [reader.value for reader in readers] == [4] * 100
    assert len(desk.readings) == 0


def test_who_comes_after_the_question_is_not_served_by_its_answer() -> None:
    desk = Desk()
    early = desk.reader()
    number = desk.asked()
    late = desk.reader()
    desk.hears(number, 4)
    desk.readings.serve(Slot(9))
    assert early.value == 9
    assert not late.done()


def test_nothing_is_asked_without_a_leader_or_without_readers() -> None:
    desk = Desk()
    assert desk.readings.ask(THEIRS, 0) == []
    desk.reader()
    assert desk.readings.ask(None, 0) == []
    assert desk.sent == []
    assert len(desk.readings) == 1


def test_a_reader_waits_until_the_slot_is_applied_here() -> None:
    desk = Desk()
    reader = desk.reader()
    desk.hears(desk.asked(), 4)
    desk.readings.serve(Slot(3))
    assert not reader.done()
    desk.readings.serve(Slot(4))
    assert reader.value == 4


def test_the_leader_asks_its_own_core() -> None:
    desk = Desk()
    reader = desk.reader()
    (token,) = desk.readings.ask(MINE, 0)
    assert desk.sent == []
    desk.readings.on_reading(token, Slot(2))
    desk.readings.serve(Slot(2))
    assert reader.value == 2


def test_the_answer_to_another_members_question_goes_back_to_it() -> None:
    desk = Desk()
    tokens = [
        desk.readings.on_asked(sender, AskReading(boot, number))
        for sender, boot, number in ((LEADER, 8, 3), (OTHER, 9, 3), (LEADER, 8, 4))
    ]
    assert len(set(tokens)) == 3
    desk.readings.on_reading(tokens[1], Slot(7))
    desk.readings.on_reading(tokens[0], None)
    assert desk.sent == [(OTHER, ReadingAt(9, 3, Slot(7))), (LEADER, ReadingAt(8, 3, None))]


def test_another_members_question_is_never_taken_for_ours() -> None:
    desk = Desk()
    reader = desk.reader()
    (ours,) = desk.readings.ask(MINE, 0)
    theirs = desk.readings.on_asked(OTHER, AskReading(9, ours))
    assert theirs != ours
    desk.readings.on_reading(theirs, Slot(1))
    desk.readings.serve(Slot(1))
    assert not reader.done()


def test_an_answer_to_an_earlier_life_or_an_unknown_number_is_nothing() -> None:
    desk = Desk()
    reader = desk.reader()
    number = desk.asked()
    desk.hears(number, 1, boot=BOOT - 1)
    desk.hears(number + 50, 1)
    desk.readings.serve(Slot(9))
    assert not reader.done()


def test_an_answer_that_comes_twice_serves_once() -> None:
    desk = Desk()
    reader = desk.reader()
    number = desk.asked()
    desk.hears(number, 3)
    desk.hears(number, 3)
    desk.readings.serve(Slot(3))
    assert reader.value == 3
    assert len(desk.readings) == 0


def test_who_is_told_to_ask_again_does_so_at_the_next_tick() -> None:
    """Not at once: a member that does not know yet who leads would be asked as fast as the link allows."""
    desk = Desk()
    reader = desk.reader()
    desk.hears(desk.asked(), None)
    assert desk.readings.ask(THEIRS, 1) == []
    assert desk.sent == []
    assert len(desk.readings) == 1
    desk.readings.on_tick(THEIRS, 50)
    desk.hears(desk.asked(now_ms=50), 2)
    desk.readings.serve(Slot(2))
    assert reader.value == 2


def test_what_is_lost_is_asked_again() -> None:
    desk = Desk()
    reader = desk.reader()
    lost = desk.asked()
    desk.readings.on_tick(THEIRS, RETRANSMIT_MS - 1)
    assert desk.readings.ask(THEIRS, RETRANSMIT_MS - 1) == []
    assert desk.sent == []
    desk.readings.on_tick(THEIRS, RETRANSMIT_MS)
    number = desk.asked(now_ms=RETRANSMIT_MS)
    assert number != lost
    desk.hears(number, 2)
    desk.readings.serve(Slot(2))
    assert reader.value == 2


def test_a_late_answer_to_a_question_asked_again_finds_nobody() -> None:
    """It would do no harm, but the readers may have been joined by later ones whom it says nothing about."""
    desk = Desk()
    early = desk.reader()
    old = desk.asked()
    late = desk.reader()
    desk.readings.on_tick(THEIRS, RETRANSMIT_MS)
    desk.asked(now_ms=RETRANSMIT_MS)
    desk.hears(old, 2)
    desk.readings.serve(Slot(2))
    assert not early.done()
    assert not late.done()


def test_our_own_core_is_not_asked_twice() -> None:
    desk = Desk()
    desk.reader()
    (token,) = desk.readings.ask(MINE, 0)
    desk.readings.on_tick(MINE, 10 * RETRANSMIT_MS)
    assert desk.readings.ask(MINE, 10 * RETRANSMIT_MS) == []
    desk.readings.on_reading(token, Slot(1))
    assert len(desk.readings) == 1


def test_another_leader_is_asked_as_soon_as_it_is_known() -> None:
    desk = Desk()
    reader = desk.reader()
    desk.asked(THEIRS)
    desk.readings.on_tick(NEXT, 1)
    desk.hears(desk.asked(NEXT, 1), 6)
    desk.readings.serve(Slot(6))
    assert reader.value == 6


def test_at_its_deadline_a_reader_is_refused_wherever_it_is() -> None:
    desk = Desk()
    due = desk.reader(100)
    desk.hears(desk.asked(), 9)
    turned_down = desk.reader(100)
    desk.hears(desk.asked(), None)
    asked = desk.reader(100)
    desk.asked()
    waiting = desk.reader(100)
    desk.readings.on_tick(THEIRS, 99)
    assert not any(reader.done() for reader in (due, turned_down, asked, waiting))
    desk.readings.on_tick(THEIRS, 100)
    for reader in (due, turned_down, asked, waiting):
        assert isinstance(reader.error, NotLeader)
    assert len(desk.readings) == 0


def test_a_reader_that_left_is_forgotten_and_not_answered() -> None:
    desk = Desk()
    reader = desk.reader()
    desk.hears(desk.asked(), 9)
    reader.is_cancelled = True
    desk.readings.on_tick(THEIRS, 1)
    assert len(desk.readings) == 0
    other = desk.reader()
    desk.hears(desk.asked(), 1)
    other.is_cancelled = True
    desk.readings.serve(Slot(1))
    assert other.result is None


def test_everybody_is_refused_at_once_wherever_they_are() -> None:
    desk = Desk()
    readers = [desk.reader()]
    desk.hears(desk.asked(), 9)
    readers.append(desk.reader())
    desk.hears(desk.asked(), None)
    readers.append(desk.reader())
    desk.asked()
    readers.append(desk.reader())
    error = Stopping("enough")
    desk.readings.refuse_all(error)
    assert [reader.error for reader in readers] == [error] * 4
    assert len(desk.readings) == 0


# --- how fresh our state is known to be ---


def test_a_state_is_as_fresh_as_the_question_was_and_not_as_the_answer() -> None:
    desk = Desk()
    desk.reader()
    number = desk.asked(now_ms=100)
    desk.hears(number, 4)
    desk.readings.serve(Slot(3))
    assert desk.readings.fresh_ms is None
    desk.readings.serve(Slot(4))
    assert desk.readings.fresh_ms == 100


def test_an_earlier_question_that_is_answered_late_makes_nothing_older() -> None:
    desk = Desk()
    desk.reader()
    early = desk.asked(now_ms=100)
    desk.reader()
    late = desk.asked(now_ms=150)
    for number in (late, early):
        desk.hears(number, 4)
        desk.readings.serve(Slot(4))
    assert desk.readings.fresh_ms == 150


def test_a_question_that_is_asked_again_counts_from_then() -> None:
    desk = Desk()
    desk.reader()
    desk.asked(now_ms=100)
    desk.readings.on_tick(THEIRS, 100 + RETRANSMIT_MS)
    desk.hears(desk.asked(now_ms=100 + RETRANSMIT_MS), 4)
    desk.readings.serve(Slot(4))
    assert desk.readings.fresh_ms == 100 + RETRANSMIT_MS


# --- reads that want to see a slot ---


def test_who_wants_to_see_a_slot_waits_until_that_slot_is_applied() -> None:
    desk = Desk()
    reader: Answer[int] = Answer()
    desk.readings.add_for(Slot(7), reader, 1_000)
    desk.readings.serve(Slot(7))
    assert not reader.done()
    desk.readings.serve(Slot(8))
    assert reader.value == 8
    assert desk.readings.fresh_ms is None
    assert desk.sent == []


def test_who_wants_to_see_a_slot_is_sent_elsewhere_at_its_deadline() -> None:
    desk = Desk()
    reader: Answer[int] = Answer()
    desk.readings.add_for(Slot(7), reader, 1_000)
    desk.readings.on_tick(THEIRS, 999)
    assert not reader.done()
    desk.readings.on_tick(THEIRS, 1_000)
    assert type(reader.error) is Behind
    assert len(desk.readings) == 0
