"""State machines for the guard: good ones, and ones with one fault each.

Each bad one depends on one thing that a state machine must not see, in a way that a hasty
programmer might write.  All of them are accounts: a command is a name and an amount.
"""

import copy
import logging
import os
import random
import secrets
import threading
import time
import traceback
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from time import time as now

import msgspec

from paxon.rsm.machine import Context

NAMES = ("ada", "ben", "cyd", "dov", "eve", "fay", "gil")


class Accounts:
    """A good machine: the balance of everybody."""

    def __init__(self) -> None:
        self.balances: dict[str, int] = {}

    def apply(self, command: bytes, context: Context) -> bytes:
        name, _, amount = command.decode().partition(" ")
        left = self.balances.get(name, 0) + int(amount)
        if left < 0:
            raise ValueError(f"{name} has too little")
        self.balances[name] = left
        return str(left).encode()

    def query(self, question: bytes) -> bytes:
        return str(self.balances.get(question.decode(), 0)).encode()

    @staticmethod
    def simulated_commands(random: random.Random) -> Iterator[bytes]:
        while True:
            yield f"{random.choice(NAMES)} {random.randint(-5, 9)}".encode()

    @staticmethod
    def simulated_queries(random: random.Random) -> Iterator[bytes]:
        while True:
            yield random.choice(NAMES).encode()


class Digested(Accounts):
    """A good machine that has a digest."""

    def digest(self) -> bytes:
        return repr(sorted(self.balances.items())).encode()


class Harmless(Digested):
    """A good machine that looks at much and lets none of it show: a log line, a cache, a set in order, an import."""

    _lengths: dict[int, int] = {}  # noqa: RUF012 - the shared cache is the point.

    def apply(self, command: bytes, context: Context) -> bytes:
        import colorsys

        self.timing = time.perf_counter()
        self.tag = uuid.uuid4()
        self._lengths[len(command)] = id(command)
        colorsys.rgb_to_hls(0, 0, 0)
        shuffled = random.Random(context.slot)
        names = sorted(set(self.balances))
        shuffled.shuffle(names)
        return super().apply(command, context) + b" " + " ".join(names).encode()


@dataclass(frozen=True)
class Name:
    """A key with a hash of its own, made from the hashes of texts."""

    text: str


class Entry(msgspec.Struct):
    """What is kept of one command."""

    name: str
    when: datetime


class Busy(Digested):
    """A good machine that uses much of Python, and logs, with the trace of an error it expects."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: dict[Name, bytes] = {}

    def apply(self, command: bytes, context: Context) -> bytes:
        name = Name(command.decode().partition(" ")[0])
        logging.getLogger("bank").warning("%s moves", name)
        try:
            result = super().apply(command, context)
        except ValueError:
            logging.getLogger("bank").exception("refused")
            traceback.format_exc()
            raise
        when = datetime.fromtimestamp(context.now_ms / 1000, UTC)
        self._entries[name] = msgspec.json.encode(Entry(name.text, when))
        kept = msgspec.json.decode(self._entries[name], type=Entry)
        copied = copy.deepcopy(self._entries)
        receipt = uuid.uuid5(uuid.NAMESPACE_URL, f"{context.slot} {kept.name}")
        share = Decimal(int(result)) / 3
        return f"{result.decode()} {receipt} {share} {kept.when:%Y-%m-%d} {len(copied)}".encode()


class ByDecidedTime(Accounts):
    """A good machine with dates in it, made from the decided time."""

    def apply(self, command: bytes, context: Context) -> bytes:
        when = datetime.fromtimestamp(context.now_ms / 1000)
        assert isinstance(when, datetime)
        assert isinstance(when.date(), date)
        return super().apply(command, context) + when.isoformat().encode()


class SetOrder(Accounts):
    """Gives the names in the order of a set."""

    def apply(self, command: bytes, context: Context) -> bytes:
        return super().apply(command, context) + b" " + " ".join(set(self.balances)).encode()


class HashOfText(Accounts):
    """Spreads names over shards by ``hash``."""

    def apply(self, command: bytes, context: Context) -> bytes:
        return super().apply(command, context) + b" on %d" % (hash(command.split()[0]) % 1000)


class Timed(Accounts):
    """Keeps when each balance changed, by the clock."""

    def apply(self, command: bytes, context: Context) -> bytes:
        return super().apply(command, context) + b" at %d" % time.time()


class TimedByName(Accounts):
    """The same, with the clock imported by its name."""

    def apply(self, command: bytes, context: Context) -> bytes:
        return super().apply(command, context) + b" at %d" % now()


class Dated(Accounts):
    """Keeps the day."""

    def apply(self, command: bytes, context: Context) -> bytes:
        return super().apply(command, context) + datetime.now().date().isoformat().encode()


class Today(Accounts):
    """Keeps the day, shorter."""

    def apply(self, command: bytes, context: Context) -> bytes:
        return super().apply(command, context) + str(date.today()).encode()


class Lottery(Accounts):
    """Tosses a coin."""

    def apply(self, command: bytes, context: Context) -> bytes:
        return super().apply(command, context) + random.choice((b" heads", b" tails"))


class OwnLottery(Accounts):
    """Tosses a coin of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._random = random.Random()

    def apply(self, command: bytes, context: Context) -> bytes:
        return super().apply(command, context) + self._random.choice((b" heads", b" tails"))


class Secretive(Accounts):
    """Draws from the system, by way of a module for secrets."""

    def apply(self, command: bytes, context: Context) -> bytes:
        return super().apply(command, context) + secrets.token_bytes(2)


