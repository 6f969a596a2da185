"""Commands and questions for state machines that come with Paxon and know nothing of chance themselves."""

from collections.abc import Callable, Iterator
from random import Random

from msgspec import Struct

from paxon.kv import name_server
from paxon.kv.name_server import NameServer

KEYS = 6
"""Few, so that commands meet."""

Draw = Callable[[Random], Iterator[bytes]]
"""Draws commands or questions from a generator that a seed decides."""


class Workload(Struct, frozen=True):
    """What clients ask of a machine.  Without ``questions`` they only read how far a member has come.

    Without ``commands`` there are no clients but the test that drives the world by hand.
    """

    commands: Draw | None
    questions: Draw | None = None


def name_server_commands(random: Random) -> Iterator[bytes]:
    """Puts, deletes, and compare-and-puts that expect what is often there."""
    while True:
        key, value = b"k%d" % random.randrange(KEYS), b"v%d" % random.randrange(20)
        match random.randrange(8):
            case 0:
                yield name_server.delete(key)
            case 1 | 2:
                expected = None if random.random() < 0.3 else b"v%d" % random.randrange(20)
                yield name_server.compare_and_put(key, expected, value)
            case 3:
                yield random.randbytes(random.randrange(20))
            case _:
                yield name_server.put(key, value)


def name_server_questions(random: Random) -> Iterator[bytes]:
    """Gets of the same keys."""
    while True:
        yield name_server.get(b"k%d" % random.randrange(KEYS))


WORKLOADS: dict[object, Workload] = {NameServer: Workload(name_server_commands, name_server_questions)}
"""By the machine's class."""
