"""A bootstrap: it turns a ciphertext of z, however noisy, into a fresh ciphertext of f(z).

    ciphertext of z  -- key switch -->  small LWE  -- modulus switch -->  positions modulo 2 N
       -- blind rotation of the table of f -->  GLWE  -- sample extraction -->  ciphertext of f(z)

Training adds the result to blocks of weights.  For that, the trace removes all coefficients but the constant one (`alone`).

One rotation can read several tables at one place (`bootstrap_many`) [CIM19]: their entries take turns, and the ciphertext is
switched to every `outputs`-th position only, so that neighbours hold the other results.  That costs nothing but a coarser
place.  A set with a second rotation key (`fine`) also returns results with the smaller noise of that key.

The noise of the result is that of the rotation only.  The noise of z and of the two switches only moves the place at which the
table is read: f(z + e) instead of f(z) (`noise.table_input`).

[CIM19] Carpov, Izabachene, Mollimard, New Techniques for Multi-value Input Homomorphic Evaluation, CT-RSA 2019
    (ePrint 2018/622).
"""

from dataclasses import dataclass

import numpy as np

from encnn.schemes.bootstrapped import transform
from encnn.schemes.bootstrapped.blocks import embed, extract
from encnn.schemes.bootstrapped.rotation import RotationKey, blind_rotate
from encnn.schemes.bootstrapped.shared import shared
from encnn.schemes.bootstrapped.switching import SmallSwitchKey, switch_key, to_positions
from encnn.schemes.bootstrapped.trace import TraceKey, pack, trace


@dataclass(frozen=True)
class BootstrapKey:
    """The public keys of a bootstrap: three of them, and a second rotation key if the parameters have one."""

    switch: SmallSwitchKey  # to the small dimension
    rotation: RotationKey  # for the blind rotation
    trace: TraceKey  # which isolates one coefficient
    fine: RotationKey | None = None  # for blind rotations with less noise

    @property
    def nbytes(self) -> int:
        """Bytes in use."""
        return sum(part.nbytes for part in self.parts().values())

    def parts(self) -> dict[str, SmallSwitchKey | RotationKey | TraceKey]:
        """Return the keys by name."""
        fine = {} if self.fine is None else {"fine": self.fine}
        return {"rotation": self.rotation, "switch": self.switch, "trace": self.trace, **fine}

    def rotation_key(self, fine: bool) -> RotationKey:
        """Return the key for a rotation; raise `CapabilityError` if there is no fine one."""
        if fine and self.fine is None:
            self.rotation.parameters.fine  # noqa: B018  says which set has one
        return self.fine if fine and self.fine is not None else self.rotation

    def prepare(self) -> None:
        """Expand masks and transform the key now, which takes a few seconds; otherwise the first bootstrap does it."""
        self.switch.rows, self.rotation.transforms, self.trace.transforms  # noqa: B018  all are kept
        if self.fine is not None:
            self.fine.transforms  # noqa: B018


def bootstrap(key: BootstrapKey, ciphertexts: np.ndarray, table: np.ndarray, threads: int = 1) -> np.ndarray:
    """Return ciphertexts of f(z) for ciphertexts of z; both are int32 of shape (B, 1 + d).

    table: the table of f (`tables.make_table`), shape (N,), or one table per ciphertext, shape (B, N).
    threads: they share the batch and do not change the result.
    """
    return bootstrap_many(key, ciphertexts, table, 1, threads)[:, 0]


def bootstrap_many(
    key: BootstrapKey, ciphertexts: np.ndarray, table: np.ndarray, outputs: int, threads: int = 1, fine: bool = False
) -> np.ndarray:
    """Return ciphertexts of several functions of z by one rotation each, int32 of shape (B, outputs, 1 + d).

    table: tables of N / outputs entries that take turns (`tables.interleaved`), shape (N,), or (B, N) for one per ciphertext.
    fine: rotate by the second key, whose noise is smaller (`noise.rotation(p.fine)`).
    """
    key.prepare()
    rotation = key.rotation_key(fine)
    tables = np.broadcast_to(table, (len(ciphertexts), table.shape[-1]))
    return shared(
        lambda rows: _bootstrap(key.switch, rotation, ciphertexts[rows], tables[rows], outputs), len(ciphertexts), threads
    )


def alone(key: BootstrapKey, ciphertexts: np.ndarray, threads: int = 1) -> np.ndarray:
    """Return GLWE ciphertexts, int32 of shape (B, k+1, N), of the numbers in ciphertexts of shape (B, 1 + d).

    The number is the constant coefficient; the others are 0, up to noise (`noise.trace`).
    """
    N, _ = key.trace.parameters.N, key.trace.transforms  # computed here once, and not by every thread
    return shared(lambda rows: trace(key.trace, embed(ciphertexts[rows], N)), len(ciphertexts), threads)


def rows_alone(key: BootstrapKey, ciphertexts: np.ndarray, threads: int = 1) -> np.ndarray:
    """Return GLWE ciphertexts, int32 of shape (B, k+1, N), of rows of numbers in ciphertexts of shape (B, width, 1 + d).

    The numbers are the first coefficients; the others are 0, up to noise (`noise.trace`).
    """
    if ciphertexts.shape[1] == 1:
        return alone(key, ciphertexts[:, 0], threads)
    N, _ = key.trace.parameters.N, key.trace.transforms
    return shared(
        lambda rows: np.stack([pack(key.trace, embed(row, N)) for row in ciphertexts[rows]]), len(ciphertexts), threads
    )


def packed(key: BootstrapKey, ciphertexts: np.ndarray) -> np.ndarray:
    """Return blocks of numbers, int32 of shape (blocks, k+1, N), of ciphertexts of shape (B, 1 + d) (`trace.pack`)."""
    N = key.trace.parameters.N
    parts = [ciphertexts[first : first + N] for first in range(0, len(ciphertexts), N)]
    return np.stack([pack(key.trace, embed(part, N)) for part in parts])


def _bootstrap(
    switch: SmallSwitchKey, rotation: RotationKey, ciphertexts: np.ndarray, tables: np.ndarray, outputs: int
) -> np.ndarray:
    p = rotation.parameters
    # the small dimension and the modulus 2 N make the rotation short, and its exponents powers of X
    positions = to_positions(switch_key(switch, ciphertexts), p.N // outputs) * outputs
    # together both lines multiply the table by X^-phase: entry `phase` of the table becomes the constant coefficient
    acc = rotated_table(tables, positions[:, 0], p.k)
    blind_rotate(rotation, acc, -positions[:, 1:])
    return np.stack([extract(acc, o) for o in range(outputs)], axis=1)


def rotated_table(table: np.ndarray, positions: np.ndarray, k: int) -> np.ndarray:
    """Return X^-position times the table, (N,) or (B, N), as GLWE ciphertexts without masks, int32 of shape (B, k + 1, N)."""
    acc = np.zeros((len(positions), k + 1, table.shape[-1]), np.int32)
    for b, m in enumerate(positions.tolist()):  # two runs for each; to gather entries would take several times as long
        acc[b, 0] = transform.monomial_product(table if table.ndim == 1 else table[b], -m)
    return acc
