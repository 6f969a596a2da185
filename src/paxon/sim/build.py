"""Which build this is: two processes that say the same run the same code.

A version alone does not tell, because a campaign is mostly run from a clone between two releases;
a commit does not either, because the clone may have changes.  So the source itself is asked.
"""

from functools import cache
from hashlib import blake2b
from pathlib import Path

from paxon.version import __version__


@cache
def build() -> str:
    """The version, and a checksum of every source file of the package."""
    root = Path(__file__).parent.parent
    digest = blake2b(digest_size=8)
    for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return f"{__version__}+{digest.hexdigest()}"
