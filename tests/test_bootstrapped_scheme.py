"""The scheme with bootstrapping as owner, trainer and user meet it: keys, evaluator, training, files."""

import copy
import pickle

import numpy as np
import pytest
from bootstrapped_keys import NAME, ONE_LEVEL, TINY, TWO_LEVEL, rms, seeded
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from secret_walker import arrays_from, arrays_in_file, reachable, shows
from test_hostile_input import changed_arrays, changed_header

from encnn import files
from encnn.arithmetic.sampling import Randomness
from encnn.arithmetic.sigmoid import ExactSigmoid, PolynomialSigmoid, ancestor_misplaced, least_squares, taylor
from encnn.data.batches import Conditioned
from encnn.data.datasets import words_dataset
from encnn.data.metrics import right_at_half
from encnn.data.reviews import load_reviews
from encnn.errors import CapabilityError, FileError, KeyMismatchError, ParameterError
from encnn.network import Architecture, Help, Network, TrainingPlan
from encnn.network.folded import collapsed, expanded
from encnn.parties import EncryptedModel, Owner, Trainer, User
from encnn.parties.model import MODEL, SECRET
from encnn.schemes import ClearParameters, base, make_keys, restore_evaluator, restore_secret_key
from encnn.schemes.bilinear import elementwise, vector_matrix
from encnn.schemes.bootstrapped import (
    BOOTSTRAP_TOY,
    ONE_LEVEL_128,
    TWO_LEVEL_128,
    BootstrappedEvaluator,
    BootstrappedSecretKey,
    engine,
    make_table,
    noise,
)
from encnn.schemes.integer_vector import CiphertextArray, IntegerVectorEvaluator

EXACT = ExactSigmoid()
PLAN = TrainingPlan(EXACT, 0.02, batch_size=8)


@pytest.fixture(scope="module")
def toy():
    """(secret key, evaluator) of the toy set."""
    return make_keys(BOOTSTRAP_TOY, {1}, rng=seeded())


@pytest.fixture(scope="module")
def sharp():
    """(secret key, evaluator) of a set with little noise in what comes out."""
    return make_keys(TWO_LEVEL, {1}, rng=seeded(1))


@pytest.fixture(scope="module")
def corpus():
    """Texts that repeat: (X of 300 reviews, y, X of 200 others, y)."""
    data = words_dataset(load_reviews("toy"), cutoff=None)
    return data.X[:300], data.y[:300], data.X_test[:200], data.y_test[:200]


def logistic(features):
    return Architecture(features, hidden=0, pooling="sum")


def zeros(features):
    return Network(logistic(features), np.zeros((features, 1)), None)


def trained(parameters, network, X, y, plan, **options):
    """Return (owner, trainer after training, decrypted scores) from a start in the clear."""
    owner = Owner(network.architecture, plan.sigmoid, parameters, rng=seeded(5))
    trainer = Trainer(owner.encrypt(network))
    return owner, trainer, owner.decrypt(trainer.train(X, y, plan, **options))


def some_reviews(reviews=48, features=30, words=6):
    rng = seeded(4)
    return csr_array((rng.random((reviews, features)) < words / features).astype(np.int64)), rng.integers(0, 2, reviews)


# Keys


def test_fresh_keys_differ_and_seeded_ones_repeat():
    (one, _), (other, _) = (make_keys(TINY.updated(n=60), {1}) for _ in range(2))
    assert (one.T(1) != other.T(1)).any() and (one.s != other.s).any()
    (again, public), (same, same_public) = (make_keys(TINY, {1}, rng=seeded(3)) for _ in range(2))
    assert (again.T(1) == same.T(1)).all()
    np.testing.assert_array_equal(public.key.rotation.bodies, same_public.key.rotation.bodies)
    np.testing.assert_array_equal(public.key.switch.bodies, same_public.key.switch.bodies)
    assert again.context.experimental and not one.context.experimental


def test_keys_are_binary_and_as_full_as_they_should_be():
    secret, _ = make_keys(BOOTSTRAP_TOY.updated(N=1024, d=1024, n=240), {1}, rng=seeded(9))
    for key in (secret.T(1), secret.s):
        assert set(np.unique(key)) == {0, 1}
        assert 0.1 < key.mean() < 0.3


def test_equal_messages_have_unrelated_ciphertexts(toy):
    secret, _ = toy
    data = secret.encrypt(np.full((300, 1), 0.25)).data
    assert len(np.unique(data[:, 0])) == 300
    for part in (data[:, :1], data[:, 1:]):
        assert abs(np.mean(part * 2.0**-31)) < 4 / np.sqrt(3 * part.size)
        assert np.var(part * 2.0**-31) == pytest.approx(1 / 3, rel=0.2)
    correlation = np.corrcoef(data.astype(float))
    assert np.abs(correlation - np.eye(300)).max() < 6 / 16


