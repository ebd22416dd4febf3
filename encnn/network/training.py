"""The network and its training loop, written once for every scheme.

For a review r with plaintext features x (its words), weights W1 (features x hidden) and W2 (hidden x outputs):

    h = x W1 (sum of the rows of its words, or their mean)     z = h W2     p = sigmoid(z)     d = p - y
    W2 -= a h^T d          W1[i] -= a x_i d W2^T

W1 is an array of `features` encrypted vectors, one per word.  W2 is one encrypted vector.  Without a hidden layer z = x W1, so
logistic regression multiplies no ciphertext by a ciphertext.  A mini-batch sums the updates of its reviews.

The loop never decrypts.  It returns encrypted scores z, which only the owner can read.  The same loop over the clear scheme,
from the same initial weights, is the **clear twin** of a run.
"""

import inspect
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from tqdm import tqdm

from encnn.arithmetic import checks
from encnn.arithmetic.sigmoid import Sigmoid
from encnn.data import Features, features_of, labels_of
from encnn.data.batches import Batch, Conditioned, TrainingFeatures, batches, training_features
from encnn.data.inputs import is_plain
from encnn.errors import CapabilityError, CiphertextOverflowError, DataError, KeyMismatchError, ParameterError
from encnn.network.architecture import Network, backward_products
from encnn.network.partial_scores import PartialScores, in_parts, joined, largest_part, mean_parts, raise_bound
from encnn.progress import progress
from encnn.schemes.base import Encrypted, ErrorStep, Evaluator, Targets
from encnn.schemes.bilinear import vector_matrix
from encnn.schemes.factored import FactoredScores

OnScores = Callable[[int, Encrypted], None]
"""Called with (first review, encrypted scores z of the reviews from there on) as they come; it may raise to stop the run."""

SCORES_PER_REPORT = 500
PARTS_PER_REPORT = 4096
"""Scores are reported sooner if they come in this many parts: 34 MB, several times over, under bootstrapping."""

KEPT_BYTES = 1 << 29
"""By default the scores of a run are kept if all of them together take no more than this."""


@dataclass(frozen=True)
class TrainingPlan:
    """How to train.  A plan is public, and a run and its clear twin use the same one.

    Pooling "mean" makes the update of a row the gradient only if it is divided by the number of words (divide_update).  The
    paper's network does not divide.
    """

    sigmoid: Sigmoid  # what stands for the sigmoid
    learning_rate: float = 0.001  # a; with `decay` it is a / (1 + decay * epochs done)
    decay: float = 0.0  # of the learning rate, after every epoch
    batch_size: int = 1  # reviews per mini-batch; their updates are summed
    epochs: int = 1  # passes over the reviews
    divide_update: bool = False  # with pooling "mean": whether updates are divided by the number of words
    shrink: float = 1.0  # factor on the rows of W1 at the end of every epoch; it keeps weights small (regularisation)

    def __post_init__(self) -> None:
        """Raise `ParameterError` for plans that cannot be carried out."""
        checks.check_types(self)
        checks.real("learning_rate", self.learning_rate, above=0)
        checks.real("decay", self.decay, least=0)
        checks.whole("batch_size", self.batch_size, least=1)
        checks.whole("epochs", self.epochs, least=1)
        checks.real("shrink", self.shrink, most=1, above=0)

    def rate(self, epochs_done: float) -> float:
        """Return the learning rate after `epochs_done` epochs."""
        return self.learning_rate / (1.0 + self.decay * epochs_done)

    def error_step(self, scores_wanted: bool = True) -> ErrorStep:
        """Return the step by which the scheme computes rate * (sigmoid(z) - y); it may overwrite z unless scores are wanted."""
        sigmoid = self.sigmoid

        def step(
            evaluator: Evaluator, z: Encrypted, targets: Targets, rate: float, widths: np.ndarray | None = None
        ) -> tuple[Encrypted, float]:
            if scores_wanted or widths is not None:
                return evaluator.error(sigmoid, z, targets, rate, widths)
            return evaluator.error_in_place(sigmoid, z, targets, rate)

        return step


UpdateBatch = Callable[[Batch, Targets, float], Encrypted]
"""(batch, targets, rate) -> scores z; the call updates the network with the next mini-batch."""


