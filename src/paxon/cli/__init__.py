"""The ``paxon`` command."""
