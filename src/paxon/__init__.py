"""Paxon: Leslie Lamport's Part-Time Parliament as software that people run."""

from paxon.version import __version__

__all__ = ["__version__"]
