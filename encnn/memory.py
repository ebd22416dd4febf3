"""How much memory this process has taken at most, and arrays that begin at a chosen place of a page."""

import math
import resource
from pathlib import Path

import numpy as np

PAGE = 4096
"""Bytes of a page of memory."""

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


def placed(shape: tuple[int, ...], dtype: type, place: int = 0) -> np.ndarray:
    """Return an array, its contents undefined, that begins `place` bytes after the beginning of a page.

    For compiled loops over several arrays.  A processor compares addresses by their last twelve bits first: where arrays begin
    at the same place of a page, and large ones mostly do, reads wait for writes that they have nothing to do with.

    >>> placed((2, 3), np.int32, place=512).ctypes.data % PAGE
    512
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.empty(size + PAGE, np.uint8)
    first = (place - room.ctypes.data) % PAGE
    return room[first : first + size].view(dtype).reshape(shape)
