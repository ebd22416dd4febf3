"""A's secret key when a network goes from A's key to B's: by A's trainer and B, or by B alone.

**A's trainer and B.**  Every vector has a phase, so every vector is a ciphertext.  The trainer writes [0 ; g e_j] into row j
of the weights, whose phase under A's key is g T_A[j].  An honest proxy switches it, and B reads T_A[j] as a weight (`planted`,
`T_from_weights`).

**B alone**, which sees the file before and after the switch.  c' = [b ; 0] + sum_i P_i a_i is linear in the proxy's key P and
the same every time: l d ciphertexts give P (`proxy_key`), and P with B's secret gives T_A (`collusion`).

**Worked** under all secure presets.  The second **fails** since an encryption of zero is added to each switched ciphertext.
The first **fails** if A decrypts, judges and encrypts again before it hands over (`scaling.federation.hand_over`), since a
network of such rows predicts nothing.  A trainer that changes few weights a little is *not* found out.
"""

import numpy as np

from encnn.attacks.modular_solve import solve
from encnn.parties import EncryptedModel
from encnn.schemes.integer_vector import CiphertextArray
from encnn.schemes.integer_vector.reencryption import ReencryptionKey, linear_switch, signed_digits


def planted(model: EncryptedModel, gain: int) -> EncryptedModel:
    """Return the model with [0 ; gain e_j] for row j of W1, j below d and the number of rows; one output, no hidden layer."""
    changed = model.copy()
    W1, d = changed.network.W1, changed.network.W1.parameters.d
    rows = min(len(W1), d)
    W1.data[:rows] = 0
    W1.data[np.arange(rows), 1 + np.arange(rows)] = gain
    return changed


def T_from_weights(weights: np.ndarray, gain: float) -> np.ndarray:
    """Return the first entries of T, shape (1, rows), from the weights that B read.  gain: as a weight, gain / unit."""
    return np.rint(weights.T / gain).astype(np.int64)


def switch_without_zeros(c: CiphertextArray, key: ReencryptionKey) -> CiphertextArray:
    """Return c, of shape (rows, m), under B's key by the old switch, which was linear in the proxy's key."""
    data = linear_switch(c.data.astype(np.int64), key, c.shape[-1]).astype(c.data.dtype)
    return CiphertextArray(data, key.target, c.scale, c.bound, c.value, c.noise + key.noise)


def proxy_key(before: CiphertextArray, after: CiphertextArray, base_bits: int) -> np.ndarray | None:
    """Return the proxy's P for vectors of width m, int64 of shape (l, m + 1, d), from ciphertexts before and after a switch.

    It returns None if the equations have no solution or more than one; l d ciphertexts and a few more are enough.  Entry 0 of
    the mask a^(j) is coefficient j of its polynomial, so that masks need no more equations than first entries.
    """
    p, m = before.parameters, before.shape[-1]
    digits = signed_digits(before.data[:, m:].astype(np.int64), base_bits, p)
    equations = digits.reshape(len(digits), -1)
    right = after.data[:, : m + 1].astype(np.int64)
    right[:, :m] -= before.data[:, :m]
    found = solve(equations, right, p.q_bits or 64)
    return None if found is None else found.reshape(-1, p.d, m + 1).swapaxes(1, 2)
