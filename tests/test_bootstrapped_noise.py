"""Noise of every step: what is predicted is measured, in total over several keys."""

import math

import numpy as np
import pytest
from bootstrapped_keys import NAME, ONE_LEVEL, TWO_LEVEL, glwe_phase, needs_numba, polynomials, random_words, typical_secret
from scipy.sparse import csr_array

from encnn.arithmetic.sampling import Randomness
from encnn.arithmetic.sigmoid import ExactSigmoid
from encnn.data.batches import Conditioned
from encnn.errors import ParameterError
from encnn.network import Architecture, Help, Network, TrainingPlan, train
from encnn.schemes.bootstrapped import (
    BOOTSTRAP_TOY,
    ONE_LEVEL_128,
    TWO_LEVEL_128,
    BootstrappedEvaluator,
    BootstrappedSecretKey,
    engine,
    make_table,
    noise,
    read_table,
    transform,
)
from encnn.schemes.bootstrapped.rotation import blind_rotate, make_rotation_key
from encnn.schemes.bootstrapped.switching import make_small_switch_key, switch_key, to_positions

SETS = [BOOTSTRAP_TOY, ONE_LEVEL, TWO_LEVEL]
PRESETS = [ONE_LEVEL_128, TWO_LEVEL_128]


def measured(errors, predicted):
    """The mean square of errors of several keys, over what is predicted."""
    return np.mean(np.square(np.concatenate(errors))) / predicted


def key_switch_errors(p, seed, count):
    """Errors in units of the torus; only the switch key is made."""
    rng = np.random.default_rng(seed)
    secret = typical_secret(p, rng)
    key = make_small_switch_key(p, secret.T(1)[0], Randomness(rng))
    ciphertexts = random_words(rng, (count, 1 + p.d))
    small = switch_key(key, ciphertexts)
    error = secret.small_phase(small) * 2.0**-p.z_bits - secret.torus_phase(ciphertexts)
    return error - np.rint(error)


@pytest.mark.parametrize("p", SETS, ids=NAME)
def test_key_switch(p):
    errors = [key_switch_errors(p, seed, 800) for seed in range(5)]
    assert measured(errors, noise.key_switch(p)) == pytest.approx(1, abs=0.1)


def test_the_key_switch_has_no_bias_of_its_key():
    """One that all ciphertexts of a key share would add up in training, and move the whole sigmoid to one side."""
    errors = np.array([key_switch_errors(ONE_LEVEL, seed, 800) for seed in range(6)])
    assert (np.abs(errors.mean(axis=1)) < 3.5 * errors.std(axis=1) / math.sqrt(800)).all()


def test_key_switch_when_digits_leave_much_away():
    p = ONE_LEVEL.updated(switch_levels=2)
    assert noise.key_switch(p) > 2 * noise.key_switch(ONE_LEVEL)
    assert measured([key_switch_errors(p, seed, 800) for seed in range(5)], noise.key_switch(p)) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("p", [*SETS, *PRESETS], ids=NAME)
def test_modulus_switch(p):
    errors = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        secret = typical_secret(p, rng)
        small = random_words(rng, (1500, 1 + p.n))
        error = secret.position(to_positions(small, p.N)) / (2 * p.N) - secret.small_phase(small) * 2.0**-p.z_bits
        errors.append(error - np.rint(error))
    assert measured(errors, noise.modulus_switch(p)) == pytest.approx(1, abs=0.1)


def rotation_errors(p, seed, count):
    """Errors of all coefficients.  Those of one ciphertext are correlated, so `count` ciphertexts are what counts."""
    rng = np.random.default_rng(seed)
    secret = typical_secret(p, rng)
    key = make_rotation_key(p, secret.s, polynomials(secret), Randomness(rng))
    acc = random_words(rng, (count, p.k + 1, p.N))
    exponents = rng.integers(1, 2 * p.N, (count, p.n))
    expected = transform.monomial_product(glwe_phase_fast(secret, acc), exponents @ secret.s)
    blind_rotate(key, acc, exponents)
    return (glwe_phase_fast(secret, acc) - expected).astype(np.int32).ravel() * 2.0**-32


def glwe_phase_fast(secret, acc):
    """`glwe_phase` by transforms: products of bits with 32 bits are exact in float64."""
    S = transform.forward(polynomials(secret).astype(float))
    product = transform.backward((transform.forward(acc[:, 1:].astype(float)) * S).sum(axis=1))
    return (acc[:, 0] + np.rint(product).astype(np.int64)).astype(np.int32)


