"""Taking keys and ciphertexts of FV and YASHE apart for files, and putting them together again.

Everything read is checked against the parameters it claims: types, shapes, sizes of residues.  What does not fit is a
`FileError`.
"""

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from encnn.errors import FileError, ParameterError
from encnn.schemes.rings.array import Bounds, Context, RingArray
from encnn.schemes.rings.parameters import RingParameters
from encnn.schemes.rings.rns import Ring
from encnn.schemes.rings.switching import SwitchKey

MAX_BITS = 512
"""Largest log2 of the place of a digit in a file, and of a scale beyond t: what is decoded stays far within float64."""


def export_context(context: Context) -> dict:
    """Return the parameters and the name of the key."""
    fields = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(context.parameters).items()}
    return {"parameters": fields, "key_id": context.key_id}


def restore_context(kind: type[RingParameters], header: dict) -> Context:
    """Return the context that `export_context` described; `kind` is the scheme's class of parameters."""
    try:
        fields, key_id = dict(header["parameters"]), header["key_id"]
        for name in ("q_primes", "t_primes"):
            fields[name] = tuple(_whole(p) for p in fields[name])
        parameters = kind(**fields)
    except (KeyError, TypeError, ValueError, ParameterError) as error:
        raise FileError(f"the file's parameters cannot be used ({error}); get a new file from its sender") from error
    if not isinstance(key_id, str) or len(key_id) != 32:
        raise FileError(f"the file names its key {key_id!r}, expected 32 characters; get a new file from its sender")
    return Context(parameters, key_id)


def export_keys(
    context: Context, public_key: np.ndarray | None, keys: dict[int, SwitchKey]
) -> tuple[dict, dict[str, np.ndarray]]:
    """Return (header, arrays) of all public keys."""
    arrays = {f"switch_{name}": key.values.view(np.int64) for name, key in keys.items()}
    if public_key is not None:
        arrays["public"] = public_key.view(np.int64)
    return export_context(context) | {"switches": sorted(keys), "public": public_key is not None}, arrays


def restore_keys(
    context: Context, parts: int, header: dict, arrays: dict[str, np.ndarray]
) -> tuple[np.ndarray | None, dict[int, SwitchKey]]:
    """Return (public key, switch keys); every array must be one that the header announces."""
    p, arrays = context.parameters, dict(arrays)
    names = header.get("switches")
    if not isinstance(names, list) or not isinstance(header.get("public"), bool):
        raise FileError("the file's header does not list its keys; get a new file from its sender")
    shape = (len(p.q_primes), parts, p.key_ring.k, p.N)
    keys = {_whole(n): SwitchKey(p, _checked(f"switch_{n}", _taken(arrays, f"switch_{n}"), shape, p.key_ring)) for n in names}
    public = None
    if header["public"]:
        public = _checked("public", _taken(arrays, "public"), (parts, p.cipher_ring.k, p.N), p.cipher_ring)
    if arrays:
        raise FileError(f"the file holds arrays that its header does not announce: {', '.join(arrays):.200}; use another file")
    return public, keys


def restore_array(context: Context, parts: int, header: Any, data: np.ndarray, shape: tuple[int, ...]) -> RingArray:
    """Return the array of ciphertexts of vectors of `shape` (..., width)."""
    p = context.parameters
    counts = shape if p.encoder.per_number else shape[:-1]
    residues = _checked("ciphertexts", data, (*counts, parts, p.cipher_ring.k, p.N), p.cipher_ring)
    try:
        fields = dict(header["bounds"])
        bounds = Bounds(
            _whole(fields["scale"]),
            float(fields["magnitude"]),
            float(fields["noise"]),
            _whole(fields["low"]),
            _whole(fields["high"]),
        )
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise FileError(f"the bounds of an array of ciphertexts are missing or no numbers ({error})") from error
    if (
        bounds.scale < 1
        or bounds.scale & (bounds.scale - 1)
        or not 0 <= bounds.noise < 0.5
        or bounds.scale > p.t << MAX_BITS
        or not 0 <= bounds.magnitude < math.inf
        or max(abs(bounds.low), abs(bounds.high)) > p.N  # decoding takes time and memory by them
        or max(-bounds.low, bounds.high) * math.log2(max(p.base, 2)) > MAX_BITS
    ):
        raise FileError(f"the bounds {bounds} of an array of ciphertexts cannot be true; get a new file from its sender")
    return RingArray(residues, context, shape[-1], bounds)


def _checked(name: str, array: np.ndarray, shape: tuple[int, ...], ring: Ring) -> np.ndarray:
    if array.dtype != np.int64 or array.shape != shape:
        raise FileError(f"{name}: found {array.dtype} of shape {array.shape}, expected int64 of shape {shape}; get a new file")
    if array.size and not ((array >= 0) & (array < ring.p.astype(np.int64))).all():
        raise FileError(f"{name}: entries are no residues of the modulus; get a new file from its sender")
    return array.view(np.uint64)


def _taken(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    if name not in arrays:
        raise FileError(f"the file lacks the array {name!r} that its header announces; get a new file from its sender")
    return arrays.pop(name)


def _whole(x: Any) -> int:
    if isinstance(x, bool) or not isinstance(x, int):
        raise FileError(f"the file holds {x!r} where a whole number is expected; get a new file from its sender")
    return x


def secret_polynomials(context: Context, arrays: dict[str, np.ndarray], names: tuple[str, ...]) -> list[np.ndarray]:
    """Return the ternary secret polynomials of a file, by their names."""
    if set(arrays) != set(names):
        raise FileError(
            f"a secret key of this scheme holds {', '.join(names)}, the file {', '.join(arrays):.200}; use another file"
        )
    for name in names:
        s = arrays[name]
        if s.dtype != np.int64 or s.shape != (context.parameters.N,) or not (np.abs(s) <= 1).all():
            raise FileError(f"{name} is no ternary polynomial of its parameters; restore the file from a backup")
    return [arrays[name] for name in names]
