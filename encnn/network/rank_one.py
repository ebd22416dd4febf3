"""Rank one: a linear hidden layer that starts from W1 = 0 needs only one number per word, however many units it has.

**Claim.**  Let a network have a linear hidden layer and one output, and let W1 = 0 at the start.  Write w = W2 / |W2| and
b = |W2| for the start.  Then, after every mini-batch,

    W1 = U w^T     W2 = b w     with a vector U of one number per word, one number b, and w as at the start.

**Proof** by induction over mini-batches.  It holds at the start with U = 0.  Suppose that it holds before a mini-batch, and let
s = x U, which is the sum of the numbers of a review's words, or their mean.  Then

    h = x W1 = s w^T               z = h W2 = s b w^T w = s b            since |w| = 1
    W2 -= a sum_r h_r^T d_r        is    b -= a sum_r d_r s_r            since h_r is a multiple of w^T
    W1[i] -= a x_i d W2^T          is    U[i] -= a x_i d b               since W2 is a multiple of w

so both updates leave w as it is, and the claim holds after the mini-batch.  Nothing was assumed of the error d but that it
depends on z and the label.  So the claim holds for every batch size, rate, decay, number of epochs, sigmoid and pooling, and
also with factors on updates (`divide_update`, multipliers of steps) or on rows (`shrink`).

**Use.**  (U, b) is a network of `Architecture(hidden=1)`.  The same loop trains it by the same plan, and its scores are those
of the whole network.  The owner encrypts U, b and w, and the trainer learns none of them.  It trains U and b, and carries w
along unread (`Network.direction`), so that the owner can expand whatever model comes back.  This takes fewer ciphertexts by the
factor `hidden`.  Besides, b is known to be positive at the start.

**Where it fails.**  It does not hold if W1 starts from other values, if the hidden layer has a sigmoid (units with different W2
then get different updates), or if there are several outputs (the rank is then at most the number of outputs).  Such networks
need the products of the general step.
"""

from dataclasses import replace

import numpy as np

from encnn.errors import DataError, ParameterError
from encnn.network.architecture import Network

MOST_OFF_ONE = 1e-3
"""How far |w| may be from 1.  The noise of a fresh ciphertext moves it by less than a thousandth of this."""


def obstacle(network: Network) -> str | None:
    """Return the reason why a network in the clear does not stay of rank one, or None if it does."""
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
    """Return (the network of one hidden unit, with U = 0 and b = |W2|; the direction w of W2, shape (hidden,)).

    Raises `ParameterError` if the network does not stay of rank one.
    """
    found = obstacle(network)
    if found is not None or network.W2 is None:
        raise ParameterError(
            f"this network does not stay of rank one, because {found}; train it as it is, by the general step with products of "
            "ciphertexts, or start from W1 = 0 with a linear hidden layer and one output"
        )
    b = float(np.linalg.norm(network.W2))
    a = replace(network.architecture, hidden=1)
    return Network(a, np.zeros((a.features, 1)), np.array([b]), network.weight_bound), network.W2 / b


def expanded(network: Network, w: np.ndarray) -> Network:
    """Return the network with W1 = U w^T and W2 = b w, for (U, b) in the clear and the direction w, shape (hidden,).

    Raises `DataError` unless |w| = 1.  Otherwise the scores of the whole network would not be those of (U, b), which were
    trained and predicted: they would be |w|^2 times as large.
    """
    if network.W2 is None or network.architecture.hidden != 1 or network.architecture.outputs != 1:
        raise ParameterError(
            f"only a network of one hidden unit and one output can be expanded, not {network.architecture}; pass the network "
            "that `reduced` made, after its training"
        )
    size = float(np.linalg.norm(w))
    if not abs(size - 1) <= MOST_OFF_ONE:
        raise DataError(
            f"the direction of W2 has the length {size:.3g}, not 1, so somebody changed it after it was encrypted; reject this "
            "model, and have another trainer train the model that you encrypted"
        )
    a = replace(network.architecture, hidden=len(w))
    return Network(a, network.W1 * w, network.W2 * w, network.weight_bound)
