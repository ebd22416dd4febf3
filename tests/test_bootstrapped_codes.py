"""Codes: tables to and from signed logarithms, several tables a rotation, the second rotation key, and products."""

import math

import numpy as np
import pytest
from bootstrapped_keys import rms, seeded, typical_secret
from hypothesis import given
from hypothesis import strategies as st

from encnn.errors import CapabilityError, ParameterError
from encnn.schemes.bilinear import scalar_vector, vector_matrix
from encnn.schemes.bootstrapped import HIDDEN_128, HIDDEN_TOY, ONE_LEVEL_128, BootstrappedEvaluator, noise, products
from encnn.schemes.bootstrapped.bootstrap import bootstrap_many
from encnn.schemes.bootstrapped.codes import QUARTER, Codec, dithered
from encnn.schemes.bootstrapped.tables import around_zero, from_zero, interleaved, phases, read_table, to_torus

N = HIDDEN_TOY.N
CODEC = Codec.fitting(12, guard=0.016)
HALF_TURN = Codec(0.04, 0.02)
QUARTER_TURN = Codec(0.0215, 0.0175, turn=0.25)


@pytest.fixture(scope="module")
def toy():
    """(secret key, evaluator) of the toy set with both rotation keys; the key is as full as predictions assume."""
    secret = typical_secret(HIDDEN_TOY, seeded())
    return secret, BootstrappedEvaluator(secret.context, secret.bootstrap_key())


def encrypted(secret, phase):
    """Return ciphertexts of phases, fractions of the torus, of shape (B, 1 + d)."""
    return secret.encrypt(np.asarray(phase, float)[:, None] * 2.0**32 / secret.parameters.scale).data


def positions(phase):
    """Return the table positions of phases."""
    return np.rint(np.asarray(phase) * 2 * N).astype(int)


def read(table, phase):
    """Return what a table gives at phases without noise, as fractions of the torus."""
    return read_table(table, positions(phase)) * 2.0**-32


# Tables


@pytest.mark.parametrize("phase", [-0.2495, -0.1, 0.0, 0.1, 0.2495])
def test_a_table_around_zero_holds_any_function_of_a_quarter_on_either_side(phase):
    assert read(around_zero(N, lambda x: 0.3 + x**2), phase) == pytest.approx(0.3 + phase**2, abs=5e-4)


def test_tables_on_half_the_torus_read_their_negative_half_a_turn_on():
    table = from_zero(N, lambda x: x / 4 + 0.05)
    x = np.linspace(0, 0.499, 20)
    np.testing.assert_allclose(read(table, x), x / 4 + 0.05, atol=5e-4)
    np.testing.assert_allclose(read(table, x + 0.5), -x / 4 - 0.05, atol=5e-4)


def test_phases_are_those_of_the_entries():
    np.testing.assert_array_equal(phases(4), [0.0, 0.125, -0.25, -0.125])
    np.testing.assert_array_equal(to_torus(np.array([0.25, 0.75, -0.5, 1.25])), [1 << 30, -(1 << 30), -(1 << 31), 1 << 30])


# Codec


@pytest.mark.parametrize("codec", [HALF_TURN, QUARTER_TURN, CODEC])
def test_the_code_of_a_number_is_its_logarithm(codec):
    x = np.array([0.2, 0.1, 0.05, 0.025])
    table = codec.number_table(N, 6.0)
    np.testing.assert_allclose(read(table, x), codec.kappa * np.log2(x / QUARTER) - codec.turn / 2, atol=codec.kappa * 0.02)
    turned = (read(table, -x) - read(table, x)) % 1
    np.testing.assert_allclose(turned, codec.turn, atol=codec.kappa * 0.02)


@pytest.mark.parametrize("codec", [HALF_TURN, QUARTER_TURN])
@given(over=st.floats(1.0, 1.3), sign=st.sampled_from([1, -1]))
def test_numbers_beyond_the_range_keep_their_sign_and_are_read_as_larger(codec, over, sign):
    phase = sign * over * QUARTER
    code = read(codec.number_table(N, 6.0), phase) - (0 if sign > 0 else codec.turn)
    size = 2 ** (((code + codec.turn / 2 + 0.25) % 1 - 0.25) / codec.kappa)
    assert size == pytest.approx(1 / (2 - over), rel=0.03) and size > over - 0.02


def test_positive_functions_are_read_as_their_ends_beyond_them():
    def sigmoid(x):
        return 1 / (1 + np.exp(-60 * x))

    table = CODEC.function_table(N, sigmoid, 2.0**-6, 1.0)
    origin = CODEC.function_origin(2.0**-6, 1.0)
    for phase, value in ((0.0, 0.5), (0.24, 1.0), (0.3, 1.0), (0.4, 1.0), (-0.24, 2.0**-6), (-0.3, 2.0**-6), (-0.4, 2.0**-6)):
        assert 2 ** ((read(table, phase) - origin) / CODEC.kappa) == pytest.approx(value, rel=0.03)


