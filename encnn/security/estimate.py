"""Bits of security of LWE(n, q, sigma, secret) against lattice reduction, under two named cost models.

An LWE sample is b = <a, s> + e mod q, with a uniform in Z_q^n, noise e of standard deviation sigma, and a secret s
whose entries have standard deviation sigma_s.  Let xi = sigma / sigma_s.  BKZ with block size beta turns a basis of
dimension d and volume V into one whose Gram-Schmidt lengths are, by the geometric series assumption [Sch03],

    b_i = delta^(d - 2i - 1) V^(1/d),   delta = ((pi beta)^(1/beta) beta / (2 pi e))^(1 / (2 (beta - 1)))   [Chen13].

**Primal uSVP.**  (e, xi s, sigma) is a short vector of a lattice with volume V = xi^n q^(d-n-1) sigma, which uses
d - n - 1 samples; xi rescales a small secret to the size of the noise [BG14].  BKZ finds it as soon as [ADPS16, AGVW17]

    sigma sqrt(beta) <= delta^(2 beta - d - 1) V^(1/d).

**Dual.**  A vector (x, y / xi), y = A^T x mod q, of length l = sqrt(4/3) delta^(d-1) (q / xi)^(n/d) uses d - n samples
and tells b from uniform with advantage exp(-2 pi^2 tau^2), tau = l sigma / q.  One sieve gives 2^(0.2075 beta) such
vectors; the attack repeats BKZ until it holds 1 / advantage^2 of them [ADPS16].

Both attacks also run on the normal form, in which n samples are spent to replace the secret by noise (xi = 1) [ACPS09].
This matters only where the secret is wider than the noise.  A third, guessing, tries all secrets of typical weight.

**Cost models.**  "core-SVP": 0.292 beta bits, one call of a sieve, the lower bound of [ADPS16].  "BKZ with sieving":
0.292 beta + 16.4 + log2(8 d) bits, 8 d calls of the sieve of [BDGL16]; the tables of [HES18] were made with it.
Parameters score about 30 bits less in the first than in the second: a number of bits without its model means nothing.

**Not covered**, so that the number is an upper bound on what a reader may rely on:

- hybrid attacks, which guess a part of the secret and may meet in the middle: they beat the above by far on sparse
  secrets, and by a few bits on binary and ternary ones;
- subfield and dense-sublattice attacks on overstretched NTRU, and any use of the ring structure;
- algebraic attacks: BKW, and Arora-Ge, which wins for very small noise with very many samples;
- refinements that move the result by several bits: progressive BKZ, dimensions for free, the dual attack with a Fourier
  transform, and the cost of memory, which speaks for the defender;
- quantum computers, side channels, decryption oracles, and everything about a scheme that is not LWE.

The parameter presets of this package therefore never go below published parameter sets, whatever this module says.

References: [ACPS09] Applebaum, Cash, Peikert, Sahai, CRYPTO 2009.  [ADPS16] Alkim, Ducas, Poeppelmann, Schwabe, USENIX
Security 2016.  [AGVW17] Albrecht, Goepfert, Virdia, Wunderer, ASIACRYPT 2017.  [BDGL16] Becker, Ducas, Gama,
Laarhoven, SODA 2016.  [BG14] Bai, Galbraith, ACISP 2014.  [Chen13] Y. Chen, thesis, Paris 7, 2013.  [HES18] Albrecht et
al., Homomorphic Encryption Standard v1.1, 2018, ePrint 2019/939.  [Sch03] Schnorr, STACS 2003.  A far more complete
estimator: Albrecht, Player, Scott, J. Math. Cryptol. 2015, and https://github.com/malb/lattice-estimator.
"""

import math
import operator
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from encnn.errors import ParameterError

CORE_SVP = "core-SVP"
SIEVING = "BKZ with sieving"
CORE_SVP_SLOPE = 0.292
"""Bits of one call of a sieve per unit of block size."""
INSECURE_BELOW = 80.0
"""Bits in the sieving model under which an estimate calls itself INSECURE."""

