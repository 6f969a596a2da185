"""A user's own state machine in the simulator, and a guard against what it must not depend on.

``subject`` is how a machine comes in, ``surroundings`` what it could look at beside its command,
``machine`` the guard around it, ``trail`` a run of one machine alone, ``interpreters`` that run in
fresh processes with other hash seeds, and ``cause`` finds out why two runs differ.
"""
