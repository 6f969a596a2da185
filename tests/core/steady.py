"""How property tests run here: with examples of their own each time, but never by the clock of a busy machine."""

from hypothesis import HealthCheck, settings

steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
