"""A file that a lock protects, which remembers the greatest token it has seen and refuses smaller ones."""

import fcntl
from pathlib import Path


class Resource:
    """One line for each write that was let through: its token and its text."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    def write(self, text: str, token: int) -> bool:
        """Whether it was let through."""
        with self._path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if token < max((token for token, _ in self.writes()), default=0):
                return False
            file.write(f"{token} {text}\n")
        return True

    def writes(self) -> list[tuple[int, str]]:
        """What was let through, in order."""
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        return [(int(token), text) for token, _, text in (line.partition(" ") for line in lines)]
