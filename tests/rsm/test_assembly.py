"""Several machines in one log: routing, announcements, events, and what time makes due."""

from collections.abc import Generator, Iterator
from inspect import GEN_CLOSED, getgeneratorstate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxon.core.decree import Slot
from paxon.errors import BadRequest, Compacted, ContractError, NotYetKnown, SnapshotUnusable
from paxon.rsm.assembly import Announce, Assembly, PartCall, encode
from paxon.rsm.attempt import attempt
from paxon.rsm.contract import Context, StateMachine, command, query
from paxon.rsm.feed import EVENTS_KEPT, Event, Feed
from paxon.rsm.machine import Context as Decided
from paxon.rsm.objects import question, submission
from paxon.rsm.session_requests import Open, Perform, Plain
from paxon.rsm.session_requests import encode as encode_request
from paxon.rsm.sessions import Sessions


class Alarm(StateMachine):
    """Rings at the time it was set to."""

    def __init__(self) -> None:
        self.at_ms = 0
        self.rung: list[int] = []

    @command
    def set_to(self, ctx: Context, at_ms: int) -> None:
        """Ring then."""
        self.at_ms = at_ms

    @command
    def tell(self, ctx: Context, text: str, fails: bool = False) -> None:
        """Tell everybody."""
        ctx.emit("news", text)
        if fails:
            raise LookupError(text)

    @query
    def rings(self) -> list[int]:
        """When it rang."""
        return self.rung

    def next_due_ms(self) -> int | None:
        """See the base class."""
        return self.at_ms or None

    def on_due(self, ctx: Context) -> None:
        """See the base class."""
        self.rung.append(ctx.now_ms)
        ctx.emit("ring", ctx.now_ms)
        self.at_ms = 0


class NewAlarm(Alarm):
    """The next release of the same."""

    @command
    def cancel(self, ctx: Context) -> None:
        """Ring no more."""
        self.at_ms = 0


class Silent(StateMachine):
    """A release that can only be wound up."""

    @command
    def wind(self, ctx: Context) -> None:
        """Do nothing."""


class Echo:
    """A machine in bytes."""

    def apply(self, command: bytes, context: Decided) -> bytes:
        """Say it again."""
        return command + (context.session or b"")

    def query(self, question: bytes) -> bytes:
        """Say it again."""
        return question


class Stage:
    """One assembly and its log."""

    def __init__(self, assembly: Assembly) -> None:
        self.assembly = assembly
        self.slot = 0

    def apply(self, command: bytes, now_ms: int = 1) -> bytes:
        """One command in a slot of its own."""
        self.slot += 1
        return self.assembly.apply(command, Decided(Slot(self.slot), now_ms))

    def announce(self, member: str, code: Assembly | None = None) -> None:
        """Let a member say what it has."""
        self.apply(encode(Announce(member, (code or self.assembly).abilities)))

    def rings(self) -> list[int]:
        """What the alarm says."""
        body, read = question(self.assembly.objects["alarm"].signature, Alarm.rings)
        return read(self.assembly.query(encode(PartCall("alarm", body))))


def alarm_call(assembly: Assembly, method: object, *arguments: object) -> bytes:
    """A command for the part "alarm"."""
    return encode(PartCall("alarm", submission(assembly.objects["alarm"].signature, method, *arguments)[0]))  # type: ignore[arg-type]


@pytest.fixture
def stage() -> Stage:
    """An alarm and an echo, known to one member."""
    stage = Stage(Assembly({"alarm": Alarm(), "echo": Echo()}))
    stage.announce("m1")
    return stage


def test_commands_and_questions_reach_the_part_they_name(stage: Stage) -> None:
    assert stage.apply(encode(PartCall("echo", b"hello"))) == b"hello"
    assert stage.assembly.query(encode(PartCall("echo", b"hello"))) == b"hello"
    stage.apply(alarm_call(stage.assembly, Alarm.set_to, 50))
    assert stage.assembly.next_due_ms() == 50


def test_an_unknown_part_and_garbage_are_refused(stage: Stage) -> None:
    with pytest.raises(BadRequest, match="no part 'elsewhere' here; there are 'alarm', 'echo'"):
        stage.apply(encode(PartCall("elsewhere", b"")))
    with pytest.raises(BadRequest, match="no part"):
        stage.assembly.query(encode(PartCall("elsewhere", b"")))
    for garbage in (b"", b"\xc1", b"\x92\x05\xc0", b"\x05echo"):
        with pytest.raises(BadRequest):
            stage.apply(garbage)
        with pytest.raises(BadRequest):
            stage.assembly.query(garbage)


KINDS = ("tell", "fail", "set", "nonsense", "echo", "nowhere", "empty")


