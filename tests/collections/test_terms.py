"""Terms of office: one holder, tokens that grow, and a living successor in the same step (section 3.3.3)."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from paxon.collections import seats
from paxon.collections.refusals import LimitReached, NotHolder
from paxon.collections.seats import Ended, Grant, Granted, Left, Place, Seat
from paxon.collections.terms import Terms
from paxon.collections.values import DURATION_MS_MAX
from tests.collections.desk import Desk, case_of, durations, names, parties
from tests.collections.seats import SeatComparison, new_desk


class TermsComparison(SeatComparison[Terms]):
    def new_desk(self) -> Desk[Terms]:
        return new_desk(Terms)

    def fits(self, holders: list[None], mode: None) -> bool:
        return not holders

    def holders(self, name: str) -> list[Seat]:
        holder = self.desk.ask(Terms.holder, name)
        return [] if holder is None else [holder]

    @rule(name=names, seeker=parties, ttl_ms=durations, wait=st.booleans())
    def seeks(self, name: str, seeker: bytes, ttl_ms: int, wait: bool) -> None:
        expected = self.rooms[name].seek(self.now_ms, seeker, None, ttl_ms, wait)
        result = self.desk.do(Terms.seek, name, seeker, ttl_ms, wait)
        self.compare(name, seeker, result, expected)


TestTerms = case_of(TermsComparison)


@pytest.fixture
def desk() -> Desk[Terms]:
    """An office that ada has for 100 ms, and bob and cyd wait for."""
    desk = new_desk(Terms)
    desk.do(Terms.seek, "office", b"ada", 100, True, "ada:1")
    desk.do(Terms.seek, "office", b"bob", 200, True, "bob:1")
    desk.do(Terms.seek, "office", b"cyd", 300, True, "cyd:1")
    return desk


def holder(desk: Desk[Terms]) -> tuple[bytes, int] | None:
    """Who has the office, under which token."""
    seat = desk.ask(Terms.holder, "office")
    return None if seat is None else (seat.seeker, seat.token)


def test_the_first_has_it_and_the_others_wait_in_their_order(desk: Desk[Terms]) -> None:
    assert holder(desk) == (b"ada", 1)
    waiting = [(seat.seeker, seat.value, seat.token) for seat in desk.ask(Terms.contenders, "office")]
    assert waiting == [(b"bob", "bob:1", 0), (b"cyd", "cyd:1", 0)]
    assert desk.do(Terms.seek, "office", b"cyd", 300, True) == Place(2, desk.now_ms, desk.now_ms + 300)


def test_without_wait_nobody_is_queued_and_nothing_is_left() -> None:
    desk = new_desk(Terms)
    desk.do(Terms.seek, "office", b"ada", 100, False)
    before = desk.state
    assert desk.do(Terms.seek, "office", b"bob", 100, False) is None
    assert desk.state == before


def test_seeking_again_gives_the_same_grant_for_longer(desk: Desk[Terms]) -> None:
    desk.later(99)
    assert desk.do(Terms.seek, "office", b"ada", 101, True) == Grant(1, desk.now_ms, desk.now_ms + 101)


def test_a_term_is_never_shortened(desk: Desk[Terms]) -> None:
    until_ms = desk.now_ms + 300
    assert desk.do(Terms.renew, "office", b"ada", 1, 300) == Grant(1, desk.now_ms, until_ms)
    assert desk.do(Terms.renew, "office", b"ada", 1, 10) == Grant(1, desk.now_ms, until_ms)
    assert desk.do(Terms.seek, "office", b"ada", 10, True) == Grant(1, desk.now_ms, until_ms)


def test_a_resignation_gives_the_office_to_the_next_in_the_same_step(desk: Desk[Terms]) -> None:
    desk.events.clear()
    desk.do(Terms.resign, "office", b"ada", 1)
    assert desk.events == [
        ("term/office", Ended("office", b"ada", 1, has_lapsed=False)),
        ("term/office", Granted("office", b"bob", 2, desk.now_ms, desk.now_ms + 200, "bob:1")),
    ]
    assert holder(desk) == (b"bob", 2)


def test_a_term_lapses_at_its_end_and_not_before_while_nobody_calls(desk: Desk[Terms]) -> None:
    desk.later(99)
    assert holder(desk) == (b"ada", 1)
    desk.later(1)
    assert holder(desk) == (b"bob", 2)


def test_whoever_lapsed_may_not_renew(desk: Desk[Terms]) -> None:
    desk.do(Terms.withdraw, "office", b"bob")
    desk.do(Terms.withdraw, "office", b"cyd")
    desk.later(100)
    refusal = desk.refused(NotHolder, Terms.renew, "office", b"ada", 1, 100)
    assert "'office' is not held under token 1" in str(refusal)
    assert holder(desk) is None


def test_an_earlier_grant_of_the_same_seeker_is_worth_nothing(desk: Desk[Terms]) -> None:
    desk.do(Terms.resign, "office", b"ada", 1)
    desk.do(Terms.withdraw, "office", b"bob")
    desk.do(Terms.withdraw, "office", b"cyd")
    again = desk.do(Terms.seek, "office", b"ada", 100, True)
    assert isinstance(again, Grant)
    assert again.token > 1
    desk.refused(NotHolder, Terms.renew, "office", b"ada", 1, 100)
    desk.refused(NotHolder, Terms.resign, "office", b"ada", 1)


def test_the_dead_are_passed_over_in_the_queue(desk: Desk[Terms]) -> None:
    """All of it at one time, long after: ada's term has ended, and bob has not asked again."""
    desk.events.clear()
    desk.later(299)
    assert [event for _, event in desk.events] == [
        Ended("office", b"ada", 1, has_lapsed=True),
        Left("office", b"bob", has_lapsed=True),
        Granted("office", b"cyd", 2, desk.now_ms, desk.now_ms + 301, "cyd:1"),
    ]


