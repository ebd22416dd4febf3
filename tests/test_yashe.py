"""What YASHE alone does: its keys, its noise, random circuits against whole numbers.  The rest is in test_fv."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ring_schemes import keys

from encnn.errors import CiphertextOverflowError, FileError, ParameterError
from encnn.schemes import fv, restore_secret_key, yashe
from encnn.schemes.bilinear import elementwise
from encnn.schemes.rings import reference
from encnn.schemes.rings.array import Bounds
from encnn.schemes.yashe import noise
from encnn.security.overstretched import fatigue_bits

WIDTH = 8


# -- keys


def test_secret_and_public_key_are_the_papers() -> None:
    """f = t f' + 1 is invertible and f h = t g, with f' and g ternary."""
    secret, evaluator = keys("yashe")
    p = secret.parameters
    f_prime, g = secret.export()[1].values()
    assert set(np.unique(f_prime)) == set(np.unique(g)) == {-1, 0, 1}
    f = [p.t * int(x) for x in f_prime]
    f[0] += 1
    h = p.cipher_ring.lift(evaluator.public_key[0])
    product = [reference.centred(x, p.q) for x in reference.multiply(f, list(h))]
    assert product == [p.t * int(x) for x in g]


def test_decryption_is_the_papers() -> None:
    secret, evaluator = keys("yashe")
    p = secret.parameters
    v = np.arange(8.0) - 3
    c = evaluator.encrypt(v)
    f = [p.t * int(x) for x in secret.export()[1]["T_secret"]]
    f[0] += 1
    phase = [reference.centred(x, p.q) for x in reference.multiply(f, list(p.cipher_ring.lift(c.residues()[0])))]
    m = np.array([reference.rounded_quotient(p.t * x, p.q) for x in phase], object)
    assert np.array_equal(p.encoder.decode(p.plain_ring.residues(m), 8), v)


def test_a_secret_that_is_not_ternary_is_refused() -> None:
    secret, _ = keys("yashe")
    header, arrays = secret.export()
    with pytest.raises(FileError, match="ternary"):
        restore_secret_key("yashe", header, arrays | {"T_secret": arrays["T_secret"] * 2})


def test_keys_are_drawn_until_one_has_an_inverse(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(yashe.TOY.key_ring)
    inverse, tries = kind.inverse, []
    monkeypatch.setattr(kind, "inverse", lambda ring, a: None if len(tries) < 2 and not tries.append(1) else inverse(ring, a))
    secret = yashe.YASHESecretKey(yashe.TOY)
    assert len(tries) == 2 and np.array_equal(secret.decrypt(secret.encrypt(np.ones(2))), np.ones(2))
    calls: list[int] = []
    monkeypatch.setattr(kind, "inverse", lambda ring, a: inverse(ring, a) if not calls and not calls.append(1) else None)
    with pytest.raises(FileError, match="no inverse"):  # the first call belongs to a new key, whose secret is replaced
        restore_secret_key("yashe", *secret.export())


# -- random circuits


operations = st.lists(
    st.tuples(
        st.sampled_from(["add", "subtract", "multiply", "plain add", "plain factor", "negate", "half", "rotate"]),
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(-5, 5),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("scheme", ["yashe", "fv"])
@given(circuit=operations, seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_random_circuits_are_exact_or_refused(scheme: str, circuit: list, seed: int) -> None:
    """Every result equals that of whole numbers, until an operation is refused by name; never a wrong number."""
    secret, evaluator = keys(scheme)
    rng = np.random.default_rng(seed)
    clear = [rng.integers(-3, 4, WIDTH).astype(float) for _ in range(4)]
    cipher = [evaluator.encrypt(v) for v in clear]
    for operation, i, j, k in circuit:
        try:
            c = _applied(evaluator, operation, cipher[i], cipher[j], k)
        except CiphertextOverflowError as refusal:
            assert f"scheme '{scheme}'" in str(refusal)
            continue
        clear[i] = _clear(operation, clear[i], clear[j], k)
        cipher[i] = c
        assert np.array_equal(secret.decrypt(c), clear[i]), operation
        assert secret.measured_budget_bits(c) >= c.noise_budget_bits


def _applied(evaluator: yashe.YASHEEvaluator, operation: str, a: object, b: object, k: int) -> object:
    return {
        "add": lambda: a + b,
        "subtract": lambda: a - b,
        "multiply": lambda: evaluator.multiply(a, b),
        "plain add": lambda: a + float(k),
        "plain factor": lambda: a * float(k),
        "negate": lambda: -a,
        "half": lambda: a * 0.5,
        "rotate": lambda: evaluator.rotate(a, 1),
    }[operation]()


def _clear(operation: str, a: np.ndarray, b: np.ndarray, k: int) -> np.ndarray:
    return {
        "add": a + b,
        "subtract": a - b,
        "multiply": a * b,
        "plain add": a + k,
        "plain factor": a * k,
        "negate": -a,
        "half": a / 2,
        "rotate": np.roll(a, -1),
    }[operation]


# -- noise and parameters


def test_predicted_noise_bounds_the_measured_and_is_not_far_from_it() -> None:
    secret, evaluator = keys("yashe")
    p = secret.parameters
    c = evaluator.encrypt(np.ones(4))
    assert noise.fresh(p) / 2**8 < secret.measure_noise(c) <= c.bounds.noise == noise.fresh(p)
    c.bounds = Bounds(1, 1.0, c.bounds.noise)
    for _ in range(p.depth):
        c = evaluator.multiply(c, c)
        assert c.bounds.noise / 2**20 < secret.measure_noise(c) <= c.bounds.noise
        assert np.array_equal(secret.decrypt(c), np.ones(4))


def test_a_product_costs_more_than_in_fv() -> None:
    """log2 t more a product, and log2 t more in a fresh ciphertext."""
    same = {name: getattr(yashe.DEEP, name) for name in ("N", "q_primes", "t_primes", "special_prime")}
    other = fv.FVParameters(name="same-INSECURE", **same)
    assert yashe.DEEP.depth < other.depth
    lost = math.log2(noise.fresh(yashe.DEEP)) - math.log2(fv.noise.fresh_public(other))
    assert abs(lost - math.log2(yashe.DEEP.t)) < 2


def test_presets_of_128_bits_count_the_sublattice_attacks() -> None:
    for p in yashe.PRESETS.values():
        assert p.insecure or p.security.bits >= 128
        assert p.security.overstretched, "every useful set lies beyond the fatigue point"
        assert yashe.preset(p.name) is p
    with pytest.raises(ParameterError, match="choose one of yashe-additive-128"):
        yashe.preset("other")


def test_parameters_that_are_safe_for_fv_protect_nothing_here() -> None:
    assert fv.DEPTH_128.security.bits >= 128
    assert yashe.DEEP.modulus_bits == pytest.approx(fv.DEPTH_128.modulus_bits, abs=0.1) and yashe.DEEP.N == fv.DEPTH_128.N
    assert yashe.DEEP.security.bits < 50 and yashe.DEEP.modulus_bits > fatigue_bits(yashe.DEEP.N)
    with pytest.raises(ParameterError, match="fewer than 128"):
        yashe.DEEP.updated(name="yashe-deep")


def test_one_product_is_left_at_128_bits() -> None:
    assert yashe.DEPTH_128.depth == 1 and yashe.DEPTH_128.security.bits >= 128
    assert yashe.ADDITIVE_128.depth == 0


@pytest.mark.slow
def test_one_product_at_128_bits() -> None:
    secret, evaluator = yashe.make_keys(yashe.DEPTH_128, [8], [elementwise(8)], None, [8])
    v = np.arange(8.0) - 4
    product = evaluator.multiply(evaluator.encrypt(v), secret.encrypt(v))
    assert np.array_equal(secret.decrypt(product), v * v)
    assert secret.measured_budget_bits(product) >= product.noise_budget_bits > 0
    with pytest.raises(CiphertextOverflowError, match="'yashe'.*noise could use up"):
        evaluator.multiply(product, product)
