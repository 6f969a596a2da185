"""Replicated state machines: what one is, and how decrees are applied to it.

This layer sees slots and decrees, never ballots, keys or clients' protocols.
"""