def test_nobody_is_granted_if_all_are_dead(desk: Desk[Terms]) -> None:
    desk.later(300)
    assert [type(event) for _, event in desk.events].count(Granted) == 1
    assert desk.state == {**new_desk(Terms).state, "last_token": 1}


def test_asking_again_keeps_the_place_alive(desk: Desk[Terms]) -> None:
    for _ in range(3):
        desk.later(90)
        desk.do(Terms.renew, "office", b"ada", 1, 100)
        place = desk.do(Terms.seek, "office", b"bob", 200, True)
        assert isinstance(place, Place)
        assert place.position == 1


def test_withdrawing_ends_a_wait_and_a_grant_alike(desk: Desk[Terms]) -> None:
    assert desk.do(Terms.withdraw, "office", b"bob")
    assert desk.do(Terms.withdraw, "office", b"ada")
    assert not desk.do(Terms.withdraw, "office", b"ada")
    assert holder(desk) == (b"cyd", 2)


def test_tokens_grow_over_all_offices(desk: Desk[Terms]) -> None:
    elsewhere = desk.do(Terms.seek, "elsewhere", b"ada", 100, True)
    desk.do(Terms.resign, "office", b"ada", 1)
    assert isinstance(elsewhere, Grant)
    assert holder(desk) == (b"bob", elsewhere.token + 1)


def test_a_queue_has_a_limit(desk: Desk[Terms], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seats, "ABREAST_MAX", 2)
    assert "2 seekers wait for 'office'" in str(desk.refused(LimitReached, Terms.seek, "office", b"dee", 100, True))
    assert desk.do(Terms.seek, "office", b"dee", 100, False) is None
    assert isinstance(desk.do(Terms.seek, "office", b"cyd", 100, True), Place)


def test_all_together_have_a_limit(desk: Desk[Terms], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seats, "ENTRIES_MAX", 3)
    desk.refused(LimitReached, Terms.seek, "office", b"dee", 100, True)
    desk.refused(LimitReached, Terms.seek, "elsewhere", b"dee", 100, True)


@pytest.mark.parametrize(
    ("name", "seeker", "ttl_ms"),
    [
        ("", b"x", 1),
        ("n" * 257, b"x", 1),
        ("n", b"", 1),
        ("n", b"x" * 65, 1),
        ("n", b"x", 0),
        ("n", b"x", DURATION_MS_MAX + 1),
    ],
)
def test_what_is_beyond_a_limit_of_its_type_is_refused_where_it_is_made(name: str, seeker: bytes, ttl_ms: int) -> None:
    with pytest.raises(TypeError):
        new_desk(Terms).do(Terms.seek, name, seeker, ttl_ms, True)
