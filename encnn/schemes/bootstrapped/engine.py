"""The choice of loops: those of `compiled` if numba is installed and the sizes are theirs, otherwise numpy."""

import warnings
from functools import cache
from types import ModuleType

from encnn.arithmetic import row_sums
from encnn.errors import SpeedWarning
from encnn.schemes.bootstrapped.frequencies import COMPILED_K, COMPILED_N


def compiled(N: int, k: int = COMPILED_K) -> ModuleType | None:
    """Return the compiled loops for these sizes, or None.  The first call imports numba, which takes a second."""
    if N != COMPILED_N or k != COMPILED_K:
        return None
    if not row_sums.available():
        _tell_of_numba()
        return None
    from encnn.schemes.bootstrapped import compiled as loops  # not at the top, because importing numba is slow

    return loops


@cache
def _tell_of_numba() -> None:
    """Tell, once per process, that bootstraps are slow here: 36 ms in place of 1.8 ms of CPU time at n = 908."""
    warnings.warn(
        "numba is not installed, so bootstraps take many times as long as they could; run: pip install 'encnn[fast]'",
        SpeedWarning,
        stacklevel=3,
    )


def compiled_blocks(N: int, k: int) -> ModuleType | None:
    """Return the compiled loops over blocks of weights, or None."""
    if compiled(N, k) is None:
        return None
    from encnn.schemes.bootstrapped import compiled_blocks as loops

    return loops
