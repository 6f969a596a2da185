"""3.3.3 by the holder's own clocks: for how long a grant may be counted on."""

import pytest

from paxon.collections.holding_rule import HoldingRule, Moment, least_ttl_s
from paxon.errors import BadRequest

RULE = HoldingRule(ttl_s=10, clock_error_s=0.5)
SENT = Moment(steady_s=100, wall_s=1_700_000_000)


def later(steady_s: float, wall_s: float) -> Moment:
    return Moment(SENT.steady_s + steady_s, SENT.wall_s + wall_s)


def test_a_holder_counts_from_before_it_asked_and_stops_early_by_drift_and_clock_error() -> None:
    assert RULE.counted_s == pytest.approx(10 * 0.999 - 0.5)
    assert RULE.left_s(SENT, SENT) == pytest.approx(RULE.counted_s)
    assert RULE.left_s(SENT, later(4, 4)) == pytest.approx(RULE.counted_s - 4)
    assert RULE.left_s(SENT, later(9.5, 9.5)) < 0


def test_a_wall_clock_far_ahead_has_seen_a_pause_that_the_other_slept_through() -> None:
    assert RULE.left_s(SENT, later(0.1, 60)) < 0
    assert RULE.left_s(SENT, later(4, 4.4)) == pytest.approx(RULE.counted_s - 4), "within what clocks are off by"


def test_a_wall_clock_that_is_set_back_prolongs_nothing() -> None:
    assert RULE.left_s(SENT, later(4, -3600)) == pytest.approx(RULE.counted_s - 4)


def test_two_renewals_can_be_sent_while_the_grant_is_counted_on() -> None:
    assert 2 * RULE.pause_s < RULE.counted_s


@pytest.mark.parametrize(
    ("ttl_s", "clock_error_s", "why"),
    [
        (1, 0.5, "a ttl of 1 s is too short where clocks may differ by 0.5 s: make it 1\\.01 s or more"),
        (0, 0, "a ttl is from 0.001 to"),
        (float("nan"), 0, "a ttl is from"),
        (40_000_000, 0, "a ttl is from"),
        (10, -1, "clocks differ by 0 seconds or some more"),
        (10, float("inf"), "clocks differ by 0 seconds or some more"),
        (10, float("nan"), "clocks differ by 0 seconds or some more"),
    ],
)
def test_what_leaves_nothing_to_count_on_is_refused(ttl_s: float, clock_error_s: float, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        HoldingRule(ttl_s, clock_error_s)


def test_the_ttl_that_a_refusal_names_is_taken() -> None:
    assert HoldingRule(least_ttl_s(0.5), 0.5).counted_s > 0
    assert least_ttl_s(0) == 0
