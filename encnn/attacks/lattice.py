"""Recovering T by lattice reduction from the LWE columns of a public key, and how the time grows with the dimension.

**Idea.**  Every column of a public key is an LWE sample: with the known part I* taken away it reads, for row i of T,

    b_j = <T_i, a_j> - e_j  (mod q),   a_j, b_j public, e_j and T_i small.                          from (8)

So (e, T_i, 1) is an integer combination of the rows of a public basis, and a very short one (Kannan's embedding; s samples):

    [ alpha q I_s   0        0   ]
    [ alpha A       xi I_d   0   ]      (T_i, -1) times the lower rows  =  (alpha e, xi T_i, -tau)  (mod the upper ones)
    [ alpha b       0        tau ]

where alpha = 1 and xi = sigma / sigma_T, or the other way round, gives noise and secret the same size.  LLL finds the vector in
low dimension, and BKZ with growing block size beta in higher ones.  One can check it without the secret: it must explain
all samples, also those that were not used.

**Needs** the public key for one vector width and its parameters.  **Works** where `security.estimate` gives a small block size:
log2 q = 32 and d up to about 150 in a minute, any q at d = 1 in milliseconds.  **Fails** at the dimensions of secure
presets: block size, and with it the exponent of the time, grows with d.  Needs the package fpylll (extra `lattice`).

`python -m encnn.experiments lattice` measures time and block size against d.

[Kan87] R. Kannan, Math. Oper. Res. 12, 1987.  [AGVW17] as in `encnn.security.estimate`.  [fpylll]
https://github.com/fplll/fpylll.
"""

import importlib.util
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from encnn.attacks.public_keys import explains, lwe_columns
from encnn.errors import ParameterError
from encnn.progress import progress
from encnn.schemes.integer_vector import PAPER, IntegerVectorParameters, PublicKey, make_keys
from encnn.security.estimate import BDGL16, AttackCost, estimate
from encnn.security.primal import USVP

if TYPE_CHECKING:
    from fpylll import IntegerMatrix


BLOCK_SIZES = (5, 10, 15, 20, 25, 30, 35, 40, 45)
"""Block sizes of BKZ tried in turn, after LLL (which counts as 2).  Beyond 45 plain enumeration takes minutes per call."""

TOURS = 4
"""BKZ tours at each block size."""

LATTICE_TOY = IntegerVectorParameters(
    name="lattice-toy-INSECURE", w_bits=20, scale=1, d=40, q_bits=32, base_bits=16, T_low=-1, T_high=2, sigma=3.2
)
"""LWE with log2 q = 32 and ternary keys in a dimension that falls to LLL; `.updated(d=...)` for others."""

NARROW_TOY = LATTICE_TOY.updated(name="lattice-narrow-INSECURE", w_bits=7, q_bits=12, base_bits=6)
"""The same with log2 q = 12: relatively more noise, so block sizes above 2 are needed, and can be watched, at small d."""

ONE_DIMENSION = PAPER.updated(name="paper-with-modulus-INSECURE", q_bits=62, sigma=3.2, T_low=-(1 << 40), T_high=1 << 40)
"""The paper's parameters with a modulus, Gaussian noise and T of 40 bits, but still one extra entry: d = 1."""

SWEEP = (
    (ONE_DIMENSION, (1,)),
    (LATTICE_TOY, (10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150)),
    (NARROW_TOY, (10, 20, 30, 40, 50, 60, 65, 70, 75, 80, 85, 90, 95, 100)),
)
"""What the job `lattice` measures: parameter sets, each with its dimensions d.  A few minutes in all."""


@dataclass(frozen=True)
class Reduction:
    """The result of an attack on one row of T."""

    row: np.ndarray | None  # the row of T, shape (d,), or None if it was not found
    block_size: int  # the last one that was tried
    dimension: int  # of the lattice
    cpu_s: float  # CPU seconds


def available() -> bool:
    """Return whether fpylll is installed."""
    return importlib.util.find_spec("fpylll") is not None


def recover_row(
    parameters: IntegerVectorParameters,
    A: np.ndarray,
    b: np.ndarray,
    block_sizes: Iterable[int] = BLOCK_SIZES,
) -> Reduction:
    """Return the row of T behind the samples A, (d, N), and b, (N,), or that no block size found it."""
    s = min(A.shape[1], _samples_to_use(parameters))
    basis = _embedding(parameters, A[:, :s], b[:s])
    started = time.process_time()
    for beta in _reduce(basis, block_sizes):
        row = _find_row(parameters, basis, A, b)
        attempt = Reduction(row, beta, A.shape[0] + s + 1, time.process_time() - started)
        if row is not None:
            break
    return attempt


def T_from_lattice(
    parameters: IntegerVectorParameters, public: PublicKey, block_sizes: Sequence[int] = BLOCK_SIZES
) -> np.ndarray | None:
    """Return T, shape (m, d), from the public key alone, or None where a row was not found."""
    A, B = lwe_columns(parameters, public)
    rows = [recover_row(parameters, A, b, block_sizes).row for b in B]
    found = [row for row in rows if row is not None]
    return np.array(found) if len(found) == len(rows) else None


def predicted(parameters: IntegerVectorParameters) -> AttackCost:
    """Return the primal attack that the estimate expects for these parameters, in the cost model "BDGL16"."""
    p = parameters
    if p.q_bits is None or p.sigma is None:
        raise ParameterError(f"{p.name!r} has no modulus or no Gaussian noise; the estimate is about LWE")
    secret = "ternary" if (p.T_low, p.T_high) == (-1, 2) else f"gaussian({_secret_deviation(p)})"
    return _primal(p.d, p.q_bits, p.sigma, secret)


