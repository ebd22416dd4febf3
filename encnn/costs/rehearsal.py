"""A small run with the same parameters as a task.  It measures what each part of the real run will cost."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.sparse import csr_array

from encnn.costs.task import Task, synthetic_features
from encnn.costs.timing import cpu_seconds
from encnn.data import Features
from encnn.data.batches import Batch, batches
from encnn.network import Help, Network, train
from encnn.network.training import NOBODY
from encnn.parties import EncryptedModel, Owner
from encnn.parties.assistance import weights
from encnn.parties.assistance.scores import Assistant, AssistedStep, DirectChannel, Tally
from encnn.schemes import SchemeParameters, bootstrapped, ckks
from encnn.schemes.base import Encrypted, OwnerHelp
from encnn.schemes.rings.array import RingArray

SMALL_MODEL_BYTES = 64 << 20
"""How many bytes of weights a calibration has: more than the nearest caches hold, so sums of rows are as slow as in a large
model."""
BLOCK_ROWS = 16


def rows_together(parameters: SchemeParameters) -> int:
    """Return how many rows of weights are encrypted together: all that share a ciphertext, or a few."""
    return parameters.N if isinstance(parameters, bootstrapped.BootstrappedParameters) else BLOCK_ROWS


class Rehearsal:
    """A small owner with the parameters of a task, its encrypted model, and a trainer of synthetic reviews.

    how: what the owner does in training.  rows: the size of the small vocabulary; by default that of a calibration.
    together: rows that are encrypted together.  All weights are copies of a few ciphertexts, which does not change the
    measurements.
    """

    def __init__(
        self, task: Task, parameters: SchemeParameters, how: OwnerHelp, rows: int | None = None, together: int | None = None
    ) -> None:
        self.task, self.parameters, self.assistance = task, parameters, how
        self._together = together or rows_together(parameters)
        small = replace(task.architecture, features=self._first_rows())
        self.owner, self.keys_s = cpu_seconds(partial(Owner, small, task.plan.sigmoid, parameters, insecure=True))
        self.evaluator = self.owner.evaluator
        self._rng = np.random.default_rng(0)
        first = self.owner.encrypt(self._start(self._first_rows())).network  # the first call may compile
        self.encrypt_row_s = cpu_seconds(self.owner.encrypt, self._start(self._first_rows()))[1] / len(first.W1)
        self.row_bytes, self.fixed_bytes = first.W1.nbytes / len(first.W1), 0 if first.W2 is None else first.W2.nbytes
        self.first, self.network = first, self._enlarged(first, rows or self._rows())
        self.reviews = 0
        self._assistant: Assistant | None = None
        self.help: Help = NOBODY
        if self.assistance == "errors":
            self._assistant = self.owner.assistant()
            self.help = AssistedStep(DirectChannel(self._assistant))
        self._warm_up()

    @property
    def rows(self) -> int:
        """Rows of the small vocabulary."""
        return len(self.network.W1)

    @property
    def answers(self) -> Tally:
        """The counts of the owner's answers so far, which are zero if it answers none."""
        return Tally() if self._assistant is None else self._assistant.tally

    def seconds(self, words: int, batch: int, steps: int, network: Network | None = None) -> tuple[float, float]:
        """Return CPU seconds (trainer, owner) of `steps` mini-batches, starting from `network` (default: the rehearsal's)."""
        network, X = (network or self.network).copy(), self.reviews_of(words, batch * steps, len((network or self.network).W1))
        y = self._rng.integers(0, 2, batch * steps)
        y = y if network.architecture.outputs == 1 else y % network.architecture.outputs
        plan = replace(self.task.plan, batch_size=batch, epochs=1, decay=0.0, shrink=1.0)
        owner_before = self.answers.cpu_seconds
        _, total = cpu_seconds(partial(train, self.evaluator, network, X, y, plan, self.help, keep_scores=False))
        owner = self.answers.cpu_seconds - owner_before
        self.trained, self.reviews = network, self.reviews + batch * steps
        return total - owner, owner

    def batch(self, size: int) -> Batch:
        """Return a synthetic mini-batch of `size` reviews; dense ones fill a ciphertext instead."""
        size = self.task.plan.batch_size if self.task.dense else size
        return next(batches(self.reviews_of(round(self.task.words), size), size))[1]

    def smaller(self) -> Network:
        """Return the network with half of its rows."""
        return self._with_rows(self.network.W1[: self.rows // 2])

    def refreshed(self) -> tuple[float, float, tuple[int, int]]:
        """Return CPU seconds (trainer, owner) and bytes (up, down) of one refresh of the first rows, as after training."""
        if not self.task.dense:
            self.seconds(1, 1, 1, self.first)  # leaves rows unreduced
        for _ in range(2):  # the first call may compile
            network = self.trained.copy()
            model = EncryptedModel(self.evaluator, network, self.task.plan.sigmoid)
            side = self.owner.refresher(model, math.inf)
            _, total = cpu_seconds(weights.WeightRefresh(model, DirectChannel(side)).now)
        tally = side.tally
        return total - tally.cpu_seconds, tally.cpu_seconds, (tally.bytes_up, tally.bytes_down)

    def steps_a_trip(self) -> int:
        """Return the number of mini-batches that fresh weights allow."""
        if isinstance(self.parameters, ckks.CKKSParameters):
            return self.parameters.levels // weights.step_levels(self.task.architecture, self.task.plan.sigmoid)
        p, plan, longest = self.evaluator.parameters, self.task.plan, round(self.task.largest or self.task.words)
        slope = getattr(plan.sigmoid, "coefficients", (0.0, 0.0))[1]
        needed = weights.step_bits(p, plan, csr_array(np.ones((plan.batch_size, longest), np.int8)))
        (n_1, s_1), (n_2, s_2) = (weights.factor_growth(p, f) for f in (slope, plan.learning_rate))
        spent = np.log2(s_1 * s_2 + plan.batch_size * n_2 * n_1 * longest)  # `needed` without labels, which add little
        return 1 + int(max(_budget(self.network.W1) - needed, 0) // spent)

    def _rows(self) -> int:
        features = self.task.architecture.features
        wide = max(2 * round(self.task.words), round(SMALL_MODEL_BYTES / self.row_bytes), BLOCK_ROWS)
        return features if self.task.dense else min(features, wide)

    def _first_rows(self) -> int:
        return self.task.architecture.features if self.task.dense else min(self.task.architecture.features, self._together)

    def _start(self, rows: int) -> Network:
        a = replace(self.task.architecture, features=rows)
        return Network.initial(a, np.random.default_rng(0), first_layer_sd=0.01)

    def _enlarged(self, first: Network, rows: int) -> Network:
        if len(first.W1) == rows:
            return first
        whole, rest = divmod(rows, len(first.W1))
        parts = [first.W1] * whole + ([first.W1[:rest]] if rest else [])
        return self._with_rows(self.evaluator.concatenate(parts), first)

    def _with_rows(self, W1: Encrypted, like: Network | None = None) -> Network:
        W2 = (like or self.network).W2
        return Network(replace(self.task.architecture, features=len(W1)), W1, W2)

    def reviews_of(self, words: int, reviews: int, rows: int | None = None) -> Features:
        """Return synthetic features: `words` distinct words per review out of `rows` (default: all rows), or dense numbers."""
        return synthetic_features(self._rng, reviews, words, rows or self.rows, self.task.dense, self.task.whole)

    def _warm_up(self) -> None:
        """Prepare keys and compile loops, for single reviews and for mini-batches."""
        words = min(2, self.rows) if not self.task.dense else self.rows
        batch = (
            self.task.plan.batch_size if isinstance(self.parameters, ckks.CKKSParameters) else min(self.task.plan.batch_size, 2)
        )
        _, spent = cpu_seconds(self.seconds, words, batch, 1)
        if isinstance(self.parameters, bootstrapped.BootstrappedParameters):
            self.keys_s += spent  # masks are expanded and keys transformed at the first bootstrap


def _budget(W: RingArray) -> float:
    """Return the bits that are left for noise or for plaintext, whichever are fewer."""
    return min(W.noise_budget_bits, W.plaintext_budget_bits)
