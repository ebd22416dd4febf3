"""Arrays that begin at a chosen place of a page of memory, for compiled loops over several arrays."""

import math

import numpy as np

PAGE = 4096
"""Bytes of a page of memory."""


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
