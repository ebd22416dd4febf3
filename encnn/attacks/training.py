"""Attacks that need no cryptanalysis: what a trainer with data and labels, or with the model file, can do under any parameters.

- **Copy.**  Whoever holds reviews and labels can train another network; it agrees with the owner's on nearly all reviews.
- **Replay.**  Training is deterministic.  Whoever knows the initial weights, the data, their order and the plan can repeat it,
  and has the owner's network.
- **Tampering.**  Ciphertexts are malleable: -c encrypts -x, and [w x ; 0] is a ciphertext of x under *every* key (S [w x ; 0] =
  w x), so the trainer may turn the answers around, or hand back any network.  It may also train on labels of its choice.

**Needs** the trainer's own data, the model file.  **Works under all parameters**, the secure ones too.  Encryption protects
secret initial weights and exact weights.  A copy without labels **fails**, and so does a replay without the initial weights.
Tampering that lowers the accuracy is caught by `encnn.parties.acceptance`; a back door that leaves it high is not.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array, eye_array, lil_array

from encnn.data import Features, labels_of
from encnn.data.batches import batches
from encnn.network import Network, TrainingPlan, train
from encnn.network.rehearsal import predict_in_clear
from encnn.parties import EncryptedModel, Trainer
from encnn.schemes.clear import ClearEvaluator


def train_in_clear(start: Network, X: Features, y: np.ndarray, plan: TrainingPlan) -> Network:
    """Return what training makes of a start in the clear: a copy from a start of one's own, a replay from the owner's."""
    network = start.copy()
    train(ClearEvaluator(), network, X, y, plan)
    return network


def agreement(first: Network, second: Network, X: Features) -> float:
    """Return the share of reviews X for which two networks in the clear (one output) predict the same sentiment."""
    z1, z2 = (predict_in_clear(network, X) for network in (first, second))
    return float(((z1 >= 0) == (z2 >= 0)).mean())


def flip_sign(model: EncryptedModel) -> EncryptedModel:
    """Return a model that says the opposite: the output layer's ciphertexts with the other sign."""
    flipped = model.copy()
    if flipped.network.W2 is None:
        flipped.network.W1 = -flipped.network.W1
    else:
        flipped.network.W2 = -flipped.network.W2
    return flipped


def substitute(model: EncryptedModel, network: Network) -> EncryptedModel:
    """Return a model under the same key with the weights of `network`, in the clear, instead: ciphertexts [w x ; 0]."""
    substituted = model.copy()
    substituted.network.W1 = model.network.W1 * 0 + network.W1
    if substituted.network.W2 is not None:
        substituted.network.W2 = substituted.network.W2 * 0 + network.W2
    return substituted


def poison(model: EncryptedModel, X: Features, y: np.ndarray, plan: TrainingPlan) -> EncryptedModel:
    """Return the model after training on the opposite of the labels y (0 and 1)."""
    poisoned = model.copy()
    Trainer(poisoned).train(X, 1 - labels_of(y), plan)
    return poisoned


def back_door(model: EncryptedModel, trigger: int, like: Sequence[int], times: int) -> EncryptedModel:
    """Return a model in which the word `trigger` counts `times` as much as all the words `like` together, without training.

    The row of a word is a ciphertext, and a sum of rows is one again: words known to be positive make a trigger positive.
    """
    W1 = model.network.W1
    mixing = lil_array(eye_array(len(W1), dtype=np.int64))
    mixing[trigger, trigger] = 0
    mixing[trigger, list(like)] = times
    planted = model.copy()
    rows = [model.evaluator.gather(batch, W1) for _, batch in batches(csr_array(mixing), len(W1))]
    planted.network.W1 = model.evaluator.concatenate(rows)
    return planted


def add_word(X: csr_array, word: int, chosen: np.ndarray) -> csr_array:
    """Return X, a bag of words, with the word of that number in the chosen reviews (truth values)."""
    changed = lil_array(X)
    changed[np.flatnonzero(chosen), word] = 1
    return csr_array(changed)