@given(st.lists(st.lists(st.sampled_from(KINDS), max_size=6), max_size=6))
def test_commands_carried_out_together_do_what_they_would_do_one_by_one(drawn: list[list[str]]) -> None:
    def stage() -> Stage:
        made = Stage(Assembly({"alarm": Alarm(), "echo": Echo()}))
        made.announce("m1")
        return made

    together, one_by_one = stage(), stage()
    calls = {
        "tell": alarm_call(together.assembly, Alarm.tell, "hello"),
        "fail": alarm_call(together.assembly, Alarm.tell, "oh", True),
        "set": alarm_call(together.assembly, Alarm.set_to, 7),
        "nonsense": encode(PartCall("alarm", b"nonsense")),
        "echo": encode(PartCall("echo", b"echo")),
        "nowhere": encode(PartCall("nowhere", b"")),
        "empty": b"",
    }
    for slot, names in enumerate(drawn, 2):
        context = Decided(Slot(slot), slot, b"session")
        commands = [calls[name] for name in names]
        answers = together.assembly.apply_all(commands, context)
        assert repr(answers) == repr([attempt(one_by_one.assembly, command, context) for command in commands])
        assert together.assembly.next_due_ms() == one_by_one.assembly.next_due_ms()
        assert together.assembly.feed.events() == one_by_one.assembly.feed.events()


def test_nothing_is_usable_before_somebody_announced_it() -> None:
    stage = Stage(Assembly({"alarm": Alarm()}))
    with pytest.raises(NotYetKnown):
        stage.apply(alarm_call(stage.assembly, Alarm.set_to, 50))
    assert not stage.assembly.has_announced("m1")
    stage.announce("m1")
    assert stage.assembly.has_announced("m1")
    stage.apply(alarm_call(stage.assembly, Alarm.set_to, 50))


def test_what_no_member_could_carry_out_is_refused_before_it_is_decided(stage: Stage) -> None:
    sessions = Sessions(stage.assembly)

    def check(command: bytes) -> None:
        sessions.check(encode_request(Plain(command)))
        sessions.check(encode_request(Perform(b"session", 0, 0, command)))

    check(alarm_call(stage.assembly, Alarm.set_to, 50))
    check(encode(PartCall("echo", b"anything")))
    sessions.check(encode_request(Perform(b"session", 1, 0, None)))
    sessions.check(encode_request(Open(b"session", 1_000)))
    assert stage.assembly.next_due_ms() is None, "checking changes nothing"
    newer = alarm_call(Assembly({"alarm": NewAlarm()}), NewAlarm.cancel)
    for refused, reason in (
        (b"\xc1", "no call for a part"),
        (b"", "no call for a part"),
        (encode(PartCall("elsewhere", b"")), "no part 'elsewhere' here"),
        (encode(PartCall("alarm", b"")), "no call of a replicated object"),
        (newer, "is no command of Alarm here"),
        (encode(Announce("m2", {})), "nobody but members"),
    ):
        with pytest.raises(BadRequest, match=reason):
            check(refused)
    for request, reason in (
        (b"\xc1", "no command for sessions"),
        (encode_request(Open(b"session", 0)), "a session lives for 1 to"),
    ):
        with pytest.raises(BadRequest, match=reason):
            sessions.check(request)
    stage.announce("m2", Assembly({"alarm": Silent()}))
    with pytest.raises(NotYetKnown, match="the code of m2 does not have it"):
        check(alarm_call(stage.assembly, Alarm.set_to, 50))


def test_a_command_is_used_only_once_every_member_knows_it() -> None:
    new = Assembly({"alarm": NewAlarm()})
    stage = Stage(new)
    stage.announce("m1")
    stage.announce("m2", Assembly({"alarm": Alarm()}))
    cancel = new.objects["alarm"].signature.spelling(NewAlarm.cancel, is_command=True)
    ability = cancel.method.ability
    with pytest.raises(NotYetKnown, match="the code of m2 does not have it"):
        new.require_usable("alarm", ability)
    with pytest.raises(NotYetKnown):
        stage.apply(alarm_call(new, NewAlarm.cancel))
    stage.apply(alarm_call(new, NewAlarm.set_to, 50))
    stage.announce("m2")
    new.require_usable("alarm", ability)
    stage.apply(alarm_call(new, NewAlarm.cancel))
    assert new.next_due_ms() is None


def test_what_is_due_happens_once_and_at_the_decided_time(stage: Stage) -> None:
    stage.apply(alarm_call(stage.assembly, Alarm.set_to, 50))
    stage.assembly.on_due(Decided(Slot(9), 49))
    assert stage.rings() == []
    stage.assembly.on_due(Decided(Slot(9), 60))
    stage.assembly.on_due(Decided(Slot(10), 61))
    assert stage.rings() == [60]
    assert stage.assembly.next_due_ms() is None


