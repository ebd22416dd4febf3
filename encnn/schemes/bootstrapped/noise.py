"""The predicted noise of every step: variances in squares of the torus, where q = 2^32 counts as 1.

For a key in blocks of m bits, of which 1 / (m + 1) are set, digits of b bits with mean square D = (2^(2 b) + 2) / 12 and l
levels:

    key switch       (d - n) ( l D lwe_sigma^2  +  (2^(-2 b l) + 2^-63) / 12 / (m + 1) )  digits; what they leave away
    modulus switch   (1 + n / (m + 1)) / 12 / (2 N)^2
    rotation         n / m [ P glwe_sigma^2                                               the key's noise
                           + (1 + h) ( (2^(-2 b l) + 2^-63) / 12                          what digits leave away
                                           + 2^-64 / 12                                   the accumulator's rounding
                                           + P / 12 (FFT_ERROR 2^-53)^2 ) ]               float64
                     with P = 2 m (k+1) l N D: digits times m keys, each times X^a - 1, whose mean square is 2
                     and h = k N / (m + 1), the number of ones in S
    trace            in a number with j = 0     sum over steps s = 0 .. log2 N - 1 of  4^(log2 N - 1 - s) V_s
                     in one with 2^v the largest power of two in j    sum over s >= v of  2^(log2 N - 1 - s) V_s
                     and (1 + h) 2^-64 / 12 in each                   the rounding to 2^-32
                     with V_s = k l N D glwe_sigma^2  +  h * left away  +  (1 + h) (unit^2 / 12
                                + k l N D / 12 (FFT_ERROR 2^-53)^2 )              of a key switch, for the trace's digits

The first two move the place at which a table is read.  The third is the noise of the result, and it does not depend on the
input.  The trace adds noise to the result and to all other weights of a block.  In its first step masks are N times smaller
than later, since the torus has just been refined.  So the digits of their upper log2 N bits are zero, or nearly
(`_first_digits`).  Each later step doubles the noise of the number with j = 0; other numbers get independent noise.

**In training** the error e_r of review r's bootstrap reaches all words of r, so the noises of weights are correlated.  For
another review r' with words in common,

    Var z' <= (sigma_out^2 + (a sigma_in / 4)^2) sum_r |r and r'|^2 = (...) |X x'|^2            (open loop)

`TrainingNoise` predicts this.  The second term is the noise of the place at the learning rate a: the table of a sigmoid(z) is
nowhere steeper than a / 4.  The trace adds  sum_r sum_j c_r(j)^2 trace_j.  Here c_r(j) are the coefficients of the sum over
blocks of (sum_i x_i X^i) (sum_i x'_i X^-i).  They count how often r' reads what r left j places away; c_r(0) is |r and r'|.
With multipliers of steps, x_i becomes m_i x_i in r.  A review of width s has a / s^2 instead of a.  In practice the sum is a
bound, because later steps see the noise in z and correct part of it.

[CGGI20] Chillotti, Gama, Georgieva, Izabachene, J. Cryptology 2020, section 4, gives the first three for random digits.
"""

import math
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise, product

import numpy as np
from scipy.sparse import csr_array
from scipy.special import ndtr

from encnn.arithmetic.sampling import TAIL
from encnn.data.batches import Conditioned, TrainingFeatures
from encnn.data.inputs import features_of
from encnn.errors import ParameterError
from encnn.schemes.bootstrapped.parameters import TORUS_BITS, BootstrappedParameters
from encnn.schemes.bootstrapped.tables import unit

FFT_ERROR = 3.85
"""Relative deviation of a sum of products that float64 transforms compute, in units of 2^-53.  It is measured (in the tests) in
phases under keys in blocks of four for N = 1024; compiled loops have a little more of it than numpy.  Phases under keys of
uniform bits have a tenth less."""

ERROR_NOISE = 0.25
"""Largest deviation of a bootstrap's noise in sigmoid - y, of which 1/2 is a typical size."""
MAX_LEVELS = 4
"""Largest number of levels of rotation digits that error messages advise."""
_SAMPLE = 128
"""Number of reviews on which the growth of noise in z is computed."""

