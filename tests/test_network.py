"""Training and prediction against a plain implementation, in the clear and encrypted, and everything that is refused."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from encnn.arithmetic.sigmoid import ExactSigmoid, PolynomialSigmoid, least_squares, sigmoid, taylor
from encnn.data.reviews import Vocabulary, bag_of_words, load_reviews
from encnn.errors import (
    CapabilityError,
    CiphertextOverflowError,
    DataError,
    DivergenceError,
    KeyMismatchError,
    MissingKeyError,
    ParameterError,
)
from encnn.network import Architecture, Help, Network, TrainingPlan, predict, targets_of, train
from encnn.network.partial_scores import PartialScores
from encnn.network.rehearsal import predict_in_clear
from encnn.network.training import PARTS_PER_REPORT, SCORES_PER_REPORT, _Scores
from encnn.parties import Owner, Trainer
from encnn.schemes import ClearParameters
from encnn.schemes.clear import ClearEvaluator
from encnn.schemes.integer_vector import ADDITIVE_128, MODULUS_TOY, PAPER, IntegerVectorSecretKey

clear = ClearEvaluator()

# The encrypted runs below differ from their clear twins by at most 2.1e-5 (measured); some twenty times that is tolerated.
TOLERANCE = 5e-4


# The oracle: one review after the other, one number after the other


def plain_training(X: np.ndarray, words: bool, y: np.ndarray, start: Network, plan: TrainingPlan) -> tuple:
    """Return (scores, W1, W2) of the training loop as the module's docstring states it, with X dense."""
    a = start.architecture
    W1, W2 = start.W1.copy(), None if start.W2 is None else start.W2.reshape(a.hidden, a.outputs).copy()
    scores = []
    for epoch, first in itertools.product(range(plan.epochs), range(0, len(X), plan.batch_size)):
        reviews = range(first, min(first + plan.batch_size, len(X)))
        rate = plan.learning_rate / (1 + plan.decay * (epoch + first / len(X)))
        change1, change2 = np.zeros_like(W1), np.zeros_like(W2) if a.hidden else None
        for r in reviews:
            count = (np.abs(X[r]).sum() or 1.0) if words and a.pooling == "mean" else 1.0
            pooled = sum(X[r, i] * W1[i] for i in range(a.features)) / count
            h = pooled if a.hidden_sigmoid is None else a.hidden_sigmoid(pooled)
            z = h @ W2 if a.hidden else h
            target = np.array([y[r]]) if a.outputs == 1 else np.eye(a.outputs)[y[r]]
            d = plan.sigmoid(z) - target
            back = d
            if a.hidden:
                back = W2 @ d
                change2 += rate * np.outer(h, d)
            if a.hidden_sigmoid is not None:
                c = a.hidden_sigmoid.coefficients
                back = back * sum(k * c[k] * pooled ** (k - 1) for k in range(1, len(c)))
            for i in range(a.features):
                change1[i] += rate * X[r, i] * back / (count if plan.divide_update else 1.0)
            scores.append(z)
        W1 -= change1
        if a.hidden:
            W2 -= change2
    return np.array(scores), W1, None if W2 is None else W2.ravel()


architectures = st.builds(
    Architecture,
    features=st.just(5),
    hidden=st.sampled_from([1, 2, 3]),
    outputs=st.sampled_from([1, 2, 3]),
    pooling=st.sampled_from(["sum", "mean"]),
    hidden_sigmoid=st.sampled_from([None, taylor(3)]),
) | st.builds(
    Architecture, features=st.just(5), hidden=st.just(0), outputs=st.integers(1, 3), pooling=st.sampled_from(["sum", "mean"])
)
plans = st.builds(
    TrainingPlan,
    sigmoid=st.sampled_from([taylor(1), taylor(3), least_squares(5, 4), ExactSigmoid()]),
    learning_rate=st.sampled_from([0.005, 0.05]),
    decay=st.sampled_from([0.0, 0.7]),
    batch_size=st.sampled_from([1, 2, 3, 20]),
    epochs=st.integers(1, 3),
    divide_update=st.booleans(),
)


