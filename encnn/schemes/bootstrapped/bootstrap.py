"""A bootstrap: a ciphertext of z in, a fresh ciphertext of f(z) out, whatever noise z had.

    ciphertext of z  -- key switch -->  small LWE  -- modulus switch -->  positions modulo 2 N
       -- blind rotation of the table of f -->  GLWE  -- sample extraction -->  ciphertext of f(z)

The noise of the result is that of the rotation alone.  The noise that z arrives with, and that of the two switches, only moves
the place at which the table is read: f(z + e) instead of f(z) (`noise.table_input`).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from encnn.schemes.bootstrapped import transform
from encnn.schemes.bootstrapped.rotation import RotationKey, blind_rotate
from encnn.schemes.bootstrapped.switching import SmallSwitchKey, switch_key, to_positions


@dataclass(frozen=True)
class BootstrapKey:
    """All that a bootstrap needs: public."""

    switch: SmallSwitchKey
    rotation: RotationKey

    @property
    def nbytes(self) -> int:
        """Bytes in use."""
        return self.switch.nbytes + self.rotation.nbytes

    def prepare(self) -> None:
        """Expand masks and transform the key now; else the first bootstrap does, in a few seconds."""
        self.switch.rows, self.rotation.transforms  # noqa: B018  both are kept


def bootstrap(key: BootstrapKey, ciphertexts: np.ndarray, table: np.ndarray, threads: int = 1) -> np.ndarray:
    """Return ciphertexts of f(z), int32 of shape (B, 1 + d), of ciphertexts of z in the same shape, for a table of f.

    `threads` shares the batch; it does not change the result.
    """
    key.prepare()
    if threads == 1 or len(ciphertexts) <= 1:
        return _bootstrap(key, ciphertexts, table)
    with ThreadPoolExecutor(threads) as pool:
        parts = np.array_split(ciphertexts, min(threads, len(ciphertexts)))
        return np.concatenate(list(pool.map(lambda part: _bootstrap(key, part, table), parts)))


def _bootstrap(key: BootstrapKey, ciphertexts: np.ndarray, table: np.ndarray) -> np.ndarray:
    N = key.rotation.parameters.N
    positions = to_positions(switch_key(key.switch, ciphertexts), N)
    acc = rotated_table(table, positions[:, 0], key.rotation.parameters.k)
    blind_rotate(key.rotation, acc, -positions[:, 1:])
    return extract(acc)


def rotated_table(table: np.ndarray, positions: np.ndarray, k: int) -> np.ndarray:
    """Return X^-position times the table as GLWE ciphertexts without masks, int32 of shape (B, k + 1, N)."""
    acc = np.zeros((len(positions), k + 1, len(table)), np.int32)
    acc[:, 0] = transform.monomial_product(table, -positions)
    return acc


def extract(acc: np.ndarray) -> np.ndarray:
    """Return ciphertexts of the constant coefficient of GLWE phases, int32 of shape (B, 1 + k N): sample extraction.

    (a S)_0 = a_0 S_0 - a_(N-1) S_1 - ... - a_1 S_(N-1), so the mask is (a_0, -a_(N-1), ..., -a_1).
    """
    masks = np.concatenate([acc[:, 1:, :1], -acc[:, 1:, :0:-1]], axis=2)
    return np.concatenate([acc[:, 0, :1], masks.reshape(len(acc), masks.shape[1] * masks.shape[2])], axis=1)
