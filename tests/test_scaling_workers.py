"""A mini-batch shared by workers gives the ciphertexts of one machine, whatever happens to the workers."""

import os
import pickle
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from encnn.arithmetic.sigmoid import ExactSigmoid, PolynomialSigmoid, taylor
from encnn.data.batches import Conditioned, DenseBatch, OneReview, SparseBatch, batches
from encnn.data.reviews import Vocabulary, bag_of_words, load_reviews
from encnn.errors import CapabilityError, CiphertextOverflowError, DivergenceError, ParameterError
from encnn.network import Architecture, Help, Network, TrainingPlan
from encnn.network import training as network
from encnn.network.partial_scores import PartialScores
from encnn.parties import EncryptedModel, Owner, Trainer
from encnn.parties.assistance.scores import Assistant, AssistedStep, DirectChannel, KeptLabels
from encnn.scaling import crew, shared_steps
from encnn.scaling import gradient_sums as sums_of
from encnn.scaling.messages import nbytes_of
from encnn.scaling.shared_steps import SharedSteps
from encnn.scaling.workers import Workers
from encnn.schemes import ClearParameters
from encnn.schemes.bootstrapped import BOOTSTRAP_TOY, HIDDEN_TOY
from encnn.schemes.integer_vector import ADDITIVE_128, COMPACT_128, PAPER
from tests.secret_walker import arrays_from, reachable, shows

RNG = np.random.default_rng(5)
REVIEWS, FEATURES = 47, 30
BINARY = csr_array((RNG.random((REVIEWS, FEATURES)) < 0.2).astype(np.int8))
COUNTS = csr_array(RNG.integers(0, 3, (REVIEWS, FEATURES)).astype(np.int16))
DENSE = RNG.integers(-2, 3, (REVIEWS, FEATURES))
LABELS = RNG.integers(0, 2, REVIEWS)
CLASSES = RNG.integers(0, 3, REVIEWS)
CONVEX = PolynomialSigmoid("convex", (0.1, 1.0, 0.1), (-1.0, 1.0))


class FakeCluster:
    """What training uses of a Dask client, with the workers in this process, and one that can be told to die.

    kill: {worker: number of calls that it survives}.  live: {address: threads}, by default workers on machines of their own.
    """

    asynchronous = False
    direct_to_workers = None

    def __init__(
        self, workers: int = 2, kill: dict[str, int] | None = None, reborn: bool = True, live: dict[str, int] | None = None
    ) -> None:
        self.live = dict(live or {f"worker-{k}": 1 for k in range(workers)})
        self.kill, self.reborn, self.calls = kill or {}, reborn, dict.fromkeys(self.live, 0)
        self.born = workers
        self.sent: list[Any] = []

    def nthreads(self) -> dict[str, int]:
        return dict(self.live)

    def wait_for_workers(self, n: int, timeout: float) -> None:
        if not self.live:
            raise TimeoutError

    def as_current(self) -> Any:
        return nullcontext()

    def submit(self, kind: type, *, actor: bool, pure: bool, workers: list[str]) -> "FakeFuture":
        assert actor and not pure
        actor = FakeActor(self, kind(), workers[0])
        return FakeFuture(lambda: actor)

    def call(self, actor: "FakeActor", name: str, arguments: tuple) -> Any:
        worker = actor.worker
        if self.calls[worker] == self.kill.get(worker):
            self.live.pop(worker, None)
            if self.reborn:
                again = f"worker-{self.born}"
                self.live[again], self.calls[again], self.born = 1, 0, self.born + 1
            del self.kill[worker]
        if worker not in self.live:
            raise OSError("Unable to contact Actor's worker")
        self.calls[worker] += 1
        sent = pickle.dumps(arguments)  # as between processes: nothing is shared
        self.sent.append(arguments)
        return pickle.loads(pickle.dumps(getattr(actor.held, name)(*pickle.loads(sent))))


class FakeActor:
    def __init__(self, cluster: FakeCluster, held: Any, worker: str) -> None:
        self.cluster, self.held, self.worker = cluster, held, worker

    def __getattr__(self, name: str) -> Any:
        if self.worker not in self.cluster.live:
            raise RuntimeError("Worker holding Actor was lost")
        return lambda *arguments: FakeFuture(lambda: self.cluster.call(self, name, arguments))


class FakeFuture:
    def __init__(self, value: Any) -> None:
        self.value = value

    def result(self, timeout: float | None = None) -> Any:
        return self.value()


def exported(model: EncryptedModel) -> list[np.ndarray]:
    """Return the weights as they go into files."""
    weights = model.network.W1, model.network.W2
    return [model.evaluator.export_array(W)[1] for W in weights if W is not None]


