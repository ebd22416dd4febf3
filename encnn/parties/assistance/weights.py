"""The owner refreshes the weights: it decrypts what the trainer has computed and sends fresh encryptions of it.

Ciphertexts of leveled schemes allow only so many products.  Before a step for which too few are left, the trainer sends its
weights (one *trip*), and the owner decrypts, checks and encrypts them again.  The trainer gets only ciphertexts:

- **never a decryption**: in an approximate scheme it shows noise and so the key (Li, Micciancio, EUROCRYPT 2021), and in any
  scheme it shows the model;
- **fresh encryptions**, made with new randomness: they depend on the decrypted numbers and on nothing else that was sent.

The trainer does learn whether the owner goes on.  From each answer, a trainer that sends chosen ciphertexts learns that their
numbers are within `limit`, and no more.  After one refusal the owner answers no further.  The text of an error names decrypted
numbers, so only the owner may see it.  Between two processes only the end of the run crosses.

The two sides are `OwnerOfWeights`, who holds the secret key, and `WeightRefresh`, the help that `Trainer.train` is given:

    trainer                                                   owner
    fewer levels left than a step takes   -- Weights ---->    W = Dec(weights), all |W| within the limit
    weights in place of the old ones      <---- Weights --    Enc(W)

Between them is a channel, as in `scores`: a `DirectChannel` in one process, a `folders.FolderChannel` as files between two.
In both, messages are arrays of bytes with JSON headers (`export_array`), and their bytes are counted.

**FV and YASHE** cannot divide.  With the sigmoid c_0 + c_1 z, rate a, rows of at most r words and batches of at most B reviews,
one step of logistic regression

    z = X W      d = c_0 + c_1 z - y      W <- W - a X^T d

multiplies plaintexts and noise by at most  s + B n_2 (r n_1 + s),  where c_1 = n_1 / s_1, a = n_2 / s_2, s = s_1 s_2 in fixed
point.  In the fractional encoding powers of two are shifts, so s = 1, and n_1 and n_2 count the digits of c_1 and a.  A step
costs about as many bits in either encoding, and as many bits of noise as of plaintext: between 10 and 20 for mini-batches.
When fewer are left, the trainer sends the weights to the owner (a trip), who sends fresh encryptions back.
"""

import json
import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from encnn.arithmetic.sigmoid import BEYOND, PolynomialSigmoid, Sigmoid
from encnn.data import Features, features_of
from encnn.data.batches import Batch, batches
from encnn.errors import CapabilityError, DataError, DivergenceError, KeyMismatchError, ParameterError
from encnn.network import Architecture, Help, Network, OnScores, TrainingPlan, TrainingRun
from encnn.network.architecture import W
from encnn.network.training import UpdateBatch
from encnn.parties.assistance.scores import Channel, Opening, Tally, check_trip, check_turn, decrypting, opened
from encnn.schemes.base import Encrypted, Evaluator, KeyContext, SecretKey, Targets
from encnn.schemes.ckks import CKKSEvaluator, PackedArray, polynomial_depth
from encnn.schemes.encoders import FractionalEncoder, dyadic
from encnn.schemes.rings.evaluator import RingEvaluator
from encnn.schemes.rings.parameters import RingParameters

LIMIT = 16.0
"""The default for the largest |weight| that the owner encrypts again, far above sound weights.  Ciphertexts hold it."""

Part = tuple[dict, np.ndarray, tuple[int, ...]]
"""An encrypted array as (header, array, shape)."""


class TrainedModel(Protocol):
    """What is asked here of an encrypted model (`parties.EncryptedModel`): its network, with the keys and the sigmoid."""

    evaluator: Evaluator
    network: Network
    sigmoid: Sigmoid

    @property
    def architecture(self) -> Architecture:
        """Shape of the network."""


# -- messages


