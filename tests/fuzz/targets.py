"""Every target by its name."""

from collections.abc import Mapping

from tests.fuzz import codec, machines, members, requests, snapshots, storage, texts
from tests.fuzz.oracle import Target

TARGETS: Mapping[str, Target] = {
    **codec.TARGETS,
    **requests.TARGETS,
    **machines.TARGETS,
    **snapshots.TARGETS,
    **storage.TARGETS,
    **members.TARGETS,
    **texts.TARGETS,
}
