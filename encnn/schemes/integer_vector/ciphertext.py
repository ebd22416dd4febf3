"""Arrays of integer-vector ciphertexts, with what can be done to them without any key: additions and plain factors.

A ciphertext c in Z^n of a vector x in Z^m satisfies, equation (1),

    S c = w x + e + q k

so ciphertexts of one key add, and may be multiplied by plain integers.  Without a modulus they may also be multiplied by plain
fractions and rounded: S round(f c) = f (w x + e) + S r with |r| <= 1/2, which is how the paper divides by its scaling factor.

Three bounds travel with an array, all public and all worst-case: `bound` on |c|, `value` on |v|, `noise` on |e|.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from encnn.errors import CapabilityError, CiphertextOverflowError, KeyMismatchError
from encnn.modular import centred
from encnn.schemes.integer_vector.parameters import Parameters

FLOAT_ERROR = 2.0**-50
"""Relative error of a product or quotient of int64 numbers that was formed in float64: at most five roundings of 2^-53."""

FEW = 1000


@dataclass(frozen=True)
class Context:
    """What all ciphertexts of one key share: the parameters, the public name of the key, how its randomness was made."""

    parameters: Parameters
    key_id: str
    experimental: bool = False


class CiphertextArray:
    """Ciphertexts as int64 of shape (..., n), standing for real vectors of shape (..., m).

    `scale` is the plaintext integer per 1.0: the phase S c is w * scale * v + e.  `+`, `-` work with another array of the same
    key and scale and with plain numbers or arrays of shape (..., m); `*` and `/` with plain numbers or shape (B, 1).
    """

    __slots__ = ("bound", "context", "data", "noise", "scale", "value")
    __array_ufunc__ = None  # plain array + ciphertexts is ours to compute

    def __init__(self, data: np.ndarray, context: Context, scale: float, bound: float, value: float, noise: float) -> None:
        self.data, self.context, self.scale = data, context, scale
        self.bound, self.value, self.noise = bound, value, noise

    @property
    def parameters(self) -> Parameters:
        """The parameter set."""
        return self.context.parameters

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the vectors it stands for, (..., m)."""
        return (*self.data.shape[:-1], self.data.shape[-1] - self.context.parameters.d)

    @property
    def nbytes(self) -> int:
        """Bytes of the ciphertexts."""
        return self.data.nbytes

    @property
    def unit(self) -> float:
        """The phase of the number 1: w * scale."""
        return self.context.parameters.w * self.scale

    @property
    def noise_budget_bits(self) -> float:
        """Guaranteed bits left before eq. (2) may round to a wrong integer: log2(w / 2) - log2(noise); negative if none."""
        return float(np.log2(self.parameters.w / 2) - np.log2(max(self.noise, 2.0**-60)))

    def __len__(self) -> int:
        """Return the length of the first axis."""
        return len(self.data)

    def __repr__(self) -> str:
        """Show shape, parameters and budget, never entries."""
        return f"CiphertextArray(shape={self.shape}, parameters={self.parameters.name!r}, noise<={self.noise:.3g})"

    def __getitem__(self, rows: int | slice | np.ndarray) -> "CiphertextArray":
        """Return some of the ciphertexts."""
        return self._like(self.data[rows])

    def copy(self) -> "CiphertextArray":
        """Return an array with its own ciphertexts."""
        return self._like(self.data.copy())

    def __neg__(self) -> "CiphertextArray":
        """Return -v; the noise keeps its size."""
        return self._like(-self.data)

    def __add__(self, other: "CiphertextArray | np.ndarray | float") -> "CiphertextArray":
        """Return the sum; noises add.  Adding plain numbers adds at most 1/2 of noise (their rounding)."""
        if not isinstance(other, CiphertextArray):
            return self._add_plain(other)
        return self._combined(other, np.add)

    __radd__ = __add__

    def __sub__(self, other: "CiphertextArray | np.ndarray | float") -> "CiphertextArray":
        """Return the difference; noises add."""
        if not isinstance(other, CiphertextArray):
            return self._add_plain(-other)
        return self._combined(other, np.subtract)

    def __rsub__(self, other: np.ndarray | float) -> "CiphertextArray":
        """Return plain - v."""
        return (-self)._add_plain(other)

    def __mul__(self, factor: float | np.ndarray) -> "CiphertextArray":
        """Return factor * v; noise times |factor|, and for fractions the rounding, at most (1 + d |T|) / 2."""
        if isinstance(factor, CiphertextArray):  # type: ignore[unreachable]
            raise CapabilityError("a product of two ciphertexts needs an evaluation key: use evaluator.multiply(a, b)")
        if self.context.parameters.q_bits is not None:
            return self._multiplied_exactly(np.asarray(factor))
        largest = magnitude(factor)
        bound = self.tightened(largest)
        rounding = (0.5 + FLOAT_ERROR * bound) * self.context.parameters.key_row_bound
        data = np.rint(self.data * factor).astype(np.int64)
        return CiphertextArray(data, self.context, self.scale, bound + 1, largest * self.value, largest * self.noise + rounding)

    __rmul__ = __mul__

    def __truediv__(self, divisor: float | np.ndarray) -> "CiphertextArray":
        """Return v / divisor, the paper's division by a plain number; noise as for `*`."""
        return self * (1.0 / np.asarray(divisor, dtype=np.float64))

    def sum(self) -> "CiphertextArray":
        """Return the sum over the first axis; noises add."""
        k = len(self)
        bound = self.tightened(k)
        return self._reduced(self.data.sum(axis=0), bound, k * self.value, k * self.noise)

    def tightened(self, factor: float) -> float:
        """Return a bound on factor * |c| below the limit; measure |c| if the carried bound is too loose; else raise."""
        limit = self.context.parameters.entry_limit
        if factor * self.bound < limit or self.context.parameters.q_bits is not None:
            return factor * self.bound
        self.bound = float(np.abs(self.data).max(initial=0))
        if factor * self.bound < limit:
            return factor * self.bound
        raise CiphertextOverflowError(
            f"entries up to {factor * self.bound:.3g} would pass the limit of {limit:.3g} for parameters "
            f"{self.parameters.name!r}; keep |values| below about {limit / self.unit:.3g}, or lower w_bits or scale"
        )

    def check_same_key(self, other: "CiphertextArray") -> None:
        """Raise `KeyMismatchError` unless both arrays belong to one key and one scale."""
        if self.context is not other.context and self.context != other.context:
            raise KeyMismatchError(
                f"ciphertexts of key {self.context.key_id} and of key {other.context.key_id} do not combine; "
                "encrypt both under one key"
            )

    def _combined(self, other: "CiphertextArray", operation: np.ufunc) -> "CiphertextArray":
        self.check_same_key(other)
        if self.scale != other.scale:
            raise CapabilityError(
                f"scales {self.scale:g} and {other.scale:g} differ: with a modulus scales multiply and cannot be divided; "
                "multiply the smaller one by their quotient, or use parameters without modulus"
            )
        limit = self.context.parameters.entry_limit / 2
        if self.bound + other.bound >= limit:  # only then is it worth measuring
            self.tightened(2), other.tightened(2)
        return self._reduced(
            operation(self.data, other.data),
            self.bound + other.bound,
            self.value + other.value,
            self.noise + other.noise,
        )

    def _add_plain(self, plain: np.ndarray | float) -> "CiphertextArray":
        p = self.context.parameters
        x: np.ndarray | int
        if isinstance(plain, float) and p.q_bits is None:  # a third of the time of an array of one
            x, rounding = round(plain * self.unit), 0.5
        else:
            x, rounding = encode(plain, p, self.scale)
        largest = magnitude(x)
        bound = self.bound + largest
        if bound >= p.entry_limit / 2:
            self.tightened(2)
        data = self.data.copy()
        data[..., : data.shape[-1] - p.d] += x
        return self._reduced(data, bound, self.value + largest / self.unit, self.noise + rounding)

    def _multiplied_exactly(self, f: np.ndarray) -> "CiphertextArray":
        if not (f == np.rint(f)).all():
            raise CapabilityError(
                f"scheme 'integer_vector' with a modulus ({self.parameters.name!r}) multiplies by whole numbers only, since "
                "ciphertexts modulo q cannot be divided; use parameters without modulus, or the scheme 'clear'"
            )
        largest = float(np.abs(f).max())
        return self._reduced(self.data * f.astype(np.int64), 0.0, largest * self.value, largest * self.noise)

    def _reduced(self, data: np.ndarray, bound: float, value: float, noise: float) -> "CiphertextArray":
        q_bits = self.context.parameters.q_bits
        if q_bits is not None and q_bits < 64:
            data = centred(data, q_bits)
        return CiphertextArray(data, self.context, self.scale, bound, value, noise)

    def _like(self, data: np.ndarray) -> "CiphertextArray":
        return CiphertextArray(data, self.context, self.scale, self.bound, self.value, self.noise)