def test_what_was_encrypted_is_decrypted(toy):
    secret, _ = toy
    v = seeded().uniform(-16, 15.9, (4, 3, 1))
    np.testing.assert_allclose(secret.decrypt(secret.encrypt(v)), v, atol=1e-6)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"widths": {1, 3}}, "widths \\[1, 3\\]"),
        ({"products": [vector_matrix(2, 1)]}, "products \\['vector_matrix:2x1'\\]"),
        ({"products": [elementwise(2)]}, "elementwise:2"),
        ({"public_widths": (1,)}, "public widths \\[1\\]"),
    ],
)
def test_keys_that_make_no_sense_here_are_refused(asked, message):
    with pytest.raises(CapabilityError, match=f"{message}.*network.folded can fold a public second layer.*'hidden-128'"):
        make_keys(TINY, **{"widths": {1}} | asked)


def test_vectors_have_no_key():
    with pytest.raises(CapabilityError, match="numbers one by one, not vectors of widths \\[1, 2\\]"):
        BootstrappedSecretKey(TINY, (1, 2))


@pytest.mark.parametrize("architecture", [Architecture(4, hidden=2), Architecture(4, hidden=0, outputs=3)], ids=str)
def test_networks_with_products_or_several_outputs_are_refused(architecture):
    with pytest.raises(CapabilityError, match="one output and no hidden layer.*use Architecture.features, hidden=0"):
        Owner(architecture, EXACT, TINY)


def test_powers_need_no_key():
    assert Owner(logistic(3), taylor(5), TINY).evaluator.nbytes > 0


def test_secret_keys_are_neither_pickled_nor_shown(toy):
    secret, _ = toy
    for spread in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="a secret key is not pickled"):
            spread(secret)
    assert "secret>" in repr(secret) and "array" not in repr(secret)


def test_the_secret_is_reachable_from_nothing_that_others_hold(tmp_path):
    X, y = some_reviews(8)
    owner = Owner(logistic(30), EXACT, TINY.updated(n=32))
    user = Trainer(owner.encrypt(zeros(30)))
    scores = user.train(X, y, PLAN)
    given_out = (user, scores, user.model.evaluator)
    forbidden = base.SecretKey | Randomness | np.random.Generator | Owner
    assert not [found for found in reachable(*given_out) if isinstance(found, forbidden)]
    user.model.save(tmp_path / "model")
    owner.save_secret(tmp_path / "secret")
    secret = owner.secret_key
    for key in (secret.T(1), secret.s[None]):
        assert not shows(arrays_from(*given_out), key)
        assert not shows(arrays_in_file(tmp_path / "model"), key)
        assert shows(arrays_from(secret), key) and shows(arrays_in_file(tmp_path / "secret"), key)


# Evaluator


@pytest.mark.parametrize("numpy_only", [False, True])
@pytest.mark.parametrize("p", [BOOTSTRAP_TOY, TWO_LEVEL], ids=NAME)
@pytest.mark.parametrize("f", [np.tanh, np.abs, lambda z: np.where(z < 2, -1.0, 3.0 + 0.1 * z)], ids=range(3))
def test_any_function_is_applied(p, f, numpy_only, monkeypatch):
    if numpy_only:
        monkeypatch.setattr(engine, "compiled", lambda N, k=2: None)
    secret, evaluator = make_keys(p, {1}, rng=seeded(2))
    z = np.linspace(-7, 7, 24).reshape(4, 6, 1)
    found = secret.decrypt(evaluator.apply(secret.encrypt(z), f))
    assert found.shape == z.shape
    near = 6 * noise.input_deviation(p) * np.linspace(-1, 1, 400)
    out = f(z + near)
    tolerance = 8 * noise.output_deviation(p)
    assert (found >= out.min(axis=-1, keepdims=True) - tolerance).all()
    assert (found <= out.max(axis=-1, keepdims=True) + tolerance).all()


@pytest.mark.parametrize("sigmoid", [EXACT, taylor(1), taylor(3), least_squares(5, 8), ancestor_misplaced()], ids=NAME)
def test_any_sigmoid_is_a_table(sharp, sigmoid):
    secret, evaluator = sharp
    z = np.linspace(-6, 6, 60)[:, None]
    x = secret.encrypt(z)
    slope = np.abs(np.gradient(sigmoid(z[:, 0]), z[:, 0])).max()
    tolerance = 6 * noise.input_deviation(TWO_LEVEL) * max(slope, 0.25)
    np.testing.assert_allclose(secret.decrypt(evaluator.activate(sigmoid, x)), sigmoid(z), atol=tolerance)
    y = (z > 0) * 1.0
    np.testing.assert_allclose(secret.decrypt(evaluator.activate(sigmoid, x, y)), sigmoid(z) - y, atol=tolerance)
    np.testing.assert_allclose(secret.decrypt(evaluator.activate(sigmoid, x, 0.25)), sigmoid(z) - 0.25, atol=tolerance)
    encrypted = evaluator.activate(sigmoid, x, secret.encrypt(y))
    np.testing.assert_allclose(secret.decrypt(encrypted), sigmoid(z) - y, atol=tolerance)


def test_what_is_too_large_for_the_torus_is_refused(toy):
    secret, evaluator = toy
    x, y = secret.encrypt(np.zeros((1, 1))), np.zeros((1, 1))
    with pytest.raises(ParameterError, match="scale the function down"):
        evaluator.activate(taylor(7), x)
    assert evaluator.error(taylor(7), x, y, 0.001)[1] == 1.0  # but times the rate it fits


