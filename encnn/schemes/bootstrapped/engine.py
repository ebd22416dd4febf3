"""The choice of loops: those of `compiled` if numba is installed and the sizes are theirs, otherwise numpy."""

import warnings
from functools import cache
from types import ModuleType
from typing import Any

from encnn.arithmetic import row_sums
from encnn.errors import SpeedWarning
from encnn.progress import note
from encnn.schemes.bootstrapped.frequencies import COMPILED_K, COMPILED_N


def compiled(N: int, k: int = COMPILED_K) -> ModuleType | None:
    """Return the compiled loops for these sizes, or None.  The first call imports numba, which takes a second."""
    if N != COMPILED_N or k != COMPILED_K:
        return None
    if not row_sums.available():
        _tell_of_numba()
        return None
    _tell_of_compiling()
    from encnn.schemes.bootstrapped import compiled as loops  # not at the top, because importing numba is slow

    return loops


@cache
def _tell_of_numba() -> None:
    """Tell, once per process, that bootstraps are slow here."""
    warnings.warn(
        "numba is not installed, so bootstraps take many times as long as they could; run: pip install 'encnn[fast]'",
        SpeedWarning,
        stacklevel=3,
    )


@cache
def _tell_of_compiling() -> None:
    """Have numba's events tell, once per process, that loops are being compiled: only code that is not in its cache is."""
    from numba.core import event

    class Compilation(event.Listener):
        told = False

        def on_start(self, begun: Any) -> None:
            if not self.told and begun.data["dispatcher"].py_func.__module__.startswith(__package__):
                self.told = True
                note("compiling loops for this machine, which takes up to half a minute; later runs find them in numba's cache")

        def on_end(self, ended: Any) -> None:
            pass

    event.register("numba:compile", Compilation())


def compiled_blocks(N: int, k: int) -> ModuleType | None:
    """Return the compiled loops over blocks of weights, or None."""
    if compiled(N, k) is None:
        return None
    from encnn.schemes.bootstrapped import compiled_blocks as loops

    return loops
