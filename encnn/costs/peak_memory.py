"""How much memory this process has taken at most."""

import resource
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_memory_mb() -> float:
    """Return the peak resident memory of this process in MB.

    From Linux itself where it says so: what `getrusage` tells begins, in a new process, with the memory of the one it is
    started from.

    >>> peak_memory_mb() > 1
    True
    """
    if STATUS.exists():
        found = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
        return int(found["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
