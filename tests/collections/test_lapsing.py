"""What a state keeps in order: a heap in a tracked list, and keys that lapse at moments."""

from hypothesis import given
from hypothesis import strategies as st

from paxon.collections.heap import pop, push
from paxon.collections.lapsing import GRAIN_MS, Lapsing, moment_after
from paxon.rsm.contract import Context, command
from paxon.rsm.journal import Journal
from paxon.rsm.tracked import plain, tracked
from tests.collections.desk import BEGIN_MS, Desk

entries = st.tuples(st.integers(0, 9), st.integers(0, 99))
changes = st.lists(st.one_of(st.none(), entries), max_size=60)


@given(changes)
def test_a_heap_gives_what_sorting_gives(changes: list[tuple[int, int] | None]) -> None:
    """A change is an entry to push, or ``None`` to pop."""
    heap: list[tuple[int, int]] = []
    model: list[tuple[int, int]] = []
    for entry in changes:
        if entry is not None:
            push(heap, entry)
            model.append(entry)
        elif model:
            assert pop(heap) == min(model)
            model.remove(min(model))
    assert sorted(heap) == sorted(model)
    assert [pop(heap) for _ in model] == sorted(model)


@given(changes, changes)
def test_a_heap_takes_everything_back(
    before: list[tuple[int, int] | None], changes: list[tuple[int, int] | None]
) -> None:
    journal = Journal()
    heap = tracked([], journal)

    def change(them: list[tuple[int, int] | None]) -> None:
        for entry in them:
            if entry is not None:
                push(heap, entry)
            elif heap:
                pop(heap)

    change(before)
    journal.forget()
    kept = plain(heap)
    change(changes)
    journal.take_back()
    assert plain(heap) == kept


def test_a_moment_is_never_too_early_and_less_than_a_grain_too_late() -> None:
    for now_ms in range(BEGIN_MS, BEGIN_MS + GRAIN_MS):
        for duration_ms in (1, GRAIN_MS - 1, GRAIN_MS, GRAIN_MS + 1):
            late_ms = moment_after(now_ms, duration_ms) - (now_ms + duration_ms)
            assert 0 <= late_ms < GRAIN_MS
            assert moment_after(now_ms, duration_ms) % GRAIN_MS == 0


class Candles(Lapsing[str]):
    """Candles that burn down, some of them together with another."""

    def __init__(self) -> None:
        super().__init__()
        self.moments: dict[str, int] = {}
        self.burnt: list[str] = []
        self.pairs: dict[str, str] = {}

    @command
    def light(self, ctx: Context, name: str, duration_ms: int, pair: str = "") -> None:
        """Light one."""
        self.moments[name] = moment_after(ctx.now_ms, duration_ms)
        self._schedule(name, self.moments[name])
        self.pairs[name] = pair

    @command
    def put_out(self, ctx: Context, name: str) -> None:
        """End one early."""
        self._unschedule(name, self.moments.pop(name))

    def _lapse(self, ctx: Context, key: str) -> None:
        for name in (key, self.pairs[key]):
            if name in self.moments:
                self._unschedule(name, self.moments.pop(name))
                self.burnt.append(name)


def test_the_end_of_one_may_be_the_end_of_another_of_the_same_moment() -> None:
    desk = Desk(Candles)
    desk.do(Candles.light, "a", GRAIN_MS, "b")
    desk.do(Candles.light, "b", GRAIN_MS, "a")
    desk.do(Candles.light, "c", GRAIN_MS)
    desk.later(GRAIN_MS)
    assert list(desk.machine.burnt) == ["a", "b", "c"]


def test_once_nothing_is_left_no_moment_is() -> None:
    desk = Desk(Candles)
    for number, name in enumerate("abcd"):
        desk.do(Candles.light, name, (number + 1) * GRAIN_MS)
    for name in "bca":
        desk.do(Candles.put_out, name)
    assert desk.machine.next_due_ms() == BEGIN_MS + 4 * GRAIN_MS
    desk.do(Candles.put_out, "d")
    assert desk.machine.next_due_ms() is None
    assert desk.state["due_keys"] == {}
