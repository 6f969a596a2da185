"""How a simulation tells a test that something is wrong."""


class SimulationFailed(AssertionError):
    """A rule broke; the text says which, by what, and how to see it again."""
