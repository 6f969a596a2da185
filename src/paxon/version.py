"""The one place that states Paxon's version; the build reads it from here."""

__version__ = "0.1.0"
