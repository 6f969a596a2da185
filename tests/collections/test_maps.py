"""Maps: values by key, with versions that tell whether anything happened in between."""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from paxon.collections import maps
from paxon.collections.maps import ABSENT, Cleared, Deleted, Entry, MapEvent, Maps, Put
from paxon.collections.refusals import Changed, LimitReached
from paxon.collections.values import Binary, Value
from tests.collections.desk import Comparison, Desk, case_of, names

keys = st.sampled_from(["", "a", "b", "é", "\U0001f600"])
values = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.floats(allow_nan=False), st.text(max_size=3), st.just(Binary(b"x"))
)


class MapsComparison(Comparison[Maps]):
    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, dict[str, Entry]] = {"north": {}, "south": {}}
        self.greatest = ABSENT

    def new_desk(self) -> Desk[Maps]:
        return Desk(Maps, MapEvent)

    def version_of(self, name: str, key: str) -> int:
        entry = self.model[name].get(key)
        return ABSENT if entry is None else entry.version

    def took(self, name: str, key: str, value: Value, version: int) -> None:
        assert version > self.greatest
        self.greatest = version
        self.model[name][key] = Entry(value, version)

    @rule(name=names, key=keys, value=values)
    def puts(self, name: str, key: str, value: Value) -> None:
        self.took(name, key, value, self.desk.do(Maps.put, name, key, value))

    @rule(name=names, key=keys, value=values, behind=st.integers(0, 1))
    def compares_and_puts(self, name: str, key: str, value: Value, behind: int) -> None:
        version = max(ABSENT, self.version_of(name, key) - behind)
        if version != self.version_of(name, key):
            self.refused(name, key, Maps.compare_and_put, value, version)
            return
        self.took(name, key, value, self.desk.do(Maps.compare_and_put, name, key, value, version))

    @rule(name=names, key=keys)
    def deletes(self, name: str, key: str) -> None:
        assert self.desk.do(Maps.delete, name, key) == self.model[name].pop(key, None)

    @rule(name=names, key=keys, ahead=st.integers(0, 1))
    def compares_and_deletes(self, name: str, key: str, ahead: int) -> None:
        version = self.version_of(name, key) + ahead
        if ahead:
            self.refused(name, key, Maps.compare_and_delete, version)
            return
        assert self.desk.do(Maps.compare_and_delete, name, key, version) == self.model[name].pop(key, None)

    def refused(self, name: str, key: str, method: Any, *arguments: Any) -> None:
        refusal = self.desk.refused(Changed, method, name, key, *arguments)
        assert isinstance(refusal, Changed)
        assert refusal.found == self.version_of(name, key)

    @rule(name=names)
    def clears(self, name: str) -> None:
        assert self.desk.do(Maps.clear, name) == len(self.model[name])
        self.model[name].clear()

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        for name, entries in self.model.items():
            assert self.desk.ask(Maps.size, name) == len(entries)
            assert list(self.desk.ask(Maps.items, name)) == sorted(entries.items())
            assert all(self.desk.ask(Maps.get, name, key) == entries.get(key) for key in ("a", "b"))
        assert set(self.desk.machine.maps) == {name for name, entries in self.model.items() if entries}
        assert self.desk.machine.count == sum(map(len, self.model.values()))

    @invariant()
    def events_tell_everything(self) -> None:
        told: dict[str, dict[str, Entry]] = {"north": {}, "south": {}}
        for topic, event in self.desk.events:
            assert topic == f"map/{event.name}"
            match event:
                case Put():
                    told[event.name][event.key] = Entry(event.value, event.version)
                case Deleted():
                    del told[event.name][event.key]
                case Cleared():
                    assert told[event.name], "nothing is told where nothing happened"
                    told[event.name].clear()
        assert told == self.model


TestMaps = case_of(MapsComparison)


def test_a_key_that_was_deleted_and_put_again_does_not_look_unchanged() -> None:
    desk = Desk(Maps, MapEvent)
    version = desk.do(Maps.put, "flags", "dark", True)
    desk.do(Maps.delete, "flags", "dark")
    desk.do(Maps.put, "flags", "dark", True)
    refusal = desk.refused(Changed, Maps.compare_and_put, "flags", "dark", False, version)
    assert "the version of 'dark' in 'flags' is 2 by now" in str(refusal)


def test_pages_have_every_key_that_stays_whatever_comes_and_goes_between_them() -> None:
    desk = Desk(Maps, MapEvent)
    for key in "bdfhj":
        desk.do(Maps.put, "flags", key, key)
    first = desk.ask(Maps.items, "flags", limit=2)
    assert [key for key, _ in first] == ["b", "d"]
    for key in "ae":
        desk.do(Maps.put, "flags", key, key)
    desk.do(Maps.delete, "flags", "d")
    rest = desk.ask(Maps.items, "flags", after="d", limit=9)
    assert [key for key, _ in rest] == ["e", "f", "h", "j"]


def test_a_map_has_a_limit_and_all_together_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "KEYS_MAX", 2)
    monkeypatch.setattr(maps, "ENTRIES_MAX", 3)
    desk = Desk(Maps, MapEvent)
    desk.do(Maps.put, "flags", "a", 1)
    desk.do(Maps.put, "flags", "b", 1)
    assert "the map 'flags' has 2 keys" in str(desk.refused(LimitReached, Maps.put, "flags", "c", 1))
    desk.do(Maps.put, "flags", "b", 2)
    desk.do(Maps.put, "more", "a", 1)
    desk.refused(LimitReached, Maps.compare_and_put, "more", "b", 1, ABSENT)
    desk.do(Maps.clear, "flags")
    desk.do(Maps.put, "more", "b", 1)
