r"""The sigmoid as a polynomial, since ciphertexts can be added and multiplied but not exponentiated.

    sigma(x) = 1 / (1 + exp(-x)) = 1/2 + x/4 - x^3/48 + x^5/480 - 17 x^7/80640 + ...

is what the paper approximates, by this series.  The series converges for |x| < pi only, and no polynomial stays near
sigma for ever; fits on a range, by least squares or minimax, move the error to where it does less harm.  All
approximations here but one are 1/2 plus an odd polynomial, as sigma is.  How a training run ends depends on what its
polynomial does *outside* the range, so `error_over` reports it and `check_range` stops a run that is lost.
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

TOLERANCE = 0.05  # the error at which a range of use ends, unless a fit states its own
BEYOND = 0.01
"""Share of scores that may leave a range, of a scheme or of a polynomial, before a run is stopped."""
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

    `coefficients`, lowest power first, last one not zero; `interval`, the (low, high) on which it is meant to be used.

    >>> taylor(3)(np.array([0.0, 1.0, -1.0]))
    array([0.5       , 0.72916667, 0.27083333])
    """

    name: str
    coefficients: tuple[float, ...]
    interval: tuple[float, float]

    def __post_init__(self) -> None:
        """Refuse what is not a polynomial of at least degree 1 on an interval."""
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
        """Return the least |x| at which |p(x) - sigma(x)| passes `tolerance`; infinity beyond a million.

        >>> round(taylor(1).tolerance_radius(), 3)
        1.424
        """
        x = np.concatenate([np.linspace(0, 1, 1001), np.geomspace(1, _SEARCH_END, 14_001)])
        with np.errstate(over="ignore"):  # high powers of a million are infinite, and so past any tolerance
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
        """The largest r such that p increases on [-r, r]; infinity if it increases everywhere, 0 if not even at 0.

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
    """The sigmoid itself, for clear arithmetic only: ciphertexts can be added and multiplied, not exponentiated."""

    name: str = "exact"
    interval: tuple[float, float] = (-math.inf, math.inf)
    monotone_radius: float = math.inf

    def __call__(self, x: ArrayLike) -> np.ndarray:
        """Return sigma(x), in the shape of `x`."""
        return sigmoid(x)


Sigmoid = PolynomialSigmoid | ExactSigmoid


# Approximations


def taylor_coefficients(degree: int) -> tuple[Fraction, ...]:
    """Return the exact coefficients of the series of sigma at 0, lowest power first.

    They follow from sigma' = sigma (1 - sigma): comparing powers of x,
    (n + 1) a[n+1] = a[n] - (a[0] a[n] + a[1] a[n-1] + ... + a[n] a[0]).

    >>> [str(a) for a in taylor_coefficients(7)]
    ['1/2', '1/4', '0', '-1/48', '0', '1/480', '0', '-17/80640']
    """
    a = [Fraction(1, 2)]
    for n in range(degree):
        a.append((a[n] - sum(a[k] * a[n - k] for k in range(n + 1))) / (n + 1))
    return tuple(a)


def taylor(degree: int) -> PolynomialSigmoid:
    """Return the series of any odd degree, the paper's approximation.

    Its interval ends where its error passes `TOLERANCE`.
    """
    _check_degree(degree)
    coefficients = tuple(float(a) for a in taylor_coefficients(degree))
    return _within_tolerance(f"Taylor, degree {degree}", coefficients)


def ancestor_misplaced() -> PolynomialSigmoid:
    """Return the series with its coefficients one power out of place, as in the notebook published in 2017.

    1/2 + x/4 - x^2/48 + x^3/480 - 17 x^5/80640: the even power breaks the symmetry about 1/2, and the polynomial
    falls again on both sides (see `monotone_radius`).  For comparison only.
    """
    a = [float(c) for c in taylor_coefficients(7)]
    return _within_tolerance("ancestor, coefficients misplaced", (a[0], a[1], a[3], a[5], 0.0, a[7]))


def least_squares(degree: int, radius: float) -> PolynomialSigmoid:
    """Return the polynomial that minimises the integral of (p - sigma)^2 over [-radius, radius].

    The projection on Legendre polynomials, with integrals by Gauss quadrature of enough nodes that only rounding
    remains (the poles of sigma at +-i pi set their number).
    """
    _check_fit(degree, radius)
    nodes, weights = legendre.leggauss(64 + 8 * math.ceil(radius) + degree)
    target = weights * (sigmoid(radius * nodes) - 0.5)
    series = np.zeros(degree + 1)
    for k in range(1, degree + 1, 2):
        series[k] = (2 * k + 1) / 2 * (target @ legendre.legval(nodes, np.eye(k + 1)[k]))
    return _fit("least squares", legendre.leg2poly(series), radius)


def minimax(degree: int, radius: float) -> PolynomialSigmoid:
    """Return the polynomial whose largest error on [-radius, radius] is least, by Remez exchange.

    Its error takes its largest size (degree + 3) / 2 times on (0, radius], with alternating sign.
    """
    _check_fit(degree, radius)
    n_unknowns = (degree + 1) // 2
    grid = np.linspace(0, 1, _GRID)[1:]
    target = sigmoid(radius * grid) - 0.5
    basis = chebyshev.chebvander(grid, degree)[:, 1::2]
    # Where the error of a truncated Chebyshev series of odd functions is largest.
    reference = np.searchsorted(grid, np.cos(np.arange(n_unknowns + 1) * np.pi / (degree + 2))[::-1] - 1e-12)
    for _ in range(_EXCHANGES):
        series, level = _levelled(basis[reference], target[reference])
        error = basis @ series - target
        if np.abs(error).max() <= level * (1 + 1e-9) + 1e-13:
            return _fit("minimax", chebyshev.cheb2poly(_odd(series)), radius)
        reference = _extremes(error)
    raise ParameterError(f"no minimax fit of degree {degree} on +-{radius} found; choose a lower degree")


def check_name(p: PolynomialSigmoid) -> None:
    """Raise `ParameterError` for a polynomial that has the name of an approximation made here, and is another one.

    Series are compared exactly.  Fits are computed in floating point, which rounds a little differently on every machine, so
    their values on the interval need to agree to nine digits only.  A name of one's own says nothing: nothing is compared.
    """
    known = _namesake(p)
    if known is None:
        return
    same = (p.name, p.degree) == (known.name, known.degree) and np.allclose(p.interval, known.interval, rtol=1e-9, atol=0)
    if not same or not (p.coefficients == known.coefficients or (" on +-" in p.name and _nearly_equal(p, known))):
        raise ParameterError(f"a sigmoid is called {p.name!r} and is another polynomial; give it a name of its own")


def _nearly_equal(p: PolynomialSigmoid, q: PolynomialSigmoid) -> bool:
    """Tell whether two fits of one degree differ by rounding only."""
    x = np.linspace(*q.interval, 101)
    near = np.allclose(p.coefficients, q.coefficients, rtol=1e-4, atol=0)  # so that no value of the next line is infinite
    return bool(near and np.allclose(p(x), q(x), rtol=0, atol=1e-9))


def _namesake(p: PolynomialSigmoid) -> PolynomialSigmoid | None:
    """Return what the name of `p` promises, None for a name of one's own."""
    if p.name == ExactSigmoid.name:
        raise ParameterError(f"a polynomial is called {p.name!r}, which it is not; give it a name of its own")
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
    """Return the place of the largest error between each two changes of its sign."""
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
    scaled[0::2] = 0.0  # the conversion leaves rounding errors here
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
    """Return one row an approximation: how far it is from sigma on [-radius, radius], and where it goes wrong.

    Columns: `name`, `degree`, `max_abs_error` and `mean_abs_error` over the range, `tolerance_radius` (the |x| at
    which the error passes `TOLERANCE`), `monotone_radius` (it increases on +- this).
    """
    if not 0 < radius < math.inf:
        raise ParameterError(f"radius {radius}: expected a finite number above 0")
    x = np.linspace(-radius, radius, _GRID)
    rows = []
    for p in approximations:
        error = np.abs(p.error(x))
        rows.append((p.name, p.degree, error.max(), error.mean(), p.tolerance_radius(), p.monotone_radius))
    import pandas as pd  # a second to import, and nothing else here needs it

    columns = ["name", "degree", "max_abs_error", "mean_abs_error", "tolerance_radius", "monotone_radius"]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class RangeReport:
    """What an approximation did on the values z that training met.

    Least and greatest z; share of z outside the approximation's interval; share beyond its `monotone_radius`; share on
    the wrong side of both labels, p(z) < 0 < z or p(z) > 1 > 0 > z, whose steps push z outward; mean and
    largest |p(z) - sigma(z)|; largest |p(z)|.  share_out_of_range: share of z that the scheme cannot work with, or that is no
    number.  All others but the shares are of the z that are numbers, and nan if there is none.
    """

    min_z: float
    max_z: float
    share_outside: float
    share_beyond_monotone: float
    share_wrong_side: float
    mean_abs_error: float
    max_abs_error: float
    max_abs_p: float
    share_out_of_range: float = 0.0


