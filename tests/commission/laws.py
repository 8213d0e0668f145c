"""How often a law is tried."""

from hypothesis import settings

from tests.effort import tries

LAW = settings(deadline=None, max_examples=tries(30))
