r"""The sigmoid as a polynomial, since ciphertexts can be added and multiplied but not exponentiated.

The paper approximates the sigmoid by its series at 0:

    sigma(x) = 1 / (1 + exp(-x)) = 1/2 + x/4 - x^3/48 + x^5/480 - 17 x^7/80640 + ...

The series converges for |x| < pi only, and every polynomial leaves sigma for large |x|.  Fits on a range, by least squares or
minimax, move the error to where it does less harm.  Sigma is 1/2 plus an odd function, and so are all approximations here but
one.  How a training run ends depends on what its polynomial does *outside* the range.  So `error_over` reports it, and
`check_range` stops a run that is lost.
"""

import itertools
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import chebyshev, legendre, polynomial
from numpy.typing import ArrayLike

from encnn.arithmetic.checks import check_types, real, whole
from encnn.errors import DivergenceError, ParameterError

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 0.05  # a range of use ends at this error, unless a fit states its own range
BEYOND = 0.01
"""A run is stopped when more than this share of its scores leaves the range of the scheme or of the polynomial."""
WRONG_SIDE_LIMIT = 10.0  # see check_range
STEP_LIMIT = 100.0  # see check_range
MAX_DEGREE = 101
MAX_FIT_DEGREE = 31
MAX_RADIUS = 100.0

_SEARCH_END = 1e6
_GRID = 20_001
_EXCHANGES = 100


@dataclass(frozen=True)
class PolynomialSigmoid:
    """A polynomial in place of the sigmoid.

    >>> taylor(3)(np.array([0.0, 1.0, -1.0]))
    array([0.5       , 0.72916667, 0.27083333])
    """

    name: str  # which says how it was made
    coefficients: tuple[float, ...]  # the lowest power first; the last one is not zero
    interval: tuple[float, float]  # (low, high), on which the polynomial is meant to be used

    def __post_init__(self) -> None:
        """Raise `ParameterError` unless this is a polynomial of at least degree 1 on an interval."""
        check_types(self)
        if len(self.coefficients) < 2 or not np.isfinite(self.coefficients).all() or self.coefficients[-1] == 0:
            raise ParameterError(
                f"{self.name}: expected two or more finite coefficients, the last not zero, got {self.coefficients}"
            )
        low, high = self.interval
        if not low < high:
            raise ParameterError(f"{self.name}: expected an interval (low, high) with low < high, got {self.interval}")

    @property
    def degree(self) -> int:
        """Highest power of x."""
        return len(self.coefficients) - 1

    def __call__(self, x: ArrayLike) -> np.ndarray:
        """Evaluate by Horner's rule; the shape is that of `x`."""
        x = np.asarray(x, dtype=np.float64)
        value = np.full_like(x, self.coefficients[-1])
        for coefficient in self.coefficients[-2::-1]:
            value = value * x + coefficient
        return value

    def error(self, x: ArrayLike) -> np.ndarray:
        """Return p(x) - sigma(x), in the shape of `x`."""
        return self(x) - sigmoid(x)

    def tolerance_radius(self, tolerance: float = TOLERANCE) -> float:
        """Return the least |x| at which |p(x) - sigma(x)| passes `tolerance`; infinity if that is above a million.

        >>> round(taylor(1).tolerance_radius(), 3)
        1.424
        """
        x = np.concatenate([np.linspace(0, 1, 1001), np.geomspace(1, _SEARCH_END, 14_001)])
        with np.errstate(over="ignore"):  # high powers of a million are infinite, which passes any tolerance
            passed = np.flatnonzero(self._largest_error(x) > tolerance)
        if not passed.size:
            return math.inf
        high = x[passed[0]]
        low = x[max(passed[0] - 1, 0)]
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (low, middle) if self._largest_error(middle) > tolerance else (middle, high)
        return float(high)

    def _largest_error(self, x: ArrayLike) -> np.ndarray:
        x = np.asarray(x)
        return np.maximum(np.abs(self.error(x)), np.abs(self.error(-x)))

    @property
    def monotone_radius(self) -> float:
        """The largest r such that p increases on [-r, r]; infinity if p increases everywhere, 0 if it falls at 0.

        >>> [float(round(taylor(degree).monotone_radius, 6)) for degree in (1, 3, 5, 7)]
        [inf, 2.0, inf, 2.277888]
        """
        slope = polynomial.polyder(self.coefficients)
        roots = polynomial.polyroots(slope)
        real = np.abs(roots[np.abs(roots.imag) <= 1e-7 * np.abs(roots)])
        corners = [0.0, *sorted(float(r) for r in real)]
        corners.append(2 * corners[-1] + 1)
        for low, high in itertools.pairwise(corners):
            middle = (low + high) / 2
            if low < high and polynomial.polyval(np.array([middle, -middle]), slope).min() < 0:
                return low
        return math.inf


