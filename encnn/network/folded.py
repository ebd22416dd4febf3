"""A public second layer: training such a network needs additions only.

With W2 fixed and public, z = sum_i x_i W1[i] . W2, and the update W1[i] -= a x_i e W2 changes u_i = W1[i] . W2 by
-a x_i e |W2|^2.  So training needs one encrypted number per word only.  It is logistic regression on u, which starts at W1 .
W2, with the learning rate a |W2|^2.  The owner collapses the network before it encrypts it.  The trainer trains u.  The owner
then expands the result.
"""

from encnn.errors import ParameterError
from encnn.network.architecture import Architecture, Network


def collapsed(network: Network) -> tuple[Network, float]:
    """Return (u, gain): u is a network without a hidden layer that trains as this one does while W2 stays fixed and public.

    If the learning rate of this network is a, that of u is gain * a, with gain = |W2|^2.  Raises `ParameterError` unless the
    network has one output and a linear hidden layer.
    """
    a, W2 = network.architecture, network.W2
    if W2 is None or a.outputs != 1 or a.hidden_sigmoid is not None:
        raise ParameterError("only a network with a linear hidden layer and one output collapses; train another with products")
    u = Network(Architecture(a.features, hidden=0, pooling=a.pooling), network.W1 @ W2[:, None], None)
    return u, float(W2 @ W2)


def expanded(start: Network, u: Network) -> Network:
    """Return the trained network with hidden layer: W1 + (u - W1 W2) W2^T / |W2|^2, for initial (W1, W2) and the trained u."""
    W2 = start.W2
    if W2 is None:
        raise ParameterError("the start has no hidden layer to expand into; use the trained network as it is")
    moved = (u.W1 - start.W1 @ W2[:, None]) @ W2[None, :] / (W2 @ W2)
    return Network(start.architecture, start.W1 + moved, W2)
