"""A hidden layer by codes: numbers against the clear layer, training against its twin, files, refusals."""

from copy import copy

import numpy as np
import pytest
from bootstrapped_keys import rms, seeded
from scipy.sparse import csr_array

from encnn.arithmetic.sigmoid import ExactSigmoid, taylor
from encnn.data.batches import Conditioned, batches
from encnn.data.datasets import words_dataset
from encnn.data.reviews import load_reviews
from encnn.errors import CapabilityError, DataWarning, DivergenceError, FileError, ParameterError
from encnn.network import Architecture, Help, Network, TrainingPlan, predict, train
from encnn.network.rehearsal import hidden_layer_of
from encnn.parties import EncryptedModel, Owner, Trainer, User
from encnn.schemes import restore_evaluator
from encnn.schemes.bootstrapped import HIDDEN_128, HIDDEN_TOY, ONE_LEVEL_128
from encnn.schemes.bootstrapped.hidden import CodedLayer, Ranges
from encnn.schemes.bootstrapped.simulation import SimulatedEvaluator, SimulatedTorus
from encnn.schemes.clear import ClearEvaluator, ClearParameters

EXACT, CLEAR = ExactSigmoid(), ClearEvaluator()
PLAN = TrainingPlan(EXACT, 0.1, batch_size=8)
RANGES = Ranges(hidden=2.0, score=8.0)
WORDS = 40


def reviews(count=48, seed=4, outputs=1):
    rng = seeded(seed)
    X = csr_array((rng.random((count, WORDS)) < 0.2).astype(np.int64))
    return X, rng.integers(0, max(2, outputs), count)


def network(hidden=3, sd=0.3, **changes):
    return Network.initial(Architecture(WORDS, hidden=hidden, **changes), seeded(1), sd)


def owner_of(start, parameters=HIDDEN_TOY, ranges=RANGES, seed=2):
    owner = Owner(start.architecture, EXACT, parameters, rng=None if seed is None else seeded(seed))
    model = owner.encrypt(start)
    if parameters is HIDDEN_TOY:
        model.evaluator.ranges = ranges
    return owner, model


def trained(start, X, y, plan=PLAN, **options):
    """Return (network in the clear, scores) after encrypted training, and after that of the twin."""
    found = []
    for parameters in (HIDDEN_TOY, ClearParameters()):
        owner, model = owner_of(start, parameters)
        z = Trainer(model).train(X, y, plan, **options)
        found.append((owner.decrypt_network(model), owner.decrypt(z)))
    return found


def share(found, twin, start):
    """Return the error of weights as a share of their change."""
    return rms(found - twin) / rms(twin - start)


# One step


@pytest.mark.slow
def test_scores_and_gradients_are_those_of_the_clear_layer_with_the_noise_of_the_simulation():
    """Scores and both gradients, over several keys: right on average, and spread as in the simulation."""
    start, (X, y) = network(4), reviews(8)
    _, batch = next(iter(batches(X, 8)))
    targets, shares = y[:, None].astype(float), np.ones(8)

    def step(layer, W1, W2, read):
        slopes, h, z = layer.forward(W1, W2, batch)
        d = layer.error(EXACT, z, targets)
        F = layer.first_layer_errors(W2, d, slopes, 0.5, shares)
        G = layer.second_layer_gradient(d, h, 0.5)
        return [np.ravel(read(a)) for a in (z, F, G)]

    real, noisy = [], []
    owners = [owner_of(start, seed=seed)[0] for seed in range(3)]
    for seed, owner in enumerate(owners * 4):
        model = owner.encrypt(start)  # other masks, and so other noise
        model.evaluator.ranges = RANGES
        layer = model.evaluator.hidden_layer(model.network)
        real.append(step(layer, model.network.W1, model.network.W2, owner.secret_key.decrypt))
        torus = SimulatedTorus(HIDDEN_TOY, seeded(seed))
        simulated = CodedLayer(torus, 1, True, None, RANGES)
        noisy.append(step(simulated, start.W1, start.W2, lambda a: getattr(a, "numbers", a)))
    h = batch.gather(start.W1) * batch.inverse_counts()
    z = h @ start.W2[:, None]
    d = EXACT(z) - targets
    for k, expected in enumerate((z, 0.5 * d * start.W2, 0.5 * (h * d).sum(axis=0))):
        off, simulated_off = (np.stack([run[k] for run in runs]) - np.ravel(expected) for runs in (real, noisy))
        assert rms(off) == pytest.approx(rms(simulated_off), rel=0.3)
        assert rms(off.mean(axis=0)) < 0.6 * rms(off)


