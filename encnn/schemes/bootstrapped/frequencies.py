"""The order in which keys keep the values of a polynomial, and the sizes that the compiled loops are written for."""

import numpy as np

COMPILED_N, COMPILED_K = 1024, 2


def frequency_order(N: int) -> np.ndarray:
    """Return the order in which keys keep the N / 2 values of a polynomial; the one of the compiled transform for its N.

    For N = 1024 that is the digit order of a transform in three stages of eight; it does not depend on numba being there.
    """
    if N != COMPILED_N:
        return np.arange(N // 2)
    slot = np.arange(64)
    return (slot // 8 + 8 * (slot % 8) + 64 * np.arange(8)[:, None]).ravel()
