"""Clients with sessions in the simulator: whatever is sent again, each of their commands is applied once.

Knows: the machines, clients and judges of such a run.  Does not know: how a run goes; ``sim.world`` does.
"""
