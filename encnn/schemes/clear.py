"""The clear scheme: the same operations on plain numpy arrays.

It gives the Non-PP row of every table and the oracle of every test.  `ClearEvaluator` computes in float64 and rounds nothing.
`FixedPointEvaluator` rounds every result to whole multiples of 1 / scale, as a network does that keeps its numbers as integers
at the paper's scaling factor; it shows what that rounding costs by itself, with no encryption.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from encnn.arithmetic.checks import check_types
from encnn.arithmetic.sigmoid import ExactSigmoid, Sigmoid
from encnn.data.batches import Batch
from encnn.errors import FileError, ParameterError
from encnn.schemes import base
from encnn.schemes.bilinear import BilinearMap


@dataclass(frozen=True)
class ClearParameters:
    """Clear arithmetic: exact float64, or with `scale` fixed point, rounded "nearest" or "truncate"d towards zero."""

    scale: int | None = None
    rounding: Literal["nearest", "truncate"] = "nearest"
    name: str = "clear"
    insecure: ClassVar[bool] = True
    owner_help: ClassVar[base.OwnerHelp] = "none"

    def __post_init__(self) -> None:
        """Refuse a scale or a rounding that means nothing."""
        check_types(self)
        if self.scale is not None and self.scale < 1 or self.rounding not in ("nearest", "truncate"):
            raise ParameterError(
                f"scale={self.scale}, rounding={self.rounding!r}: expected a scale of at least 1, 'nearest' or 'truncate'"
            )


class ClearSecretKey(base.SecretKey[np.ndarray]):
    """No key: encryption and decryption are the identity, up to fixed-point rounding."""

    def __init__(self, evaluator: "ClearEvaluator") -> None:
        self._evaluator = evaluator

    def encrypt(self, v: np.ndarray) -> np.ndarray:
        """Return a float64 copy of v, on the grid of the evaluator."""
        return self._evaluator.rounded(np.array(v, dtype=np.float64))

    def decrypt(self, a: np.ndarray) -> np.ndarray:
        """Return a copy of a: what is read is the reader's own, as in every scheme."""
        return a.copy()

    def export(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Return nothing."""
        return {}, {}


class ClearEvaluator(base.Evaluator[np.ndarray]):
    """Operations on float64 arrays of shape (..., width); encryption and decryption are the identity."""

    scheme: ClassVar[str] = "clear"
    parameters = ClearParameters()

    def rounded(self, a: np.ndarray) -> np.ndarray:
        """Return a: exact arithmetic has no grid."""
        return a

    def multiply_plain(self, a: np.ndarray, factor: float | np.ndarray) -> np.ndarray:
        """Return factor * a."""
        return a * factor

    def bilinear(self, f: BilinearMap, a: np.ndarray, b: np.ndarray, gain: float = 1.0, total: bool = False) -> np.ndarray:
        """Return gain * f(a, b); with `total` the sum over the first axis."""
        result = f.apply(a, b) if gain == 1 else f.apply(a * gain, b)
        if not total:
            return result
        return result[0] if len(result) == 1 else result.sum(axis=0)

    def gather(self, X: Batch, W: np.ndarray) -> np.ndarray:
        """Return X W."""
        return X.gather(W)

    def scatter_subtract(self, W: np.ndarray, X: Batch, G: np.ndarray) -> None:
        """Do W -= X^T G in place."""
        X.scatter_subtract(W, G)

    def concatenate(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Return the arrays joined along their first axis."""
        return np.concatenate(arrays)

    def polynomial(self, z: np.ndarray, coefficients: Sequence) -> np.ndarray:
        """Return sum_k coefficients[k] z^k, even and odd part by Horner's rule in z^2."""
        u = z * z if len(coefficients) > 2 else z  # not needed below degree 2
        odd = coefficients[1::2]
        even = _horner(u, coefficients[0::2])
        return z * _horner(u, odd) + even if odd else z * 0.0 + even

    def activate(self, sigmoid: Sigmoid, z: np.ndarray, minus: np.ndarray | float = 0.0) -> np.ndarray:
        """Return sigmoid(z) - minus, polynomial or exact."""
        if isinstance(sigmoid, ExactSigmoid):
            return sigmoid(z) - minus
        if z.size == 1:  # per-review training: numbers of Python take a third of the time of arrays of one
            result = self.polynomial(z.item(), sigmoid.coefficients) - minus
            return result if isinstance(result, np.ndarray) else np.full(z.shape, result)
        return self.polynomial(z, sigmoid.coefficients) - minus

    def export(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Return nothing: there are no keys."""
        return {}, {}

    def export_array(self, a: np.ndarray) -> tuple[dict, np.ndarray]:
        """Return the array itself."""
        return {}, a

    def restore_array(self, header: dict, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Return the array itself."""
        if array.dtype != np.float64 or array.shape != shape:
            raise FileError(f"an array has type {array.dtype} and shape {array.shape}, expected float64 and {shape}")
        return array


class FixedPointEvaluator(ClearEvaluator):
    """Clear arithmetic in which every product is rounded to a multiple of 1 / scale: plaintext-sized integers.

    rounding: "nearest", or "truncate" towards zero as a cast to int does (which biases every update towards zero).
    """

    scheme: ClassVar[str] = "clear"

    def __init__(self, scale: int = 1000, rounding: Literal["nearest", "truncate"] = "nearest") -> None:
        self.parameters = ClearParameters(scale, rounding)
        self.scale = scale
        self._round: Callable = np.rint if rounding == "nearest" else _truncated

    def rounded(self, a: np.ndarray) -> np.ndarray:
        """Return a on the grid of multiples of 1 / scale."""
        return self._round(a * self.scale) / self.scale

    def multiply_plain(self, a: np.ndarray, factor: float | np.ndarray) -> np.ndarray:
        """Return factor * a, rounded."""
        return self.rounded(super().multiply_plain(a, factor))

    def bilinear(self, f: BilinearMap, a: np.ndarray, b: np.ndarray, gain: float = 1.0, total: bool = False) -> np.ndarray:
        """Return gain * f(a, b), rounded after the product and again after the gain, before any sum."""
        result = self.rounded(self.rounded(f.apply(a, b)) * gain)
        return result.sum(axis=0) if total else result

    def gather(self, X: Batch, W: np.ndarray) -> np.ndarray:
        """Return X W, rounded (which changes nothing for a bag of words)."""
        return self.rounded(super().gather(X, W))

    def activate(self, sigmoid: Sigmoid, z: np.ndarray, minus: np.ndarray | float = 0.0) -> np.ndarray:
        """Return sigmoid(z) - minus, rounded once."""
        return self.rounded(super().activate(sigmoid, z, minus))


def _truncated(a: np.ndarray) -> np.ndarray:
    """Return a without its fractions; what float64 has lost of a whole number (7.9999999999999) is given back first."""
    return np.trunc(a + np.copysign(1e-6, a))


def _horner(u: np.ndarray, coefficients: Sequence[float]) -> np.ndarray | float:
    result: np.ndarray | float = coefficients[-1]
    for c in coefficients[-2::-1]:
        result = result * u + c
    return result


def make_keys(parameters: ClearParameters, *_: object) -> tuple[base.SecretKey, base.Evaluator]:
    """Return the two sides of no key: identity, and operations in the clear."""
    scale = parameters.scale
    evaluator = ClearEvaluator() if scale is None else FixedPointEvaluator(scale, parameters.rounding)
    return ClearSecretKey(evaluator), evaluator


SCHEME = base.Scheme(
    ClearEvaluator.scheme,
    ClearParameters,
    make_keys,
    restore_evaluator=None,
    restore_secret_key=None,
    compared=[base.ComparedPreset("clear", ClearParameters(), ExactSigmoid())],
)
