"""Products of polynomials: schoolbook against Python's integers, transforms against schoolbook, compiled against numpy."""

import importlib.util
import itertools

import numba
import numpy as np
import pytest
from bootstrapped_keys import needs_numba
from hypothesis import given, settings
from hypothesis import strategies as st

from encnn.arithmetic import row_sums as kernels
from encnn.arithmetic.negacyclic import roots
from encnn.schemes.bootstrapped import compiled, engine, transform
from encnn.schemes.bootstrapped import compiled_transform as loops
from encnn.schemes.bootstrapped import compiled_vectors as vectors
from encnn.schemes.bootstrapped.frequencies import GROUP, frequency_order
from encnn.schemes.bootstrapped.rotation import round_and_decompose

SIZES = st.sampled_from([2, 4, 8, 64])
FEW = settings(max_examples=25)


def integer_product(a, b):
    """Return a b modulo X^N + 1 by Python's integers, as int64 modulo 2^64."""
    N, product = len(a), [0] * len(a)
    for i, x in enumerate(a.tolist()):
        for j, y in enumerate(b.tolist()):
            product[(i + j) % N] += x * y if i + j < N else -x * y
    return np.array([c % 2**64 for c in product], np.uint64).view(np.int64)


@FEW
@given(SIZES, st.integers(0, 2**32))
def test_the_schoolbook_is_exact_modulo_2_to_the_64(N, seed):
    a, b = np.random.default_rng(seed).integers(-(2**63), 2**63 - 1, (2, N))
    np.testing.assert_array_equal(transform.schoolbook(a, b), integer_product(a, b))


@FEW
@given(SIZES, st.integers(-1000, 1000), st.integers(0, 2**32))
def test_a_monomial_turns_and_changes_signs(N, exponent, seed):
    p = np.random.default_rng(seed).integers(-9, 9, N)
    turned = transform.monomial_product(p, np.array(exponent))
    monomial = transform.monomial_product(np.eye(1, N, dtype=np.int64)[0], np.array(exponent))
    np.testing.assert_array_equal(turned, integer_product(monomial, p))
    np.testing.assert_array_equal(turned, transform.monomial_product(p, np.array(exponent % (2 * N))))
    np.testing.assert_array_equal(turned, -transform.monomial_product(p, np.array(exponent + N)))


def test_a_batch_is_turned_by_an_exponent_each():
    p = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    turned = transform.monomial_product(p, np.array([[1], [6]]))
    assert turned.dtype == np.int32
    for b, exponent in enumerate([1, 6]):
        for c in range(3):
            np.testing.assert_array_equal(turned[b, c], transform.monomial_product(p[b, c], np.array(exponent)))


