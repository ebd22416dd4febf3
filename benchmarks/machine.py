"""The peaks of this machine on one core, as short loops measure them.  Parts of an epoch are compared with them.

    read             GB/s      adds up the rows of an array that is too large for the caches near the core
    update           GB/s      subtracts a row from those rows, so that each entry is read and written
    multiply-add     10^9/s    float64, in registers and the first cache
    int32 multiply-add 10^9/s  the same with int32
    FFT              10^6/s    complex transforms of length 512: of numpy or of `compiled_transform`, the faster one

A peak is the best of some rounds.  The loops need numba.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.suite import timed
from encnn.progress import progress

ROUNDS = 5
ARRAY_BYTES = 128 << 20
ROW = 1025
FFT_LENGTH, FFT_BATCH = 512, 64
IN_CACHE = 1024
REPEATS = 2000
UNITS = {
    "read": ("GB/s", 1e9),
    "update": ("GB/s", 1e9),
    "multiply-add": ("10^9/s", 1e9),
    "int32 multiply-add": ("10^9/s", 1e9),
    "FFT": ("10^6/s", 1e6),
}


def machine(rounds: int = ROUNDS) -> pd.DataFrame:
    """Return the peaks as columns peak, rate, unit; a rate is the best of `rounds`."""
    jobs = _jobs()
    for _, job in jobs.values():
        job()  # compiles
    rates = {
        name: amount / min(job() for _ in range(rounds)) for name, (amount, job) in progress(list(jobs.items()), "machine")
    }
    rates["FFT"] = max(rates.pop("FFT, numpy"), rates.pop("FFT, compiled"))
    return pd.DataFrame([(n, rates[n] / scale, unit) for n, (unit, scale) in UNITS.items()], columns=["peak", "rate", "unit"])


def peaks(table: pd.DataFrame) -> dict[str, float]:
    """Return the rate of each peak per second, in bytes, operations or transforms."""
    return {str(n): float(r) * UNITS[str(n)][1] for n, r in zip(table["peak"], table["rate"], strict=True)}


def _jobs() -> dict[str, tuple[float, Callable[[], float]]]:
    """Return for each peak (the amount of work, a function that does the work and returns its CPU seconds)."""
    add, subtract, axpy, transforms = _loops()
    rows = np.ones((ARRAY_BYTES // (4 * ROW), ROW), np.int32)
    total, x, y = np.zeros(ROW, np.int32), np.ones(IN_CACHE), np.ones(IN_CACHE)
    a, b = np.ones(IN_CACHE, np.int32), np.ones(IN_CACHE, np.int32)
    z = np.ones((FFT_BATCH, FFT_LENGTH), np.complex128)
    p, w, v = np.ones((3, 2 * FFT_LENGTH))
    adds = float(IN_CACHE * REPEATS)
    return {
        "read": (rows.nbytes, timed(lambda: add(total, rows))),
        "update": (2 * rows.nbytes, timed(lambda: subtract(rows, total))),
        "multiply-add": (adds, timed(lambda: axpy(x, y, 1e-9, REPEATS))),
        "int32 multiply-add": (adds, timed(lambda: axpy(a, b, np.int32(3), REPEATS))),
        "FFT, numpy": (FFT_BATCH, timed(lambda: np.fft.fft(z))),
        "FFT, compiled": (FFT_BATCH, timed(lambda: transforms(p, w, v, FFT_BATCH))),
    }


def _loops() -> tuple[Any, ...]:
    from numba import njit

    from encnn.schemes.bootstrapped import compiled_transform

    @njit
    def add(total, rows):  # type: ignore[no-untyped-def]
        for i in range(rows.shape[0]):
            for k in range(rows.shape[1]):
                total[k] += rows[i, k]

    @njit
    def subtract(rows, row):  # type: ignore[no-untyped-def]
        for i in range(rows.shape[0]):
            for k in range(rows.shape[1]):
                rows[i, k] -= row[k]

    @njit(fastmath=True)
    def axpy(x, y, f, repeats):  # type: ignore[no-untyped-def]
        for _ in range(repeats):
            for k in range(x.shape[0]):
                x[k] += f * y[k]
            f += f

    @njit
    def transforms(p, w, v, count):  # type: ignore[no-untyped-def]
        for _ in range(count):
            compiled_transform.forward(p, w, v)  # all are of its size

    return add, subtract, axpy, transforms
