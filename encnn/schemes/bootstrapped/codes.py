"""Codes: signed logarithms on the torus, by which products of ciphertexts are additions.

The code of a number v is a fraction of the torus,

    code(v) = kappa log2 |v| + origin,    plus half a turn (1/2) if v < 0.

Codes add where numbers multiply: code(u) + code(v) = code(u v), with origins added.  The signs come out right as well, because
half turns add modulo 1.  One look-up table leads from a number to its code, and one from a code back to any function of the
product (`exp_table`).  Such a table is read with the opposite sign half a turn on, because X^N = -1.  For codes this is the
rule of signs, so the whole of an odd function fits, and half the torus is left for sizes.  A quotient is a difference of codes.
A known factor, such as 1 / n of a mean, is a plain number added to the code, and so is a known sign.

**Window.**  Sizes in the table back fill [guard, 1/2 - guard], so all factors together may span

    octaves <= (1/2 - 2 guard) / kappa.

The guards are for the noise of the place that is read.  A code that crosses a guard reads the other end with the other sign.

**Small numbers.**  A logarithm ends at some smallest size.  Numbers below it are read as plus or minus that size, with signs
that are right on average (`dithered`): this adds noise of that size, and no bias.

**Beyond the range.**  A number fills a quarter of the torus on either side.  A code table cannot hold what is beyond, since
there it reads the negative of what it holds.  The free origin makes that harmless: with code = -1/4 at the end of the range
(`number_table`), a phase 1/4 + x is read as the code

    -code(-1/4 + x) = -1/4 + kappa log2((1/4) / (1/4 - x)),

with the right sign, and to first order in x with the right size.  Larger numbers are read as larger still, and the table back
clips them.  A positive function is centred instead (`function_table`): code(upper end) = -code(lower end), so that whatever is
beyond an end is read as the end.

**Sign on a quarter turn.**  If only one factor has a sign, `turn` = 1/4 stands for it.  Its codes stay on half a torus, where a
table back may hold *any* function of the product, not only an odd one.  The window is half as wide.

**Noise.**  A place read with the deviation r gives a product the relative deviation r ln 2 / kappa, and each factor of phase x,
read with r, adds r / x (`product_deviation`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, ndtr

from encnn.errors import ParameterError
from encnn.schemes.bootstrapped import noise
from encnn.schemes.bootstrapped.parameters import BootstrappedParameters
from encnn.schemes.bootstrapped.tables import around_zero, from_zero

QUARTER = 0.25
"""The largest phase of a number from which a table leads to a code."""


@dataclass(frozen=True)
class Codec:
    """How wide an octave is on the torus, and how much is left free at either end of a window."""

    kappa: float  # fraction of the torus per octave (factor of 2)
    guard: float  # fraction of the torus
    turn: float = 0.5  # what is added to the code of a negative number: 1/2, or 1/4

    def __post_init__(self) -> None:
        """Raise `ParameterError` unless the numbers leave a window."""
        if not (0 < self.kappa < 0.5 and 0 < self.guard < self.turn / 2 and self.turn in (0.25, 0.5)):
            raise ParameterError(
                f"kappa={self.kappa}, guard={self.guard}, turn={self.turn}: expected kappa between 0 and 1/2, a guard between "
                "0 and turn / 2, and a turn of 1/4 or 1/2"
            )

    @classmethod
    def fitting(cls, octaves: float, guard: float, turn: float = 0.5) -> "Codec":
        """Return the codec whose window is just so many octaves wide."""
        return cls((turn - 2 * guard) / octaves, guard, turn)

    @property
    def octaves(self) -> float:
        """The octaves that the factors of a product may span together."""
        return (self.turn - 2 * self.guard) / self.kappa

    def check(self, octaves: float) -> None:
        """Raise `ParameterError` if the factors of a product span more octaves than there are."""
        if octaves > self.octaves * (1 + 1e-9):
            raise ParameterError(
                f"factors of {octaves:.3g} octaves do not fit a window of {self.octaves:.3g} (kappa {self.kappa:g}, guard "
                f"{self.guard:g}, turn {self.turn:g}); take a smaller kappa, or keep fewer octaves of small numbers"
            )

    # -- from numbers to codes

    def number_table(self, entries: int, octaves: float) -> np.ndarray:
        """Return the table from the phase of a signed number to its code; the smallest size is 2^-octaves of a quarter.

        The code of a number v with the phase scale v has the origin `number_origin(scale)`.
        """
        return self.signed_table(entries, lambda x: x, QUARTER, octaves)

    def signed_table(
        self, entries: int, f: Callable[[np.ndarray], np.ndarray], largest: float, octaves: float, reads: int = 1
    ) -> np.ndarray:
        """Return the table from a phase x to the code of f(x), |f| clipped to `largest`; for its origin see `signed_origin`.

        reads: the results of so many tables, of which only the first one is signed (`share_table`), add up to the code.
        """
        return self._table(entries, f, largest, octaves, self.kappa / reads, self.turn)

    def share_table(self, entries: int, octaves: float, reads: int) -> np.ndarray:
        """Return the table of all but the first of several reads of a number, whose noises average.

        Each read brings an equal share of the size, and the first one alone the sign.
        """
        return self._table(entries, lambda x: x, QUARTER, octaves, self.kappa / reads, 0.0)

    def _table(
        self,
        entries: int,
        f: Callable[[np.ndarray], np.ndarray],
        largest: float,
        octaves: float,
        kappa: float,
        turn: float,
    ) -> np.ndarray:
        def code(x: np.ndarray) -> np.ndarray:
            order = np.argsort(x)
            v = np.empty_like(x)
            v[order] = dithered(f(x)[order], largest * 2.0**-octaves)
            return kappa * np.log2(np.minimum(np.abs(v) / largest, 1)) + np.where(v < 0, turn / 2, -turn / 2)

        return around_zero(entries, code)

    def signed_origin(self, largest: float) -> float:
        """Return the origin of codes from `signed_table`."""
        return -self.kappa * math.log2(largest) - self.turn / 2

    def number_origin(self, scale: float | np.ndarray) -> float | np.ndarray:
        """Return the origin of codes from `number_table` for numbers whose phase is scale v; one scale, or one per number."""
        return self.kappa * np.log2(scale / QUARTER) - self.turn / 2

    def function_table(self, entries: int, f: Callable[[np.ndarray], np.ndarray], least: float, largest: float) -> np.ndarray:
        """Return the table from a phase x in [-1/4, 1/4) to the code of f(x) > 0, clipped to [least, largest].

        Its origin is `function_origin(least, largest)`.  If f rises or falls over the whole range, from end to end, then
        phases beyond an end are read as the end.
        """
        origin = self.function_origin(least, largest)
        return around_zero(entries, lambda x: self.kappa * np.log2(np.clip(f(x), least, largest)) + origin)

    def function_origin(self, least: float, largest: float) -> float:
        """Return the origin of codes from `function_table`."""
        return -self.kappa * (math.log2(least) + math.log2(largest)) / 2

    # -- from codes to numbers

    def shift(self, origin: float | np.ndarray, largest: float) -> float | np.ndarray:
        """Return what to add to codes of this origin, so that the size `largest` stands at the upper end of the window."""
        return self.turn - self.guard - self.kappa * math.log2(largest) - origin

    def sizes(self, entries: int, largest: float) -> np.ndarray:
        """Return the products that the entries of a table on [0, 1/2) stand for: shape (entries,), clipped to +-largest.

        With half a turn for the sign all are positive, and the table reads its negative for the others.
        """
        c = np.arange(entries) / (2 * entries)
        size = largest * 2.0 ** (np.minimum(c % self.turn - (self.turn - self.guard), 0.0) / self.kappa)
        return np.where(c < self.turn, size, -size)

    def exp_table(self, entries: int, f: Callable[[np.ndarray], np.ndarray], largest: float) -> np.ndarray:
        """Return the table from codes, moved by `shift(origin, largest)`, to the phases f(product) of products up to largest.

        f: must be odd if half a turn is the sign.  A product beyond `largest` counts as `largest`.
        """
        return from_zero(entries, lambda _: f(self.sizes(entries, largest)))

    # -- noise

    def product_deviation(self, p: BootstrappedParameters, *phases: float | np.ndarray, outputs: int = 1) -> float | np.ndarray:
        """Return the deviation of ln |product|: its relative deviation, for factors that were read at these phases.

        Sources: the read of the sum of codes, the read of each factor, and the noise of each code, which is that of a rotation.
        The product itself has the noise of the rotation that returns it, too (`noise.rotation`).
        """
        codes = len(phases) * noise.rotation(p) * (math.log(2) / self.kappa) ** 2
        place = noise.table_input(p, outputs) * (math.log(2) / self.kappa) ** 2
        factors = sum(noise.table_input(p) / np.square(phase) for phase in phases)
        return np.sqrt(codes + place + factors)

    def log2_wrong_sign(self, p: BootstrappedParameters, *shares: float, outputs: int = 1) -> float:
        """Return log2 of a bound on the probability that a product has the wrong sign.

        shares: |factor| as shares of their ranges, at most 1; `largest` of the product is that of all ranges together.  A
        factor has a wrong sign if its read crosses 0 (or a half), and the product if its code crosses a guard.
        """
        r = math.sqrt(noise.table_input(p))
        signs = [log_ndtr(-QUARTER * share / r) for share in shares]
        s = float(self.product_deviation(p, *(QUARTER * share for share in shares), outputs=outputs)) * self.kappa / math.log(2)
        below_top = self.guard - self.kappa * sum(math.log2(share) for share in shares)
        ends = [log_ndtr(-below_top / s), log_ndtr(-(self.turn - below_top) / s)]
        return float(np.logaddexp.reduce([*signs, *ends]) / math.log(2))


def dithered(v: np.ndarray, least: float) -> np.ndarray:
    """Return neighbouring numbers v, as they are if |v| >= least, and otherwise +-least with signs whose running mean is v.

    Logarithms end at `least`.  Were smaller numbers rounded to it with their sign, small numbers would count too much, on
    average over the noise of a read.  With these signs the mean over some neighbouring entries of a table is right.
    """
    small = np.abs(v) < least
    ups = np.cumsum(np.where(small, (v + least) / (2 * least), 0.0))
    return np.where(small, np.where(np.diff(np.floor(ups + 0.5), prepend=0) > 0, least, -least), v)


def below_guard(p: BootstrappedParameters, codec: Codec, outputs: int = 1) -> float:
    """Return the probability that a code at an end of its window is read beyond the guard."""
    return float(ndtr(-codec.guard / math.sqrt(noise.table_input(p, outputs))))
