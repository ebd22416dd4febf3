"""Rank one: a linear hidden layer that starts from W1 = 0 is one number per word, however many units it has.

Let W1 = 0 at the start, and let the network have a linear hidden layer and one output.  With b = |W2| and w = W2 / |W2| of the
start,

    W1 = U w^T     W2 = b w     at every step,  U one number per word, b one number.

**Proof**, by induction over mini-batches.  At the start U = 0.  If it holds before a mini-batch, then s = x U (the sum of the
numbers of the words, or their mean) gives

    h = x W1 = s w^T               z = h W2 = s b w^T w = s b            since |w| = 1
    W2 -= a sum_r h_r^T d_r        is    b -= a sum_r d_r s_r            a multiple of w
    W1[i] -= a x_i d W2^T          is    U[i] -= a x_i d b               a multiple of w^T

so it holds after it.  The error d depends on z only.  So batch size, rate, decay, epochs, sigmoid and pooling do not matter,
nor do factors on updates (`divide_update`, multipliers of steps) or on rows (`shrink`).

So (U, b) is `Architecture(hidden=1)`, trained by the same loop with the same plan, and its scores are those of the whole
network.  An owner encrypts U, b and w.  The trainer learns none of them.  It trains U and b, and carries w along unread
(`Network.direction`), so that the owner can expand whatever model comes back.  Training takes fewer ciphertexts by the factor
`hidden`, and b starts positive.

**It does not hold** for another start of W1, for a hidden sigmoid (units with different W2 then get different updates), or for
several outputs (there the rank is at most the number of outputs).  Such networks need the products of the general step.
"""

from dataclasses import replace

import numpy as np

from encnn.errors import ParameterError
from encnn.network.architecture import Network


def obstacle(network: Network) -> str | None:
    """Return what keeps a network in the clear from staying of rank one; None if it stays so."""
    a, W2 = network.architecture, network.W2
    if W2 is None:
        return "it has no hidden layer"
    if a.outputs != 1:
        return f"it has {a.outputs} outputs, so its rank is up to {a.outputs}"
    if a.hidden_sigmoid is not None:
        return "its hidden layer has a sigmoid"
    if np.any(network.W1):
        return "W1 is not zero at the start"
    return None if np.any(W2) else "W2 is zero at the start, so nothing would ever be learnt"


def reduced(network: Network) -> tuple[Network, np.ndarray]:
    """Return (the network of one hidden unit, w): U = 0 and b = |W2|, and the direction w of W2, shape (hidden,).

    Raises `ParameterError` if the network does not stay of rank one.
    """
    found = obstacle(network)
    if found is not None or network.W2 is None:
        raise ParameterError(
            f"this network does not stay of rank one: {found}; train it as it is, by the general step with products of "
            "ciphertexts, or start from W1 = 0 with a linear hidden layer and one output"
        )
    b = float(np.linalg.norm(network.W2))
    a = replace(network.architecture, hidden=1)
    return Network(a, np.zeros((a.features, 1)), np.array([b]), network.weight_bound), network.W2 / b


def expanded(network: Network, w: np.ndarray) -> Network:
    """Return the network with W1 = U w^T and W2 = b w, for (U, b) in the clear and the direction w, shape (hidden,)."""
    if network.W2 is None or network.architecture.hidden != 1 or network.architecture.outputs != 1:
        raise ParameterError(f"a network of rank one has one hidden unit and one output, not {network.architecture}")
    a = replace(network.architecture, hidden=len(w))
    return Network(a, network.W1 * w, network.W2 * w, network.weight_bound)
