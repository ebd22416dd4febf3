"""The most memory that this process has used."""

import resource
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_memory_mb() -> float:
    """Return the peak resident memory of this process in MB.

    Linux reports it in /proc.  Other systems have only `getrusage`, which in a new process starts with the parent's memory.

    >>> peak_memory_mb() > 1
    True
    """
    if STATUS.exists():
        found = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
        return int(found["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
