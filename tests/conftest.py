"""For every test: a slow machine is not a failure, so random tests have no deadline each.

They try the same examples each time, so that a failure is the change's; `IBFLOW_FUZZ=random` tries others.
"""

import os

from hypothesis import settings

settings.register_profile("ibflow", deadline=None, derandomize=os.environ.get("IBFLOW_FUZZ") != "random")
settings.load_profile("ibflow")
