"""Small sets and keys, and other things that the tests of the scheme with bootstrapping share."""

import operator

import numpy as np
import pytest

from encnn.arithmetic import row_sums
from encnn.schemes.bootstrapped import (
    BOOTSTRAP_TOY,
    ONE_LEVEL_128,
    TWO_LEVEL_128,
    BootstrappedParameters,
    BootstrappedSecretKey,
    transform,
)
from encnn.schemes.bootstrapped.rotation import RotationKey

NAME = operator.attrgetter("name")
needs_numba = pytest.mark.skipif(not row_sums.available(), reason="numba is not installed")

TINY = BOOTSTRAP_TOY.updated(name="tiny-INSECURE", d=128, n=6, block=2, k=2, N=64)
"""Several polynomials, and small enough for products by the schoolbook."""

ONE_LEVEL = ONE_LEVEL_128.updated(name="one-level-INSECURE", n=20)
TWO_LEVEL = TWO_LEVEL_128.updated(name="two-level-INSECURE", n=20)
"""The sizes that have compiled loops, with few bits to rotate by."""


def seeded(seed: int = 0) -> np.random.Generator:
    """Return a generator that repeats."""
    return np.random.default_rng(seed)


class UpperHalves(RotationKey):
    """A key rounded to multiples of 2^32: products of its digits are exact in float64, and stay multiples of 2^-32."""

    def integers(self):
        for first, ggsw in super().integers():
            yield first, ggsw >> 32 << 32


def typical_secret(p: BootstrappedParameters, rng: np.random.Generator) -> BootstrappedSecretKey:
    """Return a key with all cases of a block equally often, in s and in the rest of T: what predictions assume."""
    secret = BootstrappedSecretKey(p, rng=rng)
    blocks = p.n // p.block, -(-(p.d - p.n) // p.block)
    cases = np.concatenate([rng.permutation(np.arange(count) % (p.block + 1)) for count in blocks])
    secret._T = {1: (cases[:, None] == np.arange(p.block)).astype(np.int64).reshape(1, -1)[:, : p.d]}
    return secret


def polynomials(secret: BootstrappedSecretKey) -> np.ndarray:
    """Return the GLWE key S, shape (k, N)."""
    p = secret.parameters
    return secret.T(1).reshape(p.k, p.N)


def random_words(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return int32 over their whole range."""
    return rng.integers(-(2**31), 2**31, shape).astype(np.int32)


def glwe_phase(secret: BootstrappedSecretKey, acc: np.ndarray) -> np.ndarray:
    """Return b + sum_j a_j S_j modulo 2^32, int32 of shape (B, N)."""
    S = polynomials(secret)
    return (acc[:, 0] + transform.schoolbook(S, acc[:, 1:].astype(np.int64)).sum(axis=1)).astype(np.int32)


def rms(x: np.ndarray) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(np.square(np.asarray(x, dtype=np.float64)))))
