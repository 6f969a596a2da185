"""A state machine that shows order and repetition: numbered registers, and a count of every command ever applied."""

import hashlib

from paxon.rsm.machine import Context

POISON = b"poison"
"""The machine raises on a command whose first word is this."""


class Registers:
    """Satisfies ``StateMachine``.  A command is ``WORD TOKEN KEY``, separated by blanks, and padding.

    The result tells how many commands came before and what the register held, so two runs that
    differ in order, or in how often a command was applied, differ in results and in ``digest``.
    """

    def __init__(self) -> None:
        self.applied = 0
        self.digest = b""
        self._registers: dict[bytes, bytes] = {}

    def apply(self, command: bytes, context: Context) -> bytes:
        """Put the token into the register and return what it held.

        Raises:
            ValueError: if the command is poison.
        """
        word, token, key, *_ = command.split(b" ", 3)
        if word == POISON:
            raise ValueError(token.decode())
        previous = self._registers.get(key, b"-")
        self._registers[key] = token
        self.applied += 1
        state = b"%s %d %d %s" % (self.digest, context.slot, context.now_ms, command)
        self.digest = hashlib.blake2b(state, digest_size=16).digest()
        return b"%d %s" % (self.applied, previous)

    def query(self, question: bytes) -> bytes:
        """What the register named ``question`` holds."""
        return self._registers.get(question, b"-")
