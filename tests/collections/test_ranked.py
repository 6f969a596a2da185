"""Keys in the order of a number: the same as sorting them, and all of it can be taken back."""

from hypothesis import given
from hypothesis import strategies as st

from paxon.collections.ranked import Ranked
from paxon.rsm.journal import Journal
from paxon.rsm.tracked import plain, tracked
from tests.collections.desk import assert_heap

changes = st.lists(st.tuples(st.integers(0, 12), st.one_of(st.none(), st.integers(0, 9))), max_size=60)


@given(changes)
def test_it_is_what_sorting_gives(changes: list[tuple[int, int | None]]) -> None:
    """A change is a key with its rank, or without one if it is taken out."""
    heap: list[tuple[int, int]] = []
    places: dict[int, int] = {}
    ranked, model = Ranked(heap, places), dict[int, int]()
    for key, rank in changes:
        if rank is not None:
            ranked.put(key, rank)
            model[key] = rank
        elif key in model:
            ranked.remove(key)
            del model[key]
        assert_heap(heap, places)
        assert sorted(heap) == sorted((rank, key) for key, rank in model.items())
        assert ranked.first() == min(((rank, key) for key, rank in model.items()), default=None)
        assert len(ranked) == len(model)


@given(changes, changes)
def test_it_takes_everything_back(before: list[tuple[int, int | None]], changes: list[tuple[int, int | None]]) -> None:
    journal = Journal()
    heap, places = tracked([], journal), tracked({}, journal)
    ranked = Ranked(heap, places)

    def change(them: list[tuple[int, int | None]]) -> None:
        for key, rank in them:
            if rank is not None:
                ranked.put(key, rank)
            elif key in places:
                ranked.remove(key)

    change(before)
    journal.forget()
    kept = plain(heap), plain(places)
    change(changes)
    journal.take_back()
    assert (plain(heap), plain(places)) == kept
