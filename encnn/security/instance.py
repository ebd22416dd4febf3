"""The LWE instance that is attacked, the cost of an attack, and a search for the cheapest settings of an attack."""

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

# The block sizes to try: each one up to 4096 (1196 bits), then steps of 1 %.  One array holds them all, so no search is needed.
BETA = np.concatenate([np.arange(2.0, 4096.0), np.geomspace(4096, LARGEST_DIMENSION, 560).round()])
LOG_DELTA = np.log2(root_hermite_factor(BETA))

_POINTS = (33, 9)  # points of a grid: on its first axis, and on every other axis
_NEAR = 8  # neighbours to each side of the best point that the last round tries
_SPREAD = 2.0  # the next grid covers this many steps to each side of the best point


@dataclass(frozen=True)
class AttackCost:
    """The cheapest way to run one attack, in one cost model.

    The last three fields are 0 if the attack uses no lattice or cannot work.
    """

    attack: str  # the name of the attack
    model: str  # the name of the cost model
    bits: float  # log2 of the cost; infinite if the attack cannot work, for example with too few samples
    block_size: int = 0  # of the lattice reduction
    dimension: int = 0  # of the lattice
    samples: int = 0  # LWE samples used

    @property
    def method(self) -> str:
        """The attack and the cost model."""
        return f"{self.attack}, {self.model}"

    def __str__(self) -> str:
        """Return the bits, with the attack and the model that give them."""
        return f"{self.bits:.1f} bits ({self.method})"


def result_columns(best: AttackCost, core_svp_bits: float) -> dict[str, object]:
    """Return columns of a table of results: the fewest bits, the attack and model that give them, and the bits in core-SVP."""
    return {"bits": round(best.bits, 1), "decided by": best.method, "bits, core-SVP": round(core_svp_bits, 1)}


class Instance(NamedTuple):
    """An LWE instance: dimension n, modulus 2^q_bits, noise of deviation 2^log_sigma."""

    n: int  # the dimension
    q_bits: float  # log2 of the modulus
    log_sigma: float  # log2 of the noise's deviation
    secret: Secret  # the distribution of the secret
    samples: float  # the number of samples that the attack may use; it may be infinite
    spent: int = 0  # the number of samples that the change to the normal form used up

    @property
    def log_xi(self) -> float:
        """log2 of the factor that makes the secret as large as the noise."""
        return self.log_sigma - self.secret.log_deviation

    def forms(self) -> list["Instance"]:
        """Return the instances worth attacking.  For a secret wider than the noise these include, or are, the normal form."""
        if self.log_xi >= 0 or self.samples <= self.n:
            return [self]
        normal = self._replace(secret=gaussian(2**self.log_sigma), samples=self.samples - self.n, spent=self.n)
        return [normal] if math.isinf(self.samples) else [self, normal]

    def cost(
        self, attack: str, model: str, bits: float, block_size: float, dimension: float, samples: float | None = None
    ) -> AttackCost:
        """Return the cost of an attack on a lattice of this dimension.  Without `samples` it uses dimension - n of them."""
        if math.isinf(bits):
            return AttackCost(attack, model, math.inf)
        used = max(dimension - self.n, 0) if samples is None else samples
        return AttackCost(attack, model, float(bits), int(block_size), int(dimension), int(used) + self.spent)


def least(function: Callable[..., Bits], ranges: Sequence[tuple[float, float]]) -> tuple[float, tuple[float, ...]]:
    """Return the least value of a function of whole numbers in these ranges, ends included, and where the function takes it.

    `function` takes one array per range, and broadcasts.  It must fall towards its least value along every axis, or nearly so.
    Each round tries a grid of points; the next grid is finer and lies around the best point.  The last round tries all
    neighbours of the best point.
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
