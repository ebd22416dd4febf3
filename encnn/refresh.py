"""The owner refreshes the weights: it decrypts what the trainer has computed and sends fresh encryptions of it.

Ciphertexts of leveled schemes take so many products and no more.  Before a step for which too few are left, the trainer sends
its weights (one *trip*), and the owner decrypts, checks and encrypts them anew.  The trainer gets ciphertexts only:

- **never a decryption**, which in an approximate scheme shows noise and so the key (Li, Micciancio, EUROCRYPT 2021), and in any
  scheme the model;
- **fresh encryptions**, made with new randomness: they depend on the decrypted numbers and on nothing else of what was sent.

What the trainer does learn is whether the owner goes on.  A trainer that sends chosen ciphertexts learns by each answer that
their numbers are within `limit`, and no more; after one refusal the owner answers no further.  The text of an error names
decrypted numbers: it is for the owner's eyes, and where the parties are two processes only the end of the run crosses.

Messages cross as arrays of bytes and JSON headers (`export_array`), as they would between two processes, and are counted.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from encnn.errors import CapabilityError, DivergenceError, ParameterError
from encnn.network import Architecture, Network, OnScores, TrainingPlan
from encnn.roles import EncryptedModel, Owner
from encnn.schemes.base import Encrypted, Evaluator, SecretKey
from encnn.schemes.ckks import CKKSEvaluator, PackedArray, polynomial_depth
from encnn.sigmoid import Sigmoid

Message = list[tuple[dict, np.ndarray, tuple[int, ...]]]
"""(header, array, shape) of each encrypted array."""

LIMIT = 16.0
"""Largest |weight| that the owner encrypts anew by default: far beyond sound weights, within what ciphertexts hold."""

BEYOND = 0.01
"""Share of the scores of a report that may lie outside the polynomial's interval before the owner ends the run."""


@dataclass
class Tally:
    """The owner's work, and what crossed: trips, bytes to the owner and back, its CPU seconds, bytes of scores it was shown."""

    trips: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    cpu_seconds: float = 0.0
    score_bytes_up: int = 0


class Refreshes(Protocol):
    """Whoever answers a message with the same arrays, encrypted anew: the owner, or a channel that leads to it."""

    def refresh(self, message: Message) -> Message:
        """Return fresh encryptions of the arrays."""


@dataclass
class OwnerOfWeights:
    """The owner's side.

    secret, evaluator: of the owner's key.  limit: largest |weight| that it encrypts anew.
    """

    secret: SecretKey = field(repr=False)
    evaluator: Evaluator
    limit: float = LIMIT
    tally: Tally = field(default_factory=Tally)
    closed: bool = field(default=False, init=False)

    def refresh(self, message: Message) -> Message:
        """Return fresh encryptions; raise `DivergenceError`, for good, if a weight is beyond the limit."""
        if self.closed:
            raise DivergenceError("the owner has ended this run and answers no more; start another one")
        begun = time.process_time()
        arrays = [self.secret.decrypt(self.evaluator.restore_array(*part)) for part in message]
        self._check(arrays)
        answer = as_message(self.evaluator, [self.secret.encrypt(v) for v in arrays])
        self.tally.trips += 1
        self.tally.bytes_up += size(message)
        self.tally.bytes_down += size(answer)
        self.tally.cpu_seconds += time.process_time() - begun
        return answer

    def watch(self, plan: TrainingPlan) -> OnScores:
        """Return a check for `train(on_scores=...)`, which raises `DivergenceError` when z leaves the polynomial's interval.

        A few reviews beyond it do no harm, since a fit degrades slowly; a share of more than `BEYOND` of a report does.
        """

        def check(first_review: int, scores: Encrypted) -> None:
            shown = scores.smallest() if isinstance(scores, PackedArray) else scores
            sent = as_message(self.evaluator, [shown])
            self.tally.score_bytes_up += size(sent)
            begun = time.process_time()
            z = self.secret.decrypt(self.evaluator.restore_array(*sent[0]))
            self.tally.cpu_seconds += time.process_time() - begun
            check_interval(plan, z, first_review)

        return check

    def _check(self, arrays: Sequence[np.ndarray]) -> None:
        largest = max(float(np.abs(v).max()) for v in arrays)
        if not largest <= self.limit:
            self.closed = True
            raise DivergenceError(
                f"a weight reached {largest:.3g}, the owner encrypts up to {self.limit:g} anew: training diverged, or the "
                "ciphertexts overflowed; lower the learning rate, or raise `limit` within what the parameters hold"
            )