def _primal(d: int, q_bits: int, sigma: float, secret: str) -> AttackCost:
    costs = estimate(d, q_bits, sigma, secret).costs
    return next(cost for cost in costs if cost.attack == USVP and cost.model == BDGL16)


def measure(
    parameters: IntegerVectorParameters, dimensions: Sequence[int], seed: int = 0, block_sizes: Sequence[int] = BLOCK_SIZES
) -> pd.DataFrame:
    """Return one row for each d: what the attack on one row of T took, beside what the estimate predicts.

    Columns `q_bits`, `d`, `found`, `block_size`, `dimension`, `cpu_s`, `predicted_block_size`.  Minutes for d above 140.
    """
    records = []
    for d in progress(dimensions, "lattice reduction"):
        p = parameters.updated(d=d)
        secret, evaluator = make_keys(p, [1], rng=np.random.default_rng([seed, d]), public_widths=[1])
        A, B = lwe_columns(p, evaluator.public_keys[1])
        got = recover_row(p, A, B[0], block_sizes)
        found = got.row is not None and np.array_equal(got.row, secret.T(1)[0])
        records.append((p.q_bits, d, found, got.block_size, got.dimension, got.cpu_s, predicted(p).block_size))
    names = ["q_bits", "d", "found", "block_size", "dimension", "cpu_s", "predicted_block_size"]
    return pd.DataFrame(records, columns=names)


def extrapolate(q_bits: int, dimensions: Sequence[int], anchor_d: int, anchor_s: float) -> pd.DataFrame:
    """Return seconds against d: the estimate's cost of the primal attack, scaled so that `anchor_d` takes `anchor_s`.

    T is ternary and the noise has the deviation 3.2; anchor_s was measured.

    Columns `d`, `bits` (BDGL16), `log2_seconds`.
    """
    bits = [_primal(d, q_bits, 3.2, "ternary").bits for d in dimensions]
    shift = math.log2(anchor_s) - _primal(anchor_d, q_bits, 3.2, "ternary").bits
    return pd.DataFrame({"d": dimensions, "bits": bits, "log2_seconds": np.array(bits) + shift})


def _secret_deviation(p: IntegerVectorParameters) -> float:
    """Return the root mean square of an entry of T, at least that of one bit."""
    low, high = p.T_low, p.T_high - 1
    n = high - low + 1
    mean = (low + high) / 2
    return max(0.5, math.sqrt((n * n - 1) / 12 + mean * mean))


def _weights(p: IntegerVectorParameters) -> tuple[int, int, int]:
    """Return (alpha, xi, tau), which make noise, secret and the last entry of the vector looked for alike in size."""
    sigma, deviation = p.sigma or 1.0, _secret_deviation(p)
    alpha, xi = max(1, round(deviation / sigma)), max(1, round(sigma / deviation))
    return alpha, xi, max(1, round(alpha * sigma))


def _samples_to_use(p: IntegerVectorParameters) -> int:
    return math.ceil(1.25 * predicted(p).samples) + 4


def _embedding(p: IntegerVectorParameters, A: np.ndarray, b: np.ndarray) -> "IntegerMatrix":
    """Return the basis of the module's equation as an fpylll matrix."""
    fpylll = _fpylll()
    d, s = A.shape
    alpha, xi, tau = _weights(p)
    rows = np.zeros((s + d + 1, s + d + 1), dtype=object)
    rows[:s, :s] = np.eye(s, dtype=object) * (alpha << (p.q_bits or 0))
    rows[s : s + d, :s] = A.astype(object) * alpha
    rows[s : s + d, s : s + d] = np.eye(d, dtype=object) * xi
    rows[-1, :s], rows[-1, -1] = b.astype(object) * alpha, tau
    return fpylll.IntegerMatrix.from_matrix([[int(x) for x in row] for row in rows])


def _reduce(basis: "IntegerMatrix", block_sizes: Iterable[int]) -> Iterator[int]:
    """Reduce the basis in place, by LLL and then tour by tour; yield the block size after each step, for a look."""
    fpylll = _fpylll()
    fpylll.LLL.reduction(basis)
    yield 2
    for beta in block_sizes:
        parameters = fpylll.BKZ.Param(beta, flags=fpylll.BKZ.MAX_LOOPS, max_loops=1)
        for _ in range(TOURS):
            fpylll.BKZ.reduction(basis, parameters)
            yield beta


def _find_row(p: IntegerVectorParameters, basis: "IntegerMatrix", A: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    """Return the row of T that one of the first basis vectors shows, if it explains all samples."""
    d, D = A.shape[0], basis.ncols
    _, xi, tau = _weights(p)
    for i in range(min(3, D)):
        if abs(basis[i, D - 1]) == tau:
            sign = -1 if basis[i, D - 1] > 0 else 1
            row = np.array([sign * basis[i, j] // xi for j in range(D - 1 - d, D - 1)], dtype=np.int64)
            if explains(p, row, A, b):
                return row
    return None


def _fpylll() -> ModuleType:
    if not available():
        raise ParameterError("lattice reduction needs fpylll, which is not installed; run pip install 'encnn[lattice]'")
    import fpylll

    return fpylll
