"""A worker's side of a shared run: a replica of the encrypted network, and the worker's shard of the reviews."""

from itertools import pairwise

import numpy as np

from encnn.data.batches import Batch, TrainingFeatures, cutter
from encnn.errors import CiphertextOverflowError
from encnn.network import Architecture, Step, TrainingPlan, forward
from encnn.network.architecture import PartOfNetwork
from encnn.network.partial_scores import in_parts
from encnn.scaling.gradient_sums import subtract_sums, update_of
from encnn.scaling.messages import Message, pack, restore, unpack
from encnn.schemes.base import Encrypted, ErrorStep, Targets


class Replica:
    """The encrypted network, one shard of the reviews, and evaluation keys.  It lives in a worker as a Dask actor."""

    def begin(
        self,
        architecture: Architecture,
        public: tuple[float, object],
        plan: TrainingPlan,
        step: ErrorStep | None,
        scores_wanted: bool,
        bounds: np.ndarray,
        keys: Message,
        X: TrainingFeatures,
        targets: Targets | Message,
        weights: Message,
        threads: int,
    ) -> None:
        """Take keys, reviews (mini-batch i has those from bounds[i] to bounds[i + 1]), their targets, and weights.

        public: `weight_bound` and `ranges` of the network.  threads: how many it may use.  scores_wanted: whether answers to
        `train` and `learn` hold scores; they are most of what is moved.
        """
        evaluator = self._evaluator = restore(keys, architecture, plan)
        if hasattr(evaluator, "threads"):
            evaluator.threads = threads
        evaluator.prepare()
        W1 = unpack(evaluator, weights)["W1"]
        bound, ranges = public
        held = PartOfNetwork(architecture, W1, None, bound, ranges=ranges)
        self._plan, self._scores_wanted = plan, scores_wanted
        self._step = Step(evaluator, held, plan, step, scores_wanted)
        self._cut, self._bounds, self._version = cutter(X), bounds, weights[0]["version"]
        self._targets = unpack(evaluator, targets)["targets"] if isinstance(targets, tuple) else targets
        self._own: Message = {}, {}
        self._number: int | None = None

    def train(self, numbers: range, rate: float) -> list[Message]:
        """Do whole mini-batches, as a trainer alone does, for a replica that is alone; return the scores of each.

        After an overflow it returns the scores before it; the error comes when the next mini-batch is asked for.
        """
        found: list[Message] = []
        for low, high in pairwise(self._bounds[numbers.start : numbers.stop + 1]):
            try:
                with np.errstate(over="ignore", invalid="ignore"):
                    z = self._step(self._cut(low, high), self._targets[low:high], rate)
            except CiphertextOverflowError:
                if found:
                    break
                raise
            found.append(pack(self._evaluator, **self._shown(z)))
            self._version += 1
        return found

    def learn(self, number: int, rate: float, news: Message) -> Message:
        """Return scores, gradient sums and, with a hidden layer, errors and hidden vectors of a mini-batch's part."""
        self._forward(number, news)
        if self._batch is None:
            return {"gain": None, "sums": None}, {}
        rows = slice(self._bounds[number], self._bounds[number + 1])
        with np.errstate(over="ignore", invalid="ignore"):  # the scores show when a run in the clear diverges
            d, gain = self._step.error(self._z, self._batch, self._targets[rows], rate)
            header, arrays = self._sums_of(self._batch, d, gain)
        shown = self._shown(self._scores) | ({"h": self._h, "d": d} if self._step.products else {})
        packed = pack(self._evaluator, **shown)
        return packed[0] | {"gain": gain, "sums": header}, packed[1] | {f"sums_{name}": a for name, a in arrays.items()}

    def score(self, number: int, news: Message) -> Message:
        """Return the scores and, with a hidden layer, the hidden vectors of a mini-batch's part."""
        self._forward(number, news)
        shown = {} if self._batch is None else {"z": self._scores} | ({"h": self._h} if self._step.products else {})
        return pack(self._evaluator, **shown)

    def sums(self, number: int, news: Message, errors: Message, gain: float) -> Message:
        """Return the gradient sums of a mini-batch's part for the given errors."""
        if self._number != number:  # this replica replaces one that was lost after it had sent its scores
            self._forward(number, news)
        return ({}, {}) if self._batch is None else self._sums_of(self._batch, unpack(self._evaluator, errors)["d"], gain)

    def _shown(self, z: Encrypted) -> dict[str, Encrypted]:
        return {"z": z} if self._scores_wanted else {}

    def weights(self, news: Message, wanted: bool) -> Message:
        """Apply the news; return W1 after all steps so far if it is wanted, else an empty message."""
        self._apply(news)
        if not wanted:
            return {}, {}
        header, arrays = pack(self._evaluator, W1=self._step.network.W1)
        return header | {"version": self._version}, arrays

    def shrink(self, version: int) -> Message:
        """End an epoch: shrink W1, unless it comes from another replica that had shrunk it already."""
        if self._version == version:
            network = self._step.network
            network.W1 = self._evaluator.shrink(network.W1, self._plan.shrink)
            self._version += 1
        return {}, {}

    def _forward(self, number: int, news: Message) -> None:
        """Catch up with the others, then compute the scores of a mini-batch's part."""
        self._apply(news)
        low, high = self._bounds[number : number + 2]
        self._number, self._batch = number, None
        if low < high:
            self._batch = self._cut(low, high)
            with np.errstate(over="ignore", invalid="ignore"):
                self._pooled, self._h, self._z = forward(self._evaluator, self._step.network, self._batch)
            parts = in_parts(self._evaluator, self._step.network, self._batch, self._step.largest_part)
            self._scores = self._z if parts is None else parts

    def _sums_of(self, batch: Batch, d: Encrypted, gain: float) -> Message:
        G = self._step.row_updates(d, gain, self._pooled, batch)
        self._own = update_of(self._evaluator, self._step.network.W1, batch.updating(), G)
        return self._own

    def _apply(self, news: Message) -> None:
        """Subtract the sums of the last step, unless these weights have them already; take the new W2."""
        header, arrays = news
        if "W2" in header:
            self._step.network.W2 = unpack(self._evaluator, news)["W2"]
        if header["version"] <= self._version:
            return
        subtract_sums(self._evaluator, self._step.network.W1, self._own)
        for i, described in enumerate(header["sums"]):
            prefix = f"{i}_"
            part = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
            subtract_sums(self._evaluator, self._step.network.W1, (described, part))
        self._version = header["version"]
