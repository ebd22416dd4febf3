"""A whole polynomial as one key switch.

The paper evaluates a polynomial product after product, with one key switch per product.  But c1 (x) c2 is a ciphertext of x1 x2
under S (x) S.  Likewise the k-fold tensor c (x) ... (x) c / u^(k-1) is a ciphertext of u x^k under S (x) ... (x) S, where u is
the phase of 1.  So the tensors of all powers, each times its coefficient, form together a ciphertext of c_1 x + c_3 x^3 + ...
under the rows

    R_j = [S_j ; S_j (x) S_j (x) S_j ; ...].

*One* switch from R gives the result, with less noise and in less time than a chain of products.  Equal entries of a tensor are
taken once, as monomials with their multinomial coefficients.  There are C(n + k - 1, k) monomials of degree k.  These are few
for the scalars of an output (n = 2) and too many in a large dimension.
"""

import math
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations_with_replacement
from math import comb, factorial, prod

import numpy as np

from encnn.schemes.integer_vector.ciphertext import CiphertextArray
from encnn.schemes.integer_vector.parameters import IntegerVectorParameters
from encnn.schemes.powers import PowerSum, power_sum

MAX_MONOMIALS = 2000
"""Largest number of monomials for which a key is made; beyond it Horner's rule is cheaper."""


def count_monomials(f: PowerSum, d: int) -> int:
    """Return the number of monomials: the key switch of f takes that many entries."""
    n = f.width + d
    return sum(comb(n + k - 1, k) for k in f.exponents)


def worthwhile(f: PowerSum, parameters: IntegerVectorParameters) -> bool:
    """Return whether f gets a key: there is no modulus, f is more than a plain factor, and it has few monomials."""
    return parameters.q_bits is None and f.exponents != (1,) and count_monomials(f, parameters.d) <= MAX_MONOMIALS


def source_key(S: np.ndarray, f: PowerSum) -> np.ndarray:
    """Return R for a key S of shape (m, n), int64 modulo 2^64: one row per output, one column per monomial."""
    indices, multinomials, _ = _monomials(S.shape[1], f.exponents)
    extended = np.concatenate([S, np.ones((len(S), 1), np.int64)], axis=1)  # short monomials are padded with this one
    return extended[:, indices].prod(axis=-1) * multinomials


def largest_source_key(parameters: IntegerVectorParameters, f: PowerSum) -> np.ndarray:
    """Return public bounds on |R| as float64, for the largest possible S: one per monomial, the largest over the rows."""
    S = np.concatenate([np.eye(f.width), np.full((f.width, parameters.d), float(parameters.T_bound))], axis=1)
    indices, multinomials, _ = _monomials(S.shape[1], f.exponents)
    extended = np.concatenate([S, np.ones((len(S), 1))], axis=1)
    return (extended[:, indices].prod(axis=-1) * multinomials).max(axis=0)


@dataclass(frozen=True)
class PreparedPolynomial:
    """What every evaluation of one polynomial needs."""

    f: PowerSum  # the powers of the polynomial
    coefficients: tuple[float, ...]  # c_0 = 0, c_1, c_2, ...
    indices: np.ndarray  # shape (monomials, longest): entries of the ciphertext; n stands for the constant one
    weights: np.ndarray  # coefficients of the monomials, times the unit, float64 of shape (monomials,)
    bounds: np.ndarray  # public bounds on |R|, float64 of shape (monomials,)

    @cached_property
    def monomials(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Indices, weights and bounds, for compiled loops."""
        return self.indices, self.weights, self.bounds

    @cached_property
    def float_error(self) -> float:
        """Relative error of an entry of the tensor: three roundings of 2^-53 per factor, and one more."""
        return (3 * self.indices.shape[1] + 1) * 2.0**-53

    def tensor(self, c: np.ndarray, unit: float) -> np.ndarray:
        """Return c_k u (c / u)^k for all monomials of all exponents, in float64, shape (..., monomials)."""
        n = c.shape[-1]
        # the first axis is the entry of the ciphertext, so that numpy multiplies whole rows at a time
        entries = np.empty((n + 1, c.size // n))
        np.divide(c.reshape(-1, n).T, unit, out=entries[:n])
        entries[n] = 1.0  # the constant one, with which short monomials are padded
        monomials = np.multiply.reduce(entries.take(self.indices, axis=0), axis=1)
        return np.multiply(monomials.T, self.weights, order="C").reshape(*c.shape[:-1], len(self.weights))

    def noise(self, c: CiphertextArray) -> float:
        """Return the noise before rounding and switching: sum_k |c_k| ((u v + e)^k - (u v)^k) / u^(k-1)."""
        relative = c.noise / c.unit
        if not c.value + relative < 1e40:
            return math.inf
        value, wider = c.value, c.value + relative
        return c.unit * sum([size * (wider**k - value**k) for k, size in self._sizes])

    def value(self, c: CiphertextArray) -> float:
        """Return a bound on |sum_k c_k v^k|."""
        if not c.value < 1e40:
            return math.inf
        value = c.value
        return sum([size * value**k for k, size in self._sizes])

    @cached_property
    def _sizes(self) -> list[tuple[int, float]]:
        """The exponents, and the sizes of their coefficients."""
        return [(k, abs(self.coefficients[k])) for k in self.f.exponents]


def prepare(parameters: IntegerVectorParameters, width: int, plain: tuple[float, ...]) -> PreparedPolynomial:
    """Return the polynomial sum_k plain[k - 1] x^k for vectors of this width, ready for use."""
    coefficients = (0.0, *plain)
    f = power_sum(width, coefficients)
    indices, _, exponents = _monomials(width + parameters.d, f.exponents)
    weights = np.asarray(coefficients)[exponents] * float(parameters.unit)
    return PreparedPolynomial(f, coefficients, indices, weights, largest_source_key(parameters, f))


@cache
def _monomials(n: int, exponents: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (indices, multinomials, exponents) of all monomials; indices are padded with n, the place of the constant one."""
    longest = max(exponents)
    chosen = [m for k in exponents for m in combinations_with_replacement(range(n), k)]
    indices = np.array([[*m, *[n] * (longest - len(m))] for m in chosen], dtype=np.intp)
    orders = [factorial(len(m)) // prod(factorial(m.count(i)) for i in set(m)) for m in chosen]
    return indices, np.array(orders, dtype=np.int64), np.array([len(m) for m in chosen], dtype=np.intp)
