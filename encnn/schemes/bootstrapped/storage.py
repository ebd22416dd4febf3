"""Taking blocks of numbers apart for messages and files, and putting them together again.

A fresh block is stored as its body and the seed of its masks.  Whatever does not fit is a `FileError`.
"""

from typing import Any

import numpy as np

from encnn.errors import FileError
from encnn.schemes.bootstrapped.blocks import PackedArray
from encnn.schemes.bootstrapped.parameters import Parameters
from encnn.schemes.integer_vector import Context
from encnn.schemes.integer_vector.storage import MAX_EXPANDED_BYTES, check_array, expand_masks, restore_seed

MAX_BLOCKS = 1 << 20
"""Most blocks of an array: 10^9 weights, and 12 GB."""


def export_array(a: PackedArray) -> tuple[dict, np.ndarray]:
    """Return (header, int32 array): blocks of shape (blocks, k+1, N), or for fresh ones their bodies, (blocks, N)."""
    header: dict[str, Any] = {"blocks": len(a.data), "value": float(a.value), "noise": float(a.noise)}
    if a.places is not None:
        header["places"] = _runs(a.places)
    if a.seed is None:
        return header, a.data
    return header | {"seed": a.seed.hex()}, np.ascontiguousarray(a.data[:, 0])


def restore_array(context: Context, header: dict, data: np.ndarray, shape: tuple[int, ...]) -> PackedArray:
    """Return the array of numbers of this shape, (rows, 1), that `export_array` took apart."""
    p: Parameters = context.parameters  # type: ignore[assignment]
    count = header["blocks"]
    if type(count) is not int or not 0 <= count <= MAX_BLOCKS or len(shape) != 2 or shape[1] != 1:
        raise FileError(f"the file gives {count!r:.40} blocks for numbers of shape {shape}; get a new file from its sender")
    bounds = header.get("value"), header.get("noise")
    if not all(isinstance(b, float | int) and 0 <= b < np.inf for b in bounds):
        raise FileError(f"the bounds {bounds!r:.80} of blocks cannot be true; get a new file from its sender")
    places = _places(header.get("places"), shape[0], count * p.N)
    seed = restore_seed(header["seed"]) if "seed" in header else None
    check_array("blocks", data, (count, p.N) if seed else (count, p.k + 1, p.N), np.int32)
    if seed:
        data = _with_masks(data, seed, p)
    return PackedArray(data, shape[0], context, float(bounds[0]), float(bounds[1]), places, seed)  # type: ignore[arg-type]


def _with_masks(bodies: np.ndarray, seed: bytes, p: Parameters) -> np.ndarray:
    """Return blocks of given bodies with the masks that the seed stands for."""
    if 4 * bodies.size * (p.k + 1) > MAX_EXPANDED_BYTES:
        raise FileError(f"{len(bodies)} blocks would expand to more than {MAX_EXPANDED_BYTES >> 30} GiB; get a smaller model")
    masks = expand_masks(seed, (len(bodies),), p).reshape(len(bodies), p.k, p.N)
    return np.concatenate([bodies[:, None], masks], axis=1)


def _runs(places: np.ndarray) -> list[list[int]]:
    """Return places as runs [first, how many] of neighbours.

    >>> _runs(np.array([4, 5, 6, 1, 9]))
    [[4, 3], [1, 1], [9, 1]]
    """
    starts = np.flatnonzero(np.diff(places, prepend=places[:1] - 2) != 1)
    lengths = np.diff(np.append(starts, len(places)))
    return [[int(first), int(count)] for first, count in zip(places[starts], lengths, strict=True)]


def _places(runs: Any, rows: int, room: int) -> np.ndarray | None:
    """Return the places that `_runs` described, of so many rows in blocks with room for `room` numbers."""
    if runs is None:
        if rows > room:
            raise FileError(f"{rows} numbers do not fit blocks of {room}; get a new file from its sender")
        return None
    fit = isinstance(runs, list) and all(_is_run(run, room) for run in runs)
    if not fit or sum(count for _, count in runs) != rows:
        raise FileError(f"the file does not say where in its blocks {rows} numbers are ({runs!r:.80}); get a new file")
    return np.concatenate([np.arange(first, first + count) for first, count in runs] or [np.zeros(0, np.int64)])


def _is_run(run: Any, room: int) -> bool:
    """Return whether this is [first, how many], within so many places."""
    whole = isinstance(run, list) and len(run) == 2 and all(type(x) is int for x in run)
    return whole and run[0] >= 0 < run[1] and run[0] + run[1] <= room
