"""Answers that wait for a specialist: whom they wait for, what sets them free, and what a lost letter does to them."""

from collections.abc import Collection
from random import Random

import pytest

from paxon.checker import Linearizable, Recorder, check_history
from paxon.checker.model import Done, Got, Read, Write
from paxon.checker.register import Register
from paxon.core.decree import NodeId, Slot
from paxon.errors import DeadlineExceeded, NotLeader, Stopping
from paxon.node.consistency import LINEARIZABLE
from paxon.node.hold_back import EVERY_AREA, Area, HoldBack
from paxon.node.letters import Known
from paxon.node.proposals import Applied, Pending
from tests.node.stage import Answer, Journal, Seat, Sent, Stage, m

ME, SPECIALIST, OTHER = m(1), m(2), m(3)
FAR_MS = 1 << 40


class Office:
    """Satisfies ``Appointments``: specialists by area, as a test says.  A command is the name of its area."""

    def __init__(self, **specialists: NodeId) -> None:
        self.by_area = specialists

    @property
    def may_be_any(self) -> bool:
        return bool(self.by_area)

    def of_command(self, command: bytes, answer: bytes) -> Area | None:
        return {b"none": None, b"every": EVERY_AREA}.get(command, command.decode())

    def specialists(self, area: Area) -> Collection[NodeId]:
        return self.by_area.values() if area == EVERY_AREA else {self.by_area[area]} if area in self.by_area else ()

    def includes(self, member: NodeId) -> bool:
        return member in self.by_area.values()


def told(hold_back: HoldBack, command: bytes, slot: int, deadline_ms: int = FAR_MS) -> Answer[Applied]:
    answer: Answer[Applied] = Answer()
    hold_back.tell_applied(Pending(command, answer, deadline_ms), Slot(slot), b"result")
    return answer


def found(hold_back: HoldBack, area: Area, until: int, deadline_ms: int = FAR_MS) -> Answer[int]:
    answer: Answer[int] = Answer()
    assert not hold_back.may_tell_reader(area, Slot(until))
    hold_back.tell_reader_later(area, Slot(until), answer, deadline_ms)
    return answer


def test_an_acknowledgement_waits_until_the_specialist_has_applied_its_slot() -> None:
    hold_back = HoldBack(ME, Office(book=SPECIALIST))
    answer = told(hold_back, b"book", 7)
    hold_back.on_known(SPECIALIST, Slot(7))
    hold_back.on_known(OTHER, Slot(9))
    assert not answer.done()
    assert len(hold_back) == 1
    hold_back.on_known(SPECIALIST, Slot(8))
    assert answer.value == Applied(7, b"result")
    assert len(hold_back) == 0


def test_what_a_query_found_waits_in_the_same_way() -> None:
    hold_back = HoldBack(ME, Office(book=SPECIALIST))
    answer = found(hold_back, "book", 8)
    hold_back.on_known(SPECIALIST, Slot(7))
    assert not answer.done()
    hold_back.on_known(SPECIALIST, Slot(8))
    assert answer.value == 8
    assert hold_back.may_tell_reader("book", Slot(8))


def test_nothing_waits_that_tells_of_another_area_or_of_none() -> None:
    hold_back = HoldBack(ME, Office(book=SPECIALIST))
    assert told(hold_back, b"other", 7).done()
    assert told(hold_back, b"none", 7).done()
    assert hold_back.may_tell_reader("other", Slot(8))
    assert hold_back.may_tell_reader(None, Slot(8))


def test_what_may_tell_of_any_area_waits_for_all_of_their_specialists() -> None:
    hold_back = HoldBack(ME, Office(book=SPECIALIST, shelf=OTHER))
    answer = told(hold_back, b"every", 7)
    hold_back.on_known(SPECIALIST, Slot(8))
    assert not answer.done()
    hold_back.on_known(OTHER, Slot(8))
    assert answer.done()


def test_a_specialist_waits_for_nobody_in_its_own_area() -> None:
    hold_back = HoldBack(SPECIALIST, Office(book=SPECIALIST))
    assert hold_back.is_specialist
    assert told(hold_back, b"book", 7).done()
    assert hold_back.may_tell_reader("book", Slot(8))


