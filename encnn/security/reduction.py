"""The result and the cost of lattice reduction: root Hermite factors, and three named cost models.

BKZ with block size beta turns a basis of dimension d and volume V into one whose Gram-Schmidt lengths are, by the geometric
series assumption [Sch03],

    b_i = delta^(d - 2i - 1) V^(1/d),   delta = ((pi beta)^(1/beta) beta / (2 pi e))^(1 / (2 (beta - 1)))   [Chen13].

**Cost models**, as log2 of operations:

- "core-SVP": 0.292 beta.  This is one call of a sieve, the lower bound of [ADPS16].
- "BDGL16": 0.292 beta + 16.4 + log2(8 d).  These are 8 d calls of the sieve of [BDGL16].  The tables of [HES18] use this model.
- "MATZOV": C^2 (d - beta) calls of a sieve in dimension beta - f, each 2^(0.296 (beta - f) + 20.4) gates [AGPS20, MATZOV22].
  C is the factor of progressive sieving, and f counts the "dimensions for free" of [Duc18].

The first model gives about 30 bits fewer than the others for the same parameters.  So a number of bits means nothing without
its model.

**Short vectors.**  One sieve in dimension beta' gives 2^(0.2075 beta') vectors.  In the first two models beta' = beta, and the
sieve is the last call of the reduction.  In MATZOV's model one more sieve is run, in the dimension where it costs as much as
the whole reduction [GJ21].

References: see `encnn.security.estimate`.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from encnn.errors import ParameterError

CORE_SVP = "core-SVP"
BDGL16 = "BDGL16"
MATZOV = "MATZOV"

CORE_SVP_SLOPE = 0.292
"""Bits that one call of a sieve costs, per unit of block size."""

_BDGL16_OFFSET = 16.4
_MATZOV_SLOPE, _MATZOV_OFFSET = 0.296135, 20.387886  # gates of list decoding, fitted by [MATZOV22] to the data of [AGPS20]
_LOG_PROGRESSIVE = -math.log2(1 - 2**-_MATZOV_SLOPE)  # sieves in all dimensions up to beta; their costs form a geometric series
_LOG_VECTORS = 0.2075  # log2 of the number of vectors, per dimension of the sieve: log2(sqrt(4 / 3))

# Measured root Hermite factors of small blocks, where the formula does not hold.  They are means over 32 q-ary lattices of
# dimension 320, from reduction.py of lattice-estimator.  The first is LLL.
_SMALL_BLOCKS = (2, 5, 10, 15, 20, 25, 28)
_SMALL_DELTAS = (1.02190, 1.01862, 1.01616, 1.01485, 1.01420, 1.01342, 1.01331)
_FORMULA_FROM = 40
_NOTHING_FREE_BELOW = 40

Bits = NDArray[np.float64]


def root_hermite_factor(block_size: ArrayLike) -> NDArray[np.float64]:
    """Return delta, such that BKZ with this block size finds a vector of length delta^d volume^(1/d) in dimension d.

    `block_size` is a number or an array of numbers >= 2; the result has its shape.  From 40 on the result is Chen's formula.
    Below 40 it is interpolated linearly between measured values, down to LLL (block size 2).

    >>> root_hermite_factor([2, 50, 100, 250]).round(4)
    array([1.0219, 1.0121, 1.0093, 1.0055])
    """
    beta = np.asarray(block_size, dtype=np.float64)
    if beta.size and not beta.min() >= 2:
        raise ParameterError(f"the block size is {beta.min():g}, expected 2 (LLL) or more; pass a larger one")
    # the interpolation ends at the formula's own value, so that delta has no jump at 40
    at_join = _formula_delta(np.array([float(_FORMULA_FROM)]))
    small = np.interp(beta, [*_SMALL_BLOCKS, _FORMULA_FROM], [*_SMALL_DELTAS, *at_join])
    return np.where(beta < _FORMULA_FROM, small, _formula_delta(np.maximum(beta, _FORMULA_FROM)))


def _formula_delta(beta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Chen's asymptotic root Hermite factor, which is accurate from block size 40 or so."""
    return ((np.pi * beta) ** (1 / beta) * beta / (2 * np.pi * np.e)) ** (1 / (2 * (beta - 1)))


def reduction_bits(model: str, beta: ArrayLike, d: ArrayLike) -> Bits:
    """Return log2 of the cost of BKZ with block size beta in dimension d.  For d = beta this is one SVP call.

    >>> [round(float(reduction_bits(model, 406, 998)), 1) for model in (CORE_SVP, BDGL16, MATZOV)]
    [118.6, 147.9, 143.8]
    """
    beta, d = np.asarray(beta, dtype=np.float64), np.asarray(d, dtype=np.float64)
    if model == CORE_SVP:
        return CORE_SVP_SLOPE * beta + 0 * d
    if model == BDGL16:
        # d = beta is a single SVP call, so the factor 8 d for the calls of BKZ is left out
        return CORE_SVP_SLOPE * beta + _BDGL16_OFFSET + np.where(beta < d, np.log2(8 * np.maximum(d, 1)), 0.0)
    return _matzov_calls(beta, d) + _matzov_sieve(beta - _free_dimensions(beta))


def sampling_bits(model: str, beta: ArrayLike, d: ArrayLike) -> tuple[Bits, Bits, Bits]:
    """Return log2 of the cost of BKZ and a sieve for many short vectors, log2 of their number, and the sieve's dimension."""
    beta, d = np.asarray(beta, dtype=np.float64), np.asarray(d, dtype=np.float64)
    reduction = reduction_bits(model, beta, d)
    if model != MATZOV:
        return reduction, _LOG_VECTORS * beta + 0 * d, beta + 0 * d
    # the last sieve may cost as much as the whole reduction: more dimensions cost too much, fewer give too few vectors
    dimension = beta - _free_dimensions(beta) + np.where(beta < d, _matzov_calls(beta, d) / _MATZOV_SLOPE, 0.0)
    dimension = np.minimum(dimension, d)
    return np.logaddexp2(reduction, _matzov_sieve(dimension)), _LOG_VECTORS * dimension, dimension


def _matzov_calls(beta: Bits, d: Bits) -> Bits:
    """Return log2 of C (d - beta); the other factor C is in `_matzov_sieve`."""
    return np.log2(np.maximum(d - beta, 1.0)) + _LOG_PROGRESSIVE


def _matzov_sieve(dimension: Bits) -> Bits:
    """Return log2 of the gates of a progressive sieve, the factor C included."""
    return _MATZOV_SLOPE * dimension + _MATZOV_OFFSET + _LOG_PROGRESSIVE


def _free_dimensions(beta: Bits) -> Bits:
    """Return f.  A sieve in dimension beta - f finds the shortest vector of a lattice of dimension beta [Duc18]."""
    # small blocks get f = 0; `safe` keeps their logarithm positive, since np.where evaluates both of its branches
    safe = np.maximum(beta, _NOTHING_FREE_BELOW)
    return np.where(beta > _NOTHING_FREE_BELOW, safe * math.log(4 / 3) / np.log(safe / (2 * math.pi * math.e)), 0.0)