def reviews_like(kind: str, rng: np.random.Generator, reviews: int = 8, features: int = 5) -> np.ndarray:
    """Return dense features of a kind, the third review empty."""
    X = {
        "bag": rng.integers(0, 2, (reviews, features)),
        "counts": rng.integers(0, 4, (reviews, features)),
        "dense": np.round(rng.normal(0, 0.5, (reviews, features)), 2),
    }[kind]
    X[2] = 0
    return X


@settings(max_examples=150)
@given(architectures, plans, st.sampled_from(["bag", "counts", "dense"]), st.integers(0, 1000))
def test_training_equals_the_plain_loops(architecture: Architecture, plan: TrainingPlan, kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, y = reviews_like(kind, rng), rng.integers(0, max(architecture.outputs, 2), 8)
    start = Network.initial(architecture, rng, first_layer_sd=0.3)
    network = start.copy()
    words = kind != "dense"
    with np.errstate(over="ignore", invalid="ignore"):
        expected = plain_training(X.astype(float), words, y, start, plan)
    assume(np.abs(expected[0]).max() < 5)  # a diverging run multiplies rounding errors
    scores = train(clear, network, csr_array(X) if words else X, y, plan)
    assert scores.shape == (plan.epochs * 8, architecture.outputs)
    for found, wanted in zip((scores, network.W1, network.W2), expected, strict=True):
        if wanted is not None:
            np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    assert (network.W2 is None) == (not architecture.hidden)


def test_the_update_is_the_gradient_of_the_logistic_loss() -> None:
    """With the exact sigmoid and pooling "sum", one step of one review is the gradient, by central differences."""
    rng = np.random.default_rng(5)
    a = Architecture(4, hidden=2, pooling="sum", hidden_sigmoid=taylor(3))
    X, y = rng.normal(0, 1, (1, 4)), np.array([1])
    start = Network.initial(a, rng, first_layer_sd=0.5)

    def loss(network: Network) -> float:
        p = sigmoid(predict(clear, network, X))[0, 0]
        return -np.log(p)

    trained = start.copy()
    train(clear, trained, X, y, TrainingPlan(ExactSigmoid(), learning_rate=1.0))
    for name in ("W1", "W2"):
        for place in np.ndindex(getattr(start, name).shape):
            high, low = start.copy(), start.copy()
            getattr(high, name)[place] += 1e-6
            getattr(low, name)[place] -= 1e-6
            slope = (loss(high) - loss(low)) / 2e-6
            assert getattr(start, name)[place] - getattr(trained, name)[place] == pytest.approx(slope, abs=1e-8)


def test_predictions_change_nothing_and_do_not_depend_on_the_batch() -> None:
    rng = np.random.default_rng(1)
    network = Network.initial(Architecture(6, hidden=3, outputs=2), rng, first_layer_sd=1.0)
    before, X = network.copy(), csr_array(rng.integers(0, 2, (7, 6)))
    expected = (X.toarray() / np.maximum(X.sum(axis=1), 1)[:, None]) @ network.W1 @ network.W2.reshape(3, 2)
    for batch_size in (1, 3, 256):
        np.testing.assert_allclose(predict(clear, network, X, batch_size), expected, atol=1e-12)
    np.testing.assert_array_equal(network.W1, before.W1)
    np.testing.assert_array_equal(network.W2, before.W2)


def test_a_start_is_normal_and_repeats() -> None:
    a = Architecture(2000, hidden=3)
    one, same = (Network.initial(a, np.random.default_rng(7)) for _ in range(2))
    assert (one.W1 == 0).all()
    assert one.W2.tolist() == same.W2.tolist()
    assert Network.initial(a, np.random.default_rng(7), 0.1).W1.std() == pytest.approx(0.1, rel=0.05)
    assert Network.initial(Architecture(5, hidden=0, outputs=2), np.random.default_rng(7)).W1.shape == (5, 2)


# Encrypted runs and their clear twins


def pair(architecture: Architecture, plan: TrainingPlan, X: Any, y: np.ndarray, parameters: Any = PAPER) -> list[tuple]:
    """Return (evaluation, network) of the encrypted run, and of its twin."""
    start = Network.initial(architecture, np.random.default_rng(1), first_layer_sd=0.1)
    results = []
    for p in (parameters, ClearParameters()):
        owner = Owner(architecture, plan.sigmoid, p, rng=np.random.default_rng(2))
        trainer = Trainer(owner.encrypt(start))
        scores = trainer.train(X, y, plan)
        results.append((owner.evaluate(scores, y, plan), owner.decrypt_network(trainer.model)))
    return results


def assert_twins(results: list[tuple], tolerance: float = TOLERANCE) -> None:
    """Equal but for the noise; and not identical, for that would mean that nothing was encrypted."""
    (encrypted, trained), (twin, twin_trained) = results
    assert 0 < np.abs(encrypted.z - twin.z).max() < tolerance
    assert 0 < np.abs(trained.W1 - twin_trained.W1).max() < tolerance
    if trained.W2 is not None:
        assert 0 < np.abs(trained.W2 - twin_trained.W2).max() < tolerance


@pytest.mark.parametrize(
    ("architecture", "plan"),
    [
        (Architecture(12), TrainingPlan(taylor(3), 0.1)),
        (Architecture(12, pooling="sum"), TrainingPlan(taylor(1), 0.02, epochs=2, decay=0.5)),
        (Architecture(12, hidden=3, outputs=3), TrainingPlan(taylor(3), 0.1, batch_size=7)),
        (Architecture(12, hidden=0, outputs=2), TrainingPlan(least_squares(5, 4), 0.1, batch_size=4)),
        (Architecture(12, hidden=4, hidden_sigmoid=taylor(3)), TrainingPlan(taylor(3), 0.1, divide_update=True)),
    ],
    ids=["paper", "sum, decay, epochs", "three classes", "no hidden layer", "hidden sigmoid, divided update"],
)
@pytest.mark.parametrize("kind", ["bag", "counts", "dense"])
def test_encrypted_training_is_its_clear_twin_but_for_noise(architecture: Architecture, plan: TrainingPlan, kind: str) -> None:
    rng = np.random.default_rng(4)
    X, y = reviews_like(kind, rng, 60, 12), rng.integers(0, max(architecture.outputs, 2), 60)
    assert_twins(pair(architecture, plan, csr_array(X) if kind != "dense" else X, y))


@pytest.fixture(scope="module")
def toy() -> tuple[csr_array, np.ndarray]:
    reviews = load_reviews("toy").train
    return bag_of_words(reviews, Vocabulary.select(reviews)), reviews.labels


def test_on_the_toy_reviews_the_accuracies_are_equal(toy: tuple) -> None:
    X, y = toy
    (encrypted, _), (twin, _) = results = pair(Architecture(X.shape[1]), TrainingPlan(taylor(3), 0.01), X, y)
    assert_twins(results)
    np.testing.assert_array_equal(encrypted.right, twin.right)
    assert encrypted.accuracy == twin.accuracy
    assert encrypted.running_mean_accuracy == twin.running_mean_accuracy
    assert encrypted.accuracy.percent > 80  # guessing gives 50


def integer_step(evaluator: Any, z: Any, targets: Any, rate: float) -> tuple[Any, float]:
    """The degree-1 error at learning rate 4, which needs no fraction: 4 (1/2 + z / 4 - y) = z + 2 - 4 y."""
    return z + 2 - evaluator.multiply_plain(targets, 4) if not isinstance(targets, np.ndarray) else z + (2 - 4 * targets), 1.0


@pytest.mark.parametrize("parameters", [MODULUS_TOY, ADDITIVE_128], ids=lambda p: p.name)
@pytest.mark.parametrize("encrypted_labels", [False, True])
def test_additive_schemes_with_a_modulus_train_a_linear_network(parameters: Any, encrypted_labels: bool) -> None:
    """One word per review: the word's weight becomes 4 y - 2 of the last review that has it, whatever it was before."""
    owner = Owner(Architecture(4, hidden=0, pooling="sum"), taylor(1), parameters, rng=np.random.default_rng(0))
    model = owner.encrypt(Network(owner.architecture, np.array([[5.0], [0.0], [-3.0], [1.0]]), None))
    X, y = csr_array(np.eye(4, dtype=np.int64)[[0, 1, 0, 2]]), np.array([1, 1, 0, 1])
    labels = owner.secret_key.encrypt(y[:, None]) if encrypted_labels else y
    scores = Trainer(model).train(X, labels, TrainingPlan(taylor(1), 4.0), help=Help(integer_step))
    np.testing.assert_allclose(owner.decrypt(scores), [[5.0], [0.0], [2.0], [-3.0]], atol=1e-6)
    np.testing.assert_allclose(owner.decrypt(model.network.W1), [[-2.0], [2.0], [2.0], [1.0]], atol=1e-6)


# Encryption is no no-op


def revealed(a: Any, v: np.ndarray) -> float:
    """Return how well the ciphertexts' first entries, read as numbers, show v: |correlation|."""
    return abs(np.corrcoef(a.data[..., : v.shape[-1]].astype(float).ravel(), v.ravel())[0, 1])


@pytest.mark.parametrize(("parameters", "hidden"), [(MODULUS_TOY, 8), (ADDITIVE_128, 0)], ids=["modulus-toy", "additive-128"])
def test_what_the_trainer_holds_shows_nothing_of_the_weights(parameters: Any, hidden: int) -> None:
    architecture = Architecture(400, hidden=hidden, pooling="sum")
    owner = Owner(architecture, taylor(1), parameters, rng=np.random.default_rng(0))
    start = Network.initial(architecture, np.random.default_rng(1), first_layer_sd=20.0)
    start.W1 = np.rint(start.W1)
    model = owner.encrypt(start)
    np.testing.assert_allclose(owner.decrypt(model.network.W1), start.W1, atol=1e-6)
    assert revealed(model.network.W1, start.W1) < 5 / np.sqrt(start.W1.size)
    assert (model.network.W1.data != owner.encrypt(start).network.W1.data).mean() > 0.99  # randomised


def test_the_papers_parameters_show_the_weights_to_everybody() -> None:
    """Masks are small against w scale v, so a ciphertext entry divided by w scale *is* the weight (see SECURITY.md)."""
    architecture = Architecture(400, pooling="sum")
    owner = Owner(architecture, taylor(1), PAPER, rng=np.random.default_rng(0))
    start = Network.initial(architecture, np.random.default_rng(1), first_layer_sd=1.0)
    W1 = owner.encrypt(start).network.W1
    assert revealed(W1, start.W1) > 0.999999
    assert np.abs(W1.data[:, :8] / PAPER.unit - start.W1).max() < 1e-5


@pytest.mark.parametrize("parameters", [MODULUS_TOY, ADDITIVE_128], ids=lambda p: p.name)
def test_another_owners_key_reads_nothing(parameters: Any) -> None:
    v = np.arange(50.0)[:, None]
    owner, other = (IntegerVectorSecretKey(parameters, {1}, np.random.default_rng(seed)) for seed in (0, 1))
    c = owner.encrypt(v)
    with pytest.raises(KeyMismatchError, match="use its own key"):
        other.decrypt(c)
    impostor = IntegerVectorSecretKey.from_matrices(owner.context, {1: other.T(1)})
    np.testing.assert_allclose(owner.decrypt(c), v, atol=1e-6)
    assert np.abs(impostor.decrypt(c) - v).min() > 1e-3  # not one entry
    assert abs(np.corrcoef(impostor.decrypt(c).ravel(), v.ravel())[0, 1]) < 0.5


# Reports of scores


@pytest.mark.parametrize(
    ("reviews", "batch_size", "epochs"), [(7, 2, 3), (1203, 1, 2), (1203, 100, 2), (500, 1, 2), (3, 50, 1)]
)
def test_every_review_is_reported_once_an_epoch_and_in_order(reviews: int, batch_size: int, epochs: int) -> None:
    rng = np.random.default_rng(0)
    X, y = csr_array(rng.integers(0, 2, (reviews, 4))), rng.integers(0, 2, reviews)
    reports: list[tuple[int, np.ndarray]] = []
    network = Network.initial(Architecture(4, hidden=2), rng)
    plan = TrainingPlan(taylor(1), 0.01, batch_size=batch_size, epochs=epochs)
    scores = train(clear, network, X, y, plan, on_scores=lambda first, z: reports.append((first, z)))
    sizes = [len(z) for _, z in reports]
    assert [first for first, _ in reports] == [sum(sizes[:k]) for k in range(len(sizes))]
    assert max(sizes) < SCORES_PER_REPORT + batch_size
    assert scores.shape == (reviews * epochs, 1)
    np.testing.assert_array_equal(np.concatenate([z for _, z in reports]), scores)
    assert {epoch * reviews for epoch in range(epochs)} <= {first for first, _ in reports}  # no report spans two epochs


def test_scores_in_many_parts_are_reported_sooner() -> None:
    reports: list[PartialScores] = []
    collected = _Scores(clear, lambda first, z: reports.append(z), keep=False, first=0)
    each = PARTS_PER_REPORT // 4
    for k in range(9):
        collected.add(PartialScores(np.zeros((each, 1)), np.array([each])))
        if collected.due(k + 1):
            collected.report(k + 1)
    assert [len(z) for z in reports] == [4, 4]


def test_scores_that_are_not_kept_are_reported_all_the_same() -> None:
    rng = np.random.default_rng(0)
    X, y, start = csr_array(rng.integers(0, 2, (7, 4))), rng.integers(0, 2, 7), Network.initial(Architecture(4, hidden=2), rng)
    plan, reports = TrainingPlan(taylor(1), 0.01, batch_size=2), []
    kept = train(clear, start.copy(), X, y, plan)
    assert train(clear, start.copy(), X, y, plan, on_scores=lambda _, z: reports.append(z), keep_scores=False) is None
    assert train(clear, start.copy(), X, y, plan, keep_scores=False) is None
    np.testing.assert_array_equal(np.concatenate(reports), kept)


class StopError(Exception):
    """An owner's own reason to stop."""


def test_an_owner_can_stop_a_run_and_the_model_stays_usable(toy: tuple) -> None:
    X, y = toy
    owner = Owner(Architecture(X.shape[1]), taylor(3), PAPER, rng=np.random.default_rng(0))
    trainer = Trainer(owner.encrypt(Network.initial(owner.architecture, np.random.default_rng(1))))
    plan = TrainingPlan(taylor(3), 0.01)

    def stop(first_review: int, scores: Any) -> None:
        raise StopError

    with pytest.raises(StopError):
        trainer.train(X, y, plan, on_scores=stop)
    stopped = owner.decrypt_network(trainer.model)
    twin = Network.initial(owner.architecture, np.random.default_rng(1))
    train(clear, twin, X[:SCORES_PER_REPORT], y[:SCORES_PER_REPORT], plan)
    np.testing.assert_allclose(stopped.W1, twin.W1, atol=TOLERANCE)
    rest = slice(SCORES_PER_REPORT, None)
    found, wanted = trainer.train(X[rest], y[rest], plan), train(clear, twin, X[rest], y[rest], plan)
    np.testing.assert_allclose(owner.decrypt(found), wanted, atol=TOLERANCE)


# Encrypted labels


@pytest.mark.parametrize("outputs", [1, 3])
def test_training_on_encrypted_labels_equals_training_on_plain_ones(outputs: int) -> None:
    rng = np.random.default_rng(0)
    X, y = csr_array(rng.integers(0, 2, (40, 10))), rng.integers(0, max(outputs, 2), 40)
    owner = Owner(Architecture(10, hidden=3, outputs=outputs), taylor(3), PAPER, rng=np.random.default_rng(1))
    start, plan = Network.initial(owner.architecture, rng), TrainingPlan(taylor(3), 0.2, batch_size=3)
    labels = owner.secret_key.encrypt(targets_of(y, outputs, 40))
    plain, hidden = (Trainer(owner.encrypt(start)) for _ in range(2))
    z = [owner.decrypt(plain.train(X, y, plan)), owner.decrypt(hidden.train(X, labels, plan))]
    np.testing.assert_allclose(z[0], z[1], atol=TOLERANCE)
    assert np.abs(z[0]).max() > 0.01
    np.testing.assert_allclose(*(owner.decrypt_network(t.model).W1 for t in (plain, hidden)), atol=TOLERANCE)


@pytest.mark.parametrize("shape", [(4, 2), (3, 1), (4,)])
def test_encrypted_labels_need_one_row_a_review(shape: tuple[int, ...]) -> None:
    owner = Owner(Architecture(3, hidden=0), taylor(1), PAPER, rng=np.random.default_rng(1))
    secret = IntegerVectorSecretKey(PAPER, {1, 2, 4}, np.random.default_rng(0))
    trainer = Trainer(owner.encrypt(Network.initial(owner.architecture, np.random.default_rng(1))))
    with pytest.raises(DataError, match=r"encrypted labels have shape .* expected \(4, 1\); encrypt one row per review"):
        trainer.train(np.ones((4, 3)), secret.encrypt(np.zeros(shape)), TrainingPlan(taylor(1)))


def test_labels_under_another_key_are_refused() -> None:
    owner = Owner(Architecture(3, hidden=0), taylor(1), PAPER, rng=np.random.default_rng(1))
    other = IntegerVectorSecretKey(PAPER, {1}, np.random.default_rng(2))
    trainer = Trainer(owner.encrypt(Network.initial(owner.architecture, np.random.default_rng(1))))
    with pytest.raises(KeyMismatchError, match="of another key than the model; have its own owner encrypt them"):
        trainer.train(np.ones((4, 3)), other.encrypt(np.zeros((4, 1))), TrainingPlan(taylor(1)))


# Refusals


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"features": 0}, "features=0"),
        ({"features": 3, "outputs": 0}, "outputs=0"),
        ({"features": 3, "hidden": -1}, "hidden=-1"),
        ({"features": 3, "pooling": "max"}, "pooling is 'max'; it must be 'sum' or 'mean'"),
        ({"features": 3, "hidden": 0, "hidden_sigmoid": taylor(3)}, "hidden_sigmoid needs a hidden layer"),
    ],
)
def test_what_is_no_network_is_refused(settings: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Architecture(**settings)


@pytest.mark.parametrize(
    "settings",
    [{"learning_rate": 0.0}, {"learning_rate": -1.0}, {"learning_rate": float("nan")}, {"decay": -0.1}]
    + [{"batch_size": 0}, {"epochs": 0}],
)
def test_plans_that_cannot_be_carried_out_are_refused(settings: dict) -> None:
    ((name, _),) = settings.items()
    with pytest.raises(ParameterError, match=f"{name}="):
        TrainingPlan(taylor(1), **settings)


def test_the_rate_falls_with_the_epochs_done() -> None:
    plan = TrainingPlan(taylor(1), 0.2, decay=0.5)
    assert [plan.rate(k) for k in (0, 1, 2)] == pytest.approx([0.2, 0.2 / 1.5, 0.1])


def test_keys_are_made_for_the_products_that_training_needs_and_no_others() -> None:
    def names(sigmoid: Any, **settings: Any) -> set[str]:
        return {f.name for f in Architecture(5, **settings).products(sigmoid)}

    layers = {"vector_matrix:8x1", "outer:1x8"}
    assert names(taylor(1), outputs=3) == {"vector_matrix:8x3", "vector_transposed_matrix:8x3", "outer:8x3"}
    assert names(taylor(1), hidden=0) == names(ExactSigmoid(), hidden=0) == set()
    powers = {"elementwise:1", "powers:1:1,3"}
    assert names(taylor(3), hidden=0) == powers
    assert names(taylor(1)) == layers
    assert names(taylor(3), hidden_sigmoid=taylor(3)) == layers | powers | {"elementwise:8", "powers:8:1,3"}
    assert Architecture(5, hidden=0, outputs=2).widths() == {2}
    assert Architecture(5, hidden=3, outputs=2).widths() == {3, 2, 6}


@pytest.mark.parametrize(
    ("y", "outputs", "message"),
    [
        ([0, 1], 1, r"labels have shape \(2,\), expected \(3,\): one label per review"),
        (np.zeros((3, 1)), 1, r"labels have shape \(3, 1\)"),
        ([0, 1, 2], 1, r"whole numbers from 0 to 1; found 2: .*y == 2"),
        ([0, 1, 0.5], 1, "whole numbers from 0 to 1"),
        ([0, -1, 1], 1, "whole numbers from 0 to 1"),
        ([0, 1, 3], 3, "whole numbers from 0 to 2"),
        (["a", "b", "c"], 1, "of type <U1, such as 'a'; expected real numbers: map words to numbers first"),
    ],
)
def test_labels_that_are_no_labels_are_refused(y: Any, outputs: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        targets_of(y, outputs, 3)


def test_targets_are_columns() -> None:
    assert targets_of([True, False], 1, 2).tolist() == [[1.0], [0.0]]
    assert targets_of(np.array([2, 0], dtype=np.int8), 3, 2).tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    "run", [lambda n, X: predict(clear, n, X), lambda n, X: train(clear, n, X, [0], TrainingPlan(taylor(1)))]
)
@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones((1, 4)), "the network has 3 features; make them with its own vocabulary"),
        (csr_array(np.ones((1, 2))), "the network has 3 features"),
        (np.ones(3), r"features have shape \(3,\)"),
        (np.ones((0, 3)), "there is no review to work on"),
    ],
)
def test_features_of_another_shape_are_refused(run: Callable, X: Any, message: str) -> None:
    network = Network.initial(Architecture(3), np.random.default_rng(0))
    with pytest.raises(DataError, match=message):
        run(network, X)