@given(
    u=st.floats(0.06, 1).flatmap(lambda v: st.sampled_from([v, -v])),
    v=st.floats(0.06, 1).flatmap(lambda v: st.sampled_from([v, -v])),
)
def test_codes_add_up_to_the_code_of_the_product_with_its_sign(u, v):
    """u up to 1 and v up to 3, at scales that fill a quarter; the table back gives the cube, for which a wrong sign shows."""
    table = CODEC.number_table(N, 6.0)
    total = read(table, u * QUARTER) + read(table, v * QUARTER)
    origin = CODEC.number_origin(QUARTER) + CODEC.number_origin(QUARTER / 3)
    back = CODEC.exp_table(N, lambda x: (x / 3) ** 3 / 4, 3.0)
    found = read(back, total + CODEC.shift(origin, 3.0)) * 4
    assert found == pytest.approx((u * v) ** 3, rel=0.12, abs=1e-6)


def test_a_quarter_turn_allows_any_function_of_the_product():
    table, one = QUARTER_TURN.number_table(N, 5.0), QUARTER_TURN.kappa * math.log2(0.9)
    back = from_zero(N, lambda _: 0.1 + QUARTER_TURN.sizes(N, 1.0) / 8)
    for s in (1.0, 0.5, -0.5, -0.95):
        code = read(table, s * QUARTER) + QUARTER_TURN.shift(QUARTER_TURN.number_origin(QUARTER), 1.0) + one
        assert read(back, code) == pytest.approx(0.1 + 0.9 * s / 8, abs=0.004)


def test_products_beyond_the_largest_are_clipped_and_small_ones_beyond_the_window_are_no_large_ones():
    back = CODEC.exp_table(N, lambda x: x / 16, 3.0)
    top = CODEC.turn - CODEC.guard
    assert read(back, top + 0.7 * CODEC.guard) * 16 == pytest.approx(3.0)
    assert read(back, top + 0.5 + 0.7 * CODEC.guard) * 16 == pytest.approx(-3.0)
    assert abs(read(back, 0.0)) * 16 < 3 * 2.0**-12


def test_a_window_holds_no_more_octaves_than_it_has():
    CODEC.check(12)
    with pytest.raises(ParameterError, match="factors that span 12.5 octaves do not fit a window of 12.*smaller kappa"):
        CODEC.check(12.5)


@pytest.mark.parametrize("wrong", [(0.0, 0.02, 0.5), (0.6, 0.02, 0.5), (0.04, 0.0, 0.5), (0.04, 0.25, 0.5), (0.04, 0.02, 0.3)])
def test_codecs_without_a_window_are_refused(wrong):
    with pytest.raises(ParameterError, match="expected kappa between 0 and 1/2"):
        Codec(*wrong)