def sigmoid(x: ArrayLike) -> np.ndarray:
    """Return the logistic function 1 / (1 + exp(-x)), in the shape of `x`, without overflow.

    >>> sigmoid([-1000.0, 0.0, 1000.0])
    array([0. , 0.5, 1. ])
    """
    x = np.asarray(x, dtype=np.float64)
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


@dataclass(frozen=True)
class ExactSigmoid:
    """The sigmoid itself, for arithmetic in the clear only, since ciphertexts cannot be exponentiated."""

    name: str = "exact"  # as tables show it
    interval: tuple[float, float] = (-math.inf, math.inf)  # right everywhere
    monotone_radius: float = math.inf  # increases everywhere

    def __call__(self, x: ArrayLike) -> np.ndarray:
        """Return sigma(x), in the shape of `x`."""
        return sigmoid(x)


Sigmoid = PolynomialSigmoid | ExactSigmoid


# Approximations


def taylor_coefficients(degree: int) -> tuple[Fraction, ...]:
    """Return the exact coefficients of the series of sigma at 0, lowest power first.

    They follow from sigma' = sigma (1 - sigma).  Comparing powers of x gives
    (n + 1) a[n+1] = a[n] - (a[0] a[n] + a[1] a[n-1] + ... + a[n] a[0]).

    >>> [str(a) for a in taylor_coefficients(7)]
    ['1/2', '1/4', '0', '-1/48', '0', '1/480', '0', '-17/80640']
    """
    a = [Fraction(1, 2)]
    for n in range(degree):
        a.append((a[n] - sum(a[k] * a[n - k] for k in range(n + 1))) / (n + 1))
    return tuple(a)


def taylor(degree: int) -> PolynomialSigmoid:
    """Return the series up to an odd degree, which is the paper's approximation.

    Its interval ends where its error passes `TOLERANCE`.
    """
    _check_degree(degree)
    coefficients = tuple(float(a) for a in taylor_coefficients(degree))
    return _within_tolerance(f"Taylor, degree {degree}", coefficients)


def ancestor_misplaced() -> PolynomialSigmoid:
    """Return the series with its coefficients one power out of place, as in the notebook published in 2017.

    The polynomial is 1/2 + x/4 - x^2/48 + x^3/480 - 17 x^5/80640.  Its even power breaks the symmetry about 1/2, and it falls
    again on both sides (see `monotone_radius`).  It is here for comparison only.
    """
    a = [float(c) for c in taylor_coefficients(7)]
    return _within_tolerance("ancestor, coefficients misplaced", (a[0], a[1], a[3], a[5], 0.0, a[7]))


def least_squares(degree: int, radius: float) -> PolynomialSigmoid:
    """Return the polynomial that minimises the integral of (p - sigma)^2 over [-radius, radius].

    The polynomial is the projection of sigma on Legendre polynomials.  Gauss quadrature computes the integrals with so many
    nodes that only rounding remains; the poles of sigma at +-i pi set their number.
    """
    _check_fit(degree, radius)
    nodes, weights = legendre.leggauss(64 + 8 * math.ceil(radius) + degree)
    target = weights * (sigmoid(radius * nodes) - 0.5)
    series = np.zeros(degree + 1)
    for k in range(1, degree + 1, 2):
        series[k] = (2 * k + 1) / 2 * (target @ legendre.legval(nodes, np.eye(k + 1)[k]))
    return _fit("least squares", legendre.leg2poly(series), radius)