@dataclass(frozen=True)
class Weights:
    """Encrypted weights on their way to the owner, or fresh encryptions of them on their way back."""

    trip: int  # 1, 2, ...
    key_id: str  # the name of their key
    parts: Sequence[Part]  # W1 and, if there is a hidden layer, W2

    @property
    def nbytes(self) -> int:
        """Bytes of what it says."""
        return sum(array.nbytes + len(json.dumps([header, shape])) for header, array, shape in self.parts)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the arrays."""
        return [shape for *_, shape in self.parts]


def as_parts(evaluator: Evaluator, arrays: Sequence[Encrypted]) -> list[Part]:
    """Return encrypted arrays as parts of a message."""
    return [(*evaluator.export_array(a), a.shape) for a in arrays]


def weights_of(network: Network[W]) -> list[W]:
    """Return W1 and, behind a hidden layer, W2."""
    return [network.W1] if network.W2 is None else [network.W1, network.W2]


# -- the owner's side


class OwnerOfWeights:
    """The owner's side: holds the secret key and encrypts the received weights again, one message after the other.

    secret: the owner's key.  model: as it was handed out; it says which arrays may come, and how large.  limit: the largest
    |weight| that is encrypted again; the default is what fresh ciphertexts hold, or `LIMIT`.  max_trips: the most messages that
    are answered, if the length of the run is known.

    `answer` raises `KeyMismatchError` for weights under another key, `DataError` for a wrong turn or other arrays, and
    `FileError` for malformed messages; all of these depend only on what everybody sees.  It raises `DivergenceError` for
    weights beyond the limit, and for any other failure after the decryption; then it is `closed` and answers no more (see
    `scores.decrypting`).
    """

    def __init__(
        self, secret: SecretKey, model: TrainedModel, limit: float | None = None, max_trips: int | None = None
    ) -> None:
        self._secret, self._evaluator = secret, model.evaluator
        self._shapes = [a.shape for a in weights_of(model.network)]
        self.limit = getattr(model.evaluator.parameters, "value_limit", LIMIT) if limit is None else limit
        self.largest_bytes = _bytes_in_memory(weights_of(model.network))
        self.tally, self.closed, self.max_trips = Tally(), False, max_trips

    def __repr__(self) -> str:
        """Name key and counts, nothing secret."""
        return f"OwnerOfWeights(key_id={self._evaluator.key_id}, limit={self.limit:g}, trips={self.tally.trips})"

    @property
    def context(self) -> KeyContext | None:
        """The name of the key and its parameters."""
        return self._evaluator.context

    def opening(self) -> Opening:
        """Return the message that opens a run."""
        return Opening(self._evaluator.key_id)

    def answer(self, request: Weights) -> Weights:
        """Return fresh encryptions of the weights."""
        begun = time.process_time()
        self._check(request)
        encrypted = [self._evaluator.restore_array(*part) for part in request.parts]  # all of them, before any is decrypted
        with decrypting(self):
            weights = [self._secret.decrypt(a) for a in encrypted]
            self._check_size(weights)
            fresh = [self._secret.encrypt(v) for v in weights]
            answer = Weights(request.trip, self._evaluator.key_id, as_parts(self._evaluator, fresh))
        self.largest_bytes = max(self.largest_bytes, _bytes_in_memory(fresh))
        self.tally.count(request.nbytes, answer.nbytes, time.process_time() - begun)
        return answer

    def watch(self, plan: TrainingPlan) -> OnScores:
        """Return a check for `train(on_scores=...)`, which raises `DivergenceError` when z leaves the polynomial's interval.

        A few reviews outside do no harm, since a fit degrades slowly; more than a share of `BEYOND` of a report does.
        The check holds the secret key, so the owner runs it.  In one process it stands for scores that are sent back.
        """

        def check(first_review: int, scores: Encrypted) -> None:
            shown = scores.smallest() if isinstance(scores, PackedArray) else scores
            sent = Weights(0, self._evaluator.key_id, as_parts(self._evaluator, [shown]))
            self.tally.score_bytes_up += sent.nbytes
            received = self._evaluator.restore_array(*sent.parts[0])
            begun = time.process_time()
            with decrypting(self):
                z = self._secret.decrypt(received)
                self.tally.cpu_seconds += time.process_time() - begun
                check_interval(plan, z, first_review)

        return check

    def _check(self, request: Weights) -> None:
        """Raise unless the request is next in turn, under this key, and of the weights that were handed out."""
        check_turn(self, request.trip)
        if request.key_id != self._evaluator.key_id:
            raise KeyMismatchError(
                f"weights under key {request.key_id!r:.80} came to key {self._evaluator.key_id}; ask their own owner"
            )
        if request.shapes != self._shapes:
            raise DataError(
                f"weights of shapes {request.shapes!r:.200} came, but {self._shapes} were handed out; send all of those"
            )

    def _check_size(self, weights: Sequence[np.ndarray]) -> None:
        largest = float(np.max([np.abs(v).max() for v in weights]))  # NaN if any is
        if not largest <= self.limit:
            raise DivergenceError(
                f"a weight reached {largest:.3g}, but the owner encrypts weights up to {self.limit:g} only: training diverged, "
                "or the ciphertexts overflowed; lower the learning rate, or raise `limit` within what the parameters hold"
            )


def _bytes_in_memory(arrays: Sequence[Encrypted]) -> int:
    return sum(a.nbytes for a in arrays)


# -- the trainer's side


class WeightRefresh(Help):
    """The trainer's side: help for `Trainer.train`.  The owner renews the weights before each step for which that is `due`.

    This class renews before every step; `LevelRefresh` and `BudgetRefresh` know when it is needed.
    model: in training; its weights are replaced in place.  channel: to the owner.  The owner's first message is awaited at
    once, so that a wrong owner is noticed before training.  The object holds these two and no secret.
    """

    def __init__(self, model: TrainedModel, channel: Channel[Weights, Weights]) -> None:
        _check_renewed(model)
        super().__init__()
        self.model, self._channel, self.trips = model, channel, 0
        opened(channel, model.evaluator.key_id)

    def steps(self, run: TrainingRun) -> AbstractContextManager[UpdateBatch]:
        """Return the trainer's own steps, each after a refresh of W1 and W2 in one trip if it is due."""
        if run.network is not self.model.network:
            raise ParameterError("this refresh was made for another model than the one in training; make one for each model")
        step = run.step()

        def refreshed(batch: Batch, targets: Targets, rate: float) -> Encrypted:
            if self.due():
                self.now()
            return step(batch, targets, rate)

        return nullcontext(refreshed)

    def due(self) -> bool:
        """Return whether the weights must be renewed before the next step."""
        return True

    def now(self) -> None:
        """Have the owner renew the weights now."""
        evaluator, arrays = self.model.evaluator, weights_of(self.model.network)
        self.trips += 1
        key_id = evaluator.key_id
        answer = self._channel.ask(Weights(self.trips, key_id, as_parts(evaluator, arrays)))
        check_trip(answer.trip, self.trips)
        if answer.key_id != key_id or answer.shapes != [a.shape for a in arrays]:
            raise DataError(
                "the owner's answer has other arrays or another key than the weights that were sent; take the answer to this "
                "message, and use one folder per run"
            )
        fresh = [evaluator.restore_array(*part) for part in answer.parts]  # all of them, before any is replaced
        for a, b in zip(arrays, fresh, strict=True):
            a.replace(b)


