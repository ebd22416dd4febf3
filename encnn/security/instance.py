"""The LWE instance that an attack is run on, what it costs to run it, and a search for the cheapest way."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from encnn.security.distributions import Secret, gaussian
from encnn.security.reduction import root_hermite_factor

Bits = NDArray[np.float64]

LARGEST_DIMENSION = 2**20

# Every block size up to 4096 (1196 bits), then steps of 1 %: all are tried at once, which needs no search.
BETA = np.concatenate([np.arange(2.0, 4096.0), np.geomspace(4096, LARGEST_DIMENSION, 560).round()])
LOG_DELTA = np.log2(root_hermite_factor(BETA))

_POINTS = (33, 9)  # of the first axis, and of each other
_NEAR = 8
_SPREAD = 2.0  # steps to each side of the best point that the next grid covers


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

    @property
    def method(self) -> str:
        """The attack and the cost model."""
        return f"{self.attack}, {self.model}"

    def __str__(self) -> str:
        """Return the bits, with the attack and the model that give them."""
        return f"{self.bits:.1f} bits ({self.method})"


def result_columns(best: AttackCost, core_svp_bits: float) -> dict[str, object]:
    """Return the columns of a table of results: the least bits, what decides, and the bits in core-SVP."""
    return {"bits": round(best.bits, 1), "decided by": best.method, "bits, core-SVP": round(core_svp_bits, 1)}


class Instance(NamedTuple):
    """LWE in dimension n modulo 2^q_bits, with noise of deviation 2^log_sigma.

    samples: what is left of them for the attack, maybe infinite.  spent: how many the normal form took.
    """

    n: int
    q_bits: float
    log_sigma: float
    secret: Secret
    samples: float
    spent: int = 0

    @property
    def log_xi(self) -> float:
        """log2 of the factor that makes the secret as large as the noise."""
        return self.log_sigma - self.secret.log_deviation

    def forms(self) -> list["Instance"]:
        """Return the instances worth attacking: where the secret is wider than the noise, also or only the normal form."""
        if self.log_xi >= 0 or self.samples <= self.n:
            return [self]
        normal = self._replace(secret=gaussian(2**self.log_sigma), samples=self.samples - self.n, spent=self.n)
        return [normal] if math.isinf(self.samples) else [self, normal]

    def cost(
        self, attack: str, model: str, bits: float, block_size: float, dimension: float, samples: float | None = None
    ) -> AttackCost:
        """Return the cost of an attack on a lattice of this dimension; samples: by default all but n entries of it."""
        if math.isinf(bits):
            return AttackCost(attack, model, math.inf)
        used = max(dimension - self.n, 0) if samples is None else samples
        return AttackCost(attack, model, float(bits), int(block_size), int(dimension), int(used) + self.spent)


def least(function: Callable[..., Bits], ranges: Sequence[tuple[float, float]]) -> tuple[float, tuple[float, ...]]:
    """Return the least value of a function of whole numbers in these ranges, ends included, and the place of it.

    `function` takes one array per range, and broadcasts.  It must fall towards its least value along every axis, or nearly so:
    each round looks at a grid, then closer around its best point; the last one at all its neighbours.
    """
    first, last = (np.array(ends, dtype=float) for ends in zip(*ranges, strict=True))
    low, high = first, last
    while True:
        axes = [np.unique(np.linspace(a, b, _POINTS[i > 0]).round()) for i, (a, b) in enumerate(zip(low, high, strict=True))]
        value, place = _least_of_grid(function, axes)
        steps = np.array([np.diff(axis).max(initial=1.0) for axis in axes])
        if (steps <= 1).all() or math.isinf(value):
            break
        low, high = np.maximum(place - _SPREAD * steps, first).round(), np.minimum(place + _SPREAD * steps, last).round()
    neighbours = [np.arange(max(a, x - _NEAR), min(b, x + _NEAR) + 1) for a, b, x in zip(first, last, place, strict=True)]
    value, place = _least_of_grid(function, neighbours)
    return value, tuple(place.tolist())


def _least_of_grid(function: Callable[..., Bits], axes: list[NDArray[np.float64]]) -> tuple[float, NDArray[np.float64]]:
    values = function(*np.ix_(*axes))
    best = np.unravel_index(int(np.argmin(values)), values.shape)
    return float(values[best]), np.array([axis[i] for axis, i in zip(axes, best, strict=True)])
