"""Check whether a plan can train a network of rank one: rehearse it in the clear, and predict the noise.

The trainer knows the reviews, the plain labels, the plan and the number of hidden units.  It does not know b = |W2| of the
start, so it rehearses from several b (`STARTS`) and takes the largest numbers met.  A rehearsal is not random, so a run that is
started again has the same ranges.

Codes hold a b below `LEAST` as `LEAST`.  A short stay there does no harm, but a long one trains another network.  So a run in
which b falls that far is also rehearsed as codes would train it, and refused if its scores differ (`MOST_OFF`).
"""

import math
from dataclasses import dataclass

import numpy as np

from encnn.data.batches import TrainingFeatures, batches
from encnn.errors import DivergenceError, ParameterError
from encnn.schemes.bootstrapped import noise
from encnn.schemes.bootstrapped.parameters import TORUS_BITS, BootstrappedParameters
from encnn.schemes.bootstrapped.rank_one import LARGEST, LEAST, RankOneRanges
from encnn.schemes.public import PublicPlan

LARGEST_START = 6.0
"""The largest |W2| from which training may start.  It is below `LARGEST`, because |W2| grows in training."""
ROOM = 1.1
"""The ranges are this many times the largest numbers of the rehearsal."""
LARGEST_SCALE = 1 << (TORUS_BITS - 3)
"""The largest scale that a set of parameters may have."""
STARTS = (-1.5, 0.0, 1.5)
"""Rehearsals start from b = sqrt(hidden) plus these.  |W2| of standard normal entries has about the mean sqrt(hidden) and the
standard deviation 0.7."""
MOST_OFF = 0.1
"""How far scores may be off because b is clipped: the root mean square of the change, as a share of that of the scores.
Training with codes is off by about as much as this rehearsal says, and by some 0.05 where b is never clipped."""
UNREHEARSED_S, UNREHEARSED_Q, UNREHEARSED_B = 3.5, 2.0, 4.0
"""Without a rehearsal: the largest s, the largest sum of q divided by the size of the mini-batch (at least 8), a typical b."""


def unrehearsed(batch_size: int) -> RankOneRanges:
    """Return the ranges where nothing can be rehearsed: labels are encrypted, or the only mini-batch has s = 0 throughout."""
    return RankOneRanges(UNREHEARSED_S, UNREHEARSED_Q * max(batch_size, 8), UNREHEARSED_B)


@dataclass(frozen=True)
class RankOneRehearsal:
    """What training in the clear has met."""

    ranges: RankOneRanges  # the largest s and q, and the mean b
    sum: float  # the largest |sum of the rows of a review's words|
    b: float  # the largest b
    least_b: float  # the smallest b
    z: np.ndarray  # the scores, shape (epochs * reviews,)


def rehearsed(
    X: TrainingFeatures, y: np.ndarray, plan: PublicPlan, pooling_mean: bool, b: float, clipped: bool = False
) -> RankOneRehearsal:
    """Train in the clear from U = 0 and this b, and return what was met.

    y: plain labels, shape (reviews,).  A step is that of `rank_one`, without codes.  clipped: products
    take b between `LEAST` and `LARGEST`, as codes do.
    """
    U, largest, met, z = np.zeros((X.shape[1], 1)), np.zeros(3), [], []
    for epoch in range(plan.epochs):
        for rows, batch in batches(X, plan.batch_size):
            rate = plan.rate(epoch + rows.start / X.shape[0])
            total = batch.gather(U)[:, 0]
            shares = np.ravel(batch.inverse_counts()) if pooling_mean else 1.0
            s, read = total * shares, min(max(b, LEAST), LARGEST) if clipped else b
            d = plan.sigmoid(s * read) - y[rows]
            q = float(d @ s) * read
            z.append(s * b)
            batch.updating().scatter_subtract(U, (rate * read * d * (shares if plan.divide_update else 1.0))[:, None])
            b -= rate * q / read
            largest = np.maximum(largest, (np.abs(s).max(), abs(q), np.abs(total).max()))
            met.append(b)
    ranges = RankOneRanges(float(largest[0]), float(largest[1]), float(np.mean(met)))
    return RankOneRehearsal(ranges, float(largest[2]), float(np.max(met)), float(np.min(met)), np.concatenate(z))


