"""The search for an order of one part's operations.

Knows: intervals and a model.  Does not know: keys, pictures, what an operation means.

Theory of operation.  An operation may come next if it was called before the first return of
those not yet placed.  The search places such operations one after the other, as long as the
model agrees with each output, and takes the last one back when nothing fits: Wing and Gong
(1993).  Lowe (2017) adds the two things that make it fast: calls and returns are a linked
list from which a placed operation is lifted, so that the candidates are always at its front;
and a set of operations that was once left in some state is not tried again in that state.
There is no recursion, so the length of a history is limited by memory alone.

Four more rules cut down the orders to try.  None of them loses a linearizable history:

1. *Observations come at once.*  An operation that leaves every state as it was, and whose
   output is right, is placed without an alternative.  If an order has it later, moving it to
   here changes nothing for the others.
2. *Unknown operations come last and are never missed.*  They have no return, so nothing waits
   for them: the search has succeeded when all known ones are placed.  They are tried when no
   known one is left to try, the most recent first: a request that took effect mostly did so
   soon.  A model's hints may bring some of them forward.
3. *Fewer unknowns are better.*  With the same known operations placed and the same state, to
   have used a subset of the unknown ones is as good: whatever can follow can follow there.
4. *Twins take turns.*  Of unknown operations with the same input, the one called first is used first.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final, Generic, NamedTuple

from msgspec import Struct

from paxon.checker.history import InputT, Operation, OutputT
from paxon.checker.model import Model, StateT
from paxon.errors import check

ALTERNATIVES_MAX: Final = 8
"""How many of the longest orders are kept.  More than a reader compares, and a failed search may have thousands."""

_HEAD: Final = 0
"""The entry before the first event.  Events are entries from 1 on, in the order of time; one more ends the list."""


class Ending(Enum):
    """How a search ends."""

    FOUND = "found"
    EXHAUSTED = "exhausted"
    OUT_OF_BUDGET = "out of budget"


class Furthest(Struct, Generic[StateT]):
    """The longest orders seen so far: by the return that none of them could pass, then by the known operations placed.

    ``orders`` are paths, by the state that they lead to.
    """

    rank: tuple[int, int] = (0, -1)
    orders: dict[StateT, list[int]] = {}


class _Frame(NamedTuple, Generic[StateT]):
    """What to go back to: the candidates that are left, and everything that one step changes."""

    candidates: list[int]
    limit: int
    unknown: int
    length: int
    state: StateT
    base: int
    mask: int
    used: int


class Search(Generic[InputT, OutputT, StateT]):
    """One search.  ``run`` it once, then ask for ``path`` or ``furthest``.

    Known operations are numbered in the order of their calls; all below ``_base`` are placed,
    and bit *i* of ``_mask`` says whether number ``_base + i`` is, so that a set is as wide as
    the history is concurrent, and not as it is long.  Bit *i* of ``_used`` is unknown number *i*.

    A path is a list of what was placed: an entry for a known operation, ``-1 - number`` for
    an unknown one.
    """

    def __init__(
        self,
        operations: Sequence[Operation[InputT, OutputT]],
        model: Model[InputT, OutputT, StateT],
        *,
        simplify: bool = True,
    ) -> None:
        self._model = model
        operations = sorted(operations, key=lambda operation: operation.call)
        inputs = model.simplified(operations) if simplify else [operation.input for operation in operations]
        self._read_operations(operations, inputs)
        self._link_entries()
        self._state = model.init()
        self._base = self._mask = self._used = 0
        self._candidates: list[int] = []
        self._limit = self._unknown = 0
        self._frames: list[_Frame[StateT]] = []
        self._visited: dict[tuple[int, int, StateT], tuple[int, ...]] = {}
        self.path: list[int] = []
        self.furthest: Furthest[StateT] = Furthest()
        self.steps = 0

    def run(self, steps_max: int | None = None) -> Ending:
        """Search until there is an answer, or until the model was asked ``steps_max`` times or a few more."""
        self._observe()
        self._is_new()
        while self._after[_HEAD] != self._end:
            if steps_max is not None and self.steps >= steps_max:
                self._note_furthest()
                return Ending.OUT_OF_BUDGET
            if self._candidates:
                step = self._candidates.pop()
                if step > 0:
                    self._try_known(step)
                else:
                    self._try_unknown(-1 - step)
            elif self._unknown > 0:
                self._unknown -= 1
                self._try_unknown(self._unknown)
            elif not self._retreat():
                return Ending.EXHAUSTED
        return Ending.FOUND

    def operation_at(self, step: int) -> Operation[InputT, OutputT]:
        """The operation that one step of a path stands for."""
        return self.unknown[-1 - step] if step < 0 else self.known[self._number[step]]

    def next_after(self, path: Sequence[int]) -> list[Operation[InputT, OutputT]]:
        """The known operations that might come next after one of the furthest orders.

        The first is the one whose return none of them could pass; the others follow by their returns.
        """
        limit = self.furthest.rank[0]
        placed = {self._number[step] for step in path if step > 0}
        returns = sorted(self._return_of[number] for number in range(len(self.known)) if number not in placed)
        candidates = [self.known[self._number[entry]] for entry in returns]
        deadline = candidates[0].returned or 0
        check(returns[0] == limit, "an order ends at the first return of what it has not placed")
        return [operation for operation in candidates if operation.call <= deadline]

    def _read_operations(self, operations: Sequence[Operation[InputT, OutputT]], inputs: Sequence[InputT]) -> None:
        model = self._model
        triples = list(zip(operations, inputs, model.hints(operations), strict=True))
        known = [triple for triple in triples if not triple[0].is_unknown]
        # An unknown observation is left out: nobody can tell whether it happened.
        unknown = [triple for triple in triples if triple[0].is_unknown and not model.changes_nothing(triple[1], None)]
        self.known = [operation for operation, _, _ in known]
        self.unknown = [operation for operation, _, _ in unknown]
        self._known_inputs = [given for _, given, _ in known]
        self._unknown_inputs = [given for _, given, _ in unknown]
        self._hints = [hint or 0 for _, _, hint in known]
        self._unknown_hints = {number: hint for number, (_, _, hint) in enumerate(unknown) if hint is not None}
        self._has_hints = any(self._hints) or bool(self._unknown_hints)
        self._observes = [model.changes_nothing(given, operation.output) for operation, given, _ in known]
        latest: dict[InputT, int] = {}
        self._twin_before: list[int | None] = []
        for number, given in enumerate(self._unknown_inputs):
            self._twin_before.append(latest.get(given))
            latest[given] = number

    def _link_entries(self) -> None:
        events: list[tuple[int, bool, int]] = []
        for number, operation in enumerate(self.known):
            check(operation.returned is not None, "a known operation has a return")
            # At the same instant calls come before returns: then the two operations overlap.
            events += [(operation.call, False, number), (operation.returned or 0, True, number)]
        events.sort()
        self._end = len(events) + 1
        self._after = [*range(1, self._end + 1), self._end]
        self._before = [0, *range(self._end)]
        self._is_call = [False, *(not is_return for _, is_return, _ in events), False]
        self._number = [0, *(number for _, _, number in events), 0]
        self._return_of = [0] * len(self.known)
        self._called_before = [0] * (self._end + 1)
        calls = 0
        for entry, (time, is_return, number) in enumerate(events, 1):
            if is_return:
                self._return_of[number] = entry
                while calls < len(self.unknown) and self.unknown[calls].call <= time:
                    calls += 1
                self._called_before[entry] = calls

    def _try_known(self, entry: int) -> None:
        """Place a known operation if its output fits."""
        number = self._number[entry]
        self.steps += 1
        fits, state = self._model.step(self._state, self._known_inputs[number], self.known[number].output)
        if fits:
            frame = self._frame()
            self._place(entry, number)
            self._enter(frame, state)

    def _try_unknown(self, number: int) -> None:
        """Let an unknown operation take effect, unless it has or its twin comes first (rule 4)."""
        twin = self._twin_before[number]
        if self._used >> number & 1 or not (twin is None or self._used >> twin & 1):
            return
        self.steps += 1
        fits, state = self._model.step(self._state, self._unknown_inputs[number], None)
        # One without an effect is turned back at once by rule 3.
        if fits:
            frame = self._frame()
            self.path.append(-1 - number)
            self._used |= 1 << number
            self._enter(frame, state)

    def _enter(self, frame: _Frame[StateT], state: StateT) -> None:
        """Go on from ``state``, or back to ``frame`` at once if everything from here on was tried."""
        self._frames.append(frame)
        self._state = state
        self._observe()
        if not self._is_new():
            self._resume()

    def _observe(self) -> None:
        """Place all observations that fit the state (rule 1), and see what else may come next."""
        candidates = []
        entry = self._after[_HEAD]
        while self._is_call[entry]:
            number = self._number[entry]
            if self._observes[number]:
                self.steps += 1
                if self._model.step(self._state, self._known_inputs[number], self.known[number].output)[0]:
                    self._place(entry, number)
                    # What comes after a lifted entry may be its own return, which is gone too.
                    entry = self._before[entry]
            else:
                candidates.append(entry)
            entry = self._after[entry]
        self._limit, self._unknown = entry, self._called_before[entry]
        if self._has_hints:
            candidates += [-1 - number for number in self._unknown_hints if number < self._unknown]
            candidates.sort(key=self._hint)
        # The last one is the first to be tried.
        candidates.reverse()
        self._candidates = candidates

    def _hint(self, step: int) -> int:
        return self._unknown_hints[-1 - step] if step < 0 else self._hints[self._number[step]]

    def _place(self, entry: int, number: int) -> None:
        """Lift a known operation's call and return from the list."""
        self.path.append(entry)
        after, before = self._after, self._before
        for lifted in (entry, self._return_of[number]):
            after[before[lifted]] = after[lifted]
            before[after[lifted]] = before[lifted]
        mask = self._mask | 1 << (number - self._base)
        if mask & 1:
            filled = (~mask & (mask + 1)).bit_length() - 1
            mask >>= filled
            self._base += filled
        self._mask = mask

    def _is_new(self) -> bool:
        """Whether this set and state still have to be tried; from now on they do not (rule 3)."""
        key = (self._base, self._mask, self._state)
        used = self._used
        visited = self._visited.get(key)
        if visited is None:
            self._visited[key] = (used,)
            return True
        for fewer in visited:
            if fewer & used == fewer:
                return False
        self._visited[key] = (*(more for more in visited if used & more != used), used)
        return True

    def _retreat(self) -> bool:
        """Take back the last step that had an alternative; ``False`` if there is none."""
        self._note_furthest()
        if not self._frames:
            return False
        self._resume()
        return True

    def _resume(self) -> None:
        frame = self._frames.pop()
        after, before = self._after, self._before
        while len(self.path) > frame.length:
            entry = self.path.pop()
            if entry < 0:
                continue
            # In the reverse order of lifting, so that each finds its neighbours as it left them.
            for lifted in (self._return_of[self._number[entry]], entry):
                after[before[lifted]] = lifted
                before[after[lifted]] = lifted
        self._candidates, self._limit, self._unknown, _, self._state, self._base, self._mask, self._used = frame

    def _frame(self) -> _Frame[StateT]:
        length = len(self.path)
        return _Frame(
            self._candidates, self._limit, self._unknown, length, self._state, self._base, self._mask, self._used
        )

    def _note_furthest(self) -> None:
        """Remember the path if none came further."""
        rank = (self._limit, self._base + self._mask.bit_count())
        furthest = self.furthest
        if rank > furthest.rank:
            self.furthest = Furthest(rank, {self._state: self.path.copy()})
        elif rank == furthest.rank:
            other = furthest.orders.get(self._state)
            # At the same rank a shorter path needs fewer unknown operations.
            if len(furthest.orders) < ALTERNATIVES_MAX if other is None else len(self.path) < len(other):
                furthest.orders[self._state] = self.path.copy()
