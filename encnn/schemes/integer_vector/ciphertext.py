"""Arrays of integer-vector ciphertexts, and the operations that need no key: additions and plain factors.

A ciphertext c in Z^n of a vector x in Z^m satisfies, equation (1),

    S c = w x + e + q k

so ciphertexts of one key can be added and multiplied by plain integers.  Without a modulus they can also be multiplied by plain
fractions and rounded: S round(f c) = f (w x + e) + S r with |r| <= 1/2.  This is how the paper divides by its scaling factor.

An array carries three bounds, all public and all for the worst case: `bound` on |c|, `value` on |v|, `noise` on |e|.  `bound`
counts without a modulus only, since with one the entries can be anything modulo q.
"""

import math
from collections.abc import Sequence

import numpy as np

from encnn.arithmetic.modular import centred
from encnn.errors import CapabilityError, CiphertextOverflowError, KeyMismatchError, ParameterError
from encnn.schemes.base import KeyContext
from encnn.schemes.integer_vector.parameters import IntegerVectorParameters

FLOAT_ERROR = 2.0**-50
"""Relative error of a product or quotient of int64 numbers that is computed in float64: at most five roundings of 2^-53."""

PLAIN_BITS = 61
"""Without modulus the phase of a plain number stays below 2^61, so that it can be added to a ciphertext of half the limit."""

FEW = 1000
"""Up to this number of entries, `magnitude` uses the Euclidean norm."""


IntegerVectorContext = KeyContext[IntegerVectorParameters]


class CiphertextArray:
    """Ciphertexts as integers (`parameters.dtype`) of shape (..., n), standing for real vectors of shape (..., m).

    `scale` is the plaintext integer of 1.0: the phase S c is w * scale * v + e.  `+` and `-` take another array of the same key
    and scale, plain numbers, or arrays of shape (..., m).  `*` and `/` take plain numbers or shape (B, 1).
    `seed` gives the masks of fresh ciphertexts, so that files need not store them; computed ciphertexts have none.
    """

    __slots__ = ("bound", "context", "data", "noise", "scale", "seed", "value")
    __array_ufunc__ = None  # makes numpy leave plain array + ciphertexts to `__radd__`

    def __init__(
        self,
        data: np.ndarray,
        context: IntegerVectorContext,
        scale: float,
        bound: float,
        value: float,
        noise: float,
        seed: bytes | None = None,
    ) -> None:
        self.data, self.context, self.scale, self.seed = data, context, scale, seed
        self.bound = bound
        # NaN comes from infinity times zero and guarantees nothing; it is what differs from itself
        self.value, self.noise = value if value == value else math.inf, noise if noise == noise else math.inf

    @property
    def parameters(self) -> IntegerVectorParameters:
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

    def __getitem__(self, rows: int | slice | np.ndarray | None) -> "CiphertextArray":
        """Return some of the ciphertexts."""
        return self._like(self.data[rows])

    def copy(self) -> "CiphertextArray":
        """Return an array with its own ciphertexts."""
        return self._like(self.data.copy())

    def __neg__(self) -> "CiphertextArray":
        """Return -v; the noise keeps its size."""
        return self._like(-self.data)

    def __add__(self, other: "CiphertextArray | np.ndarray | float") -> "CiphertextArray":
        """Return the sum; noises add.  Rounding of plain numbers adds noise of at most 1/2."""
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
        """Return factor * v.  The noise is multiplied by |factor|; rounding of fractions adds at most (1 + d |T|) / 2."""
        if isinstance(factor, CiphertextArray):  # type: ignore[unreachable]
            raise CapabilityError("a product of two ciphertexts needs an evaluation key: use evaluator.multiply(a, b)")
        if isinstance(factor, np.ndarray) and factor.ndim and factor.shape[-1] != 1:
            raise ParameterError(
                f"a plain factor of shape {factor.shape} is not one number per ciphertext; give it shape (..., 1), or multiply "
                "entries by different numbers with a linear map (secret_key.linear_key)"
            )
        if self.context.parameters.q_bits is not None:
            return self._multiplied_exactly(np.asarray(factor))
        largest = magnitude(factor)
        bound = self.tightened(largest)
        rounding = (0.5 + FLOAT_ERROR * bound) * self.context.parameters.key_row_bound
        data = np.rint(self.data.astype(np.float64) * factor).astype(np.int64)  # numpy converts in small pieces if left to
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
        """Return a bound on factor * |c| below the limit, or raise; |c| is measured if the carried bound is too loose."""
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
        """Raise `KeyMismatchError` unless both arrays belong to one key."""
        if self.context is not other.context and self.context != other.context:
            raise KeyMismatchError(
                f"ciphertexts of key {self.context.key_id} and of key {other.context.key_id} do not combine; "
                "encrypt both under one key"
            )

    def check_same_scale(self, other: "CiphertextArray") -> None:
        """Raise unless both arrays belong to one key (`KeyMismatchError`) and have one scale (`CapabilityError`)."""
        if self.context is not other.context:
            self.check_same_key(other)
        if self.scale != other.scale:
            raise CapabilityError(
                f"scales {self.scale:g} and {other.scale:g} differ: with a modulus scales multiply and cannot be divided; "
                "multiply the one of the smaller scale by an encryption of 1 (evaluator.multiply), or use parameters of scale 1"
            )

    def _combined(self, other: "CiphertextArray", operation: np.ufunc) -> "CiphertextArray":
        self.check_same_scale(other)
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
        if isinstance(plain, np.ndarray) and plain.size == 1:
            plain = plain.item()
        if isinstance(plain, float) and p.q_bits is None:  # takes a third of the time of an array with one entry
            x, largest, rounding = _encode_number(plain, p, self.scale)
        else:
            x, largest, rounding = encode(plain, p, self.scale)
        if self.bound + largest >= p.entry_limit / 2:
            self.tightened(2)
        data = self.data.copy()
        phases = data[..., : data.shape[-1] - p.d]
        phases += x
        value = self.value + (largest + rounding) / self.unit
        return self._reduced(data, self.bound + largest, value, self.noise + rounding)

    def _multiplied_exactly(self, f: np.ndarray) -> "CiphertextArray":
        if not (f == np.rint(f)).all():
            raise CapabilityError(
                f"scheme 'integer_vector' with a modulus ({self.parameters.name!r}) multiplies by whole numbers only, since "
                "ciphertexts modulo q cannot be divided; multiply by whole numbers, or use fv.ADDITIVE_128, parameters without "
                "a modulus (insecure), or the scheme 'clear'"
            )
        largest = float(np.abs(f).max())
        if not largest < 2.0**63:
            raise ParameterError(f"a factor of {largest:.3g} does not fit 64 bits; multiply by numbers below 2^63")
        return self._reduced(self.data * f.astype(np.int64), 0.0, largest * self.value, largest * self.noise)

    def _reduced(self, data: np.ndarray, bound: float, value: float, noise: float) -> "CiphertextArray":
        p = self.context.parameters
        if p.q_bits is not None and p.q_bits < 64:
            data = centred(data, p.q_bits).astype(p.dtype, copy=False)
        return CiphertextArray(data, self.context, self.scale, bound, value, noise)

    def _like(self, data: np.ndarray) -> "CiphertextArray":
        return CiphertextArray(data, self.context, self.scale, self.bound, self.value, self.noise)


