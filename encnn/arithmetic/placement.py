"""Arrays for compiled loops: with a chosen offset in a page of memory, and with the size that a loop counts on."""

import math

import numpy as np
from numpy.typing import DTypeLike

from encnn.errors import ParameterError

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


def check_array(name: str, a: np.ndarray, dtype: DTypeLike, shape: tuple[int, ...]) -> None:
    """Raise `ParameterError` unless an array has this type and shape, because compiled loops do not check their bounds."""
    if a.dtype != dtype or a.shape != shape:
        raise ParameterError(f"{name} is {a.dtype} of shape {a.shape}, expected {np.dtype(dtype)} of shape {shape}")
