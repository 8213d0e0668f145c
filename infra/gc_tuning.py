"""How often Python collects garbage."""

import gc

GC_THRESHOLDS = (50_000, 20, 100)


def collect_rarely() -> None:
    """Let the garbage collector look less often: frozen values make no cycles, and the default thresholds
    cost a quarter of the fold's time (measured by `make bench`) and a tenth of what a process imports."""
    gc.set_threshold(*GC_THRESHOLDS)