@dataclass(frozen=True)
class TrainingRun:
    """What a run works with."""

    evaluator: Evaluator  # of the scheme
    network: Network  # which is trained in place
    X: TrainingFeatures  # features, shape (reviews, features)
    targets: Targets  # shape (reviews, outputs)
    plan: TrainingPlan  # how to train
    first: int  # reviews that are done already, of all epochs together
    scores_wanted: bool  # if nobody wants the scores, the error may overwrite z

    def step(self, error_step: ErrorStep | None = None) -> "Step":
        """Return the steps of a trainer who works alone, with the error step of the plan or another one."""
        step = error_step or self.plan.error_step(self.scores_wanted)
        return Step(self.evaluator, self.network, self.plan, step, self.scores_wanted)


class Help:
    """Who helps with a run.  With this class nobody helps: the trainer computes every step alone.

    error_step: replaces the step by which the scheme computes rate * (sigmoid(z) - y), or None.  Helpers inherit from this
    class: the owner, who sends errors (`parties.assistance.scores.AssistedStep`) or fresh weights
    (`parties.assistance.weights.WeightRefresh`), and the workers of a cluster (`scaling.workers.Workers`).
    """

    holds_weights: ClassVar[bool] = False
    """Whether the weights are elsewhere within an epoch, so that the network is the trained one at the end of each only."""

    def __init__(self, error_step: ErrorStep | None = None) -> None:
        self.error_step = error_step

    def steps(self, run: TrainingRun) -> AbstractContextManager[UpdateBatch]:
        """Return a context whose value updates the network of the run, one mini-batch per call."""
        return nullcontext(run.step(self.error_step))


NOBODY = Help()


def train(
    evaluator: Evaluator,
    network: Network,
    X: TrainingFeatures,
    y: object,
    plan: TrainingPlan,
    help: Help = NOBODY,
    on_scores: OnScores | None = None,
    keep_scores: bool | None = None,
    first: int = 0,
) -> Encrypted | None:
    """Train `network` in place on features X (reviews, features) and labels y; return the encrypted scores z.

    X, y: as `encnn.data.features_of` and `labels_of` take them; y may also be the owner's encrypted targets of shape (reviews,
    outputs).  The scores have shape (epochs * reviews, outputs).  Each was computed before the network learnt from its review.
    They are `PartialScores` if some came in parts.
    help: nobody, the owner, or the workers of a cluster.
    on_scores: receives the scores every few hundred reviews, and when an overflow ends the run.
    keep_scores: False forgets the scores once they are reported, and returns None.  By default they are kept unless they would
    take more than `KEPT_BYTES`, since the wide ciphertexts of some schemes fill the memory.
    first: this many reviews, of all epochs together, are skipped, since a run that was cut short has done them.  It is a whole
    number of mini-batches.
    """
    X, targets = _entered(evaluator, network, X, y, plan, help)
    raise_bound(evaluator, network, X, plan.learning_rate, plan.batch_size)
    if keep_scores is None:
        parts = mean_parts(X, largest_part(evaluator, network))
        keep_scores = parts * scores_bytes(evaluator, network.architecture.outputs, X.shape[0], plan) <= KEPT_BYTES
    scores = _Scores(evaluator, on_scores, keep_scores, first)
    run = TrainingRun(evaluator, network, X, targets, plan, first, scores.wanted)
    total, description = X.shape[0] * plan.epochs, f"training ({evaluator.scheme})"
    bar = progress(total=total, initial=first, description=description, unit="review")
    quiet = np.errstate(over="ignore", invalid="ignore")  # the scores show when a run in the clear diverges
    with bar, quiet, help.steps(run) as update:
        _train_epochs(run, update, scores, bar)
    return scores.all()


