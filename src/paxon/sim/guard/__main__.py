"""The program of a fresh interpreter: walks the courses that come in on standard input (``interpreters``)."""

import os
import sys

import msgspec

from paxon.errors import ConfigurationError
from paxon.sim.guard.interpreters import Hello, Request, read_frame, write_frame
from paxon.sim.guard.subject import UserSubject


def main() -> int:
    """Serve until standard input ends."""
    requests = sys.stdin.buffer
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What a machine prints must not get between the replies.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    frame = read_frame(requests)
    if frame is None:
        return 0
    hello = msgspec.msgpack.decode(frame, type=Hello)
    sys.path[:] = hello.path
    try:
        subject = UserSubject.found(hello.machine, hello.workload)
    except ConfigurationError as error:
        write_frame(replies, str(error))
        return 1
    write_frame(replies, "")
    while frame := read_frame(requests):
        request = msgspec.msgpack.decode(frame, type=Request)
        write_frame(replies, subject.walk(request.course, asks=request.asks))
    return 0


if __name__ == "__main__":
    sys.exit(main())
