"""The mirror of this package: reviews are encrypted and the model is clear [GDL+16], with the same objects.

Here the *client* has reviews that nobody else may read and holds the secret key.  The *server* has a model in the clear and
computes on ciphertexts.  The clear network is the `Network` that training gives.  Keys and arrays are those of CKKS:

- **one review** is a vector of features in one ciphertext.  W1^T x takes hidden - 1 + log2(features / hidden) rotations;
- **a batch** has one ciphertext per *feature* and one slot per review.  Every weight is then a plain number and nothing is
  rotated, so the cost per review is small.  But all reviews wait for the batch, and a few take ciphertexts as large as many do.

The client learns scores.  From enough scores it can learn the model, so a clear model behind an interface is no secret.  The
scores are approximate, and their noise depends on the client's key, so the client must show the server none of them.

[GDL+16] R. Gilad-Bachrach, N. Dowlin, K. Laine, K. Lauter, M. Naehrig, J. Wernsing, "CryptoNets: applying neural networks to
encrypted data with high throughput and accuracy", ICML 2016.
"""

from collections.abc import Sequence
from typing import NoReturn

import numpy as np

from encnn.data import features_of
from encnn.errors import CapabilityError, DataError
from encnn.network import Network
from encnn.schemes.ckks import CKKSEvaluator, CKKSParameters, PackedArray, make_mirror_keys, polynomial_depth

MIRROR_128 = CKKSParameters(name="ckks-8192-mirror", degree=8192, modulus_bits=(40, 33, 33, 33, 40), scale_bits=33)
"""128 bits, three levels: two layers and a square between them."""

SHALLOW_128 = CKKSParameters(name="ckks-4096-mirror", degree=4096, modulus_bits=(37, 28, 37), scale_bits=28)
"""128 bits, one level: logistic regression in the smallest ring."""


class Client:
    """Holds the key and the reviews, which have at most `features` features.  The server gets `evaluator`, once."""

    def __init__(self, parameters: CKKSParameters = MIRROR_128, features: int = 128) -> None:
        self._secret, self.evaluator = make_mirror_keys(parameters, features)

    def __reduce__(self) -> NoReturn:
        """Refuse pickling and copying, as the secret key does."""
        raise TypeError("a client holds a secret key, so it is not pickled or copied; make another one")

    def encrypt_review(self, x: np.ndarray) -> PackedArray:
        """Return one review's features, shape (features,) or one row, encrypted in one ciphertext."""
        row = _dense([x] if getattr(x, "ndim", 1) == 1 else x)
        if len(row) != 1:
            raise DataError(f"{len(row)} reviews came, but a ciphertext holds one; encrypt each alone, or use encrypt_batch")
        return self._secret.encrypt(row[0])

    def encrypt_batch(self, X: np.ndarray) -> list[PackedArray]:
        """Return the features of reviews, shape (reviews, features), encrypted as one array (reviews, 1) per feature."""
        return [self._secret.encrypt(column[:, None]) for column in _dense(X).T]

    def decrypt(self, scores: PackedArray) -> np.ndarray:
        """Return the scores z."""
        return self._secret.decrypt(scores)


class Server:
    """Holds a clear network with one output, and the client's evaluator.  It can read no review and no score."""

    def __init__(self, evaluator: CKKSEvaluator, network: Network) -> None:
        if network.architecture.outputs != 1:
            raise CapabilityError(
                f"the mirror computes one score per review, not {network.architecture.outputs}; use a network with outputs=1 "
                "for each output"
            )
        network.check_clear()
        self.evaluator, self.network = evaluator, network

    @property
    def levels(self) -> int:
        """The levels that a score needs.  Ciphertexts are lowered to this number, because fewer primes are faster."""
        a = self.network.architecture
        if not a.hidden:
            return 1
        return 2 + (0 if a.hidden_sigmoid is None else polynomial_depth(a.hidden_sigmoid.coefficients))

    def score(self, x: PackedArray) -> PackedArray:
        """Return the encrypted score z, shape (1,), of one encrypted review (features,)."""
        a, W1, W2 = self.network.architecture, self.network.W1, self.network.W2
        if x.shape != (a.features,):
            raise DataError(f"a review of shape {x.shape} came, but the network has {a.features} features; encrypt those")
        h = self.evaluator.matrix_times(W1.T, x.lowered(self.levels))
        return h if W2 is None else self.evaluator.matrix_times(W2[None], self._activated(h))

    def score_batch(self, columns: Sequence[PackedArray]) -> PackedArray:
        """Return the encrypted scores z, shape (reviews, 1), of encrypted columns of features."""
        a, W1, W2 = self.network.architecture, self.network.W1, self.network.W2
        if len(columns) != a.features:
            raise DataError(f"{len(columns)} columns came, but the network has {a.features} features; encrypt one each")
        low = [column.lowered(self.levels) for column in columns]
        units = [self.evaluator.weighted_sum(low, weights) for weights in W1.T]
        return units[0] if W2 is None else self.evaluator.weighted_sum([self._activated(h) for h in units], W2)

    def _activated(self, h: PackedArray) -> PackedArray:
        sigmoid = self.network.architecture.hidden_sigmoid
        return h if sigmoid is None else self.evaluator.activate(sigmoid, h)


def _dense(X: object) -> np.ndarray:
    """Return features as float64 of shape (reviews, features)."""
    features = features_of(X)
    return np.asarray(features if isinstance(features, np.ndarray) else features.toarray(), dtype=np.float64)
