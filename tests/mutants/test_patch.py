"""A patch replaces what is there, everywhere it is known, and tells what came of it."""

from types import ModuleType

import pytest

from paxon.codec import frames
from paxon.core.decree import FIRST_SLOT
from paxon.kv.name_server import NameServer
from paxon.net import handshake, links
from paxon.rsm.machine import Context
from tests.mutants.mutant import Mutant, Patch, Unbreakable, mutant

CONTEXT = Context(FIRST_SLOT, now_ms=0)


@pytest.fixture
def patch(monkeypatch: pytest.MonkeyPatch) -> Patch:
    return Patch(monkeypatch)


@pytest.mark.parametrize(("owner", "name"), [(NameServer, "apply_all"), (handshake, "judge"), (NameServer, "__repr__")])
def test_what_is_not_there_cannot_be_replaced(owner: type | ModuleType, name: str, patch: Patch) -> None:
    with pytest.raises(Unbreakable, match=f"has no {name} of its own"):
        patch.replace(owner, name, None)
    assert patch.replacements == 0


def test_what_stays_the_same_is_no_change(patch: Patch) -> None:
    with pytest.raises(Unbreakable, match="would stay what it is"):
        patch.replace(NameServer, "apply", NameServer.apply)


def test_a_function_is_replaced_wherever_it_was_imported(patch: Patch) -> None:
    patch.replace(handshake, "judge_hello", lambda hello, me, peers, names: None)
    assert links.judge_hello is handshake.judge_hello  # type: ignore[attr-defined]


def test_an_imported_name_is_replaced_where_it_is_named_only(patch: Patch) -> None:
    patch.replace(links, "judge_hello", lambda hello, me, peers, names: None)
    assert links.judge_hello is not handshake.judge_hello  # type: ignore[attr-defined]


def test_calls_are_counted(patch: Patch) -> None:
    patch.replace(frames, "encode_frame", lambda kind, body: body)
    assert frames.encode_frame(1, b"body") == b"body"
    assert (patch.calls, patch.accidents) == (1, [])


def test_static_methods_and_properties_stay_what_they_are(patch: Patch) -> None:
    class Shipped:
        @staticmethod
        def double(number: int) -> int:
            return 2 * number

        @property
        def size(self) -> int:
            return 1

    patch.replace(Shipped, "double", staticmethod(lambda number: 3 * number))
    patch.replace(Shipped, "size", property(lambda self: 2))
    assert (Shipped.double(5), Shipped().double(5), Shipped().size) == (15, 15, 2)
    assert patch.calls == 3


def test_an_error_of_the_replacement_itself_is_noted_even_if_it_is_caught(patch: Patch) -> None:
    patch.replace(NameServer, "apply", lambda self, command, context: command.no_such_thing)
    patch.replace(NameServer, "query", lambda self: b"")
    with pytest.raises(AttributeError):
        NameServer().apply(b"", CONTEXT)
    with pytest.raises(TypeError):
        NameServer().query(b"")
    assert [accident.partition(":")[0] for accident in patch.accidents] == ["AttributeError", "TypeError"]


def test_an_error_of_the_shipped_code_is_none_of_the_replacement(patch: Patch) -> None:
    query = NameServer.query
    patch.replace(NameServer, "query", lambda self, question: query(self, question))
    machine = NameServer()
    del machine._entries
    with pytest.raises(AttributeError):
        machine.query(b"\x92\x01\xc4\x01k")
    assert patch.accidents == []


def test_a_body_is_replaced_for_everybody_who_holds_the_function(patch: Patch) -> None:
    def shipped() -> int:
        return 1

    def broken() -> int:
        return 2

    held = shipped
    patch.replace_body(shipped, broken)
    assert held() == 2
    with pytest.raises(Unbreakable, match="only a function has a body"):
        patch.replace_body(len, broken)


def test_a_mutant_says_what_it_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(patch: Patch) -> None:
        pass

    with pytest.raises(Unbreakable, match="does not say what it breaks"):
        mutant("nowhere")(silent)
    silent.__doc__ = "Nothing\n   is broken."
    made = mutant("nowhere", "a test")(silent)
    assert made == Mutant("silent", "test_patch", "Nothing is broken.", "nowhere", ("a test",), silent)
    with pytest.raises(Unbreakable, match="silent replaces nothing"):
        made.apply(monkeypatch)