def test_what_ciphertexts_cannot_do_is_said_before_anything_is_changed() -> None:
    owner = Owner(Architecture(3), taylor(1), PAPER, rng=np.random.default_rng(1))
    trainer = Trainer(owner.encrypt(Network.initial(owner.architecture, np.random.default_rng(1))))
    before = trainer.model.copy()
    with pytest.raises(CapabilityError, match="'integer_vector' cannot evaluate the exact sigmoid.*scheme 'clear'"):
        trainer.train(np.ones((2, 3)), [0, 1], TrainingPlan(ExactSigmoid()))
    with pytest.raises(MissingKeyError, match="no evaluation key for 'elementwise:1'"):
        trainer.train(np.ones((2, 3)), [0, 1], TrainingPlan(taylor(3)))
    np.testing.assert_array_equal(trainer.model.network.W1.data, before.network.W1.data)


def test_a_modulus_cannot_take_means() -> None:
    mean, small = Architecture(3, hidden=0, pooling="mean"), ADDITIVE_128.updated(d=4, name="x-INSECURE")
    with pytest.raises(CapabilityError, match="'x-INSECURE' multiplies by whole numbers only.*pooling='sum'"):
        Owner(mean, taylor(1), small)
    model = Owner(replace(mean, pooling="sum"), taylor(1), small).encrypt(Network.zeros(replace(mean, pooling="sum")))
    model.network.architecture = mean  # as a file from elsewhere may say
    trainer = Trainer(model)
    with pytest.raises(CapabilityError, match="multiplies by whole numbers only.*scheme 'clear'"):
        trainer.predict(csr_array(np.ones((1, 3))))


