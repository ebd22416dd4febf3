"""Packed arrays and evaluation keys as bytes: SEAL's own serialisation inside the files of `encnn.files`.

SEAL checks what it reads against its parameters (sizes, ranges, level); what the header says besides is checked here.  The
bytes of a strange file do reach SEAL's C++ parser, which decompresses them: take files from people you know.
"""

import re
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from encnn.errors import EncnnError, FileError, KeyMismatchError
from encnn.schemes.ckks.ciphertext import Context, PackedArray, check_shape
from encnn.schemes.ckks.parameters import Parameters

_KEY_ID = re.compile(r"[0-9a-f]{32}")


def export_array(a: PackedArray) -> tuple[dict, np.ndarray]:
    """Return (header, uint8 array) of a packed array: the bytes of its ciphertexts one after the other."""
    messages = a.messages or tuple(map(a.context.ring.to_bytes, a.blocks))
    header = {"key_id": a.context.key_id, "rows": list(a.rows), "bytes": [len(m) for m in messages]}
    return header, np.frombuffer(b"".join(messages), dtype=np.uint8)


def restore_array(context: Context, header: dict, array: np.ndarray, shape: tuple[int, ...]) -> PackedArray:
    """Return the packed array that `export_array` took apart; `FileError` unless it has this shape, as its owner packs it."""
    if header.get("key_id") != context.key_id:
        found = f"{header.get('key_id')!r:.80}"
        raise KeyMismatchError(f"an array is under key {found}, expected is {context.key_id}; take arrays of one run")
    check_shape(shape, context.packing)
    rows, lengths = _whole(header, "rows"), _whole(header, "bytes")
    wanted = sum(rows) == shape[0] and max(rows, default=0) <= context.packing.rows if len(shape) == 2 else not rows
    if not wanted or len(lengths) != max(len(rows), 1):
        raise FileError(f"an array of shape {shape} is not cut into ciphertexts of {rows} rows; get a new file from its sender")
    pieces = pairwise([0, *accumulate(lengths)])
    data = _bytes(array, sum(lengths))
    blocks = [context.ring.ciphertext(data[start:stop]) for start, stop in pieces]
    return PackedArray(blocks, context, shape, tuple(rows))


def export_keys(
    context: Context, rotations: Any, steps: frozenset[int], relinearisation: Any
) -> tuple[dict, dict[str, np.ndarray]]:
    """Return (header, arrays) of evaluation keys."""
    p = context.parameters
    described = {"name": p.name, "degree": p.degree, "modulus_bits": list(p.modulus_bits), "scale_bits": p.scale_bits}
    header = {
        "parameters": described | {"features": p.features},
        "key_id": context.key_id,
        "stride": context.stride,
        "steps": sorted(steps),
        "relinearisation": relinearisation is not None,
    }
    keys = {"rotations": rotations} | ({} if relinearisation is None else {"relinearisation": relinearisation})
    return header, {name: np.frombuffer(context.ring.to_bytes(key), dtype=np.uint8) for name, key in keys.items()}


def restore_keys(header: dict, arrays: dict[str, np.ndarray]) -> tuple[Context, Any, frozenset[int], Any]:
    """Return (context, rotations, steps, relinearisation) that `export_keys` took apart."""
    context = _restore_context(header)
    steps = frozenset(_whole(header, "steps", context.parameters.slots))
    if arrays.keys() != {"rotations"} | ({"relinearisation"} if header.get("relinearisation") else set()):
        raise FileError(
            f"the file holds {', '.join(arrays):.200}, not those arrays that its header announces; use another file"
        )
    ring = context.ring
    rotations = ring.from_bytes("GaloisKeys", _bytes(arrays["rotations"]))
    missing = [k for k in steps if not rotations.has_key(_galois_element(k, context.parameters))]
    if missing:
        raise FileError(f"the file lacks the keys of rotations by {missing} that it announces; get a new file from its sender")
    relinearisation = None
    if header.get("relinearisation"):
        relinearisation = ring.from_bytes("RelinKeys", _bytes(arrays["relinearisation"]))
    return context, rotations, steps, relinearisation


def _galois_element(step: int, p: Parameters) -> int:
    return pow(3, step % p.slots, 2 * p.degree)


def _restore_context(header: dict) -> Context:
    key_id, stride, described = header.get("key_id"), header.get("stride"), header.get("parameters")
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        raise FileError(f"the name of the key is {key_id!r:.80}, expected 32 hexadecimal digits; use another file")
    if type(stride) is not int or stride < 1 or stride & (stride - 1) or not isinstance(described, dict):
        raise FileError(f"rows of {stride!r:.80} slots are none of packed arrays; get a new file from its sender")
    try:
        sizes = {name: int(described[name]) for name in ("degree", "scale_bits", "features")}
        bits = tuple(int(b) for b in described["modulus_bits"])
        context = Context(Parameters(name=str(described["name"]), modulus_bits=bits, **sizes), key_id, stride)
        context.packing  # noqa: B018 - raises unless W fits one ciphertext
    except (EncnnError, LookupError, TypeError, ValueError) as error:
        raise FileError(f"the parameters {described!r:.200} make no sense ({error}); get a new file from its sender") from error
    return context


def _whole(header: dict, name: str, largest: int = 1 << 40) -> list[int]:
    """Return a list of whole numbers of a header."""
    values = header.get(name)
    if not isinstance(values, list) or not all(type(k) is int and -largest < k < largest and k for k in values):
        raise FileError(f"the header's {name!r} is {values!r:.80}, expected whole numbers; get a new file from its sender")
    return values


def _bytes(array: np.ndarray, length: int | None = None) -> bytes:
    if array.dtype != np.uint8 or array.ndim != 1 or length not in (None, len(array)):
        raise FileError(f"an array of {array.dtype} and shape {array.shape} is none of {length} bytes; use another file")
    return array.tobytes()