def ranges_for(
    p: BootstrappedParameters, X: TrainingFeatures, y: np.ndarray, plan: PublicPlan, pooling_mean: bool, hidden: int
) -> RankOneRanges:
    """Return the ranges for plain labels.

    Raises `DivergenceError` if |W2| leaves what codes hold, and `ParameterError` if sums of rows do not fit the torus or if
    noise would drown the updates.
    """
    starts = sorted({float(np.clip(math.sqrt(hidden) + more, LEAST, LARGEST_START)) for more in STARTS})
    with np.errstate(all="ignore"):  # a lost run overflows, and is refused below
        free = [rehearsed(X, y, plan, pooling_mean, b) for b in starts]
        all_met = [
            run if run.least_b >= LEAST else rehearsed(X, y, plan, pooling_mean, b, clipped=True)
            for b, run in zip(starts, free, strict=True)
        ]
        _check_clipping(free, all_met, plan)
    total = ROOM * max(met.sum for met in all_met)
    # Sums of rows must stay within a quarter of the torus.  A power of two keeps the scale exact.
    most = 2 ** math.floor(math.log2(2.0**TORUS_BITS / 4 / max(total, 2.0**-16)))
    if p.scale > most:
        raise ParameterError(
            f"in a rehearsal in the clear the rows of a review add up to {total / ROOM:.3g}, which fits a scale of {most} or "
            f"less, but the scale of {p.name!r} is {p.scale}; make keys with parameters.updated(name=..., scale={most})"
        )
    check_rate(p, plan, min(met.ranges.b for met in all_met), most)
    largest = [max(getattr(met.ranges, name) for met in all_met) for name in ("s", "q")]
    if not all(largest):  # a run of one mini-batch meets only s = 0
        return unrehearsed(plan.batch_size)
    return RankOneRanges(ROOM * largest[0], ROOM * largest[1], float(np.mean([met.ranges.b for met in all_met])))


def _check_clipping(free: list[RankOneRehearsal], clipped: list[RankOneRehearsal], plan: PublicPlan) -> None:
    """Raise `DivergenceError` if codes do not hold the |W2| of a rehearsal, and so would train another network."""
    off = np.max([_off(a.z, b.z) for a, b in zip(clipped, free, strict=True)])
    least, b = np.min([run.least_b for run in free]), np.max([run.b for run in free])
    if not (b <= LARGEST and off <= MOST_OFF):
        raise DivergenceError(
            f"in a rehearsal in the clear |W2| goes from {least:.3g} to {b:.3g}, but codes hold numbers from {LEAST:g} to "
            f"{LARGEST:g}, which would change scores by more than {MOST_OFF:.0%}; take a lower learning rate than "
            f"{plan.learning_rate:g}, or fewer epochs than {plan.epochs}"
        )


def _off(z: np.ndarray, wanted: np.ndarray) -> float:
    """Return the root mean square of z - wanted as a share of that of `wanted`."""
    return 0.0 if z is wanted else float(np.linalg.norm(z - wanted) / np.linalg.norm(wanted))


def update_noise(p: BootstrappedParameters, rate: float, b: float) -> float:
    """Return the standard deviation of the noise that a fine rotation adds to an update a d b, in units of d."""
    return math.sqrt(noise.rotation(p.fine) + noise.trace(p)[0]) * 2.0**TORUS_BITS / p.scale / (rate * b)


def check_rate(p: BootstrappedParameters, plan: PublicPlan, b: float, most: int) -> None:
    """Raise `ParameterError` if the noise of an update would drown it.  most: the largest scale that sums of rows allow."""
    rate = plan.rate(plan.epochs)
    deviation = update_noise(p, rate, b)
    if deviation <= noise.ERROR_NOISE:
        return
    wanted = 2 ** math.ceil(math.log2(p.scale * deviation / noise.ERROR_NOISE))
    finer = (
        f"make keys with parameters of a larger scale (parameters.updated(name=..., scale={wanted}))"
        if wanted <= min(most, LARGEST_SCALE)
        else ""
    )
    least = noise.rounded_up(plan.learning_rate * deviation / noise.ERROR_NOISE)
    raise ParameterError(
        f"at learning rate {rate:g} and |W2| = {b:.3g} a fine rotation of {p.name!r} adds noise of {deviation:.2g} to "
        f"sigmoid - y (one standard deviation), more than {noise.ERROR_NOISE:g}; {finer or f'take a rate of {least:g} or more'}"
    )


def check_start(b: float) -> None:
    """Raise `ParameterError` unless |W2| of the start lies where codes of b hold it while it grows."""
    if not LEAST <= b <= LARGEST_START:
        raise ParameterError(
            f"|W2| is {b:.3g} at the start, but a network of rank one must start with |W2| between {LEAST:g} and "
            f"{LARGEST_START:g}; draw the start again (Network.initial with another generator), or multiply W2 by {2.8 / b:.2g}"
        )
