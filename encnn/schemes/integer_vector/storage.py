"""Take keys and ciphertexts of the integer-vector scheme apart for files, and put them together again.

Everything that is read is checked against the parameters it claims: first the schema of its header, then types, shapes and
entries of its arrays.  Anything that does not fit raises a `FileError`.

Fresh ciphertexts c = [b ; a] under a modulus are stored as b and the seed of their masks.  This is m / (m + d) of their size.

**Claims.**  The header of an array holds its scale and the bounds on its numbers and its noise.  A reader without the key can
check that the ciphertexts *can* have them.  The scale must be one that products lead to, no bound may exceed what ciphertexts
of this size can reach, and fresh ciphertexts must claim the bounds of encryption.  Only the key tells whether the bounds of
computed ciphertexts are true.  A wrong claim does as much harm as a wrong ciphertext, and no more.
"""

import math
from dataclasses import dataclass

import numpy as np

from encnn.arithmetic.modular import centred
from encnn.arithmetic.sampling import Randomness
from encnn.errors import FileError, ParameterError
from encnn.files.schema import Hex32, check_array, describe, parse
from encnn.schemes.integer_vector.ciphertext import CiphertextArray, IntegerVectorContext
from encnn.schemes.integer_vector.parameters import IntegerVectorParameters

_MASK_ROWS = 256
MAX_EXPANDED_BYTES = 4 << 30
"""Largest memory, in bytes, that seeded ciphertexts of a file may take."""


@dataclass(frozen=True)
class IntegerVectorKeyHeader:
    """The fields with which the header of every key begins."""

    parameters: IntegerVectorParameters  # of the key
    key_id: Hex32  # the public name of the key

    @property
    def context(self) -> IntegerVectorContext:
        """The context with these fields."""
        return IntegerVectorContext(self.parameters, self.key_id)


@dataclass(frozen=True)
class IntegerVectorArrayHeader:
    """What a file claims of its ciphertexts."""

    scale: float  # the integer plaintext of 1.0
    value: float  # bound on |v|
    noise: float  # bound on |e|
    seed: Hex32 | None  # of masks that are not stored


def export_context(context: IntegerVectorContext) -> dict:
    """Return the parameters and the name of the key."""
    return {"parameters": describe(context.parameters), "key_id": context.key_id}


def export_array(a: CiphertextArray) -> tuple[dict, np.ndarray]:
    """Return (header, integer array) of an array of ciphertexts.

    Ciphertexts with a seed are stored without their masks.  Entries are reduced modulo q: equal ciphertexts give equal files.
    Bounds above what the ciphertexts can reach, infinity included, are lowered to that.
    """
    p = a.parameters
    value, noise = (
        min(bound, most) for bound, most in zip((a.value, a.noise), _largest_claims(p, a.scale, a.data), strict=True)
    )
    header = describe(IntegerVectorArrayHeader(a.scale, value, noise, None if a.seed is None else a.seed.hex()))
    if a.seed is None:
        return header, a.data if p.q_bits is None else centred(a.data, p.q_bits)
    return header, np.ascontiguousarray(a.data[..., : a.shape[-1]])


def restore_array(context: IntegerVectorContext, header: object, data: np.ndarray, shape: tuple[int, ...]) -> CiphertextArray:
    """Return the array of ciphertexts of vectors of `shape` (..., m)."""
    p, claims = context.parameters, parse(IntegerVectorArrayHeader, header, "the description of ciphertexts")
    seed = None if claims.seed is None else bytes.fromhex(claims.seed)
    if seed is not None:
        _check_expansion(p, shape)
    least, most = entry_range(p)
    check_array("ciphertexts", data, _with_masks(shape, p) if seed is None else shape, p.dtype, least, most)
    _check_claims(p, claims, data)
    if seed is not None:
        data = _with_expanded_masks(data, seed, p)
    return CiphertextArray(data, context, claims.scale, _magnitude(data), claims.value, claims.noise, seed)


def entry_range(p: IntegerVectorParameters) -> tuple[int, int]:
    """Return the least and the largest entry of a ciphertext: residues around 0, or without a modulus the entry limit."""
    half = p.entry_limit if p.q_bits is None else 1 << (p.q_bits - 1)
    return (1 - half, half - 1) if p.q_bits is None else (-half, half - 1)


def zeros_range(p: IntegerVectorParameters) -> tuple[int, int]:
    """Return the least and the largest entry of public encryptions of zero: residues, or E - T A and A themselves."""
    most = p.noise_bound + p.d * p.T_bound * p.A_high
    return (-most, most) if p.q_bits is None else entry_range(p)


