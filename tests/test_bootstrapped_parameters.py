"""Parameters of the scheme with bootstrapping: what they mean, what they protect, what is refused."""

import math

import numpy as np
import pytest

from encnn.errors import ParameterError
from encnn.schemes.bootstrapped import (
    BOOTSTRAP_TOY,
    HIDDEN_128,
    HIDDEN_SLOW_128,
    HIDDEN_TOY,
    ONE_LEVEL_128,
    PRESETS,
    TWO_LEVEL_128,
    BootstrappedParameters,
)
from encnn.security.estimate import MATZOV, estimate, root_hermite_factor
from encnn.security.reduction import sampling_bits


@pytest.mark.parametrize("p", [ONE_LEVEL_128, TWO_LEVEL_128, HIDDEN_128], ids=lambda p: p.name)
def test_both_dimensions_of_the_presets_have_128_bits_by_the_estimate(p):
    small = estimate(p.n, 32, p.lwe_sigma * 2**32, f"block({p.block})")
    polynomials = estimate(p.k * p.N, 64, p.glwe_sigma * 2**64, f"block({p.block})")
    assert p.lwe_security.bits == small.bits >= 128
    assert p.glwe_security.bits == polynomials.bits >= 128
    assert p.security.bits == min(small.bits, polynomials.bits)
    assert not p.insecure and "INSECURE" not in p.protection


@pytest.mark.parametrize("p", [ONE_LEVEL_128, TWO_LEVEL_128, HIDDEN_128], ids=lambda p: p.name)
def test_fresh_weights_are_harder_to_read_than_evaluation_keys(p):
    """They share the key of GLWE under a smaller modulus, so the estimate of the set need not name them."""
    assert estimate(p.d, p.q_bits, p.sigma, f"block({p.block})").bits >= p.security.bits


