"""Sums of powers: the maps x -> sum_k c_k x^k, entry by entry, for chosen exponents k >= 1 and plain coefficients c_k.

A polynomial replaces the sigmoid.  Every scheme can evaluate it by Horner's rule, product after product.  This map tells a
scheme that can do better which powers it should prepare for.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from encnn.schemes.bilinear import BilinearMap


@dataclass(frozen=True)
class PowerSum:
    """A sum of powers of the entries of a vector."""

    name: str  # tells maps apart: keys are found by it
    width: int  # width of the vectors
    exponents: tuple[int, ...]  # increasing, all at least 1

    @property
    def widths(self) -> set[int]:
        """The widths of the vectors that it takes and returns."""
        return {self.width}


Product = BilinearMap | PowerSum
"""What an evaluator can be asked to compute; each of these needs an evaluation key."""


@cache
def power_sum(width: int, coefficients: tuple[float, ...]) -> PowerSum:
    """Return the map for a polynomial with these coefficients, lowest power first; the constant does not matter.

    >>> power_sum(1, (0.5, 0.25, 0.0, -0.02)).name
    'powers:1:1,3'
    """
    exponents = tuple(int(k) for k in np.flatnonzero(coefficients) if k)
    return PowerSum(f"powers:{width}:{','.join(map(str, exponents))}", width, exponents)
