"""Taking keys and ciphertexts of the integer-vector scheme apart for files, and putting them together again.

Everything read is checked against the parameters it claims: types, shapes, key names.  What does not fit is a `FileError`.

Fresh ciphertexts c = [b ; a] under a modulus are stored as b and the seed of their masks: 1 / (m + d) of their size.
"""

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from encnn.arithmetic.modular import centred
from encnn.arithmetic.sampling import Randomness
from encnn.errors import FileError, ParameterError
from encnn.schemes.integer_vector.ciphertext import CiphertextArray, Context
from encnn.schemes.integer_vector.parameters import Parameters

_BOUNDS = ("scale", "bound", "value", "noise")
_MASK_ROWS = 256
MAX_EXPANDED_BYTES = 4 << 30
"""Most that seeded ciphertexts of a file may take in memory."""


def export_context(context: Context) -> dict:
    """Return the parameters and the name of the key."""
    return {"parameters": asdict(context.parameters), "key_id": context.key_id}


def restore_context(header: dict, kind: type[Parameters] = Parameters) -> Context:
    """Return the context that `export_context` described, with parameters of this kind."""
    try:
        fields, key_id = header["parameters"], header["key_id"]
        parameters = kind(**fields)
    except (KeyError, TypeError, ParameterError) as error:
        raise FileError(f"the file's parameters cannot be used ({error}); get a new file from its sender") from error
    _check_types(fields)
    if not isinstance(key_id, str) or len(key_id) != 32:
        raise FileError(f"the file names its key {key_id!r}, expected 32 characters; get a new file from its sender")
    return Context(parameters, key_id)


def export_array(a: CiphertextArray) -> tuple[dict, np.ndarray]:
    """Return (header, integer array) of an array of ciphertexts; infinite bounds are stored as None.

    Ciphertexts with a seed are stored without their masks; entries are reduced modulo q, so that equal ones are equal files.
    """
    header: dict = {name: _finite(getattr(a, name)) for name in _BOUNDS}
    if a.seed is None:
        return header, a.data if a.parameters.q_bits is None else centred(a.data, a.parameters.q_bits)
    return header | {"seed": a.seed.hex()}, np.ascontiguousarray(a.data[..., : a.shape[-1]])


def expand_masks(seed: bytes, rows: tuple[int, ...], parameters: Parameters) -> np.ndarray:
    """Return masks of shape (*rows, d), uniform modulo q, that SHAKE-128 expands from a public seed."""
    p = parameters
    if p.q_bits is None:
        raise ParameterError(f"masks without a modulus ({p.name!r}) are not expanded from a seed; they are stored")
    masks = np.empty((math.prod(rows), p.d), p.dtype)
    _fill_with_masks(masks, seed, p)
    return masks.reshape(*rows, p.d)


def _fill_with_masks(masks: np.ndarray, seed: bytes, p: Parameters) -> None:
    """Expand masks in place, a few rows at a time, so that nothing twice their size is held."""
    stream = Randomness.from_public_seed(b"masks of ciphertexts" + seed)
    for start in range(0, len(masks), _MASK_ROWS):
        part = masks[start : start + _MASK_ROWS]
        part[:] = stream.words(part.shape, p.q_bits or 64)


def _with_expanded_masks(data: np.ndarray, seed: bytes, p: Parameters) -> np.ndarray:
    """Return ciphertexts of shape (..., m + d) from their other part, shape (..., m), and the seed of their masks."""
    full = np.empty(_with_masks(data.shape, p), p.dtype)
    full[..., : data.shape[-1]] = data
    _fill_with_masks(full.reshape(-1, full.shape[-1])[:, data.shape[-1] :], seed, p)
    return full


def restore_array(context: Context, header: Any, data: np.ndarray, shape: tuple[int, ...]) -> CiphertextArray:
    """Return the array of ciphertexts of vectors of `shape` (..., m)."""
    seed = _seed(context.parameters, header, shape)
    check_array("ciphertexts", data, shape if seed else _with_masks(shape, context.parameters), context.parameters.dtype)
    try:
        bounds = [float("inf") if header[name] is None else float(header[name]) for name in _BOUNDS]
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"the bounds of an array of ciphertexts are missing or no numbers ({error})") from error
    if not bounds[0] > 0 or not all(b >= 0 for b in bounds):
        raise FileError(f"the bounds {bounds} of an array of ciphertexts cannot be true; get a new file from its sender")
    scale, _, value, noise = bounds
    _check_scale(context.parameters, scale)
    if seed:
        data = _with_expanded_masks(data, seed, context.parameters)
    largest = _magnitude(data)
    if context.parameters.q_bits is None and largest >= context.parameters.entry_limit:
        raise FileError(f"ciphertexts reach {largest:.3g}, beyond what their parameters allow; get a new file from its sender")
    return CiphertextArray(data, context, scale, largest, value, noise, seed)


def _with_masks(shape: tuple[int, ...], p: Parameters) -> tuple[int, ...]:
    return (*shape[:-1], shape[-1] + p.d)


def _seed(p: Parameters, header: Any, shape: tuple[int, ...]) -> bytes | None:
    """Return the seed of the masks, None where they are stored."""
    if not isinstance(header, dict) or "seed" not in header:
        return None
    text = header["seed"]
    seed = restore_seed(text)
    if p.q_bits is None:
        raise FileError("the file gives a seed of masks, which its parameters without modulus do not have")
    if math.prod(_with_masks(shape, p)) * p.dtype.itemsize > MAX_EXPANDED_BYTES:
        raise FileError(f"ciphertexts of shape {shape} with d = {p.d} would expand to more than {MAX_EXPANDED_BYTES >> 30} GiB")
    return seed


def restore_seed(text: Any) -> bytes:
    """Return the seed of masks that a header gives as 32 hexadecimal digits."""
    if not isinstance(text, str) or len(text) != 32 or set(text) - set("0123456789abcdef"):
        raise FileError(f"the file gives {text!r:.80} as the seed of masks, expected 32 hexadecimal digits; get a new file")
    return bytes.fromhex(text)


def _check_scale(p: Parameters, scale: float) -> None:
    """Without modulus there is one scale; with one, scales multiply, so none is below the first, but stay numbers."""
    if not p.scale <= scale < math.inf or (p.q_bits is None and scale != p.scale):
        raise FileError(
            f"ciphertexts of scale {scale} do not fit parameters of scale {p.scale}; get a new file from its sender"
        )


def _magnitude(data: np.ndarray) -> float:
    """Return max |c|, measured: a bound on entries that comes from a file is not believed."""
    return float(max(int(data.max(initial=0)), -int(data.min(initial=0))))


def check_array(name: str, array: np.ndarray, shape: tuple[int, ...], dtype: np.dtype | type = np.int64) -> None:
    """Raise `FileError` unless `array` holds integers of this type in this shape."""
    if array.dtype != dtype or array.shape != shape:
        wanted = f"expected {np.dtype(dtype)} of shape {shape}"
        raise FileError(f"{name}: found {array.dtype} of shape {array.shape}, {wanted}; get a new file from its sender")


def _check_types(fields: dict) -> None:
    """JSON knows one kind of number; the parameters know which of theirs are whole."""
    for name, value in fields.items():
        if name == "name" and not isinstance(value, str):
            raise FileError(f"the file's parameters have the name {value!r}, expected a text")
        whole = name != "balanced" and name != "name" and not name.endswith("sigma")
        if whole and value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise FileError(f"the file's parameter {name} is {value!r}, expected a whole number")


def _finite(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
