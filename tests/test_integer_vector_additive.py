"""ADDITIVE_128: sums, integer linear maps and public-key encryption; what its ciphertexts do not tell, and the paper's do."""

import numpy as np
import pytest
from slow_scheme import excess, fractions

from encnn.errors import CapabilityError
from encnn.schemes.integer_vector import ADDITIVE_128, MODULUS_TOY, PAPER, make_keys

COUNT = 40


SETS = [
    pytest.param(ADDITIVE_128.updated(name="small-INSECURE", d=200), id="small"),
    pytest.param(ADDITIVE_128, id="128 bits", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module", params=SETS)
def additive(request):
    return make_keys(request.param, [4, 1], rng=np.random.default_rng(1), public_widths=[4])


@pytest.fixture(scope="module")
def v():
    return np.random.default_rng(2).uniform(-50, 50, (COUNT, 4))


def check(secret, c, expected, atol):
    x = np.rint(np.asarray(expected) * c.scale)
    assert np.abs(secret.decrypt(c) - expected).max() <= atol
    assert np.abs(secret.measure_noise(c, x / c.scale)).max() <= c.noise


def test_owner_and_public_encryption(additive, v):
    secret, evaluator = additive
    precision = 0.51 / ADDITIVE_128.scale
    for c in (secret.encrypt(v), evaluator.encrypt(v[:3]), evaluator.encrypt_deterministic(v)):
        check(secret, c, v[: len(c)], precision + c.noise / c.unit)
    x = np.rint(v * ADDITIVE_128.scale) / ADDITIVE_128.scale
    assert excess(secret, secret.encrypt(x)[:2], fractions(x[:2]))[0] <= 1


def test_sums_of_many(additive, v):
    secret, _ = additive
    c = secret.encrypt(v)
    total = c.sum() + c[0] * 1000 - c[1]
    check(secret, total, v.sum(axis=0) + 1000 * v[0] - v[1], 2e-6)
    assert np.abs(secret.decrypt(c - c)).max() == 0


def test_integer_linear_maps(additive, v):
    secret, evaluator = additive
    G = np.array([[3, -2, 0, 7]])
    c = evaluator.linear(secret.encrypt(v), secret.linear_key(G))
    check(secret, c, v @ G.T, (c.noise + 12) / c.unit)
    assert c.noise / c.unit < 2.0**5
    with pytest.raises(CapabilityError):
        secret.encrypt(v) * 0.5


# -- what ciphertexts tell without the key


def reads_without_key(c, x):
    """round(c[:m] / w) is the plaintext, for more than half of the entries."""
    read = np.rint(c.data[..., : x.shape[-1]] / c.parameters.w)
    return (read == x).mean() > 0.5


def looks_uniform(data, bits):
    """Mean, variance, each of the lowest bits and the 16 highest cells, each within six standard deviations of uniform."""
    u, n = data.ravel() / 2.0**bits, data.size
    cells = np.bincount(np.floor((u + 0.5) * 16).astype(int), minlength=16)
    low = np.array([(data >> bit & 1).mean() for bit in range(20)])
    return bool(
        abs(u.mean()) < 6 / np.sqrt(12 * n)
        and abs(u.var() - 1 / 12) < 6 / np.sqrt(180 * n)
        and np.abs(cells / n - 1 / 16).max() < 6 * np.sqrt(15 / 256 / n)
        and np.abs(low - 0.5).max() < 6 * np.sqrt(0.25 / n)
    )


def distinguishable(zeros, ones):
    """Whether encryptions of 0 and of 1 differ, by six standard deviations, in a mean or in a low bit of any entry."""
    p, n = zeros.parameters, len(zeros)
    a, b = zeros.data.astype(float), ones.data.astype(float)
    spread = np.sqrt(a.var(axis=0) / n + b.var(axis=0) / n) + 1e-9
    means = np.abs(a.mean(axis=0) - b.mean(axis=0)) / spread
    bits = [np.abs((zeros.data >> k & 1).mean(axis=0) - (ones.data >> k & 1).mean(axis=0)) for k in range(p.w_bits + 8)]
    return bool(means.max() > 6 or np.max(bits) > 6 * np.sqrt(0.5 / n))


def test_without_the_key_nothing_shows():
    secret, evaluator = make_keys(ADDITIVE_128, [4], rng=np.random.default_rng(1), public_widths=[4])
    v = np.tile([0.0, 1.0, -3.0, 25.0], (COUNT, 1))
    for c in (secret.encrypt(v), evaluator.encrypt(v[:2])):
        assert not reads_without_key(c, v[: len(c)] * ADDITIVE_128.scale)
        assert looks_uniform(c.data, ADDITIVE_128.q_bits)
    assert looks_uniform(secret.encrypt(np.tile(v, (10, 1))).data[:, :4], ADDITIVE_128.q_bits)


@pytest.mark.parametrize("p", [ADDITIVE_128, MODULUS_TOY], ids=lambda p: p.name)
def test_encryptions_of_0_and_1_do_not_differ(p):
    secret, _ = make_keys(p, [2], rng=np.random.default_rng(3))
    zeros, ones = (secret.encrypt(np.full((200, 2), bit)) for bit in (0.0, 1.0))
    assert not distinguishable(zeros, ones)


def test_on_the_papers_parameters_all_of_it_shows():
    """The same tests, the other way round: the weights can be read off their ciphertexts by anyone."""
    secret, evaluator = make_keys(PAPER, [4], rng=np.random.default_rng(4), public_widths=[4])
    v = np.tile([0.0, 1.0, -3.0, 25.0], (COUNT, 1))
    x = v * PAPER.scale
    fresh, public = secret.encrypt(v), evaluator.encrypt_deterministic(v)
    assert np.array_equal(np.rint(fresh.data[:, :4] / PAPER.w), x)
    assert np.array_equal(np.rint(public.data[:, :4] / PAPER.w), x)
    assert reads_without_key(fresh, x) and not looks_uniform(fresh.data, 64)
    assert distinguishable(secret.encrypt(np.zeros((200, 4))), secret.encrypt(np.ones((200, 4))))


def test_the_statistics_can_tell():
    """They accept uniform words and refuse slightly biased ones, so that their silence above means something."""
    words = np.random.default_rng(5).integers(-(1 << 53), 1 << 53, 80000)
    assert looks_uniform(words, 54)
    assert not looks_uniform(words | (np.arange(80000) % 8 == 0), 54)
    assert not looks_uniform(np.where(np.arange(80000) % 20 == 0, np.abs(words), words), 54)