def _entered(
    evaluator: Evaluator, network: Network, X: TrainingFeatures, y: object, plan: TrainingPlan, help: Help
) -> tuple[TrainingFeatures, Targets]:
    """Return checked features and targets; raise unless everything that a run is given fits together."""
    _check_help(help)
    checks.instance("plan", plan, TrainingPlan)
    network.check_shapes()
    evaluator.check_weights(network.W1)
    X = training_features(X, network.architecture.features)
    if plan.shrink != 1 and not evaluator.shrinks:
        raise CapabilityError(
            f"scheme {evaluator.scheme!r} with {evaluator.parameters.name!r} cannot shrink weights; set shrink=1 in "
            "TrainingPlan, or use hidden=0 and leave `parameters` out of Owner, for a set that can"
        )
    evaluator.check_plan(X, plan.epochs, plan.learning_rate, network)
    _check_step(X, help.error_step)
    targets = targets_of(y, network.architecture.outputs, X.shape[0])
    _check_targets(evaluator, targets, plan, help)
    network.ranges = evaluator.ranges_of(X, targets[:, 0] if isinstance(targets, np.ndarray) else None, plan, network)
    return X, targets


def _train_epochs(run: TrainingRun, update: UpdateBatch, scores: "_Scores", bar: tqdm) -> None:
    """Update the network with all mini-batches of all epochs that are not done, and report the scores met."""
    plan, reviews = run.plan, run.X.shape[0]
    for epoch in range(plan.epochs):
        for rows, batch in batches(run.X, plan.batch_size):
            if epoch * reviews + rows.start < run.first:
                continue
            rate = plan.rate(epoch + rows.start / reviews) if plan.decay else plan.learning_rate
            done = epoch * reviews + rows.stop
            try:
                scores.add(update(batch, run.targets[rows], rate))
            except CiphertextOverflowError:
                scores.report(done)  # the scores before it say more than the overflow
                raise
            if plan.shrink != 1 and rows.stop == reviews:
                run.network.W1 = run.evaluator.shrink(run.network.W1, plan.shrink)
            if scores.due(done) or rows.stop == reviews:
                scores.report(done)
            bar.update(done - bar.n)


class _Scores:
    """Collects the scores met in training, keeps them if wanted, and reports them."""

    def __init__(self, evaluator: Evaluator, on_scores: OnScores | None, keep: bool, first: int) -> None:
        self._evaluator, self._on_scores, self._keep, self.reported = evaluator, on_scores, keep, first
        self.wanted = keep or on_scores is not None  # whether anyone wants them
        self._reports: list[Encrypted] = []
        self._pending: list[Encrypted] = []
        self._parts = 0  # of the pending scores

    def add(self, z: Encrypted) -> None:
        """Take the scores of the next mini-batch."""
        if self.wanted:
            self._pending.append(z)
            self._parts += len(z.parts if isinstance(z, PartialScores) else z)

    def due(self, done: int) -> bool:
        """Return whether to report now, at review `done`; a score in many parts fills the memory sooner."""
        return done - self.reported >= SCORES_PER_REPORT or self._parts >= PARTS_PER_REPORT

    def report(self, done: int) -> None:
        """Report the scores since the last report, up to review `done`."""
        if self._pending:
            scores = joined(self._evaluator, self._pending)
            if self._keep:
                self._reports.append(_packed(self._evaluator, scores))  # 12 bytes in place of 8 kB, if the scheme packs
            if self._on_scores is not None:
                self._on_scores(self.reported, scores)
        self._pending, self._parts, self.reported = [], 0, done

    def all(self) -> Encrypted | None:
        """Return all scores, or None if they were not kept."""
        return joined(self._evaluator, self._reports) if self._keep else None


def predict(evaluator: Evaluator, network: Network, X: Features, batch_size: int | None = None) -> Encrypted:
    """Return the encrypted scores z of all reviews, shape (reviews, outputs); the network does not change."""
    network.check_shapes()
    if network.ranges is not None:
        network = replace(network, ranges=None)  # training clips to them, but the owner reads larger numbers as well
    X = features_of(X, network.architecture.features)
    largest = largest_part(evaluator, network)
    together = max(1, int(evaluator.scores_together / mean_parts(X, largest)))  # ciphertexts, not reviews, fill the memory
    size = together if batch_size is None else checks.whole("batch_size", batch_size, least=1)
    scores = [_scores_of(evaluator, network, batch, largest) for _, batch in batches(X, size)]
    return joined(evaluator, scores)


def _scores_of(evaluator: Evaluator, network: Network, batch: Batch, largest: float) -> Encrypted:
    """Return the packed scores of one batch, in parts if a sum could leave the range of the scheme."""
    parts = in_parts(evaluator, network, batch, largest)
    return _packed(evaluator, forward(evaluator, network, batch)[-1] if parts is None else parts)


