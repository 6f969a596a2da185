"""The protocol: one member's part in every ballot, as pure values and functions.

This layer uses the formal vocabulary of *The Part-Time Parliament*; ``docs/glossary.md``
translates it.  It knows no clock, no disk, no socket, and not what a decree says.
"""
