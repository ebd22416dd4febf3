"""Packed arrays and evaluation keys in files: SEAL's own serialisation inside the format of `encnn.files`.

SEAL checks its bytes against its parameters (sizes, ranges, level).  This module checks everything else that the header says.
The bytes of a file from a stranger do reach SEAL's C++ parser, which decompresses them: take files only from people you know.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from encnn.errors import EncnnError, FileError, KeyMismatchError
from encnn.files.schema import Count, Hex32, check_names, describe, parse
from encnn.schemes.ckks.ciphertext import CKKSContext, PackedArray, check_shape
from encnn.schemes.ckks.packing import Packing
from encnn.schemes.ckks.parameters import CKKSParameters
from encnn.schemes.ckks.seal import SealObject


@dataclass(frozen=True)
class CKKSArrayHeader:
    """The header of a packed array."""

    key_id: Hex32  # the name of the key
    rows: tuple[Count, ...]  # how many rows each ciphertext holds; empty for a vector
    bytes: tuple[Count, ...]  # how many bytes each ciphertext has


@dataclass(frozen=True)
class ContextHeader:
    """The header of what a key and its arrays share."""

    parameters: CKKSParameters  # the parameter set
    key_id: Hex32  # the name of the key
    stride: Count  # slots per row
    features: Count  # rows of weights per ciphertext


@dataclass(frozen=True)
class CKKSEvaluatorHeader(ContextHeader):
    """The header of evaluation keys."""

    steps: tuple[int, ...]  # the rotations, in slots, that have a key
    relinearisation: bool  # whether there is a key for products of ciphertexts


def export_array(a: PackedArray) -> tuple[dict, np.ndarray]:
    """Return (header, uint8 array) of a packed array.  The array is the bytes of its ciphertexts, one after the other."""
    messages = a.messages or tuple(map(a.context.ring.to_bytes, a.blocks))
    header = describe(CKKSArrayHeader(a.context.key_id, a.rows, tuple(map(len, messages))))
    return header, np.frombuffer(b"".join(messages), dtype=np.uint8)


def restore_array(context: CKKSContext, header: dict, array: np.ndarray, shape: tuple[int, ...]) -> PackedArray:
    """Return the packed array that `export_array` took apart; raise `FileError` unless it is packed as its shape demands."""
    described = parse(CKKSArrayHeader, header, "the description of ciphertexts")
    if described.key_id != context.key_id:
        raise KeyMismatchError(
            f"an array is under the key {described.key_id}, expected the key {context.key_id}; take arrays of one run"
        )
    check_shape(shape, context.packing)
    rows, lengths = described.rows, described.bytes
    wanted = sum(rows) == shape[0] and max(rows, default=0) <= context.packing.rows if len(shape) == 2 else not rows
    if not wanted or len(lengths) != max(len(rows), 1):
        raise FileError(f"an array of shape {shape} cannot be in ciphertexts of {rows} rows; get a new file from its sender")
    pieces = pairwise([0, *accumulate(lengths)])
    data = _bytes(array, sum(lengths))
    blocks = [context.ring.ciphertext(data[start:stop]) for start, stop in pieces]
    return PackedArray(blocks, context, shape, rows)


def export_keys(
    context: CKKSContext, rotations: SealObject, steps: frozenset[int], relinearisation: SealObject | None
) -> tuple[dict, dict[str, np.ndarray]]:
    """Return (header, arrays) of evaluation keys, which are public."""
    products = relinearisation is not None
    header = describe(CKKSEvaluatorHeader(**vars(_header(context)), steps=tuple(sorted(steps)), relinearisation=products))
    keys = {"rotations": rotations} | ({} if relinearisation is None else {"relinearisation": relinearisation})
    return header, {name: np.frombuffer(context.ring.to_bytes(key), dtype=np.uint8) for name, key in keys.items()}


def describe_context(context: CKKSContext) -> dict:
    """Return the header of what a key and its arrays share."""
    return describe(_header(context))


def _header(context: CKKSContext) -> ContextHeader:
    return ContextHeader(context.parameters, context.key_id, context.packing.stride, context.packing.features)


def restore_secret(header: dict, arrays: dict[str, np.ndarray]) -> tuple[CKKSContext, bytes]:
    """Return (context, SEAL's bytes of the secret key) that `SecretKey.export` took apart."""
    check_names("the secret", arrays, {"T_seal"})
    return _restore_context(parse(ContextHeader, header, "the description of the secret")), _bytes(arrays["T_seal"])


def restore_keys(
    header: dict, arrays: dict[str, np.ndarray]
) -> tuple[CKKSContext, SealObject, frozenset[int], SealObject | None]:
    """Return (context, rotations, steps, relinearisation) that `export_keys` took apart."""
    described = parse(CKKSEvaluatorHeader, header, "the description of the keys")
    context = _restore_context(described)
    _check_steps(described.steps, context.parameters)
    check_names("the file", arrays, {"rotations"} | ({"relinearisation"} if described.relinearisation else set()))
    ring = context.ring
    rotations = ring.from_bytes("GaloisKeys", _bytes(arrays["rotations"]))
    missing = [k for k in described.steps if not rotations.has_key(_galois_element(k, context.parameters))]
    if missing:
        raise FileError(f"the file lacks the keys of rotations by {missing} that it announces; get a new file from its sender")
    relinearisation = None
    if described.relinearisation:
        relinearisation = ring.from_bytes("RelinKeys", _bytes(arrays["relinearisation"]))
    return context, rotations, frozenset(described.steps), relinearisation


def _galois_element(step: int, p: CKKSParameters) -> int:
    return pow(3, step % p.slots, 2 * p.degree)


def _restore_context(header: ContextHeader) -> CKKSContext:
    stride, features = header.stride, header.features
    if stride & (stride - 1) or features & (features - 1):
        raise FileError(f"there are {features} rows of {stride} slots, expected powers of two; get a new file from its sender")
    try:
        packing = Packing(header.parameters.slots, stride, features)
    except EncnnError as error:
        raise FileError(f"rows of {stride} slots do not fit these parameters ({error}); get a new file") from error
    return CKKSContext(header.parameters, header.key_id, packing=packing)


def _check_steps(steps: Sequence[int], p: CKKSParameters) -> None:
    """Raise `FileError` unless the steps are rotations of the slots, each named once and in order."""
    if any(a >= b for a, b in pairwise(steps)) or not all(0 < abs(k) < p.slots for k in steps):
        raise FileError(
            f"the steps {steps!r:.80} are not rotations of {p.slots} slots in order; get a new file from its sender"
        )


def _bytes(array: np.ndarray, length: int | None = None) -> bytes:
    if array.dtype != np.uint8 or array.ndim != 1 or length not in (None, len(array)):
        raise FileError(
            f"an array has type {array.dtype} and shape {array.shape}, expected {length or 'some'} bytes; get a new file"
        )
    return array.tobytes()
