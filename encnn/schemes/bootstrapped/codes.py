"""Codes: signed logarithms on the torus, which turn products of ciphertexts into additions.

The code of a number v is a fraction of the torus,

    code(v) = kappa log2 |v| + origin,    plus half a turn (1/2) if v < 0.

Codes add where numbers multiply: code(u) + code(v) = code(u v), and the origins add too.  The signs come out right as well,
because two half turns make a whole one, which is 0 modulo 1.  One look-up table leads from a number to its code.  Another leads
from the code of a product back to any odd function of the product (`exp_table`): because X^N = -1, a table returns the negative
of an entry where it is read half a turn further on.  For codes, half a turn is a minus sign, so this gives the negative
products their odd function for free, and the whole table is left for sizes.  A quotient is a difference of codes.  A known
factor, such as the 1 / n of a mean, is a plain number added to the code, and so is a known sign.

**Window.**  The sizes in the table back to numbers fill [guard, 1/2 - guard], so all factors together may span

    octaves <= (1/2 - 2 guard) / kappa.

The guards leave room for the noise of the place that is read.  A code that crosses a guard is read at the other end of the
window, with the wrong sign.

**Small numbers.**  The logarithm of 0 is infinite, so the codes must end at some smallest size.  Numbers below it are read as
plus or minus that size, with signs that are right on average (`dithered`).  This adds noise of that size, but no bias.

**Beyond the range.**  Numbers of the expected range fill a quarter of the torus on either side of 0.  A table of codes has no
entries for larger ones: there it returns the negative of an entry that it has.  The origin is free, and one choice of it makes
this harmless.  With code = -1/4 at the end of the range (`number_table`), a phase 1/4 + x is read as the code

    -code(-1/4 + x) = -1/4 + kappa log2((1/4) / (1/4 - x)),

which has the right sign, and to first order in x the right size.  Numbers beyond the range are thus read as larger than they
are, and the table back to numbers clips them.  A function that is always positive is centred instead (`function_table`):
with code(upper end) = -code(lower end), whatever is beyond an end is read as that end.

**Sign on a quarter turn.**  If only one factor has a sign, a quarter turn can stand for it (`turn` = 1/4).  All codes then stay
on one half of the torus, where a table back to numbers may hold *any* function of the product, not only an odd one.  In return
the window is half as wide.

**Noise.**  If the place that is read in a table is off with the deviation r, then the product is off with the relative
deviation r ln 2 / kappa.  Each factor, of phase x, adds r / x from the read that led to its code (`product_deviation`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from encnn.errors import ParameterError
from encnn.schemes.bootstrapped import noise
from encnn.schemes.bootstrapped.parameters import BootstrappedParameters
from encnn.schemes.bootstrapped.tables import around_zero, from_zero

QUARTER = 0.25
"""The largest phase for which a table from numbers to codes has an entry of its own."""


@dataclass(frozen=True)
class Codec:
    """The width of an octave on the torus, and how much of the window is left free at either end."""

    kappa: float  # the fraction of the torus per octave, which is a factor of 2
    guard: float  # the fraction of the torus that is left free at either end
    turn: float = 0.5  # what is added to the code of a negative number: 1/2 or 1/4

    def __post_init__(self) -> None:
        """Raise `ParameterError` unless the numbers leave a window."""
        if not (0 < self.kappa < 0.5 and 0 < self.guard < self.turn / 2 and self.turn in (0.25, 0.5)):
            raise ParameterError(
                f"kappa={self.kappa}, guard={self.guard}, turn={self.turn} leave no window for codes; expected kappa between "
                "0 and 1/2, a guard between 0 and turn / 2, and a turn of 1/4 or 1/2 (Codec.fitting chooses kappa)"
            )

    @classmethod
    def fitting(cls, octaves: float, guard: float, turn: float = 0.5) -> "Codec":
        """Return the codec whose window is exactly `octaves` wide."""
        return cls((turn - 2 * guard) / octaves, guard, turn)

    @property
    def octaves(self) -> float:
        """How many octaves the factors of a product may span together."""
        return (self.turn - 2 * self.guard) / self.kappa

    def check(self, octaves: float) -> None:
        """Raise `ParameterError` if the factors of a product span more octaves than the window has."""
        if octaves > self.octaves * (1 + 1e-9):
            raise ParameterError(
                f"factors that span {octaves:.3g} octaves do not fit a window of {self.octaves:.3g} (kappa {self.kappa:g}, "
                f"guard {self.guard:g}, turn {self.turn:g}); take a smaller kappa, or keep fewer octaves of small numbers"
            )

    # -- from numbers to codes

    def number_table(self, entries: int, octaves: float) -> np.ndarray:
        """Return the table from the phase of a signed number to its code.

        Sizes below 2^-octaves of a quarter of the torus count as that.  If a number v stands at the phase scale * v, its code
        has the origin `number_origin(scale)`.
        """
        return self.signed_table(entries, lambda x: x, QUARTER, octaves)

    def signed_table(
        self, entries: int, f: Callable[[np.ndarray], np.ndarray], largest: float, octaves: float, reads: int = 1
    ) -> np.ndarray:
        """Return the table from a phase x to the code of f(x), with |f| clipped to `largest`.

        The origin of the code is `signed_origin(largest)`.  reads: how many tables are read whose results add up to the code;
        this is the first of them, which brings the sign, and `share_table` gives the others.
        """
        return self._table(entries, f, largest, octaves, self.kappa / reads, self.turn)

    def share_table(self, entries: int, octaves: float, reads: int) -> np.ndarray:
        """Return the table for every read of a number after the first.  The noises of the reads average out.

        Each read brings an equal share of the size.  The first read alone brings the sign, because halves of a half turn would
        not add up to one if noise changed the sign that one of them reads.
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
            order = np.argsort(x)  # dithering needs neighbours in phase, and entries are not stored in that order
            v = np.empty_like(x)
            v[order] = dithered(f(x)[order], largest * 2.0**-octaves)
            return kappa * np.log2(np.minimum(np.abs(v) / largest, 1)) + np.where(v < 0, turn / 2, -turn / 2)

        return around_zero(entries, code)

    def signed_origin(self, largest: float) -> float:
        """Return the origin of codes from `signed_table`."""
        return -self.kappa * math.log2(largest) - self.turn / 2

    def number_origin(self, scale: float | np.ndarray) -> float | np.ndarray:
        """Return the origin of codes from `number_table` if a number v has the phase scale * v; one scale, or one per v."""
        return self.kappa * np.log2(scale / QUARTER) - self.turn / 2

    def function_table(self, entries: int, f: Callable[[np.ndarray], np.ndarray], least: float, largest: float) -> np.ndarray:
        """Return the table from a phase x in [-1/4, 1/4) to the code of f(x) > 0, clipped to [least, largest].

        The origin of the code is `function_origin(least, largest)`.  If f goes from `least` to `largest` over the range, or
        from `largest` to `least`, then phases just beyond an end are read as that end.
        """
        origin = self.function_origin(least, largest)
        return around_zero(entries, lambda x: self.kappa * np.log2(np.clip(f(x), least, largest)) + origin)

    def function_origin(self, least: float, largest: float) -> float:
        """Return the origin of codes from `function_table`."""
        return -self.kappa * (math.log2(least) + math.log2(largest)) / 2

    # -- from codes to numbers

    def shift(self, origin: float | np.ndarray, largest: float) -> float | np.ndarray:
        """Return what must be added to codes of this origin so that the size `largest` is at the upper end of the window."""
        return self.turn - self.guard - self.kappa * math.log2(largest) - origin

    def sizes(self, entries: int, largest: float) -> np.ndarray:
        """Return the products that the entries of a table on [0, 1/2) stand for: shape (entries,), clipped to +-largest.

        If half a turn is the sign, all of them are positive: the table returns its negative for the negative products.
        """
        c = np.arange(entries) / (2 * entries)  # the codes of the entries, as fractions of the torus
        size = largest * 2.0 ** (np.minimum(c % self.turn - (self.turn - self.guard), 0.0) / self.kappa)
        return np.where(c < self.turn, size, -size)

    def exp_table(self, entries: int, f: Callable[[np.ndarray], np.ndarray], largest: float) -> np.ndarray:
        """Return the table from the code of a product, moved by `shift(origin, largest)`, to the phase f(product).

        f: must be odd if half a turn is the sign.  A product beyond `largest` counts as `largest`.
        """
        return from_zero(entries, lambda _: f(self.sizes(entries, largest)))

    # -- noise

    def product_deviation(self, p: BootstrappedParameters, *phases: float | np.ndarray, outputs: int = 1) -> float | np.ndarray:
        """Return the deviation of ln |product|, which is its relative deviation, for factors that were read at these phases.

        There are three sources: the read of the sum of codes, the read of each factor, and the noise of each code, which is
        that of a rotation.  The noise of the rotation that returns the product (`noise.rotation`) is not included.
        """
        codes = len(phases) * noise.rotation(p) * (math.log(2) / self.kappa) ** 2
        place = noise.table_input(p, outputs) * (math.log(2) / self.kappa) ** 2
        factors = sum(noise.table_input(p) / np.square(phase) for phase in phases)
        return np.sqrt(codes + place + factors)

    def log2_wrong_sign(self, p: BootstrappedParameters, *shares: float, outputs: int = 1) -> float:
        """Return log2 of a bound on the probability that a product has the wrong sign.

        shares: each |factor| as a share of its range, at most 1; `largest` of the product is the product of the ranges.  A
        factor gets the wrong sign if its read crosses 0 or 1/2, and the product does if its code crosses a guard.
        """
        r = math.sqrt(noise.table_input(p))
        signs = [log_ndtr(-QUARTER * share / r) for share in shares]
        s = float(self.product_deviation(p, *(QUARTER * share for share in shares), outputs=outputs)) * self.kappa / math.log(2)
        below_top = self.guard - self.kappa * sum(math.log2(share) for share in shares)
        ends = [log_ndtr(-below_top / s), log_ndtr(-(self.turn - below_top) / s)]
        return float(np.logaddexp.reduce([*signs, *ends]) / math.log(2))


def dithered(v: np.ndarray, least: float) -> np.ndarray:
    """Return the rising numbers v with those below `least` in size replaced by +-least.  The mean of neighbours stays v.

    Logarithms end at `least`.  If smaller numbers were rounded to +-least by their own sign, they would count for too much.
    The signs are chosen instead such that neighbouring entries of the table have the right mean.  The noise of a read spreads
    over such neighbours, so the mean of what is read is right.
    """
    small = np.abs(v) < least
    # v is the mean of +least and -least if +least has the share (v + least) / (2 least).  Running sums of the shares say how
    # many of the entries so far must be +least, and an entry is +least where this count, rounded, goes up.
    ups = np.cumsum(np.where(small, (v + least) / (2 * least), 0.0))
    return np.where(small, np.where(np.diff(np.floor(ups + 0.5), prepend=0) > 0, least, -least), v)
