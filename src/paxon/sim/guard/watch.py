"""What a state machine does beyond the process: files, sockets, threads, programs; heard by way of an audit hook.

Knows: Python's audit events.  A hook cannot be taken away again, so there is one for the whole
process, and it does nothing unless somebody is in ``Surroundings``.
"""

import linecache
import sys
from types import FrameType
from typing import Any

from paxon.sim.guard.surroundings import Surroundings, caller

DEEDS = {
    "open": "opens",
    "os.listdir": "lists a directory",
    "os.scandir": "lists a directory",
    "os.mkdir": "makes a directory",
    "os.remove": "removes a file",
    "os.rename": "renames a file",
    "sqlite3.connect": "opens a database",
    "socket.__new__": "makes a socket",
    "socket.bind": "listens",
    "socket.connect": "connects",
    "socket.getaddrinfo": "looks up a host",
    "subprocess.Popen": "starts a program",
    "os.system": "starts a program",
    "os.exec": "starts a program",
    "os.posix_spawn": "starts a program",
    "os.fork": "forks",
    "time.sleep": "sleeps",
}
"""Audit events that a machine must not raise, in words."""

TOLERATED = ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>", linecache.__file__)
"""Who may read files all the same: imports inside of functions, and traces of errors, which show lines of source."""

_is_listening = False


def listen() -> None:
    """From here on, deeds are noted in the current surroundings."""
    global _is_listening
    if not _is_listening:
        _is_listening = True
        sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    surroundings = Surroundings.current
    if surroundings is None or event not in DEEDS or _is_tolerated():
        return
    about = f" {arguments[0]!r}" if event in ("open", "subprocess.Popen") and arguments else ""
    surroundings.deeds.append(f"{DEEDS[event]}{about} ({caller()})")


def _is_tolerated() -> bool:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename in TOLERATED:
            return True
        frame = frame.f_back
    return False
