"""Take blocks of numbers apart for messages and files, and put them together again.

A fresh block is stored as its body and the seed of its masks.  A reader raises `FileError` for anything that does not fit.  The
bounds on numbers and noise are claims.  A reader without the key can check that blocks *can* have them, not that they do.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from encnn.errors import FileError
from encnn.files.schema import Hex32, Width, Within, check_array, describe, parse
from encnn.schemes.bootstrapped.blocks import BlockArray, BootstrappedContext, stride_of
from encnn.schemes.bootstrapped.parameters import TORUS_BITS, BootstrappedParameters
from encnn.schemes.integer_vector.storage import MAX_EXPANDED_BYTES, expand_masks

MAX_BLOCKS = 1 << 20
"""The most blocks that an array may have: they hold 10^9 weights and take 12 GB."""

LARGEST_PHASE = 2.0 ** (TORUS_BITS - 1)
"""The largest phase modulo 2^TORUS_BITS, and so the largest noise that a ciphertext can have."""

Place = Annotated[int, Within(0, 1 << 40)]


@dataclass(frozen=True)
class BlocksHeader:
    """What a file claims of an array of blocks."""

    blocks: Annotated[int, Within(0, MAX_BLOCKS)]  # how many blocks there are
    value: float  # a bound on the numbers
    noise: Annotated[float, Within(0, LARGEST_PHASE)]  # a bound on their noise, in units of 2^-32 of the torus
    # runs (first, how many) of places in the blocks, in strides of a row and in the order of rows; None for 0, 1, 2, ...
    places: list[tuple[Place, Annotated[int, Within(1, 1 << 40)]]] | None
    seed: Hex32 | None  # expands to the masks of fresh blocks, of which only the bodies are stored
    width: Width  # numbers in a row
    scale: Annotated[float, Within(1, LARGEST_PHASE)]  # the phase of 1


def export_array(a: BlockArray) -> tuple[dict, np.ndarray]:
    """Return (header, int32 array): blocks of shape (blocks, k+1, N), or for fresh ones their bodies, (blocks, N).

    A bound that no ciphertext can reach is stored as the largest bound that one can reach.
    """
    value, noise = min(a.value, LARGEST_PHASE / a.scale), min(a.noise, LARGEST_PHASE)
    places, seed = None if a.places is None else _runs(a.places // a.stride), None if a.seed is None else a.seed.hex()
    header = describe(BlocksHeader(len(a.data), value, noise, places, seed, a.width, a.scale))
    return header, a.data if a.seed is None else np.ascontiguousarray(a.data[:, 0])


def restore_array(context: BootstrappedContext, header: object, data: np.ndarray, shape: tuple[int, ...]) -> BlockArray:
    """Return the array of numbers of this shape, (rows, width) or (rows,), that `export_array` took apart."""
    p = context.parameters
    claims = parse(BlocksHeader, header, "the description of blocks")
    if len(shape) not in (1, 2) or math.prod(shape[1:]) != claims.width or claims.width > p.N:
        raise FileError(
            f"blocks of rows of {claims.width} numbers do not have the shape {shape}; get a new file from its sender"
        )
    if not 0 <= claims.value <= LARGEST_PHASE / claims.scale:
        raise FileError(f"{p.name!r} cannot hold numbers up to {claims.value:.3g}; get a new file from its sender")
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
    """Return blocks with these bodies, shape (blocks, N), and the masks that the seed expands to."""
    if 4 * bodies.size * (p.k + 1) > MAX_EXPANDED_BYTES:
        raise FileError(f"{len(bodies)} blocks would expand to more than {MAX_EXPANDED_BYTES >> 30} GiB; get a smaller model")
    masks = expand_masks(seed, (len(bodies),), p).reshape(len(bodies), p.k, p.N)
    return np.concatenate([bodies[:, None], masks], axis=1)


def _runs(places: np.ndarray) -> list[tuple[int, int]]:
    """Return places as runs (first, how many) of places that follow each other.

    >>> _runs(np.array([4, 5, 6, 1, 9]))
    [(4, 3), (1, 1), (9, 1)]
    """
    # a run starts at each place that does not follow the one before; what is prepended makes the first place such a one
    starts = np.flatnonzero(np.diff(places, prepend=places[:1] - 2) != 1)
    lengths = np.diff(np.append(starts, len(places)))
    return [(int(first), int(count)) for first, count in zip(places[starts], lengths, strict=True)]


def _places(runs: list[tuple[int, int]] | None, rows: int, room: int) -> np.ndarray | None:
    """Return the places that `_runs` described, for `rows` numbers in blocks that have room for `room` numbers."""
    if runs is None:
        if rows > room:
            raise FileError(f"{rows} rows do not fit blocks with room for {room}; get a new file from its sender")
        return None
    if any(first + count > room for first, count in runs) or sum(count for _, count in runs) != rows:
        raise FileError(f"the places {runs!r:.80} are not those of {rows} rows in the blocks; get a new file from its sender")
    return np.concatenate([np.arange(first, first + count) for first, count in runs] or [np.zeros(0, np.int64)])
