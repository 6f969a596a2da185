"""What happens to bytes on the way."""

from random import Random

DAMAGES = ("bit", "byte", "cut", "longer")
"""The kinds of damage: a bit flipped, a byte replaced, bytes missing, bytes too many."""

PIECE_BYTES_MAX = 8
"""Most bytes that are missing or too many."""


def damage(sent: bytes, kind: str, random: Random) -> bytes:
    """``sent`` with one damage, somewhere: never the same bytes, and never the same with more behind them."""
    damaged = bytearray(sent)
    place = random.randrange(len(sent))
    match kind:
        case "bit":
            damaged[place] ^= 1 << random.randrange(8)
        case "byte":
            damaged[place] ^= random.randint(1, 255)
        case "cut":
            # Never all of it: a letter that is missing whole is a lost one.
            del damaged[max(1, place) : place + random.randint(1, PIECE_BYTES_MAX)]
            if len(damaged) == len(sent):
                del damaged[-1]
        case _:
            # A byte unlike the one that stood there, so that it is not that one said twice.
            damaged[place:place] = bytes((damaged[place] ^ random.randint(1, 255),)) + random.randbytes(
                random.randrange(PIECE_BYTES_MAX)
            )
    return bytes(damaged)