def _largest_claims(p: IntegerVectorParameters, scale: float, data: np.ndarray) -> tuple[float, float]:
    """Return the largest |v| and the largest noise that these ciphertexts can have.

    The phase is w scale v + e.  Modulo q it is below q / 2.  Without modulus |S c| is at most the L1 norm of a row of S times
    the largest entry, and the noise is the difference of two such phases.
    """
    if p.q_bits is not None:
        return 2.0 ** (p.q_bits - 1) / (p.w * scale), 2.0 ** (p.q_bits - 1)
    phase = p.key_row_bound * _magnitude(data)
    return phase / (p.w * scale), 2 * phase


def _check_claims(p: IntegerVectorParameters, claims: IntegerVectorArrayHeader, data: np.ndarray) -> None:
    """Raise `FileError` for claims that the ciphertexts cannot have."""
    _check_scale(p, claims.scale)
    value, noise = _largest_claims(p, claims.scale, data)
    fresh = (p.scale, value, p.noise_bound)
    if claims.seed is not None and (claims.scale, claims.value, claims.noise) != fresh:
        raise FileError(f"fresh ciphertexts of {p.name!r} have scale, value and noise {fresh}, not {claims}; get a new file")
    if not (0 <= claims.value <= value and 0 <= claims.noise <= noise):
        raise FileError(
            f"ciphertexts of {p.name!r} have values up to {value:.3g} and noise up to {noise:.3g}, but their file claims "
            f"{claims.value:.3g} and {claims.noise:.3g}; get a new file from its sender"
        )


def expand_masks(seed: bytes, rows: tuple[int, ...], parameters: IntegerVectorParameters) -> np.ndarray:
    """Return masks of shape (*rows, d), uniform modulo q, that SHAKE-128 expands from a public seed."""
    p = parameters
    if p.q_bits is None:
        raise ParameterError(f"masks without a modulus ({p.name!r}) are not expanded from a seed; they are stored")
    masks = np.empty((math.prod(rows), p.d), p.dtype)
    _fill_with_masks(masks, seed, p)
    return masks.reshape(*rows, p.d)


def _fill_with_masks(masks: np.ndarray, seed: bytes, p: IntegerVectorParameters) -> None:
    """Expand masks in place, a few rows at a time, so that memory for a second copy is never needed."""
    stream = Randomness.from_public_seed(b"masks of ciphertexts" + seed)
    for start in range(0, len(masks), _MASK_ROWS):
        part = masks[start : start + _MASK_ROWS]
        part[:] = stream.words(part.shape, p.q_bits or 64)


def _with_expanded_masks(data: np.ndarray, seed: bytes, p: IntegerVectorParameters) -> np.ndarray:
    """Return ciphertexts of shape (..., m + d) from their bodies, shape (..., m), and the seed of their masks."""
    full = np.empty(_with_masks(data.shape, p), p.dtype)
    full[..., : data.shape[-1]] = data
    _fill_with_masks(full.reshape(-1, full.shape[-1])[:, data.shape[-1] :], seed, p)
    return full


def _with_masks(shape: tuple[int, ...], p: IntegerVectorParameters) -> tuple[int, ...]:
    return (*shape[:-1], shape[-1] + p.d)


def _check_expansion(p: IntegerVectorParameters, shape: tuple[int, ...]) -> None:
    """Raise `FileError` unless masks of these parameters can be expanded, within `MAX_EXPANDED_BYTES`."""
    if p.q_bits is None:
        raise FileError("the file gives a seed of masks, which its parameters without a modulus do not have")
    if math.prod(_with_masks(shape, p)) * p.dtype.itemsize > MAX_EXPANDED_BYTES:
        raise FileError(f"ciphertexts of shape {shape} with d = {p.d} would expand to more than {MAX_EXPANDED_BYTES >> 30} GiB")


def _check_scale(p: IntegerVectorParameters, scale: float) -> None:
    """Raise `FileError` unless products lead to this scale: there is one scale without a modulus, and powers of it with one."""
    powers = [float(p.scale)]
    while p.q_bits is not None and p.scale > 1 and powers[-1] * p.unit < 2.0 ** (p.q_bits - 1):
        powers.append(powers[-1] * p.scale)
    if scale not in powers:
        raise FileError(
            f"ciphertexts of scale {scale} do not fit parameters of scale {p.scale}; get a new file from its sender"
        )


def _magnitude(data: np.ndarray) -> float:
    """Return max |c|, measured."""
    return float(max(int(data.max(initial=0)), -int(data.min(initial=0))))