def magnitude(x: np.ndarray | float | int) -> float:
    """Return a bound on |x|: its maximum, or for a few entries the Euclidean norm, which takes a third of the time."""
    if not isinstance(x, np.ndarray):
        return float(abs(x))
    if x.size > FEW:
        return float(max(x.max(), -x.min()))
    flat = x.ravel().astype(np.float64, copy=False)
    return math.sqrt(flat.dot(flat))


def encode(plain: np.ndarray | float, parameters: Parameters, scale: float) -> tuple[np.ndarray, float]:
    """Return the phase of plain numbers and the noise of its rounding.

    Without modulus round(w scale v), so fractions below 1 / scale are kept; with one w round(scale v), a whole plaintext,
    whose rounding changes the plaintext and is no noise.
    """
    v = np.asarray(plain, dtype=np.float64)
    if parameters.q_bits is None:
        return np.rint(v * (parameters.w * scale)).astype(np.int64), 0.5
    return np.rint(v * scale).astype(np.int64) << np.int64(parameters.w_bits), 0.0


def concatenate(arrays: Sequence[CiphertextArray]) -> CiphertextArray:
    """Return the arrays joined along their first axis, with the largest of their bounds."""
    first = arrays[0]
    for other in arrays[1:]:
        first.check_same_key(other)
    return CiphertextArray(
        np.concatenate([a.data for a in arrays]),
        first.context,
        first.scale,
        max(a.bound for a in arrays),
        max(a.value for a in arrays),
        max(a.noise for a in arrays),
    )