def test_phases_by_transforms_are_exact():
    rng = np.random.default_rng(0)
    secret = BootstrappedSecretKey(BOOTSTRAP_TOY, rng=rng)
    acc = random_words(rng, (3, 2, 256))
    np.testing.assert_array_equal(glwe_phase_fast(secret, acc), glwe_phase(secret, acc))


@pytest.mark.parametrize(("p", "count"), [(BOOTSTRAP_TOY, 100), (ONE_LEVEL, 500), (TWO_LEVEL, 300)])
def test_rotation(p, count):
    errors = [rotation_errors(p, seed, count) for seed in range(4)]
    assert measured(errors, noise.rotation(p)) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    "changes", [{"glwe_sigma": 2.0**-30}, {"rotation_levels": 1}, {"rotation_bits": 14}, {"lwe_sigma": 0.0}], ids=str
)
def test_every_term_of_the_rotation(changes):
    """Sets in which another term rules: the key's noise, what digits leave away, or neither."""
    p = BOOTSTRAP_TOY.updated(**changes)
    errors = [rotation_errors(p, seed, 100) for seed in range(4)]
    assert measured(errors, noise.rotation(p)) == pytest.approx(1, abs=0.1)


@needs_numba
def test_float64_where_it_rules(monkeypatch):
    """Digits so long that nothing else counts, in phases, numpy and compiled."""
    p = ONE_LEVEL.updated(rotation_bits=27, glwe_sigma=0.0)
    compiled = measured([rotation_errors(p, seed, 150) for seed in range(4)], noise.rotation(p))
    monkeypatch.setattr(engine, "compiled", lambda N, k=2: None)
    in_numpy = measured([rotation_errors(p, seed, 30) for seed in range(4)], noise.rotation(p))
    assert [math.sqrt(compiled), math.sqrt(in_numpy)] == pytest.approx([1, 1], abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("p", PRESETS, ids=NAME)
def test_presets(p):
    """Real keys, bootstrapped from real ciphertexts: where tables are read, and what comes out."""
    into, out = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        secret = BootstrappedSecretKey(p, rng=rng)
        key = secret.bootstrap_key()
        ciphertexts = random_words(rng, (700, 1 + p.d))
        positions = to_positions(switch_key(key.switch, ciphertexts), p.N)
        error = secret.position(positions) / (2 * p.N) - secret.torus_phase(ciphertexts)
        into.append(error - np.rint(error))
        acc = np.zeros((50, p.k + 1, p.N), np.int32)
        acc[:, 0] = random_words(rng, (50, p.N))
        expected = transform.monomial_product(acc[:, 0], -positions[:50, 1:] @ secret.s)
        blind_rotate(key.rotation, acc, -positions[:50, 1:])
        out.append((glwe_phase_fast(secret, acc) - expected).astype(np.int32).ravel() * 2.0**-32)
    assert measured(into, noise.table_input(p)) == pytest.approx(1, abs=0.1)
    assert measured(out, noise.rotation(p)) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("p", [*SETS, *PRESETS], ids=NAME)
def test_units(p):
    assert noise.table_input(p) == noise.key_switch(p) + noise.modulus_switch(p)
    assert noise.input_deviation(p) == pytest.approx(4 * p.z_half * math.sqrt(noise.table_input(p)))
    assert noise.output_deviation(p) == pytest.approx(4 * p.z_half * math.sqrt(noise.rotation(p)))
    assert noise.output_bound(p) / p.scale > 8 * noise.output_deviation(p)


def test_the_noise_of_training_tables_in_units_of_the_error():
    """At the learning rates that the presets name, a bootstrap's noise is a small part of rate (sigmoid - y)."""
    assert noise.output_deviation(ONE_LEVEL_128) / 0.005 < 0.2
    assert noise.output_deviation(TWO_LEVEL_128) / 0.002 < 0.01


# Reading a table at a wrong place


def test_misread_probability_is_that_of_a_gaussian():
    p, rng = BOOTSTRAP_TOY, np.random.default_rng(1)
    z = rng.normal(0, 5, 1000)
    for limit, added in ((None, 0.0), (8.0, 1.5), (16.0, 3.0), (4.0, 0.5)):
        s = math.hypot(added, noise.input_deviation(p))
        simulated = np.mean(np.abs(z + rng.normal(0, s, (500, 1000))) > (limit or p.z_half))
        assert noise.misread_probability(p, z, limit, added) == pytest.approx(simulated, rel=0.03, abs=1e-5)
    assert noise.misread_probability(p, np.array([8.0])) == pytest.approx(0.5, abs=1e-6)
    assert 0 < noise.misread_probability(p, np.array([0.0]), 5.0, 0.2) < 1e-6


def test_misreading_happens_as_often_as_predicted():
    """Loose parameters: the noise of the key switch leads every few scores out of the table."""
    p = BOOTSTRAP_TOY.updated(lwe_sigma=2.0**-11)
    assert 1 < noise.input_deviation(p) < 3
    found, predicted = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        secret = typical_secret(p, rng)
        key = make_small_switch_key(p, secret.T(1)[0], Randomness(rng))
        z = rng.uniform(-8, 8, (1500, 1))
        positions = to_positions(switch_key(key, secret.encrypt(z).data), p.N)
        found.append(np.mean(np.abs(secret.position_z(positions)) > p.z_half))
        predicted.append(noise.misread_probability(p, z))
    assert 0.05 < np.mean(predicted)
    assert np.mean(found) == pytest.approx(np.mean(predicted), rel=0.1)


def test_signs_flip_as_often_as_predicted():
    """Real bootstraps of scores near 0 and near 2 z_half, the two places where noise turns the sign of the sigmoid."""
    p = BOOTSTRAP_TOY.updated(lwe_sigma=2.0**-11)
    rng = np.random.default_rng(2)
    secret = typical_secret(p, rng)
    evaluator = BootstrappedEvaluator(secret.context, secret.bootstrap_key())
    z = rng.uniform(0, 16, (800, 1))
    sigmoid = ExactSigmoid()
    read = secret.decrypt(evaluator.apply(secret.encrypt(z / 2) * 2, lambda x: sigmoid(x) - 0.5))
    beyond = noise.misread_probability(p, z, limit=2 * p.z_half)
    below_zero = noise.misread_probability(p, z - 2 * p.z_half, limit=2 * p.z_half)
    assert min(beyond, below_zero) > 0.03
    assert np.mean(read < 0) == pytest.approx(below_zero + beyond, rel=0.15)


# Training


def reviews(rng, count, words, mean):
    return csr_array((rng.random((count, words)) < mean / words).astype(np.int64))


def noise_of_an_epoch(secret, evaluator, X, y, plan):
    """Return what bootstraps added to the scores of X, one row per epoch: trained minus ideal weights, times X.

    Ideal updates are read from the table at the places that the owner sees, so what leads there does not count (open loop).
    """
    p, rate = secret.parameters, plan.learning_rate
    table = make_table(p, lambda z: rate * (plan.sigmoid(z) - 0.5))
    ideal = []

    def step(evaluator_, z, targets, rate):
        positions = to_positions(switch_key(evaluator.key.switch, z.data), p.N)
        ideal.append(read_table(table, secret.position(positions)) / p.scale + rate * (0.5 - targets[:, 0]))
        return evaluator_.error(plan.sigmoid, z, targets, rate)

    network = Network(Architecture(X.shape[1], hidden=0, pooling="sum"), secret.encrypt_many(np.zeros((X.shape[1], 1))), None)
    before, found = np.zeros(X.shape[1]), []
    for _ in range(plan.epochs):
        ideal.clear()
        train(evaluator, network, X, y, TrainingPlan(plan.sigmoid, rate, batch_size=plan.batch_size), help=Help(step))
        after = secret.decrypt(network.W1)[:, 0]
        found.append(X @ (after - before + X.T @ np.concatenate(ideal)))
        before = after
    return np.array(found)


@pytest.mark.slow
def test_noise_in_scores_grows_as_predicted():
    p = ONE_LEVEL.updated(n=40)
    plan = TrainingPlan(ExactSigmoid(), 0.05, batch_size=16, epochs=5)
    ratios = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        secret = typical_secret(p, rng)
        evaluator = BootstrappedEvaluator(secret.context, secret.bootstrap_key())
        X = reviews(rng, 250, 300, 4)
        found = noise_of_an_epoch(secret, evaluator, X, rng.integers(0, 2, 250), plan)
        ratios.append(np.mean(found**2) / noise.training_noise(p, X, 0.0).variance_per_epoch)
    assert np.mean(ratios) == pytest.approx(1, abs=0.1)


def test_growth_is_the_sum_of_squared_overlaps():
    p, rng = BOOTSTRAP_TOY, np.random.default_rng(3)
    X = reviews(rng, 60, 40, 5)
    overlaps = X.toarray() @ X.toarray().T
    expected = noise.error_deviation(p) ** 2 * np.mean((overlaps**2).sum(axis=0))
    for features in (X, X.toarray(), X.toarray().astype(np.int8), X.toarray().astype(bool), csr_array(X.astype(np.int8))):
        assert noise.training_noise(p, features, 0.0).variance_per_epoch == pytest.approx(expected, rel=1e-3)


def test_growth_counts_what_traces_add_to_other_words():
    """Loose digits, so that this is a good part: all pairs of reviews and all distances, by the schoolbook."""
    p, rng = BOOTSTRAP_TOY.updated(trace_bits=4), np.random.default_rng(3)
    X, m, s = reviews(rng, 20, 400, 30), rng.integers(1, 4, 400), rng.uniform(0.5, 2, 20)
    rate, blocks = 0.1, np.zeros((20, 2, p.N), np.int64)
    blocks.reshape(20, -1)[:, :400] = X.toarray()
    left = blocks * np.append(m, np.ones(2 * p.N - 400, int)).reshape(2, -1)
    mirrored = np.concatenate([blocks[..., :1], -blocks[..., :0:-1]], axis=-1)  # X^-j in place of X^j
    variances = noise.trace(p)
    variances[0] += noise.rotation(p)
    total = 0.0
    for r in range(20):
        c = transform.schoolbook(left[r], mirrored).sum(axis=1)  # of all reviews that read
        total += ((c**2).mean(axis=0) * variances).sum() * 4.0**p.z_bits
        total += (c[:, 0] ** 2).mean() * (rate / s[r] ** 2 / 4 * noise.input_deviation(p)) ** 2
    found = noise.training_noise(p, Conditioned(X, m, s), rate)
    assert found.variance_per_epoch == pytest.approx(total)
    few = noise.training_noise(p.updated(trace_bits=12), Conditioned(X, m, s), rate)
    assert few.variance_per_epoch < 0.7 * found.variance_per_epoch


@pytest.mark.parametrize(("p", "rate"), [(ONE_LEVEL_128, 0.015), (TWO_LEVEL_128, 0.01)], ids=["one level", "two levels"])
def test_traces_are_less_than_a_hundredth_of_the_variance_in_scores(p, rate, monkeypatch):
    X = Conditioned(reviews(np.random.default_rng(5), 200, 2500, 60))
    whole = noise.training_noise(p, X, rate).variance_per_epoch
    monkeypatch.setattr(noise, "trace", lambda p: np.zeros(p.N))
    share = 1 - noise.training_noise(p, X, rate).variance_per_epoch / whole
    assert 0 < share < 0.01


def test_noise_of_the_place_counts_where_it_is_the_larger_one():
    """Errors of real tables, read where two levels lead to: at a high rate the place makes nearly all of their noise."""
    p, rate, rng = TWO_LEVEL, 0.015, np.random.default_rng(4)
    table = make_table(p, lambda z: rate * (ExactSigmoid()(z) - 0.5))
    places = np.rint(rng.normal(0.0, noise.input_deviation(p), 100_000) / p.step).astype(np.int64)  # of scores of 0
    found = np.var(read_table(table, places) / p.scale) + noise.output_deviation(p) ** 2
    X = np.eye(3)  # each review meets itself once
    assert found == pytest.approx(noise.training_noise(p, X, rate).variance_per_epoch, rel=0.05)
    assert found > 100 * noise.training_noise(p, X, 0.0).variance_per_epoch


def test_growth_over_many_reviews_is_taken_from_some_of_them():
    X = reviews(np.random.default_rng(3), 2000, 40, 5)
    all_ = noise.output_deviation(BOOTSTRAP_TOY) ** 2 * np.mean(((X.toarray() @ X.toarray().T) ** 2).sum(axis=0))
    assert noise.training_noise(BOOTSTRAP_TOY, X, 0.0).variance_per_epoch == pytest.approx(all_, rel=0.1)
    long = csr_array(np.ones((1, 300), np.int8))
    assert noise.training_noise(BOOTSTRAP_TOY, long, 0.0).variance_per_epoch > 0


def test_a_budget_says_how_far_a_run_may_go():
    budget = noise.TrainingNoise(variance_per_epoch=0.25, limit=4.0)
    assert budget.deviation(4) == 1.0
    assert budget.epochs_allowed == 64
    budget.check(64)
    with pytest.raises(ParameterError, match="65 epochs would leave noise of 4.03 .*limit of 4; .* 64 epochs"):
        budget.check(65)
    assert noise.training_noise(BOOTSTRAP_TOY, np.zeros((3, 2)), 0.1).epochs_allowed == math.inf
    assert noise.training_noise(BOOTSTRAP_TOY, np.eye(3), 0.1).limit == BOOTSTRAP_TOY.z_half / 2
