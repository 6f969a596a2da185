"""The submitting side of a session: which commands are not answered yet, and how each is sent again.

Knows: the numbers of a session's commands, and what an answer means for them.  Does not know:
time, whom to send to, or who waits.

Theory of operation.  ``Sessions`` applies the commands of a session in the order of their numbers and
answers a repetition from memory.  So whoever submits may send anything again at any time, must not leave a
number out, and learns the one outcome of each in the end.  A command that nobody waits for any more
still has its number: it is sent again without its contents (``withdraw``), and then either it had been
applied before, or it never will be.
"""

from typing import assert_never

from paxon.errors import check
from paxon.rsm.session_requests import (
    Confirmed,
    Crowded,
    Done,
    Early,
    Ended,
    Failed,
    Opened,
    Withdrawn,
    decode_answer,
    encode_perform,
    encode_together,
)

Settled = Done | Failed | Confirmed | Withdrawn
"""The answers after which a number need not be sent again."""


class Submitter:
    """The unanswered commands of one session.

    Invariant: ``_open`` has, in rising order, every number below ``_next`` whose command has no answer.
    """

    def __init__(self, session: bytes) -> None:
        self.session = session
        self._next = 0
        self._open: dict[int, bytes | None] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def unanswered(self) -> list[int]:
        """The numbers without an answer, in the order in which they are to be sent again."""
        return list(self._open)

    @property
    def next_number(self) -> int:
        """The number that the next command gets."""
        return self._next

    def number(self, command: bytes) -> int:
        """Give a command the next number."""
        sequence = self._next
        self._next += 1
        self._open[sequence] = command
        return sequence

    def request(self, sequence: int) -> bytes:
        """What to submit for a number that has no answer yet."""
        check(sequence in self._open, "what was answered is not sent again")
        return encode_perform(self.session, sequence, next(iter(self._open)), self._open[sequence])

    def together(self, sequences: range) -> bytes:
        """What to submit for numbers that follow one another and have no answer yet."""
        commands = [self._open[sequence] for sequence in sequences]
        return encode_together(self.session, sequences.start, next(iter(self._open)), commands)

    def withdraw(self, sequence: int) -> None:
        """Nobody wants this command any more: from here on its number is sent without it."""
        if sequence in self._open:
            self._open[sequence] = None

    def settle(self, sequence: int) -> None:
        """A number has an answer after which it is not sent again."""
        self._open.pop(sequence, None)

    def on_answer(self, sequence: int, answer: bytes) -> Settled | Ended | None:
        """What an answer says about a number; ``None`` if it has to be sent again, after those below it.

        Raises:
            msgspec.DecodeError: if it is no answer.
        """
        decoded = decode_answer(answer)
        match decoded:
            case Done() | Failed() | Confirmed() | Withdrawn():
                self.settle(sequence)
                return decoded
            case Ended():
                return decoded
            case Early() | Crowded():
                return None
            case Opened():
                check(False, "a command is not answered by the opening of a session")
                return None
            case _:
                assert_never(decoded)