def magnitude(x: np.ndarray | float | int, limit: float = math.inf) -> float:
    """Return a bound on |x|: its maximum, or for few entries the Euclidean norm, which takes a third of the time.

    If the norm is not below `limit`, the maximum is returned instead.
    """
    if not isinstance(x, np.ndarray):
        return float(abs(x))
    if x.size > FEW:
        return float(max(x.max(), -x.min()))
    flat = x.ravel() if x.dtype == np.float64 else x.ravel().astype(np.float64)
    norm = math.sqrt(flat.dot(flat))
    return norm if norm < limit else float(np.abs(flat).max(initial=0))


def encode(plain: np.ndarray | float, parameters: IntegerVectorParameters, scale: float) -> tuple[np.ndarray, float, float]:
    """Return the phase of plain numbers, a bound on it, and the noise of its rounding.

    Without modulus the phase is round(w scale v), which keeps fractions below 1 / scale.  With one it is w round(scale v), a
    whole plaintext; this rounding changes the plaintext and is not noise.  Raises `ParameterError` if a phase would pass half
    of the limit of ciphertexts, or q / 2 with a modulus.
    """
    p = parameters
    if p.q_bits is not None:
        x = np.rint(np.asarray(plain, dtype=np.float64) * scale)
        largest = p.w * _below(p.q_bits - 1 - p.w_bits, x, p)
        return x.astype(np.int64) << np.int64(p.w_bits), largest, 0.0
    x = np.rint(np.asarray(plain, dtype=np.float64) * (p.w * scale))
    largest = _below(PLAIN_BITS, x, p)
    return x.astype(np.int64), largest, 0.5 + FLOAT_ERROR * largest


def declared_bound(phase: np.ndarray, parameters: IntegerVectorParameters) -> float:
    """Return the public bound on |phase| that a fresh ciphertext carries.

    Without modulus nothing is hidden, so it is measured.  With a modulus it is always q / 2, because a measured bound on a
    single number *is* that number.
    """
    if parameters.q_bits is not None:
        return 2.0 ** (parameters.q_bits - 1)
    return float(np.abs(phase).max(initial=0))


def _encode_number(plain: float, parameters: IntegerVectorParameters, scale: float) -> tuple[int, float, float]:
    """Return what `encode` does, for one number and no modulus."""
    phase = plain * (parameters.w * scale)
    rounding = 0.5 + FLOAT_ERROR * _below(PLAIN_BITS, phase, parameters)
    x = round(phase)
    return x, float(abs(x)), rounding


def _below(bits: int, x: np.ndarray | float, parameters: IntegerVectorParameters) -> float:
    """Return a bound on |x|; raise `ParameterError` unless it is below 2^bits."""
    largest = magnitude(x, 2.0**bits)
    if not largest < 2.0**bits:
        raise ParameterError(
            f"a plain number reaches {largest / 2.0**bits:.3g} times what {parameters.name!r} can hold; use smaller "
            "numbers, or lower w_bits or scale"
        )
    return largest


def concatenate(arrays: Sequence[CiphertextArray]) -> CiphertextArray:
    """Return the arrays joined along their first axis, with the largest of their bounds."""
    first = arrays[0]
    for other in arrays[1:]:
        first.check_same_scale(other)
    return CiphertextArray(
        np.concatenate([a.data for a in arrays]),
        first.context,
        first.scale,
        max([a.bound for a in arrays]),  # lists, because generators take twice the time for two arrays
        max([a.value for a in arrays]),
        max([a.noise for a in arrays]),
    )