def _packed(evaluator: Evaluator, scores: Encrypted) -> Encrypted:
    """Return scores, packed many per ciphertext if the scheme can."""
    return scores.packed(evaluator) if isinstance(scores, PartialScores | FactoredScores) else evaluator.pack(scores)


def forward(evaluator: Evaluator, network: Network, batch: Batch) -> tuple[Encrypted, Encrypted, Encrypted]:
    """Return (pooled rows, hidden layer, scores z) of one batch."""
    a = network.architecture
    layer = evaluator.hidden_layer(network)
    if layer is not None:
        return layer.forward(network.W1, network.second_layer, batch)
    pooled = evaluator.gather(batch, network.W1)
    if a.pooling == "mean":
        pooled = evaluator.multiply_plain(pooled, batch.inverse_counts())
    if not a.hidden:
        return pooled, pooled, pooled
    h = pooled if a.hidden_sigmoid is None else evaluator.activate(a.hidden_sigmoid, pooled)
    return pooled, h, evaluator.bilinear(vector_matrix(a.hidden, a.outputs), h, network.W2)


def targets_of(y: object, outputs: int, reviews: int) -> Targets:
    """Return targets of shape (reviews, outputs): `plain_targets` of plain labels, or the encrypted targets as they are."""
    if is_plain(y) or not isinstance(y, Targets):
        return plain_targets(y, outputs, reviews)
    if y.shape != (reviews, outputs):
        raise DataError(f"encrypted labels have shape {y.shape}, expected {(reviews, outputs)}; encrypt one row per review")
    return y


def plain_targets(y: object, outputs: int, reviews: int | None = None) -> np.ndarray:
    """Return 0/1 columns of plain labels, shape (reviews, outputs)."""
    labels = labels_of(y, reviews, outputs)
    return (labels[:, None] == (np.arange(outputs) if outputs > 1 else 1)).astype(np.float64)


def scores_bytes(evaluator: Evaluator, outputs: int, reviews: int, plan: TrainingPlan) -> int:
    """Return the bytes of all encrypted scores of a run, each in one part."""
    full, rest = divmod(reviews, plan.batch_size)
    epoch = full * evaluator.scores_bytes(min(plan.batch_size, reviews), outputs)
    return plan.epochs * (epoch + (evaluator.scores_bytes(rest, outputs) if rest else 0))