# Runs that are lost


def lost_run(degree: int, rate: float, batch_size: int, toy: tuple) -> tuple:
    X, y = toy
    architecture, plan = Architecture(X.shape[1], pooling="sum"), TrainingPlan(taylor(degree), rate, batch_size=batch_size)
    owner = Owner(architecture, taylor(degree), PAPER, rng=np.random.default_rng(2))
    start = Network.initial(architecture, np.random.default_rng(0))
    return owner, Trainer(owner.encrypt(start)), plan, start


@pytest.mark.parametrize(("degree", "rate", "batch_size"), [(3, 0.1, 1), (3, 1.0, 1), (5, 1.0, 1), (3, 0.01, 500)])
def test_the_owner_stops_a_run_that_diverges(degree: int, rate: float, batch_size: int, toy: tuple) -> None:
    owner, trainer, plan, _ = lost_run(degree, rate, batch_size, toy)
    low, high = taylor(degree).interval
    with pytest.raises(DivergenceError) as caught:
        trainer.train(*toy, plan, on_scores=owner.watch(plan))
    for part in (f"degree {degree}", f"learning rate {rate:g}", f"from {low:.3g} to {high:.3g}", "lower the learning rate"):
        assert part in str(caught.value)


@pytest.mark.parametrize(("degree", "rate"), [(3, 0.1), (5, 1.0)])
def test_without_a_watch_a_diverging_run_ends_in_an_overflow_error_before_anything_wraps(
    degree: int, rate: float, toy: tuple
) -> None:
    owner, trainer, plan, start = lost_run(degree, rate, 1, toy)
    X, y = toy
    met: list[np.ndarray] = []
    with pytest.raises(CiphertextOverflowError, match="a diverging run\\?.*lower the learning rate"):
        for r in range(len(y)):
            met.append(owner.decrypt(trainer.train(X[[r]], y[[r]], plan)))
    found, twin = np.concatenate(met), start.copy()
    wanted = train(clear, twin, X[: len(met)], y[: len(met)], plan)
    assert np.abs(wanted).max() > 10
    np.testing.assert_allclose(found, wanted, rtol=0.01, atol=TOLERANCE)


