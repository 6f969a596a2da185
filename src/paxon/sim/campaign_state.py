"""A campaign's file: what it has found so far, so that it goes on where it was when the power went.

JSON lines: the first says which campaign of which build it is, each further one what became of a
seed, in the order they ended.  A line is on the disk before the next seed of the campaign counts,
so a kill at any time costs the seeds under way and nothing else.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from paxon.errors import ConfigurationError
from paxon.sim.build import build
from paxon.sim.outcome import Campaign, Outcome

FORMAT = 1


class Heading(Struct, frozen=True):
    """The first line.  How many seeds or hours are wanted is not in it: a campaign may be made longer."""

    format: int
    build: str
    start: int
    profile: str | None
    members: int | None


class Entry(Struct, frozen=True):
    """One seed, and how long the campaign waited since the one before it."""

    outcome: Outcome
    waited_s: float


class CampaignState:
    """The open file.  ``entries`` are those it had when it was opened."""

    def __init__(self, path: Path, campaign: Campaign) -> None:
        """Open or begin the file.

        Raises:
            ConfigurationError: it is another campaign's or another build's, damaged, or in use.
            OSError: if it cannot be read or written.
        """
        self._path = path
        self.entries: list[Entry] = []
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._take_hold(Heading(FORMAT, build(), campaign.start, campaign.profile, campaign.members))
        except BaseException:
            os.close(self._file)
            raise

    def append(self, outcome: Outcome, waited_s: float) -> None:
        """Keep one seed's outcome, durably.

        Raises:
            OSError: if the disk refuses.
        """
        self._write(Entry(outcome, waited_s))

    def close(self) -> None:
        """Let others have the file."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take_hold(self, heading: Heading) -> None:
        try:
            # A lock of the system ends with the process, however it ends.
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(f"{self._path} is in use by a campaign that is running") from error
        data = self._path.read_bytes()
        # What has no end of line was being written when the process was killed.
        whole = data[: data.rfind(b"\n") + 1]
        os.ftruncate(self._file, len(whole))
        os.lseek(self._file, 0, os.SEEK_END)
        if not whole:
            self._write(heading)
            self._sync_name()
            return
        first, *lines = whole.splitlines()
        try:
            found = msgspec.json.decode(first, type=Heading)
            self.entries = [msgspec.json.decode(line, type=Entry) for line in lines]
        except msgspec.DecodeError as error:
            raise ConfigurationError(f"{self._path} is not the file of a campaign, or is damaged: {error}") from error
        if found != heading:
            raise ConfigurationError(
                f"{self._path} belongs to another campaign ({_named(found)}), not to this one ({_named(heading)}): "
                "name another file, or run that campaign with the build that began it"
            )

    def _write(self, line: Heading | Entry) -> None:
        data = memoryview(msgspec.json.encode(line) + b"\n")
        while data:
            data = data[os.write(self._file, data) :]
        os.fsync(self._file)

    def _sync_name(self) -> None:
        directory = os.open(self._path.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _named(heading: Heading) -> str:
    words = [f"from seed {heading.start}", f"build {heading.build}"]
    words += [f"profile {heading.profile}"] if heading.profile is not None else []
    words += [f"{heading.members} members"] if heading.members is not None else []
    return ", ".join(words)
