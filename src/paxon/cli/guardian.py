"""The parent of a command that runs under a lock: it ends the command when the lock's time is over, whatever becomes
of ``paxon`` itself.

    python -m paxon.cli.guardian CONTROL UNTIL GRACE COMMAND...

Knows: one child, and until when it may run.  Does not know: the cluster; whoever holds the lock tells it, line by line,
through the pipe whose descriptor is ``CONTROL``.

Theory of operation.  ``paxon lock`` may be stopped or killed while the command goes on, and then nobody would renew the
lock or stop the command.  So the command has a parent that does nothing but look at the clock.  It is a process of its
own, in a group of its own, and imports nothing that is slow to import.  Three things end the command: its time is over,
the pipe is closed (``paxon`` is gone, or wants it), or it ends by itself.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
from typing import Final

from paxon.client.steady import steady_s

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
"""What shells say of a command that cannot be run."""

SIGNALLED: Final = 128
"""Added to the number of the signal that ended the command, as shells do."""

LOOK_S: Final = 0.5
"""The longest time between two looks at the clock: the one that ``select`` sleeps by stands still in a suspended
machine."""


class Guardian:
    """One command, and until when it may run."""

    def __init__(self, control: int, until_s: float, grace_s: float, command: list[str]) -> None:
        self._control = control
        self._until_s = until_s
        self._grace_s = grace_s
        self._unread = b""
        self._wakes, wakes = os.pipe()
        os.set_blocking(wakes, False)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        # A group of its own: whatever it starts is ended with it, and a terminal's Ctrl-C reaches it once, through us.
        self._child = subprocess.Popen(command, process_group=0)  # noqa: S603 - running a command is what it is for.

    def watch(self) -> int:
        """The command's exit code, once it has ended or been ended."""
        while self._child.poll() is None:
            left_s = self._until_s - steady_s()
            if left_s <= 0:
                return self._end()
            ready, _, _ = select.select([self._control, self._wakes], [], [], min(left_s, LOOK_S))
            if self._control in ready and not self._read():
                return self._end()
            if self._wakes in ready:
                os.read(self._wakes, 1024)
        return self._code()

    def _read(self) -> bool:
        """Do what the lines in the pipe say; whether there may be more."""
        received = os.read(self._control, 65536)
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            word, _, number = line.partition(b" ")
            if word == b"until":
                self._until_s = float(number)
            elif word == b"signal":
                self._signal(int(number))
        return bool(received)

    def _end(self) -> int:
        """Ask the command to end, and then make it."""
        self._signal(signal.SIGTERM)
        deadline_s = steady_s() + self._grace_s
        while self._child.poll() is None and (left_s := deadline_s - steady_s()) > 0:
            ready, _, _ = select.select([self._wakes], [], [], min(left_s, LOOK_S))
            if ready:
                os.read(self._wakes, 1024)
        # Those that it started may outlive it, and not the lock.
        self._signal(signal.SIGKILL)
        self._child.wait()
        return self._code()

    def _signal(self, number: int) -> None:
        # All of the group may have ended by now.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)

    def _code(self) -> int:
        code = self._child.returncode
        return SIGNALLED - code if code < 0 else code


def main(control: str, until_s: str, grace_s: str, *command: str) -> int:
    """Run ``command``."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        # Whoever holds the lock passes these on; a guardian that they ended first would guard nothing.  What is ignored
        # stays ignored, in the command too.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, frame: None)
    try:
        guardian = Guardian(int(control), float(until_s), float(grace_s), list(command))
    except OSError as error:
        sys.stderr.write(f"paxon: error: {command[0]}: {error.strerror}\n")
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    return guardian.watch()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
