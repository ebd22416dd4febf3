"""Distributions of an LWE secret, each with a name: deviation, entropy, and the values an attacker would guess."""

import math
import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from encnn.errors import ParameterError


class Secret(NamedTuple):
    """What an attacker knows about one entry of a secret."""

    log_deviation: float  # log2 of the standard deviation
    entropy: float  # in bits
    block: int = 1  # the number of entries that are guessed together
    cases: int = 0  # the number of equally likely values of a block; 0: unequal likelihoods, or too many values to try


def parse_secret(secret: str, q_bits: float) -> Secret:
    """Return the distribution called `secret`; raise ParameterError for an unknown name.

    >>> parse_secret("block(3)", 32.0).cases
    4
    """
    fixed = {
        "ternary": Secret(math.log2(2 / 3) / 2, math.log2(3), cases=3),
        "binary": Secret(-1.0, 1.0, cases=2),
        "uniform": Secret(q_bits - math.log2(12) / 2, float(q_bits)),
    }
    if secret in fixed:
        return fixed[secret]
    match = re.fullmatch(r"(binomial|block|gaussian)\(([0-9.e+-]+)\)", secret) if isinstance(secret, str) else None
    try:
        return _parametric_secret(match[1], float(match[2])) if match else _unknown_secret(secret)
    except (ValueError, OverflowError):
        return _unknown_secret(secret)


def gaussian(deviation: float) -> Secret:
    """Return a discrete Gaussian.  In the normal form the noise replaces the secret, so the secret has this distribution."""
    return Secret(math.log2(deviation), _gaussian_entropy(deviation))


def _parametric_secret(name: str, parameter: float) -> Secret:
    if not (0 < parameter < math.inf) or (name != "gaussian" and parameter != int(parameter)):
        raise ValueError(parameter)
    if name == "block":
        length, cases = int(parameter), int(parameter) + 1
        return Secret(math.log2(length) / 2 - math.log2(cases), math.log2(cases) / length, length, cases)
    if name == "gaussian":
        return gaussian(parameter)
    return Secret(math.log2(parameter / 2) / 2, _binomial_entropy(int(parameter)))


def _unknown_secret(secret: object) -> Secret:
    raise ParameterError(
        f"the secret distribution is {secret!r}; expected 'ternary', 'binary', 'uniform', 'block(l)' or 'binomial(eta)' "
        "with an integer >= 1, or 'gaussian(s)' with s > 0, for example 'binomial(2)' or 'gaussian(3.2)'"
    )


def _gaussian_entropy(deviation: float) -> float:
    """Return the entropy in bits of a discrete Gaussian.  From deviation 4 on it equals that of the continuous one."""
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
    return float((possible * -np.log2(possible)).sum()) + 0.0  # adding 0.0 turns -0.0 into 0.0
