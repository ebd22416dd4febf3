"""The clear scheme: the same operations on plain numpy arrays.

It computes the row Non-PP of every table, and tests compare the encrypted schemes with it.  `ClearEvaluator` computes in
float64 and rounds nothing.  `FixedPointEvaluator` rounds every result to whole multiples of 1 / scale, like a network that
keeps its numbers as integers at the paper's scaling factor.  It shows what this rounding alone costs, without encryption.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from encnn.arithmetic.checks import check_types
from encnn.arithmetic.sigmoid import ExactSigmoid, Sigmoid, taylor
from encnn.data.batches import Batch
from encnn.errors import FileError, ParameterError
from encnn.schemes import base
from encnn.schemes.bilinear import BilinearMap


@dataclass(frozen=True)
class ClearParameters:
    """The parameters of arithmetic in the clear."""

    scale: int | None = None  # multiples of 1 / scale in fixed point; None for float64
    rounding: Literal["nearest", "truncate"] = "nearest"  # of fixed-point numbers; "truncate" rounds towards zero
    name: str = "clear"  # of the set
    insecure: ClassVar[bool] = True  # nothing is encrypted, which is what it is for
    owner_help: ClassVar[base.OwnerHelp] = "none"  # every operation is plain arithmetic

    def __post_init__(self) -> None:
        """Raise `ParameterError` for a scale below 1 or an unknown rounding."""
        check_types(self)
        if self.scale is not None and self.scale < 1 or self.rounding not in ("nearest", "truncate"):
            raise ParameterError(
                f"scale={self.scale}, rounding={self.rounding!r}: expected a scale of at least 1, 'nearest' or 'truncate'"
            )


class ClearSecretKey(base.SecretKey[np.ndarray]):
    """The owner's side without a key: encryption and decryption are the identity, up to fixed-point rounding."""

    def __init__(self, evaluator: "ClearEvaluator") -> None:
        self._evaluator = evaluator

    def encrypt(self, v: np.ndarray) -> np.ndarray:
        """Return a float64 copy of v, rounded as the evaluator rounds."""
        return self._evaluator.rounded(np.array(v, dtype=np.float64))

    def decrypt(self, a: np.ndarray) -> np.ndarray:
        """Return a copy of a, since the reader may change what it reads, as in every scheme."""
        return a.copy()

    def export(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Return an empty header and no arrays, since there is no key."""
        return {}, {}


class ClearEvaluator(base.Evaluator[np.ndarray]):
    """Operations on float64 arrays of shape (..., width); encryption and decryption are the identity."""

    scheme: ClassVar[str] = "clear"
    parameters = ClearParameters()

    def rounded(self, a: np.ndarray) -> np.ndarray:
        """Return a itself, since float64 numbers are not rounded further."""
        return a

    def multiply_plain(self, a: np.ndarray, factor: float | np.ndarray) -> np.ndarray:
        """Return factor * a."""
        return a * factor

    def bilinear(self, f: BilinearMap, a: np.ndarray, b: np.ndarray, gain: float = 1.0, total: bool = False) -> np.ndarray:
        """Return gain * f(a, b), or with `total` its sum over the first axis."""
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
        """Return sum_k coefficients[k] z^k.  Horner's rule in z^2 computes the even part and the odd part."""
        u = z * z if len(coefficients) > 2 else z  # not needed below degree 2
        odd = coefficients[1::2]
        even = _horner(u, coefficients[0::2])
        return z * _horner(u, odd) + even if odd else z * 0.0 + even

    def activate(self, sigmoid: Sigmoid, z: np.ndarray, minus: np.ndarray | float = 0.0) -> np.ndarray:
        """Return sigmoid(z) - minus, for a polynomial or for the exact sigmoid."""
        if isinstance(sigmoid, ExactSigmoid):
            return sigmoid(z) - minus
        if z.size == 1:  # in per-review training: Python's numbers take a third of the time of arrays with one entry
            result = np.empty(z.shape)
            result.fill(self.polynomial(z.item(), sigmoid.coefficients) - np.asarray(minus).item())
            return result
        return self.polynomial(z, sigmoid.coefficients) - minus

    def error(
        self, sigmoid: Sigmoid, z: np.ndarray, targets: np.ndarray, rate: float, widths: np.ndarray | None = None
    ) -> tuple[np.ndarray, float]:
        """Return (rate * (sigmoid(z) - targets), 1): the rate is multiplied once, and not again in each product."""
        e, gain = super().error(sigmoid, z, targets, rate, widths)
        return e * gain, 1.0

    def export(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Return an empty header and no arrays, since there are no keys."""
        return {}, {}

    def export_array(self, a: np.ndarray) -> tuple[dict, np.ndarray]:
        """Return an empty header and the array itself."""
        return {}, a

    def restore_array(self, header: dict, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Return the array itself, after checking its type and shape."""
        if array.dtype != np.float64 or array.shape != shape:
            raise FileError(f"an array has type {array.dtype} and shape {array.shape}, expected float64 and {shape}")
        return array


class FixedPointEvaluator(ClearEvaluator):
    """Clear arithmetic that rounds every product to a multiple of 1 / scale, as if numbers were integers of a plaintext.

    rounding: "nearest", or "truncate" towards zero as a cast to int does.  Truncation biases every update towards zero.
    """

    scheme: ClassVar[str] = "clear"

    def __init__(self, scale: int = 1000, rounding: Literal["nearest", "truncate"] = "nearest") -> None:
        self.parameters = ClearParameters(scale, rounding)
        self.scale = scale
        self._round: Callable = np.rint if rounding == "nearest" else _truncated

    error = base.Evaluator.error
    """The rate stays a gain, since products are rounded before and after it."""

    def rounded(self, a: np.ndarray) -> np.ndarray:
        """Return a, rounded to multiples of 1 / scale."""
        return self._round(a * self.scale) / self.scale

    def multiply_plain(self, a: np.ndarray, factor: float | np.ndarray) -> np.ndarray:
        """Return factor * a, rounded."""
        return self.rounded(super().multiply_plain(a, factor))

    def bilinear(self, f: BilinearMap, a: np.ndarray, b: np.ndarray, gain: float = 1.0, total: bool = False) -> np.ndarray:
        """Return gain * f(a, b), rounded after the product and again after the gain, before any sum."""
        result = self.rounded(self.rounded(f.apply(a, b)) * gain)
        return result.sum(axis=0) if total else result

    def gather(self, X: Batch, W: np.ndarray) -> np.ndarray:
        """Return X W, rounded; for a bag of words this changes nothing."""
        return self.rounded(super().gather(X, W))

    def activate(self, sigmoid: Sigmoid, z: np.ndarray, minus: np.ndarray | float = 0.0) -> np.ndarray:
        """Return sigmoid(z) - minus, rounded once."""
        return self.rounded(super().activate(sigmoid, z, minus))


def _truncated(a: np.ndarray) -> np.ndarray:
    """Return a without its fractions.  A number just below a whole one (7.9999999999999) counts as that whole one."""
    return np.trunc(a + np.copysign(1e-6, a))


def _horner(u: np.ndarray, coefficients: Sequence[float]) -> np.ndarray | float:
    result: np.ndarray | float = coefficients[-1]
    for c in coefficients[-2::-1]:
        result = result * u + c
    return result


def make_keys(parameters: ClearParameters, *_: object) -> tuple[base.SecretKey, base.Evaluator]:
    """Return both sides of a scheme without keys: the identity, and operations in the clear."""
    scale = parameters.scale
    evaluator = ClearEvaluator() if scale is None else FixedPointEvaluator(scale, parameters.rounding)
    return ClearSecretKey(evaluator), evaluator


SCHEME = base.Scheme(
    ClearEvaluator.scheme,
    ClearParameters,
    make_keys,
    restore_evaluator=None,
    restore_secret_key=None,
    compared=[
        base.ComparedPreset("clear", ClearParameters(), ExactSigmoid()),
        base.ComparedPreset("clear", ClearParameters(), taylor(1), hidden=True),
    ],
)