def test_polynomials_of_any_degree_take_one_bootstrap(sharp):
    secret, evaluator = sharp
    z = np.linspace(-2, 2, 21)[:, None]
    for coefficients in ([0.5, 1.0], [3.0, 0.0, 0.125], [1.0, -0.5, 0.0, 0.02], [0.1, 0.2, 0.0, 0.0, 0.003]):
        exact = np.polynomial.polynomial.polyval(z, coefficients)
        found = secret.decrypt(evaluator.polynomial(secret.encrypt(z), coefficients))
        np.testing.assert_allclose(found, exact, atol=6 * noise.input_deviation(TWO_LEVEL) * 1.1)
    constant = np.linspace(0, 1, 21)[:, None]
    found = secret.decrypt(evaluator.polynomial(secret.encrypt(z), [constant, 0.25]))
    np.testing.assert_allclose(found, constant + z / 4, atol=2 * noise.input_deviation(TWO_LEVEL))


def test_the_error_is_the_rate_times_prediction_minus_label(sharp):
    secret, evaluator = sharp
    z, y = np.linspace(-5, 5, 40)[:, None], (np.arange(40)[:, None] % 2).astype(float)
    for rate in (0.01, 0.3):
        x = secret.encrypt(z)
        e, gain = evaluator.error(EXACT, x, y, rate)
        with_labels, same_gain = evaluator.error(EXACT, x, secret.encrypt(rate * y), rate)
        assert gain == same_gain == 1.0
        tolerance = rate * 1.5 * noise.input_deviation(TWO_LEVEL) + 8 * noise.output_deviation(TWO_LEVEL)
        np.testing.assert_allclose(secret.decrypt(e), rate * (EXACT(z) - y), atol=tolerance)
        np.testing.assert_allclose(secret.decrypt(with_labels), secret.decrypt(e), atol=1e-6)
    assert len(evaluator._tables) == 1  # a decaying rate leaves none behind


@pytest.mark.parametrize("largest", [0.5, 2.0, 100.0])
def test_shrinking_is_a_bootstrap(sharp, largest):
    secret, evaluator = sharp
    m = max(1, int(TWO_LEVEL.z_half / largest))
    W = seeded().uniform(-1, 1, (60, 1)) * min(largest, TWO_LEVEL.z_half) * 0.9
    smaller = evaluator.shrink(secret.encrypt_many(W), 0.75, largest)
    error = secret.decrypt(smaller) - 0.75 * W
    deviation = np.hypot(0.75 * noise.input_deviation(TWO_LEVEL) / m, noise.output_deviation(TWO_LEVEL))
    assert rms(error) == pytest.approx(deviation, rel=0.4)
    assert smaller.noise == noise.output_bound(TWO_LEVEL) + noise.trace_bound(TWO_LEVEL)


def test_noise_stays_below_the_bound_that_travels(toy):
    secret, evaluator = toy
    x = secret.encrypt(np.zeros((200, 1)))
    constant = evaluator.apply(x, lambda z: 1.0)
    assert 0 < np.abs(secret.measure_noise(constant, np.ones((200, 1)))).max() < constant.noise
    assert constant.value >= 1
    total = constant + constant
    assert total.noise == 2 * constant.noise


def test_results_do_not_depend_on_threads(toy):
    secret, evaluator = toy
    x = secret.encrypt(np.linspace(-5, 5, 11)[:, None])
    threaded = BootstrappedEvaluator(evaluator.context, evaluator.key, threads=3)
    np.testing.assert_array_equal(threaded.apply(x, np.tanh).data, evaluator.apply(x, np.tanh).data)
    empty = threaded.apply(x[:0], np.tanh)
    assert empty.shape == (0, 1)


def test_an_evaluator_names_its_parameters_and_size(toy):
    _, evaluator = toy
    assert repr(evaluator) == "BootstrappedEvaluator('bootstrap-toy-INSECURE')"
    assert evaluator.parameters is BOOTSTRAP_TOY
    key = evaluator.key
    assert evaluator.nbytes == key.rotation.transforms.nbytes + key.switch.rows.nbytes + key.trace.transforms.nbytes


def test_what_the_scheme_cannot_do_names_what_can(toy):
    secret, evaluator = toy
    x = secret.encrypt(np.zeros((2, 1)))
    with pytest.raises(ParameterError, match="'elementwise:2' takes vectors of 2 and 2 numbers, not of 1 and 1"):
        evaluator.bilinear(elementwise(2), x, x)
    with pytest.raises(CapabilityError, match="with a modulus"):
        evaluator.multiply_plain(x, 0.5)
    wide = CiphertextArray(np.zeros((1, 2 + BOOTSTRAP_TOY.d), np.int32), x.context, x.scale, 1.0, 1.0, 1.0)
    scaled = CiphertextArray(x.data, x.context, 2 * x.scale, 1.0, 1.0, 1.0)
    for wrong, shown in ((wide, "these have shape \\(1, 2\\)"), (scaled, f"scale {2 * x.scale:g}".replace("+", "\\+"))):
        with pytest.raises(ParameterError, match=f"a table is read by numbers.*{shown}"):
            evaluator.look_up(wrong, make_table(BOOTSTRAP_TOY, np.tanh))