@pytest.mark.parametrize("p", [ONE_LEVEL_128, TWO_LEVEL_128, HIDDEN_128], ids=lambda p: p.name)
def test_guessing_zeros_of_a_sparse_key_helps_no_attacker(p):
    """Drop coordinates, hoping that they are 0, and attack what is left: the smaller problem saves less than a guess costs."""
    whole = p.lwe_security.bits
    for guessed in (1, 10, p.n // p.block):  # one coordinate a block, each 0 in block of block + 1 cases
        rest = estimate(p.n - guessed, 32, p.lwe_sigma * 2**32, f"block({p.block})").bits
        assert rest + guessed * math.log2((p.block + 1) / p.block) > whole
    for blocks in (1, 10, 50):  # or whole blocks
        rest = estimate(p.n - blocks * p.block, 32, p.lwe_sigma * 2**32, f"block({p.block})").bits
        assert rest + blocks * math.log2(p.block + 1) > whole


def lattices(p, small, polynomials, guessed=0):
    """Dimensions and log2 of the volumes of lattices with samples of the small LWE and of GLWE, in all pairs of these numbers.

    Every coordinate is scaled to deviation 1.  `guessed` bits of the key are no unknowns.
    """
    small, polynomials = np.meshgrid(np.asarray(small), np.asarray(polynomials))
    unknown = np.where(polynomials > 0, p.d, p.n) - guessed
    volume = -small * math.log2(p.lwe_sigma) - polynomials * math.log2(p.glwe_sigma)
    return unknown + small + polynomials, volume - unknown * math.log2(math.sqrt(p.block) / (p.block + 1))


def least_block_size(p, small, polynomials):
    """The least block size of uSVP over these lattices, by the condition of `encnn.security.primal`."""
    d, volume = lattices(p, small, polynomials)
    d = d + 1
    for beta in range(200, 600):
        log_delta = math.log2(root_hermite_factor(beta))
        if (math.log2(beta) / 2 <= (2 * beta - d - 1) * log_delta + volume / d)[d > beta].any():
            return beta
    raise AssertionError("no block size below 600")


def least_dual_bits(p, small, polynomials, guessed=0, share=1.0):
    """The least cost of `encnn.security.dual.dual` over these lattices in MATZOV's model, less the cost of guessing.

    The shortest vectors of the dual lattice have the length tau.  The attack needs only a share of the vectors.
    """
    d, volume = lattices(p, small, polynomials, guessed)
    bits = []
    for beta in range(200, 600, 4):
        cost, supply, sieve = sampling_bits(MATZOV, beta, d)
        log_delta, log_longer = np.log2(root_hermite_factor(beta)), np.log2(root_hermite_factor(sieve))
        log_tau = math.log2(4 / 3) / 2 + (sieve - 1) * (log_longer - log_delta) + d * log_delta - volume / d
        vectors = math.log2(share * 2 * math.log(50)) + (2 * math.pi * 2 ** np.minimum(log_tau, 9)) ** 2 * math.log2(math.e)
        bits.append((cost + np.maximum(vectors - supply, 0))[d > beta].min(initial=math.inf))
    return min(bits)


@pytest.mark.parametrize("p", [ONE_LEVEL_128, HIDDEN_128], ids=lambda p: p.name)
def test_samples_of_both_kinds_together_help_no_primal_attack(p):
    """The small key is a part of the large one, so a lattice may use both; the weaker of the two alone is the best one."""
    some, none = np.arange(20, 3000, 10), [0]
    alone = least_block_size(p, some, none), least_block_size(p, none, some)
    usvp = [min(c.block_size for c in e.costs if c.attack == "primal uSVP") for e in (p.lwe_security, p.glwe_security)]
    assert alone == pytest.approx(usvp, abs=2)
    assert least_block_size(p, some, some) > min(alone)
    assert least_block_size(p, [0, *some], [0, *some]) == min(alone)


@pytest.mark.parametrize("guessed", [0, 120])
@pytest.mark.parametrize("p", [ONE_LEVEL_128, HIDDEN_128], ids=lambda p: p.name)
def test_samples_of_both_kinds_together_help_no_dual_attack(p, guessed):
    """With 120 bits guessed both keys cost nearly the same, which is where a mixture would help if any did."""
    some, none = np.arange(10, 3000, 50), [0]
    alone = least_dual_bits(p, some, none, guessed), least_dual_bits(p, none, some, guessed)
    duals = [c.bits for e in (p.lwe_security, p.glwe_security) for c in e.costs if (c.attack, c.model) == ("dual", MATZOV)]
    assert alone == pytest.approx(duals, abs=0.5) if guessed == 0 else max(alone) - min(alone) < 1
    assert least_dual_bits(p, some, some, guessed) > min(alone)
    assert least_dual_bits(p, [0, *some], [0, *some], guessed) == min(alone)
    for share in (0.1, 0.5, 0.9):  # of the vectors from a lattice of the small LWE, and the rest from one of GLWE
        both = least_dual_bits(p, some, none, guessed, share), least_dual_bits(p, none, some, guessed, 1 - share)
        assert np.logaddexp2(*both) > min(alone)


def test_the_toy_says_that_it_protects_nothing():
    assert BOOTSTRAP_TOY.insecure and BOOTSTRAP_TOY.security.bits < 80
    assert str(BOOTSTRAP_TOY).startswith("bootstrap-toy-INSECURE: INSECURE: ")


@pytest.mark.parametrize("changes", [{"n": 40}, {"lwe_sigma": 0.0}, {"glwe_sigma": 0.0}, {"d": 1024, "k": 1, "N": 1024}])
def test_the_name_must_say_so_if_either_dimension_is_weak(changes):
    with pytest.raises(ParameterError, match="put INSECURE into its name"):
        ONE_LEVEL_128.updated(**changes)
    assert ONE_LEVEL_128.updated(name="weak-INSECURE", **changes).security.insecure


def test_presets_are_found_by_name():
    assert {name: p.name for name, p in PRESETS.items()} == {
        p.name: p.name for p in (ONE_LEVEL_128, TWO_LEVEL_128, HIDDEN_128, HIDDEN_SLOW_128, BOOTSTRAP_TOY, HIDDEN_TOY)
    }


@pytest.mark.parametrize("log_scale", [3, 20, 27, 29])
def test_the_scale_gives_the_width_of_a_table(log_scale):
    p = BOOTSTRAP_TOY.updated(scale=1 << log_scale)
    assert p.z_bits == 32 - log_scale
    assert p.z_half * 4 * p.scale == 2**32
    assert p.step * 2 * p.N * p.scale == 2**32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"N": 100, "d": 100}, "N must be a power of two"),
        ({"N": 1, "d": 1}, "N must be a power of two"),
        ({"k": 0, "d": 0}, "N must be a power of two, d = k N"),
        ({"k": 2}, "d = k N"),
        ({"d": 512}, "d = k N"),
        ({"n": 0}, "n=0"),
        ({"block": 0}, "blocks of 0 bits do not divide a key of n=40"),
        ({"block": 3}, "choose n a multiple of block"),
        ({"block": 80}, "blocks of 80 bits"),
        ({"n": 256}, "n below d"),
        ({"n": 1 << 40}, "n below d"),
        ({"n": 10**400}, "n below d"),
        ({"rotation_bits": 0}, "2 rotation digits of 0 bits"),
        ({"rotation_levels": 4}, "4 rotation digits of 10 bits are not 1 to 31 bits"),
        ({"switch_levels": 0}, "0 switch digits"),
        ({"switch_bits": 8}, "4 switch digits of 8 bits"),
        ({"lwe_sigma": 0.25}, "fractions of the torus"),
        ({"glwe_sigma": -1e-9}, "fractions of the torus"),
        ({"lwe_sigma": float("nan")}, "lwe_sigma=nan: expected a finite number"),
        ({"scale": 3}, "a scale that is a power of two"),
        ({"scale": 0}, "a scale that is a power of two"),
        ({"scale": 1 << 30}, "at most 2\\^29"),
        ({"q_bits": 64}, "bootstrapping needs"),
        ({"q_bits": None}, "bootstrapping needs"),
        ({"w_bits": 1}, "bootstrapping needs"),
        ({"T_low": -1}, "bootstrapping needs"),
        ({"sigma": -1.0}, "sigma is -1.0"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, message):
    with pytest.raises(ParameterError, match=message):
        BOOTSTRAP_TOY.updated(**changes)


def test_31_bits_of_digits_are_the_most():
    assert BOOTSTRAP_TOY.updated(rotation_bits=31, rotation_levels=1, switch_bits=1, switch_levels=31).switch_levels == 31


def test_every_field_is_shown():
    shown = repr(BOOTSTRAP_TOY)
    for field in ("n=40", "block=4", "glwe_sigma=", "rotation_bits=10", "switch_levels=4", "INSECURE: "):
        assert field in shown
    assert isinstance(BOOTSTRAP_TOY.updated(n=44), BootstrappedParameters)