def minimax(degree: int, radius: float) -> PolynomialSigmoid:
    """Return the polynomial with the smallest largest error on [-radius, radius], found by Remez exchange.

    Its error takes its largest size (degree + 3) / 2 times on (0, radius], with alternating sign.
    """
    _check_fit(degree, radius)
    n_unknowns = (degree + 1) // 2
    grid = np.linspace(0, 1, _GRID)[1:]
    target = sigmoid(radius * grid) - 0.5
    basis = chebyshev.chebvander(grid, degree)[:, 1::2]
    # The exchange starts where the error of a truncated Chebyshev series of an odd function is largest.
    reference = np.searchsorted(grid, np.cos(np.arange(n_unknowns + 1) * np.pi / (degree + 2))[::-1] - 1e-12)
    for _ in range(_EXCHANGES):
        series, level = _levelled(basis[reference], target[reference])
        error = basis @ series - target
        if np.abs(error).max() <= level * (1 + 1e-9) + 1e-13:
            return _fit("minimax", chebyshev.cheb2poly(_odd(series)), radius)
        reference = _extremes(error)
    raise ParameterError(f"no minimax fit of degree {degree} on +-{radius} found; choose a lower degree")


def check_name(p: PolynomialSigmoid) -> None:
    """Raise `ParameterError` for a polynomial that carries the name of an approximation made here but differs from it.

    Series are compared exactly.  Fits are computed in floating point, which rounds a little differently on every machine, so
    their values on the interval need to agree to nine digits only.  Under any other name nothing is compared.
    """
    known = _namesake(p)
    if known is None:
        return
    same = (p.name, p.degree) == (known.name, known.degree) and np.allclose(p.interval, known.interval, rtol=1e-9, atol=0)
    if not same or not (p.coefficients == known.coefficients or (" on +-" in p.name and _nearly_equal(p, known))):
        raise ParameterError(f"a sigmoid is called {p.name!r} but is another polynomial; give it a name of its own")


def _nearly_equal(p: PolynomialSigmoid, q: PolynomialSigmoid) -> bool:
    """Tell whether two fits of one degree differ by rounding only."""
    x = np.linspace(*q.interval, 101)
    near = np.allclose(p.coefficients, q.coefficients, rtol=1e-4, atol=0)  # so no value in the next line is infinite
    return bool(near and np.allclose(p(x), q(x), rtol=0, atol=1e-9))


def _namesake(p: PolynomialSigmoid) -> PolynomialSigmoid | None:
    """Return the approximation made here that has the name of `p`, or None if there is none."""
    if p.name == ExactSigmoid.name:
        raise ParameterError(f"a polynomial is called {p.name!r} but is another one; give it a name of its own")
    if p.name == ancestor_misplaced().name:
        return ancestor_misplaced()
    if match := re.fullmatch(r"Taylor, degree (\d{1,3})", p.name):
        return taylor(int(match[1]))
    if match := re.fullmatch(r"(least squares|minimax) on \+-\S+, degree (\d{1,3})", p.name):
        fit = least_squares if match[1] == "least squares" else minimax
        return fit(int(match[2]), p.interval[1])
    return None


def _levelled(basis: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, float]:
    """Solve for the series whose error on the reference alternates between +-level."""
    signs = (-1.0) ** np.arange(len(target))
    solution = np.linalg.solve(np.column_stack([basis, signs]), target)
    return solution[:-1], abs(float(solution[-1]))


def _extremes(error: np.ndarray) -> np.ndarray:
    """Return the index of the largest error between each change of its sign and the next."""
    changes = np.flatnonzero(np.diff(error > 0)) + 1
    edges = [0, *changes, len(error)]
    return np.array([low + np.argmax(np.abs(error[low:high])) for low, high in itertools.pairwise(edges)])


def _odd(series: np.ndarray) -> np.ndarray:
    """Put zeros between the coefficients of an odd series."""
    full = np.zeros(2 * len(series))
    full[1::2] = series
    return full


