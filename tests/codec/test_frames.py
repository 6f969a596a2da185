"""A stream is cut into the frames it was made of, or refused."""

from struct import Struct as Layout

import pytest
from google_crc32c import value as crc32c
from hypothesis import given
from hypothesis import strategies as st

from paxon.codec.frames import FrameReader, encode_frame
from paxon.errors import ProtocolError

frames = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=8)


def test_golden_bytes() -> None:
    assert encode_frame(7, b"body") == bytes.fromhex("00000005 7d965fdb 835cfae6 07 626f6479")
    assert encode_frame(7, b"")[:4] == bytes.fromhex("00000001")


@given(frames, st.data())
def test_a_stream_cut_anywhere_comes_back(sent: list[tuple[int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(encode_frame(kind, body) for kind, body in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    reader = FrameReader()
    received: list[tuple[int, bytes]] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        received += reader.feed(stream[start:end])
    assert received == sent


@given(frames)
def test_a_stream_byte_by_byte_comes_back(sent: list[tuple[int, bytes]]) -> None:
    reader = FrameReader()
    received: list[tuple[int, bytes]] = []
    for kind, body in sent:
        for byte in encode_frame(kind, body):
            received += reader.feed(bytes((byte,)))
    assert received == sent


def test_every_flipped_bit_is_noticed_before_anything_is_given_out() -> None:
    """And as soon as the frame is there: a damaged length does not make the reader wait for what it promises."""
    frame = encode_frame(7, b"some body")
    for place in range(len(frame)):
        for bit in range(8):
            damaged = bytearray(frame)
            damaged[place] ^= 1 << bit
            with pytest.raises(ProtocolError, match="damaged on the way"):
                FrameReader().feed(bytes(damaged))


def _empty_frame() -> bytes:
    """A header that claims no bytes, soundly."""
    return Layout(">III").pack(0, crc32c(bytes(4)), 0)


def test_a_frame_may_be_as_long_as_allowed_and_no_longer() -> None:
    reader = FrameReader(bytes_max=10)
    assert reader.feed(encode_frame(1, b"123456789")) == [(1, b"123456789")]
    with pytest.raises(ProtocolError, match="claims 11 bytes, where 1 to 10 are allowed"):
        reader.feed(encode_frame(1, b"1234567890")[:12])
    with pytest.raises(ProtocolError, match="a frame of 11 bytes is over the limit of 10"):
        encode_frame(1, b"1234567890", bytes_max=10)


def test_an_empty_frame_is_refused() -> None:
    with pytest.raises(ProtocolError, match="claims 0 bytes"):
        FrameReader().feed(_empty_frame())


def test_after_a_failure_nothing_is_read() -> None:
    reader = FrameReader()
    with pytest.raises(ProtocolError, match="claims 0 bytes"):
        reader.feed(_empty_frame())
    with pytest.raises(ProtocolError, match="claims 0 bytes"):
        reader.feed(encode_frame(1, b"fine"))


def test_many_small_pieces_of_a_long_frame_cost_no_more_than_its_length() -> None:
    """Each piece is looked at once: a reader that looked from the start each time would copy 50 GB here."""
    frame = encode_frame(1, bytes(10_000_000))
    reader = FrameReader()
    received: list[tuple[int, bytes]] = []
    for start in range(0, len(frame), 1000):
        received += reader.feed(frame[start : start + 1000])
    assert [(kind, len(body)) for kind, body in received] == [(1, 10_000_000)]
