"""The machine of a run with sessions: it shows what was applied twice, not at all, or out of order.

Knows: what its commands do.  Does not know: who judges it, or the layers above it (``sim.replica``).
"""

import hashlib
from typing import Final, Literal

from msgspec import Struct, msgpack

from paxon.errors import Rejected
from paxon.rsm.assembly import PartCall
from paxon.rsm.assembly import encode as encode_for_part
from paxon.rsm.contract import Context, StateMachine, command, query
from paxon.rsm.feed import Event
from paxon.rsm.objects import Signature, question, submission

PART: Final = "tally"
"""The name of the one part."""

Failing = Literal["", "rejects", "breaks"]
"""How a command fails after it has changed the state: not at all, as it may, or as a bug would."""


class Unwanted(Rejected):
    """A command that was to be rejected."""


class Receipt(Struct, frozen=True, array_like=True):
    """What adding a number returns."""

    total: int
    """How many numbers were added by everybody."""
    of_session: int
    """How many of them by this session."""
    digest: bytes
    """Of these, in their order."""


NOTHING_ADDED: Final = Receipt(0, 0, b"")


class Tally(StateMachine):
    """Counts the numbers that it is told, and keeps for each session a digest of its own, so that order shows."""

    def __init__(self) -> None:
        self.total = 0
        self.sheets: dict[bytes, Receipt] = {}

    @command
    def add(self, ctx: Context, number: int, failing: Failing) -> Receipt:
        """Add a number.

        Raises:
            Unwanted: if ``failing`` asks for it, with the number added, and to be taken back.
            ArithmeticError: the same for ``breaks``.
        """
        session = ctx.session or b""
        before = self.sheets.get(session, NOTHING_ADDED)
        digest = hashlib.blake2b(b"%s %d" % (before.digest, number), digest_size=8).digest()
        self.total += 1
        receipt = self.sheets[session] = Receipt(self.total, before.of_session + 1, digest)
        ctx.emit("added", number)
        if failing == "rejects":
            raise Unwanted(number)
        if failing == "breaks":
            raise ArithmeticError(f"number {number} breaks")
        return receipt

    @query
    def count(self) -> int:
        """How many numbers were added."""
        return self.total


SIGNATURE: Final = Signature(Tally)

QUESTION: Final = encode_for_part(PartCall(PART, question(SIGNATURE, Tally.count)[0]))
"""How many numbers were added?"""


def addition(number: int, failing: Failing) -> bytes:
    """The command that adds a number."""
    return encode_for_part(PartCall(PART, submission(SIGNATURE, Tally.add, number, failing)[0]))


def receipt_in(result: bytes) -> Receipt | None:
    """What an addition returned; ``None`` if it was rejected."""
    _, decode = submission(SIGNATURE, Tally.add, 0, "")
    try:
        return decode(result)
    except Unwanted:
        return None


def count_in(answer: bytes) -> int:
    """What ``QUESTION`` was answered."""
    return question(SIGNATURE, Tally.count)[1](answer)


def numbers_in(events: list[Event]) -> list[int]:
    """The numbers that these events tell of."""
    return [msgpack.decode(event.body, type=int) for event in events]
