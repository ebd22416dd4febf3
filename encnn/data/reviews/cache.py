"""Arrays that took long to compute, kept in the user's cache folder.

An entry is one file: the sha256 of what follows (32 bytes), then an npz archive, written without pickle.  The digest is
checked before anything is parsed, so a damaged entry is simply not there, and is made anew.  It finds damage, not
malice: whoever can write to the cache folder can also write a matching digest.
"""

import contextlib
import hashlib
import importlib
import io
import json
import os
import tempfile
import warnings
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

_DIGEST_BYTES = hashlib.sha256().digest_size


def cache_folder() -> Path:
    """Return the folder of the cache: the environment variable `ENCNN_CACHE`, else the system's usual place."""
    return Path(os.environ.get("ENCNN_CACHE") or pooch().os_cache("encnn"))


def pooch() -> ModuleType:
    """Return the module pooch, imported where it is needed, since `import encnn` is to be quick."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # in notebooks without ipywidgets, pooch's import of tqdm.auto warns
        return importlib.import_module("pooch")


def save_arrays(name: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an entry whole or not at all.  If the cache cannot be written (full, read-only), nothing happens."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    content = buffer.getbuffer()
    with contextlib.suppress(OSError):
        _write_atomically(cache_folder() / name, hashlib.sha256(content).digest(), content)


def load_arrays(name: str, wanted: Collection[str]) -> dict[str, np.ndarray] | None:
    """Return the arrays of an entry, or None if there is no such entry, it is damaged, or it holds others than are wanted."""
    try:
        data = memoryview((cache_folder() / name).read_bytes())
    except OSError:
        return None
    digest, content = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        return None
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = dict(archive)
    except (ValueError, OSError, EOFError, LookupError, zipfile.BadZipFile):  # not an npz archive, under a digest that fits
        return None
    return arrays if arrays.keys() == set(wanted) else None


def pack_strings(strings: Sequence[str]) -> np.ndarray:
    """Return strings as one uint8 array, which npz can hold without pickle.

    >>> unpack_strings(pack_strings(["a film", ""]))
    ['a film', '']
    """
    return np.frombuffer(json.dumps(list(strings)).encode(), dtype=np.uint8)


def unpack_strings(packed: np.ndarray) -> list[str]:
    """Undo `pack_strings`."""
    return json.loads(packed.tobytes())


def _write_atomically(path: Path, *parts: bytes | memoryview) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
