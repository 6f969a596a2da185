"""When to dial again, without clocks or sockets."""

import pytest

from paxon.net.back_off import CHANCE_LIMIT, BackOff, Ended, LinkTimings

TIMINGS = LinkTimings(retry_s_min=0.02, retry_s_max=0.5, refused_retry_s=5.0)


def waits(*ends: Ended, draw: int = 0) -> list[float]:
    back_off = BackOff(TIMINGS, lambda: draw)
    return [back_off.wait_s(end) for end in ends]


def test_retries_become_rarer() -> None:
    assert waits(*[Ended.FAILED] * 8) == pytest.approx([0.01, 0.02, 0.04, 0.08, 0.16, 0.25, 0.25, 0.25])


def test_a_link_that_broke_soon_is_a_failure_like_any_other() -> None:
    assert waits(Ended.FAILED, Ended.SHORT, Ended.SHORT, Ended.FAILED) == pytest.approx([0.01, 0.02, 0.04, 0.08])


def test_a_lasting_link_starts_over() -> None:
    assert waits(*[Ended.FAILED] * 5, Ended.LASTED, Ended.FAILED)[-2:] == pytest.approx([0.01, 0.01])


def test_refused_is_slow_at_once_and_quick_again_after() -> None:
    assert waits(Ended.REFUSED, Ended.REFUSED, Ended.FAILED) == pytest.approx([2.5, 2.5, 0.01])


@pytest.mark.parametrize(("draw", "share"), [(0, 0.5), (CHANCE_LIMIT // 2, 0.75), (CHANCE_LIMIT - 1, 1.0)])
def test_jitter_is_between_half_and_all_of_the_wait(draw: int, share: float) -> None:
    assert waits(Ended.FAILED, Ended.REFUSED, draw=draw) == pytest.approx([share * 0.02, share * 5.0])


def test_a_month_of_failures_is_no_overflow() -> None:
    assert waits(*[Ended.FAILED] * 100_000)[-1] == pytest.approx(0.25)