def test_the_end_of_the_term_sets_everything_free() -> None:
    office = Office(book=SPECIALIST)
    hold_back = HoldBack(ME, office)
    answers: list[Answer[Applied] | Answer[int]] = [told(hold_back, b"book", 7), found(hold_back, "book", 8)]
    hold_back.release()
    assert not any(answer.done() for answer in answers)
    del office.by_area["book"]
    hold_back.release()
    assert all(answer.done() for answer in answers)


def test_a_successor_is_waited_for_in_its_turn() -> None:
    office = Office(book=SPECIALIST)
    hold_back = HoldBack(ME, office)
    answer = told(hold_back, b"book", 7)
    office.by_area["book"] = OTHER
    hold_back.release()
    assert not answer.done()
    hold_back.on_known(OTHER, Slot(9))
    assert answer.done()


def test_word_that_was_overtaken_takes_nothing_back() -> None:
    hold_back = HoldBack(ME, Office(book=SPECIALIST))
    hold_back.on_known(SPECIALIST, Slot(8))
    hold_back.on_known(SPECIALIST, Slot(3))
    assert told(hold_back, b"book", 7).done()


def test_at_its_deadline_a_command_has_an_unknown_outcome_and_a_read_is_refused() -> None:
    hold_back = HoldBack(ME, Office(book=SPECIALIST))
    command, read = told(hold_back, b"book", 7, 100), found(hold_back, "book", 8, 100)
    hold_back.on_tick(99)
    assert not command.done()
    hold_back.on_tick(100)
    assert isinstance(command.error, DeadlineExceeded)
    assert isinstance(read.error, NotLeader)
    assert len(hold_back) == 0


# --- whole members ---


class Roll:
    """Satisfies ``Appointments``: the last ``appoint N`` of a journal, until a ``resign`` comes."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @property
    def _holder(self) -> NodeId | None:
        for command in reversed(self._journal.commands):
            if command == b"resign":
                return None
            if command.startswith(b"appoint "):
                return m(int(command.split()[1]))
        return None

    @property
    def may_be_any(self) -> bool:
        return self._holder is not None

    def of_command(self, command: bytes, answer: bytes) -> Area | None:
        return None if command == b"resign" or command.startswith(b"appoint ") else "book"

    def specialists(self, area: Area) -> Collection[NodeId]:
        holder = self._holder
        return () if holder is None else (holder,)

    def includes(self, member: NodeId) -> bool:
        return self._holder == member


def appointed(specialist: int, leader: int = 1) -> Stage:
    """Three members, one of which leads, and one of which is the specialist of everything there is."""
    stage = Stage(3, appointed=Roll)
    stage.elect(leader)
    done(stage, stage[leader].submit(b"appoint %d" % specialist))
    stage.run_until(lambda: all(stage[number].machine.commands for number in (1, 2, 3)))
    return stage


def done(stage: Stage, answer: Answer[Applied]) -> Applied:
    stage.run_until(answer.done)
    return answer.value


@pytest.mark.parametrize("origin", [1, 2, 3])
def test_whoever_submits_is_told_when_the_specialist_has_it(origin: int) -> None:
    stage = appointed(2)
    answer = stage[origin].submit(b"x")
    while not answer.done():
        stage.run_for(1)
        assert b"x" in stage[2].machine.commands or not answer.done()
    assert answer.value.result == b"2"


def test_a_specialist_that_is_cut_off_is_waited_for_until_its_term_is_over() -> None:
    stage = appointed(3)
    stage.isolate(3)
    answers = [stage[1].submit(b"x"), stage[2].submit(b"y")]
    stage.run_until(lambda: {b"x", b"y"} <= set(stage[2].machine.commands))
    stage.run_for(1_000)
    assert not any(answer.done() for answer in answers)
    assert not stage[1].host.may_tell_reader("book")
    done(stage, stage[2].submit(b"resign"))
    stage.run_until(lambda: all(answer.done() for answer in answers))
    assert [answer.error for answer in answers] == [None, None]


def test_a_member_that_stops_keeps_nobody_waiting() -> None:
    stage = appointed(3)
    stage.isolate(3)
    command, reader = stage[1].submit(b"x"), Answer[int]()
    stage.run_until(lambda: b"x" in stage[1].machine.commands)
    stage[1].host.tell_reader_later("book", reader, 60_000)
    stage[1].host.end()
    assert isinstance(command.error, DeadlineExceeded)
    assert isinstance(reader.error, NotLeader)
    with pytest.raises(Stopping):
        stage[1].host.tell_reader_later("book", Answer[int](), 60_000)


def test_lost_words_are_said_again() -> None:
    stage = appointed(2)
    lost: list[Sent] = []

    def is_lost(sent: Sent) -> bool:
        if isinstance(sent.message, Known) and len(lost) < 3:
            lost.append(sent)
            return True
        return False

    stage.is_lost = is_lost
    assert done(stage, stage[1].submit(b"x")).slot
    assert len(lost) == 3


def test_without_a_specialist_nobody_says_how_far_it_is() -> None:
    stage = Stage(3, appointed=Roll)
    stage.elect(1)
    done(stage, stage[2].submit(b"x"))
    assert not stage.of(Known)


class Recorded(Answer[Applied]):
    """Writes down what it is told, and when."""

    def __init__(self, client: "Client", asked: Read | Write) -> None:
        super().__init__()
        self._client = client
        self._asked = asked
        self._number = client.recorder.call(f"c{len(client.answers)}", asked, client.stage.now_ms)
        client.answers.append(self)

    def set_result(self, result: Applied, /) -> None:
        super().set_result(result)
        output = Done() if isinstance(self._asked, Write) else Got(last_written(result.result))
        self._client.recorder.returned(self._number, output, self._client.stage.now_ms)


class Permission(Answer[int]):
    """Tells what was found when it may be told."""

    def __init__(self, found: Applied, told: Recorded) -> None:
        super().__init__()
        self._found = found
        self._told = told

    def set_result(self, result: int, /) -> None:
        super().set_result(result)
        self._told.set_result(self._found)


class Finding(Answer[int]):
    """A barrier, and behind it the answer of the member's own state."""

    def __init__(self, client: "Client", seat: Seat) -> None:
        super().__init__()
        self._seat = seat
        self._told = Recorded(client, Read())

    def set_result(self, result: int, /) -> None:
        super().set_result(result)
        host, found = self._seat.host, Applied(result - 1, self._seat.machine.query(b"?"))
        if host.may_tell_reader("book"):
            self._told.set_result(found)
        else:
            host.tell_reader_later("book", Permission(found, self._told), 60_000)

    def set_exception(self, error: Exception, /) -> None:
        super().set_exception(error)
        self._told.set_exception(error)


