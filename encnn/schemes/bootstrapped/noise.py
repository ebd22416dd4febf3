"""Noise of every step, predicted: variances in squares of the torus, q = 2^32 being 1.

For a binary T, a small key in blocks of m bits, digits of b bits with mean square D = (2^(2 b) + 2) / 12 and l levels:

    key switch       d l D lwe_sigma^2  +  d / 2 * (2^(-2 b l) + 2^-63) / 12              digits; what they leave away
    modulus switch   (1 + n / (m + 1)) / 12 / (2 N)^2
    rotation         n / m [ P glwe_sigma^2                                               the key's noise
                           + (1 + k N / 2) ( (2^(-2 b l) + 2^-63) / 12                    what digits leave away
                                           + 2^-64 / 12                                   the accumulator's rounding
                                           + P / 12 (FFT_ERROR 2^-53)^2 ) ]               float64
                     with P = 2 m (k+1) l N D: digits times m keys, each times X^a - 1, whose mean square is 2

The first two move the place at which a table is read; the third is the noise of what comes out, and it is the same whatever
went in.  **In training** the error e_r of review r's bootstrap reaches all of its words, so the noises of weights are
correlated: for another review r' with words in common,

    Var z' <= (sigma_out^2 + (a sigma_in / 4)^2) sum_r |r and r'|^2 = (...) |X x'|^2            (open loop)

which is what `TrainingNoise` predicts.  The second term is the noise of the place, at the learning rate a: the table of
a sigmoid(z) is nowhere steeper than a / 4.  All of it is a bound in practice: later steps see the noise in z, and correct part.

[CGGI20] Chillotti, Gama, Georgieva, Izabachene, J. Cryptology 2020, section 4, has the first three for random digits.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.special import ndtr

from encnn.arithmetic.sampling import TAIL
from encnn.errors import ParameterError
from encnn.schemes.bootstrapped.parameters import Parameters

FFT_ERROR = 3.5
"""Deviation of a sum of products formed by transforms in float64, over that of the sum, in units of 2^-53: as measured in
phases under binary keys for N = 1024 (tests), the same in numpy and compiled.  Single coefficients are off by a tenth more."""

_SAMPLE = 128
"""Reviews on which the growth of noise in z is computed."""


def key_switch(p: Parameters) -> float:
    """Return the variance that the key switch adds."""
    digits = p.d * p.switch_levels * _digit_square(p.switch_bits) * p.lwe_sigma**2
    return digits + p.d / 2 * _rounding(p.switch_bits * p.switch_levels)


def modulus_switch(p: Parameters) -> float:
    """Return the variance that rounding to positions adds."""
    return (1 + p.n / (p.block + 1)) / 12 / (2 * p.N) ** 2


def table_input(p: Parameters) -> float:
    """Return the variance of the place at which a table is read, for an input without noise."""
    return key_switch(p) + modulus_switch(p)


def rotation(p: Parameters) -> float:
    """Return the variance of what a bootstrap returns."""
    products = 2 * p.block * (p.k + 1) * p.rotation_levels * p.N * _digit_square(p.rotation_bits)
    left_away = _rounding(p.rotation_bits * p.rotation_levels)
    phase = 1 + p.d / 2
    each = left_away + 2.0**-64 / 12 + products / 12 * (FFT_ERROR * 2.0**-53) ** 2
    return p.n / p.block * (products * p.glwe_sigma**2 + phase * each)


def input_deviation(p: Parameters) -> float:
    """Return the standard deviation of the place at which a table is read, in units of z."""
    return math.sqrt(table_input(p)) * 2.0**p.z_bits


def output_deviation(p: Parameters) -> float:
    """Return the standard deviation of what a bootstrap returns, in units of z."""
    return math.sqrt(rotation(p)) * 2.0**p.z_bits


def output_bound(p: Parameters) -> float:
    """Return a bound on the noise of what a bootstrap returns, like other bounds in units of 2^-32 of the torus."""
    return TAIL * math.sqrt(rotation(p)) * 2.0**32 + 0.5


def misread_probability(p: Parameters, z: np.ndarray, limit: float | None = None, noise: float = 0.0) -> float:
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
    """What training on these reviews does to scores: the growth of Var z' an epoch, in squares of z.

    variance_per_epoch: mean over reviews r' of the bound on Var z'.  limit: the deviation in z that a run may reach.
    """

    variance_per_epoch: float
    limit: float

    def deviation(self, epochs: float) -> float:
        """Return the predicted standard deviation of the noise in z after so many epochs, in units of z."""
        return math.sqrt(epochs * self.variance_per_epoch)

    @property
    def epochs_allowed(self) -> float:
        """Epochs until the limit."""
        return self.limit**2 / self.variance_per_epoch if self.variance_per_epoch else math.inf

    def check(self, epochs: float) -> None:
        """Raise `ParameterError` if a run of so many epochs passes the limit."""
        if epochs > self.epochs_allowed:
            raise ParameterError(
                f"{epochs:g} epochs would leave noise of {self.deviation(epochs):.3g} in the scores (one standard deviation), "
                f"above the limit of {self.limit:g}; these parameters allow {self.epochs_allowed:.3g} epochs on these reviews. "
                "Train fewer, or take parameters with more rotation levels"
            )


def training_noise(p: Parameters, X: np.ndarray | csr_array, rate: float) -> TrainingNoise:
    """Return the noise that an epoch over features X leaves in scores, from the formula above; the limit is z_half / 2.

    rate: the learning rate, the largest one if it decays.  The mean over r' is taken over reviews of X itself, evenly spread.
    """
    rows = np.linspace(0, X.shape[0] - 1, min(_SAMPLE, X.shape[0])).astype(int)
    X = X.astype(np.float64)  # narrow integers would wrap
    overlaps = X @ X[rows].T
    squares = overlaps.multiply(overlaps).sum() if isinstance(overlaps, csr_array) else (overlaps**2).sum()
    of_an_error = output_deviation(p) ** 2 + (rate / 4 * input_deviation(p)) ** 2
    return TrainingNoise(of_an_error * float(squares) / len(rows), p.z_half / 2)


def _digit_square(bits: int) -> float:
    """Return the mean square of a balanced digit, the mean being 0."""
    return (4.0**bits + 2) / 12


def _rounding(kept_bits: int) -> float:
    """Return the mean square of what rounding 32 bits to the upper ones leaves away."""
    return (4.0**-kept_bits + 2 * 4.0**-32) / 12
