"""Products and polynomials by compiled loops: the ciphertexts of numpy bit for bit, the same limits, and the same training."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from encnn.arithmetic import row_sums
from encnn.arithmetic.digits import largest
from encnn.arithmetic.sigmoid import ancestor_misplaced, taylor
from encnn.errors import CiphertextOverflowError, ParameterError
from encnn.network import Architecture, Network, TrainingPlan, train
from encnn.parties import Owner
from encnn.schemes.bilinear import vector_matrix
from encnn.schemes.integer_vector import PAPER, PAPER_BITS, IntegerVectorSecretKey, powers, products

needs_numba = pytest.mark.skipif(not row_sums.available(), reason="numba is not installed")

SETS = {bits: PAPER.updated(name=f"{bits}-INSECURE", base_bits=bits, w_bits=20) for bits in (2, 7, 8, 12, 16, 32)}
every_base = pytest.mark.parametrize("base_bits", SETS)


def switch_of(base_bits: int, entries: int):
    """Return a key that switches so many entries."""
    return IntegerVectorSecretKey(SETS[base_bits], [entries], np.random.default_rng(0)).public_key(entries).switch


def key_of(parameters, f):
    return IntegerVectorSecretKey(parameters, f.widths, np.random.default_rng(0)).bilinear_key(f)


def equal(one, other) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@needs_numba
@every_base
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32), bits=st.integers(1, 61))
def test_products_are_those_of_numpy(base_bits, seed, bits) -> None:
    """For one ciphertext and many, on either side, whether digits are few or many."""
    f, rng = vector_matrix(4, 1), np.random.default_rng(seed)
    key = key_of(SETS[base_bits], f)
    for shapes in (((5,), (5,)), ((1, 5), (5,)), ((6, 5), (5,)), ((5,), (6, 5)), ((6, 5), (6, 5)), ((0, 5), (5,))):
        left, right = (rng.integers(-(1 << bits), 1 << bits, shape) for shape in shapes)
        divisor = float(2.0 ** (2 * bits - rng.integers(0, 58)) * rng.uniform(1, 2))
        data, most, _ = products.product(left, right, divisor, key, False)
        expected, largest_ = products.by_numpy(left, right, divisor, key)
        equal((data, most), (expected.reshape(data.shape), largest_))
        assert data.shape == (*np.broadcast_shapes(shapes[0][:-1], shapes[1][:-1]), 2)


@needs_numba
@every_base
def test_no_digit_is_lost_where_one_more_begins(base_bits) -> None:
    """Entries just below, at and beyond the largest numbers of 1, 2, ... digits, of either sign."""
    p, key = SETS[base_bits], switch_of(base_bits, 1)
    edges = [largest(base_bits, k, balanced=True) for k in range(1, p.n_digits + 1)]
    entries = [sign * (edge + step) for edge in edges for step in (-1, 0, 1) for sign in (1, -1)]
    for t in np.array([e for e in entries if abs(e) < p.entry_limit * (1 - 2.0**-50)]):
        rounded = np.array([[float(t)]]).astype(np.int64)
        data, _, _ = products.product(rounded, np.array([1]), 1.0, key, False)
        np.testing.assert_array_equal(data, key.apply(rounded))


@needs_numba
@pytest.mark.parametrize("sigmoid", [taylor(3), taylor(5), taylor(7), ancestor_misplaced()], ids=lambda s: s.name)
@pytest.mark.parametrize("width", [1, 3])
def test_polynomials_are_those_of_numpy(sigmoid, width) -> None:
    f, coefficients = powers.power_sum(width, sigmoid.coefficients), sigmoid.coefficients[1:]
    key = IntegerVectorSecretKey(PAPER, [width], np.random.default_rng(0)).power_key(f)
    prepared = powers.prepare(PAPER, width, coefficients)
    for shape in ((width + 1,), (1, width + 1), (7, width + 1), (2, 3, width + 1), (0, width + 1)):
        c = np.random.default_rng(1).integers(-(1 << 36), 1 << 36, shape)
        *found, phase = products.polynomial(prepared, c, float(PAPER.unit), key)
        *expected, bound = products.polynomial_by_numpy(prepared, c, float(PAPER.unit), key)
        equal(found, expected)
        assert phase == pytest.approx(bound, rel=1e-12) and found[0].shape == shape


@needs_numba
@pytest.mark.parametrize("without", [False, True], ids=["numba", "numpy"])
@pytest.mark.parametrize("size", [1.0, 2.0, 1e10])
def test_entries_from_the_limit_on_are_refused_alike(size, without, monkeypatch) -> None:
    if without:
        monkeypatch.setattr(row_sums, "available", lambda: False)
    key = switch_of(8, 1)
    assert (products.compiled_loops(PAPER) is None) == without
    entry = np.array([[PAPER.entry_limit]])
    with pytest.raises(CiphertextOverflowError, match="lower the learning rate"):
        products.product(entry, np.array([1]), 1 / size, key, False)
    data, largest_, _ = products.product(entry, np.array([1]), 1.001, key, False)
    assert largest_ < PAPER.entry_limit and data.any()


@needs_numba
def test_what_is_not_a_number_is_never_switched() -> None:
    key, loops = switch_of(8, 2), products.compiled_loops(PAPER)
    for entry in ([[0, 1]], [[1, 0]]):
        with np.errstate(invalid="ignore"):  # 0 times infinity
            _, most = loops.product(np.array(entry), np.array([[1]]), 0.0, key.by_digit, 8)
            assert most == np.inf
    prepared = powers.prepare(PAPER, 1, taylor(3).coefficients[1:])
    wrong = prepared.indices + 1, prepared.weights, prepared.bounds
    power_key = IntegerVectorSecretKey(PAPER, [1], np.random.default_rng(0)).power_key(prepared.f)
    with pytest.raises(ParameterError, match="names an entry"):
        loops.polynomial(np.array([[1, 2]]), 1.0, wrong, power_key.by_digit, 8)


def test_signed_digits_stay_with_numpy() -> None:
    assert products.compiled_loops(PAPER_BITS) is None


@needs_numba
@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("degree", [1, 5])
def test_training_gives_the_same_ciphertexts_without_numba(batch_size, degree, monkeypatch) -> None:
    rng = np.random.default_rng(3)
    X = csr_array((rng.random((12, 30)) < 0.2).astype(np.int64))
    y, plan = rng.integers(0, 2, 12), TrainingPlan(taylor(degree), 0.01, batch_size=batch_size)
    start = Network.initial(Architecture(30, 3), rng)
    trained = []
    for without in (False, True):
        if without:
            monkeypatch.setattr(row_sums, "available", lambda: False)
        owner = Owner(start.architecture, plan.sigmoid, PAPER, rng=np.random.default_rng(1), insecure=True)
        model = owner.encrypt(start)
        scores = train(model.evaluator, model.network, X, y, plan)
        trained.append((scores.data, model.network.W1.data, model.network.W2.data))
        assert (products.compiled_loops(PAPER) is None) == without
    equal(*trained)
