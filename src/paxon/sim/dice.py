"""Chance for the simulator: the same throws for the same seed under every version of Python.

Of its generators Python promises to keep one thing only, the sequence that ``random()`` gives for
a seed; how a choice or a shuffle is made of it may change from release to release.  So whatever
the simulator draws is made of ``random()`` here.  That also costs half of what the library's
methods do, which make sure of a fairness in the fiftieth binary place that no run can notice.
"""

import math
from collections.abc import MutableSequence, Sequence
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")


class Dice(Random):
    """A generator whose every draw that the simulator makes is made of ``random()``."""

    def randint(self, a: int, b: int) -> int:
        """An integer from ``[a, b]``."""
        return a + int(self.random() * (b - a + 1))

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        """An integer from ``range(start, stop, step)``."""
        if stop is None:
            return int(self.random() * start)
        span = range(start, stop, step)
        return span[int(self.random() * len(span))]

    def getrandbits(self, k: int, /) -> int:
        """An integer from ``[0, 2**k)``; ``k`` is at most 53, the digits that ``random()`` has."""
        return int(self.random() * (1 << k))

    def choice(self, seq: Sequence[T]) -> T:  # type: ignore[override]  # Sets with an order of their own are none.
        """One of ``seq``."""
        return seq[int(self.random() * len(seq))]

    def shuffle(self, x: MutableSequence[Any]) -> None:
        """Put ``x`` into an order by chance."""
        for place in range(len(x) - 1, 0, -1):
            other = int(self.random() * (place + 1))
            x[place], x[other] = x[other], x[place]

    def expovariate(self, lambd: float) -> float:
        """A waiting time whose mean is ``1 / lambd``."""
        return -math.log(1.0 - self.random()) / lambd
