"""What the commands of the ready-made structures take, and how much of it.

Knows: types and limits.  Does not know: any structure.

The limits are part of the types, so that a call beyond one is refused where it is made, before anybody
decides on it, and a command that is decided is known to be within them.
"""

from typing import Annotated, Final, TypeAlias

from msgspec import Meta, Struct

NAME_LENGTH_MAX: Final = 256
"""Of the name of a thing, and of a key in one, in characters."""

IDENTITY_BYTES_MAX: Final = 64
"""Of whoever seeks, claims or joins: room for any kind of unique name, and for a hash of a longer one."""

LABEL_LENGTH_MAX: Final = 1024
"""Of the text that goes with a seat or a membership, such as an address, in characters."""

VALUE_LENGTH_MAX: Final = 1 << 20
"""Of one value, in characters of text or in bytes.  What a whole command may weigh is a setting of the members."""

DURATION_MS_MAX: Final = 366 * 24 * 60 * 60 * 1000
"""A year.  What is to last longer is no lease, and a sum of such a number and a stamp is far from every limit."""

ABREAST_MAX: Final = 1_000
"""How many may hold one name together, how many may wait for it, and how many may be in one party or barrier.

Answers that list them all, and the look for a place in the queue, cost as much as there are.
"""

ENTRIES_MAX: Final = 1_000_000
"""How many things one structure keeps, under all names together."""

PAGE_MAX: Final = 1_000
"""How many things one answer lists."""

KEYS_MAX: Final = 100_000
"""Of one map, and elements of one set: a page of them is picked from all keys of the name."""

INTEGER_MAX: Final = (1 << 63) - 1
"""Of a counter and of a priority, either way from zero: what every language on the other side of a wire can hold."""

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
Key: TypeAlias = Annotated[str, Meta(max_length=NAME_LENGTH_MAX)]
Identity: TypeAlias = Annotated[bytes, Meta(min_length=1, max_length=IDENTITY_BYTES_MAX)]
Label: TypeAlias = Annotated[str, Meta(max_length=LABEL_LENGTH_MAX)]
DurationMs: TypeAlias = Annotated[int, Meta(ge=1, le=DURATION_MS_MAX)]
Integer: TypeAlias = Annotated[int, Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)]
Abreast: TypeAlias = Annotated[int, Meta(ge=1, le=ABREAST_MAX)]
PageSize: TypeAlias = Annotated[int, Meta(ge=1, le=PAGE_MAX)]


class Binary(Struct, frozen=True, array_like=True):
    """Bytes as a value.  They have a record of their own because a union can have text or bytes, and not both."""

    data: Annotated[bytes, Meta(max_length=VALUE_LENGTH_MAX)]


Value: TypeAlias = Annotated[str, Meta(max_length=VALUE_LENGTH_MAX)] | Integer | float | bool | Binary | None
"""One value that is replaced as a whole.

No lists and dictionaries: a type that may contain itself has no fingerprint, and each level of them would be tracked
for a rollback that never needs it.  What has parts goes into ``Binary`` or text as its owner encodes it, or into a
state machine of its own.
"""
