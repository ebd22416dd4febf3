"""Taking keys and ciphertexts of the integer-vector scheme apart for files, and putting them together again.

Everything read is checked against the parameters it claims: types, shapes, key names.  What does not fit is a `FileError`.
"""

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from encnn.errors import FileError, ParameterError
from encnn.schemes.integer_vector.ciphertext import CiphertextArray, Context
from encnn.schemes.integer_vector.parameters import Parameters

_BOUNDS = ("scale", "bound", "value", "noise")


def export_context(context: Context) -> dict:
    """Return the parameters and the name of the key."""
    return {"parameters": asdict(context.parameters), "key_id": context.key_id}


def restore_context(header: dict) -> Context:
    """Return the context that `export_context` described."""
    try:
        fields, key_id = header["parameters"], header["key_id"]
        parameters = Parameters(**fields)
    except (KeyError, TypeError, ParameterError) as error:
        raise FileError(f"the file's parameters cannot be used ({error}); get a new file from its sender") from error
    _check_types(fields)
    if not isinstance(key_id, str) or len(key_id) != 32:
        raise FileError(f"the file names its key {key_id!r}, expected 32 characters; get a new file from its sender")
    return Context(parameters, key_id)


def export_array(a: CiphertextArray) -> tuple[dict, np.ndarray]:
    """Return (header, int64 array) of an array of ciphertexts; infinite bounds are stored as None."""
    return {name: _finite(getattr(a, name)) for name in _BOUNDS}, a.data


def restore_array(context: Context, header: Any, data: np.ndarray, shape: tuple[int, ...]) -> CiphertextArray:
    """Return the array of ciphertexts of vectors of `shape` (..., m)."""
    expected = (*shape[:-1], shape[-1] + context.parameters.d)
    check_array("ciphertexts", data, expected)
    try:
        bounds = [float("inf") if header[name] is None else float(header[name]) for name in _BOUNDS]
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"the bounds of an array of ciphertexts are missing or no numbers ({error})") from error
    if not bounds[0] > 0 or not all(b >= 0 for b in bounds):
        raise FileError(f"the bounds {bounds} of an array of ciphertexts cannot be true; get a new file from its sender")
    scale, _, value, noise = bounds
    _check_scale(context.parameters, scale)
    largest = _magnitude(data)
    if context.parameters.q_bits is None and largest >= context.parameters.entry_limit:
        raise FileError(f"ciphertexts reach {largest:.3g}, beyond what their parameters allow; get a new file from its sender")
    return CiphertextArray(data, context, scale, largest, value, noise)


def _check_scale(p: Parameters, scale: float) -> None:
    """Without modulus there is one scale; with one, scales multiply, but stay numbers."""
    if not math.isfinite(scale) or (p.q_bits is None and scale != p.scale):
        raise FileError(
            f"ciphertexts of scale {scale} do not fit parameters of scale {p.scale}; get a new file from its sender"
        )


def _magnitude(data: np.ndarray) -> float:
    """Return max |c|, measured: a bound on entries that comes from a file is not believed."""
    return float(max(int(data.max(initial=0)), -int(data.min(initial=0))))


def check_array(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise `FileError` unless `array` holds int64 in this shape."""
    if array.dtype != np.int64 or array.shape != shape:
        raise FileError(f"{name}: found {array.dtype} of shape {array.shape}, expected int64 of shape {shape}")


def _check_types(fields: dict) -> None:
    """JSON knows one kind of number; the parameters know which of theirs are whole."""
    for name, value in fields.items():
        if name == "name" and not isinstance(value, str):
            raise FileError(f"the file's parameters have the name {value!r}, expected a text")
        whole = name not in ("name", "sigma", "balanced")
        if whole and value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise FileError(f"the file's parameter {name} is {value!r}, expected a whole number")


def _finite(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
