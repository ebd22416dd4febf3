"""The loops over blocks of weights, compiled by numba: gather, scatter and trace for N = 1024 and k = 2.

`blocks` and `trace` hold the same operations in numpy, which are the reference; they import this module through `engine`.
Each ciphertext is computed by itself, so results depend neither on the batch nor on threads.
"""

from collections.abc import Iterator

import numpy as np
from numba import njit

from encnn.arithmetic.automorphisms import exponents, permutation
from encnn.arithmetic.placement import check_array, placed
from encnn.arithmetic.row_sums import check_rows
from encnn.errors import ParameterError
from encnn.schemes.bootstrapped.compiled_transform import OPTIONS, ROUND, N, backward, forward
from encnn.schemes.bootstrapped.compiled_vectors import COMPONENTS, WIDTH, add_two_rows
from encnn.schemes.bootstrapped.frequencies import GROUP
from encnn.schemes.bootstrapped.tables import unit

TOGETHER = 4
"""Number of ciphertexts that take the same step of the trace in turn, while that step's key is in the cache."""

_UNIT = unit(N)
_SOURCES = np.stack([permutation(N, d)[0] for d in exponents(N)])
_SIGNS = np.stack([permutation(N, d)[1] for d in exponents(N)])


@njit(inline="always")
def _add(total, run, factor):
    """Do total += factor * run, int32."""
    for j in range(run.shape[0]):
        total[j] += factor * run[j]


def gather(
    blocks: np.ndarray, places: np.ndarray, pointers: np.ndarray, factors: np.ndarray, sums: np.ndarray, width: int = 1
) -> None:
    """Write sum factor X^-place block of each review to sums, int32 of shape (B, 3, N).

    Only the first coefficients of each body are computed, as many as a row has numbers, since no others are extracted.  No row
    may cross the end of a block.
    """
    _check_places(blocks, places, pointers, factors)
    check_array("sums", sums, np.int32, (len(pointers) - 1, COMPONENTS, N))
    if width < 1 or (places % N).max(initial=0) + width > N:
        raise ParameterError(
            f"rows of {width} numbers cross the end of a block of {N}; begin them at multiples of their stride"
        )
    _gather(blocks, places, pointers, factors, sums, width)


def scatter_subtract(
    blocks: np.ndarray,
    places: np.ndarray,
    pointers: np.ndarray,
    factors: np.ndarray,
    errors: np.ndarray,
    share: int = 0,
    of: int = 1,
) -> None:
    """Do block -= factor X^place errors[r], for each place of each review r.

    Threads share out the blocks: only those whose number leaves the rest `share` when divided by `of` are changed.
    """
    _check_places(blocks, places, pointers, factors)
    check_array("errors", errors, np.int32, (len(pointers) - 1, COMPONENTS, N))
    if not 0 <= share < of:
        raise ParameterError(f"there is no share {share} of {of}; count from 0 to {of - 1}")
    _scatter_subtract(blocks, places, pointers, factors, errors, share, of)


def _check_places(blocks: np.ndarray, places: np.ndarray, pointers: np.ndarray, factors: np.ndarray) -> None:
    """Raise unless all places lie in the blocks, and each has a factor."""
    check_array("blocks", blocks, np.int32, (len(blocks), COMPONENTS, N))
    check_rows(len(blocks) * N, places, pointers)
    check_array("factors", factors, factors.dtype, places.shape)


@njit(**OPTIONS)
def _gather(blocks, places, pointers, factors, sums, width):
    """Do what `gather` does."""
    for r in range(pointers.shape[0] - 1):
        sums[r] = 0
        for t in range(pointers[r], pointers[r + 1]):
            block, i = blocks[places[t] >> 10], places[t] & (N - 1)
            # X^-i moves coefficient i to place 0; what passes place 0 comes back at the top with its sign turned
            for k in range(width):
                sums[r, 0, k] += factors[t] * block[0, i + k]
            for c in range(1, COMPONENTS):
                _add(sums[r, c, : N - i], block[c, i:], factors[t])
                _add(sums[r, c, N - i :], block[c, :i], -factors[t])


@njit(**OPTIONS)
def _scatter_subtract(blocks, places, pointers, factors, errors, share, of):
    """Do what `scatter_subtract` does."""
    for r in range(pointers.shape[0] - 1):
        for t in range(pointers[r], pointers[r + 1]):
            if (places[t] >> 10) % of != share:
                continue
            block, i = blocks[places[t] >> 10], places[t] & (N - 1)
            for c in range(COMPONENTS):
                _add(block[c, i:], errors[r, c, : N - i], -factors[t])
                _add(block[c, :i], errors[r, c, N - i :], factors[t])


def trace(acc: np.ndarray, key: np.ndarray, bits: int) -> np.ndarray:
    """Return the traces of GLWE ciphertexts, int32 of shape (B, 3, N).

    key: transforms in units of the torus, float64 of shape (10, 2, levels, 3, N).  bits: number of bits per digit.
    """
    steps, levels = len(_SOURCES), key.shape[2] if key.ndim == 5 else 0
    check_array("acc", acc, np.int32, (len(acc), COMPONENTS, N))
    check_array("key", key, np.float64, (steps, 2, levels, COMPONENTS, N))
    out = np.empty_like(acc)
    _trace(acc, key, 2.0**bits, out, *_room(key.shape[2]))
    return out


