"""Holders of offices in the simulator: never two at once, by any clock inside the bound, and a fence beyond it.

Knows: the clients and the judge of such a run.  Does not know: how a run goes; ``sim.world`` does.
"""
