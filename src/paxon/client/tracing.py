"""Spans of calls, for programs that are traced with OpenTelemetry or something of the same form.

Knows: what a span of a call says.  Does not know: who collects spans; nothing is imported for them.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from paxon.client.parts import PartMethod


class Tracer(Protocol):
    """What makes spans: an ``opentelemetry.trace.Tracer`` is one."""

    def start_as_current_span(
        self, name: str, *, attributes: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Any]:
        """A span that is the current one for as long as the context lasts, and records what is raised in it."""


def span_of(tracer: Tracer, kind: str, method: PartMethod) -> AbstractContextManager[Any]:
    """The span of one call; ``kind`` is what is done with the method."""
    name, version, _ = method.ability
    attributes = {"paxon.part": method.part, "paxon.method": name, "paxon.version": str(version)}
    return tracer.start_as_current_span(f"paxon.{kind} {method.part}.{name}", attributes=attributes)
