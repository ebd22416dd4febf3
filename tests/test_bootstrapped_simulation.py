"""The trainer's dry run against real bootstraps: the same distribution, at a thousandth of the cost."""

import numpy as np
import pytest
from bootstrapped_keys import TWO_LEVEL, rms, typical_secret
from scipy.sparse import csr_array
from scipy.stats import ks_2samp

from encnn.arithmetic.sigmoid import ExactSigmoid, taylor
from encnn.network import Architecture, Help, Network, TrainingPlan, train
from encnn.schemes.bootstrapped import BOOTSTRAP_TOY, BootstrappedEvaluator, noise
from encnn.schemes.bootstrapped.simulation import noisy_step
from encnn.schemes.clear import ClearEvaluator

EXACT, CLEAR = ExactSigmoid(), ClearEvaluator()


def keys(p, seed):
    secret = typical_secret(p, np.random.default_rng(seed))
    return secret, BootstrappedEvaluator(secret.context, secret.bootstrap_key())


def simulated(p, z, y, rate, sigmoid=EXACT, seed=0):
    error, gain = noisy_step(p, sigmoid, np.random.default_rng(seed))(CLEAR, z, y, rate)
    assert gain == 1.0
    return error


@pytest.mark.parametrize("z", [0.3, -6.0, 7.95, 15.9])
def test_errors_are_spread_as_those_of_bootstraps(z):
    """At the steepest place, a flat one, at the edge of the table and where it turns its sign."""
    p, found = BOOTSTRAP_TOY, []
    for seed in range(4):
        secret, evaluator = keys(p, seed)
        x = secret.encrypt(np.full((150, 1), z / 2)) * 2
        found.append(secret.decrypt(evaluator.error(EXACT, x, np.ones((150, 1)), 0.5)[0]))
    real = np.concatenate(found)[:, 0]
    grid = 2.0 ** (p.z_bits - p.rotation_bits * p.rotation_levels)  # to which a rotation rounds, and the simulation does not
    real += np.random.default_rng(0).uniform(-grid / 2, grid / 2, len(real))
    noisy = simulated(p, np.full((50_000, 1), z), np.ones((50_000, 1)), 0.5)[:, 0]
    assert real.std() == pytest.approx(noisy.std(), rel=0.15)
    assert real.mean() == pytest.approx(noisy.mean(), abs=5 * noisy.std() / np.sqrt(600))
    assert ks_2samp(real, noisy).pvalue > 1e-3


def test_without_noise_it_is_the_clear_step_but_for_the_steps_of_the_table():
    p = BOOTSTRAP_TOY.updated(n=1, block=1, N=1 << 14, d=1 << 14, lwe_sigma=0.0, glwe_sigma=0.0)
    p = p.updated(switch_bits=15, switch_levels=2, rotation_bits=14, trace_bits=6, trace_levels=8)
    z, y = np.linspace(-7, 7, 50)[:, None], np.zeros((50, 1))
    np.testing.assert_allclose(simulated(p, z, y, 0.1), 0.1 * EXACT(z), atol=1e-4)
    np.testing.assert_allclose(simulated(p, z, y, 0.1, taylor(3)), 0.1 * taylor(3)(z), atol=5e-4)


def test_scores_beyond_the_table_come_back_and_turn_their_sign():
    z = np.array([[4.0], [12.0], [20.0], [28.0], [36.0]])
    error = simulated(TWO_LEVEL, z, np.full((5, 1), 0.5), 1.0)[:, 0]
    expected = EXACT(np.array([4.0, 4.0, -4.0, -4.0, 4.0])) - 0.5
    np.testing.assert_allclose(error, expected, atol=6 * noise.input_deviation(TWO_LEVEL) * 0.02)


def test_it_repeats_from_its_generator_and_follows_the_rate():
    z, y = np.linspace(-3, 3, 7)[:, None], np.ones((7, 1))
    step = noisy_step(TWO_LEVEL, EXACT, np.random.default_rng(1))
    again = noisy_step(TWO_LEVEL, EXACT, np.random.default_rng(1))
    for rate in (0.1, 0.1, 0.05, 0.1):
        error = step(CLEAR, z, y, rate)[0]
        np.testing.assert_array_equal(error, again(CLEAR, z, y, rate)[0])
        np.testing.assert_allclose(error, rate * (EXACT(z) - 1), atol=rate * 0.1)


def test_a_dry_run_is_as_far_from_the_clear_one_as_an_encrypted_run():
    p, rng = TWO_LEVEL, np.random.default_rng(3)
    X = csr_array((rng.random((160, 40)) < 0.15).astype(np.int64))
    y, start = rng.integers(0, 2, 160), np.zeros((40, 1))
    plan = TrainingPlan(EXACT, 0.05, batch_size=16)

    def scores(evaluator, W, step=None):
        return train(evaluator, Network(Architecture(40, hidden=0, pooling="sum"), W, None), X, y, plan, help=Help(step))

    clear = scores(CLEAR, start.copy())
    dry = [rms(scores(CLEAR, start.copy(), noisy_step(p, EXACT, np.random.default_rng(s))) - clear) for s in range(25)]
    real = []
    for seed in range(5):
        secret, evaluator = keys(p, seed)
        real.append(rms(secret.decrypt(scores(evaluator, secret.encrypt_many(start))) - clear))
    assert np.mean(real) == pytest.approx(np.mean(dry), rel=0.3)
