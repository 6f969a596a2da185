"""Classes by name: where a snapshot finds the class of a record again.

Knows: the modules of this process.  Does not know: what a class is for.

A class is found only if the program imported its module by itself.  Nothing is imported and no
code of a module runs, so that bytes from elsewhere cannot choose what this process executes.
"""

import sys
from types import ModuleType


def name_of(kind: type) -> str:
    """The name under which ``find`` looks for ``kind``."""
    return f"{kind.__module__}:{kind.__qualname__}"


def find(name: str) -> type | None:
    """The class of that name; ``None`` if no imported module has it."""
    module, _, path = name.partition(":")
    found: object = sys.modules.get(module)
    for part in path.split("."):
        if not isinstance(found, ModuleType | type):
            return None
        # No ``getattr``: a module or a metaclass may answer it with code of its own.
        found = vars(found).get(part)
    return found if isinstance(found, type) else None
