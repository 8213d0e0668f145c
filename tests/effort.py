"""How much random tests try: each run a little, `IBFLOW_EFFORT` times as much where somebody can wait."""

import os

EFFORT = int(os.environ.get("IBFLOW_EFFORT", "1"))


def tries(few: int) -> int:
    """How many of its random cases a test tries."""
    return few * EFFORT
