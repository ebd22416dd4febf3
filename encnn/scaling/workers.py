"""Mini-batches shared by the workers of a Dask cluster: the same ciphertexts as on one machine, in less time.

`train(..., help=Workers(Client(cluster)))` trains as `train(...)` does.  Every worker holds

- a **shard**: its part of the reviews of every mini-batch, sent once; texts and labels are not sent to the driver again,
- a **replica** of the encrypted network and the evaluation keys.

For each mini-batch a worker computes scores, errors and the gradient of its part, and returns *sums of encrypted gradients*,
each the update of some words.  The driver passes each worker the sums of the others, and every replica subtracts all: the sum
of ciphertexts is the reduction.  No secret is on the driver or on a worker.

    worker k                                         driver
    W1 -= sums of the others, and its own   <-----   sums of step t - 1, W2 of step t
    z = X W1, d = sigmoid(z) - y, G = a d W2^T
    U = X^T G, by groups of reviews         ----->   z (for the owner);  with a hidden layer W2 -= a h^T d

**Equal ciphertexts.**  Each review's z, d and G come from one row of each array and are the same wherever they are computed;
the update of W1 is a sum of integers modulo 2^64 or q, in which the order does not matter; and the gradient of W2, whose
products are added before *one* key switch, is computed by the driver from d and h of the whole batch, as without a cluster.
So the result depends neither on the number of workers nor on which of them were lost on the way, and is bit for bit that of one
machine (modulo q where entries are reduced later: compare what `export_array` gives).  This holds for features that are
whole numbers and for error steps that compute each review by itself.  In the clear scheme, and for fractions, sums are
rounded: equal up to the order of summation.

**What moves.**  Model and keys once.  Then for a mini-batch of B reviews, n numbers a ciphertext, every worker sends B / K
scores and its sums, and receives the sums of the others.  The sums are *not* one ciphertext for each word: words that occur in
the same reviews have equal rows, and equal rows travel once.  That helps the more, the fewer reviews are looked at together: 32
real ones have four hundred different rows, four have 15 at most.  So sums are those of groups of `GROUP` reviews, and a word
that occurs in several groups is updated as often.  Single rows of G and the words of each review would be smaller still, but
they are the texts.  Do not take the sums for a secret kept from the driver, though: rows of words of one review show G, and who
knows G can tell from any other row of which reviews it is the sum.  That the texts stay is about where data lie.  Whoever runs
driver and workers is *one* party, the trainer.  Within a cluster Dask unpickles what its members send, so members trust each
other; parties who do not exchange files (`encnn.scaling.federation`).

**A worker that is lost** changes nothing but time: its part goes to another worker, with the weights of a replica that is
left.  If none is left, training is repeated from the start of the epoch.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, cast

import numpy as np

from encnn.data.batches import Batch, DenseBatch, Features, OneReview, SparseBatch, batches
from encnn.errors import CapabilityError, FileError, ParameterError
from encnn.network import Architecture, Help, Network, Step, TrainingPlan, TrainingRun, forward
from encnn.schemes import ClearParameters, make_keys, restore_evaluator
from encnn.schemes.base import Encrypted, ErrorStep, Evaluator

Message = tuple[dict[str, Any], dict[str, np.ndarray]]
"""What travels: a small header, and arrays by name; the form in which keys and ciphertexts are also written to files."""

GROUP = 4
"""Reviews whose gradients are added up before they travel."""
ATTEMPTS = 5
"""Times that one call to the workers is repeated after losses before the run is given up."""
POLL_S = 2.0
"""Seconds between two looks whether a silent worker is still there."""
WAIT_FOR_WORKERS_S = 60.0
"""How long to wait for a worker when all are lost."""


@dataclass(frozen=True)
class Traffic:
    """Bytes that runs moved, headers not counted.

    setup: keys, weights and shards to the workers, at the start and to replace lost ones.  up, down: in training, from and to
    the workers.  collected: weights back, once an epoch.  steps: mini-batches.  lost: replicas lost and replaced.
    """

    setup: int = 0
    up: int = 0
    down: int = 0
    collected: int = 0
    steps: int = 0
    lost: int = 0


class Workers(Help):
    """The workers of a Dask cluster as help for `Trainer.train`, and what was moved to and from them (`traffic`).

    client: a `distributed.Client`.  step: replaces the error step; it is sent to the workers and computes there, so it holds
    public things only.  One with the attribute `central` is called by the driver, with the scores of the whole batch (the owner
    assists: `assistance.scores.AssistedStep`).
    setup_seconds: how long keys, weights and shards took to the workers, all runs together.
    """

    def __init__(self, client: Any, step: ErrorStep | None = None) -> None:
        super().__init__(step)
        if not hasattr(client, "submit") or not hasattr(client, "nthreads"):
            raise ParameterError(
                f"client is of type {type(client).__name__}; pass a distributed.Client (pip install 'encnn[distributed]')"
            )
        if client.asynchronous:
            raise ParameterError(
                "the client is asynchronous, training is not; pass a distributed.Client without asynchronous=True"
            )
        self.client, self.traffic, self.setup_seconds = client, Traffic(), 0.0

    def steps(self, run: TrainingRun) -> "ParallelStep":
        """Return the steps of a run, which all workers share."""
        return ParallelStep(self, run)

    def count(self, **more: int) -> None:
        """Add to the counts."""
        self.traffic = replace(self.traffic, **{name: getattr(self.traffic, name) + k for name, k in more.items()})

    def addresses(self) -> list[str]:
        """Return the addresses of all workers; wait for one if there is none, up to `WAIT_FOR_WORKERS_S`."""
        if not self.client.nthreads():
            try:
                self.client.wait_for_workers(1, timeout=WAIT_FOR_WORKERS_S)
            except TimeoutError as error:
                raise ParameterError(
                    f"the cluster has had no worker for {WAIT_FOR_WORKERS_S:.0f} s; start workers, or train without their help"
                ) from error
        return sorted(self.client.nthreads())


class ParallelStep:
    """One step of gradient descent after the other, by all workers; called as `network.Step` is.

    Use it as a context: entering gives each worker its replica and shard, leaving puts the trained weights into `network`.
    Weights come back at the end of every epoch; after an error `network` is as it was then.
    """

    def __init__(self, workers: Workers, run: TrainingRun) -> None:
        self._workers, self._error_step = workers, workers.error_step
        self._evaluator, self._network, self._plan = run.evaluator, run.network, run.plan
        self._X, self._targets, self._central = run.X, run.targets, getattr(workers.error_step, "central", False)
        self._step = Step(run.evaluator, Network(run.network.architecture, None, run.network.W2), run.plan, workers.error_step)
        self._actors: list[Any] = []
        self._addresses: list[str] = []
        self._sums: list[Message] = []
        self._version = 0
        self._per_epoch = -(-run.X.shape[0] // run.plan.batch_size)
        self._first = run.first % run.X.shape[0] // run.plan.batch_size  # the mini-batch after the checkpoint
        self._rates: list[float] = []  # of the steps since then

    def __enter__(self) -> "ParallelStep":
        """Give every worker a replica and its shard."""
        client = self._workers.client
        if not self._central:
            import cloudpickle  # here and not above: it comes with Dask, an extra

            cloudpickle.dumps(self._error_step)  # Dask's own way; what refuses it, a secret, would keep Dask waiting for ever
        self._was_direct = client.direct_to_workers
        if client.direct_to_workers is None:  # not said: then not through the scheduler, which would double the copies
            client.direct_to_workers = True
        parts = min(len(self._workers.addresses()), self._plan.batch_size, self._X.shape[0])
        self._actors, self._addresses = [None] * parts, [""] * parts
        begun = time.perf_counter()
        self._seat(range(parts), self._checkpoint())
        self._workers.setup_seconds += time.perf_counter() - begun
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Collect the weights unless the run failed, and let the workers go."""
        try:
            if kind is None and self._rates:
                self._collect()
        finally:
            self._actors = []
            self._workers.client.direct_to_workers = self._was_direct

    def __call__(self, batch: Batch, targets: Any, rate: float) -> Encrypted:
        """Update the network with the next mini-batch; return the scores z it met, shape (B, outputs)."""
        scores = self._advance(targets, rate)
        self._workers.count(steps=1)
        if self._first + len(self._rates) == self._per_epoch:
            self._collect()
        return scores

    # -- one mini-batch

    def _advance(self, targets: Any, rate: float) -> Encrypted:
        """Have the workers do the next mini-batch of the epoch; return its scores."""
        number = self._first + len(self._rates)
        if self._central:
            scores = self._through_driver(number, targets, rate)
        else:
            replies = self._ask("learn", [(number, rate, news) for news in self._news()])
            scores = self._joined(replies, "z")
            gain = next(reply[0]["gain"] for reply in replies if reply[0]["gain"] is not None)
            self._update_second_layer(self._joined(replies, "d") if self._step.products else None, replies, gain)
            self._sums = [_only(reply, "sums") for reply in replies]
        self._version += 1
        self._rates.append(rate)
        return scores

    def _through_driver(self, number: int, targets: Any, rate: float) -> Encrypted:
        """Do a mini-batch whose error step is called here, with all its scores."""
        news = self._news()
        replies = self._ask("score", [(number, part) for part in news])
        scores = self._joined(replies, "z")
        d, gain = self._step.error_step(self._evaluator, scores, targets, rate)
        errors = [_pack(self._evaluator, d=d[low:high]) for low, high in self._bounds(len(scores))]
        sums = self._ask("sums", [(number, part, e, gain) for part, e in zip(news, errors, strict=True)])
        self._update_second_layer(d, replies, gain)
        self._sums = sums
        return scores

    def _update_second_layer(self, d: Encrypted, replies: Sequence[Message], gain: float) -> None:
        if self._step.products:
            h = self._joined(replies, "h")
            self._step.network.W2 = self._step.network.W2 - self._step.second_layer_gradient(d, h, gain)

    def _joined(self, replies: Sequence[Message], name: str) -> Encrypted:
        """Return one array of all parts, in the order of the batch."""
        parts = [_unpack(self._evaluator, reply)[name] for reply in replies if name in reply[0]]
        return parts[0] if len(parts) == 1 else self._evaluator.concatenate(parts)

    def _news(self) -> list[Message]:
        """Return what each worker has to know before the next mini-batch: the sums of the others, and W2."""
        W2 = {} if self._step.network.W2 is None else {"W2": self._step.network.W2}
        header, arrays = _pack(self._evaluator, **W2)
        news = []
        for k in range(len(self._actors)):
            others = [sums for i, sums in enumerate(self._sums) if i != k and sums[0]]
            told = header | {"version": self._version, "sums": [sums[0] for sums in others]}
            news.append((told, arrays | {f"{i}_{name}": a for i, s in enumerate(others) for name, a in s[1].items()}))
        return news

    def _bounds(self, reviews: int) -> list[tuple[int, int]]:
        """Return first and last (excluded) review of every part of a batch."""
        parts = len(self._actors)
        return [(reviews * k // parts, reviews * (k + 1) // parts) for k in range(parts)]

    # -- weights

    def _checkpoint(self) -> Message:
        """Return the weights at the start of the epoch."""
        header, arrays = _pack(self._evaluator, W1=self._network.W1)
        return header | {"version": self._version - len(self._rates)}, arrays

    def _collect(self) -> None:
        """Put the weights of a replica into the network, which is where a run begins again that has lost all workers."""
        news = self._news()
        weights = self._ask("weights", [(part, k == 0) for k, part in enumerate(news)])[0]
        self._network.W1 = _unpack(self._evaluator, weights)["W1"]
        self._network.W2 = self._step.network.W2
        self._rates, self._sums, self._first = [], [], 0
        self._workers.count(collected=_nbytes(weights))
        if self._plan.shrink != 1:  # `train` does the same with the weights here
            self._ask("shrink", [(self._version,)] * len(self._actors))
            self._version += 1

    # -- calls

    def _ask(self, method: str, arguments: Sequence[tuple]) -> list[Message]:
        """Return what every worker answers to a call of its own; replace those that are lost, and ask again."""
        replies: dict[int, Message] = {}
        for _ in range(ATTEMPTS):
            waiting = [k for k in range(len(self._actors)) if k not in replies]
            calls = {k: self._call(k, method, arguments[k]) for k in waiting}
            lost = [k for k, call in calls.items() if not self._answered(k, call, replies)]
            if not lost:
                self._workers.count(down=_nbytes(arguments), up=_nbytes(replies) if method != "weights" else 0)
                return [replies[k] for k in sorted(replies)]
            self._workers.count(lost=len(lost))
            if not self._replace(lost):
                replies.clear()  # whoever gave them is gone too, with what it had in mind for the next step
        raise ParameterError(
            f"workers were lost {ATTEMPTS} times in one step ({self._addresses}); look at their logs for what ends them, "
            "memory above all"
        )

    def _call(self, k: int, method: str, arguments: tuple) -> Any:
        """Return the future answer of a worker, None if it is known to be lost."""
        try:
            return getattr(self._actors[k], method)(*arguments)
        except RuntimeError:  # Dask: "Worker holding Actor was lost"
            return None

    def _answered(self, k: int, call: Any, replies: dict[int, Message]) -> bool:
        """Wait for an answer and keep it; return whether there is one."""
        while call is not None:
            try:
                replies[k] = call.result(timeout=POLL_S)
                return True
            except TimeoutError:
                if self._addresses[k] not in self._workers.client.nthreads():
                    return False
            except OSError:
                return False
        return False

    # -- replicas

    def _replace(self, lost: list[int]) -> bool:
        """Give the parts of lost workers to others, with the weights of a replica that is left; return whether one was left.

        If not, do again what has been done of the epoch.
        """
        left = [k for k in range(len(self._actors)) if k not in lost]
        found: dict[int, Message] = {}
        for k in left:
            if self._answered(k, self._call(k, "weights", (_NO_NEWS, True)), found):
                self._seat(lost, found[k])
                return True
        if self._central:
            raise CapabilityError(
                "all workers were lost, and the owner has answered for a part of the epoch already, which it will not do "
                "again; begin a new run from the network, which is as it was at the start of the epoch"
            )
        self._repeat_epoch()
        return False

    def _repeat_epoch(self) -> None:
        """Seat everybody at the start of the epoch and do again what has been done of it."""
        rates, self._rates = self._rates, []
        self._version -= len(rates)
        self._step.network.W2, self._sums = self._network.W2, []
        self._seat(range(len(self._actors)), self._checkpoint())
        for rate in rates:
            self._advance(None, rate)

    def _seat(self, parts: Sequence[int], weights: Message) -> None:
        """Make replicas for these parts, on the workers that have the fewest."""
        for k in parts:
            self._addresses[k] = ""
        for k in parts:
            job = (*self._job(k), weights)
            for _ in range(ATTEMPTS):
                if self._begun(k, job):
                    break
                self._workers.count(lost=1)
            else:
                raise ParameterError(
                    f"{ATTEMPTS} workers were lost before they could begin; look at their logs for what ends them"
                )

    def _job(self, k: int) -> tuple:
        """Return what the worker of part k works with, but for the weights."""
        step = None if self._central else self._error_step
        X, targets, bounds = self._shard(k)
        return self._network.architecture, self._plan, step, bounds, _describe(self._evaluator), X, targets

    def _begun(self, k: int, job: tuple) -> bool:
        """Make the replica of part k; return False if its worker is lost meanwhile."""
        self._addresses[k] = min(self._workers.addresses(), key=self._addresses.count)
        client = self._workers.client
        future = client.submit(Replica, actor=True, pure=False, workers=[self._addresses[k]])
        try:
            with client.as_current():  # or the actor would turn to the newest client, of another cluster perhaps
                self._actors[k] = future.result(timeout=WAIT_FOR_WORKERS_S)
            self._actors[k].begin(*job).result()
        except FileError as error:
            raise ParameterError(
                f"a worker cannot use these evaluation keys ({error}); plan with the sigmoid that the keys were made for"
            ) from error
        except OSError:
            return False
        self._workers.count(setup=_nbytes(job))
        return True

    def _shard(self, k: int) -> tuple[Features, Any, np.ndarray]:
        """Return the reviews of part k of all mini-batches, their targets, and where each mini-batch begins among them."""
        rows, bounds = [], [0]
        for start in range(0, self._X.shape[0], self._plan.batch_size):
            low, high = self._bounds(min(self._plan.batch_size, self._X.shape[0] - start))[k]
            rows.append(np.arange(start + low, start + high))
            bounds.append(bounds[-1] + high - low)
        chosen = np.concatenate(rows)
        targets = None if self._central else self._targets[chosen]
        if targets is not None and not isinstance(targets, np.ndarray):
            targets = _pack(self._evaluator, targets=targets)
        return self._X[chosen], targets, np.array(bounds)


class Replica:
    """A worker's side: the encrypted network, its shard of the reviews, evaluation keys.  Lives in the worker as an actor."""

    def begin(
        self,
        architecture: Architecture,
        plan: TrainingPlan,
        step: ErrorStep | None,
        bounds: np.ndarray,
        keys: Message,
        X: Features,
        targets: Any,
        weights: Message,
    ) -> None:
        """Take keys, reviews (bounds[i] to bounds[i + 1] are in mini-batch i), their targets, and weights."""
        evaluator = self._evaluator = _restore(keys, architecture, plan)
        evaluator.prepare()
        W1 = _unpack(evaluator, weights)["W1"]
        self._plan, self._step = plan, Step(evaluator, Network(architecture, W1, None), plan, step)
        self._X, self._bounds, self._version = X, bounds, weights[0]["version"]
        self._targets = _unpack(evaluator, targets)["targets"] if isinstance(targets, tuple) else targets
        self._own: Message = {}, {}
        self._number: int | None = None

    def learn(self, number: int, rate: float, news: Message) -> Message:
        """Return scores, gradient sums and, with a hidden layer, errors and hidden vectors of a mini-batch's part."""
        self._forward(number, news)
        if self._batch is None:
            return {"gain": None, "sums": None}, {}
        rows = slice(self._bounds[number], self._bounds[number + 1])
        with np.errstate(over="ignore", invalid="ignore"):  # a diverging run in the clear is told by its scores
            d, gain = self._step.error_step(self._evaluator, self._z, self._targets[rows], rate)
            header, arrays = self._sums_of(d, gain)
        shown = {"z": self._z} | ({"h": self._h, "d": d} if self._step.products else {})
        packed = _pack(self._evaluator, **shown)
        return packed[0] | {"gain": gain, "sums": header}, packed[1] | {f"sums_{name}": a for name, a in arrays.items()}

    def score(self, number: int, news: Message) -> Message:
        """Return the scores and, with a hidden layer, the hidden vectors of a mini-batch's part."""
        self._forward(number, news)
        shown = {} if self._batch is None else {"z": self._z} | ({"h": self._h} if self._step.products else {})
        return _pack(self._evaluator, **shown)

    def sums(self, number: int, news: Message, errors: Message, gain: float) -> Message:
        """Return the gradient sums of a mini-batch's part for given errors."""
        if self._number != number:  # in place of a worker that was lost after it had sent its scores
            self._forward(number, news)
        return ({}, {}) if self._batch is None else self._sums_of(_unpack(self._evaluator, errors)["d"], gain)

    def weights(self, news: Message, wanted: bool) -> Message:
        """Return W1 after all steps so far, if it is wanted."""
        self._apply(news)
        if not wanted:
            return {}, {}
        header, arrays = _pack(self._evaluator, W1=self._step.network.W1)
        return header | {"version": self._version}, arrays

    def shrink(self, version: int) -> Message:
        """End an epoch: shrink W1, unless these weights, which come from another replica, have shrunk already."""
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
            self._batch = next(batches(self._X[low:high], high - low))[1]
            with np.errstate(over="ignore", invalid="ignore"):
                self._pooled, self._h, self._z = forward(self._evaluator, self._step.network, self._batch)

    def _sums_of(self, d: Encrypted, gain: float) -> Message:
        batch = cast(Batch, self._batch)
        G = self._step.finished(self._step.first_layer_errors(d, gain), self._pooled, batch)
        self._own = gradient_sums(self._evaluator, batch, G)
        return self._own

    def _apply(self, news: Message) -> None:
        """Subtract the sums of the last step, unless these weights have them already; take the new W2."""
        header, arrays = news
        if "W2" in header:
            self._step.network.W2 = _unpack(self._evaluator, news)["W2"]
        if header["version"] <= self._version:
            return
        subtract_sums(self._evaluator, self._step.network.W1, self._own)
        for i, described in enumerate(header["sums"]):
            prefix = f"{i}_"
            part = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
            subtract_sums(self._evaluator, self._step.network.W1, (described, part))
        self._version = header["version"]


# -- gradient sums


def gradient_sums(evaluator: Evaluator, batch: Batch, G: Encrypted) -> Message:
    """Return X^T G in parts: sums U of rows of G, shape (rows, width), and for each the words that it is an update of."""
    words, patterns = _patterns(batch)
    if patterns is None:
        rows: Batch = DenseBatch(batch.X.T)  # type: ignore[union-attr]
        pointers = np.arange(len(words) + 1, dtype=np.int32)
    else:
        rows, words, pointers = _by_group(words, patterns)
    header, arrays = _pack(evaluator, U=evaluator.gather(rows, G))
    return header, arrays | {"words": words.astype(np.int32), "pointers": pointers}


def _by_group(words: np.ndarray, patterns: np.ndarray) -> tuple[Batch, np.ndarray, np.ndarray]:
    """Return which rows of G to add up, each distinct sum of a group of reviews once, and the words of each sum."""
    sums, named, counts = [], [], []
    for first in range(0, patterns.shape[1], GROUP):
        group = slice(first, first + GROUP)
        used = np.flatnonzero(patterns[:, group].any(axis=1))
        distinct, which = _distinct(patterns[used, group])
        wide = np.zeros((len(distinct), patterns.shape[1]), patterns.dtype)
        wide[:, group] = patterns[used[distinct], group]
        sums.append(wide)
        named.append(words[used[np.argsort(which, kind="stable")]])
        counts.append(np.bincount(which, minlength=len(distinct)))
    pointers = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int32)
    return _as_batch(np.concatenate(sums)), np.concatenate(named), pointers


def subtract_sums(evaluator: Evaluator, W: Encrypted, sums: Message) -> None:
    """Do W -= X^T G in place, for what `gradient_sums` returned (nothing for an empty message)."""
    header, arrays = sums
    if header:
        words, pointers = arrays["words"].astype(np.intp), arrays["pointers"]
        evaluator.scatter_subtract(W, _Words(words, pointers, None, len(W)), _unpack(evaluator, sums)["U"])


class _Words(SparseBatch):
    """Rows that name words."""

    __slots__ = ()

    def largest_column(self) -> float:
        """Return how often a word is named at most: once by each group of reviews."""
        return float(np.bincount(self.indices).max()) if len(self.indices) else 0.0


def _patterns(batch: Batch) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the words of a batch, and how often each occurs in each review, shape (words, B); None for dense features."""
    if isinstance(batch, DenseBatch):
        return np.arange(batch.X.shape[1]), None
    if isinstance(batch, OneReview):
        return batch.indices, np.ones((len(batch.indices), 1), np.bool_)
    words, place = np.unique(batch.indices, return_inverse=True)
    values = np.True_ if batch.values is None else batch.values
    patterns = np.zeros((len(words), len(batch)), np.asarray(values).dtype)
    patterns[place, np.repeat(np.arange(len(batch)), np.diff(batch.indptr))] = values
    return words, patterns


def _distinct(patterns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first place of each distinct row, and which of them each row is."""
    short = np.packbits(patterns, axis=1) if patterns.dtype == np.bool_ else np.ascontiguousarray(patterns)
    as_one = short.view(np.dtype((np.void, short.shape[1] * short.itemsize)))[:, 0]
    _, first, group = np.unique(as_one, return_index=True, return_inverse=True)
    return first, group


def _as_batch(patterns: np.ndarray) -> Batch:
    """Return patterns of shape (rows, B) as the features of a batch over B reviews."""
    if patterns.dtype != np.bool_:
        return DenseBatch(patterns)
    rows, reviews = np.nonzero(patterns)
    pointers = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(patterns)))])
    return SparseBatch(reviews, pointers, None, patterns.shape[1])


