"""Counters: whole numbers that start at 0."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from paxon.collections import counters
from paxon.collections.counters import Counted, Counters
from paxon.collections.refusals import Changed, LimitReached, OutOfRange
from paxon.collections.values import INTEGER_MAX
from tests.collections.desk import Comparison, Desk, case_of, names

numbers = st.one_of(st.integers(-3, 3), st.integers(-INTEGER_MAX, INTEGER_MAX))


class CountersComparison(Comparison[Counters]):
    def __init__(self) -> None:
        super().__init__()
        self.model = {"north": 0, "south": 0}

    def new_desk(self) -> Desk[Counters]:
        return Desk(Counters, Counted)

    @rule(name=names, amount=numbers)
    def adds(self, name: str, amount: int) -> None:
        wanted = self.model[name] + amount
        if abs(wanted) > INTEGER_MAX:
            self.desk.refused(OutOfRange, Counters.add, name, amount)
            return
        assert self.desk.do(Counters.add, name, amount) == wanted
        self.model[name] = wanted

    @rule(name=names, value=numbers)
    def sets(self, name: str, value: int) -> None:
        assert self.desk.do(Counters.set, name, value) == self.model[name]
        self.model[name] = value

    @rule(name=names, expected=st.integers(-3, 3), value=numbers)
    def compares_and_sets(self, name: str, expected: int, value: int) -> None:
        if expected != self.model[name]:
            refusal = self.desk.refused(Changed, Counters.compare_and_set, name, expected, value)
            assert isinstance(refusal, Changed)
            assert refusal.found == self.model[name]
            return
        self.desk.do(Counters.compare_and_set, name, expected, value)
        self.model[name] = value

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        told = {"north": 0, "south": 0}
        for topic, event in self.desk.events:
            assert topic == f"counter/{event.name}"
            told[event.name] = event.value
        assert told == self.model
        assert {name: self.desk.ask(Counters.get, name) for name in self.model} == self.model
        assert set(self.desk.machine.values) == {name for name, value in self.model.items() if value}


TestCounters = case_of(CountersComparison)


def test_there_are_only_so_many_that_are_not_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "ENTRIES_MAX", 1)
    desk = Desk(Counters, Counted)
    desk.do(Counters.add, "north")
    desk.refused(LimitReached, Counters.add, "south")
    assert desk.do(Counters.add, "north") == 2
    desk.do(Counters.set, "north", 0)
    assert desk.do(Counters.add, "south") == 1


def test_a_refusal_says_what_is_there() -> None:
    desk = Desk(Counters, Counted)
    desk.do(Counters.set, "north", 7)
    refusal = desk.refused(Changed, Counters.compare_and_set, "north", 6, 8)
    assert str(refusal) == "the counter 'north' is 7 by now: read it again, decide again, and try again"