def test_products_of_a_layer_are_as_noisy_as_predicted():
    """Updates of W1, relative to d W2, for errors and weights in the middle of their ranges."""
    torus, ranges = SimulatedTorus(HIDDEN_128, seeded()), Ranges(hidden=1.0, score=8.0)
    layer, d, W2 = CodedLayer(torus, 1, True, None, ranges), 0.5, np.full(8, 1.5)
    found = []
    for _ in range(60):
        codes = layer.error(EXACT, np.zeros((16, 1)), np.zeros((16, 1)))  # d = sigmoid(0) - 0
        found.append(layer.first_layer_errors(W2.copy(), codes, None, 0.5, np.ones(16)).numbers)
    predicted = layer.noise()
    slope = predicted.score / 4  # of sigmoid(z), where it is steepest
    relative = np.linalg.norm([predicted.product, np.hypot(predicted.error, slope) / d, predicted.weight / 1.5])
    expected = np.hypot(relative, predicted.update / (0.5 * d * 1.5))
    off = np.stack(found) / (0.5 * d * 1.5) - 1
    assert rms(off) == pytest.approx(expected, rel=0.1)
    assert abs(off.mean()) < 0.3 * rms(off)


def test_ranges_of_a_rehearsal_hold_what_it_reached():
    h, W2, z = np.array([0.5, -0.9]), np.array([1.2, -1.4]), np.array([3.0])
    ranges = Ranges.around(h, W2, z)
    assert ranges.hidden == pytest.approx(1.17) and ranges.weight == 2.0 and ranges.score == 4.0
    ranges.check(1.29 * h, 1.29 * W2)
    for beyond in ((1.5 * h, W2), (h, 1.5 * W2)):
        with pytest.raises(DivergenceError, match="in a rehearsal in the clear"):
            ranges.check(*beyond)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_narrow_ranges_leave_less_noise(scale):
    start, (X, _) = network(), reviews(200)
    z, h = predict(CLEAR, start, X), Ranges(hidden=scale, score=8.0)
    off = predict(SimulatedEvaluator(HIDDEN_128, seeded(), h), start, X) - z
    typical = predict(SimulatedEvaluator(HIDDEN_128, seeded(), RANGES), start, X) - z
    assert (rms(off) < 0.6 * rms(typical)) == (scale == 0.5)


def test_a_plan_that_leaves_the_ranges_is_refused_and_wider_ranges_take_it():
    X, y = reviews()
    plan = TrainingPlan(EXACT, 0.5, batch_size=8)
    start = network()
    owner, model = owner_of(start, ranges=Ranges(hidden=0.2, score=8.0))
    with pytest.raises(DivergenceError, match=r"\|h\| reached .* but the ranges of the hidden layer end at 0.2 and 4;"):
        Trainer(model).train(X, y, plan)
    found = start.copy()
    z = train(CLEAR, found, X, y, plan)
    model.evaluator.ranges = Ranges.around(hidden_layer_of(found, X), found.W2, z, margin=2.0)
    Trainer(model).train(X, y, plan)
    assert share(owner.decrypt_network(model).W1, found.W1, start.W1) < 0.5


def test_hidden_numbers_beyond_their_range_keep_their_sign():
    """All of them at 1.15 times the range, and W2 at the top of its own."""
    X = csr_array(np.ones((4, WORDS), np.int64))
    start = Network(Architecture(WORDS, hidden=2), np.tile([2.3, -2.3], (WORDS, 1)), np.array([3.9, -1.0]))
    evaluator = SimulatedEvaluator(HIDDEN_128, seeded(), Ranges(hidden=2.0, score=12.0))
    assert (predict(evaluator, start, X) > 8).all()


def test_the_owner_is_told_of_a_second_layer_beyond_the_ranges_of_training():
    """Those of the model, which the trainer may have narrowed; not those of the owner's own evaluator."""
    start = network()
    start.W2[:] = 1.5, -4.5, 3.9
    owner, _ = owner_of(start)
    for weight, beyond in ((4.0, 1), (2.0, 2)):
        model = owner.encrypt(start)
        model.evaluator = copy(owner.evaluator)
        model.evaluator.ranges = Ranges(weight=weight)
        with pytest.warns(DataWarning, match=f"{beyond} of 3 weights of the second layer .* from -{weight:g} to {weight:g}"):
            owner.decrypt_network(model)
    model.evaluator.ranges = Ranges(weight=8.0)
    found = owner.decrypt_network(model)
    np.testing.assert_allclose(found.W2, start.W2, atol=1e-3)
    h = hidden_layer_of(found, reviews()[0])
    model.evaluator.check_hidden(h, found.W2)
    model.evaluator.ranges = Ranges(weight=8.0, hidden=float(np.abs(h).max()) / 2)
    with pytest.raises(DivergenceError, match=r"\|h\| reached"):
        model.evaluator.check_hidden(h, found.W2)


