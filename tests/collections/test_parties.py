"""Parties: who is there, known from their joining, renewing, leaving and lapsing."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from paxon.collections import parties as module
from paxon.collections.parties import Gone, Joined, Member, Parties, PartyEvent
from paxon.collections.refusals import LimitReached, NotMember
from tests.collections.desk import Comparison, Desk, case_of, durations, moment, names, parties

labels = st.sampled_from(["", "here:1", "here:2"])


class PartiesComparison(Comparison[Parties]):
    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, dict[bytes, Member]] = {"north": {}, "south": {}}

    def new_desk(self) -> Desk[Parties]:
        return Desk(Parties, PartyEvent)

    def expire(self) -> None:
        for members in self.model.values():
            for member in [member for member in members.values() if member.until_ms <= self.now_ms]:
                del members[member.member]

    def stays(self, name: str, member: bytes, value: str, ttl_ms: int) -> int:
        """Have the member in the model, and say until when."""
        until_ms = moment(self.now_ms, ttl_ms)
        if member in self.model[name]:
            until_ms = max(until_ms, self.model[name][member].until_ms)
        self.model[name][member] = Member(member, value, until_ms)
        return until_ms

    @rule(name=names, member=parties, ttl_ms=durations, value=labels)
    def joins(self, name: str, member: bytes, ttl_ms: int, value: str) -> None:
        until_ms = self.stays(name, member, value, ttl_ms)
        assert self.desk.do(Parties.join, name, member, ttl_ms, value) == until_ms

    @rule(name=names, member=parties, ttl_ms=durations)
    def renews(self, name: str, member: bytes, ttl_ms: int) -> None:
        found = self.model[name].get(member)
        if found is None:
            self.desk.refused(NotMember, Parties.renew, name, member, ttl_ms)
            return
        assert self.desk.do(Parties.renew, name, member, ttl_ms) == self.stays(name, member, found.value, ttl_ms)

    @rule(name=names, member=parties)
    def leaves(self, name: str, member: bytes) -> None:
        was_there = self.model[name].pop(member, None) is not None
        assert self.desk.do(Parties.leave, name, member) is was_there

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        told: dict[str, dict[bytes, str]] = {"north": {}, "south": {}}
        for topic, event in self.desk.events:
            assert topic == f"party/{event.name}"
            if isinstance(event, Joined):
                assert told[event.name].get(event.member) != event.value, "nothing is told where nothing happened"
                told[event.name][event.member] = event.value
            else:
                del told[event.name][event.member]
        for name, members in self.model.items():
            assert list(self.desk.ask(Parties.members, name)) == list(members.values())
            assert told[name] == {member.member: member.value for member in members.values()}
        assert set(self.desk.machine.parties) == {name for name, members in self.model.items() if members}
        assert self.desk.machine.due_count == sum(map(len, self.model.values()))


TestParties = case_of(PartiesComparison)


def test_a_member_lapses_at_its_time_and_not_before_while_nobody_calls() -> None:
    desk = Desk(Parties, PartyEvent)
    desk.do(Parties.join, "workers", b"ada", 100, "here:1")
    desk.later(99)
    assert [member.value for member in desk.ask(Parties.members, "workers")] == ["here:1"]
    desk.later(1)
    assert desk.ask(Parties.members, "workers") == ()
    assert desk.events[-1] == ("party/workers", Gone("workers", b"ada", has_lapsed=True))
    assert desk.state == Desk(Parties, PartyEvent).state
    assert "lapsed or left; join again" in str(desk.refused(NotMember, Parties.renew, "workers", b"ada", 100))


def test_a_party_has_a_limit_and_all_together_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ABREAST_MAX", 2)
    monkeypatch.setattr(module, "ENTRIES_MAX", 3)
    desk = Desk(Parties, PartyEvent)
    desk.do(Parties.join, "workers", b"ada", 100)
    desk.do(Parties.join, "workers", b"bob", 100)
    assert "2 members are in the party" in str(desk.refused(LimitReached, Parties.join, "workers", b"cyd", 100))
    desk.do(Parties.join, "workers", b"bob", 100, "again")
    desk.do(Parties.join, "more", b"ada", 100)
    desk.refused(LimitReached, Parties.join, "more", b"bob", 100)
