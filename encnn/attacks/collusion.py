"""What a proxy and the recipient can do together: read the key of the sender.

The proxy's key holds P_i = [B^i T_A ; 0] + Z_i, which under S_B has the phase B^i T_A + E_i.  With P_i and S_B one can decrypt
the P_i of the highest digit that leaves room for T_A, and rounding removes E_i.
"""

import numpy as np

from encnn.arithmetic.modular import centred
from encnn.schemes.integer_vector import IntegerVectorSecretKey
from encnn.schemes.integer_vector.reencryption import ReencryptionKey
from encnn.schemes.integer_vector.ring import Rows


def secret_of_sender(proxy: ReencryptionKey, recipient: IntegerVectorSecretKey, m: int) -> np.ndarray:
    """Return T of the sender for vectors of width m, shape (m, d), from the proxy's key and the recipient's secret key."""
    p = recipient.parameters
    bits = p.q_bits or 64
    digit = (bits - 1 - p.T_bound.bit_length()) // proxy.base_bits
    block = proxy.blocks[m][digit]
    ciphertexts = np.concatenate([block[:m].T, Rows(block[m], p)[0 : p.d]], axis=1)
    phase = centred(ciphertexts @ recipient.S(m).T, bits)
    return np.rint(phase / 2.0 ** (proxy.base_bits * digit)).astype(np.int64).T