# Training


CASES = {
    "one output": (network(), PLAN),
    "sums of rows": (network(pooling="sum", sd=0.05), TrainingPlan(EXACT, 0.02, batch_size=8)),
    "three outputs": (network(outputs=3), PLAN),
    "one unit": (network(1), PLAN),
    "divided updates and a rate that decays": (
        network(),
        TrainingPlan(EXACT, 1.0, batch_size=8, divide_update=True, decay=1.0),
    ),
    "single reviews": (network(2), TrainingPlan(EXACT, 0.1, batch_size=1)),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_an_encrypted_network_follows_its_twin(case):
    start, plan = CASES[case]
    X, y = reviews(32, outputs=start.architecture.outputs)
    (found, z), (twin, z_twin) = trained(start, X, y, plan)
    simulated = [start.copy() for _ in range(12)]
    for seed, n in enumerate(simulated):
        train(SimulatedEvaluator(HIDDEN_TOY, seeded(seed), RANGES), n, X, y, plan)
    for name, most in (("W1", 0.2), ("W2", 0.6)):
        W, W_twin, W_start = (getattr(n, name) for n in (found, twin, start))
        typical = rms([share(getattr(n, name), W_twin, W_start) for n in simulated])
        assert share(W, W_twin, W_start) < 2.5 * typical and typical < most
    assert z.shape == z_twin.shape and np.corrcoef(z.ravel(), z_twin.ravel())[0, 1] > 0.95
    assert (found.W1 != start.W1).mean() > 0.9


def test_any_start_follows_its_twin_on_a_corpus_with_the_noise_of_128_bits():
    """The ranges come from a rehearsal with a start of its own."""
    data = words_dataset(load_reviews("toy"))
    a, plan = Architecture(data.X.shape[1], hidden=8), TrainingPlan(EXACT, 0.1, batch_size=16)
    start, other = (Network.initial(a, seeded(seed), 0.1) for seed in (0, 99))
    twin, found = start.copy(), start.copy()
    train(CLEAR, twin, data.X, data.y, plan)
    z = train(CLEAR, other, data.X, data.y, plan)
    ranges = Ranges.around(hidden_layer_of(other, data.X), other.W2, z)
    train(SimulatedEvaluator(HIDDEN_128, seeded(), ranges), found, data.X, data.y, plan)
    scores = [predict(CLEAR, n, data.X_test).ravel() for n in (found, twin)]
    assert np.corrcoef(*scores)[0, 1] > 0.98 and not np.array_equal(*scores)
    assert share(found.W1, twin.W1, start.W1) < 0.15 and share(found.W2, twin.W2, start.W2) < 0.15


@pytest.mark.slow
def test_encrypted_labels_train_as_plain_ones_do_and_carry_no_rate():
    start, (X, y) = network(), reviews(32)
    plan = TrainingPlan(EXACT, 0.2, batch_size=8, decay=0.5)
    twin = trained(start, X, y, plan)[1][0]
    owner, model = owner_of(start)
    Trainer(model).train(X, owner.encrypt_labels(y, insecure=True), plan)
    found = owner.decrypt_network(model)
    assert not model.evaluator.labels_carry_rate
    assert share(found.W1, twin.W1, start.W1) < 0.15


@pytest.mark.slow
def test_it_learns_xor_alone():
    """The clear twin gets four of four right from all ten starts; here two of them, which no line can separate."""
    a = Architecture(3, hidden=8, pooling="sum", hidden_sigmoid=taylor(3))
    X, y = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]), np.array([0, 1, 1, 0])
    plan = TrainingPlan(EXACT, 0.2, epochs=100, batch_size=4)
    for seed in range(2):
        start = Network.initial(a, seeded(seed), 1.0)
        owner, model = owner_of(start, ranges=Ranges(hidden=6.0, weight=8.0, score=12.0, gradient=0.25))
        Trainer(model).train(X, y, plan)
        z = predict(CLEAR, owner.decrypt_network(model), X).ravel()
        assert ((z > 0) == (y == 1)).all()


@pytest.mark.slow
def test_ten_of_ten_starts_learn_xor_with_the_noise_of_128_bits():
    a = Architecture(3, hidden=8, pooling="sum", hidden_sigmoid=taylor(3))
    X, y = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]), np.array([0, 1, 1, 0])
    right = []
    for seed in range(10):
        n = Network.initial(a, seeded(seed), 1.0)
        ranges = Ranges(hidden=6.0, weight=8.0, score=12.0, gradient=0.25)
        evaluator = SimulatedEvaluator(HIDDEN_128, seeded(seed), ranges)
        train(evaluator, n, X, y, TrainingPlan(EXACT, 0.1, epochs=200, batch_size=4), keep_scores=False)
        right.append(((predict(CLEAR, n, X).ravel() > 0) == (y == 1)).all())
    assert sum(right) >= 9


