"""A model checker that drives the shipped ``Legislator`` through every interleaving of a small world.

``seat`` is one member as a value, ``post`` what was said and what the gods saw, ``steps`` what one
event does to one member, ``rules`` what must hold, ``search`` the walk over all states, ``story`` the
way to a broken rule in words.  ``docs/proof.md`` says what has been exhausted, and what has not.
"""