class Stamped(Accounts):
    """Writes the time into text."""

    def apply(self, command: bytes, context: Context) -> bytes:
        return super().apply(command, context) + time.strftime(" %H").encode()


class Receipts(Accounts):
    """Numbers its receipts with UUIDs."""

    def apply(self, command: bytes, context: Context) -> bytes:
        return super().apply(command, context) + str(uuid.uuid4()).encode()


class Salted(Accounts):
    """Salts, and shows it only in the digest."""

    def __init__(self) -> None:
        super().__init__()
        self._salt = b""

    def apply(self, command: bytes, context: Context) -> bytes:
        result = super().apply(command, context)
        self._salt = os.urandom(4)
        return result

    def digest(self) -> bytes:
        return self._salt


class ByAddress(Accounts):
    """Names its accounts by where they are in memory."""

    def apply(self, command: bytes, context: Context) -> bytes:
        return super().apply(command, context) + b" %d" % id(self.balances)


class Shown(Accounts):
    """Gives the repr of an object that has none of its own."""

    def apply(self, command: bytes, context: Context) -> bytes:
        return super().apply(command, context) + repr(self).encode()


class Shared(Accounts):
    """Keeps its balances in the class."""

    totals: dict[str, int] = {}  # noqa: RUF012 - the fault.

    def __init__(self) -> None:
        super().__init__()
        self.balances = self.totals


class Configured(Accounts):
    """Takes a rate from the environment."""

    def apply(self, command: bytes, context: Context) -> bytes:
        rate = float(os.environ.get("PAXON_TEST_RATE", "1.0"))
        return super().apply(command, context) + b" %.1f" % rate


class ByProcess(Accounts):
    """Signs with the number of its process."""

    def apply(self, command: bytes, context: Context) -> bytes:
        return super().apply(command, context) + b" %d" % os.getpid()


class FromFile(Accounts):
    """Reads a file."""

    def apply(self, command: bytes, context: Context) -> bytes:
        return super().apply(command, context) + Path(__file__).read_bytes()[:3]


class Threaded(Accounts):
    """Hands its work to a thread."""

    def apply(self, command: bytes, context: Context) -> bytes:
        worker = threading.Thread(target=lambda: None)
        worker.start()
        worker.join()
        return super().apply(command, context)


class Counting(Accounts):
    """Counts how often it is asked, and tells."""

    def __init__(self) -> None:
        super().__init__()
        self._asked = 0

    def apply(self, command: bytes, context: Context) -> bytes:
        return super().apply(command, context) + b" %d" % self._asked

    def query(self, question: bytes) -> bytes:
        self._asked += 1
        return super().query(question)


class CountingDigested(Counting):
    """The same with a digest that has the count."""

    def digest(self) -> bytes:
        return b"%d" % self._asked


class Hasty(Digested):
    """Changes before it looks."""

    def apply(self, command: bytes, context: Context) -> bytes:
        name, _, amount = command.decode().partition(" ")
        self.balances[name] = self.balances.get(name, 0) + int(amount)
        if self.balances[name] < 0:
            raise ValueError("too late")
        return b"done"


class Wordy(Accounts):
    """Answers in text."""

    def apply(self, command: bytes, context: Context) -> bytes:
        return super().apply(command, context).decode()  # type: ignore[return-value]  # the fault.


class WordyAnswers(Accounts):
    """Answers questions in text."""

    def query(self, question: bytes) -> bytes:
        return super().query(question).decode()  # type: ignore[return-value]  # the fault.


class WordyDigest(Accounts):
    """Has a digest in text."""

    def digest(self) -> str:
        return repr(self.balances)


class FailingDigest(Accounts):
    """Has a digest that fails once there is something to digest."""

    def digest(self) -> bytes:
        return b"%d" % (1 // (2 - len(self.balances)))


class FromFileAtStart(Accounts):
    """Reads a file when it is made."""

    def __init__(self) -> None:
        super().__init__()
        self._licence = Path(__file__).read_bytes()


class Unmakeable(Accounts):
    """Wants to be told something."""

    def __init__(self, rate: float) -> None:
        super().__init__()


class NoQuery:
    """Cannot be asked."""

    def apply(self, command: bytes, context: Context) -> bytes:
        return command


class OneArgument(Accounts):
    """Takes no context."""

    def apply(self, command: bytes) -> bytes:  # type: ignore[override]
        return command


class NothingToDo:
    """Knows of no commands."""

    def apply(self, command: bytes, context: Context) -> bytes:
        return command

    def query(self, question: bytes) -> bytes:
        return question


class WordyCommands(Accounts):
    """Yields text."""

    @staticmethod
    def simulated_commands(random: random.Random) -> Iterator[bytes]:
        yield "ada 1"  # type: ignore[misc]


class NoCommands(Accounts):
    """Yields nothing."""

    @staticmethod
    def simulated_commands(random: random.Random) -> Iterator[bytes]:
        yield from ()


class RaisesOnReplay(Accounts):
    """Is offended when a command of the past comes again, by the clock of its start."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.time()

    def apply(self, command: bytes, context: Context) -> bytes:
        if self._began % 7 > 3:
            raise RuntimeError("too old")
        return super().apply(command, context)


def deposits(random: random.Random) -> Iterator[bytes]:
    """A workload of its own, that comes to an end."""
    for _ in range(3):
        yield f"{random.choice(NAMES)} 1".encode()