# Files, predictions, workers


def test_a_model_trains_on_after_it_was_stored(tmp_path):
    start, (X, y) = network(2), reviews(8)
    owner, model = owner_of(start, seed=None)
    model.save(tmp_path / "model")
    again = EncryptedModel.load(tmp_path / "model")
    assert again.evaluator.ranges == RANGES
    for m in (model, again):
        m.scores = Trainer(m).train(X, y, PLAN)
    np.testing.assert_array_equal(model.network.W1.data, again.network.W1.data)
    np.testing.assert_array_equal(model.network.W2.data, again.network.W2.data)
    User(again).save_scores(again.scores, tmp_path / "scores")
    np.testing.assert_allclose(owner.load_scores(tmp_path / "scores"), owner.decrypt(model.scores), atol=1e-3)


def test_evaluation_keys_that_do_not_fit_are_refused():
    evaluator = owner_of(network())[1].evaluator
    header, arrays = evaluator.export()
    assert restore_evaluator("bootstrapped", header, dict(arrays), []).ranges == RANGES
    for changed, left in (({"fine_seed": None}, arrays), ({}, {k: a for k, a in arrays.items() if k != "fine"})):
        with pytest.raises(FileError):
            restore_evaluator("bootstrapped", header | changed, dict(left), [])
    with pytest.raises((FileError, ParameterError)):
        restore_evaluator("bootstrapped", header | {"ranges": header["ranges"] | {"weight": 99.0}}, dict(arrays), [])


def test_predictions_are_scores_and_probabilities():
    start, (X, _) = network(), reviews(12)
    owner, model = owner_of(start)
    z = predict(CLEAR, start, X)
    assert np.corrcoef(owner.decrypt(User(model).predict(X)).ravel(), z.ravel())[0, 1] > 0.9
    np.testing.assert_allclose(owner.decrypt(User(model).predict_probabilities(X)), EXACT(z), atol=0.1)


def test_scores_of_many_mini_batches_are_packed_together():
    start, (X, y) = network(1), reviews(6)
    owner, model = owner_of(start)
    z = Trainer(model).train(X, y, TrainingPlan(EXACT, 0.1, batch_size=1))
    assert len(z.data) == 1 and z.shape == (6, 1)


# Refusals


def test_what_a_hidden_layer_cannot_do_says_so():
    X, y = reviews(8)
    owner, model = owner_of(network(17))
    with pytest.raises(CapabilityError, match="up to 16 hidden units, not 17.*ckks.HIDDEN_128.*PAPER, which protects nothing"):
        train(model.evaluator, model.network, X, y, PLAN)
    owner, model = owner_of(network())
    with pytest.raises(CapabilityError, match="give each review a width"):
        train(model.evaluator, model.network, Conditioned(X, None, np.full(8, 2.0)), y, PLAN)

    class Central:
        central = True

        def __call__(self, *_):
            raise AssertionError

    with pytest.raises(CapabilityError, match="computes the errors of a hidden layer itself"):
        train(model.evaluator, model.network, X, y, PLAN, help=Help(Central()))
    with pytest.raises(CapabilityError, match="set shrink=1"):
        train(model.evaluator, model.network, X, y, TrainingPlan(EXACT, 0.1, batch_size=8, shrink=0.9))
    with pytest.raises(CapabilityError, match="hidden-128"):
        Owner(Architecture(WORDS, hidden=2), EXACT, ONE_LEVEL_128)


@pytest.mark.parametrize(
    ("X", "plan", "message"),
    [
        (np.full((2, WORDS), 40), PLAN, "a review of 1600 words is too long.*cut long reviews"),
        (np.ones((2, WORDS), int), TrainingPlan(EXACT, 1e-4), "at learning rate 0.0001 a bootstrap.*take a learning rate"),
        (np.ones((2, WORDS), int), TrainingPlan(EXACT, 0.1, epochs=10**7), "would leave noise.*Train fewer"),
    ],
)
def test_plans_that_cannot_work_are_refused_before_training(X, plan, message):
    _, model = owner_of(network())
    with pytest.raises(ParameterError, match=message):
        train(model.evaluator, model.network, X, np.zeros(2, int), plan)


@pytest.mark.parametrize("changes", [{"hidden": 0.0}, {"weight": 9.0}, {"score": -1.0}, {"error_octaves": 0.0}])
def test_ranges_must_make_sense(changes):
    with pytest.raises(ParameterError):
        Ranges(**changes)
