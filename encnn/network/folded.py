"""A public second layer: a network with a hidden layer whose training is additions only.

With W2 fixed and public, z = sum_i x_i W1[i] . W2, and the update W1[i] -= a x_i e W2 changes u_i = W1[i] . W2 by
-a x_i e |W2|^2.  So one encrypted number a word is all that training needs: logistic regression on u, started at W1 . W2, with
the learning rate a |W2|^2.  The owner collapses the network before encrypting it and expands what comes back; the trainer
trains u.
"""

from encnn.errors import ParameterError
from encnn.network.architecture import Architecture, Network


def collapsed(network: Network) -> tuple[Network, float]:
    """Return (u, gain): the network without hidden layer that trains as this one does while its W2 stays fixed and public.

    Its learning rate is gain * a where this one's is a, gain = |W2|^2.  For one output and a linear hidden layer; anything else
    is a `ParameterError`.
    """
    a, W2 = network.architecture, network.W2
    if W2 is None or a.outputs != 1 or a.hidden_sigmoid is not None:
        raise ParameterError("only a network with a linear hidden layer and one output collapses; train another with products")
    u = Network(Architecture(a.features, hidden=0, pooling=a.pooling), network.W1 @ W2[:, None], None)
    return u, float(W2 @ W2)


def expanded(start: Network, u: Network) -> Network:
    """Return the trained network with hidden layer: W1 + (u - W1 W2) W2^T / |W2|^2 for the start (W1, W2) and the trained u."""
    W2 = start.W2
    if W2 is None:
        raise ParameterError("the start has no hidden layer to expand into; use the trained network as it is")
    moved = (u.W1 - start.W1 @ W2[:, None]) @ W2[None, :] / (W2 @ W2)
    return Network(start.architecture, start.W1 + moved, W2)