def _check_renewed(model: TrainedModel) -> None:
    """Raise `CapabilityError` unless the model is of a scheme whose weights an owner renews."""
    if not isinstance(model.evaluator, CKKSEvaluator | RingEvaluator):
        raise CapabilityError(
            f"scheme {model.evaluator.scheme!r} has no weights that an owner must renew; pass an AssistedStep of "
            "encnn.parties.assistance.scores for 'integer_vector' with a modulus, and leave `help` out for others"
        )


class LevelRefresh(WeightRefresh):
    """The trainer's side under CKKS: a refresh is due when fewer levels are left than a step spends.

    Parameters with too few levels for one step raise `CapabilityError`.
    """

    def __init__(self, model: TrainedModel, channel: Channel[Weights, Weights]) -> None:
        _check_renewed(model)
        if not isinstance(model.evaluator, CKKSEvaluator):
            raise CapabilityError(
                f"scheme {model.evaluator.scheme!r} has no levels to refresh; use BudgetRefresh, or refresh_for, which knows "
                "what each scheme needs"
            )
        self.levels, p = step_levels(model.architecture, model.sigmoid), model.evaluator.parameters
        if self.levels > p.levels:
            raise CapabilityError(
                f"a step of {model.architecture} with the sigmoid {model.sigmoid.name!r} spends {self.levels} levels of 'ckks'"
                f", but {p.name!r} has {p.levels}; use parameters with more primes (HIDDEN_128), a sigmoid of lower degree, or "
                "hidden=0"
            )
        super().__init__(model, channel)

    def due(self) -> bool:
        """Return whether W1 or W2 has too few levels for a step."""
        return min(a.level for a in weights_of(self.model.network)) < self.levels