class Step:
    """One step of gradient descent of one network; the maps are looked up once per run, not once per review.

    A call with a batch does the whole step.  Workers that share a batch use the methods.  Scores come in parts if a sum could
    leave the scheme's range (`partial_scores`) and either scores are wanted or the error step says `reads_parts`.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        network: Network,
        plan: TrainingPlan,
        error_step: ErrorStep | None,
        scores_wanted: bool = True,
    ) -> None:
        self.evaluator, self.network, self.plan = evaluator, network, plan
        self.error_step = error_step or plan.error_step()
        a = network.architecture
        self._reads_parts = getattr(self.error_step, "reads_parts", False)
        self.largest_part = largest_part(evaluator, network) if scores_wanted or self._reads_parts else math.inf
        self.divide = plan.divide_update and a.pooling == "mean"
        self.products = backward_products(a.hidden, a.outputs) if a.hidden else []
        self.layer = evaluator.hidden_layer(network)
        if self.layer is not None and error_step is not None and getattr(error_step, "central", False):
            raise CapabilityError(
                f"scheme {evaluator.scheme!r} computes the errors of a hidden layer itself, in a form that an owner cannot "
                "send; leave `help` out of Trainer.train"
            )

    def __call__(self, batch: Batch, targets: Targets, rate: float) -> Encrypted:
        """Update the network with one batch; return the scores z it met, shape (B, outputs)."""
        evaluator, network = self.evaluator, self.network
        parts = in_parts(evaluator, network, batch, self.largest_part)
        pooled, h, z = forward(evaluator, network, batch) if parts is None or not self._reads_parts else (parts, parts, parts)
        d, gain = self.error(z, batch, targets, rate)
        G = self.row_updates(d, gain, pooled, batch)
        if self.products:
            network.W2 = network.second_layer - self.second_layer_gradient(d, h, gain)
        evaluator.scatter_subtract(network.W1, batch.updating(), G)
        return z if parts is None else parts

    def error(self, z: Encrypted, batch: Batch, targets: Targets, rate: float) -> tuple[Encrypted, float]:
        """Return (e, gain), which the error step computes from the scores of a batch."""
        widths = () if batch.widths is None else (batch.widths,)
        if self.layer is None:
            return self.error_step(self.evaluator, z, targets, rate, *widths)
        if widths:
            raise CapabilityError(
                "these features give each review a width, which products of a hidden layer do not take in scheme "
                f"{self.evaluator.scheme!r}; leave `widths` out of Conditioned, or use hidden=0 and leave `parameters` out "
                "of Owner"
            )
        return self.layer.error(self.plan.sigmoid, z, targets), rate

    def row_updates(self, d: Encrypted, gain: float, pooled: Encrypted, batch: Batch) -> Encrypted:
        """Return the update of each row of W1 that a review uses, one per review."""
        if self.layer is not None:
            shares = np.broadcast_to(np.ravel(batch.inverse_counts() if self.divide else 1.0), len(batch))
            return self.layer.first_layer_errors(self.network.second_layer, d, pooled, gain, shares)
        G = self._through_hidden_sigmoid(self.first_layer_errors(d, gain), pooled)
        return self.evaluator.multiply_plain(G, batch.inverse_counts()) if self.divide else G

    def first_layer_errors(self, d: Encrypted, gain: float) -> Encrypted:
        """Return gain * d W2^T, one row per review; gain * d when there is no hidden layer."""
        if self.products:
            return self.evaluator.bilinear(self.products[0], d, self.network.second_layer, gain)
        return d if gain == 1 else self.evaluator.multiply_plain(d, gain)

    def second_layer_gradient(self, d: Encrypted, h: Encrypted, gain: float) -> Encrypted:
        """Return gain * h^T d, summed over the batch."""
        if self.layer is not None:
            return self.layer.second_layer_gradient(d, h, gain)
        factors = (h, d) if len(self.products) > 1 else (d, h)
        return self.evaluator.bilinear(self.products[-1], *factors, gain, total=True)

    def _through_hidden_sigmoid(self, G: Encrypted, pooled: Encrypted) -> Encrypted:
        sigmoid = self.network.architecture.hidden_sigmoid
        if sigmoid is None:
            return G
        slope = [k * c for k, c in enumerate(sigmoid.coefficients)][1:]
        return self.evaluator.multiply(G, self.evaluator.polynomial(pooled, slope))


def _check_step(X: TrainingFeatures, step: ErrorStep | None) -> None:
    if step is not None and isinstance(X, Conditioned) and X.widths is not None:
        try:
            inspect.signature(step).bind(None, None, None, 1.0, X.widths)
        except TypeError as error:
            raise CapabilityError(
                "these features give each review a width, which this error step does not take (its fifth argument); leave "
                "`widths` out of Conditioned, or `help` out of train"
            ) from error


def _check_targets(evaluator: Evaluator, targets: Targets, plan: TrainingPlan, help: Help) -> None:
    """Raise unless encrypted targets are under the evaluator's key and fit the plan and the help."""
    if isinstance(targets, np.ndarray):
        return
    context = getattr(targets, "context", None)
    if context is None and help.error_step is None:
        raise DataError("the owner keeps these labels, so only its answers hold them; pass help=AssistedStep(...), or labels")
    if context is not None and context != getattr(evaluator, "context", None):
        raise KeyMismatchError("the encrypted labels are of another key than the model; have its own owner encrypt them")
    if plan.decay and evaluator.labels_carry_rate:
        raise ParameterError(
            f"in scheme {evaluator.scheme!r} encrypted labels carry the learning rate, so it cannot decay while they are used; "
            "set decay=0, or train in several runs with labels encrypted for each"
        )


def _check_help(help: Help) -> None:
    if not isinstance(help, Help):
        raise ParameterError(
            f"help is of type {type(help).__name__}; pass Workers(client) for a cluster, AssistedStep(channel) or a "
            "WeightRefresh for an owner who assists, Help(step) for an error step of your own, or leave it out"
        )