def _fit(method: str, odd_part: np.ndarray, radius: float) -> PolynomialSigmoid:
    """Scale an odd polynomial on [-1, 1] to [-radius, radius] and add 1/2."""
    scaled = odd_part / float(radius) ** np.arange(len(odd_part))
    scaled[0::2] = 0.0  # even powers hold only rounding errors of the conversion
    scaled[0] = 0.5
    name = f"{method} on +-{radius:g}, degree {len(scaled) - 1}"
    return PolynomialSigmoid(name, tuple(float(c) for c in scaled), (-float(radius), float(radius)))


def _within_tolerance(name: str, coefficients: tuple[float, ...]) -> PolynomialSigmoid:
    radius = PolynomialSigmoid(name, coefficients, (-1.0, 1.0)).tolerance_radius()
    return PolynomialSigmoid(name, coefficients, (-radius, radius))


def _check_degree(degree: int) -> None:
    if whole("degree", degree, 1, MAX_DEGREE) % 2 == 0:
        raise ParameterError(f"degree={degree}: expected an odd number, since sigma - 1/2 has odd powers only")


def _check_fit(degree: int, radius: float) -> None:
    _check_degree(degree)
    if degree > MAX_FIT_DEGREE:
        raise ParameterError(f"degree {degree}: rounding spoils fits above {MAX_FIT_DEGREE}; choose a lower degree")
    real("radius", radius, above=0, most=MAX_RADIUS)


# Errors and ranges


def error_table(approximations: Iterable[PolynomialSigmoid], radius: float) -> "pd.DataFrame":
    """Return one row per approximation: how far it is from sigma on [-radius, radius], and where it goes wrong.

    Columns: `name`, `degree`, `max_abs_error` and `mean_abs_error` over the range, `tolerance_radius` (the |x| at
    which the error passes `TOLERANCE`), `monotone_radius` (the polynomial increases up to this |x|).
    """
    if not 0 < radius < math.inf:
        raise ParameterError(f"radius {radius}: expected a finite number above 0")
    x = np.linspace(-radius, radius, _GRID)
    rows = []
    for p in approximations:
        error = np.abs(p.error(x))
        rows.append((p.name, p.degree, error.max(), error.mean(), p.tolerance_radius(), p.monotone_radius))
    import pandas as pd  # imported late: it takes a second, and nothing else here needs it

    columns = ["name", "degree", "max_abs_error", "mean_abs_error", "tolerance_radius", "monotone_radius"]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class RangeReport:
    """What an approximation did on the values z that training met.

    Shares are shares of all z.  Everything else is computed from the z that are numbers, and is nan if there are none.
    """

    min_z: float  # the least z
    max_z: float  # the largest z
    share_outside: float  # outside the approximation's interval
    share_beyond_monotone: float  # beyond its `monotone_radius`
    share_wrong_side: float  # on the wrong side of both labels, p(z) < 0 < z or p(z) > 1 > 0 > z; their steps push z outward
    mean_abs_error: float  # mean of |p(z) - sigma(z)|
    max_abs_error: float  # largest |p(z) - sigma(z)|
    max_abs_p: float  # largest |p(z)|
    share_out_of_range: float = 0.0  # not a number, or beyond what the scheme can work with


def error_over(approximation: Sigmoid, z: ArrayLike, limit: float = math.inf) -> RangeReport:
    """Report the error over the values `z` (any shape, not scaled) that training met.

    limit: the scheme cannot work with a score from this |z| on (`Evaluator.activation_limit`).
    """
    z = _values(z)
    low, high = approximation.interval
    known = z[~np.isnan(z)] if not np.isnan(z).all() else z
    with np.errstate(over="ignore", invalid="ignore"):  # the values of a lost run can overflow
        p = approximation(known)
        error = np.abs(p - sigmoid(known))
    return RangeReport(
        min_z=float(known.min()),
        max_z=float(known.max()),
        share_outside=float(np.mean(~((z >= low) & (z <= high)))),
        share_beyond_monotone=float(np.mean(~(np.abs(z) <= approximation.monotone_radius))),
        share_wrong_side=float(np.sum(_wrong_by(known, p) > 0) / z.size),
        mean_abs_error=float(error.mean()),
        max_abs_error=float(error.max()),
        max_abs_p=float(np.abs(p).max()),
        share_out_of_range=float(np.mean(~(np.abs(z) < limit))),
    )


