"""Decided chance: a generator that every member seeds alike.

Knows: a seed.  Does not know: where it came from.

``random.Random`` would do on members of one release of Python, but what its methods make of its
bits is not promised from one release to the next, and members are upgraded one by one.
"""

import hashlib
from collections.abc import MutableSequence, Sequence
from typing import TypeVar

T = TypeVar("T")

_WORD_BYTES = 8
_FRACTION_BITS = 53
"""What a float holds."""


class Chance:
    """Chance that follows from ``seed`` alone: the same draws in the same order give the same values everywhere.

    Good for lots, jitter and samples.  Not for secrets: whoever reads the log can repeat every draw.
    """

    __slots__ = ("_drawn", "_seed")

    def __init__(self, seed: bytes) -> None:
        self._seed = hashlib.blake2b(seed, digest_size=32).digest()
        self._drawn = 0

    def bits(self, count: int) -> int:
        """A number of ``count`` random bits.

        Raises:
            ValueError: if ``count`` is negative.
        """
        if count < 0:
            raise ValueError(f"{count} bits cannot be drawn")
        return int.from_bytes(self.bytes(-(-count // 8))) >> (-count % 8)

    def bytes(self, count: int) -> bytes:
        """``count`` random bytes."""
        drawn = b""
        while len(drawn) < count:
            number = self._drawn.to_bytes(_WORD_BYTES)
            drawn += hashlib.blake2b(number, key=self._seed, digest_size=64).digest()
            self._drawn += 1
        return drawn[:count]

    def random(self) -> float:
        """A number in ``[0, 1)``."""
        return self.bits(_FRACTION_BITS) / (1 << _FRACTION_BITS)

    def below(self, limit: int) -> int:
        """A whole number in ``[0, limit)``, each as likely as any other.

        Raises:
            ValueError: if there is none.
        """
        if limit <= 0:
            raise ValueError(f"there is no whole number from 0 to below {limit}")
        width = limit.bit_length()
        while (drawn := self.bits(width)) >= limit:
            pass
        return drawn

    def between(self, low: int, high: int) -> int:
        """A whole number in ``[low, high]``, each as likely as any other.

        Raises:
            ValueError: if there is none.
        """
        if high < low:
            raise ValueError(f"there is no whole number from {low} to {high}")
        return low + self.below(high - low + 1)

    def choice(self, items: Sequence[T]) -> T:
        """One of ``items``.

        Raises:
            IndexError: if there are none.
        """
        if not items:
            raise IndexError("nothing to choose from")
        return items[self.below(len(items))]

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Bring ``items`` into any order."""
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]
