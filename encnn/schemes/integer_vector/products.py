"""Products of ciphertexts without a modulus: a tensor t, rounded, and its key switch M t* as one operation.

`compiled` does it in one pass over each ciphertext if numba is installed.  numpy, below, is the reference, and gives the same
ciphertexts bit for bit.
"""

import math
from functools import cache
from types import ModuleType

import numpy as np

from encnn.arithmetic import row_sums
from encnn.errors import CiphertextOverflowError
from encnn.schemes.integer_vector.ciphertext import FLOAT_ERROR
from encnn.schemes.integer_vector.keys import IntegerVectorSwitchKey
from encnn.schemes.integer_vector.parameters import IntegerVectorParameters
from encnn.schemes.integer_vector.powers import PreparedPolynomial


def compiled_loops(parameters: IntegerVectorParameters) -> ModuleType | None:
    """Return the compiled loops; None without numba, and for signed digits, which are there to show the paper's form."""
    return _loops() if parameters.balanced and row_sums.available() else None


@cache
def _loops() -> ModuleType:
    from encnn.schemes.integer_vector import compiled  # not at the top, because importing numba is slow

    return compiled


def product(
    left: np.ndarray, right: np.ndarray, divisor: float, key: IntegerVectorSwitchKey, total: bool
) -> tuple[np.ndarray, float, float]:
    """Return (M t*, a bound on |t|, a bound on the rounding error of an entry of t), ciphertext by ciphertext.

    left, right: int64 of shape (..., n1) and (..., n2).  total: whether tensors are added up over the batch before the switch.
    Raises `CiphertextOverflowError` if an entry of t passes the limit.
    """
    if total and (rows := batch_size(left, right)) > 1:
        return _summed(*_same_batch(left.astype(np.float64), right / divisor, rows), key)
    p = key.parameters
    loops = compiled_loops(p)
    if loops is None or left.ndim > 2 or right.ndim > 2:
        data, largest = by_numpy(left, right, divisor, key)
    else:
        data, largest = loops.product(_rows(left), _rows(right), divisor, key.by_digit, p.base_bits)
        check_tensor(largest, p)
    single = total or left.ndim == right.ndim == 1
    return data.reshape(-1) if single else data, largest, 0.5 + FLOAT_ERROR * largest


def by_numpy(left: np.ndarray, right: np.ndarray, divisor: float, key: IntegerVectorSwitchKey) -> tuple[np.ndarray, float]:
    """Return (M t* of shape (..., n'), largest |t|) for the tensors of `product`."""
    t = left.astype(np.float64)[..., :, None] * (right / divisor)[..., None, :]
    return _switched(t.reshape(*t.shape[:-2], key.entries), key)


def polynomial(
    prepared: PreparedPolynomial, c: np.ndarray, unit: float, key: IntegerVectorSwitchKey
) -> tuple[np.ndarray, float, float]:
    """Return (M t* for the tensors t of a polynomial, shape (..., n'), largest |t|, a bound on the phases of t).

    Raises `CiphertextOverflowError` if an entry of t passes the limit.
    """
    p = key.parameters
    loops = compiled_loops(p)
    if loops is None:
        return polynomial_by_numpy(prepared, c, unit, key)
    rows = c if c.ndim == 2 else c.reshape(-1, c.shape[-1])
    data, largest, phase = loops.polynomial(rows, unit, prepared.monomials, key.by_digit, p.base_bits)
    check_tensor(largest, p)
    return data if c.ndim == 2 else data.reshape(*c.shape[:-1], data.shape[-1]), largest, phase


def polynomial_by_numpy(
    prepared: PreparedPolynomial, c: np.ndarray, unit: float, key: IntegerVectorSwitchKey
) -> tuple[np.ndarray, float, float]:
    """Return what `polynomial` does."""
    t = prepared.tensor(c, unit)
    data, largest = _switched(t, key)
    return data, largest, float(np.abs(t).dot(prepared.bounds).max(initial=0))


def check_tensor(largest: float, parameters: IntegerVectorParameters) -> None:
    """Raise `CiphertextOverflowError` unless the entries of a tensor are within the limit."""
    if not largest < parameters.entry_limit:
        raise CiphertextOverflowError(
            f"an entry of a product reached {largest:.3g}, but the limit of {parameters.name!r} is "
            f"{parameters.entry_limit:.3g}; the values multiplied have grown too large (a diverging run?): lower the learning "
            "rate, w_bits or scale"
        )


def batch_size(left: np.ndarray, right: np.ndarray) -> int:
    """Return the number of ciphertexts of a batch; one side may be a single ciphertext."""
    return max(len(left) if left.ndim > 1 else 1, len(right) if right.ndim > 1 else 1)


def _summed(left: np.ndarray, right: np.ndarray, key: IntegerVectorSwitchKey) -> tuple[np.ndarray, float, float]:
    """Return what `product` does for the sum of all tensors c1 (x) c2, of shapes (B, n1) and (B, n2), as one ciphertext."""
    data, largest = _switched((left.T @ right).reshape(-1), key)
    # entries may cancel, so their errors are bounded by |c1| |c2| (Cauchy-Schwarz) and not by the remaining sum
    float_error = (len(left) + 5) * 2.0**-53 * math.sqrt(np.vdot(left, left) * np.vdot(right, right))
    return data, largest, 0.5 + float_error


def _switched(t: np.ndarray, key: IntegerVectorSwitchKey) -> tuple[np.ndarray, float]:
    """Return (M t* for the rounded t, largest |t|)."""
    largest = float(np.abs(t).max(initial=0))
    check_tensor(largest, key.parameters)
    return key.apply(np.rint(t).astype(np.int64)), largest


def _rows(c: np.ndarray) -> np.ndarray:
    return c if c.ndim == 2 else c[None]


def _same_batch(left: np.ndarray, right: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return both as (B, n); a single ciphertext is repeated."""
    return np.broadcast_to(left, (rows, left.shape[-1])), np.broadcast_to(right, (rows, right.shape[-1]))
