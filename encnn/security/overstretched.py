"""NTRU with a large modulus is weaker than LWE with the same one: the cost of the attacks for which libraries dropped YASHE.

An NTRU key h = g / f mod q hides two small polynomials.  The lattice {(x, y): y = h x mod q} of dimension 2 n and volume q^n
contains (f, g) and all X^i (f, g).  So it has not one short vector, as for LWE, but a sublattice of rank n that is denser than
the rest.  For small q that does not help an attacker.  For q beyond about n^2.48, called *overstretched*, lattice reduction
meets the dense sublattice long before it could find a single key:

- **dense sublattice** [KF17, DvW21].  A basis reduced with block size beta has the profile b_i of `profile`.  The dense
  sublattice D of volume V meets the span of the first n + k basis vectors in rank k and volume

      V_k = V prod_(j = k .. n-1) p_j / b_(n+j),     log p_j = (psi((j + 1) / 2) - psi((n + j + 1) / 2)) / 2,

  where p_j is the share of a dual vector that is left after a projection removes n of its n + j + 1 dimensions (psi is the
  digamma function).  The shortest vector of this part has length gh(k) V_k^(1/k).  Reduction finds it as soon as its projection
  fits into the last block,

      sqrt(beta / (n + k)) gh(k) V_k^(1/k) <= b_(n+k-beta)     for some k,     gh(k) = sqrt(k / (2 pi e)).

  The volume of D is that of n conjugates, log V = n/2 (log(n sigma^2) + 1 - gamma).  No ring is needed, so rings without
  subfields do not help.
- **subfield** [ABD16, CJL16].  The norm of f to the subfield of degree n / 2^r is a product of 2^r conjugates.  If q is large,
  the norm is still smaller than q^(1/2), and it is an NTRU key of dimension n / 2^r.  Power-of-two cyclotomic fields have such
  a subfield for every r.
- **secret key recovery**.  This is the same as for LWE with a ternary key and ternary noise, see `estimate`.

[DvW21] measured the *fatigue point*, where the first attack becomes cheaper than the last: q = 0.004 n^2.484 for ternary keys.

YASHE's f = t f' + 1 is larger than a ternary polynomial by a factor of t.  An attacker scales the first half of the lattice by
1 / t.  This leaves a dense sublattice of ternary size in a lattice of volume (q / t)^n.  So q / t is the modulus that counts.

The conditions are the published ones.  They use the geometric series assumption for the profile, and they take the mean where
an attack may succeed earlier by luck.  The attack becomes cheaper than key recovery within one bit of log2 q of the published
fatigue point.  Its block sizes are within 3 % of those that the public lattice-estimator predicts, there and far beyond.  To be
on the cautious side of both, the sublattice attacks are counted for a log2 q that is larger by `CAUTION_BITS`.

References: [ABD16] Albrecht, Bai, Ducas, "A subfield lattice attack on overstretched NTRU assumptions", CRYPTO 2016.  [CJL16]
Cheon, Jeong, Lee, LMS J. Comput. Math. 2016.  [KF17] Kirchner, Fouque, "Revisiting lattice attacks on overstretched NTRU
parameters", EUROCRYPT 2017.  [DvW21] Ducas, van Woerden, "NTRU fatigue: how stretched is overstretched?", ASIACRYPT 2021.
"""

import math
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from encnn.errors import ParameterError
from encnn.security.estimate import CORE_SVP_SLOPE, MODELS, AttackCost, estimate, root_hermite_factor
from encnn.security.instance import result_columns
from encnn.security.known import Costs, known_costs
from encnn.security.reduction import reduction_bits

TERNARY_DEVIATION = math.sqrt(2 / 3)
EULER_GAMMA = 0.5772156649015329
CAUTION_BITS = 1.0
"""The sublattice attacks are counted for log2 q plus this number."""

_SMALLEST_BLOCK = 2
_LOG_E = math.log2(math.e)


@dataclass(frozen=True)
class NtruEstimate:
    """The security of an NTRU key of dimension n modulo q = 2^q_bits with f = t f' + 1, f' and g ternary."""

    n: int  # the dimension
    q_bits: float  # log2 of the modulus
    t_bits: float  # log2 of t
    costs: tuple[AttackCost, ...] = field(repr=False)  # of every attack, in the cost model in which it is cheapest

    @property
    def best(self) -> AttackCost:
        """The cheapest attack."""
        return min(self.costs, key=lambda cost: cost.bits)

    @property
    def bits(self) -> float:
        """Bits of security against the cheapest attack."""
        return self.best.bits

    @property
    def core_svp_bits(self) -> float:
        """Bits in the model "core-SVP" of the attack that `best` names; infinite if it uses no lattice."""
        return CORE_SVP_SLOPE * self.best.block_size if self.best.block_size else math.inf

    @property
    def columns(self) -> dict[str, object]:
        """The columns about security in a table of results."""
        return result_columns(self.best, self.core_svp_bits)

    @property
    def overstretched(self) -> bool:
        """Whether q / t lies beyond the fatigue point."""
        return self.q_bits - self.t_bits > fatigue_bits(self.n)

    def __str__(self) -> str:
        """Return one line: bits, with the attack and the cost model that decide, and parameters."""
        stretched = ", overstretched" if self.overstretched else ""
        return (
            f"{self.best}; block size {self.best.block_size}; "
            f"NTRU n={self.n}, log2 q={self.q_bits:g}, log2 t={self.t_bits:g}{stretched}"
        )


