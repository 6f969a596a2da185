"""Recipes: locks, elections, queues and the like as a program uses them, on top of ``paxon.collections``.

This layer waits, renews, judges by its own clock, cancels and cleans up; what is held by whom is decided below it.
"""
