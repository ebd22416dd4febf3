"""Arrays that begin at a chosen offset in a page of memory, for compiled loops over several arrays."""

import math

import numpy as np

PAGE = 4096
"""Bytes of a page of memory."""


def placed(shape: tuple[int, ...], dtype: type, place: int = 0) -> np.ndarray:
    """Return an array with undefined contents that begins `place` bytes after the beginning of a page.

    Compiled loops over several arrays need this.  A processor first compares only the last twelve bits of addresses.  Large
    arrays mostly begin at the same offset in a page, so reads would wait for writes to other arrays.

    >>> placed((2, 3), np.int32, place=512).ctypes.data % PAGE
    512
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.empty(size + PAGE, np.uint8)
    first = (place - room.ctypes.data) % PAGE
    return room[first : first + size].view(dtype).reshape(shape)
