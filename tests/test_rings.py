"""The ring core against whole numbers of Python: transforms, residues, exact lifts, conversions and roundings."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encnn.errors import ParameterError
from encnn.schemes.rings import compiled, reference
from encnn.schemes.rings.ntt import Transform, transform
from encnn.schemes.rings.primes import check_primes, find_primes, is_prime, root_of_unity
from encnn.schemes.rings.rns import BaseConversion, Ring, base_conversion, rescaling, ring

N = 16
SMALL = ring(N, find_primes(N, 30, 3))
OTHER = ring(N, find_primes(N, 29, 4))

seeds = st.integers(0, 2**32 - 1)


def random_residues(R: Ring, seed: int, shape: tuple[int, ...] = ()) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, p, (*shape, R.N)) for p in R.primes], axis=-2).astype(np.uint64)


def random_whole(seed: int, bits: int, n: int = N) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array([int.from_bytes(rng.bytes(32)) % (1 << bits) - (1 << (bits - 1)) for _ in range(n)], object)


# -- primes


def test_primes_agree_with_trial_division() -> None:
    for n in range(2, 3000):
        assert is_prime(n) == all(n % k for k in range(2, math.isqrt(n) + 1))


def test_strong_pseudoprimes_are_told() -> None:
    assert not is_prime(3215031751)  # passes the tests to the bases 2, 3, 5 and 7
    assert is_prime((1 << 61) - 1)


def test_found_primes_are_what_the_transform_needs() -> None:
    primes = find_primes(1024, 30, 5)
    assert len(set(primes)) == 5 and all(p < 1 << 30 and p % 2048 == 1 and is_prime(p) for p in primes)
    assert not set(find_primes(1024, 30, 3, primes)) & set(primes)


@pytest.mark.parametrize("bad", [(97, 97), (89,), (16 * 32 + 1 - 1,), (1 << 31,)])
def test_other_primes_are_refused(bad: tuple[int, ...]) -> None:
    with pytest.raises(ParameterError):
        check_primes(16, bad)


def test_too_many_primes_are_refused() -> None:
    with pytest.raises(ParameterError, match="there are only"):
        find_primes(1024, 14, 50)
    with pytest.raises(ParameterError, match="no element of order"):
        root_of_unity(13, 8)


@pytest.mark.parametrize("dimension", [2, 12])
def test_dimension_is_a_power_of_two(dimension: int) -> None:
    with pytest.raises(ParameterError, match="power of two"):
        Transform(dimension, (97,))


# -- the transform


def test_forward_evaluates_at_the_roots() -> None:
    a = random_residues(SMALL, 1)
    values = SMALL.ntt.forward(a)
    for row, value, p in zip(a, values, SMALL.primes, strict=True):
        psi = root_of_unity(p, 2 * N)
        assert [reference.evaluate(list(row), pow(psi, int(e), p), p) for e in SMALL.ntt.exponents] == value.tolist()


@pytest.mark.parametrize("dimension", [4, 16, 256, 4096])
def test_numpy_and_compiled_agree_bit_for_bit(dimension: int) -> None:
    pytest.importorskip("numba")
    R = ring(dimension, find_primes(dimension, 30, 2) + find_primes(dimension, 20, 1))
    a = random_residues(R, dimension, (3, 2))
    assert np.array_equal(R.ntt.forward(a), R.ntt.forward_numpy(a))
    assert np.array_equal(R.ntt.inverse(a), R.ntt.inverse_numpy(a))
    assert np.array_equal(R.ntt.inverse(R.ntt.forward(a)), a)
    assert R.ntt.forward(a).dtype == R.ntt.forward_numpy(a).dtype == np.uint64


def test_loops_without_numba_do_the_same() -> None:
    t, a = SMALL.ntt, random_residues(SMALL, 2)
    x, p = a[None].copy(), SMALL.p[:, 0]
    with np.errstate(over="ignore"):  # unsigned numbers wrap around
        compiled.forward_loop(x, t._p, t._tables)
        assert np.array_equal(x[0], t.forward_numpy(a))
        compiled.inverse_loop(x, t._p, t._tables_inverse, t._last[:, 0], t._last_shoup[:, 0])
        assert np.array_equal(x[0], a)
        out = np.empty_like(a)[None]
        compiled.products_loop(out, np.stack([a, a]), np.stack([a, a])[:, None])
        compiled.reduce_loop(out, p)
        assert np.array_equal(out[0], 2 * (a * a % SMALL.p) % SMALL.p)
        convert, parts, v = base_conversion(SMALL, OTHER), np.empty_like(a), np.empty(N, np.uint64)
        assert compiled.split_loop(parts, v, a, *convert._inverses, p) == 0
        out = np.empty((1, OTHER.k, N), np.uint64)
        compiled.convert_loop(out[0], parts, v, convert._factors, convert._multiples[:, 0], out[0, :0], convert._own[:, 0])
        compiled.reduce_loop(out, OTHER.p[:, 0])
        assert np.array_equal(out[0], OTHER.residues(SMALL.lift(a)))


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20))
def test_any_number_is_reduced(numbers: list[int]) -> None:
    pytest.importorskip("numba")
    x = np.array([[numbers]] * 2, np.uint64).repeat(2, axis=1)
    compiled.compiled(compiled.reduce_loop)(x, np.array([SMALL.primes[0], 12289], np.uint64))
    assert x.tolist() == 2 * [[[n % SMALL.primes[0] for n in numbers], [n % 12289 for n in numbers]]]


def test_the_largest_sums_do_not_overflow() -> None:
    """16 products of the largest residues, and what the conversion adds to them."""
    R = ring(N, find_primes(N, 30, 16))
    largest = np.broadcast_to(R.p - 1, (16, R.k, N))
    assert np.array_equal(R.sum_products(largest, largest), np.broadcast_to(np.uint64(16), (R.k, N)))
    x = random_residues(R, 11)
    x[:, :4] = R.p - 1  # -1
    assert np.array_equal(base_conversion(R, OTHER)(x), OTHER.residues(R.lift(x)))
    with pytest.raises(ParameterError, match="sources of 16 primes take nothing"):
        rescaling(R, OTHER, 3)(x, random_residues(OTHER, 1))


def test_without_numba_numpy_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = random_residues(SMALL, 3, (2,)), random_residues(SMALL, 4, (2,))
    convert, rescale, c = base_conversion(SMALL, OTHER), rescaling(SMALL, OTHER, 5), random_residues(OTHER, 5, (2,))
    sums = np.stack([b, b[::-1]], axis=1)
    before = SMALL.ntt.forward(a), SMALL.ntt.inverse(a), SMALL.sum_products(a, sums), convert(a), rescale(a, c)
    for module in ("ntt", "rns"):
        monkeypatch.setattr(f"encnn.schemes.rings.{module}.available", lambda: False)
    after = SMALL.ntt.forward(a), SMALL.ntt.inverse(a), SMALL.sum_products(a, sums), convert(a), rescale(a, c)
    for x, y in zip(before, after, strict=True):
        assert np.array_equal(x, y)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "limit_ms"), [("forward", 0.5), ("forward_numpy", 5.0)])
def test_transform_is_fast(method: str, limit_ms: float) -> None:
    """N = 8192, three primes (90 bits): the target was set for one polynomial of 60 bits or more."""
    if method == "forward":
        pytest.importorskip("numba")
    R = ring(8192, find_primes(8192, 30, 3))
    a, action = random_residues(R, 5), getattr(R.ntt, method)
    action(a)
    best = math.inf
    for _ in range(30):
        begun = time.process_time()
        action(a)
        best = min(best, time.process_time() - begun)
    assert 1e3 * best < 3 * limit_ms  # three times the target: other work runs on the machine that tests


# -- residues


@given(seeds)
def test_product_is_the_schoolbook_product(seed: int) -> None:
    a, b = random_whole(seed, 80), random_whole(seed + 1, 80)
    product = SMALL.lift(SMALL.multiply(SMALL.residues(a), SMALL.residues(b)))
    assert product.tolist() == [reference.centred(x, SMALL.q) for x in reference.multiply(list(a), list(b))]


@given(seeds)
def test_sums_and_scales(seed: int) -> None:
    a, b = random_residues(SMALL, seed), random_residues(SMALL, seed + 1)
    x, y = SMALL.lift(a), SMALL.lift(b)
    for result, wanted in (
        (SMALL.add(a, b), x + y),
        (SMALL.subtract(a, b), x - y),
        (SMALL.scale(a, -(3**40)), -(3**40) * x),
    ):
        assert (result < SMALL.p).all()
        assert SMALL.lift(result).tolist() == [reference.centred(v, SMALL.q) for v in wanted]


@given(seeds)
def test_lift_undoes_residues(seed: int) -> None:
    x = random_whole(seed, 88)
    assert SMALL.lift(SMALL.residues(x)).tolist() == x.tolist()
    small = x.astype(float).astype(np.int64) if abs(x).max() < 2**62 else np.arange(N) - 7
    assert np.array_equal(SMALL.residues(small), SMALL.residues(small.astype(object)))


@pytest.mark.parametrize("k", [-37, -16, -1, 0, 1, 5, 16, 33])
def test_shift_multiplies_by_a_power_of_x(k: int) -> None:
    a = SMALL.residues(np.arange(N))
    power = [0] * N
    power[k % N] = 1 if (k // N) % 2 == 0 else -1
    assert SMALL.lift(SMALL.shift(a, k)).tolist() == reference.multiply(list(range(N)), power)


@pytest.mark.parametrize("g", [3, 5, 31, 9])
def test_automorphism_substitutes(g: int) -> None:
    a = list(range(1, N + 1))
    wanted = [0] * N
    for i, c in enumerate(a):
        wanted[i * g % N] += c if (i * g // N) % 2 == 0 else -c
    assert SMALL.lift(SMALL.automorphism(SMALL.residues(np.array(a)), g)).tolist() == wanted


def test_inverse() -> None:
    a = random_residues(SMALL, 7)
    inverse = SMALL.inverse(a)
    assert inverse is not None
    one = np.zeros(N, np.int64)
    one[0] = 1
    assert np.array_equal(SMALL.multiply(a, inverse), SMALL.residues(one))
    values = SMALL.ntt.forward(a)
    values[1, 3] = 0
    assert SMALL.inverse(SMALL.ntt.inverse(values)) is None


def test_size_of_a_modulus_is_checked() -> None:
    with pytest.raises(ParameterError, match="1 to 16 primes"):
        Ring(N, find_primes(N, 30, 17))
    assert "log2 q=" in repr(SMALL)


# -- conversions


@given(seeds)
def test_conversion_is_exact(seed: int) -> None:
    a = random_residues(SMALL, seed, (2,))
    assert np.array_equal(base_conversion(SMALL, OTHER)(a), OTHER.residues(SMALL.lift(a)))


def test_conversion_is_exact_where_floats_cannot_decide() -> None:
    """Numbers next to q / 2 and -q / 2, where sum x'_i / p_i is a half to the last bit."""
    x = np.array([(-1) ** i * (SMALL.q // 2 - i // 2) for i in range(N)], object)
    convert = BaseConversion(SMALL, OTHER)
    called = []
    exact = convert._exact_multiple
    convert._exact_multiple = lambda parts: called.append(1) or exact(parts)  # type: ignore[method-assign, func-returns-value]
    assert np.array_equal(convert(SMALL.residues(x)), OTHER.residues(x))
    assert len(called) == N


@given(seeds, st.integers(2, 2**40))
def test_rescaling_rounds_exactly(seed: int, t: int) -> None:
    x = random_whole(seed, 150)
    result = rescaling(SMALL, OTHER, t)(SMALL.residues(x), OTHER.residues(x))
    wanted = np.array([reference.rounded_quotient(t * v, SMALL.q) for v in x], object)
    assert np.array_equal(result, OTHER.residues(wanted))


@settings(max_examples=20)
@given(seeds)
def test_rescaling_to_the_plaintext_modulus(seed: int) -> None:
    """What decryption does: round(t x / q) modulo t."""
    plain = ring(N, find_primes(N, 20, 2))
    a = random_residues(SMALL, seed)
    wanted = [reference.rounded_quotient(plain.q * v, SMALL.q) for v in SMALL.lift(a)]
    assert np.array_equal(rescaling(SMALL, plain, plain.q)(a), plain.residues(np.array(wanted, object)))


def test_rings_are_made_once() -> None:
    assert ring(N, SMALL.primes) is SMALL and transform(N, SMALL.primes) is SMALL.ntt
