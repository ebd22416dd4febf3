"""Dual attacks: short vectors y of the dual lattice turn samples into noisy equations that only the right secret fulfils.

The notation is that of `encnn.security.primal`.

**Dual** [MR09, ADPS16].  A vector (x, y / xi), y = A^T x mod q, of length l = rho delta^d (q / xi)^(n/d) uses d - n samples.
It tells b from uniform with advantage a = exp(-2 pi^2 tau^2), tau = l sigma / q.  The attack needs 2 log(50) / a^2 such vectors
to be right in 99 of 100 cases.

**Dual hybrid** [GJ21, MATZOV22].  The attack splits the secret into three parts.  It guesses k_enum entries, searches k_fft
entries modulo p, all at once by a Fourier transform, and removes the other k_lat by lattice reduction.  With m samples,
d = m + k_lat and

    tau = sqrt(4/3) sqrt(beta / (2 pi e)) delta^(d - beta) sigma^(m/d) (sigma_s q)^(k_lat/d) / q

it needs, where G is the number of guesses of the first part,

    N = exp(4 pi^2 tau^2 + k_fft / 3 (pi sigma_s / p)^2) (log G + k_fft log p + log 2)

vectors.  It pays for sampling them, and G (2^10 k_fft p^(k_fft + 1) + 640 N) for the tables and their transforms.  It is
counted in two variants:

- "dual hybrid" is the attack as published and as in the public lattice-estimator.  It has m = n, and it guesses in the order of
  likelihood of a Gaussian secret: G = 2^(H k_enum) guesses and a little more work.
- "refined dual hybrid" is cheaper by up to six bits.  It takes the m that makes the vectors shortest.  If a secret has few and
  equally likely values, it tries all of them: G = 3^k_enum for a ternary secret, 2^k_enum for a binary one, and
  (l + 1)^(k_enum / l) for blocks of l bits.

**These heuristics are contested.**  The counts assume that the scores of wrong guesses are independent; [DP23] show where this
contradicts itself, and that wrong guesses then win, for parameters like those of [MATZOV22].  A variant analysed without this
assumption [CMST25] is claimed to cost a few bits more.  The numbers here assume that the attack works as claimed, which is the
cautious side.

References: see `encnn.security.estimate`.
"""

import math
from typing import NamedTuple

import numpy as np

from encnn.security.instance import BETA, LOG_DELTA, AttackCost, Bits, Instance, least
from encnn.security.reduction import root_hermite_factor, sampling_bits

DUAL = "dual"
HYBRID = "dual hybrid"
REFINED = "refined dual hybrid"

_LOG_E = math.log2(math.e)
_LOG_SQUARES = 2 * math.log2(math.pi)
_LOG_CERTAIN = math.log2(2 * math.log(50))  # log2 of vectors times squared advantage, to be right in 99 of 100 cases
_LOG_MULTIPLY = 10.0  # log2 of the gates of one product in a transform: 32^2 [MATZOV22]
_LOG_UPDATE = math.log2(640)  # log2 of the gates to update one input of a transform: 4 * 5 * 32
_LARGEST_PART = 1024  # most entries guessed or searched: 2^1024 cases are out of reach
_SMALLEST_BLOCK = 40
_SMALLEST_N = 40  # below this dimension the attack is not counted


class Variant(NamedTuple):
    """A dual hybrid attack: how it guesses entries of a secret, and how many samples it takes."""

    attack: str  # its name
    samples: int | None  # the number of samples; None: the number that makes the vectors shortest
    length: int  # the number of entries in a unit, which is guessed as a whole
    work: float  # bits of work per unit
    log_guesses: float  # natural logarithm of the guesses per unit, which the vectors must tell apart
    overhead: float  # bits of work that do not depend on the number of units


def dual(lwe: Instance, model: str) -> AttackCost:
    """Return the cheapest dual attack: for each block size, the dimension with the shortest vectors."""
    log_volume = lwe.n * max(lwe.q_bits - lwe.log_xi, 0.0)
    # d log2 delta + log_volume / d is least at d = sqrt(log_volume / log2 delta): more samples lengthen the vectors again
    shortest = np.ceil(np.sqrt(log_volume / LOG_DELTA))
    largest = lwe.n + lwe.samples
    d = np.minimum(np.maximum(shortest, np.maximum(lwe.n + 1, BETA)), largest)
    possible = d >= np.maximum(lwe.n + 1, BETA)
    d = np.maximum(d, 1)  # impossible dimensions stay in the array, so they must not divide by zero
    cost, log_supply, sieve = sampling_bits(model, BETA, d)
    # the sieve gives many vectors; rho is how much longer they are than the shortest vector of BKZ
    log_rho = math.log2(4 / 3) / 2 + (sieve - 1) * (np.log2(root_hermite_factor(np.maximum(sieve, 2))) - LOG_DELTA)
    log_tau = log_rho + d * LOG_DELTA + log_volume / d + lwe.log_sigma - lwe.q_bits
    # 1 / a^2 = exp(4 pi^2 tau^2); the limit of 100 avoids an overflow, and such costs are never the least
    log_vectors = 4 * _LOG_E * 2 ** np.minimum(2 * log_tau + _LOG_SQUARES, 100) + _LOG_CERTAIN
    # one reduction gives 2^log_supply vectors; if the attack needs more, it pays for more reductions
    bits = np.where(possible, cost + np.maximum(log_vectors - log_supply, 0), np.inf)
    i = int(np.argmin(bits))
    return lwe.cost(DUAL, model, bits[i], BETA[i], d[i])


