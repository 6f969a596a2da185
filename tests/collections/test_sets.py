"""Sets of text."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from paxon.collections import sets
from paxon.collections.refusals import LimitReached
from paxon.collections.sets import Added, SetEvent, Sets
from tests.collections.desk import Comparison, Desk, case_of, names

elements = st.sampled_from(["", "a", "b", "c", "é"])


class SetsComparison(Comparison[Sets]):
    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, set[str]] = {"north": set(), "south": set()}

    def new_desk(self) -> Desk[Sets]:
        return Desk(Sets, SetEvent)

    @rule(name=names, element=elements)
    def adds(self, name: str, element: str) -> None:
        assert self.desk.do(Sets.add, name, element) is (element not in self.model[name])
        self.model[name].add(element)

    @rule(name=names, element=elements)
    def discards(self, name: str, element: str) -> None:
        assert self.desk.do(Sets.discard, name, element) is (element in self.model[name])
        self.model[name].discard(element)

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        told: dict[str, set[str]] = {"north": set(), "south": set()}
        for topic, event in self.desk.events:
            assert topic == f"set/{event.name}"
            if isinstance(event, Added):
                told[event.name].add(event.element)
            else:
                told[event.name].remove(event.element)
        assert told == self.model
        for name, members in self.model.items():
            assert self.desk.ask(Sets.size, name) == len(members)
            assert list(self.desk.ask(Sets.members, name)) == sorted(members)
            assert self.desk.ask(Sets.contains, name, "a") is ("a" in members)
        assert set(self.desk.machine.sets) == {name for name, members in self.model.items() if members}
        assert self.desk.machine.count == sum(map(len, self.model.values()))


TestSets = case_of(SetsComparison)


def test_members_come_page_by_page() -> None:
    desk = Desk(Sets, SetEvent)
    for element in ("c", "a", "d", "b"):
        desk.do(Sets.add, "tags", element)
    assert desk.ask(Sets.members, "tags", limit=3) == ("a", "b", "c")
    assert desk.ask(Sets.members, "tags", after="c", limit=3) == ("d",)


def test_a_set_has_a_limit_and_all_together_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "KEYS_MAX", 2)
    monkeypatch.setattr(sets, "ENTRIES_MAX", 3)
    desk = Desk(Sets, SetEvent)
    desk.do(Sets.add, "tags", "a")
    desk.do(Sets.add, "tags", "b")
    assert "the set 'tags' has 2 elements" in str(desk.refused(LimitReached, Sets.add, "tags", "c"))
    assert not desk.do(Sets.add, "tags", "b")
    desk.do(Sets.add, "more", "a")
    desk.refused(LimitReached, Sets.add, "more", "b")