_FEW = 24
"""Number of reviews, on either side, from which the noise that traces add to other coefficients is computed."""


def key_switch(p: BootstrappedParameters) -> float:
    """Return the variance that the key switch adds."""
    digits = p.switch_levels * _digit_square(p.switch_bits) * p.lwe_sigma**2
    return (p.d - p.n) * (digits + _rounding(p.switch_bits * p.switch_levels) / (p.block + 1))


def modulus_switch(p: BootstrappedParameters, outputs: int = 1) -> float:
    """Return the variance that rounding to positions adds, if a table of several outputs shares them."""
    return (1 + p.n / (p.block + 1)) / 12 / (2 * p.N / outputs) ** 2


def table_input(p: BootstrappedParameters, outputs: int = 1) -> float:
    """Return the variance of the place at which tables are read together, for an input without noise."""
    return key_switch(p) + modulus_switch(p, outputs)


def rotation(p: BootstrappedParameters) -> float:
    """Return the variance of what a bootstrap returns."""
    products = 2 * p.block * (p.k + 1) * p.rotation_levels * p.N * _digit_square(p.rotation_bits)
    left_away = _rounding(p.rotation_bits * p.rotation_levels)
    phase = 1 + p.ones
    each = left_away + 2.0**-64 / 12 + products / 12 * (FFT_ERROR * 2.0**-53) ** 2
    return p.n / p.block * (products * p.glwe_sigma**2 + phase * each)


def trace(p: BootstrappedParameters) -> np.ndarray:
    """Return the variance that a trace adds to each coefficient, shape (N,)."""
    j, last = np.arange(p.N), p.N.bit_length() - 2
    steps = np.array([_automorphism(p, first=s == 0) for s in range(last + 1)])
    left = 2.0 ** (last - np.arange(last + 1))
    of_valuation = np.cumsum((left * steps)[::-1])[::-1]
    valuation = np.log2(np.maximum(j & -j, 1)).astype(int)
    return np.where(j, of_valuation[valuation], (left**2) @ steps) + (1 + p.ones) * 2.0**-64 / 12


@cache  # training asks for it in every step
def trace_bound(p: BootstrappedParameters) -> float:
    """Return a bound on what a trace adds to any coefficient, in units of 2^-32 of the torus."""
    return TAIL * math.sqrt(trace(p).max()) * 2.0**32 + 0.5


def _automorphism(p: BootstrappedParameters, first: bool) -> float:
    """Return the variance that the key switch of an automorphism adds in the trace."""
    squares = _first_digits(p) if first else p.trace_levels * _digit_square(p.trace_bits)
    products = p.k * p.N * squares
    left_away = p.ones * _rounding(p.trace_bits * p.trace_levels, 32 + p.N.bit_length() - 1)
    each = unit(p.N) ** 2 / 12 + products / 12 * (FFT_ERROR * 2.0**-53) ** 2
    return products * p.glwe_sigma**2 + left_away + (1 + p.ones) * each


def _first_digits(p: BootstrappedParameters) -> float:
    """Return the sum of mean squares of the digits of a mask in the first step: its upper log2 N bits are its sign."""
    kept = [min(p.trace_bits, p.trace_bits * (t + 1) - p.N.bit_length() + 1) for t in range(p.trace_levels)]
    return sum(_digit_square(bits) for bits in kept if bits > 0)


def input_deviation(p: BootstrappedParameters) -> float:
    """Return the standard deviation of the place at which a table is read, in units of z."""
    return math.sqrt(table_input(p)) * 2.0**p.z_bits


def output_deviation(p: BootstrappedParameters) -> float:
    """Return the standard deviation of what a bootstrap returns, in units of z."""
    return math.sqrt(rotation(p)) * 2.0**p.z_bits


