"""What was asked for on pytest's command line.  Set by the plugin, read by ``simulate``; nothing is imported here."""

seeds: int | None = None
"""How many seeds each call of ``simulate`` runs, whatever the test says."""

start: int | None = None
"""The first of them."""
