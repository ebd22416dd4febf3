"""Experiments of the notebooks: what they return is what they say."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from encnn import Network, TrainingPlan, taylor
from encnn.arithmetic.sigmoid import least_squares
from encnn.data.reviews import load_reviews
from encnn.errors import DivergenceError
from encnn.experiments import lessons, ring_lessons
from encnn.network import Architecture
from encnn.schemes import fv, yashe
from encnn.schemes.bilinear import elementwise
from encnn.schemes.integer_vector import MODULUS_TOY, PAPER, make_keys
from encnn.schemes.rings.parameters import primes_of_bits
from encnn.schemes.rings.rns import ring

INTEGERS = PAPER.updated(scale=1, name="integers-INSECURE")


def test_the_noise_of_encryptions_has_the_predicted_deviation():
    noise = lessons.encryption_noise(INTEGERS, width=8, largest=1000, keys=60, messages=20, rng=np.random.default_rng(0))
    assert noise.shape == (60, 20, 8)
    assert noise.std() == pytest.approx(lessons.encryption_deviation(INTEGERS, 8, 1000), rel=0.05)


def test_the_noise_of_switches_has_the_predicted_deviation():
    table = lessons.switch_noise(INTEGERS, m=4, keys=40, messages=50, seed=0)
    assert len(table) == 40 * 50 * 4
    assert table.noise.std() == pytest.approx(np.sqrt((table.predicted**2).mean()), rel=0.1)


@pytest.mark.parametrize("name", ["add", "times 2", "linear", "product"])
def test_chains_leave_the_values_and_keep_the_bound(name):
    secret, evaluator = make_keys(PAPER, [4], [elementwise(4)], rng=np.random.default_rng(1))
    x = np.ones((3, 4))
    table = lessons.chain(secret, lessons.neutral_steps(secret, evaluator, x)[name], 4, x)
    assert table["count"].tolist() == [0, 1, 2, 3, 4]
    assert table.right.all()
    assert (table.measured_bits <= table.predicted_bits).all()
    assert table.predicted_bits.is_monotonic_increasing


def test_a_chain_notices_wrong_decryptions_and_budgets_are_what_is_left():
    secret, evaluator = make_keys(MODULUS_TOY, [4], [elementwise(4)], rng=np.random.default_rng(1))
    x = np.ones((3, 4))
    table = lessons.chain(secret, lessons.neutral_steps(secret, evaluator, x)["product"], 3, x)
    left = lessons.budgets(table, MODULUS_TOY.w_bits - 1)
    assert not table.right.iloc[-1] and table.right.iloc[0]
    np.testing.assert_allclose(left.guaranteed_bits + table.predicted_bits, MODULUS_TOY.w_bits - 1)
    np.testing.assert_array_equal(left.measured_bits > 0, table.right)


def test_a_lost_run_is_told_with_the_review_and_a_good_one_with_its_accuracy():
    toy = load_reviews("toy").train
    with pytest.raises(DivergenceError):
        lessons.watched_run(toy, taylor(3), 0.1)
    assert lessons.outcome(toy, taylor(3), 0.1).startswith("lost at review ")
    assert lessons.outcome(toy, taylor(1), 0.01).endswith(" %")
    scores = lessons.first_scores(toy, taylor(1), 0.01, 50)
    assert scores.shape == (50,) and scores[0] == 0


def test_the_two_errors_of_a_polynomial_on_ciphertexts():
    table = lessons.two_errors(taylor(3), radius=4.0, points=9)
    np.testing.assert_allclose(table.approximation, np.abs(taylor(3).error(np.linspace(-4, 4, 9))))
    assert 0 < table.encryption.max() < 1e-6
    assert lessons.two_errors(least_squares(3, 4.0), 4.0, 9).approximation.max() < table.approximation.max()


@pytest.mark.slow
def test_squaring_ends_with_the_refusal_of_the_bound():
    table, refusal = ring_lessons.squarings(fv, fv.TOY)
    assert table.depth.tolist() == list(range(len(table))) and table.wrong.sum() == 0
    assert (table.predicted_bits > 0).all() and (table.measured_bits >= table.predicted_bits).all()
    assert "one more product" in refusal
    assert len(ring_lessons.squarings(yashe, yashe.TOY)[0]) < len(table)


def test_digits_grow_until_they_decode_to_another_number():
    coefficients, table = ring_lessons.digit_growth(ring(64, (257,)), shift=1, steps=12)
    assert coefficients.shape == (12, 64) and table.right.iloc[0] and not table.right.iloc[-1]
    assert np.abs(coefficients[0]).max() == 1 < np.abs(coefficients[5]).max()
    np.testing.assert_allclose(table.wanted, 5.625 * 1.5 ** np.arange(12))


def test_a_ciphertext_refuses_the_step_before_its_digits_break():
    q, digits = primes_of_bits(64, (30,) * 3), {"encoding": "fractional", "fraction_digits": 8}
    p = fv.FVParameters(name="break-INSECURE", N=64, q_primes=q, t_primes=(257,), **digits)
    secret, _ = fv.make_keys(p, [1], rng=np.random.default_rng(7))
    steps, error, refusal = ring_lessons.encrypted_digit_growth(secret, shift=1)
    assert steps == 7 and error < 1e-12 and "plaintexts could reach" in refusal


@pytest.mark.slow
def test_a_hidden_layer_follows_its_twin_and_takes_three_products_a_review():
    N, like = 64, fv.NETWORK_128
    special = primes_of_bits(N, (30,))
    q = primes_of_bits(N, (30,) * len(like.q_primes), special)
    t = primes_of_bits(N, (28,) * len(like.t_primes), (*special, *q))
    p = fv.FVParameters(
        name="network-INSECURE", N=N, q_primes=q, t_primes=t, special_prime=special[0], scale=1 << 10, value_limit=4.0
    )
    rng = np.random.default_rng(0)
    X, y = csr_array(rng.integers(0, 2, (6, 5))), rng.integers(0, 2, 6)
    start = Network.initial(Architecture(5, 2, pooling="sum"), rng)
    run = ring_lessons.hidden_layer_run(p, start, TrainingPlan(taylor(1), 2.0**-5, batch_size=3), X, y)
    assert run["products"] == 3 * 6 and run["trips"] == 1
    assert run["error, %"] < 5 and run["budget left, bits"] > 0


@pytest.mark.slow
def test_yashe_has_less_depth_than_fv_in_the_same_dimension():
    (fv_bits, fv_products), (yashe_bits, yashe_products) = (ring_lessons.deepest(scheme, 8192) for scheme in (fv, yashe))
    assert fv_bits > yashe_bits and fv_products > yashe_products
    assert ring_lessons.deepest(fv, 2048) == (None, None)
