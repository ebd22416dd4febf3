"""Which loops run: those of `compiled` where numba is installed and the sizes are the ones they are written for, else numpy."""

from types import ModuleType

import numpy as np

from encnn.arithmetic import row_sums

COMPILED_N, COMPILED_K = 1024, 2


def compiled(N: int, k: int = COMPILED_K) -> ModuleType | None:
    """Return the compiled loops for these sizes, or None.  The first call imports numba, which takes a second."""
    if N != COMPILED_N or k != COMPILED_K or not row_sums.available():
        return None
    from encnn.schemes.bootstrapped import compiled as loops  # here, since importing numba takes longer than most programs

    return loops


def compiled_blocks(N: int, k: int) -> ModuleType | None:
    """Return the compiled loops over blocks of weights, or None."""
    if compiled(N, k) is None:
        return None
    from encnn.schemes.bootstrapped import compiled_blocks as loops

    return loops


def frequency_order(N: int) -> np.ndarray:
    """Return the order in which keys keep the N / 2 values of a polynomial; the one of the compiled transform for its N.

    For N = 1024 that is the digit order of a transform in three stages of eight; it does not depend on numba being there.
    """
    if N != COMPILED_N:
        return np.arange(N // 2)
    slot = np.arange(64)
    return (slot // 8 + 8 * (slot % 8) + 64 * np.arange(8)[:, None]).ravel()