def error_over(approximation: Sigmoid, z: ArrayLike, limit: float = math.inf) -> RangeReport:
    """Report the error over the values `z` (any shape, not scaled) that training really met.

    limit: the |z| from which on the scheme cannot work with a score (`Evaluator.activation_limit`).
    """
    z = _values(z)
    low, high = approximation.interval
    known = z[~np.isnan(z)] if not np.isnan(z).all() else z
    with np.errstate(over="ignore", invalid="ignore"):  # a lost run has values beyond all bounds
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
    """Raise `DivergenceError` if more than a share of `BEYOND` of the scores cannot be worked with: |z| >= limit, or unknown.

    A few do no harm: each leads to one wrong step.
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
    """Report as `error_over` does, unless the run is lost: then raise DivergenceError.

    `z` holds one value per review, or one row of shape (outputs,), in order, from review `first_review` on.

    Leaving the interval is no divergence: in a healthy run z grows past it, the polynomial overshoots 0 or 1, and its
    error p - y pulls z back.  A run is lost at the first review where

    1. z or p(z) is no finite number; or
    2. p(z) lies more than `WRONG_SIDE_LIMIT` to the wrong side of *both* labels: far below 0 though z > 0, or far
       above 1 though z < 0.  Then p - y has the sign opposite to z whatever the label, so the step pushes z outward,
       where p is more wrong still.  Reviews a little on the wrong side come back, because reviews on the right
       side share their words; in epochs over the 25,000 reviews, runs that recovered stayed below half this
       limit, and runs that passed it were lost.  So end polynomials that fall again (degrees 3, 7, ...); or
    3. learning_rate |p(z) - y| > STEP_LIMIT for both labels.  One step turns (hidden h, output weights W2) into
       (h - b W2, W2 - b h), in suitable units: it stretches h + W2 by |1 - b| and h - W2 by |1 + b|, so
       |b| > 2 makes everything grow.  With n words b is learning_rate (p - y) times sqrt(n) (sum of rows) or divided
       by it (mean), so a step of 100 is beyond recovery for every review of up to 2,500 words.  So end
       polynomials that never fall (degrees 1, 5, ...), at too large a learning rate.

    Raises ParameterError for no values, or a learning rate that is not above 0.
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
    """Return how far p lies to the wrong side of both labels; 0 or less if it does not."""
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