def test_a_dry_run_tells_a_good_plan_from_a_lost_one(toy: tuple) -> None:
    X, y = toy
    _, trainer, lost, _ = lost_run(3, 0.1, 1, toy)
    before = trainer.model.network.W1.data.copy()
    with pytest.raises(DivergenceError, match="degree 3, learning rate 0.1"):
        trainer.dry_run(X, y, lost, np.random.default_rng(5))
    report = trainer.dry_run(X, y, TrainingPlan(taylor(3), 0.001), np.random.default_rng(5))
    assert -2 < report.min_z < 0 < report.max_z < 2
    assert report.share_wrong_side == 0
    np.testing.assert_array_equal(trainer.model.network.W1.data, before)


def test_with_several_outputs_the_review_that_diverged_is_named() -> None:
    """Reviews are counted, not scores: of 3 outputs and 4 reviews the last review is number 3."""
    architecture, plan = Architecture(2, hidden=0, outputs=3, pooling="sum"), TrainingPlan(taylor(3), 0.1)
    owner = Owner(architecture, taylor(3), PAPER, rng=np.random.default_rng(0))
    scores = np.zeros((4, 3))
    scores[3, 0] = 50.0
    with pytest.raises(DivergenceError, match="diverged at review 13: z = 50"):
        owner.watch(plan)(10, owner.secret_key.encrypt(scores))