@pytest.mark.parametrize("N", [2, 8, 256, 1024])
def test_values_are_those_at_the_roots_that_the_formula_names(N):
    p = np.random.default_rng(N).normal(size=N)
    f = np.arange(N // 2)
    roots = np.exp(1j * np.pi * (1 - 4 * f) / N)
    np.testing.assert_allclose(roots**N, -1, atol=1e-9)
    np.testing.assert_allclose(transform.forward(p), np.polynomial.polynomial.polyval(roots, p), atol=1e-9)


@pytest.mark.parametrize("N", [2, 8, 256, 1024])
def test_values_multiply_as_polynomials_do(N):
    rng = np.random.default_rng(N)
    a, b = rng.integers(-(2**10), 2**10, (3, N)), rng.integers(-(2**20), 2**20, N)
    product = transform.backward(transform.forward(a.astype(float)) * transform.forward(b.astype(float)))
    np.testing.assert_array_equal(np.rint(product), transform.schoolbook(a, b))


@pytest.mark.parametrize("N", [2, 8, 256, 1024])
def test_keys_keep_values_in_the_order_of_the_engine(N):
    values = np.random.default_rng(N).normal(size=(2, N)).view(np.complex128)
    kept = transform.stored(values)
    assert kept.dtype == np.float64 and kept.shape == (2, N)
    np.testing.assert_array_equal(transform.unstored(kept), values)
    group = min(GROUP, N // 2)
    np.testing.assert_array_equal(kept.reshape(2, -1, 2, group)[:, 0, 0], values.real[:, frequency_order(N)[:group]])
    np.testing.assert_array_equal(kept.reshape(2, -1, 2, group)[:, -1, 1], values.imag[:, frequency_order(N)[-group:]])


@pytest.mark.parametrize("N", [2, 256, 1024])
def test_an_order_names_every_frequency_once(N):
    np.testing.assert_array_equal(np.sort(frequency_order(N)), np.arange(N // 2))


# Compiled


@needs_numba
def test_loops_are_there_for_the_sizes_that_they_are_written_for():
    assert engine.compiled(1024, 2) is compiled
    assert engine.compiled(512, 2) is None
    assert engine.compiled(1024, 1) is None


def test_without_numba_there_are_none(monkeypatch):
    monkeypatch.setattr(kernels, "available", lambda: False)
    assert engine.compiled(1024, 2) is None


def by_loops(p):
    """Return the values of a polynomial, in natural order."""
    values = np.empty(1024)
    loops.forward(p, np.empty(1024), values)
    return transform.unstored(values)


def back_by_loops(values):
    """Return the polynomial that has these values."""
    p = np.empty(1024)
    loops.backward(transform.stored(values), np.empty(1024), p)
    return p


@needs_numba
@FEW
@given(st.integers(0, 2**32))
def test_the_compiled_transform_is_numpys(seed):
    p = np.random.default_rng(seed).normal(size=1024)
    np.testing.assert_allclose(by_loops(p), transform.forward(p), atol=1e-12)
    values = np.random.default_rng(seed).normal(size=1024).view(np.complex128)
    np.testing.assert_allclose(back_by_loops(values), transform.backward(values), atol=1e-14)


@needs_numba
def test_the_compiled_transform_takes_whole_numbers():
    p = np.random.default_rng(1).integers(-(2**31), 2**31, 1024).astype(np.int32)
    np.testing.assert_array_equal(by_loops(p), by_loops(p.astype(np.float64)))


@needs_numba
def test_every_unit_vector_is_transformed_rightly():
    """One wrong factor among the 512 of a table would hide in random data; here it is one of the entries."""
    frequencies = 1 - 4 * np.arange(512)
    for j in range(512):
        exact = roots(j * frequencies, 2048)
        np.testing.assert_allclose(by_loops(np.eye(1, 1024, j)[0]), exact, atol=6e-16)
        np.testing.assert_allclose(by_loops(np.eye(1, 1024, j + 512)[0]), 1j * exact, atol=6e-16)
        np.testing.assert_allclose(back_by_loops(exact), np.eye(1, 1024, j)[0], atol=2e-15)


def plain_transpose(source, first, pace, target, place, step):
    i = np.arange(8)
    target[place + step * i + i[:, None]] = source[first + pace * i[:, None] + i]


def plain_products(bits, together):
    """Return what `compiled_vectors` writes in LLVM's language, in numpy."""

    def add(v, p, factors, q, key, r, sums, s, fresh, ask):
        def number(a, at, apart):
            lanes = at + np.arange(vectors.WIDTH)
            return a[lanes] + 1j * a[lanes + apart]

        for b, i in itertools.product(range(together), range(bits)):
            at, row = 3 * b * vectors.PACE, r + i * vectors.ROW
            product = sum(number(v, p + at + c * vectors.PACE, 64) * number(key, row + 16 * c, 8) for c in range(3))
            total = product * number(factors, q + (vectors.TOGETHER * i + b) * vectors.PACE, 64)
            lanes = s + at + np.arange(vectors.WIDTH)
            new = fresh and i == 0
            sums[lanes] = total.real + (0 if new else sums[lanes])
            sums[lanes + 64] = total.imag + (0 if new else sums[lanes + 64])

    return add


def plain(module, monkeypatch, **replaced):
    """Return a module as plain Python, which is what numba is given to compile, with some of its names replaced."""
    monkeypatch.setattr(numba, "njit", lambda **_: lambda function: function)
    spec = importlib.util.spec_from_file_location("plain", module.__file__)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    vars(found).update(replaced)
    return found


@pytest.fixture
def plain_loops(monkeypatch):
    transforms = plain(loops, monkeypatch, transpose_square=plain_transpose, low_word=lambda x: np.array([x]).view(np.int32)[0])
    return plain(
        compiled,
        monkeypatch,
        forward=transforms.forward,
        add_backward=transforms.add_backward,
        shift_right=lambda number, bits: number >> bits,
        add_bit=plain_products(1, 1),
        add_four_bits=plain_products(4, 1),
        add_four_bits_of_two=plain_products(4, 2),
    )


@needs_numba
def test_the_loops_as_plain_python_do_what_they_say(plain_loops):
    rng = np.random.default_rng(3)
    acc = rng.integers(-(2**31), 2**31, (3, 3, 1024)).astype(np.int32)
    key = rng.normal(size=(1, 64, 3, 2, 5, 3, 2, 8)) * 2.0**-20
    exponents = np.array([[1500, 3, 0, 2047, 1], [0] * 5, [7, 8, 9, 10, 11]])
    compiled_acc, plain_acc = acc.copy(), acc.copy()
    compiled.blind_rotate(compiled_acc, exponents, key, 5, 8, 2)
    with np.errstate(over="ignore"):
        plain_loops.blind_rotate(plain_acc, exponents, key, 5, 8, 2)
    difference = (plain_acc - compiled_acc).astype(np.int32)
    assert np.abs(difference).max() <= 1
    assert not np.array_equal(plain_acc[0], acc[0])
    rounded = acc[1].copy()
    round_and_decompose(rounded, 8, 2)
    assert np.array_equal(plain_acc[1], rounded)  # which is what no rotation leaves

    ciphertexts = acc[:, 0, :9].copy()
    rows = rng.integers(-(2**31), 2**31, (8, 3, 5)).astype(np.int32)
    rows = rows[:6]  # the last masks only, and not a multiple of four
    out = rng.integers(-(2**31), 2**31, (3, 5)).astype(np.int32)
    plain_out = out.copy()
    compiled.switch_key(ciphertexts, rows, 4, 3, out)
    with np.errstate(over="ignore"):
        plain_loops.switch_key(ciphertexts, rows, 4, 3, plain_out)
    np.testing.assert_array_equal(plain_out, out)