# -- messages

_NO_NEWS: Message = ({"version": -1, "sums": []}, {})


def _pack(evaluator: Evaluator, **encrypted: Encrypted) -> Message:
    """Return encrypted arrays as a message."""
    header, arrays = {}, {}
    for name, a in encrypted.items():
        described, arrays[name] = evaluator.export_array(a)
        header[name] = {"array": described, "shape": list(a.shape)}
    return header, arrays


def _unpack(evaluator: Evaluator, message: Message) -> dict[str, Encrypted]:
    """Return the encrypted arrays of a message."""
    header, arrays = message
    return {
        name: evaluator.restore_array(header[name]["array"], a, tuple(header[name]["shape"]))
        for name, a in arrays.items()
        if name in header
    }


def _only(reply: Message, name: str) -> Message:
    """Return the message `name` that travelled within another one."""
    header, prefix = reply[0][name] or {}, f"{name}_"
    return header, {key.removeprefix(prefix): a for key, a in reply[1].items() if key.startswith(prefix)}


def _describe(evaluator: Evaluator) -> Message:
    """Return an evaluator as a message: its public keys."""
    if isinstance(evaluator.parameters, ClearParameters):
        return {"clear": evaluator.parameters}, {}
    header, arrays = evaluator.export()
    return {"scheme": evaluator.scheme, "keys": header}, arrays


def _restore(keys: Message, architecture: Architecture, plan: TrainingPlan) -> Evaluator:
    """Return the evaluator of a message."""
    header, arrays = keys
    if "clear" in header:
        return make_keys(header["clear"], ())[1]
    return restore_evaluator(header["scheme"], header["keys"], arrays, architecture.products(plan.sigmoid))


def _nbytes(found: Any) -> int:
    """Return the bytes of all arrays in nested lists, tuples and dicts."""
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, list | tuple):
        return sum(_nbytes(part) for part in found)
    if isinstance(found, np.ndarray):
        return found.nbytes
    return sum(getattr(found, name).nbytes for name in ("data", "indices", "indptr")) if hasattr(found, "indptr") else 0