@pytest.mark.slow
def test_the_sigmoid_of_the_secure_set_is_close():
    """Full-scale table, one core: mean absolute error and bias over [-8, 8)."""
    secret, evaluator = make_keys(ONE_LEVEL_128, {1}, rng=seeded(11))
    z = np.linspace(-8, 8, 1024, endpoint=False)[:, None]
    error = secret.decrypt(evaluator.activate(EXACT, secret.encrypt(z))) - EXACT(z)
    assert 0.001 < np.abs(error).mean() < 0.006
    assert abs(error.mean()) < 0.001


# Training


@pytest.mark.parametrize("p", [BOOTSTRAP_TOY, TWO_LEVEL], ids=NAME)
def test_training_learns_what_its_clear_twin_learns(p, corpus):
    X, y, X_test, y_test = corpus
    start = zeros(X.shape[1])
    owner, trainer, scores = trained(p, start, X, y, PLAN)
    twin, clear_trainer, clear_scores = trained(ClearParameters(), start, X, y, PLAN)
    assert owner.evaluate(scores, y, PLAN).accuracy.percent == pytest.approx(
        twin.evaluate(clear_scores, y, PLAN).accuracy.percent, abs=3
    )
    z, clear_z = owner.decrypt(trainer.predict(X_test)), twin.decrypt(clear_trainer.predict(X_test))
    right, clear_right = (right_at_half(EXACT(each)[:, 0], y_test).mean() for each in (z, clear_z))
    assert clear_right > 0.7 and right > clear_right - 0.03
    assert np.corrcoef(z[:, 0], clear_z[:, 0])[0, 1] > 0.98


@pytest.mark.parametrize(
    "plan",
    [
        TrainingPlan(EXACT, 0.05, batch_size=1),
        TrainingPlan(EXACT, 0.05, batch_size=5),
        TrainingPlan(EXACT, 0.05, decay=0.5, batch_size=16, epochs=3),
        TrainingPlan(taylor(3), 0.05, decay=0.5, batch_size=16, epochs=2),
        TrainingPlan(EXACT, 0.05, batch_size=16, epochs=2, shrink=0.5),
    ],
    ids=["one by one", "batches of five", "epochs with decay", "Taylor", "shrink"],
)
def test_every_plan_ends_near_its_clear_twin(plan):
    X, y = some_reviews()
    start = Network(logistic(30), seeded().normal(0, 0.05, (30, 1)), None)
    owner, trainer, scores = trained(TWO_LEVEL, start, X, y, plan)
    _, twin, clear_scores = trained(ClearParameters(), start, X, y, plan)
    W, W_clear = owner.decrypt_network(trainer.model).W1, twin.model.network.W1
    moved = rms(W_clear - start.W1)
    assert rms(W - W_clear) < 0.2 * moved
    assert rms(scores - clear_scores) < 0.3 * rms(clear_scores)


def test_encrypted_labels_train_as_plain_ones_do():
    X, y = some_reviews()
    owner = Owner(logistic(30), EXACT, TWO_LEVEL, rng=seeded())
    plan = TrainingPlan(EXACT, 0.05, batch_size=8, epochs=2)
    plain, hidden = (Trainer(owner.encrypt(zeros(30))) for _ in range(2))
    plain.train(X, y, plan)
    with pytest.raises(CapabilityError, match="can be read without a key"):
        owner.encrypt_labels(y, plan.learning_rate)
    labels = owner.encrypt_labels(y, plan.learning_rate, insecure=True)
    hidden.train(X, labels, plan)
    of_plain, of_hidden = (owner.decrypt_network(t.model).W1 for t in (plain, hidden))
    assert rms(of_hidden - of_plain) < 0.1 * rms(of_plain)
    with pytest.raises(ParameterError, match="'bootstrapped' encrypted labels carry the learning rate, so it cannot decay"):
        hidden.train(X, labels, TrainingPlan(EXACT, 0.05, decay=0.1))


class RowEvaluator(BootstrappedEvaluator):
    """The same bootstraps over a model of one ciphertext for each word, as integer vectors have it."""

    gather = IntegerVectorEvaluator.gather
    scatter_subtract = IntegerVectorEvaluator.scatter_subtract

    def check_weights(self, W):
        pass

    def pack(self, a):
        return a


@pytest.mark.parametrize("p", [BOOTSTRAP_TOY, TWO_LEVEL], ids=NAME)
def test_blocks_learn_what_rows_learn(p, corpus):
    X, y, X_test, y_test = corpus
    owner = Owner(logistic(X.shape[1]), EXACT, p, rng=seeded(5))
    rows = RowEvaluator(owner.evaluator.context, owner.evaluator.key)
    packed = Trainer(owner.encrypt(zeros(X.shape[1])))
    start = Network(owner.architecture, owner.secret_key.encrypt(np.zeros((X.shape[1], 1))), None)
    as_rows = Trainer(EncryptedModel(rows, start, EXACT))
    for trainer in (packed, as_rows):
        trainer.train(X, y, PLAN)
    assert packed.model.network.W1.nbytes < as_rows.model.network.W1.nbytes / 50
    z, z_rows = (owner.decrypt(trainer.predict(X_test))[:, 0] for trainer in (packed, as_rows))
    right, right_rows = (right_at_half(EXACT(each), y_test).mean() for each in (z, z_rows))
    assert right_rows > 0.7 and abs(right - right_rows) <= 0.03
    assert np.corrcoef(z, z_rows)[0, 1] > 0.98


