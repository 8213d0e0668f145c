"""The most memory a process had."""

import re
import resource
from pathlib import Path

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
_PEAK = re.compile(r"VmHWM:\s+([0-9]+) kB")


def peak_mb() -> float:
    """Of this process alone: `ru_maxrss` of a new process begins with what its parent had, on Linux."""
    if STATUS.exists() and (found := _PEAK.search(STATUS.read_text())):
        return int(found[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def begin_peak() -> bool:
    """From now on the most is that of what follows; whether this machine can do that: Linux alone."""
    try:
        CLEAR.write_text("5")
    except OSError:
        return False
    return True
