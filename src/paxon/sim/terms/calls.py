"""The calls that holders of offices make, in bytes."""

from typing import Final

from paxon.collections.seats import Grant, Place
from paxon.collections.terms import Terms
from paxon.rsm.assembly import PartCall
from paxon.rsm.assembly import encode as encode_for_part
from paxon.rsm.objects import Signature, question, submission
from paxon.rsm.session_requests import Done, Plain, decode_answer, encode

PART: Final = "terms"
"""The name of the one part."""

OFFICES: Final = ("north", "south")
"""Few, so that clients meet."""

SIGNATURE: Final = Signature(Terms)

QUESTION: Final = encode_for_part(PartCall(PART, question(SIGNATURE, Terms.holder, OFFICES[0])[0]))
"""Who holds the first office?"""


def seeking(office: str, seeker: bytes, ttl_ms: int) -> bytes:
    """Seek an office, and wait for it."""
    return _plain(submission(SIGNATURE, Terms.seek, office, seeker, ttl_ms, True)[0])


def renewing(office: str, holder: bytes, token: int, ttl_ms: int) -> bytes:
    """Prolong a term."""
    return _plain(submission(SIGNATURE, Terms.renew, office, holder, token, ttl_ms)[0])


def resigning(office: str, holder: bytes, token: int) -> bytes:
    """End a term."""
    return _plain(submission(SIGNATURE, Terms.resign, office, holder, token)[0])


def withdrawing(office: str, seeker: bytes) -> bytes:
    """Neither hold an office nor wait for it."""
    return _plain(submission(SIGNATURE, Terms.withdraw, office, seeker)[0])


def standing_in(answer: bytes) -> Grant | Place | None:
    """What ``seeking`` or ``renewing`` was answered; ``None`` if the machine failed on it.

    Raises:
        NotHolder: the term has ended.
        LimitReached: too many seek an office.
    """
    decoded = decode_answer(answer)
    if not isinstance(decoded, Done):
        return None
    standing: Grant | Place | None = SIGNATURE.spelling(Terms.seek, is_command=True).result(decoded.result)
    return standing


def _plain(call: bytes) -> bytes:
    return encode(Plain(encode_for_part(PartCall(PART, call))))
