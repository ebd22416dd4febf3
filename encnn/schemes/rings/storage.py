"""Take keys and ciphertexts of FV and YASHE apart for files, and put them together again.

A reader checks everything against the parameters that the file claims: first the schema of the header, then types, shapes and
residues of the arrays.  It raises `FileError` for anything that does not fit.

The header of ciphertexts claims a scale and bounds on plaintexts and noise (`Bounds`).  A reader without the key can check that
ciphertexts can have these bounds: that they still decrypt, and that the parameters lead to this scale.  Only the holder of the
key can check that the bounds are true.  A wrong claim therefore does the same harm as a wrong ciphertext, and no more.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import numpy as np

from encnn.errors import FileError
from encnn.files.schema import Hex32, Within, check_array, check_names, describe, parse, take
from encnn.schemes.rings.array import Bounds, RingArray, RingContext
from encnn.schemes.rings.parameters import RingParameters
from encnn.schemes.rings.rns import Ring
from encnn.schemes.rings.switching import RingSwitchKey

MAX_BITS = 512
"""Largest log2 of the place of a digit in a file, and of scale / t: decoded numbers then stay far within float64."""


@dataclass(frozen=True)
class RingKeyHeader:
    """The fields with which the header of every key begins."""

    parameters: dict  # parsed later, by the class of the scheme
    key_id: Hex32  # the name of the key


@dataclass(frozen=True)
class RingEvaluatorHeader(RingKeyHeader):
    """The header of public keys."""

    switches: list[Annotated[int, Within(0, 1 << 16)]]  # the names of the switch keys, increasing
    public: bool  # whether there is a public key to encrypt with


@dataclass(frozen=True)
class RingArrayHeader:
    """What a file claims of its ciphertexts."""

    bounds: Bounds  # scale, and bounds on plaintexts and noise


def export_context(context: RingContext) -> dict:
    """Return the part of a header that names the parameters and the key."""
    return {"parameters": describe(context.parameters), "key_id": context.key_id}


def restore_context(kind: type[RingParameters], header: RingKeyHeader) -> RingContext:
    """Return the context that `export_context` described; `kind` is the scheme's class of parameters."""
    return RingContext(parse(kind, header.parameters, "the file's parameters"), header.key_id)


def export_keys(
    context: RingContext, public_key: np.ndarray | None, keys: dict[int, RingSwitchKey]
) -> tuple[dict, dict[str, np.ndarray]]:
    """Return (header, arrays) of all public keys."""
    arrays = {f"switch_{name}": key.values.view(np.int64) for name, key in keys.items()}
    if public_key is not None:
        arrays["public"] = public_key.view(np.int64)
    return export_context(context) | {"switches": sorted(keys), "public": public_key is not None}, arrays


def restore_keys(
    kind: type[RingParameters], parts: int, header: dict, arrays: dict[str, np.ndarray]
) -> tuple[RingContext, np.ndarray | None, dict[int, RingSwitchKey]]:
    """Return (context, public key, switch keys); every array must be one that the header announces."""
    described, arrays = parse(RingEvaluatorHeader, header, "the description of the keys"), dict(arrays)
    context = restore_context(kind, described)
    p, names = context.parameters, described.switches
    _check_ascending(names)
    shape = (len(p.q_primes), parts, p.key_ring.k, p.N)
    keys = {n: RingSwitchKey(p, _checked(f"switch_{n}", take(arrays, f"switch_{n}"), shape, p.key_ring)) for n in names}
    public = None
    if described.public:
        public = _checked("public", take(arrays, "public"), (parts, p.cipher_ring.k, p.N), p.cipher_ring)
    check_names("the file", arrays, set())
    return context, public, keys


def restore_array(context: RingContext, parts: int, header: object, data: np.ndarray, shape: tuple[int, ...]) -> RingArray:
    """Return the array of ciphertexts of vectors of `shape` (..., width)."""
    p, bounds = context.parameters, parse(RingArrayHeader, header, "the description of ciphertexts").bounds
    check_bounds(p, bounds)
    counts = shape if p.encoder.per_number else shape[:-1]
    residues = _checked("ciphertexts", data, (*counts, parts, p.cipher_ring.k, p.N), p.cipher_ring)
    return RingArray(residues, context, shape[-1], bounds)


def check_bounds(p: RingParameters, b: Bounds) -> None:
    """Raise `FileError` unless ciphertexts of these parameters can have these bounds.

    The bounds decide how much time and memory decoding takes, so false ones could exhaust a reader.  A scale is that of the
    parameters times a power of two.  Only digits of the fractional encoding have places.
    """
    places = p.N if p.encoding == "fractional" else 0
    if (
        b.scale < p.scale
        or b.scale & (b.scale - 1)
        or (p.encoding == "fractional" and b.scale != 1)
        or not 0 <= b.magnitude < p.t / 2
        or not 0 <= b.noise < 0.5
        or max(abs(b.low), abs(b.high)) > places
        or b.low + b.high >= p.N
        or b.scale > p.t << MAX_BITS
        or max(-b.low, b.high) * math.log2(max(p.base, 2)) > MAX_BITS
        or b.degree != 1
    ):
        raise FileError(f"ciphertexts of {p.name!r} cannot have the bounds {b}; get a new file from its sender")


def _check_ascending(names: Sequence[int]) -> None:
    if any(a >= b for a, b in pairwise(names)):
        raise FileError(f"the keys {names!r:.80} must be named once and in order; get a new file from its sender")


def _checked(name: str, array: np.ndarray, shape: tuple[int, ...], ring: Ring) -> np.ndarray:
    check_array(name, array, shape)
    if array.size and not ((array >= 0) & (array < ring.p.astype(np.int64))).all():
        raise FileError(f"{name}: some entries are not residues of the modulus; get a new file from its sender")
    return array.view(np.uint64)


def secret_polynomials(context: RingContext, arrays: dict[str, np.ndarray], names: tuple[str, ...]) -> list[np.ndarray]:
    """Return the ternary secret polynomials with these names, after checking them."""
    check_names("the secret key", arrays, set(names))
    return [check_array(f"the ternary {name}", arrays[name], (context.parameters.N,), np.int64, -1, 1) for name in names]
