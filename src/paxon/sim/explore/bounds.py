"""How large a world is, and how it is walked."""

from msgspec import Struct


class Bounds(Struct, frozen=True):
    """What may happen at the most, and which reductions are used."""

    members: int = 3
    weights: tuple[int, ...] = ()
    """What each member's vote weighs, if not all weigh the same.  Only members of one weight are interchangeable."""
    ballots: int = 2
    """How many ballots there may be, whoever conducts them."""
    each: int = 9
    """How many of them one member may conduct."""
    slots: int = 1
    crashes: int = 0
    catch_up: bool = False
    """Whether members may ask each other for decrees out of the blue."""
    only_agreement: bool = False
    """Whether to look past every other broken rule, to a disagreement."""
    symmetry: bool = True
    """Whether worlds that differ in the members' names are one (``places``)."""
    forget: bool = True
    """Whether letters that can do nothing any more are taken out (``post``)."""
    haste: bool = True
    """Whether interleavings that change no ledger and no vote are left out (``places``)."""
