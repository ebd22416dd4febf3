"""Bilinear maps y_k = x1^T H_k x2: all the products that a network is made of.

The paper builds elementwise and outer products from masks and many weighted inner products.  Each of them is one bilinear map,
and so it is one key switch with one row of the key per output (see `integer_vector`).  A map is given only once, by the plain
numpy function that computes it; the matrices H are what that function makes of unit vectors.

A matrix of shape (m, k) is passed as a vector of width m k, row by row.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np


@dataclass(frozen=True)
class BilinearMap:
    """A bilinear map of two vectors."""

    name: str  # tells maps apart: keys are found by it
    left: int  # width of the first vector
    right: int  # width of the second vector
    out: int  # width of the result
    terms: int  # the largest sum of |H_k|: as many products at most are added up in one entry of the result
    apply: Callable[[np.ndarray, np.ndarray], np.ndarray] = field(compare=False, repr=False)  # the map in the clear

    @property
    def widths(self) -> set[int]:
        """The widths of the vectors that it takes and returns."""
        return {self.left, self.right, self.out}

    def matrices(self) -> np.ndarray:
        """Return H of shape (out, left, right), with apply(x1, x2)[k] = x1^T H[k] x2.

        >>> inner_product(2).matrices()
        array([[[1, 0],
                [0, 1]]])
        """
        # apply(unit vector i, unit vector j) is the entry (i, j) of all H at once; all pairs (i, j) go in as one batch
        basis_left = np.repeat(np.eye(self.left, dtype=np.int64), self.right, axis=0)
        basis_right = np.tile(np.eye(self.right, dtype=np.int64), (self.left, 1))
        return self.apply(basis_left, basis_right).T.reshape(self.out, self.left, self.right)


def weighted_inner_product(H: np.ndarray) -> BilinearMap:
    """Return (x, y) -> x^T H y, of width 1, for integers H of shape (left, right).

    The name holds a digest of H, so that equal weights find the same key and different weights never share one.

    >>> f = weighted_inner_product(np.array([[0, 1], [0, 0]]))
    >>> f.name, f.apply(np.array([2, 3]), np.array([5, 7]))
    ('weighted_inner_product:2x2:49293309d25cafc9', array([14]))
    """
    H = np.array(H, dtype="<i8")
    name = f"weighted_inner_product:{H.shape[0]}x{H.shape[1]}:{hashlib.sha256(H.tobytes()).hexdigest()[:16]}"
    terms = int(np.abs(H).sum())
    return BilinearMap(name, H.shape[0], H.shape[1], 1, terms, lambda x, y: ((x @ H) * y).sum(axis=-1, keepdims=True))


@cache
def inner_product(m: int) -> BilinearMap:
    """Return (x, y) -> x . y for vectors of width m."""
    return vector_matrix(m, 1)


@cache
def elementwise(m: int) -> BilinearMap:
    """Return (x, y) -> x * y, entry by entry, for vectors of width m; m = 1 is the product of two scalars."""
    return BilinearMap(f"elementwise:{m}", m, m, m, 1, np.multiply)


@cache
def scalar_vector(m: int) -> BilinearMap:
    """Return (a, x) -> a x for a scalar a (width 1) and a vector of width m."""
    return outer(1, m)


@cache
def outer(m: int, k: int) -> BilinearMap:
    """Return (x, y) -> x y^T, a matrix of shape (m, k) as a vector of width m k."""

    def apply(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        if m == 1 or k == 1:  # a product with a scalar broadcasts, which is faster
            return x * y
        product = x[..., :, None] * y[..., None, :]
        return product.reshape(*product.shape[:-2], m * k)

    return BilinearMap(f"outer:{m}x{k}", m, k, m * k, 1, apply)


@cache
def vector_matrix(m: int, k: int) -> BilinearMap:
    """Return (x, Y) -> x Y for a vector of width m and a matrix of shape (m, k)."""

    def apply(x: np.ndarray, Y: np.ndarray) -> np.ndarray:
        if Y.ndim == 1:
            return x @ Y.reshape(m, k)
        return np.matmul(x[..., None, :], Y.reshape(*Y.shape[:-1], m, k))[..., 0, :]

    return BilinearMap(f"vector_matrix:{m}x{k}", m, m * k, k, m, apply)


@cache
def vector_transposed_matrix(m: int, k: int) -> BilinearMap:
    """Return (x, Y) -> x Y^T for a vector of width k and a matrix of shape (m, k)."""

    def apply(x: np.ndarray, Y: np.ndarray) -> np.ndarray:
        if k == 1:
            return x * Y
        if Y.ndim == 1:
            return x @ Y.reshape(m, k).T
        return np.matmul(Y.reshape(*Y.shape[:-1], m, k), x[..., :, None])[..., 0]

    return BilinearMap(f"vector_transposed_matrix:{m}x{k}", k, m * k, m, k, apply)