def error_deviation(p: BootstrappedParameters) -> float:
    """Return the standard deviation of what a bootstrap and a trace add to the weights of a review, in units of z."""
    return math.sqrt(rotation(p) + trace(p)[0]) * 2.0**p.z_bits


def output_bound(p: BootstrappedParameters) -> float:
    """Return a bound on the noise of what a bootstrap returns, like other bounds in units of 2^-32 of the torus."""
    return TAIL * math.sqrt(rotation(p)) * 2.0**32 + 0.5


def misread_probability(p: BootstrappedParameters, z: np.ndarray, limit: float | None = None, noise: float = 0.0) -> float:
    """Return the probability that a table is read beyond +-limit, for scores spread like z, an array.

    limit: z_half by default, where sigmoid(z) - 1/2 stops rising; 2 z_half is where it turns its sign.  noise: deviation of
    the noise in z itself, in units of z.  The place read is z + e with e Gaussian:  mean over z of
    Phi((-limit - z) / s) + Phi((z - limit) / s),  s^2 = noise^2 + `input_deviation`^2.
    """
    limit = p.z_half if limit is None else limit
    s = math.hypot(noise, input_deviation(p))
    z = np.asarray(z, dtype=np.float64)
    return float(np.mean(ndtr((-limit - z) / s) + ndtr((z - limit) / s)))


@dataclass(frozen=True)
class TrainingNoise:
    """The growth of the noise in scores while training on these reviews."""

    variance_per_epoch: float  # mean over reviews r' of the bound on Var z', per epoch, in squares of z
    limit: float  # the deviation in z that a run may reach

    def deviation(self, epochs: float) -> float:
        """Return the predicted standard deviation of the noise in z after a number of epochs, in units of z."""
        return math.sqrt(epochs * self.variance_per_epoch)

    @property
    def epochs_allowed(self) -> float:
        """Epochs until the limit."""
        return self.limit**2 / self.variance_per_epoch if self.variance_per_epoch else math.inf

    def check(self, epochs: float) -> None:
        """Raise `ParameterError` if a run of this many epochs passes the limit."""
        if epochs > self.epochs_allowed:
            raise ParameterError(
                f"{epochs:g} epochs would leave noise of {self.deviation(epochs):.3g} in the scores (one standard deviation), "
                f"above the limit of {self.limit:g}; these parameters allow {self.epochs_allowed:.3g} epochs on these reviews. "
                "Train fewer, or take parameters with more rotation levels"
            )


def training_noise(p: BootstrappedParameters, X: TrainingFeatures, rate: float, mean: bool = False) -> TrainingNoise:
    """Return the noise that an epoch over features X leaves in scores, from the formula above; the limit is z_half / 2.

    rate: the learning rate, the largest one if it decays.  mean: scores are means of rows, not sums.  The mean over r' is taken
    over reviews of X itself, evenly spread.
    """
    X = X if isinstance(X, Conditioned) else Conditioned(csr_array(features_of(X)))
    read = X.X[_spread(X.shape[0], _SAMPLE)].astype(np.float64)  # narrow integers would wrap
    if mean:
        read = csr_array(read.multiply(1 / np.maximum(abs(read).sum(axis=1), 1)[:, None]))
    left = _multiplied(X)
    narrow = np.ones(X.shape[0]) if X.widths is None else X.widths**-2
    of_an_error = error_deviation(p) ** 2 + (rate / 4 * input_deviation(p) * narrow) ** 2
    overlaps = left @ read.T
    squares = overlaps.multiply(overlaps).sum(axis=1) @ of_an_error / read.shape[0]
    return TrainingNoise(float(squares) + _beside(p, left, read), p.z_half / 2)


def _beside(p: BootstrappedParameters, left: csr_array, read: csr_array) -> float:
    """Return the variance per epoch that traces add to scores by other coefficients, from a few reviews on either side."""
    variances = trace(p) * 4.0**p.z_bits
    variances[0] = 0.0
    leaving, reading = (_entries(X[_spread(X.shape[0], _FEW)]) for X in (left, read))
    total = sum(float(_met(u, v, p.N) ** 2 @ variances) for u, v in product(leaving, reading))
    return total * left.shape[0] / len(leaving) / len(reading)