@pytest.mark.parametrize("least", [0.002, 0.004, 0.008])
def test_small_numbers_are_right_on_average_over_the_noise_of_a_read(least):
    r, rng, x = math.sqrt(noise.table_input(HIDDEN_128)), seeded(3), (np.arange(N) - N // 2) / (2 * N)
    v = dithered(x, least)
    assert np.abs(v).min() == least and (v[np.abs(x) >= least] == x[np.abs(x) >= least]).all()
    for phase in (0.0, 0.001, -0.002, 0.003, 0.01):
        entries = np.rint((phase + rng.normal(0, r, 100_000)) * 2 * N).astype(int) + N // 2
        assert v[entries].mean() == pytest.approx(phase, abs=6e-4)


def test_shares_of_a_number_add_up_to_its_code():
    whole = CODEC.number_table(N, 5.0)
    shares = [CODEC.signed_table(N, lambda x: x, QUARTER, 5.0, reads=4)] + [CODEC.share_table(N, 5.0, 4)] * 3
    x = np.array([0.2, -0.2, 0.1, -0.03, 0.001])
    together = sum(read(t, x) for t in shares)
    np.testing.assert_allclose((together - read(whole, x) + 0.5) % 1 - 0.5, 0, atol=1e-6)


# Bootstraps with several outputs, and with the second key


def test_one_rotation_reads_several_tables(toy):
    secret, evaluator = toy
    x = np.linspace(-0.2, 0.2, 60)
    tables = [around_zero(N // 2, f) for f in (lambda x: x / 2, lambda x: 0.1 - x**2)]
    found = bootstrap_many(evaluator.key, encrypted(secret, x), interleaved(tables), 2)
    off = secret.torus_phase(found[:, 0]) - x / 2
    assert rms(off) == pytest.approx(math.sqrt(noise.table_input(HIDDEN_TOY, 2)) / 2, rel=0.3)
    np.testing.assert_allclose(secret.torus_phase(found[:, 1]), 0.1 - x**2, atol=0.005)


def test_results_depend_neither_on_threads_nor_on_outputs_of_one(toy):
    secret, evaluator = toy
    c, table = encrypted(secret, np.linspace(-0.2, 0.2, 7)), around_zero(N, np.sin)
    one = bootstrap_many(evaluator.key, c, table, 1)
    np.testing.assert_array_equal(one, bootstrap_many(evaluator.key, c, table, 1, threads=3))
    tables = np.broadcast_to(table, (7, N))
    np.testing.assert_array_equal(one, bootstrap_many(evaluator.key, c, tables, 1))


def test_the_fine_key_leaves_the_noise_that_is_predicted(toy):
    secret, evaluator = toy
    c, table = encrypted(secret, np.full(400, 0.1)), around_zero(N, lambda x: np.sign(x) / 8)
    for fine, p in ((False, HIDDEN_TOY), (True, HIDDEN_TOY.fine)):
        found = secret.torus_phase(bootstrap_many(evaluator.key, c, table, 1, fine=fine)[:, 0]) - 0.125
        assert rms(found) == pytest.approx(math.sqrt(noise.rotation(p)), rel=0.25)
    assert noise.rotation(HIDDEN_128.fine) < noise.rotation(HIDDEN_128) / 4**6


def test_a_set_without_the_fine_key_names_one_that_has_it(toy):
    secret, evaluator = toy
    assert not ONE_LEVEL_128.has_fine
    with pytest.raises(CapabilityError, match="no second rotation key.*hidden-128"):
        ONE_LEVEL_128.fine  # noqa: B018


@pytest.mark.parametrize(
    "changes", [{"fine_bits": 0}, {"fine_levels": 0}, {"fine_levels": 3}, {"fine_levels": -1, "fine_bits": -3}]
)
def test_fine_digits_must_fit_the_torus(changes):
    with pytest.raises(ParameterError, match="fine digits of .* bits are not 1 to 31 bits"):
        HIDDEN_TOY.updated(**changes)


# Products


@pytest.fixture(scope="module")
def plain():
    """(secret key, evaluator) of a set without the second key, whose numbers reach 8."""
    secret = typical_secret(ONE_LEVEL_128.updated(name="short-INSECURE", n=100), seeded(1))
    return secret, BootstrappedEvaluator(secret.context, secret.bootstrap_key())


def test_products_have_the_deviation_that_is_predicted(plain):
    secret, evaluator = plain
    p, rng = secret.parameters, seeded(5)
    a, b = rng.uniform(0.8, 8, (2, 600, 1)) * rng.choice([-1, 1], (2, 600, 1))
    found = secret.decrypt(evaluator.multiply(secret.encrypt(a), secret.encrypt(b)))
    assert (found * a * b > 0).all()
    held = np.abs(a * b) < 12
    off = np.log(np.abs(found / (a * b)))[held] / (products.deviation(p, a, b) / np.abs(a * b))[held]
    assert rms(off) == pytest.approx(1, rel=0.1)
    assert np.abs(found[np.abs(a * b) > 20]).min() > 10  # clipped to 16, and read with an error


def test_a_product_with_zero_is_zero_on_average(plain):
    secret, evaluator = plain
    found = secret.decrypt(evaluator.multiply(secret.encrypt(np.zeros((200, 1))), secret.encrypt(np.full((200, 1), 4.0))))
    assert abs(found.mean()) < 5 * found.std() / 14 and found.std() < 1


def test_bilinear_maps_of_vectors_and_their_sums(plain):
    secret, evaluator = plain
    rng = seeded(7)
    h, W = rng.uniform(1, 2, (5, 3, 1)), rng.uniform(-2, -1, (5, 6, 1))
    f = vector_matrix(3, 2)
    found = evaluator.bilinear(f, secret.encrypt(h), secret.encrypt(W), gain=0.5)
    expected = 0.5 * f.apply(h[..., 0], W[..., 0])
    assert found.shape == (5, 2, 1)
    np.testing.assert_allclose(secret.decrypt(found)[..., 0], expected, rtol=0.4)
    assert np.abs(secret.decrypt(found)[..., 0] - expected).max() * secret.parameters.scale < found.noise
    a, b = rng.uniform(0.5, 1, (2, 6, 1))
    total = evaluator.bilinear(scalar_vector(1), secret.encrypt(a), secret.encrypt(b), total=True)
    assert total.shape == (1,)
    np.testing.assert_allclose(secret.decrypt(total), (a * b).sum(axis=0), rtol=0.25)


def test_a_reciprocal_is_a_table(plain):
    secret, evaluator = plain
    x = np.array([[0.5], [1.0], [4.0], [-2.0]])
    found = secret.decrypt(evaluator.reciprocal(secret.encrypt(x)))
    np.testing.assert_allclose(found, 1 / x, atol=0.6)


def test_tables_are_as_noisy_as_their_slope_says(plain):
    secret, evaluator = plain
    p, x = secret.parameters, np.repeat([[1.5], [-3.0], [5.0]], 250, axis=0)
    read = 4 * p.z_half * math.sqrt(noise.table_input(p))
    c, coefficients = secret.encrypt(x), [0.5, -0.5, 0.125]
    for found, wanted, deviation in (
        (evaluator.reciprocal(c), 1 / x, read / x**2),
        (evaluator.polynomial(c, coefficients), 0.5 - x / 2 + x**2 / 8, read * np.abs(x / 4 - 0.5)),
    ):
        off = (secret.decrypt(found) - wanted) / np.hypot(deviation, math.sqrt(noise.rotation(p)) * 4 * p.z_half)
        assert rms(off) == pytest.approx(1, rel=0.1) and abs(off.mean()) < 0.2


@pytest.mark.parametrize("kappa", [0.036, 0.045])
def test_codes_of_products_spread_as_predicted_and_have_the_right_sign(toy, kappa):
    secret, evaluator = toy
    codec, rng, count = Codec(kappa, 0.016), seeded(5), 2400
    u, v = rng.uniform(0.1, 1, (2, count)) * rng.choice([-1, 1], (2, count))
    table = codec.number_table(N, codec.octaves / 2)
    codes = [bootstrap_many(evaluator.key, encrypted(secret, x * QUARTER), table, 1)[:, 0] for x in (u, v)]
    total = codes[0] + codes[1]
    total[:, 0] += to_torus(codec.shift(2 * codec.number_origin(QUARTER), 1.0))
    found = secret.torus_phase(bootstrap_many(evaluator.key, total, codec.exp_table(N, lambda x: x / 4, 1.0), 1)[:, 0]) * 4
    assert (found * u * v > 0).all()
    clipped = np.abs(u * v) > 0.8
    off = np.log(np.abs(found / (u * v))) / codec.product_deviation(HIDDEN_TOY, u * QUARTER, v * QUARTER)
    assert rms(off[~clipped]) == pytest.approx(1, rel=0.1)
    assert abs(off[~clipped].mean()) < 0.1


def test_wrong_signs_are_less_likely_than_one_in_2_to_the_40_at_128_bits():
    for codec in (CODEC, products.CODEC):
        assert all(
            codec.log2_wrong_sign(HIDDEN_128, *shares) < -40 for shares in ((0.1, 0.1), (0.1, 1.0), (0.5, 0.5), (1.0, 1.0))
        )
    assert Codec(0.039, 0.005).log2_wrong_sign(HIDDEN_128, 1.0, 1.0) > -10
    assert CODEC.log2_wrong_sign(HIDDEN_128, 0.01, 1.0) > -10


def test_the_probability_of_a_wrong_sign_is_that_of_a_simulation():
    """With a guard so narrow, and numbers so small, that signs are wrong often enough to be counted."""
    p, codec, rng = HIDDEN_128, Codec(0.045, 0.004), seeded(6)
    r = math.sqrt(noise.table_input(p))
    for u, v in ((1.0, 1.0), (0.02, 0.5)):
        table, count = codec.number_table(N, 7.0), 400_000
        codes = [read(table, x * QUARTER + rng.normal(0, r, count)) for x in (u, v)]
        total = sum(codes) + codec.shift(2 * codec.number_origin(QUARTER), 1.0) + rng.normal(0, r, count)
        wrong = np.mean(read(codec.exp_table(N, lambda x: x / 4, 1.0), total) < 0)
        assert 2 ** codec.log2_wrong_sign(p, u, v) == pytest.approx(wrong, rel=0.4)


@pytest.mark.slow
def test_no_sign_is_wrong_in_a_hundred_thousand_products(toy):
    """Each of 1,000 numbers times 100 others."""
    secret, evaluator = toy
    rng, count = seeded(8), 1000
    u, v = rng.uniform(0.1, 1, (2, count)) * rng.choice([-1, 1], (2, count))
    table, wrong = CODEC.number_table(N, 6.0), 0
    codes = [bootstrap_many(evaluator.key, encrypted(secret, x * QUARTER), table, 1)[:, 0] for x in (u, v)]
    codes[0][:, 0] += to_torus(CODEC.shift(2 * CODEC.number_origin(QUARTER), 1.0))
    back = CODEC.exp_table(N, lambda x: x / 4, 1.0)
    for k in range(100):
        found = bootstrap_many(evaluator.key, codes[0] + np.roll(codes[1], k, axis=0), back, 1)[:, 0]
        wrong += int((secret.torus_phase(found) * u * np.roll(v, k) <= 0).sum())
    assert wrong == 0