class BudgetRefresh(WeightRefresh):
    """The trainer's side under FV and YASHE: a refresh is due when a budget of W1 has fewer bits than a step takes.

    plan, X: as in training; its mini-batches and rows must be no larger than these.
    """

    def __init__(self, model: TrainedModel, channel: Channel[Weights, Weights], plan: TrainingPlan, X: Features) -> None:
        _check_renewed(model)
        if not isinstance(model.evaluator, RingEvaluator):
            raise CapabilityError(
                f"scheme {model.evaluator.scheme!r} has no such budgets; use LevelRefresh, or refresh_for, which knows what "
                "each scheme needs"
            )
        self.bits = step_bits(model.evaluator.parameters, plan, X)
        super().__init__(model, channel)

    def due(self) -> bool:
        """Return whether W1 has too few bits left, of noise or of plaintext, for a step."""
        W1 = self.model.network.W1
        return bool(min(W1.noise_budget_bits, W1.plaintext_budget_bits) < self.bits)


def refresh_for(model: TrainedModel, channel: Channel[Weights, Weights], plan: TrainingPlan, X: Features) -> WeightRefresh:
    """Return the trainer's side for this model's scheme, which refreshes by levels or by budgets.

    Behind a hidden layer, FV and YASHE refresh before every step: its products take most of what ciphertexts hold.
    """
    if hasattr(model.evaluator.parameters, "levels"):
        return LevelRefresh(model, channel)
    return WeightRefresh(model, channel) if model.architecture.hidden else BudgetRefresh(model, channel, plan, X)


def step_levels(a: Architecture, sigmoid: Sigmoid) -> int:
    """Return the levels of CKKS that one step of training spends.

    Without hidden layer these are X W, the sigmoid and X^T d.  With one, X W is followed by its activation, the inner product
    with W2 (two), the sigmoid, the product with W2 (with the activation's slope, one more) and X^T G; the gradient of W2 spends
    no more.
    """
    levels = polynomial_depth(getattr(sigmoid, "coefficients", ()))
    if not a.hidden:
        return 1 + levels + 1
    activation = 0 if a.hidden_sigmoid is None else polynomial_depth(a.hidden_sigmoid.coefficients)
    return 1 + activation + 2 + levels + 1 + (a.hidden_sigmoid is not None) + 1


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


def step_bits(p: RingParameters, plan: TrainingPlan, X: Features) -> int:
    """Return the bits of noise and of plaintext that one step of logistic regression takes at most, for pooling "sum"."""
    X, sigmoid = features_of(X), plan.sigmoid
    if not isinstance(sigmoid, PolynomialSigmoid) or sigmoid.degree != 1 or plan.decay or plan.divide_update:
        raise CapabilityError(
            f"scheme {p.scheme!r} trains by additions with a sigmoid of degree 1 and a constant rate: use "
            "TrainingPlan(taylor(1), rate), or have the owner renew the weights before every step (help=WeightRefresh(...))"
        )
    (n_1, s_1), (n_2, s_2) = (factor_growth(p, f) for f in (sigmoid.coefficients[1], plan.learning_rate))
    r, B = (
        max(sizes)
        for sizes in zip(*((b.largest_row(), b.largest_column()) for _, b in batches(X, plan.batch_size)), strict=True)
    )
    return math.ceil(math.log2(s_1 * s_2 + B * n_2 * (r * n_1 + s_1 * s_2)))


def factor_growth(p: RingParameters, factor: float) -> tuple[float, float]:
    """Return (growth of plaintext and noise, growth of the scale) of a product with a plain factor."""
    if isinstance(p.encoder, FractionalEncoder):
        return float(sum(abs(digit) for digit, _ in p.encoder.signed_powers(factor))), 1.0
    n, k = dyadic(np.array(factor))
    return float(abs(n.item())), 2.0**k