def pair(
    parameters: Any = PAPER, sigmoid: Any = None, hidden: int = 3, first_layer_sd: float = 0.3, **architecture: Any
) -> tuple[Owner, EncryptedModel]:
    a = Architecture(FEATURES, hidden, **architecture)
    owner = Owner(a, sigmoid or taylor(5), parameters, rng=np.random.default_rng(0))
    return owner, owner.encrypt(Network.initial(a, np.random.default_rng(1), first_layer_sd))


def as_help(client: Any, step: Any = None) -> Help:
    """Return the workers of a client as help, a client's `Workers` as they are, and nobody for no client."""
    if client is None:
        return Help(step)
    return client if isinstance(client, Workers) else Workers(client, step)


def both(model: EncryptedModel, client: Any, X: Any, y: Any, plan: TrainingPlan) -> tuple[Trainer, Trainer, Any, Any]:
    here, there = Trainer(model.copy()), Trainer(model.copy())
    return here, there, here.train(X, y, plan), there.train(X, y, plan, help=as_help(client))


def assert_equal(here: Trainer, there: Trainer, scores_here: Any, scores_there: Any) -> None:
    for one, other in zip(exported(here.model), exported(there.model), strict=True):
        np.testing.assert_array_equal(one, other)
    evaluator = here.model.evaluator
    if isinstance(scores_here, PartialScores):
        np.testing.assert_array_equal(scores_here.counts, scores_there.counts)
        scores_here, scores_there = scores_here.parts, scores_there.parts
    np.testing.assert_array_equal(evaluator.export_array(scores_here)[1], evaluator.export_array(scores_there)[1])


# -- the sums


@pytest.mark.parametrize("X", [BINARY, COUNTS, DENSE], ids=["binary", "counts", "dense"])
def test_sums_are_the_update(X: Any) -> None:
    owner, model = pair(ClearParameters())
    batch = next(batches(X[:9], 9))[1]
    G = RNG.normal(size=(9, 3))
    W = np.zeros((FEATURES, 3))
    sums = sums_of.gradient_sums(owner.evaluator, batch, G)
    sums_of.subtract_sums(owner.evaluator, W, sums)
    dense = X[:9].toarray() if hasattr(X, "toarray") else X[:9]
    np.testing.assert_allclose(W, -dense.T @ G, rtol=1e-12, atol=1e-12)


def test_equal_rows_travel_once() -> None:
    """Three words of the first review alone, one of both: two rows for four words."""
    owner, _ = pair(ClearParameters())
    batch = SparseBatch(np.array([4, 7, 9, 2, 7]), np.array([0, 3, 5]), None, FEATURES)
    G = np.array([[1.0], [10.0]])
    header, arrays = sums_of.gradient_sums(owner.evaluator, batch, G)
    rows = {
        tuple(arrays["words"][a:b]): u
        for (a, b), u in zip(np.lib.stride_tricks.sliding_window_view(arrays["pointers"], 2), arrays["U"][:, 0], strict=True)
    }
    assert rows == {(4, 9): 1.0, (2,): 10.0, (7,): 11.0}
    one = sums_of.gradient_sums(owner.evaluator, OneReview(np.array([3, 5])), G[:1])[1]
    assert one["U"].shape == (1, 1) and one["words"].tolist() == [3, 5]
    dense = sums_of.gradient_sums(owner.evaluator, DenseBatch(np.ones((2, FEATURES))), G)[1]
    assert dense["U"].shape == (FEATURES, 1)


def test_sums_are_of_a_few_reviews_each() -> None:
    """Two groups: no more rows than the words of a few reviews can have patterns, and a word of both is named twice."""
    owner, _ = pair(ClearParameters())
    reviews = sums_of.GROUP + 1
    X = csr_array(np.concatenate([np.ones((reviews, 1)), np.eye(reviews)], axis=1).astype(np.int8))
    batch = next(batches(X, reviews))[1]
    arrays = sums_of.gradient_sums(owner.evaluator, batch, np.ones((reviews, 1)))[1]
    assert len(arrays["U"]) == reviews + 1  # a word of its own for each, and the first word in the first group
    assert np.count_nonzero(arrays["words"] == 0) == 2
    assert sums_of._Words(arrays["words"], arrays["pointers"], None, reviews + 1).largest_column() == 2


# -- equal ciphertexts

