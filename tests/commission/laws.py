"""How often a law is tried."""

import os

from hypothesis import settings

settings.register_profile("stable", derandomize=True, deadline=None, max_examples=60)
settings.register_profile("random", derandomize=False, deadline=None, max_examples=3000)
LAW = settings.get_profile(os.environ.get("IBFLOW_LAWS", "stable"))
