"""Primal attacks: they find the secret as a short vector of a lattice, or as the lattice vector close to a given point.

The notation is that of `encnn.security.reduction`.  The lattice has dimension d, uses d - n samples and has volume
V = xi^n q^(d - n).  The vector to find is (e, xi s), whose entries all have deviation sigma: the factor xi = sigma / sigma_s
scales a small secret to the size of the noise [BG14].

**uSVP.**  The vector is put into the lattice, which then has dimension d + 1.  BKZ finds it as soon as [ADPS16, AGVW17]

    sigma sqrt(beta) <= delta^(2 beta - d - 1) V^(1/d)          (d, V: those of the lattice with the vector in it).

**BDD** [LN13].  BKZ with a smaller block runs first.  Then one SVP call runs in the projection to the last eta dimensions.  It
needs the smallest eta for which the projected vector is shorter than all others there:

    sigma sqrt(eta + 1) <= gh(eta + 1) (V_eta sigma)^(1 / (eta + 1)),   V_eta = V^(eta/d) delta^(-eta (d - eta)),

where gh(k) = Gamma(k/2 + 1)^(1/k) / sqrt(pi) is the length of the shortest vector of a lattice of volume 1.  Lifting the
projection to the secret costs next to nothing, and we assume that it succeeds.

References: see `encnn.security.estimate`.
"""

import math

import numpy as np

from encnn.security.instance import BETA, LOG_DELTA, AttackCost, Bits, Instance, least
from encnn.security.reduction import reduction_bits, root_hermite_factor

USVP = "primal uSVP"
BDD = "BDD"

_SMALLEST_FRACTION = 80  # least dimension tried, in percent of the one with the shortest vectors


def usvp(lwe: Instance, model: str) -> AttackCost:
    """Return the cheapest uSVP attack: for each block size, the smallest dimension that meets the condition.

    With D = log2 delta, d times the logarithm of the condition is -D d^2 + b d - c >= 0.  So d lies between the two roots.
    """
    b = (2 * BETA - 1) * LOG_DELTA + lwe.q_bits - lwe.log_sigma - np.log2(BETA) / 2
    c = (lwe.n + 1) * lwe.q_bits - lwe.n * lwe.log_xi - lwe.log_sigma
    discriminant = b * b - 4 * LOG_DELTA * c
    root = np.sqrt(np.maximum(discriminant, 0))
    # 2 c / (b + root) and not (b - root) / (2 D): a difference of two nearly equal numbers would lose digits
    first = 2 * c / np.maximum(b + root, 1e-9)  # b + root <= 0: the last root is negative, so no dimension fits
    last = (b + root) / (2 * LOG_DELTA)
    # a larger d only costs more: take the first one with a sample and with room for a block
    d = np.maximum(np.ceil(first), np.maximum(lwe.n + 2, BETA + 1))
    possible = (discriminant >= 0) & (d <= np.minimum(last, lwe.n + lwe.samples + 1))
    bits = np.where(possible, reduction_bits(model, BETA, d), np.inf)
    i = int(np.argmin(bits))
    return lwe.cost(USVP, model, bits[i], BETA[i], d[i], d[i] - lwe.n - 1)


def bdd(lwe: Instance, model: str, largest_block: int) -> AttackCost:
    """Return the cheapest BDD attack with block sizes up to that of uSVP; from there on the SVP call is not needed."""

    def bits(beta: Bits, percent: Bits) -> Bits:
        d = _bdd_dimension(lwe, beta, percent)
        svp = _svp_dimension(lwe, beta, d)
        # the two phases follow each other, so their costs add
        cost = np.logaddexp2(reduction_bits(model, beta, d), reduction_bits(model, svp, svp))
        return np.where((svp <= d + 1) & (d > lwe.n) & (d <= lwe.n + lwe.samples), cost, np.inf)

    cheapest, (beta, percent) = least(bits, [(2, max(largest_block, 2)), (_SMALLEST_FRACTION, 100)])
    return lwe.cost(BDD, model, cheapest, beta, float(_bdd_dimension(lwe, np.array(beta), np.array(percent))))


def _bdd_dimension(lwe: Instance, beta: Bits, percent: Bits) -> Bits:
    """Return this percentage of the dimension in which BKZ finds the shortest vectors, or the largest that samples allow."""
    shortest = np.sqrt(lwe.n * max(lwe.q_bits - lwe.log_xi, 0.0) / np.log2(root_hermite_factor(beta)))
    return np.maximum(beta, np.floor(np.minimum(percent / 100 * shortest, lwe.n + lwe.samples)))


def _svp_dimension(lwe: Instance, beta: Bits, d: Bits) -> Bits:
    """Return the smallest eta + 1 that meets the condition of BDD, by bisection; d + 2 if none does."""
    log_delta = np.log2(root_hermite_factor(beta))
    log_root = ((d - lwe.n) * lwe.q_bits + lwe.n * lwe.log_xi) / d
    # bisection of all points of the grid at once: k = low never meets the condition, k = high does (or is d + 2)
    low, high = np.full(np.broadcast(beta, d).shape, 2.0), d + 2 + 0 * beta
    for _ in range(math.ceil(math.log2(max(float(high.max()), 4)))):
        k = np.floor((low + high) / 2)
        volume = (k - 1) * (log_root - (d - k + 1) * log_delta) + lwe.log_sigma
        found = (volume + _log_gamma(k / 2 + 1)) / k - math.log2(math.pi) / 2 >= lwe.log_sigma + np.log2(k) / 2
        low, high = np.where(found, low, k), np.where(found, k, high)
    return high


def _log_gamma(x: Bits) -> Bits:
    """Return log2 of the gamma function for x >= 2, by Stirling's series, to 0.001."""
    return (x * np.log(x) - x - np.log(x / (2 * np.pi)) / 2 + 1 / (12 * x)) / math.log(2)
