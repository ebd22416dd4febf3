"""A bootstrap: it turns a ciphertext of z, however noisy, into a fresh ciphertext of f(z).

    ciphertext of z  -- key switch -->  small LWE  -- modulus switch -->  positions modulo 2 N
       -- blind rotation of the table of f -->  GLWE  -- sample extraction -->  ciphertext of f(z)

Training adds the result to blocks of weights.  For that, the trace removes all coefficients but the constant one (`alone`).

The noise of the result is that of the rotation only.  The noise of z and of the two switches only moves the place at which the
table is read: f(z + e) instead of f(z) (`noise.table_input`).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from encnn.schemes.bootstrapped import transform
from encnn.schemes.bootstrapped.blocks import embed, extract
from encnn.schemes.bootstrapped.rotation import RotationKey, blind_rotate
from encnn.schemes.bootstrapped.switching import SmallSwitchKey, switch_key, to_positions
from encnn.schemes.bootstrapped.trace import TraceKey, pack, trace


@dataclass(frozen=True)
class BootstrapKey:
    """The three public keys of a bootstrap."""

    switch: SmallSwitchKey  # to the small dimension
    rotation: RotationKey  # for the blind rotation
    trace: TraceKey  # which isolates one coefficient

    @property
    def nbytes(self) -> int:
        """Bytes in use."""
        return self.switch.nbytes + self.rotation.nbytes + self.trace.nbytes

    def prepare(self) -> None:
        """Expand masks and transform the key now, which takes a few seconds; otherwise the first bootstrap does it."""
        self.switch.rows, self.rotation.transforms, self.trace.transforms  # noqa: B018  both are kept


def bootstrap(key: BootstrapKey, ciphertexts: np.ndarray, table: np.ndarray, threads: int = 1) -> np.ndarray:
    """Return ciphertexts of f(z) for ciphertexts of z; both are int32 of shape (B, 1 + d).

    table: the table of f (`tables.make_table`), shape (N,), or one table per ciphertext, shape (B, N).
    threads: they share the batch and do not change the result.
    """
    key.prepare()
    tables = np.broadcast_to(table, (len(ciphertexts), table.shape[-1]))
    return _shared(lambda rows: _bootstrap(key, ciphertexts[rows], tables[rows]), len(ciphertexts), threads)


def alone(key: BootstrapKey, ciphertexts: np.ndarray, threads: int = 1) -> np.ndarray:
    """Return GLWE ciphertexts, int32 of shape (B, k+1, N), of the numbers in ciphertexts of shape (B, 1 + d).

    The number is the constant coefficient; the others are 0, up to noise (`noise.trace`).
    """
    N, _ = key.trace.parameters.N, key.trace.transforms  # computed here once, and not by every thread
    return _shared(lambda rows: trace(key.trace, embed(ciphertexts[rows], N)), len(ciphertexts), threads)


def packed(key: BootstrapKey, ciphertexts: np.ndarray) -> np.ndarray:
    """Return blocks of numbers, int32 of shape (blocks, k+1, N), of ciphertexts of shape (B, 1 + d) (`trace.pack`)."""
    N = key.trace.parameters.N
    parts = [ciphertexts[first : first + N] for first in range(0, len(ciphertexts), N)]
    return np.stack([pack(key.trace, embed(part, N)) for part in parts])


def _shared(work: Callable[[slice], np.ndarray], batch: int, threads: int) -> np.ndarray:
    """Return the results of `work` for a batch, which the threads share."""
    if threads == 1 or batch <= 1:
        return work(slice(None))
    parts = min(threads, batch)
    bounds = [batch * i // parts for i in range(parts + 1)]
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(work, map(slice, bounds, bounds[1:]))))


def _bootstrap(key: BootstrapKey, ciphertexts: np.ndarray, tables: np.ndarray) -> np.ndarray:
    p = key.rotation.parameters
    # the small dimension and the modulus 2 N make the rotation short, and its exponents powers of X
    positions = to_positions(switch_key(key.switch, ciphertexts), p.N)
    # together both lines multiply the table by X^-phase: entry `phase` of the table becomes the constant coefficient
    acc = rotated_table(tables, positions[:, 0], p.k)
    blind_rotate(key.rotation, acc, -positions[:, 1:])
    return extract(acc)


def rotated_table(table: np.ndarray, positions: np.ndarray, k: int) -> np.ndarray:
    """Return X^-position times the table, (N,) or (B, N), as GLWE ciphertexts without masks, int32 of shape (B, k + 1, N)."""
    acc = np.zeros((len(positions), k + 1, table.shape[-1]), np.int32)
    acc[:, 0] = transform.monomial_product(table, -positions)
    return acc
