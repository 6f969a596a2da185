"""The simulator: real hosts on a virtual clock, network and disk, with one seed deciding everything.

``world`` runs one seed, ``faults`` does the damage, ``oracle`` watches, and ``script`` lets a
test play every hand by itself.  Nothing here reads a real clock or a real file.
"""
