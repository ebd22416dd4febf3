"""Every operation of the evaluator against numpy, exact at zero noise, within its bounds otherwise; errors; files."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from slow_scheme import excess, fractions, key_pair

from encnn.arithmetic.sigmoid import ExactSigmoid, taylor
from encnn.data.batches import DenseBatch, OneReview, batches
from encnn.errors import CapabilityError, CiphertextOverflowError, FileError, KeyMismatchError, MissingKeyError, ParameterError
from encnn.schemes import restore_evaluator, restore_secret_key
from encnn.schemes.bilinear import (
    elementwise,
    inner_product,
    outer,
    scalar_vector,
    vector_matrix,
    vector_transposed_matrix,
    weighted_inner_product,
)
from encnn.schemes.integer_vector import ADDITIVE_128, MODULUS_TOY, PAPER, PAPER_BITS, IntegerVectorSecretKey

PRODUCTS = [
    inner_product(3), elementwise(1), elementwise(3), scalar_vector(3), outer(2, 3), vector_matrix(3, 2),
    vector_transposed_matrix(2, 3), weighted_inner_product(np.array([[1, -2], [0, 3], [2, 0]])),
]  # fmt: skip
CHANGED = {
    "54": MODULUS_TOY.updated(q_bits=54, w_bits=38, base_bits=18, d=8),
    "54-16": MODULUS_TOY.updated(q_bits=54, w_bits=38, base_bits=16, d=8),
    "32": MODULUS_TOY.updated(q_bits=32, w_bits=25, base_bits=4, d=2),
    "paper, exact": PAPER.updated(E_bound=0),
    "bits, exact": PAPER_BITS.updated(E_bound=0),
    "toy, exact": MODULUS_TOY.updated(sigma=0.0),
    "54, exact": MODULUS_TOY.updated(q_bits=54, w_bits=38, base_bits=18, d=8, sigma=0.0),
}
SETS = {"paper": PAPER, "bits": PAPER_BITS, "toy": MODULUS_TOY}
SETS |= {name: p.updated(name=f"{name} INSECURE") for name, p in CHANGED.items()}  # files know a preset by its name
PAIRS = {name: key_pair(p, {1, 2, 3}, PRODUCTS, [3]) for name, p in SETS.items()}
WITHOUT = ["paper", "bits", "paper, exact"]
WITH = ["toy", "54", "32", "toy, exact"]
every_set = pytest.mark.parametrize("name", SETS)
every_product = pytest.mark.parametrize("f", PRODUCTS, ids=lambda f: f.name)


@pytest.fixture
def paper():
    return PAIRS["paper"]


@pytest.fixture
def toy():
    return PAIRS["toy"]


def whole(seed, *shape, high=2):
    return np.random.default_rng(seed).integers(-high, high + 1, shape).astype(float)


def check(secret, c, expected):
    """The integers of equation (2) are exactly right, and every bound holds."""
    expected = np.asarray(expected, dtype=float)
    assert c.shape == expected.shape
    assert np.array_equal(secret.decrypt_integers(c), np.rint(expected * secret.parameters.scale))
    assert max(excess(secret, c, fractions(expected))) <= 1


@every_set
@every_product
@pytest.mark.parametrize("left, right", [((), ()), ((4,), (4,)), ((4,), ()), ((), (4,)), ((1,), (1,))])
def test_products(name, f, left, right):
    secret, evaluator = PAIRS[name]
    x, y = whole(1, *left, f.left), whole(2, *right, f.right)
    a, b = secret.encrypt(x), secret.encrypt(y)
    check(secret, evaluator.bilinear(f, a, b), f.apply(x, y))
    total = f.apply(x, y)
    check(secret, evaluator.bilinear(f, a, b, total=True), total.sum(axis=0) if total.ndim > 1 else total)


@pytest.mark.parametrize("name", WITHOUT)
@every_product
@pytest.mark.parametrize("gain", [0.01, -0.5, 1 / 3, 40.0])
@pytest.mark.parametrize("total", [False, True])
def test_products_with_fractions_and_gain(name, f, gain, total):
    secret, evaluator = PAIRS[name]
    rng = np.random.default_rng(3)
    x, y = rng.uniform(-3, 3, (5, f.left)), rng.uniform(-3, 3, (5, f.right))
    c = evaluator.bilinear(f, secret.encrypt(x), secret.encrypt(y), gain, total)
    expected = gain * (f.apply(x, y).sum(axis=0) if total else f.apply(x, y))
    assert np.abs(secret.decrypt(c) - expected).max() <= c.noise / c.unit
    assert np.allclose(secret.decrypt(c), expected, rtol=0, atol=2e-4 * max(abs(gain), 1))


@every_set
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32))
def test_sums_differences_and_plain_numbers(name, seed):
    secret, evaluator = PAIRS[name]
    x, y = whole(seed, 2, 4, 3)
    a, b = secret.encrypt(x), evaluator.encrypt(y, np.random.default_rng(seed))
    column = whole(seed + 1, 4, 1)
    check(secret, a + b, x + y)
    check(secret, a - b[1], x - y[1])
    check(secret, -a, -x)
    check(secret, a + 3, x + 3)
    check(secret, 3.0 - a, 3 - x)
    check(secret, y - a, y - x)
    check(secret, a - y[0], x - y[0])
    check(secret, a * -2, -2 * x)
    check(secret, 3.0 * a, 3 * x)
    check(secret, evaluator.multiply_plain(a, column), x * column)
    check(secret, a.sum(), x.sum(axis=0))
    check(secret, evaluator.concatenate([a, b]), np.concatenate([x, y]))
    check(secret, a[[2, 0]], x[[2, 0]])
    assert len(a) == 4 and 0 < a.nbytes <= 8 * 4 * (3 + secret.parameters.d)


@pytest.mark.parametrize("name", WITHOUT)
def test_fractions_divide_and_multiply(name):
    secret, _ = PAIRS[name]
    x = np.random.default_rng(4).uniform(-9, 9, (4, 3))
    for c, expected in [(secret.encrypt(x) / 7, x / 7), (secret.encrypt(x) * 0.3, x * 0.3)]:
        assert np.abs(secret.decrypt(c) - expected).max() <= c.noise / c.unit < 1e-6


@every_set
def test_batches_of_features(name):
    secret, evaluator = PAIRS[name]
    V, g = whole(5, 6, 2), whole(6, 3, 2)
    W, G = secret.encrypt(V), secret.encrypt(g)
    ones = np.random.default_rng(7).integers(0, 2, (3, 6))
    ones[:, 0] = 1
    for X in (ones, csr_array(ones), csr_array(2 * ones), csr_array(-ones)):
        (_, batch), plain = next(batches(X, 3)), X if X is ones else X.toarray()
        check(secret, evaluator.gather(batch, W), plain @ V)
        new = W.copy()
        evaluator.scatter_subtract(new, batch, G)
        check(secret, new, V - plain.T @ g)
        check(secret, W, V)
    one = OneReview(np.array([4, 1]))
    check(secret, evaluator.gather(one, W), V[[4, 1]].sum(axis=0, keepdims=True))
    evaluator.scatter_subtract(W, one, G[:1])
    V[[4, 1]] -= g[0]
    check(secret, W, V)


@pytest.mark.parametrize("name", WITHOUT)
@pytest.mark.parametrize("make", [DenseBatch, lambda X: next(batches(csr_array(X), 3))[1]])
def test_features_with_fractions(name, make):
    secret, evaluator = PAIRS[name]
    rng = np.random.default_rng(8)
    X, V, g = rng.uniform(-1, 1, (3, 6)), rng.uniform(-3, 3, (6, 2)), rng.uniform(-3, 3, (3, 2))
    W, G = secret.encrypt(V), secret.encrypt(g)
    H = evaluator.gather(make(X), W)
    assert np.abs(secret.decrypt(H) - X @ V).max() <= H.noise / H.unit < 1e-5
    evaluator.scatter_subtract(W, make(X), G)
    assert np.abs(secret.decrypt(W) - (V - X.T @ g)).max() <= W.noise / W.unit < 1e-5


@pytest.mark.parametrize("name", WITHOUT)
@pytest.mark.parametrize(
    "coefficients",
    [[0.5, 0.25], [0.5], [0.5, 0.25, 0, -1 / 48], [1, 0, 2], [0, 0, 0, 2, 0], [1, 2, 3, 4, 5, 6], [0.5, 0.25, -1 / 48, 1 / 480],
     [0, 0, 0, 0, 1]],
)  # fmt: skip
def test_polynomials(name, coefficients):
    """Odd, even, mixed, with zeros anywhere; the misplaced one is what a sigmoid one power out of place gives."""
    secret, evaluator = PAIRS[name]
    z = np.random.default_rng(9).uniform(-1.5, 1.5, (4, 3))
    c = evaluator.polynomial(secret.encrypt(z), coefficients)
    expected = np.polynomial.polynomial.polyval(z, coefficients)
    assert np.abs(secret.decrypt(c) - expected).max() <= c.noise / c.unit
    assert np.allclose(secret.decrypt(c), expected, rtol=0, atol=1e-3)


@every_set
def test_whole_polynomials_with_an_array_as_constant(name):
    secret, evaluator = PAIRS[name]
    z, labels = whole(10, 4, 1), whole(11, 4, 1)
    c = secret.encrypt(z)
    check(secret, evaluator.polynomial(c, [labels, 2.0]), labels + 2 * z)
    check(secret, evaluator.polynomial(c, [0, 1, 1]), z + z * z)
    check(secret, evaluator.polynomial(c, [5.0]), 0 * z + 5)
    check(secret, evaluator.multiply(c, c), z * z)


def test_activation_subtracts_plain_and_encrypted_labels(paper):
    secret, evaluator = paper
    z, y = np.array([[0.4], [-1.0]]), np.array([[1.0], [0.0]])
    for minus, plain in ((y, y), (secret.encrypt(y), y), (0.0, 0)):
        expected = taylor(3)(z) - plain
        assert np.allclose(secret.decrypt(evaluator.activate(taylor(3), secret.encrypt(z), minus)), expected, atol=1e-4)
    with pytest.raises(CapabilityError, match="exact sigmoid.*polynomial.*clear"):
        evaluator.activate(ExactSigmoid(), secret.encrypt(z))


@pytest.mark.parametrize("a", [0.6, 2.0, 3.5])
def test_reciprocal_and_division(paper, a):
    secret, evaluator = paper
    inverse = evaluator.reciprocal(secret.encrypt(np.array([a])), guess=0.4, steps=6)
    assert secret.decrypt(inverse) == pytest.approx(1 / a, abs=1e-4)
    quotient = evaluator.multiply(secret.encrypt(np.array([5.0])), inverse)
    assert secret.decrypt(quotient) == pytest.approx(5 / a, abs=1e-3)


@pytest.mark.parametrize("name", WITH)
@pytest.mark.parametrize(
    "run",
    [
        lambda e, c: c * 0.5,
        lambda e, c: c / 2,
        lambda e, c: e.multiply_plain(c, np.array([[0.1], [1.0]])),
        lambda e, c: e.bilinear(elementwise(3), c, c, gain=0.1),
        lambda e, c: e.gather(DenseBatch(np.full((1, 2), 0.5)), c),
        lambda e, c: e.scatter_subtract(c, DenseBatch(np.full((1, 2), 0.5)), c[:1]),
        lambda e, c: e.scatter_subtract(c, next(batches(csr_array(np.full((1, 2), 0.5)), 1))[1], c[:1]),
        lambda e, c: e.polynomial(c, [0.5, 0.25]),
        lambda e, c: c * np.nan,
    ],
)
def test_fractions_under_a_modulus_name_scheme_operation_and_alternative(name, run):
    secret, evaluator = PAIRS[name]
    c = secret.encrypt(np.ones((2, 3)))
    before = c.data.copy()
    with pytest.raises(
        CapabilityError, match=r"integer_vector.*modulus.*(cannot use|multiplies by).*parameters without a modulus"
    ):
        run(evaluator, c)
    assert np.array_equal(c.data, before)


def test_a_product_of_ciphertexts_needs_the_evaluator(paper):
    c = paper[0].encrypt(np.ones(3))
    with pytest.raises(CapabilityError, match="evaluator.multiply"):
        c * c


def test_missing_keys_are_named(paper):
    secret, evaluator = paper
    c = secret.encrypt(np.ones(3))
    with pytest.raises(MissingKeyError, match=r"vector_matrix:3x1.*elementwise:3|no evaluation key for 'elementwise:2'"):
        evaluator.multiply(*[secret.encrypt(np.ones(2))] * 2)
    with pytest.raises(ParameterError, match="widths 2 and 3, not 3"):
        evaluator.bilinear(outer(2, 3), c, secret.encrypt(np.ones(2)))
    with pytest.raises(KeyMismatchError, match="entries"):
        evaluator.linear(c, secret.linear_key(np.ones((1, 2))))


def test_mixing_keys_is_refused(paper):
    secret, evaluator = paper
    c = secret.encrypt(np.ones((2, 3)))
    d = IntegerVectorSecretKey(PAPER, {3}, np.random.default_rng(77)).encrypt(np.ones((2, 3)))
    for run in (
        lambda: c + d,
        lambda: c - d,
        lambda: evaluator.multiply(c, d),
        lambda: evaluator.concatenate([c, d]),
        lambda: evaluator.scatter_subtract(c, OneReview(np.array([0])), d),
        lambda: secret.decrypt(d),
        lambda: secret.measure_noise(d, 1),
    ):
        with pytest.raises(KeyMismatchError, match=d.context.key_id):
            run()


def test_scales_multiply_under_a_modulus():
    p = MODULUS_TOY.updated(scale=16, w_bits=36)
    secret, evaluator = key_pair(p, {1}, [elementwise(1)])
    c = secret.encrypt(np.array([[1.5]]))
    square = evaluator.multiply(c, c)
    assert square.scale == 256 and secret.decrypt(square) == pytest.approx(2.25, abs=1e-6)
    for run in (
        lambda: c + square,
        lambda: evaluator.concatenate([c, square]),
        lambda: evaluator.scatter_subtract(c, OneReview(np.array([0])), square),
    ):
        with pytest.raises(CapabilityError, match="scales 16 and 256"):
            run()


@pytest.mark.parametrize("name", ["paper", "toy"])
def test_plain_numbers_that_do_not_fit_are_refused_before_they_wrap(name):
    secret, evaluator = PAIRS[name]
    c = secret.encrypt(np.ones((2, 3)))
    for plain in (1e9, 1e30, -1e300, float("nan"), float("inf"), np.full(3, 1e30)):
        with pytest.raises(ParameterError, match="smaller numbers"):
            c + plain
    for factor in (1e30, float("inf")):
        with pytest.raises((ParameterError, CiphertextOverflowError)):
            c * factor
    with pytest.raises(ParameterError, match=r"shape \(\.\.\., 1\)"):
        c * np.ones(3)


@pytest.mark.parametrize(
    "q_bits, w_bits, base_bits", [(64, 44, 16), (54, 38, 18), (54, 38, 16), (54, 38, 7), (32, 26, 4), (32, 26, 5)]
)
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_everything_is_right_modulo_q(q_bits, w_bits, base_bits, seed):
    """Plaintexts are integers modulo q / w; sums and products that pass q / 2 w wrap as integers do."""
    p = MODULUS_TOY.updated(q_bits=q_bits, w_bits=w_bits, base_bits=base_bits, d=2, sigma=0.0)
    secret, evaluator = _modular_pair(p)
    rng, top = np.random.default_rng(seed), 1 << (q_bits - w_bits - 1)
    x, y = rng.integers(-top + 1, top, (2, 3, 2))
    factor = int(rng.integers(-1000, 1000))
    a, b = secret.encrypt(x), evaluator.encrypt(y, rng)
    wrap = lambda z: (z + top) % (2 * top) - top  # noqa: E731
    for c, expected in [
        (a + b, x + y),
        (a * factor - b, factor * x - y),
        (evaluator.multiply(a, b), x.astype(object) * y),
        (evaluator.bilinear(elementwise(2), a, b, total=True), (x.astype(object) * y).sum(axis=0)),
        (evaluator.gather(DenseBatch(np.array([[5, -7, 1]])), a), np.array([[5, -7, 1]]) @ x),
    ]:
        found = secret.decrypt_integers(c).astype(object)
        assert np.array_equal(wrap(found), wrap(np.asarray(expected)))
        assert c.data.min() >= -(1 << (q_bits - 1)) and c.data.max() < 1 << (q_bits - 1)


def _modular_pair(p, made={}):  # noqa: B006
    if p not in made:
        made[p] = key_pair(p, {2}, [elementwise(2)], [2])
    return made[p]


def test_weight_1_still_multiplies():
    p = ADDITIVE_128.updated(name="small-INSECURE", d=4, scale=1 << 24)
    secret, evaluator = key_pair(p, {1}, [elementwise(1)])
    c = secret.encrypt(np.array([1.5]))
    square = evaluator.multiply(c, c)
    assert secret.decrypt(square) == pytest.approx(2.25, abs=1e-5)
    assert excess(secret, square, fractions([2.25]))[0] <= 1


# -- files


@every_set
def test_files_round_trip(name):
    secret, evaluator = PAIRS[name]
    x = whole(12, 2, 3)
    c = secret.encrypt(x)
    header, arrays = evaluator.export()
    there = restore_evaluator("integer_vector", header, arrays, PRODUCTS)
    back = restore_secret_key("integer_vector", *secret.export())
    again = there.restore_array(*there.export_array(c), (2, 3))
    assert again.noise == c.noise and again.value == c.value and again.scale == c.scale
    assert back.context == there.context and there.context.key_id == evaluator.context.key_id
    assert {n: k.key_norm for n, k in there.products.items()} == {n: k.key_norm for n, k in evaluator.products.items()}
    for f in PRODUCTS:
        left, right = whole(1, f.left), whole(2, f.right)
        a, b = back.encrypt(left), there.encrypt(right) if f.right == 3 else back.encrypt(right)
        check(back, there.bilinear(f, a, b), f.apply(left, right))
    check(back, again + again, 2 * x)


@every_set
def test_infinite_bounds_come_back_as_the_largest_that_ciphertexts_can_have(name):
    secret, evaluator = PAIRS[name]
    c = secret.encrypt(np.ones((1, 3))) + 0.0
    c.value = c.noise = float("inf")
    again = evaluator.restore_array(*evaluator.export_array(c), (1, 3))
    error = np.abs(secret.measure_noise(again, np.ones((1, 3)))).max()
    assert again.unit + error <= again.unit * again.value < np.inf and error <= again.noise < np.inf
    for claim in ("value", "noise"):
        header, data = evaluator.export_array(c)
        with pytest.raises(FileError, match="their file claims"):
            evaluator.restore_array(header | {claim: 1.001 * header[claim]}, data, (1, 3))


def test_files_of_changed_presets_need_a_name_of_their_own():
    for p in CHANGED.values():
        secret, evaluator = key_pair(p, {1})
        for restore, parts in ((restore_evaluator, (*evaluator.export(), [])), (restore_secret_key, secret.export())):
            with pytest.raises(ParameterError, match="are not that preset"):
                restore("integer_vector", *parts)


def test_other_schemes_have_no_files():
    with pytest.raises(FileError, match="enigma"):
        restore_evaluator("enigma", {}, {}, [])
    with pytest.raises(FileError, match="enigma"):
        restore_secret_key("enigma", {}, {})


@pytest.mark.parametrize(
    "change",
    [
        {"scale": None}, {"scale": 0}, {"scale": 7}, {"noise": -1}, {"noise": "many"}, {"value": float("nan")}, {"value": []},
        {"bound": -3},
    ],
)  # fmt: skip
def test_nonsense_about_arrays_is_refused(paper, change):
    secret, evaluator = paper
    header, data = evaluator.export_array(secret.encrypt(np.ones((2, 3))))
    with pytest.raises(FileError, match="description of ciphertexts|scale|claims"):
        evaluator.restore_array(header | change, data, (2, 3))


def test_nonsense_in_arrays_is_refused(paper):
    secret, evaluator = paper
    header, data = evaluator.export_array(secret.encrypt(np.ones((2, 3))))
    for bad in (data.astype(float), data[:1], data[:, :2], np.array(3), data.astype(np.int32)):
        with pytest.raises(FileError, match="expected int64"):
            evaluator.restore_array(header, bad, (2, 3))
    for entry in (1 << 62, -(1 << 63), (1 << 63) - 1):
        with pytest.raises(FileError, match="expected at least"):
            evaluator.restore_array(header, np.full_like(data, entry), (2, 3))
    for bad_header in ({}, None, [], {"scale": 1000}):
        with pytest.raises(FileError, match="the description of ciphertexts"):
            evaluator.restore_array(bad_header, data, (2, 3))


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": None}, {"parameters": {}}, {"parameters": {"name": "x"}}, {"key_id": 5}, {"key_id": "short"},
        {"products": None}, {"products": [5]}, {"products": ["unknown"]}, {"products": [{}]}, {"public_widths": None},
        {"public_widths": [True]}, {"public_widths": [0]}, {"public_widths": ["3"]}, {"public_widths": [2]},
        {"w_bits": "25"}, {"w_bits": 25.5}, {"w_bits": True}, {"d": 2}, {"name": ["INSECURE"]}, {"base_bits": 4},
        {"sigma": "x"}, {"T_high": 10**400}, {"extra": 1},
    ],
)  # fmt: skip
def test_nonsense_about_keys_is_refused(paper, change):
    _, evaluator = paper
    header, arrays = evaluator.export()
    known = {"parameters", "key_id", "products", "public_widths"}
    bad = header | change if set(change) <= known else header | {"parameters": header["parameters"] | change}
    with pytest.raises(FileError):
        restore_evaluator("integer_vector", bad, arrays, PRODUCTS)


def test_missing_and_misshapen_keys_are_refused(paper):
    _, evaluator = paper
    header, arrays = evaluator.export()
    for name, array in arrays.items():
        for bad in (None, array[1:], array.astype(float), np.array(1), array.ravel()):
            changed = {k: v for k, v in arrays.items() if k != name} if bad is None else arrays | {name: bad}
            with pytest.raises(FileError, match="lacks the array|expected int64"):
                restore_evaluator("integer_vector", header, changed, PRODUCTS)


@pytest.mark.parametrize(
    "arrays",
    [{}, {"T_x": np.zeros((1, 1), int)}, {"T_\u00b2": np.zeros((2, 1), int)}, {"S_1": np.zeros((1, 1), int)},
     {"T_1": np.zeros((2, 1), int)}, {"T_1": np.zeros((1, 1))}, {"T_1": np.full((1, 1), 10)}, {"T_1": np.full((1, 1), -1)}],
)  # fmt: skip
def test_nonsense_about_secret_keys_is_refused(paper, arrays):
    header, _ = paper[0].export()
    with pytest.raises(FileError):
        restore_secret_key("integer_vector", header, arrays)