@dataclass
class WeightRefresh:
    """The trainer's side: called before a step, it has the owner refresh the weights when fewer than `levels` are left.

    network: in training; its weights are replaced in place.  channel: to the owner.  levels: what a step spends.
    """

    network: Network
    channel: Refreshes
    evaluator: Evaluator
    levels: int

    def __call__(self, W1: Any) -> None:
        """Refresh if need be, W1 and W2 in one trip."""
        arrays = [W1] if self.network.W2 is None else [W1, self.network.W2]
        if min(a.level for a in arrays) < self.levels:
            self.now()

    def now(self) -> None:
        """Refresh."""
        network = self.network
        arrays = [network.W1] if network.W2 is None else [network.W1, network.W2]
        answer = self.channel.refresh(as_message(self.evaluator, arrays))
        if [shape for *_, shape in answer] != [a.shape for a in arrays]:
            raise ParameterError("the owner's answer has other arrays than were sent; take the answer to this message")
        for a, part in zip(arrays, answer, strict=True):
            a.replace(self.evaluator.restore_array(*part))


def assisted(owner: Owner, model: EncryptedModel, limit: float = LIMIT) -> tuple[EncryptedModel, OwnerOfWeights]:
    """Return the model for a `Trainer`, whose weights the owner refreshes as needed, and the owner's side with its tally.

    Both parties are in this process, so the model leads to the owner; the one that was passed does not, and shares its weights.
    Schemes without levels, or parameters with too few of them for one step, raise `CapabilityError`.
    """
    if not isinstance(model.evaluator, CKKSEvaluator):
        raise CapabilityError(
            f"scheme {model.evaluator.scheme!r} has no levels to refresh; this is for the scheme 'ckks', and owners assist "
            "'integer_vector' by encnn.protocol"
        )
    levels, p = step_levels(model.architecture, model.sigmoid), model.evaluator.parameters
    if levels > p.levels:
        raise CapabilityError(
            f"a step of {model.architecture} with the sigmoid {model.sigmoid.name!r} spends {levels} levels of 'ckks', "
            f"{p.name!r} have {p.levels}; use parameters with more primes, a sigmoid of lower degree, or no hidden layer"
        )
    side = OwnerOfWeights(owner.secret_key, model.evaluator, limit)
    refresh = WeightRefresh(model.network, side, model.evaluator, levels)
    return EncryptedModel(model.evaluator.assisted_by(refresh), model.network, model.sigmoid), side


def step_levels(a: Architecture, sigmoid: Sigmoid) -> int:
    """Return the levels of CKKS that one step of training spends.

    Without hidden layer X W, the sigmoid and X^T d.  With one, after X W its activation, the inner product with W2 (two), the
    sigmoid, the product with W2 (with the activation's slope, one more) and X^T G; the gradient of W2 spends no more.
    """
    levels = polynomial_depth(getattr(sigmoid, "coefficients", ()))
    if not a.hidden:
        return 1 + levels + 1
    activation = 0 if a.hidden_sigmoid is None else polynomial_depth(a.hidden_sigmoid.coefficients)
    return 1 + activation + 2 + levels + 1 + (a.hidden_sigmoid is not None) + 1


def as_message(evaluator: Evaluator, arrays: Sequence[Encrypted]) -> Message:
    """Return encrypted arrays as what crosses."""
    return [(*evaluator.export_array(a), a.shape) for a in arrays]


def size(message: Message) -> int:
    """Return the bytes of a message."""
    return sum(array.nbytes + len(json.dumps([header, shape])) for header, array, shape in message)


def check_interval(plan: TrainingPlan, z: np.ndarray, first_review: int = 0) -> None:
    """Raise `DivergenceError` if more than a share of `BEYOND` of z lies outside the interval of the polynomial."""
    low, high = plan.sigmoid.interval
    outside = ~((z >= low) & (z <= high))
    if outside.mean() > BEYOND:
        raise DivergenceError(
            f"z left the range of the sigmoid: from review {first_review} on, {outside.sum()} of {z.size} scores are outside "
            f"{low:g} to {high:g} (largest |z| {np.abs(z).max():.3g}; {plan.sigmoid.name}); lower the learning rate, clip the "
            "features, or fit the polynomial on a wider range"
        )