CASES: dict[str, tuple[dict[str, Any], TrainingPlan, Any, Any]] = {
    "hidden": ({}, TrainingPlan(taylor(5), 0.02, batch_size=8, epochs=2), BINARY, LABELS),
    "batches of one": ({}, TrainingPlan(taylor(5), 0.02), BINARY, LABELS),
    "sum, degree 1, decay": (
        {"pooling": "sum", "sigmoid": taylor(1)},
        TrainingPlan(taylor(1), 0.01, 0.5, 7, 2),
        BINARY,
        LABELS,
    ),
    "divided": ({}, TrainingPlan(taylor(5), 0.02, batch_size=8, divide_update=True), BINARY, LABELS),
    "logistic": ({"hidden": 0}, TrainingPlan(taylor(5), 0.02, batch_size=10), BINARY, LABELS),
    "classes": ({"outputs": 3}, TrainingPlan(taylor(5), 0.01, batch_size=10), BINARY, CLASSES),
    "hidden sigmoid": ({"hidden_sigmoid": CONVEX}, TrainingPlan(taylor(5), 0.01, batch_size=10), BINARY, LABELS),
    "counts": ({"pooling": "sum"}, TrainingPlan(taylor(5), 0.002, batch_size=10), COUNTS, LABELS),
    "dense": ({"pooling": "sum"}, TrainingPlan(taylor(5), 0.002, batch_size=10), DENSE, LABELS),
}


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("case", CASES)
def test_ciphertexts_are_those_of_one_machine(case: str, workers: int) -> None:
    kinds, plan, X, y = CASES[case]
    _, model = pair(**kinds)
    assert_equal(*both(model, FakeCluster(workers), X, y, plan))


@pytest.mark.parametrize("case", CASES)
def test_clear_weights_differ_by_the_order_of_summation_only(case: str) -> None:
    kinds, plan, X, y = CASES[case]
    _, model = pair(ClearParameters(), **kinds)
    here, there, scores_here, scores_there = both(model, FakeCluster(3), X, y, plan)
    np.testing.assert_allclose(scores_there, scores_here, rtol=1e-12, atol=1e-13)
    for one, other in zip(exported(here.model), exported(there.model), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-12, atol=1e-13)


def test_encrypted_labels_travel_with_their_reviews() -> None:
    owner, model = pair()
    y = owner.encrypt_labels(LABELS, insecure=True)
    assert_equal(*both(model, FakeCluster(2), BINARY, y, TrainingPlan(taylor(5), 0.02, batch_size=8)))


