"""Sums of powers: the maps x -> sum_k c_k x^k, entry by entry, for chosen exponents k >= 1 and plain coefficients c_k.

A polynomial is what stands for the sigmoid.  Any scheme evaluates it by Horner's rule, product after product; a scheme that can
do better is told by this map which powers to prepare for.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from encnn.schemes.bilinear import BilinearMap


@dataclass(frozen=True)
class PowerSum:
    """The powers `exponents` (increasing, all at least 1) of vectors of width `width`."""

    name: str
    width: int
    exponents: tuple[int, ...]

    @property
    def widths(self) -> set[int]:
        """Widths of the vectors that it takes and gives."""
        return {self.width}


Product = BilinearMap | PowerSum
"""What an evaluator can be asked to be able to compute: each needs an evaluation key."""


@cache
def power_sum(width: int, coefficients: tuple[float, ...]) -> PowerSum:
    """Return the map for a polynomial with these coefficients, lowest power first; the constant does not matter.

    >>> power_sum(1, (0.5, 0.25, 0.0, -0.02)).name
    'powers:1:1,3'
    """
    exponents = tuple(int(k) for k in np.flatnonzero(coefficients) if k)
    return PowerSum(f"powers:{width}:{','.join(map(str, exponents))}", width, exponents)