@cache
def estimate_ntru(n: int, q_bits: float, t_bits: float = 0.0) -> NtruEstimate:
    """Return the security of YASHE's public key; t_bits is log2 t, 0 for plain NTRU.

    >>> print(estimate_ntru(4096, 54.0, 17.0))  # doctest: +ELLIPSIS
    194.5 bits (dense sublattice, MATZOV); block size 575; NTRU n=4096, ..., overstretched
    """
    if n < 16 or not q_bits > t_bits >= 0:
        raise ParameterError(f"n={n}, q_bits={q_bits}, t_bits={t_bits}: expected n of 16 or more and q > t >= 1")
    costs = known_costs("NTRU", n, q_bits, t_bits) or ntru_costs(n, q_bits, t_bits)
    return NtruEstimate(n, q_bits, t_bits, costs)


def ntru_costs(n: int, q_bits: float, t_bits: float) -> Costs:
    """Return the cost of each attack, in the model in which it is cheapest, computed anew (see `estimate_ntru`)."""
    # h = g / f is one ring sample, which is n LWE samples
    key = estimate(n, q_bits, TERNARY_DEVIATION, "ternary", samples=n).best()
    return (
        replace(key, attack=f"key recovery ({key.attack})"),
        dense_sublattice(n, q_bits - t_bits + CAUTION_BITS),
        subfield(n, q_bits - t_bits + CAUTION_BITS),
    )


def fatigue_bits(n: int) -> float:
    """Return log2 of the modulus 0.004 n^2.484 beyond which ternary NTRU is overstretched [DvW21].

    >>> [round(fatigue_bits(n), 1) for n in (4096, 32768)]
    [21.8, 29.3]
    """
    return math.log2(0.004) + 2.484 * math.log2(n)


def dense_sublattice(n: int, q_bits: float) -> AttackCost:
    """Return the cost of meeting the dense sublattice of a ternary key."""
    # log2 of V^(1/n): in the formula of the module log V has n times this, in natural units
    log_norm = (math.log(n * TERNARY_DEVIATION**2) + 1 - EULER_GAMMA) * _LOG_E / 2
    return _cost("dense sublattice", n, _smallest_block(n, q_bits, n * log_norm))


def subfield(n: int, q_bits: float) -> AttackCost:
    """Return the cheapest attack through a subfield: it meets the dense sublattice of the norms of f and g, for n / 2^r.

    A norm is a product of 2^r conjugates, so its length is about (TERNARY_DEVIATION sqrt(n))^(2^r).
    """
    costs = []
    for r in range(1, int(math.log2(n)) - 3):
        m = n >> r
        log_norm = 2**r * math.log2(TERNARY_DEVIATION * math.sqrt(n)) + 0.5
        if log_norm < q_bits / 2:  # a longer norm is no short vector, so this subfield is too small
            costs.append(_cost(f"subfield of degree {m}", m, _smallest_block(m, q_bits, m * log_norm)))
    return min(costs, key=lambda cost: cost.bits, default=AttackCost("subfield", MODELS[0], math.inf))


def profile(n: int, q_bits: float, block_size: float) -> np.ndarray:
    """Return log2 of the Gram-Schmidt lengths of a reduced basis of the lattice of dimension 2 n, volume q^n.

    It is the geometric series log2 b_i = q_bits / 2 + (2 n - 1 - 2 i) log2 delta, cut off at q and 1.  Those are the lengths
    before reduction, which reduction only brings closer to each other.
    """
    slope = math.log2(float(root_hermite_factor(block_size)))
    return np.clip(q_bits / 2 + (2 * n - 1 - 2 * np.arange(2 * n)) * slope, 0.0, q_bits)


def finds_dense_sublattice(n: int, q_bits: float, log_volume: float, block_size: int) -> bool:
    """Return whether reduction with this block size meets a sublattice of rank n and volume 2^log_volume (see the module)."""
    b = profile(n, q_bits, block_size)
    k = np.arange(1, n + 1)
    lost = b[n + 1 :] - (_digamma_bits(k[1:] / 2) - _digamma_bits((n + k[1:]) / 2)) / 2
    # log2 of V / V_k for every k at once: sums over j = k .. n - 1 are cumulative sums from the end; k = n has none
    rest = np.concatenate([np.cumsum(lost[::-1])[::-1], [0.0]])
    log_gh = np.log2(np.maximum(k / (2 * math.pi * math.e), 1.0)) / 2
    # the projection keeps block_size of n + k dimensions, so it shortens a vector by sqrt(block_size / (n + k))
    projected = 0.5 * np.log2(np.minimum(block_size / (n + k), 1.0)) + log_gh + (log_volume - rest) / k
    return bool((projected <= b[np.maximum(n + k - block_size, 0)]).any())


def _smallest_block(n: int, q_bits: float, log_volume: float) -> int | None:
    """Return the smallest block size that meets the dense sublattice, by bisection, or None if there is no such size."""
    low, high = _SMALLEST_BLOCK, n
    if not finds_dense_sublattice(n, q_bits, log_volume, high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if finds_dense_sublattice(n, q_bits, log_volume, middle) else (middle, high)
    return high


def _digamma_bits(x: np.ndarray) -> np.ndarray:
    """Return the digamma function of x >= 1 in bits, by its asymptotic series, with errors below 0.01."""
    return (np.log(x) - 1 / (2 * x) - 1 / (12 * x * x)) * _LOG_E


def _cost(attack: str, n: int, block_size: int | None) -> AttackCost:
    """Return the cost of one reduction with this block size, in the cost model that makes it cheapest."""
    if block_size is None:
        return AttackCost(attack, MODELS[0], math.inf)
    bits, model = min((float(reduction_bits(model, block_size, 2 * n)), model) for model in MODELS)
    return AttackCost(attack, model, bits, block_size, 2 * n)