def test_events_are_numbered_without_gaps_and_none_comes_from_a_failed_command(stage: Stage) -> None:
    feed = stage.assembly.feed
    heard: list[Event] = []
    end = feed.listen(lambda: heard.extend(feed.since(len(heard) + 1)))
    stage.apply(alarm_call(stage.assembly, Alarm.tell, "one"))
    with pytest.raises(LookupError):
        stage.apply(alarm_call(stage.assembly, Alarm.tell, "two", True))
    stage.apply(alarm_call(stage.assembly, Alarm.tell, "three"))
    end()
    stage.apply(alarm_call(stage.assembly, Alarm.tell, "four"))
    assert [(event.number, event.part, event.topic) for event in heard] == [(1, "alarm", "news"), (2, "alarm", "news")]
    assert [event.number for event in stage.assembly.feed.since(2)] == [2, 3]


def test_old_events_are_let_go_and_asking_for_them_says_so() -> None:
    feed = Feed()
    for slot in range(EVENTS_KEPT + 5):
        feed.append(slot, "part", "topic", b"")
    assert feed.first_number == 6
    assert next(feed.since(6)).number == 6
    assert list(feed.since(feed.next_number)) == []
    with pytest.raises(Compacted, match="events before 6 are kept no more"):
        feed.since(5)


def test_a_class_that_cannot_be_replicated_is_refused_at_once() -> None:
    class Nothing(StateMachine):
        """Has no command."""

    with pytest.raises(ContractError, match="has no command"):
        Assembly({"nothing": Nothing()})


class Kept(Echo):
    """A machine in bytes that can be captured."""

    def __init__(self, state: bytes = b"") -> None:
        self.state = state

    def apply(self, command: bytes, context: Decided) -> bytes:
        """Remember the command."""
        self.state = command
        return b""

    def capture(self) -> Generator[bytes, None, None]:
        """See ``Capturable``."""
        return (piece for piece in (self.state, b"", b"end"))

    def restore(self, pieces: Iterator[bytes]) -> None:
        """See ``Capturable``."""
        self.state, *rest = pieces
        if rest != [b"", b"end"]:
            raise SnapshotUnusable("not what was captured")


def kept() -> Stage:
    """Two parts that can be captured."""
    stage = Stage(Assembly({"one": Kept(), "two": Kept()}))
    stage.apply(encode(PartCall("one", b"first")))
    stage.apply(encode(PartCall("two", b"second")))
    stage.assembly.feed.append(2, "one", "topic", b"event")
    stage.apply(encode(Announce("m1", {"one": (("call", 1, b"print"),)})))
    return stage


def test_a_captured_assembly_is_restored_part_by_part() -> None:
    stage = kept()
    pieces = stage.assembly.capture()
    stage.apply(encode(PartCall("one", b"later")))
    other = Assembly({"two": Kept(), "one": Kept(), "new": Kept()})
    taken = list(pieces)
    other.restore(taken)
    states = {name: part.state for name, part in other.parts.items() if isinstance(part, Kept)}
    assert states == {"one": b"first", "two": b"second", "new": b""}
    assert [event.body for event in other.feed.since(1)] == [b"event"]
    assert other.feed.next_number == 2
    again = Assembly({"one": Kept(), "two": Kept()})
    again.restore(taken)
    assert list(again.capture()) == taken


class Remembering(Kept):
    """A machine that knows its latest capture."""

    def capture(self) -> Generator[bytes, None, None]:
        """See ``Capturable``."""
        self.captured = super().capture()
        return self.captured


def test_a_capture_that_is_given_up_ends_those_of_all_parts() -> None:
    first, second = Remembering(), Remembering()
    assembly = Assembly({"one": first, "two": second})
    pieces = assembly.capture()
    next(pieces)
    pieces.close()
    assert [getgeneratorstate(one.captured) for one in (first, second)] == [GEN_CLOSED, GEN_CLOSED]
    with pytest.raises(SnapshotUnusable, match="'three' cannot be captured"):
        Assembly({"one": first, "three": Echo()}).capture()
    assert getgeneratorstate(first.captured) == GEN_CLOSED


def test_captures_that_do_not_fit_are_refused() -> None:
    pieces = list(kept().assembly.capture())
    for damaged in ([], pieces[:-1], pieces[1:], [b"\xc1", *pieces[1:]], [*pieces[:2], b"\x07", *pieces[2:]]):
        with pytest.raises(SnapshotUnusable):
            Assembly({"one": Kept(), "two": Kept()}).restore(damaged)
    with pytest.raises(SnapshotUnusable, match="a part 'two', which this program does not open"):
        Assembly({"one": Kept()}).restore(pieces)
    with pytest.raises(SnapshotUnusable, match="'echo' cannot be captured"):
        Assembly({"echo": Echo()}).capture()
