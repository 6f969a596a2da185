"""Chance for letters: one generator for all of them in turn, or every letter by itself.

With one generator, one letter more gives every later letter another fate: a run with one strike
of bad luck less is another run altogether from there on.  That is good enough for finding what
is broken and no good for making it small.  When every letter is dealt its fate by itself, by
what it says and how often that was said before, the rest of the run stays as it was as far as
its letters do.
"""

from collections import Counter

from paxon.sim.dice import Dice


class Deal:
    """One way to deal to every letter by itself: another ``salt`` is another way."""

    def __init__(self, salt: str) -> None:
        self._salt = salt
        self._said: Counter[str] = Counter()

    def of(self, letter: str) -> Dice:
        """The generator that decides the fate of ``letter``, which is said once more."""
        self._said[letter] += 1
        return Dice(f"{self._salt}/{letter}/{self._said[letter]}")