class Client:
    """Writes and reads one value at every member of a stage whose member 2 is the specialist."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.recorder: Recorder[Read | Write, Got | Done] = Recorder()
        self.answers: list[Recorded] = []

    def write(self, number: int, value: int) -> None:
        self.stage[number].host.submit(b"%d" % value, Recorded(self, Write(value)), 60_000)

    def read(self, number: int) -> None:
        self.stage[number].host.read(Finding(self, self.stage[number]), 60_000, LINEARIZABLE)

    def read_alone(self) -> None:
        Recorded(self, Read()).set_result(Applied(0, self.stage[2].machine.query(b"?")))


def last_written(book: bytes) -> int | None:
    return next((int(word) for word in reversed(book.split(b" ")) if word.isdigit() and int(word) >= 10), None)


@pytest.mark.parametrize("seed", range(12))
def test_what_a_specialist_and_the_others_say_is_linearizable_whatever_is_lost_or_late(seed: int) -> None:
    """One value, written and read at every member; the specialist reads its own state and asks nobody."""
    random = Random(seed)
    stage = appointed(2)
    client = Client(stage)
    stage.is_lost = lambda sent: random.random() < (0.5 if sent.to == m(2) or isinstance(sent.message, Known) else 0.1)
    for turn in range(120):
        number = random.randrange(1, 4)
        if random.random() < 0.3:
            client.write(number, 10 + turn)
        elif number == 2:
            client.read_alone()
        else:
            client.read(number)
        stage.run_for(random.randrange(30))
    stage.heal()
    stage.run_until(lambda: all(answer.done() for answer in client.answers))
    assert any(answer.result is not None for answer in client.answers)
    assert isinstance(check_history(client.recorder.history(), Register(None)), Linearizable)