def join(C: np.ndarray, half: int, s: int, key: np.ndarray, bits: int) -> None:
    """Do step s of packing, in place, for GLWE ciphertexts of fractions, float64 of shape (B, 3, N) with B <= 2 half."""
    levels = key.shape[1] if key.ndim == 4 else 0
    check_array("C", C, np.float64, (len(C), COMPONENTS, N))
    check_array("key", key, np.float64, (2, levels, COMPONENTS, N))
    if not 0 <= s < len(_SOURCES):
        raise ParameterError(f"step {s} of the trace, which has {len(_SOURCES)}; count from 0")
    if not 1 <= half <= N or len(C) > min(2 * half, N):
        raise ParameterError(f"{len(C)} ciphertexts of {N} coefficients cannot become {half}; join two in one, and {N} in all")
    _, *room = _room(levels)
    _join(C, half, s, key, 2.0**bits, *room)


@njit(**OPTIONS)
def _join(C, half, s, key, base, rest, x, w, v, sums):
    """Do what `join` does; rest, x, w, v, sums are work arrays."""
    for i in range(min(half, C.shape[0])):
        both = i + half < C.shape[0]
        if both:
            _add_moved(C[i], C[i + half], half, -1.0)
        _step(C[i], s, key, base, rest, x, w, v, sums)
        if both:
            _add_moved(C[i], C[i + half], half, 2.0)


@njit(**OPTIONS)
def _add_moved(A, B, h, factor):
    """Do A += factor X^h B, fractions modulo 1, for two ciphertexts."""
    for c in range(COMPONENTS):
        _add_fraction(A[c, h:], B[c, : N - h], factor)
        _add_fraction(A[c, :h], B[c, N - h :], -factor)


@njit(inline="always")
def _add_fraction(total, run, factor):
    """Do total += factor * run, fractions modulo 1."""
    for j in range(run.shape[0]):
        y = total[j] + factor * run[j]
        total[j] = y - ((y + ROUND) - ROUND)


def _room(levels: int) -> Iterator[np.ndarray]:
    """Yield the work arrays, each at another offset within its page (see `compiled.room`)."""
    shapes = [(TOGETHER, COMPONENTS, N), (N,), (N,), (N,), (2 * levels, N), (COMPONENTS, N)]
    for i, shape in enumerate(shapes, start=1):
        yield placed(shape, float, place=512 * i)


@njit(**OPTIONS)
def _trace(acc, key, base, out, C, rest, x, w, v, sums):
    """Do what `trace` does; C, rest, x, w, v, sums are work arrays."""
    for first in range(0, acc.shape[0], TOGETHER):
        count = min(TOGETHER, acc.shape[0] - first)
        for b in range(count):
            for c in range(COMPONENTS):
                for j in range(N):
                    C[b, c, j] = acc[first + b, c, j] * _UNIT  # the division by N (see `trace`)
        for s in range(key.shape[0]):
            for b in range(count):
                _step(C[b], s, key[s], base, rest, x, w, v, sums)
        for b in range(count):
            for c in range(COMPONENTS):
                _to_torus(C[b, c], w, out[first + b, c])


@njit(**OPTIONS)
def _step(C, s, key, base, rest, x, w, v, sums):
    """Do C += switch(sigma_d(C)) for one GLWE ciphertext of fractions, with the d and the key of step s."""
    levels = key.shape[1]
    for c in range(2):  # only the two masks need the switch
        _turn(C[c + 1], s, rest)
        _digit_transforms(rest, base, levels, x, w, v[c * levels : (c + 1) * levels])
    _turn(C[0], s, rest)  # before C[0] changes below
    _inner_products(v, key, sums)
    for o in range(COMPONENTS):
        backward(sums[o], w, x)
        _add_fractions(x, C[o])
    for j in range(N):
        y = C[0, j] + rest[j]
        C[0, j] = y - ((y + ROUND) - ROUND)


@njit(**OPTIONS)
def _turn(p, s, turned):
    """Write sigma_d(p), with the d of step s, to turned."""
    for j in range(N):
        turned[j] = p[_SOURCES[s, j]] * _SIGNS[s, j]


@njit(**OPTIONS)
def _digit_transforms(rest, base, levels, digits, w, v):
    """Write the transforms of the digits of fractions to v, float64 of shape (levels, N)."""
    scale = 1.0
    for t in range(levels):
        scale *= base
        back = 1.0 / scale
        for j in range(N):
            digits[j] = rest[j] * scale + ROUND - ROUND
            rest[j] -= digits[j] * back
        forward(digits, w, v[t])


@njit(**OPTIONS)
def _inner_products(v, key, sums):
    """Write sum_r v[r] key[r, o], products of transforms, to sums[o]; v has shape (rows, N) with an even number of rows."""
    for r in range(0, v.shape[0], 2):
        for group in range(0, N, 2 * GROUP):
            for p in range(group, group + GROUP, WIDTH):
                add_two_rows(v, r * N + p, key, r * COMPONENTS * N + p, sums, p, r == 0)


@njit(**OPTIONS)
def _add_fractions(x, p):
    """Round x, in units of the torus, to the unit of the refined torus and add it to p."""
    for j in range(N):
        fraction = x[j] - ((x[j] + ROUND) - ROUND)
        y = p[j] + ((fraction * (1.0 / _UNIT) + ROUND) - ROUND) * _UNIT
        p[j] = y - ((y + ROUND) - ROUND)


@njit(**OPTIONS)
def _to_torus(p, w, out):
    """Write fractions of the torus to out, int32; w is a work array."""
    for j in range(N):
        w[j] = p[j] * 2.0**32 + ROUND
    low_bits = w.view(np.int32)[::2]  # adding ROUND put the rounded whole number into the low 32 bits
    for j in range(N):
        out[j] = low_bits[j]