@pytest.mark.parametrize("labels", ["sent", "encrypted"])
@pytest.mark.parametrize("batch_size", [1, 8])
def test_conditioned_features_follow_their_clear_twin(labels, batch_size):
    X, y = some_reviews()
    m, s = seeded(1).integers(1, 5, 30), seeded(2).uniform(0.5, 2, len(y))
    conditioned, plan = Conditioned(X, m, s), TrainingPlan(EXACT, 0.02, batch_size=batch_size, epochs=2)
    owner = Owner(logistic(30), EXACT, TWO_LEVEL, rng=seeded(5))
    given_labels = y if labels == "sent" else owner.encrypt_labels(y, plan.learning_rate / s, insecure=True)
    trainer = Trainer(owner.encrypt(zeros(30)))
    scores = owner.decrypt(trainer.train(conditioned, given_labels, plan))
    _, twin, clear_scores = trained(ClearParameters(), zeros(30), conditioned, y, plan)
    W, clear = owner.decrypt_network(trainer.model).W1, twin.model.network.W1
    assert rms(W - clear) < 0.1 * rms(clear) and rms(scores - clear_scores) < 0.3 * rms(clear_scores)
    expected = np.zeros(30)  # and the twin does what the formula says
    for batch in np.split(np.tile(np.arange(len(y)), 2), 2 * len(y) // batch_size):
        z = X[batch] @ expected
        e = plan.learning_rate / s[batch] * (EXACT(z / s[batch]) - y[batch])
        expected = expected - m * (X[batch].T @ e)
    np.testing.assert_allclose(clear[:, 0], expected, atol=1e-12)


def test_steps_that_know_no_widths_are_told():
    X, y = some_reviews()
    conditioned = Conditioned(X, widths=np.ones(len(y)))
    help = Help(lambda evaluator, z, targets, rate: evaluator.error(EXACT, z, targets, rate))
    with pytest.raises(CapabilityError, match="a width, which this error step does not take"):
        trained(BOOTSTRAP_TOY, zeros(30), conditioned, y, PLAN, help=help)


@pytest.mark.parametrize("features", ["counts", "dense counts"])
def test_counts_train_as_their_clear_twin_does(features):
    X, y = some_reviews()
    X = X * csr_array(seeded(1).integers(1, 4, X.shape))
    X = X if features == "counts" else X.toarray()
    owner, trainer, _ = trained(TWO_LEVEL, zeros(30), X, y, PLAN)
    _, twin, _ = trained(ClearParameters(), zeros(30), X, y, PLAN)
    clear = twin.model.network.W1
    assert rms(owner.decrypt_network(trainer.model).W1 - clear) < 0.1 * rms(clear)


def test_a_start_without_masks_is_refused(tmp_path):
    """It would train in the open, and look as it should: nothing that is added to it has a mask either."""
    X, y = some_reviews()
    owner = Owner(logistic(30), EXACT, TINY)
    model = owner.encrypt(zeros(30))
    model.network.W1.data[:] = 0
    model.network.W1.seed = None
    with pytest.raises(ParameterError, match="have no masks.*ask the owner"):
        Trainer(model).train(X, y, PLAN)
    model.save(tmp_path / "open")
    with pytest.raises(FileError, match="have no masks"):
        Trainer.load(tmp_path / "open")


def test_what_is_trained_shows_nothing_without_the_key():
    """The rates of a small key: after training every block is full, and another key reads it as noise over all of the torus."""
    X, y = some_reviews()
    owner, trainer, _ = trained(TWO_LEVEL, zeros(30), X, y, PLAN)
    other = Owner(logistic(30), EXACT, TWO_LEVEL, rng=seeded(6))
    W = trainer.model.network.W1
    assert np.abs(owner.decrypt(W)).max() < 2
    W.rows, W.context = TWO_LEVEL.N, other.evaluator.context
    assert other.secret_key.decrypt(W).std() == pytest.approx(32 / np.sqrt(12), rel=0.1)
    trivial = W.data * 2.0**-32  # nor is the body alone the weights
    assert trivial.std() == pytest.approx(1 / np.sqrt(12), rel=0.05)


def test_scores_for_the_owner_are_small():
    X, _ = some_reviews()
    owner = Owner(logistic(30), EXACT, TWO_LEVEL, rng=seeded())
    many = csr_array(np.tile(X.toarray(), (60, 1)))
    scores = User(owner.encrypt(zeros(30))).predict(many)
    assert scores.nbytes / many.shape[0] < 13


@pytest.mark.slow
@pytest.mark.parametrize(("p", "labels"), [(ONE_LEVEL_128, "sent"), (TWO_LEVEL_128, "encrypted")], ids=["one", "two levels"])
def test_training_at_128_bits_follows_its_clear_twin(p, labels, corpus):
    X, y, X_test, y_test = corpus
    owner = Owner(logistic(X.shape[1]), EXACT, p)
    trainer = Trainer(owner.encrypt(zeros(X.shape[1])))
    trainer.train(X, y if labels == "sent" else owner.encrypt_labels(y, PLAN.learning_rate), PLAN)
    _, twin, _ = trained(ClearParameters(), zeros(X.shape[1]), X, y, PLAN)
    z, clear_z = owner.decrypt(trainer.predict(X_test))[:, 0], twin.predict(X_test)[:, 0]
    assert right_at_half(EXACT(z), y_test).mean() > right_at_half(EXACT(clear_z), y_test).mean() - 0.03
    assert np.corrcoef(z, clear_z)[0, 1] > 0.99
    stranger, W = BootstrappedSecretKey(p), trainer.model.network.W1
    W.context = stranger.context
    assert stranger.decrypt(W).std() == pytest.approx(32 / np.sqrt(12), rel=0.1)  # noise over all of the torus


def test_users_get_scores_and_probabilities():
    X, _ = some_reviews()
    owner = Owner(logistic(30), EXACT, TWO_LEVEL, rng=seeded())
    W1 = seeded(1).normal(0, 1, (30, 1))
    user = User(owner.encrypt(Network(logistic(30), W1, None)))
    np.testing.assert_allclose(owner.decrypt(user.predict(X)), X @ W1, atol=3e-5)  # scores of several parts
    found = owner.decrypt(user.predict_probabilities(X))
    np.testing.assert_allclose(found, EXACT(X @ W1), atol=1.5 * noise.input_deviation(TWO_LEVEL))


def test_a_public_second_layer_trains_a_hidden_layer():
    X, y = some_reviews()
    network = Network.initial(Architecture(30, hidden=4, pooling="sum"), seeded(3), first_layer_sd=0.05)
    u, gain = collapsed(network)
    plan = TrainingPlan(EXACT, 0.05 * gain, batch_size=8)
    owner, trainer, _ = trained(TWO_LEVEL, u, X, y, plan)
    whole = expanded(network, owner.decrypt_network(trainer.model))
    _, twin, _ = trained(ClearParameters(), u, X, y, plan)
    clear = expanded(network, twin.model.network)
    assert whole.architecture.hidden == 4
    assert rms(whole.W1 - clear.W1) < 0.2 * rms(clear.W1 - network.W1)


class KilledError(Exception):
    """The power went out."""


@pytest.mark.parametrize("numpy_only", [False, True])
def test_a_run_that_was_cut_short_goes_on_to_the_same_ciphertexts(numpy_only, monkeypatch):
    if numpy_only:
        monkeypatch.setattr(engine, "compiled", lambda N, k=2: None)
    X, y = some_reviews(24)
    plan = TrainingPlan(EXACT, 0.05, decay=0.2, batch_size=8, epochs=2, shrink=0.9)
    owner = Owner(logistic(30), EXACT, BOOTSTRAP_TOY, rng=seeded())
    start = owner.encrypt(zeros(30))
    uninterrupted, reported = Trainer(start.copy()), []
    scores = uninterrupted.train(X, y, plan, on_scores=lambda first, z: reported.append(z.data))
    for batches in (1, 3, 4):
        survivor, met = Trainer(start.copy()), []

        def step(evaluator, z, targets, rate, met=met, batches=batches):
            met.append(z)
            if len(met) > batches:
                raise KilledError
            return evaluator.error(EXACT, z, targets, rate)

        with pytest.raises(KilledError):
            survivor.train(X, y, plan, help=Help(step))
        again = []
        later = survivor.train(X, y, plan, on_scores=lambda first, z, again=again: again.append(z.data), first=8 * batches)
        np.testing.assert_array_equal(survivor.model.network.W1.data, uninterrupted.model.network.W1.data)
        np.testing.assert_array_equal(np.concatenate(again), np.concatenate(reported)[8 * batches :])
        z, z_later = owner.decrypt(scores)[8 * batches :], owner.decrypt(later)  # what is kept is packed, with other neighbours
        np.testing.assert_allclose(z_later, z, atol=8 * np.sqrt(2 * noise.trace(BOOTSTRAP_TOY)[0]) * 32)


def test_a_run_that_would_drown_is_refused_before_it_starts():
    X, y = some_reviews()
    p = ONE_LEVEL.updated(trace_bits=8, trace_levels=2)  # noise of traces adds up, and errors stay clear
    owner = Owner(logistic(30), EXACT, p, rng=seeded())
    trainer = Trainer(owner.encrypt(zeros(30)))
    before = trainer.model.network.W1.data.copy()
    allowed = noise.training_noise(p, X, PLAN.learning_rate).epochs_allowed
    assert 0 < allowed < 3
    with pytest.raises(ParameterError, match=f"3 epochs would leave noise.* allow {allowed:.3g} epochs.*Train fewer"):
        trainer.train(X, y, TrainingPlan(EXACT, 0.01, epochs=3))
    np.testing.assert_array_equal(trainer.model.network.W1.data, before)


# Files


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """An owner with real keys, and a folder with its files."""
    folder = tmp_path_factory.mktemp("bootstrapped")
    owner = Owner(logistic(30), EXACT, TINY)
    model = owner.encrypt(Network(logistic(30), seeded().normal(0, 0.3, (30, 1)), None))
    owner.save_model(model, folder / "model")
    owner.save_secret(folder / "secret")
    user = User(model)
    user.save_scores(user.predict(some_reviews()[0]), folder / "scores")
    return owner, model, folder


def test_files_come_back_as_they_were(real, tmp_path):
    owner, model, folder = real
    X, y = some_reviews()
    loaded, again = Trainer.load(folder / "model"), Owner.load(folder / "secret")
    assert again.parameters == loaded.model.evaluator.parameters == TINY
    here = Trainer(model.copy())
    found, expected = loaded.train(X, y, PLAN), here.train(X, y, PLAN)
    np.testing.assert_array_equal(found.parts.data, expected.parts.data)
    np.testing.assert_array_equal(found.counts, expected.counts)
    np.testing.assert_array_equal(loaded.model.network.W1.data, here.model.network.W1.data)
    np.testing.assert_array_equal(again.secret_key.T(1), owner.secret_key.T(1))
    loaded.model.save(tmp_path / "trained")
    found = again.decrypt_network(EncryptedModel.load(tmp_path / "trained")).W1
    np.testing.assert_array_equal(found, owner.decrypt_network(here.model).W1)
    np.testing.assert_array_equal(again.load_scores(folder / "scores"), owner.decrypt(User(model).predict(X)))
    assert owner.is_own(folder / "model") and again.is_own(folder / "model") and not owner.is_own(tmp_path / "trained")
    new = again.encrypt(zeros(30))  # the restored key encrypts for the same evaluator
    np.testing.assert_allclose(owner.decrypt_network(new).W1, 0, atol=1e-6)


def test_masks_are_not_in_the_files(real):
    _, _, folder = real
    _, arrays = files.read(folder / "model", MODEL)
    assert {name: a.shape for name, a in arrays.items()} == {
        "W1": (1, TINY.N),
        "rotation": (TINY.n, TINY.rotation_levels, TINY.k + 1, TINY.N),
        "switch": (TINY.d - TINY.n, TINY.switch_levels),
        "trace": (6, TINY.k, TINY.trace_levels, TINY.N),
    }


def test_other_owners_files_are_told_apart(real):
    owner, _, folder = real
    other = Owner(logistic(30), EXACT, TINY)
    with pytest.raises(KeyMismatchError):
        other.load_scores(folder / "scores")
    with pytest.raises(KeyMismatchError):
        other.decrypt_network(EncryptedModel.load(folder / "model"))
    assert not other.is_own(folder / "model")


def test_keys_that_repeat_reach_no_disk(tmp_path):
    owner = Owner(logistic(30), EXACT, TINY, rng=seeded())
    user = User(owner.encrypt(zeros(30)))
    scores = user.predict(some_reviews()[0])
    for export in (owner.save_secret, user.model.save, lambda path: user.save_scores(scores, path)):
        with pytest.raises(ParameterError, match="made from a passed rng"):
            export(tmp_path / "file")
    assert not list(tmp_path.iterdir())


def rewritten(folder, tmp_path, kind, name, change):
    header, arrays = files.read(folder / name, kind)
    arrays = dict(arrays)
    change(header, arrays)
    files.write(tmp_path / "hostile", kind, header, arrays)
    return tmp_path / "hostile"


def set_array(name, make):
    return lambda header, arrays: arrays.update({name: make(arrays[name])})


def set_key(name, value):
    return lambda header, arrays: header["keys"].update({name: value})


def set_parameter(name, value):
    return lambda header, arrays: header["keys"]["parameters"].update({name: value})


def drop_parameter(name):
    return lambda header, arrays: header["keys"]["parameters"].pop(name)


def drop_key(name):
    return lambda header, arrays: header["keys"].pop(name)


HOSTILE_KEYS = {
    "rotation too short": set_array("rotation", lambda a: a[:-1]),
    "rotation flat": set_array("rotation", np.ravel),
    "rotation of another type": set_array("rotation", lambda a: a.astype(np.float64)),
    "switch too long": set_array("switch", lambda a: np.concatenate([a, a])),
    "switch of another type": set_array("switch", lambda a: a.astype(np.int64)),
    "no rotation": lambda header, arrays: arrays.pop("rotation"),
    "no switch": lambda header, arrays: arrays.pop("switch"),
    "an array more": lambda header, arrays: arrays.update(extra=np.zeros(3)),
    "no seed": drop_key("rotation_seed"),
    "short seed": set_key("switch_seed", "00"),
    "seed of other letters": set_key("rotation_seed", "g" * 32),
    "seed is a number": set_key("switch_seed", 7),
    "short key name": set_key("key_id", "0"),
    "more bits": set_parameter("n", TINY.n + 1),
    "very many bits": set_parameter("n", 1 << 40),
    "bits are a text": set_parameter("n", "6"),
    "huge polynomials": lambda header, arrays: header["keys"]["parameters"].update(N=1 << 40, d=1 << 40, k=1),
    "N a fraction": set_parameter("N", 64.0),
    "k a truth value": lambda header, arrays: header["keys"]["parameters"].update(k=True, N=128),
    "noise is a text": set_parameter("glwe_sigma", "small"),
    "noise is nothing": set_parameter("lwe_sigma", None),
    "another modulus": set_parameter("q_bits", 64),
    "scale of zero": set_parameter("scale", 0),
    "scale of a third": set_parameter("scale", 1 / 3),
    "an unknown parameter": set_parameter("colour", 3),
    "a secure name": set_parameter("name", "secure"),
}


@pytest.mark.parametrize("how", HOSTILE_KEYS)
@pytest.mark.parametrize(("name", "kind"), [("model", MODEL), ("secret", SECRET)])
def test_hostile_evaluation_keys_are_refused(how, name, kind, real, tmp_path):
    _, _, folder = real
    path = rewritten(folder, tmp_path, kind, name, HOSTILE_KEYS[how])
    with pytest.raises(FileError):
        EncryptedModel.load(path) if kind == MODEL else Owner.load(path)


HOSTILE_SECRETS = {
    "T too short": set_array("T_1", lambda a: a[:, :-1]),
    "T not binary": set_array("T_1", lambda a: a + 1),
    "T of another type": set_array("T_1", lambda a: a.astype(np.int32)),
    "T not binary, by one bit": set_array("T_1", lambda a: a + 2 * (np.arange(a.size) == 77)),
    "T too long": set_array("T_1", lambda a: np.append(a, [[0]], axis=1)),
    "T with a full block": set_array("T_1", lambda a: a | (np.arange(a.size) // TINY.block == 40)),
    "a small key beside it": lambda header, arrays: arrays.update(T_small=arrays["T_1"][0, : TINY.n]),
    "no T": lambda header, arrays: arrays.pop("T_1"),
    "another T": lambda header, arrays: arrays.update(T_2=arrays["T_1"]),
    "another key's name": lambda header, arrays: header["secret"].update(key_id="0" * 32),
    "other parameters": lambda header, arrays: header["secret"]["parameters"].update(lwe_sigma=2.0**-19),
}


@pytest.mark.parametrize("how", HOSTILE_SECRETS)
def test_hostile_secrets_are_refused(how, real, tmp_path):
    _, _, folder = real
    with pytest.raises(FileError):
        Owner.load(rewritten(folder, tmp_path, SECRET, "secret", HOSTILE_SECRETS[how]))


@settings(max_examples=40)
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), name=st.sampled_from(["model", "secret", "scores"]))
def test_every_flipped_bit_is_noticed(real, at, bit, name):
    owner, _, folder = real
    raw = bytearray((folder / name).read_bytes())
    raw[int(at * len(raw))] ^= 1 << bit
    (folder / "damaged").write_bytes(raw)
    load = {"model": EncryptedModel.load, "secret": Owner.load, "scores": owner.load_scores}[name]
    with pytest.raises(FileError):
        load(folder / "damaged")


def test_keys_are_taken_apart_and_put_together_without_files(toy):
    secret, evaluator = toy
    same = restore_evaluator("bootstrapped", *evaluator.export(), ())
    assert same.context.key_id == evaluator.context.key_id and same.key.rotation.seed == evaluator.key.rotation.seed
    np.testing.assert_array_equal(same.key.rotation.transforms, evaluator.key.rotation.transforms)
    np.testing.assert_array_equal(same.key.switch.rows, evaluator.key.switch.rows)
    again = restore_secret_key("bootstrapped", *secret.export())
    np.testing.assert_array_equal(again.T(1), secret.T(1))
    assert not again._randomness.experimental  # new randomness comes from the operating system


def test_a_sigmoid_that_is_not_odd_is_a_table_too(toy):
    secret, evaluator = toy
    lopsided = PolynomialSigmoid("lopsided", (0.4, 0.2, 0.01), (-4.0, 4.0))
    z = np.linspace(-7, 7, 15)[:, None]
    found = secret.decrypt(evaluator.activate(lopsided, secret.encrypt(z)))
    np.testing.assert_allclose(found, lopsided(z), atol=0.4 * 6 * noise.input_deviation(BOOTSTRAP_TOY))


@settings(max_examples=80)
@given(draw=st.data(), kind=st.sampled_from([MODEL, SECRET]))
def test_files_written_anew_are_refused_or_fit(real, draw, kind):
    """Whatever an attacker changes and signs with a digest that fits: the documented errors, or a key of its own shape."""
    owner, _, folder = real
    header, arrays = files.read(folder / {MODEL: "model", SECRET: "secret"}[kind], kind)
    if draw.draw(st.booleans()):
        header = changed_header(header, draw)
    else:
        arrays = changed_arrays(arrays, draw)
    (folder / "hostile").write_bytes(files.to_bytes(kind, header, arrays))
    try:
        found = (EncryptedModel if kind == MODEL else Owner).load(folder / "hostile")
    except (FileError, KeyMismatchError):
        return
    p, key = found.evaluator.parameters, found.evaluator.key
    assert key.rotation.bodies.shape == (p.n, p.rotation_levels, p.k + 1, p.N)
    assert key.switch.bodies.shape == (p.d - p.n, p.switch_levels)
    if kind == MODEL:
        assert not owner.is_own(folder / "hostile")
    else:
        assert set(np.unique(found.secret_key.T(1))) <= {0, 1} and found.secret_key.T(1).shape == (1, p.d)