def _entries(X: csr_array) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (columns, values) of each row."""
    rows = pairwise(X.indptr)
    return [(X.indices[low:high], X.data[low:high]) for low, high in rows]


def _met(u: tuple[np.ndarray, np.ndarray], v: tuple[np.ndarray, np.ndarray], N: int) -> np.ndarray:
    """Return the coefficients of sum over blocks of (sum_i u_i X^i) (sum_j v_j X^-j), modulo X^N + 1: shape (N,)."""
    a, b = np.nonzero(u[0][:, None] // N == v[0] // N)
    met = np.bincount((u[0][a] - v[0][b]) % (2 * N), u[1][a] * v[1][b], minlength=2 * N)
    return met[:N] - met[N:]


def _multiplied(X: Conditioned) -> csr_array:
    """Return the features times the multipliers of their steps, float64."""
    left = X.X.astype(np.float64)
    return left if X.multipliers is None else csr_array(left.multiply(X.multipliers.astype(np.float64)[None]))


def _spread(reviews: int, count: int) -> np.ndarray:
    """Return `count` reviews, evenly spread."""
    return np.linspace(0, reviews - 1, min(count, reviews)).astype(int)


def check_plan(p: BootstrappedParameters, X: TrainingFeatures, epochs: int, rate: float) -> None:
    """Raise `ParameterError` if noise would drown the scores on features X after these epochs, or errors at the rate.

    A review of width s has errors rate / s (sigmoid - y); the median width counts.
    """
    training_noise(p, X, rate).check(epochs)
    widths = getattr(X, "widths", None)
    check_rate(p, rate if widths is None else rate / float(np.median(widths)))


def check_rate(p: BootstrappedParameters, rate: float) -> None:
    """Raise `ParameterError` if a bootstrap's noise would drown rate (sigmoid - y): if it is above `ERROR_NOISE` of the rate.

    The noise of a bootstrap does not depend on the table, so beside sigmoid - y it is `output_deviation` / rate.
    """
    deviation = output_deviation(p) / rate
    if deviation > ERROR_NOISE:
        finer = _finer_digits(p, ERROR_NOISE * rate)
        least = rounded_up(rate * deviation / ERROR_NOISE)
        digits = "" if finer is None else f", or take rotation_levels={finer[0]} with rotation_bits={finer[1]}"
        raise ParameterError(
            f"at learning rate {rate:g} a bootstrap of {p.name!r} adds noise of {deviation:.2g} to sigmoid - y (one standard "
            f"deviation), more than {ERROR_NOISE:g}; take a learning rate of {least:g} or more{digits}"
        )


def _finer_digits(p: BootstrappedParameters, deviation: float) -> tuple[int, int] | None:
    """Return the fewest levels of rotation digits that leave no more noise than this, and their best bits, if there are any."""
    for levels in range(p.rotation_levels + 1, MAX_LEVELS + 1):
        finer = [replace(p, rotation_levels=levels, rotation_bits=bits) for bits in range(1, (TORUS_BITS - 1) // levels + 1)]
        best = min(finer, key=output_deviation)
        if output_deviation(best) <= deviation:
            return levels, best.rotation_bits
    return None


def rounded_up(x: float) -> float:
    """Return x with two digits, rounded up."""
    unit = 10.0 ** (math.floor(math.log10(x)) - 1)
    return math.ceil(x / unit) * unit


def _digit_square(bits: int) -> float:
    """Return the mean square of a balanced digit, the mean being 0."""
    return (4.0**bits + 2) / 12


def _rounding(kept_bits: int, bits: int = 32) -> float:
    """Return the mean square of the error when numbers of `bits` bits are rounded to their upper `kept_bits`."""
    return (4.0**-kept_bits + 2 * 4.0**-bits) / 12 if kept_bits < bits else 0.0
