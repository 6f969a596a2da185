"""Ready-made replicated structures: each a state machine that keeps many named things of its kind.

This layer sees commands and decided time, never slots' order, members, or who waits for what.
"""