def check_reach(z: ArrayLike, limit: float, first_review: int = 0) -> None:
    """Raise `DivergenceError` if the scheme cannot work with more than a share of `BEYOND` of the scores.

    These are scores with |z| >= limit, and unknown ones.  A few of them do no harm: each leads to one wrong step.
    """
    z = _values(z)
    beyond = ~(np.abs(z) < limit)
    if beyond.mean() > BEYOND:
        where = "" if math.isinf(limit) else f" of +-{limit:g}"
        raise DivergenceError(
            f"from review {first_review} on, {beyond.sum()} of {z.size} scores leave the scheme's range{where}, beyond which "
            f"it takes them for others (largest known |z|: {np.abs(z[~np.isnan(z)]).max(initial=0.0):.3g}); lower the learning "
            "rate, or scale the features down"
        )


def check_range(approximation: Sigmoid, z: ArrayLike, learning_rate: float, first_review: int = 0) -> RangeReport:
    """Report as `error_over` does; raise `DivergenceError` if the run is lost.

    `z` holds one value per review, or one row of shape (outputs,) per review, in order, from review `first_review` on.

    A run that leaves the interval has not diverged.  In a healthy run z grows past the interval, the polynomial overshoots 0 or
    1, and its error p - y pulls z back.  A run is lost at the first review where

    1. z or p(z) is no finite number; or
    2. p(z) lies more than `WRONG_SIDE_LIMIT` to the wrong side of *both* labels: far below 0 though z > 0, or far
       above 1 though z < 0.  Then p - y has the sign opposite to z for both labels, so the step pushes z outward,
       where p is even more wrong.  Reviews a little on the wrong side come back, because reviews on the right
       side share their words.  In epochs over the 25,000 reviews, runs that recovered stayed below half this
       limit, and runs that passed it were lost.  Polynomials that fall again (degrees 3, 7, ...) end in this way; or
    3. learning_rate |p(z) - y| > STEP_LIMIT for both labels.  One step turns (hidden h, output weights W2) into
       (h - b W2, W2 - b h), in suitable units.  This stretches h + W2 by |1 - b| and h - W2 by |1 + b|, so
       everything grows if |b| > 2.  For n words b is learning_rate (p - y), times sqrt(n) (sum of rows) or divided
       by sqrt(n) (mean).  So no review of up to 2,500 words recovers from a step of 100.  Polynomials that never
       fall (degrees 1, 5, ...) end in this way when the learning rate is too large.

    Raises ParameterError if there are no values, or if the learning rate is not above 0.
    """
    outputs = np.shape(z)[-1] if np.ndim(z) > 1 else 1
    z = _values(z)
    if not 0 < learning_rate < math.inf:
        raise ParameterError(f"learning rate {learning_rate}: expected a finite number above 0")
    with np.errstate(over="ignore", invalid="ignore"):
        p = approximation(z)
        step = learning_rate * np.minimum(np.abs(p), np.abs(p - 1))
        lost = np.flatnonzero(~np.isfinite(p) | (_wrong_by(z, p) > WRONG_SIDE_LIMIT) | (step > STEP_LIMIT))
    if lost.size:
        raise DivergenceError(_divergence(approximation, float(z[lost[0]]), learning_rate, first_review + lost[0] // outputs))
    return error_over(approximation, z)


def _wrong_by(z: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return how far p lies on the wrong side of both labels; 0 or less if it does not lie there."""
    return np.where(z > 0, -p, p - 1)


def _divergence(approximation: Sigmoid, z: float, learning_rate: float, review: int) -> str:
    low, high = approximation.interval
    with np.errstate(over="ignore", invalid="ignore"):
        value = float(approximation(z))
    return (
        f"training diverged at review {review}: z = {z:.3g} gave {value:.3g} for a probability "
        f"({approximation.name}, learning rate {learning_rate:g}, "
        f"meant for z from {low:.3g} to {high:.3g}); lower the learning rate, use another degree or a wider fit"
    )


def _values(z: ArrayLike) -> np.ndarray:
    flat = np.asarray(z, dtype=np.float64).reshape(-1)
    if not flat.size:
        raise ParameterError("no values z were given; expected one per review")
    return flat
