"""Frames: how values are told apart, and damage is noticed, in a stream of bytes.

    length u32 | crc32c of length u32 | crc32c u32 | kind u8 | body

Big-endian.  ``length`` counts the kind and the body; the last checksum covers the same bytes.  Knows: nothing of what a
kind means.  TCP's own checksum is too weak to rely on and is taken off by every middle box on the way.

The length has a checksum of its own because it is believed before the frame is complete: a damaged one would make the
reader take everything that follows for the rest of one long frame.  On a link that carries a heartbeat of fifty bytes
ten times a second, the megabytes that one flipped bit promises are hours of silence with the connection up.
"""

from struct import Struct as Layout
from typing import NoReturn

from google_crc32c import value as crc32c

from paxon.errors import ProtocolError

FRAME_BYTES_MAX = 64 * 1024 * 1024
"""Longest frame that is read, so that a damaged or hostile length costs no memory."""

_LENGTH = Layout(">I")
_HEADER = Layout(">III")
_KINDS = tuple(bytes((kind,)) for kind in range(256))


def encode_frame(kind: int, body: bytes, bytes_max: int = FRAME_BYTES_MAX) -> bytes:
    """The frame of one value.

    Raises:
        ProtocolError: if it is longer than ``bytes_max``: every receiver would close the link over it.
    """
    covered = _KINDS[kind] + body
    if len(covered) > bytes_max:
        raise ProtocolError(f"a frame of {len(covered)} bytes is over the limit of {bytes_max}")
    return _HEADER.pack(len(covered), crc32c(_LENGTH.pack(len(covered))), crc32c(covered)) + covered


class FrameReader:
    """Cuts a stream into frames.

    Invariant: holds at most one incomplete frame, of at most ``bytes_max`` bytes and a header.  After a failure
    nothing more is read: where the next frame would begin is unknown.
    """

    def __init__(self, bytes_max: int = FRAME_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._waiting = bytearray()
        self._needed = _HEADER.size
        """How many bytes must be waiting before there is anything to do: what makes many small feeds linear."""
        self._failure: str | None = None

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The frames that ``data`` completes, each as its kind and body.

        Frames ahead of a bad one in the same ``data`` are dropped with it: any message may be lost.

        Raises:
            ProtocolError: if a frame is empty, too long, or fails a checksum, and on every call after that.
        """
        if self._failure is not None:
            raise ProtocolError(self._failure)
        waiting = self._waiting
        if waiting:
            waiting += data
            if len(waiting) < self._needed:
                return []
            data = bytes(waiting)
            waiting.clear()
        frames: list[tuple[int, bytes]] = []
        start, total, header_bytes = 0, len(data), _HEADER.size
        self._needed = header_bytes
        while start + header_bytes <= total:
            length, length_checksum, checksum = _HEADER.unpack_from(data, start)
            if crc32c(data[start : start + _LENGTH.size]) != length_checksum:
                self._fail("a frame's length does not match its checksum: it was damaged on the way")
            if not 0 < length <= self._bytes_max:
                self._fail(f"a frame claims {length} bytes, where 1 to {self._bytes_max} are allowed")
            end = start + header_bytes + length
            if end > total:
                self._needed = end - start
                break
            covered = data[start + header_bytes : end]
            if crc32c(covered) != checksum:
                self._fail("a frame does not match its checksum: it was damaged on the way")
            frames.append((covered[0], covered[1:]))
            start = end
        if start < total:
            waiting += memoryview(data)[start:]
        return frames

    def _fail(self, reason: str) -> NoReturn:
        self._failure = reason
        self._waiting.clear()
        raise ProtocolError(reason)