_LARGEST_DIMENSION = 2**20
# Measured root Hermite factors of small blocks, where the formula does not hold (means of 32 q-ary lattices of
# dimension 320, lattice-estimator, reduction.py).  The first is LLL.
_SMALL_BLOCKS = (2, 5, 10, 15, 20, 25, 28)
_SMALL_DELTAS = (1.02190, 1.01862, 1.01616, 1.01485, 1.01420, 1.01342, 1.01331)
_FORMULA_FROM = 40


def _formula_delta(beta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Chen's asymptotic root Hermite factor, accurate from block size 40 or so."""
    return ((np.pi * beta) ** (1 / beta) * beta / (2 * np.pi * np.e)) ** (1 / (2 * (beta - 1)))


def root_hermite_factor(block_size: ArrayLike) -> NDArray[np.float64]:
    """Return delta, such that BKZ with this block size finds a vector of length delta^d volume^(1/d) in dimension d.

    `block_size` is a number or an array of numbers >= 2; the result has its shape.  Chen's formula from 40 on; below,
    linear between measured values, down to LLL (block size 2).

    >>> root_hermite_factor([2, 50, 100, 250]).round(4)
    array([1.0219, 1.0121, 1.0093, 1.0055])
    """
    beta = np.asarray(block_size, dtype=np.float64)
    if beta.size and not beta.min() >= 2:
        raise ParameterError(f"the block size is {beta.min():g}, expected 2 (LLL) or more; pass a larger one")
    at_join = _formula_delta(np.array([float(_FORMULA_FROM)]))
    small = np.interp(beta, [*_SMALL_BLOCKS, _FORMULA_FROM], [*_SMALL_DELTAS, *at_join])
    return np.where(beta < _FORMULA_FROM, small, _formula_delta(np.maximum(beta, _FORMULA_FROM)))


# Every block size up to 4096 (1196 bits), then steps of 1 %: all are tried at once, which needs no search.
_BETA = np.concatenate([np.arange(2.0, 4096.0), np.geomspace(4096, _LARGEST_DIMENSION, 560).round()])
_LOG_DELTA = np.log2(root_hermite_factor(_BETA))


@dataclass(frozen=True)
class AttackCost:
    """The cheapest way to run one attack, in one cost model.

    `bits` is log2 of the cost, infinite where the attack cannot work (too few samples).  `block_size`, `dimension` (of
    the lattice) and `samples` (LWE samples used) are 0 where no lattice is involved or the attack cannot work.
    """

    attack: str
    model: str
    bits: float
    block_size: int = 0
    dimension: int = 0
    samples: int = 0


@dataclass(frozen=True)
class Estimate:
    """The security of LWE(n, q = 2^q_bits, sigma, secret): the cost of each attack in each model, see the module.

    `samples` is the number of LWE samples the attacker has, None for as many as it likes.
    """

    n: int
    q_bits: float
    sigma: float
    secret: str
    samples: int | None
    costs: tuple[AttackCost, ...] = field(repr=False)

    def best(self, model: str = SIEVING) -> AttackCost:
        """Return the cheapest attack in `model`, "BKZ with sieving" or "core-SVP"."""
        return min((cost for cost in self.costs if cost.model == model), key=lambda cost: cost.bits)

    @property
    def bits(self) -> float:
        """Bits of security in the model "BKZ with sieving"."""
        return self.best(SIEVING).bits

    @property
    def core_svp_bits(self) -> float:
        """Bits of security in the model "core-SVP"."""
        return self.best(CORE_SVP).bits

    @property
    def insecure(self) -> bool:
        """Whether `bits` is below 80."""
        return self.bits < INSECURE_BELOW

    def __str__(self) -> str:
        """Return one line: both models by name, the best attack, the parameters; INSECURE first, below 80 bits."""
        best = self.best()
        block = f", block size {best.block_size}" if best.block_size else ""
        samples = "" if self.samples is None else f", {self.samples} samples"
        return (
            f"{'INSECURE: ' if self.insecure else ''}{self.bits:.1f} bits ({SIEVING}), "
            f"{self.core_svp_bits:.1f} bits ({CORE_SVP}); best attack: {best.attack}{block}; "
            f"LWE n={self.n}, log2 q={self.q_bits:g}, sigma={self.sigma:g}, {self.secret} secret{samples}"
        )


class _Secret(NamedTuple):
    """log2 of the standard deviation of one entry of a secret, and its entropy in bits."""

    log_deviation: float
    entropy: float


class _Lattice(NamedTuple):
    """One family of embeddings: log2 xi, the largest dimension the samples allow, and samples spent beforehand."""

    log_xi: float
    largest: float
    spent: int


def estimate(n: int, q_bits: float, sigma: float, secret: str = "ternary", samples: int | None = None) -> Estimate:
    """Return the bits of security of LWE with dimension n, modulus 2^q_bits and noise of standard deviation sigma.

    `secret` is the distribution of its entries: "ternary" (uniform in -1, 0, 1), "binary" (uniform in 0, 1), "block(l)"
    (bits in blocks of l with at most one set, l + 1 equally likely cases a block), "uniform" (mod q), "binomial(eta)"
    (centred, variance eta / 2) or "gaussian(s)" (discrete, standard deviation s, in units of 1 like sigma).  `samples`
    bounds the number of LWE samples; None means as many as an attacker likes, which is right for ring schemes with
    evaluation keys and for any scheme whose ciphertexts are many.  With sigma = 0 the secret is the solution of linear
    equations, and the estimate is 0 bits whatever the rest.

    Raises ParameterError for arguments that make no LWE instance.  Takes a few milliseconds.

    >>> print(estimate(1024, 27, 3.19, "ternary"))  # doctest: +ELLIPSIS
    131.6 bits (BKZ with sieving), 101.3 bits (core-SVP); best attack: primal uSVP, block size 347; LWE n=1024, ...
    >>> print(estimate(16, 32, 3.2, "ternary"))  # doctest: +ELLIPSIS
    INSECURE: ... bits (BKZ with sieving), ... bits (core-SVP); best attack: ...
    """
    n, samples = _whole("n", n), None if samples is None else _whole("samples", samples)
    _check_sizes(q_bits, sigma)
    parsed = _parse_secret(secret, q_bits)
    if sigma == 0:
        return Estimate(n, q_bits, sigma, secret, samples, _both_models("elimination", 0.0))
    costs = _lattice_costs(n, q_bits, math.log2(sigma), parsed, samples)
    guessing = _both_models("guessing", n * _entropy_to_guess(n, parsed, sigma, samples))
    return Estimate(n, q_bits, sigma, secret, samples, (*costs, *guessing))


def minimum_dimension(bits: float, q_bits: float, sigma: float, secret: str = "ternary", samples: int | None = None) -> int:
    """Return the smallest n for which `estimate(n, ...).bits` (BKZ with sieving) is at least `bits`.

    It is a lower bound for a design, not a recommendation: see the attacks the module does not cover.  Raises
    ParameterError where no n up to 2^20 suffices, as with sigma = 0, and for the arguments `estimate` refuses.

    >>> n = minimum_dimension(128, q_bits=27, sigma=3.19, secret="ternary")
    >>> estimate(n, 27, 3.19).bits >= 128 > estimate(n - 1, 27, 3.19).bits
    True
    """
    if not bits > 0 or math.isinf(bits):
        raise ParameterError(f"bits is {bits}, expected a positive finite number such as 128")

    def suffices(n: int) -> bool:
        return estimate(n, q_bits, sigma, secret, samples).bits >= bits

    high = 1
    while not suffices(high):
        high *= 2
        if high > _LARGEST_DIMENSION:
            raise ParameterError(f"no n up to {_LARGEST_DIMENSION} reaches {bits:g} bits; lower q_bits or raise sigma")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high


def estimate_table(estimates: Iterable[Estimate]) -> pd.DataFrame:
    """Return one row for each estimate: parameters, bits in each model (the column names it), and the best attack.

    >>> table = estimate_table(estimate(n, 27, 3.19) for n in (512, 1024))
    >>> table[["n", "bits (BKZ with sieving)", "insecure"]].round(0)
          n  bits (BKZ with sieving)  insecure
    0   512                     66.0      True
    1  1024                    132.0     False
    """
    return pd.DataFrame([_row(each) for each in estimates])


def _row(each: Estimate) -> dict[str, object]:
    best = each.best()
    return {
        "n": each.n,
        "log2 q": each.q_bits,
        "sigma": each.sigma,
        "secret": each.secret,
        "samples": math.inf if each.samples is None else each.samples,
        f"bits ({SIEVING})": each.bits,
        f"bits ({CORE_SVP})": each.core_svp_bits,
        "insecure": each.insecure,
        "best attack": best.attack,
        "block size": best.block_size,
        "dimension": best.dimension,
    }


def _lattice_costs(n: int, q_bits: float, log_sigma: float, secret: _Secret, samples: int | None) -> tuple[AttackCost, ...]:
    """Return the best primal and dual attack in each model, over both families of embeddings and all block sizes."""
    available = math.inf if samples is None else samples
    lattices = (
        _Lattice(log_sigma - secret.log_deviation, n + available, spent=0),
        _Lattice(0.0, available, spent=n),
    )
    costs = []
    for model in (CORE_SVP, SIEVING):
        primal = [_primal(n, q_bits, log_sigma, lattice, model) for lattice in lattices]
        dual = [_dual(n, q_bits, log_sigma, lattice, model) for lattice in lattices]
        costs += [min(family, key=lambda cost: cost.bits) for family in (primal, dual)]
    return tuple(costs)


def _primal(n: int, q_bits: float, log_sigma: float, lattice: _Lattice, model: str) -> AttackCost:
    """Return the cheapest primal attack: for each block size, the smallest dimension that meets the condition.

    With D = log2 delta, d times the logarithm of the condition is -D d^2 + b d - c >= 0: d lies between its two roots.
    """
    b = (2 * _BETA - 1) * _LOG_DELTA + q_bits - log_sigma - np.log2(_BETA) / 2
    c = (n + 1) * q_bits - n * lattice.log_xi - log_sigma
    discriminant = b * b - 4 * _LOG_DELTA * c
    root = np.sqrt(np.maximum(discriminant, 0))
    first = 2 * c / np.maximum(b + root, 1e-9)  # b + root <= 0 makes the last root negative: no dimension is possible
    last = (b + root) / (2 * _LOG_DELTA)
    d = np.maximum(np.ceil(first), np.maximum(n + 2, _BETA))
    possible = (discriminant >= 0) & (d <= np.minimum(last, lattice.largest + 1))
    return _cheapest("primal uSVP", model, d, possible, np.zeros_like(d), lattice.spent - n - 1)


def _dual(n: int, q_bits: float, log_sigma: float, lattice: _Lattice, model: str) -> AttackCost:
    """Return the cheapest dual attack: for each block size, the dimension with the shortest vectors."""
    log_volume = n * max(q_bits - lattice.log_xi, 0.0)
    shortest = np.ceil(np.sqrt(log_volume / _LOG_DELTA))
    d = np.minimum(np.maximum(shortest, np.maximum(n + 1, _BETA)), lattice.largest)
    possible = d >= np.maximum(n + 1, _BETA)
    d = np.maximum(d, 1)
    log_length = math.log2(4 / 3) / 2 + (d - 1) * _LOG_DELTA + log_volume / d
    tau_squared = 2 ** np.minimum(2 * (log_length + log_sigma - q_bits), 100)
    log_vectors = 4 * np.pi**2 / math.log(2) * tau_squared
    repetitions = np.maximum(log_vectors - 0.2075 * _BETA, 0)
    return _cheapest("dual", model, d, possible, repetitions, lattice.spent - n)


def _cheapest(
    attack: str,
    model: str,
    d: NDArray[np.float64],
    possible: NDArray[np.bool_],
    log_repetitions: NDArray[np.float64],
    samples_less_dimension: int,
) -> AttackCost:
    """Return the cheapest block size among the possible ones; all arrays run over the block sizes."""
    overhead = 16.4 + np.log2(8 * d) if model == SIEVING else 0.0
    bits = np.where(possible, CORE_SVP_SLOPE * _BETA + overhead + log_repetitions, np.inf)
    i = int(np.argmin(bits))
    if not possible[i]:
        return AttackCost(attack, model, math.inf)
    return AttackCost(attack, model, float(bits[i]), int(_BETA[i]), int(d[i]), int(d[i]) + samples_less_dimension)


def _both_models(attack: str, bits: float) -> tuple[AttackCost, ...]:
    """Return the same cost in each model, for an attack that reduces no lattice."""
    return tuple(AttackCost(attack, model, bits) for model in (CORE_SVP, SIEVING))


def _entropy_to_guess(n: int, secret: _Secret, sigma: float, samples: int | None) -> float:
    """Return the entropy of one entry of the secret, or of the noise where the normal form is possible and better."""
    normal_form = samples is None or samples > n
    return min(secret.entropy, _gaussian_entropy(sigma)) if normal_form else secret.entropy


def _parse_secret(secret: str, q_bits: float) -> _Secret:
    """Return the size and the entropy of the secret distribution called `secret`."""
    fixed = {
        "ternary": _Secret(math.log2(2 / 3) / 2, math.log2(3)),
        "binary": _Secret(-1.0, 1.0),
        "uniform": _Secret(q_bits - math.log2(12) / 2, float(q_bits)),
    }
    if secret in fixed:
        return fixed[secret]
    match = re.fullmatch(r"(binomial|block|gaussian)\(([0-9.e+-]+)\)", secret) if isinstance(secret, str) else None
    try:
        return _parametric_secret(match[1], float(match[2])) if match else _unknown_secret(secret)
    except (ValueError, OverflowError):
        return _unknown_secret(secret)


def _parametric_secret(name: str, parameter: float) -> _Secret:
    if not (0 < parameter < math.inf) or (name != "gaussian" and parameter != int(parameter)):
        raise ValueError(parameter)
    if name == "block":
        return _Secret(math.log2(parameter) / 2 - math.log2(parameter + 1), math.log2(parameter + 1) / parameter)
    deviation = parameter if name == "gaussian" else math.sqrt(parameter / 2)
    entropy = _gaussian_entropy(deviation) if name == "gaussian" else _binomial_entropy(int(parameter))
    return _Secret(math.log2(deviation), entropy)


def _unknown_secret(secret: object) -> _Secret:
    raise ParameterError(
        f"the secret distribution is {secret!r}; expected 'ternary', 'binary', 'uniform', 'block(l)' or 'binomial(eta)' "
        "with an integer >= 1, or 'gaussian(s)' with s > 0, for example 'binomial(2)' or 'gaussian(3.2)'"
    )


def _gaussian_entropy(deviation: float) -> float:
    """Return the entropy in bits of a discrete Gaussian; from 4 on it is that of the continuous one."""
    if deviation >= 4:
        return math.log2(deviation * math.sqrt(2 * math.pi * math.e))
    k = np.arange(-50, 51)
    return _entropy(np.exp(-((k / max(deviation, 0.01)) ** 2) / 2))


def _binomial_entropy(eta: int) -> float:
    if eta > 100:
        return _gaussian_entropy(math.sqrt(eta / 2))
    return _entropy(np.array([math.comb(2 * eta, k) for k in range(2 * eta + 1)], dtype=np.float64))


def _entropy(weights: NDArray[np.float64]) -> float:
    probabilities = weights / weights.sum()
    possible = probabilities[probabilities > 0]
    return float((possible * -np.log2(possible)).sum()) + 0.0  # never the negative zero


def _whole(name: str, value: int) -> int:
    """Return `value` as a Python integer; raise ParameterError unless it counts something."""
    try:
        count = operator.index(value)
    except TypeError:
        raise ParameterError(f"{name} is {value!r}, expected a whole number; pass an int") from None
    if count < 1:
        raise ParameterError(f"{name} is {count}, expected at least 1")
    return count


def _check_sizes(q_bits: float, sigma: float) -> None:
    if not 1 <= q_bits < math.inf:
        raise ParameterError(f"q_bits is {q_bits}, expected log2 of the modulus, a finite number >= 1; pass log2(q)")
    if not 0 <= sigma < math.inf or (sigma and math.log2(sigma) > q_bits - 1):
        raise ParameterError(f"sigma is {sigma}, expected from 0 to q/2 = 2^{q_bits - 1:g}; it counts in units of 1")
