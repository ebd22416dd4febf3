"""Steps of gradient descent that all workers of a cluster share: the driver's side of a run.

The driver numbers the weights: `_version` goes up by one with each step (and each shrink at the end of an epoch).  Sums for
version v take a replica from v - 1 to v.  A replica that has version v already ignores them, so a question may be repeated
after a loss.  A replica that is alone needs no sums: it does whole mini-batches, several per question (`STRETCH`).
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from types import TracebackType

import numpy as np

from encnn.data.batches import Batch, TrainingFeatures
from encnn.errors import CapabilityError
from encnn.network import Step, TrainingRun
from encnn.network.architecture import PartOfNetwork
from encnn.network.partial_scores import joined
from encnn.scaling.cluster import Cluster
from encnn.scaling.crew import Crew, Question
from encnn.scaling.messages import Message, describe, nbytes_of, only, pack, unpack
from encnn.scaling.replica import Replica
from encnn.schemes.base import Encrypted, ErrorStep, Targets

STRETCH = 256
"""Reviews per question to a replica that is alone; between an answer and the next question it waits for milliseconds."""


class SharedSteps:
    """Steps of gradient descent by all workers, one per call; called as `network.Step` is.

    It is a context.  Entering it gives each worker its replica and shard; leaving it puts the trained weights into `network`.
    Weights also come back at the end of every epoch.  After an error `network` holds the weights of the last collection.
    """

    def __init__(self, cluster: Cluster, run: TrainingRun, error_step: ErrorStep | None) -> None:
        self._cluster, self._error_step = cluster, error_step
        self._evaluator, self._network, self._plan = run.evaluator, run.network, run.plan
        self._X, self._targets, self._central = run.X, run.targets, getattr(error_step, "central", False)
        self._scores_wanted = run.scores_wanted or self._central
        held = PartOfNetwork(run.network.architecture, None, run.network.W2, ranges=run.network.ranges)
        self._step = Step(run.evaluator, held, run.plan, error_step)
        self._sums: list[Message] = []  # of the last step, one per part; the next question carries them
        self._ready: list[list[Message]] = []  # replies to steps that are still to be done here
        self._ahead: Question | None = None  # the mini-batches after these, if the workers have begun them
        self._version = 0
        self._per_epoch = -(-run.X.shape[0] // run.plan.batch_size)
        self._first = run.first % run.X.shape[0] // run.plan.batch_size  # the epoch's first mini-batch after the checkpoint
        self._rates: list[float] = []  # of the steps since the checkpoint, to repeat them after a loss of all workers

    def __enter__(self) -> "SharedSteps":
        """Give every worker a replica and its shard."""
        client = self._cluster.client
        if not self._central:
            import cloudpickle  # imported late: it comes with Dask, an extra

            cloudpickle.dumps(self._error_step)  # as Dask will; a step with a secret is refused here, where Dask would hang
        self._was_direct = client.direct_to_workers
        if client.direct_to_workers is None:  # the caller left it open: a way through the scheduler would double the copies
            client.direct_to_workers = True
        by_machine = hasattr(self._evaluator, "threads")
        threads = list(self._cluster.seats(by_machine).values())[: min(self._plan.batch_size, self._X.shape[0])]
        self._shares = np.cumsum([0, *threads])  # each part of a mini-batch is as large as its machine is wide
        self._crew = Crew(self._cluster, len(threads), self._job, self._restart, by_machine)
        self._alone = len(threads) == 1 and not self._step.products and not self._central
        self._stretch = max(1, STRETCH // self._plan.batch_size) if self._alone and not self._plan.decay else 1
        begun = time.perf_counter()
        self._crew.seat(range(len(threads)), self._checkpoint())
        self._cluster.setup_seconds += time.perf_counter() - begun
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Collect the weights unless the run failed, and release the workers."""
        try:
            if kind is None and self._rates:
                self._collect()
        finally:
            del self._crew
            self._cluster.client.direct_to_workers = self._was_direct

    def __call__(self, batch: Batch, targets: Targets, rate: float) -> Encrypted:
        """Update the network with the next mini-batch; return the scores z it met, shape (B, outputs), or none if unwanted."""
        number = self._first + len(self._rates)
        scores = self._through_driver(number, targets, rate) if self._central else partial(self._joined, self._learn(rate), "z")
        self._cluster.count(steps=1)
        if number + 1 == self._per_epoch:
            self._collect()
        elif not (self._ahead or self._central or self._plan.decay or self._asked() == self._per_epoch):
            # With decay the next rate is not known here.
            # The workers go on while this call and its caller put scores together.
            self._ahead = self._question(rate)
        return scores()

    # -- one mini-batch

    def _asked(self) -> int:
        """Return the first mini-batch of the epoch that the workers have not been asked for."""
        return self._first + len(self._rates) + len(self._ready)

    def _question(self, rate: float) -> Question:
        """Have the workers begin the next mini-batches of the epoch."""
        first = self._asked()
        if self._alone:  # it needs to know nothing, and nobody needs its sums
            return self._crew.begin(Replica.train, [(range(first, min(first + self._stretch, self._per_epoch)), rate)])
        return self._crew.begin(Replica.learn, [(first, rate, news) for news in self._news()])

    def _learn(self, rate: float) -> list[Message]:
        """Have the workers do the next mini-batch of the epoch, unless they have begun; return their replies."""
        if not self._ready:
            question, self._ahead = self._ahead or self._question(rate), None
            replies = self._crew.answers(question)
            self._ready = [[reply] for reply in replies[0]] if self._alone else [replies]
        replies = self._ready.pop(0)
        if self._alone:
            self._done([], rate)
            return replies
        # Every part computes the same gain, and a part without reviews has none.
        gain = next(reply[0]["gain"] for reply in replies if reply[0]["gain"] is not None)
        if self._step.products:
            self._update_second_layer(self._joined(replies, "d"), replies, gain)
        self._done([only(reply, "sums") for reply in replies], rate)
        return replies

    def _done(self, sums: list[Message], rate: float) -> None:
        """Count a step as done; only now, when all replicas have answered, since a loss before this repeats it."""
        self._sums = sums
        self._version += 1
        self._rates.append(rate)

    def _through_driver(self, number: int, targets: Targets, rate: float) -> Callable[[], Encrypted]:
        """Do a mini-batch whose error step is called here, with the scores of the whole batch, which the result returns."""
        news = self._news()  # the same for both questions, since a replica applies it once only
        replies = self._crew.ask(Replica.score, [(number, part) for part in news])
        scores = self._joined(replies, "z")
        d, gain = self._step.error_step(self._evaluator, scores, targets, rate)
        errors = [pack(self._evaluator, d=d[low:high]) for low, high in self._bounds(len(scores))]
        sums = self._crew.ask(Replica.sums, [(number, part, e, gain) for part, e in zip(news, errors, strict=True)])
        if self._step.products:
            self._update_second_layer(d, replies, gain)
        self._done(sums, rate)
        return lambda: scores

    def _update_second_layer(self, d: Encrypted, replies: Sequence[Message], gain: float) -> None:
        # From d and h of the whole batch: one key switch for all parts, which gives the ciphertexts of one machine.
        h = self._joined(replies, "h")
        self._step.network.W2 = self._step.network.second_layer - self._step.second_layer_gradient(d, h, gain)

    def _joined(self, replies: Sequence[Message], name: str) -> Encrypted:
        """Return one array of all parts, in the order of the batch."""
        parts = [unpack(self._evaluator, reply)[name] for reply in replies if name in reply[0]]
        if not parts:  # scores that nobody wants
            return np.empty((0, self._network.architecture.outputs))
        return parts[0] if len(parts) == 1 else joined(self._evaluator, parts)

    def _news(self) -> list[Message]:
        """Return what each worker must know before the next mini-batch: the sums of the others, and W2."""
        W2 = {} if self._step.network.W2 is None else {"W2": self._step.network.W2}
        header, arrays = pack(self._evaluator, **W2)
        news = []
        for k in range(len(self._crew)):
            # A replica keeps its own sums; an empty message comes from a part without reviews.
            others = [sums for i, sums in enumerate(self._sums) if i != k and sums[0]]
            told = header | {"version": self._version, "sums": [sums[0] for sums in others]}
            news.append((told, arrays | {f"{i}_{name}": a for i, s in enumerate(others) for name, a in s[1].items()}))
        return news

    def _bounds(self, reviews: int) -> list[tuple[int, int]]:
        """Return the first review of every part of a batch, and the one after its last."""
        return list(pairwise(int(reviews * share // self._shares[-1]) for share in self._shares))

    # -- weights

    def _checkpoint(self) -> Message:
        """Return the weights of the last collection, or the initial ones."""
        # `_rates` counts the steps since then, so this is the version that those weights had.
        header, arrays = pack(self._evaluator, W1=self._network.W1)
        return header | {"version": self._version - len(self._rates)}, arrays

    def _collect(self) -> None:
        """Put the weights of a replica into the network.  This is the checkpoint for a run that loses all workers."""
        news = self._news()
        # All replicas apply the last sums, so that `_sums` can be emptied; one returns its weights, since all are equal.
        weights = self._crew.ask(Replica.weights, [(part, k == 0) for k, part in enumerate(news)])[0]
        self._network.W1 = unpack(self._evaluator, weights)["W1"]
        self._network.W2 = self._step.network.W2
        self._rates, self._sums, self._first = [], [], 0
        self._cluster.count(collected=nbytes_of(weights))
        if self._plan.shrink != 1:  # `train` shrinks the weights on the driver in the same way
            self._crew.ask(Replica.shrink, [(self._version,)] * len(self._crew))
            self._version += 1

    # -- losses

    def _restart(self) -> None:
        """Start again from the last checkpoint with new replicas, and repeat the steps since then."""
        if self._central:
            raise CapabilityError(
                "all workers were lost, and the owner has answered for a part of the epoch already, which it will not do "
                "again; begin a new run from the network, which is as it was at the start of the epoch"
            )
        # The driver's own state goes back to the checkpoint first: version, W2 and pending sums belong together.
        rates, self._rates = self._rates, []
        self._version -= len(rates)
        self._step.network.W2, self._sums = self._network.W2, []
        self._crew.seat(range(len(self._crew)), self._checkpoint())
        # Scores are deterministic and were reported before, so they are dropped; workers hold the targets.  Questions cover the
        # same mini-batches as before, so that none goes beyond the last step that was done.
        for rate in rates:
            self._learn(rate)

    # -- what a replica works with

    def _job(self, k: int) -> tuple:
        """Return what the worker of part k works with, except the weights."""
        step = None if self._central else self._error_step
        X, targets, bounds = self._shard(k)
        network = self._network
        public, keys = (network.weight_bound, network.ranges), describe(self._evaluator)
        return network.architecture, public, self._plan, step, self._scores_wanted, bounds, keys, X, targets

    def _shard(self, k: int) -> tuple[TrainingFeatures, Targets | Message, np.ndarray]:
        """Return the reviews of part k of all mini-batches, their targets, and where each mini-batch begins among them."""
        rows, bounds = [], [0]
        for start in range(0, self._X.shape[0], self._plan.batch_size):
            low, high = self._bounds(min(self._plan.batch_size, self._X.shape[0] - start))[k]
            rows.append(np.arange(start + low, start + high))
            bounds.append(bounds[-1] + high - low)
        chosen = np.concatenate(rows)
        targets = np.empty(0) if self._central else self._targets[chosen]  # the driver has those of a central step
        if isinstance(targets, Encrypted) and not isinstance(targets, np.ndarray):
            return self._X[chosen], pack(self._evaluator, targets=targets), np.array(bounds)
        return self._X[chosen], targets, np.array(bounds)
