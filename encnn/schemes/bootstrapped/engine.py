"""The choice of loops: those of `compiled` if numba is installed and the sizes are theirs, otherwise numpy."""

from types import ModuleType

from encnn.arithmetic import row_sums
from encnn.schemes.bootstrapped.frequencies import COMPILED_K, COMPILED_N


def compiled(N: int, k: int = COMPILED_K) -> ModuleType | None:
    """Return the compiled loops for these sizes, or None.  The first call imports numba, which takes a second."""
    if N != COMPILED_N or k != COMPILED_K or not row_sums.available():
        return None
    from encnn.schemes.bootstrapped import compiled as loops  # not at the top, because importing numba is slow

    return loops


def compiled_blocks(N: int, k: int) -> ModuleType | None:
    """Return the compiled loops over blocks of weights, or None."""
    if compiled(N, k) is None:
        return None
    from encnn.schemes.bootstrapped import compiled_blocks as loops

    return loops
