"""Reading ciphertexts without a key: plaintexts, trained weights, predictions.

**Idea.**  A ciphertext c = [top ; a] has S c = top + T a = w x + e (1), so

    top / w = x + (e - T a) / w,

and the mask hides x only if |T a| is not small beside w.  The paper's T and A are small integers, so rounding removes both.

**Needs** one ciphertext and the public parameters.  **Works** without a modulus, on fresh ciphertexts and on those that
training made.  **Fails** with masks that are uniform modulo q, since top is then uniform as well, in every dimension.  It also
fails with a larger A, but then the key follows from the public key (`public_keys`).
"""

import numpy as np

from encnn.network import Network
from encnn.parties import EncryptedModel
from encnn.schemes.integer_vector import CiphertextArray


def read(c: CiphertextArray) -> np.ndarray:
    """Return the real vectors that the ciphertexts show, shape (..., m): top / (w scale)."""
    return c.data[..., : c.shape[-1]] / c.unit


def read_integers(c: CiphertextArray) -> np.ndarray:
    """Return the plaintext integers that the ciphertexts show, shape (..., m): round(top / w)."""
    return np.rint(c.data[..., : c.shape[-1]] / c.parameters.w).astype(np.int64)


def read_network(model: EncryptedModel) -> Network:
    """Return the weights that an encrypted model shows."""
    W2 = None if model.network.W2 is None else read(model.network.W2)
    return Network(model.architecture, read(model.network.W1), W2)