def test_a_polynomial_sigmoid_of_even_degree_trains_encrypted_too() -> None:
    rng = np.random.default_rng(4)
    X, y = csr_array(rng.integers(0, 2, (30, 6))), rng.integers(0, 2, 30)
    even = PolynomialSigmoid("even", (0.5, 0.25, -0.02, 0.0, 0.001), (-1.0, 1.0))
    assert_twins(pair(Architecture(6, hidden=2), TrainingPlan(even, 0.1), X, y))


# What evaluators and networks say of themselves


def test_a_network_without_hidden_layer_has_no_second_layer_to_ask_for() -> None:
    deep = Network(Architecture(3, hidden=2), np.zeros((3, 2)), np.array([1.5, -2.0]))
    assert deep.second_layer is deep.W2
    with pytest.raises(ParameterError, match=r"no hidden layer.*hidden of at least 1"):
        _ = Network.zeros(Architecture(3, hidden=0)).second_layer


def test_an_evaluator_names_its_key_and_in_the_clear_there_is_none() -> None:
    owner = Owner(Architecture(3, hidden=0), taylor(1), PAPER, rng=np.random.default_rng(1))
    assert owner.evaluator.key_id == owner.secret_key.context.key_id == owner.evaluator.context.key_id
    assert len(owner.evaluator.key_id) == 32
    assert (clear.context, clear.key_id, clear.nbytes) == (None, "", 0)


def test_scores_of_a_network_in_the_clear_are_those_of_the_loop() -> None:
    network = Network(Architecture(3, hidden=2), np.arange(6.0).reshape(3, 2), np.array([1.5, -2.0]))
    X = np.array([[1, 0, 2], [0, 3, 0]])
    np.testing.assert_array_equal(predict_in_clear(network, X), X @ network.W1 @ network.W2[:, None])