@pytest.mark.parametrize("parameters", [COMPACT_128, ADDITIVE_128], ids=lambda p: p.name)
@pytest.mark.parametrize("labels", ["sent", "kept", "encrypted"])
def test_the_owner_assists_the_driver(parameters: Any, labels: str) -> None:
    owner, model = pair(parameters, ExactSigmoid(), hidden=0, first_layer_sd=0.0, pooling="sum")
    plan = TrainingPlan(ExactSigmoid(), 0.0625, batch_size=8)
    y = {"sent": LABELS, "kept": KeptLabels(REVIEWS), "encrypted": owner.encrypt_labels(LABELS, plan.learning_rate)}[labels]
    weights, scores = [], []
    for client in (None, FakeCluster(3)):
        assistant = Assistant(owner.secret_key, labels=LABELS if labels == "kept" else None, rng=np.random.default_rng(3))
        trainer = Trainer(model.copy())
        step = AssistedStep(DirectChannel(assistant), rng=np.random.default_rng(4))
        z = trainer.train(BINARY, y, plan, help=as_help(client, step))
        weights.append(exported(trainer.model)[0])
        scores.append(model.evaluator.export_array(z)[1])
        assert assistant.tally.trips == -(-REVIEWS // 8)
    np.testing.assert_array_equal(*weights)
    np.testing.assert_array_equal(*scores)


def test_a_run_that_was_cut_short_goes_on() -> None:
    _, model = pair()
    here, there = Trainer(model.copy()), Trainer(model.copy())
    first = REVIEWS + 16  # two mini-batches of the second epoch are done
    for trainer, client in ((here, None), (there, FakeCluster(2, {"worker-0": 3, "worker-1": 3}))):
        network.train(trainer.model.evaluator, trainer.model.network, BINARY, LABELS, PLAN, first=first, help=as_help(client))
    for one, other in zip(exported(here.model), exported(there.model), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("after", [None, 7, 8, 9, 10, 16, 17, 18])
def test_weights_shrink_on_the_workers_too(after: int | None) -> None:
    plan = TrainingPlan(taylor(5), 0.02, batch_size=8, epochs=3, shrink=0.5)
    cluster = FakeCluster(2, {} if after is None else {"worker-0": after})
    assert_equal(*both(pair()[1], cluster, BINARY, LABELS, plan))
    assert not cluster.kill
    cluster = FakeCluster(2, {} if after is None else {"worker-0": after, "worker-1": after})
    assert_equal(*both(pair()[1], cluster, BINARY, LABELS, plan))


@pytest.mark.parametrize("after", [None, 4])
def test_bootstraps_are_shared(after: int | None) -> None:
    """The scheme that this is for: each review costs a bootstrap, and nobody is asked."""
    _, model = pair(BOOTSTRAP_TOY, ExactSigmoid(), hidden=0, first_layer_sd=0.0, pooling="sum")
    plan = TrainingPlan(ExactSigmoid(), 0.02, batch_size=8)
    cluster = FakeCluster(2, {} if after is None else {"worker-1": after})
    assert_equal(*both(model, cluster, BINARY, LABELS, plan))


MACHINES = {"tcp://10.0.0.1:40": 1, "tcp://10.0.0.2:40": 2, "tcp://10.0.0.2:41": 1}


def seats(cluster: FakeCluster) -> list[tuple[int, int]]:
    """Return how many reviews and threads each replica was given."""
    return [(sent[7].shape[0], sent[10]) for sent in cluster.sent if len(sent) == 11]


def test_workers_of_one_machine_are_one_replica_with_their_threads() -> None:
    """A machine with three of four threads takes three quarters of each mini-batch, and the keys travel to it once."""
    _, model = pair(BOOTSTRAP_TOY, ExactSigmoid(), hidden=0, first_layer_sd=0.0, pooling="sum")
    cluster = FakeCluster(live=MACHINES)
    assert_equal(*both(model, cluster, BINARY[:16], LABELS[:16], TrainingPlan(ExactSigmoid(), 0.02, batch_size=8)))
    assert seats(cluster) == [(12, 3), (4, 1)]


def test_without_threads_each_worker_is_a_replica() -> None:
    cluster = FakeCluster(live=MACHINES)
    assert_equal(*both(pair()[1], cluster, BINARY[:24], LABELS[:24], TrainingPlan(taylor(5), 0.02, batch_size=12)))
    assert seats(cluster) == [(8, 1)] * 3


def test_a_lost_machine_is_replaced_by_one_that_is_free() -> None:
    _, model = pair(BOOTSTRAP_TOY, ExactSigmoid(), hidden=0, first_layer_sd=0.0, pooling="sum")
    cluster = FakeCluster(kill={"tcp://10.0.0.1:40": 3}, live=MACHINES)
    assert_equal(*both(model, cluster, BINARY, LABELS, TrainingPlan(ExactSigmoid(), 0.02, batch_size=8)))
    assert [threads for _, threads in seats(cluster)] == [3, 1, 1] and not cluster.kill


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_a_replica_that_is_alone_is_asked_for_many_mini_batches(decay: float) -> None:
    """One call for the start, one for all mini-batches of an epoch (if the rate is known), one for the weights."""
    plan = TrainingPlan(taylor(5), 0.02, decay, batch_size=8, epochs=2)
    cluster = FakeCluster(1)
    workers = Workers(cluster)
    assert_equal(*both(pair(hidden=0)[1], workers, BINARY, LABELS, plan))
    assert cluster.calls["worker-0"] == (1 + 2 * (6 + 1) if decay else 1 + 2 * (1 + 1))
    assert workers.traffic.down == 0  # it knows its own sums


@pytest.mark.parametrize("replicas", [1, 2])
def test_scores_that_nobody_wants_are_not_moved(replicas: int) -> None:
    model, plan, found = pair(hidden=0)[1], TrainingPlan(taylor(5), 0.02, batch_size=8, epochs=2), []
    for keep in (True, False):
        trainer, workers = Trainer(model.copy()), Workers(FakeCluster(replicas))
        trainer.train(BINARY, LABELS, plan, help=workers, keep_scores=keep)
        found.append((trainer.model, workers.traffic.up))
    assert np.array_equal(found[0][0].network.W1.data, found[1][0].network.W1.data)
    assert found[1][1] < found[0][1] and (replicas > 1 or found[1][1] == 0)


@pytest.mark.parametrize("after", range(1, 9))
def test_a_replica_that_is_alone_and_lost_changes_nothing(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The epoch is repeated up to the mini-batches that were lost, although several are asked for at once."""
    monkeypatch.setattr(shared_steps, "STRETCH", 32)
    plan = TrainingPlan(taylor(5), 0.02, batch_size=8, epochs=2, shrink=0.5)
    cluster = FakeCluster(1, {"worker-0": after, "worker-1": 2})
    assert_equal(*both(pair(hidden=0)[1], cluster, BINARY, LABELS, plan))
    assert "worker-0" not in cluster.kill


def test_an_overflow_ends_a_replica_that_is_alone_as_it_ends_a_trainer() -> None:
    """The scores before it are reported, although they were asked for together with the mini-batch that overflows."""
    model, plan = pair(pooling="sum", hidden=0)[1], TrainingPlan(taylor(5), 1.0, batch_size=8, epochs=30)
    reported: list[list[int]] = []
    for client in (None, FakeCluster(1)):
        seen: list[int] = []
        with pytest.raises(CiphertextOverflowError, match="lower the learning rate"):
            Trainer(model.copy()).train(
                BINARY, LABELS, plan, on_scores=lambda first, z, seen=seen: seen.append(first + len(z)), help=as_help(client)
            )
        reported.append(seen)
    assert reported[0] == reported[1] and reported[0][-1] % REVIEWS  # it came within an epoch


@pytest.mark.parametrize("labels", ["plain", "encrypted"])
@pytest.mark.parametrize("after", [None, 4])
def test_hidden_layers_by_codes_are_shared(after: int | None, labels: str) -> None:
    owner, model = pair(HIDDEN_TOY, ExactSigmoid(), hidden=2, pooling="mean")
    plan = TrainingPlan(ExactSigmoid(), 0.1, batch_size=8)
    X, y = BINARY[:12], LABELS[:12] if labels == "plain" else owner.encrypt_labels(LABELS[:12], insecure=True)
    assert_equal(*both(model, FakeCluster(2, {} if after is None else {"worker-1": after}), X, y, plan))


@pytest.mark.parametrize("labels", ["plain", "encrypted"])
@pytest.mark.parametrize("after", [None, 4])
def test_a_network_of_rank_one_is_shared(after: int | None, labels: str) -> None:
    owner, model = pair(HIDDEN_TOY, ExactSigmoid(), hidden=5, first_layer_sd=0.0)
    plan = TrainingPlan(ExactSigmoid(), 0.2, batch_size=8, decay=0.5)
    y = LABELS if labels == "plain" else owner.encrypt_labels(LABELS, insecure=True)
    cluster = FakeCluster(2, {} if after is None else {"worker-1": after})
    here, there, z, z_there = both(model, cluster, BINARY, y, plan)
    assert here.model.network.direction is not None
    assert_equal(here, there, z.sums, z_there.sums)
    # a part of a mini-batch brings its own copy of b, so that b is packed beside others
    np.testing.assert_allclose(owner.decrypt(z), owner.decrypt(z_there), rtol=1e-6)


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_workers_go_on_while_the_driver_puts_scores_together(decay: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have the next question first, unless its rate is not known yet, or the weights come back before it."""
    told: list[str] = []

    def watched(kind: type, name: str) -> None:
        method = getattr(kind, name)
        monkeypatch.setattr(kind, name, lambda *arguments: told.append(name) or method(*arguments))

    watched(crew.Crew, "begin")
    watched(SharedSteps, "_joined")
    plan = TrainingPlan(taylor(5), 0.02, decay, batch_size=16)
    Trainer(pair(hidden=0)[1]).train(BINARY, LABELS, plan, help=Workers(FakeCluster(2)))
    weights = ["begin", "_joined"]  # the weights are asked for before the last scores are put together
    in_turn, ahead = ["begin", "_joined"] * 2, ["begin", "begin", "_joined", "begin", "_joined"]
    assert told == ([*in_turn, "begin", *weights] if decay else [*ahead, *weights])


@pytest.mark.parametrize("labels", ["plain", "encrypted"])
@pytest.mark.parametrize("after", [None, 4])
def test_conditioned_features_and_encrypted_labels_are_shared(after: int | None, labels: str) -> None:
    owner, model = pair(BOOTSTRAP_TOY, ExactSigmoid(), hidden=0, first_layer_sd=0.0, pooling="sum")
    plan, widths = TrainingPlan(ExactSigmoid(), 0.02, batch_size=8, epochs=2), np.random.default_rng(9).uniform(0.5, 2, REVIEWS)
    X = Conditioned(BINARY, 1 + np.arange(FEATURES) % 4, widths)
    y = LABELS if labels == "plain" else owner.encrypt_labels(LABELS, 0.02 / widths, insecure=True)
    cluster = FakeCluster(2, {} if after is None else {"worker-1": after})
    assert_equal(*both(model, cluster, X, y, plan))


def test_the_update_of_blocks_travels_whole() -> None:
    """What a worker sends for a mini-batch is as large as the model, however many reviews there are."""
    _, model = pair(BOOTSTRAP_TOY, ExactSigmoid(), hidden=0, first_layer_sd=0.0, pooling="sum")
    scores = 4 * (1 + BOOTSTRAP_TOY.d)
    for batch_size in (8, REVIEWS):
        workers = Workers(FakeCluster(2))
        plan = TrainingPlan(ExactSigmoid(), 0.02, batch_size=batch_size)
        z = Trainer(model.copy()).train(BINARY, LABELS, plan, workers)
        steps, traffic = -(-REVIEWS // batch_size), workers.traffic
        update = 2 * (model.network.W1.nbytes + 8)  # of two workers, with the number of a block
        told = len(z.parts) * scores + z.counts.nbytes if isinstance(z, PartialScores) else len(z) * scores
        assert traffic.up == told + steps * update
        assert traffic.down == steps * update


# -- losses

PLAN = TrainingPlan(taylor(5), 0.02, batch_size=8, epochs=2)


@pytest.mark.parametrize("reborn", [True, False])
@pytest.mark.parametrize("after", range(0, 18, 2))
def test_a_lost_worker_changes_nothing(after: int, reborn: bool) -> None:
    """It may be lost at any call: when it begins, in mid-epoch, when weights are collected."""
    cluster = FakeCluster(2, {"worker-1": after}, reborn)
    workers = Workers(cluster)
    assert_equal(*both(pair()[1], workers, BINARY, LABELS, PLAN))
    assert workers.traffic.lost == (1 if after < 15 else 0)
    assert workers.traffic.steps == 12


@pytest.mark.parametrize("after", [{"worker-0": 4, "worker-1": 4}, {"worker-0": 10, "worker-1": 11}, {"worker-0": 3}])
def test_with_all_lost_the_epoch_is_repeated(after: dict[str, int]) -> None:
    cluster = FakeCluster(len(after), dict(after))
    assert_equal(*both(pair()[1], cluster, BINARY, LABELS, PLAN))
    assert not cluster.kill


def test_lost_one_after_the_other() -> None:
    cluster = FakeCluster(3, {"worker-0": 3, "worker-2": 5, "worker-3": 2, "worker-1": 9})
    assert_equal(*both(pair()[1], cluster, BINARY, LABELS, PLAN))
    assert not cluster.kill


def assisted(owner: Owner, model: EncryptedModel, cluster: Any) -> tuple[np.ndarray, Assistant]:
    assistant = Assistant(owner.secret_key, rng=np.random.default_rng(3))
    trainer = Trainer(model.copy())
    step = AssistedStep(DirectChannel(assistant), rng=np.random.default_rng(4))
    trainer.train(
        BINARY, LABELS, TrainingPlan(ExactSigmoid(), 0.0625, batch_size=8), step if cluster is None else Workers(cluster, step)
    )
    return exported(trainer.model)[0], assistant


@pytest.mark.parametrize("after", range(1, 13))
def test_the_owner_is_asked_once_though_workers_are_lost(after: int) -> None:
    owner, model = pair(COMPACT_128, ExactSigmoid(), hidden=0, first_layer_sd=0.0, pooling="sum")
    alone, _ = assisted(owner, model, None)
    shared, assistant = assisted(owner, model, FakeCluster(2, {"worker-0": after}))
    np.testing.assert_array_equal(shared, alone)
    assert assistant.tally.trips == -(-REVIEWS // 8)


def test_the_owner_is_not_asked_again() -> None:
    owner, model = pair(COMPACT_128, ExactSigmoid(), hidden=0, first_layer_sd=0.0, pooling="sum")
    with pytest.raises(CapabilityError, match="will not do again"):
        assisted(owner, model, FakeCluster(1, {"worker-0": 4}))


def test_a_cluster_that_loses_every_worker_is_given_up() -> None:
    cluster = FakeCluster(1, {f"worker-{k}": 1 for k in range(40)})
    with pytest.raises(ParameterError, match="workers were lost 5 times"):
        Trainer(pair()[1]).train(BINARY, LABELS, PLAN, help=Workers(cluster))
    with pytest.raises(ParameterError, match="5 workers were lost before"):
        cluster = FakeCluster(1, {f"worker-{k}": 0 for k in range(40)})
        Trainer(pair()[1]).train(BINARY, LABELS, PLAN, help=Workers(cluster))
    with pytest.raises(ParameterError, match="no worker for"):
        Trainer(pair()[1]).train(
            BINARY, LABELS, PLAN, help=Workers(FakeCluster(2, {"worker-0": 2, "worker-1": 2}, reborn=False))
        )
    with pytest.raises(ParameterError, match="no worker for"):
        Trainer(pair()[1]).train(BINARY, LABELS, PLAN, help=Workers(FakeCluster(0)))


def test_a_silent_worker_is_looked_after() -> None:
    """No answer in time: as long as Dask lists the worker it is waited for, then it counts as lost."""

    class Silent(FakeFuture):
        asked = 0

        def result(self, timeout: float | None = None) -> Any:
            Silent.asked += 1
            if Silent.asked == 3:
                cluster.live.pop("worker-0")
            raise TimeoutError

    cluster = FakeCluster(1)
    alone = crew.Crew(Workers(cluster), 1, lambda k: (), lambda: None)
    alone._addresses = ["worker-0"]
    assert not alone._answered(0, Silent(None), {})
    assert Silent.asked == 3


# -- errors and reports


def test_a_failed_run_leaves_the_last_whole_epoch() -> None:
    """The first report comes with the end of the first epoch."""
    owner, model = pair()
    trainer, after_one = Trainer(model), Trainer(model.copy())
    seen: list[int] = []
    after_one.train(BINARY, LABELS, TrainingPlan(PLAN.sigmoid, PLAN.learning_rate, batch_size=PLAN.batch_size))

    def stop(first: int, scores: Any) -> None:
        seen.append(first)
        raise DivergenceError("enough")

    cluster = FakeCluster(2)
    with pytest.raises(DivergenceError, match="enough"):
        trainer.train(BINARY, LABELS, PLAN, on_scores=stop, help=Workers(cluster))
    assert seen == [0] and cluster.direct_to_workers is None
    for one, other in zip(exported(after_one.model), exported(model), strict=True):
        np.testing.assert_array_equal(one, other)


def test_errors_of_workers_arrive_as_they_are() -> None:
    _, model = pair(pooling="sum", first_layer_sd=3.0)
    reported: list[int] = []
    with pytest.raises(CiphertextOverflowError, match="lower the learning rate"):
        plan = TrainingPlan(taylor(5), 50.0, batch_size=8, epochs=30)
        Trainer(model).train(
            BINARY, LABELS, plan, on_scores=lambda first, _: reported.append(first), help=Workers(FakeCluster(2))
        )
    assert reported  # the scores that led there


def test_keys_for_another_sigmoid_are_refused() -> None:
    with pytest.raises(ParameterError, match="plan with the sigmoid that the keys were made for"):
        Trainer(pair()[1]).train(BINARY, LABELS, TrainingPlan(taylor(1), batch_size=8), help=Workers(FakeCluster(2)))


@pytest.mark.parametrize("client", ["tcp://127.0.0.1:8786", 3])
def test_what_is_no_client_is_refused(client: Any) -> None:
    with pytest.raises(ParameterError, match="pass a distributed.Client"):
        Trainer(pair()[1]).train(BINARY, LABELS, PLAN, help=Workers(client))


def test_asynchronous_clients_are_refused() -> None:
    cluster = FakeCluster()
    cluster.asynchronous = True
    with pytest.raises(ParameterError, match="without asynchronous=True"):
        Trainer(pair()[1]).train(BINARY, LABELS, PLAN, help=Workers(cluster))


def test_bytes_are_counted() -> None:
    """A step of W1 alone: the scores and sums up, the sums of the other worker down."""
    workers = Workers(FakeCluster(2))
    _, model = pair(hidden=0)
    n = 2  # numbers per ciphertext, of 8 bytes each
    Trainer(model).train(BINARY, LABELS, TrainingPlan(taylor(5), 0.02, batch_size=REVIEWS), help=workers)
    half = REVIEWS // 2
    sums = [
        nbytes_of(sums_of.gradient_sums(model.evaluator, next(batches(X, len(LABELS)))[1], _rows(model, X)))
        for X in (BINARY[:half], BINARY[half:])
    ]
    t = workers.traffic
    assert t.up == 8 * n * REVIEWS + sum(sums)
    assert t.down == sum(sums)  # told when the weights are collected
    assert (t.collected, t.steps, t.lost) == (8 * n * FEATURES, 1, 0)


def _rows(model: EncryptedModel, X: Any) -> Any:
    return model.network.W1[np.zeros(X.shape[0], dtype=int)]


# -- secrets


def test_no_secret_is_sent() -> None:
    """Neither the key nor the owner's assistant travel; what travels leads to no T."""
    owner, model = pair(COMPACT_128, ExactSigmoid(), hidden=0, first_layer_sd=0.0, pooling="sum")
    cluster = FakeCluster(2)
    assisted(owner, model, cluster)
    found = reachable(cluster.sent)
    assert not any(isinstance(thing, Owner | Assistant | type(owner.secret_key)) for thing in found)
    assert not shows(arrays_from(cluster.sent), owner.secret_key.T(1))


# -- a real cluster, its workers processes of their own


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def toy() -> tuple[Any, np.ndarray]:
    corpus = load_reviews("toy")
    return bag_of_words(corpus.train, Vocabulary.select(corpus.train)), corpus.train.labels


def toy_model(parameters: Any, features: int, hidden: int, sigmoid: Any) -> EncryptedModel:
    a = Architecture(features, hidden)
    owner = Owner(a, sigmoid, parameters)
    return owner.encrypt(Network.initial(a, np.random.default_rng(1)))


@pytest.mark.slow
def test_two_processes_give_the_ciphertexts_of_one(client: Any, toy: Any) -> None:
    X, y = toy
    pids = set(client.run(os.getpid).values())
    assert len(pids) == 2 and os.getpid() not in pids
    model = toy_model(PAPER, X.shape[1], 8, taylor(5))
    assert_equal(*both(model, client, X, y, TrainingPlan(taylor(5), 0.01, batch_size=64, epochs=2)))


@pytest.mark.slow
def test_two_processes_of_one_machine_are_one_replica(client: Any, toy: Any) -> None:
    X, y = toy[0][:, :40], toy[1]
    a = Architecture(X.shape[1], 0, pooling="sum")
    model = Owner(a, ExactSigmoid(), BOOTSTRAP_TOY).encrypt(Network(a, np.zeros((a.features, 1)), None))
    workers = Workers(client)
    assert_equal(*both(model, workers, X[:64], y[:64], TrainingPlan(ExactSigmoid(), 0.02, batch_size=16)))
    assert workers.traffic.down == 0 < workers.traffic.up


@pytest.mark.slow
def test_another_cluster_may_be_open(client: Any, toy: Any) -> None:
    distributed = pytest.importorskip("distributed")
    _, model = pair()
    other = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": ":0"}
    with distributed.LocalCluster(**other) as cluster, distributed.Client(cluster) as newest:
        assert distributed.Client.current() is newest
        assert_equal(*both(model, client, BINARY, LABELS, PLAN))


@pytest.mark.slow
def test_a_killed_process_changes_nothing(client: Any, toy: Any) -> None:
    X, y = toy
    model = toy_model(PAPER, X.shape[1], 8, taylor(5))
    plan = TrainingPlan(taylor(5), 0.01, batch_size=64)
    here, there, workers = Trainer(model.copy()), Trainer(model.copy()), Workers(client)
    pids = client.run(os.getpid)
    victims = list(pids.values())[:1]

    def kill(first: int, scores: Any) -> None:
        if victims:
            os.kill(victims.pop(), signal.SIGKILL)

    z = there.train(X, y, plan, on_scores=kill, help=workers)  # the first report comes in mid-epoch
    assert not victims and workers.traffic.lost == 1
    assert_equal(here, there, here.train(X, y, plan), z)
    client.wait_for_workers(2)


@pytest.mark.slow
@pytest.mark.parametrize("holder", ["owner", "key"])
def test_a_step_that_holds_a_secret_does_not_travel(client: Any, holder: str) -> None:
    owner, model = pair()
    secret = owner if holder == "owner" else owner.secret_key

    def curious(evaluator: Any, z: Any, targets: Any, rate: float) -> Any:
        raise AssertionError(secret)

    with pytest.raises(Exception, match="not pickled or copied"):
        Trainer(model).train(BINARY, LABELS, PLAN, help=Workers(client, curious))


@pytest.mark.slow
def test_a_step_of_public_things_travels(client: Any) -> None:
    _, model = pair(hidden=0)
    plan = TrainingPlan(taylor(5), 0.02, batch_size=8)
    here, there = Trainer(model.copy()), Trainer(model.copy())

    def linear(evaluator: Any, z: Any, targets: Any, rate: float) -> Any:
        return evaluator.multiply_plain(z, 0.25) + (0.5 - targets), rate

    scores = (
        here.train(BINARY, LABELS, plan, help=Help(linear)),
        there.train(BINARY, LABELS, plan, help=Workers(client, linear)),
    )
    assert_equal(here, there, *scores)


@pytest.mark.parametrize("parameters", [COMPACT_128, BOOTSTRAP_TOY], ids=lambda p: p.name)
def test_scores_come_in_parts_from_workers_too(parameters: Any) -> None:
    owner, model = pair(parameters, ExactSigmoid(), hidden=0, first_layer_sd=0.0, pooling="sum")
    model.network.weight_bound = 4.0
    plan = TrainingPlan(ExactSigmoid(), 0.02, batch_size=8)
    found = []
    for client in (None, FakeCluster(3)):
        trainer, step = Trainer(model.copy()), None
        if parameters is COMPACT_128:
            assistant = Assistant(owner.secret_key, rng=np.random.default_rng(3))
            step = AssistedStep(DirectChannel(assistant), rng=np.random.default_rng(4))
        z = trainer.train(BINARY, LABELS, plan, as_help(client, step))
        assert isinstance(z, PartialScores) and z.counts.max() > 1
        found.append((owner.decrypt(z), z.counts, exported(trainer.model)[0]))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