def dual_hybrid(lwe: Instance, model: str, variant: Variant, largest_block: int) -> AttackCost:
    """Return the cheapest dual hybrid attack of this variant with block sizes up to the largest."""
    if lwe.n < _SMALLEST_N or lwe.samples < 1:
        return AttackCost(variant.attack, model, math.inf)
    moduli = _moduli(lwe)

    def bits(beta: Bits, units: Bits, k_fft: Bits) -> Bits:
        k_lat = lwe.n - variant.length * units - k_fft
        d = _dimension(lwe, variant, beta, k_lat)
        possible = (k_lat >= 0) & (d >= beta)
        d = np.maximum(d, beta)  # impossible settings keep valid numbers here; their cost becomes infinite below
        log_sampling, log_supply, _ = sampling_bits(model, beta, d)
        squared = _LOG_E * 4 * 2 ** np.minimum(2 * _log_tau(lwe, beta, d, k_lat) + _LOG_SQUARES, 100)

        def bits_modulo(p: float) -> Bits:
            # each guess pays for one transform, and for one update of its input per vector
            log_n = squared + _log_vectors(lwe, variant, p, units, k_fft)
            guessing = variant.overhead + variant.work * units + np.logaddexp2(_log_transform(p, k_fft), _LOG_UPDATE + log_n)
            return np.logaddexp2(log_sampling + np.maximum(log_n - log_supply, 0), guessing)

        # a small p makes the transform cheap, but it blurs the secret, so more vectors are needed: take the best p
        costs = [bits_modulo(p) for p in moduli]
        return np.where(possible, np.min(costs, axis=0), np.inf)

    part = min(lwe.n, _LARGEST_PART)
    ranges = [(_SMALLEST_BLOCK, max(largest_block, _SMALLEST_BLOCK)), (0, part // variant.length), (0, part)]
    cheapest, (beta, units, k_fft) = least(bits, ranges)
    k_lat = lwe.n - variant.length * units - k_fft
    d = float(_dimension(lwe, variant, np.array(beta), np.array(k_lat)))
    return lwe.cost(variant.attack, model, cheapest, beta, d, d - k_lat)


def _dimension(lwe: Instance, variant: Variant, beta: Bits, k_lat: Bits) -> Bits:
    """Return d = m + k_lat, with the variant's m or with the m that makes the vectors shortest."""
    if variant.samples is not None:
        return k_lat + min(variant.samples, lwe.samples) + 0 * beta  # 0 * beta gives the result the shape of the grid
    log_volume = np.maximum(k_lat, 0) * max(lwe.q_bits - lwe.log_xi, 0.0)
    shortest = np.floor(np.sqrt(log_volume / np.log2(root_hermite_factor(beta))))
    return np.clip(np.maximum(shortest, beta), k_lat + 1, k_lat + lwe.samples)


def _log_tau(lwe: Instance, beta: Bits, d: Bits, k_lat: Bits) -> Bits:
    """Return log2 of tau, by the formula of the module."""
    log_length = (
        math.log2(4 / 3) / 2 + np.log2(beta / (2 * math.pi * math.e)) / 2 + (d - beta) * np.log2(root_hermite_factor(beta))
    )
    log_entries = ((d - k_lat) * lwe.log_sigma + k_lat * (lwe.secret.log_deviation + lwe.q_bits)) / d
    return log_length + log_entries - lwe.q_bits


def _log_vectors(lwe: Instance, variant: Variant, p: float, units: Bits, k_fft: Bits) -> Bits:
    """Return log2 of the factors of N that do not depend on the lattice: the blur by p, and the guesses to tell apart."""
    modulus = k_fft / 3 * (math.pi * 2**lwe.secret.log_deviation / p) ** 2
    return _LOG_E * modulus + np.log2(variant.log_guesses * units + k_fft * math.log(p) + math.log(2))


def _log_transform(p: float, k_fft: Bits) -> Bits:
    """Return log2 of the cost of one transform modulo p."""
    return _LOG_MULTIPLY + np.log2(np.maximum(k_fft, 1e-9)) + (k_fft + 1) * math.log2(p)


def _moduli(lwe: Instance) -> list[float]:
    """Return the moduli p to try, each a quarter larger than the last: from a p that blurs the secret to one that does not."""
    deviation = 2.0**lwe.secret.log_deviation
    moduli = [max(2.0, round(1.5 * deviation))]
    while moduli[-1] < min(max(6.0, 12 * deviation), 2.0**lwe.q_bits):
        moduli.append(max(moduli[-1] + 1, round(1.25 * moduli[-1])))
    return moduli


def variants(lwe: Instance) -> list[Variant]:
    """Return the published variant and the refined one."""
    secret = lwe.secret
    published = _published(2**secret.log_deviation, lwe.n)
    if not secret.cases:  # the values cannot all be tried: guess in order of likelihood, as published
        return [published, published._replace(attack=REFINED, samples=None)]
    return [published, Variant(REFINED, None, secret.block, math.log2(secret.cases), math.log(secret.cases), 0.0)]


def _published(deviation: float, samples: int) -> Variant:
    """Return the variant of [MATZOV22, theorem 7.6]; the entropy H is in bits there, in both places where it occurs."""
    alpha = (math.pi * deviation) ** 2
    entropy = (0.5 + math.log(math.sqrt(2 * math.pi) * deviation) - math.log(math.tanh(alpha))) * _LOG_E
    excess = 8 * alpha * math.exp(-2 * alpha) * math.tanh(alpha) * _LOG_E + 1 - _LOG_E / 2
    overhead = -math.log2(-math.expm1(-1 / (2 * deviation**2)))
    return Variant(HYBRID, samples, 1, entropy + excess, max(entropy, 0.0), overhead)
