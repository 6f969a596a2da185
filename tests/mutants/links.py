"""Mutants of the codec and the links: frames, ranges, and who is let in."""

from collections.abc import Mapping

from msgspec import structs

from paxon.codec.frames import FrameReader
from paxon.codec.values import Vocabulary
from paxon.core.decree import NodeId
from paxon.errors import ProtocolError
from paxon.net import addresses, handshake
from paxon.net.handshake import Goodbye, Hello, LocalIdentity, PeerAddress
from paxon.net.introductions import Introductions
from tests.mutants.mutant import Patch, mutant

# --- bytes ---


def _forgives(patch: Patch, what: str) -> None:
    """A frame reader goes on after failures that mention ``what``."""
    fail = FrameReader._fail

    def lenient(self: FrameReader, reason: str) -> None:
        if what not in reason:
            fail(self, reason)

    patch.replace(FrameReader, "_fail", lenient)


@mutant(
    "damage on the way (fault N6); codec.frames",
    "tests/codec/test_frames.py::test_every_flipped_bit_is_noticed_before_anything_is_given_out",
)
def frame_checksum_not_checked(patch: Patch) -> None:
    """A frame that was damaged on the way is taken in."""
    _forgives(patch, "a frame does not match its checksum")


@mutant(
    "damage on the way (fault N6); codec.frames",
    "tests/codec/test_frames.py::test_every_flipped_bit_is_noticed_before_anything_is_given_out",
)
def frame_length_checksum_not_checked(patch: Patch) -> None:
    """A length that was damaged on the way is believed."""
    _forgives(patch, "length does not match its checksum")


@mutant(
    "codec.frames",
    "tests/codec/test_frames.py::test_a_frame_may_be_as_long_as_allowed_and_no_longer",
)
def frame_length_not_checked(patch: Patch) -> None:
    """A frame may be of any length."""
    _forgives(patch, "claims")


@mutant(
    "codec.values",
    "tests/codec/test_values.py::test_integers_out_of_range_are_refused",
)
def integers_of_any_size(patch: Patch) -> None:
    """Slots, stamps and numbers may be negative or larger than what can be kept."""
    decode = Vocabulary.decode

    def lenient(self: Vocabulary, kind: int, body: bytes) -> object:
        try:
            return decode(self, kind, body)
        except ProtocolError as error:
            if "out of range" not in str(error):
                raise
            return self._readers[kind][0](body)

    patch.replace(Vocabulary, "decode", lenient)


# --- who is let in ---


def _hello(patch: Patch, corrected: Mapping[str, str]) -> None:
    """A hello is judged as if the fields named first said what ours say that are named second."""
    judge = handshake.judge_hello

    def partial(
        hello: Hello, me: LocalIdentity, peers: Mapping[NodeId, PeerAddress], names: frozenset[str] | None
    ) -> Goodbye | None:
        right = {field: getattr(me, ours) for field, ours in corrected.items()}
        return judge(structs.replace(hello, **right), me, peers, names)

    patch.replace(handshake, "judge_hello", partial)


@mutant(
    "the wrong peer (fault N9); net.handshake", "tests/net/test_handshake.py::test_a_stranger_is_refused_with_advice"
)
def hello_of_another_cluster_welcome(patch: Patch) -> None:
    """A member of another cluster is let in."""
    _hello(patch, {"cluster": "cluster"})


@mutant(
    "the wrong peer (fault N9); net.handshake", "tests/net/test_handshake.py::test_a_stranger_is_refused_with_advice"
)
def hello_to_somebody_else_welcome(patch: Patch) -> None:
    """A member that meant to reach another one is let in."""
    _hello(patch, {"to_member": "member"})


@mutant(
    "the wrong peer (fault N9); net.tls",
    "tests/net/test_handshake.py::test_a_certificate_must_carry_the_name",
)
def certificate_names_nobody(patch: Patch) -> None:
    """Any certificate of the authority speaks for any member."""
    patch.replace(handshake, "certificate_objection", lambda member, names: None)


@mutant("SECURITY.md; net.addresses", "tests/net/test_addresses.py::test_beyond_loopback")
def plain_text_for_everybody(patch: Patch) -> None:
    """A member listens beyond this machine without TLS and without being told to."""
    patch.replace(addresses, "require_safe_listen", lambda host, tls, insecure: None)


@mutant(
    "decision 3; a wiped or older disk (fault D9)",
    "tests/net/test_introductions.py::test_a_strict_majority_of_the_others_is_waited_for",
)
def introduced_by_half(patch: Patch) -> None:
    """A fresh storage takes part once half of the other members know it."""
    may_take_part = Introductions.may_take_part

    def early(self: Introductions, already: bool, is_moment_over: bool) -> bool:
        half = 2 * len(self._welcomed_by) >= self._others
        return (not already and half) or may_take_part(self, already, is_moment_over)

    patch.replace(Introductions, "may_take_part", early)
