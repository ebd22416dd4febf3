"""Taking blocks of numbers apart for messages and files, and putting them together again.

A fresh block is stored as its body and the seed of its masks.  Whatever does not fit is a `FileError`.  The bounds on numbers
and noise are claims: a reader without the key checks that blocks *can* have them, and not that they do.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from encnn.errors import FileError
from encnn.files.schema import Hex32, Width, Within, check_array, describe, parse
from encnn.schemes.bootstrapped.blocks import BlockArray, stride_of
from encnn.schemes.bootstrapped.parameters import TORUS_BITS, BootstrappedParameters
from encnn.schemes.integer_vector import IntegerVectorContext
from encnn.schemes.integer_vector.storage import MAX_EXPANDED_BYTES, expand_masks

MAX_BLOCKS = 1 << 20
"""Most blocks of an array: 10^9 weights, and 12 GB."""

LARGEST_PHASE = 2.0 ** (TORUS_BITS - 1)
"""The largest phase, and so the largest noise that anything modulo 2^TORUS_BITS can have."""

Place = Annotated[int, Within(0, 1 << 40)]


@dataclass(frozen=True)
class BlocksHeader:
    """What is claimed of an array of blocks.

    value, noise: bounds on the numbers and on their noise.  places: runs [first, how many] of neighbouring rows in the blocks,
    counted in strides of a row, None where the rows stand at 0, 1, 2, ...  seed: of the masks, for fresh blocks, whose bodies
    alone are stored.  width: numbers in a row.  scale: the phase of 1.
    """

    blocks: Annotated[int, Within(0, MAX_BLOCKS)]
    value: float
    noise: Annotated[float, Within(0, LARGEST_PHASE)]
    places: list[tuple[Place, Annotated[int, Within(1, 1 << 40)]]] | None
    seed: Hex32 | None
    width: Width
    scale: Annotated[float, Within(1, LARGEST_PHASE)]


def export_array(a: BlockArray) -> tuple[dict, np.ndarray]:
    """Return (header, int32 array): blocks of shape (blocks, k+1, N), or for fresh ones their bodies, (blocks, N).

    Bounds beyond what ciphertexts can reach are stored as that.
    """
    value, noise = min(a.value, LARGEST_PHASE / a.scale), min(a.noise, LARGEST_PHASE)
    places, seed = None if a.places is None else _runs(a.places // a.stride), None if a.seed is None else a.seed.hex()
    header = describe(BlocksHeader(len(a.data), value, noise, places, seed, a.width, a.scale))
    return header, a.data if a.seed is None else np.ascontiguousarray(a.data[:, 0])


def restore_array(context: IntegerVectorContext, header: object, data: np.ndarray, shape: tuple[int, ...]) -> BlockArray:
    """Return the array of numbers of this shape, (rows, width) or (rows,), that `export_array` took apart."""
    p: BootstrappedParameters = context.parameters  # type: ignore[assignment]
    claims = parse(BlocksHeader, header, "the description of blocks")
    if len(shape) not in (1, 2) or math.prod(shape[1:]) != claims.width or claims.width > p.N:
        raise FileError(
            f"blocks of rows of {claims.width} numbers do not have the shape {shape}; get a new file from its sender"
        )
    if not 0 <= claims.value <= LARGEST_PHASE / claims.scale:
        raise FileError(f"numbers up to {claims.value:.3g} do not fit {p.name!r}; get a new file from its sender")
    stride = stride_of(claims.width)
    places = _places(claims.places, shape[0], claims.blocks * (p.N // stride))
    places = None if places is None else places * stride
    if claims.seed is None:
        check_array("blocks", data, (claims.blocks, p.k + 1, p.N), np.int32)
        return BlockArray(data, shape[0], context, claims.value, claims.noise, places, None, shape[1:], claims.scale)
    check_array("bodies of blocks", data, (claims.blocks, p.N), np.int32)
    seed = bytes.fromhex(claims.seed)
    data = _with_masks(data, seed, p)
    return BlockArray(data, shape[0], context, claims.value, claims.noise, places, seed, shape[1:], claims.scale)


def is_scale(scale: object) -> bool:
    """Return whether this can be the phase of 1."""
    return type(scale) is float and 1 <= scale <= LARGEST_PHASE


def _with_masks(bodies: np.ndarray, seed: bytes, p: BootstrappedParameters) -> np.ndarray:
    """Return blocks of given bodies with the masks that the seed stands for."""
    if 4 * bodies.size * (p.k + 1) > MAX_EXPANDED_BYTES:
        raise FileError(f"{len(bodies)} blocks would expand to more than {MAX_EXPANDED_BYTES >> 30} GiB; get a smaller model")
    masks = expand_masks(seed, (len(bodies),), p).reshape(len(bodies), p.k, p.N)
    return np.concatenate([bodies[:, None], masks], axis=1)


def _runs(places: np.ndarray) -> list[tuple[int, int]]:
    """Return places as runs (first, how many) of neighbours.

    >>> _runs(np.array([4, 5, 6, 1, 9]))
    [(4, 3), (1, 1), (9, 1)]
    """
    starts = np.flatnonzero(np.diff(places, prepend=places[:1] - 2) != 1)
    lengths = np.diff(np.append(starts, len(places)))
    return [(int(first), int(count)) for first, count in zip(places[starts], lengths, strict=True)]


def _places(runs: list[tuple[int, int]] | None, rows: int, room: int) -> np.ndarray | None:
    """Return the places that `_runs` described, of so many rows in blocks with room for `room` numbers."""
    if runs is None:
        if rows > room:
            raise FileError(f"{rows} rows do not fit blocks of {room}; get a new file from its sender")
        return None
    if any(first + count > room for first, count in runs) or sum(count for _, count in runs) != rows:
        raise FileError(f"the file does not say where in its blocks {rows} rows are ({runs!r:.80}); get a new file")
    return np.concatenate([np.arange(first, first + count) for first, count in runs] or [np.zeros(0, np.int64)])
