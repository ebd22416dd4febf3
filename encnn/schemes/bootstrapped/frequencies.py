"""The order in which keys keep the values of a polynomial, and the sizes that the compiled loops are written for."""

import numpy as np

COMPILED_N, COMPILED_K = 1024, 2
GROUP = 64
"""Number of values of a polynomial that are neighbours in memory: their real parts, then their imaginary parts."""
LINE = 8
"""The same of a rotation key, which is read in the order in which it lies in memory: the float64 in a line of the cache."""


def frequency_order(N: int) -> np.ndarray:
    """Return the order in which keys keep the N / 2 values of a polynomial.

    For N = 1024 it is the digit order of the compiled transform in three stages of eight, whether numba is installed or not.
    """
    if N != COMPILED_N:
        return np.arange(N // 2)
    slot = np.arange(64)
    return (slot // 8 + 8 * (slot % 8) + 64 * np.arange(8)[:, None]).ravel()
