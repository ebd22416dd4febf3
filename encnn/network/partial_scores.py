"""Scores in parts, which show when a score leaves the range of a scheme.

Some schemes know a number only modulo the width 2 R of their range: integer vectors with a modulus, and the bootstrapped
scheme.  With R = 50 they read 60 as 60 - 2 R = -40, and nothing shows that this is wrong.  (The other schemes are right or
raise an error, and have no limit R here.)  One such reading cannot show the error.  Readings of *parts* of a score can, since
each part is a sum over fewer words:

    z = z_1 + ... + z_k     z_j = sum over part j of x_i w_i     the owner decrypts each part and adds the parts in floats

A model announces a public bound B on its weights (`Network.weight_bound`).  The features are public, so whoever computes a
score cuts its words, multiplicities included, into parts with B sum |x_i| <= 0.45 R (`largest_part`).  Then:

- **If |w_i| <= B, every part is within R / 2, noise included, and is read right.**  So z is right, however large it is.  A
  review for which one part is enough takes one ciphertext, as without parts.
- **If a part is read beyond R / 2, B does not hold.**  The score is then unknown and is reported as not-a-number, never
  guessed.
- **An error stays hidden only if a part really reaches 3 R / 2**, more than three times what B allows.  Only then can the
  wrapped reading lie within R / 2 again.  If such parts fall evenly on the torus, each stays hidden with probability 1/2, and a
  score with k of them with probability 2^-k at most.

**Where B comes from.** `Owner.encrypt` announces the octave of the largest weight, at least `WEIGHT_BOUND`.  So B holds for a
model as it was handed out, and none of its scores is wrong.  In training weights grow.  One mini-batch moves a weight by at
most the rate times the batch's sum of |x_i| (`largest_move`), and training raises B to at least the largest such move
(`raise_bound`).  So one mini-batch moves weights from within B to 2 B at most, and a part to 0.9 R, which is noticed.  For a
whole run the proven bound is the number of updates times the rate, far above what weights reach, so after training B is an
assumption.  The owner can turn it into a fact: `Owner.announce_bound` decrypts the weights and announces their octave.  If a
scheme has no limit R, nobody needs B.  It is then always `WEIGHT_BOUND`, and tells nothing about the weights.

**What it costs.**  Each part takes one ciphertext and one decryption.  The number of row additions does not grow.  The owner,
who reads z in any case, also learns sums over parts of a review.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from scipy.sparse import csr_array

from encnn.data.batches import Batch, Conditioned, TrainingFeatures, split_rows
from encnn.errors import CapabilityError, DataError, ParameterError
from encnn.network.architecture import WEIGHT_BOUND, Network
from encnn.schemes import factored
from encnn.schemes.base import Encrypted, Evaluator, KeyContext
from encnn.schemes.factored import FactoredScores

WITHIN = 0.5
"""A part is believed if it is read within this share of the range."""
FILLED = 0.45
"""The bound on weights may let a part fill this share of the range; the rest up to `WITHIN` is for noise."""
_TOGETHER = 4096
"""How many reviews `largest_move` looks at together."""


@dataclass(frozen=True)
class PartialScores:
    """Encrypted scores z of some reviews, at least one of them in several parts.

    If there are `values`, the owner reads them in place of z.  They are unknown wherever z may have wrapped.
    """

    parts: Any  # encrypted, shape (parts of all reviews, outputs), review after review
    counts: np.ndarray  # int64, the number of parts of each review
    values: Encrypted | None = None  # what was computed from the scores, shape (reviews, outputs)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the scores, (reviews, outputs)."""
        return (len(self.counts), *self.parts.shape[1:])

    @property
    def context(self) -> KeyContext:
        """The key's name and its parameters."""
        return self.parts.context

    @property
    def nbytes(self) -> int:
        """Bytes of the ciphertexts."""
        return self.parts.nbytes + (0 if self.values is None else self.values.nbytes)

    def __len__(self) -> int:
        """Return the number of reviews."""
        return len(self.counts)

    def packed(self, evaluator: Evaluator) -> "PartialScores":
        """Return the same scores, packed many per ciphertext if the scheme can."""
        return replace(self, parts=evaluator.pack(self.parts))

    def __getitem__(self, rows: slice) -> "PartialScores":
        """Return the scores of consecutive reviews."""
        start, stop, _ = rows.indices(len(self))
        ends = np.concatenate([[0], np.cumsum(self.counts)])  # reviews have different numbers of parts
        values = None if self.values is None else self.values[start:stop]
        return PartialScores(self.parts[ends[start] : ends[max(start, stop)]], self.counts[start:stop], values)

    def read(self, decrypt: Callable[[Encrypted], np.ndarray], limit: float) -> np.ndarray:
        """Return the scores, or the `values`.  One is not-a-number if a part was read beyond `WITHIN` of the limit."""
        starts = np.cumsum(self.counts) - self.counts
        # Each part is judged before the sum: a wrapped part would be lost in it.  One not-a-number makes the whole score
        # unknown.
        z = np.add.reduceat(readable(decrypt(self.parts), limit), starts)
        # The values were computed from the whole score, which may wrap although every part is in range.
        return z if self.values is None else np.where(np.abs(z) <= WITHIN * limit, decrypt(self.values), np.nan)


def check_counts(counts: object, parts: int) -> None:
    """Raise `DataError` unless the counts are int64, at least one per review, and add up to `parts`."""
    if (
        not isinstance(counts, np.ndarray)
        or (counts.dtype, counts.ndim) != (np.int64, 1)
        or not 0 < len(counts) <= parts
        or counts.min() < 1
        or counts.max() > parts
        or counts.sum() != parts
    ):
        raise DataError(f"{parts} parts of scores do not fit the counts that came with them; send int64, one count per review")


def readable(z: np.ndarray, limit: float) -> np.ndarray:
    """Return decrypted numbers, with not-a-number for those beyond `WITHIN` of the limit, which may have wrapped."""
    return z if math.isinf(limit) else np.where(np.abs(z) <= WITHIN * limit, z, np.nan)


def largest_part(evaluator: Evaluator, network: Network) -> float:
    """Return the largest sum of |x_i| for which one part is enough, or infinity if the scheme has no limit.

    Behind a hidden layer of k units |z| <= k B^2 sum |x_i|, at the square of the scale.  Pooling by the mean needs fractions,
    which schemes with a limit refuse.
    """
    limit, bound, hidden = evaluator.score_limit, network.weight_bound, network.architecture.hidden
    if math.isinf(limit) or network.architecture.pooling == "mean":
        return math.inf
    if hidden:  # scores are products of two scaled weights, so the scale divides the limit once more
        return FILLED * limit / evaluator.parameters.scale / (hidden * bound**2)
    # A part holds at least one word.  Whole numbers, since `split_rows` cuts multiplicities.
    return max(1, math.floor(FILLED * limit / bound))


def in_parts(evaluator: Evaluator, network: Network, batch: Batch, largest: float) -> PartialScores | None:
    """Return the scores of a batch in parts with sums of |x_i| up to `largest`; None if one part per review is enough.

    Raises `CapabilityError` if a review needs more parts and there is a hidden layer, since scores are then products.
    """
    if math.isinf(largest) or batch.largest_row() <= largest:
        return None
    if network.architecture.hidden:
        raise CapabilityError(
            f"scheme {evaluator.scheme!r} with these parameters could wrap the score of a review with sum |x| of "
            f"{batch.largest_row():g}, with weights up to {network.weight_bound:g}, and behind a hidden layer nobody could "
            "tell; use smaller features or smaller weights, or fold a public second layer in (encnn.network.folded)"
        )
    parts, counts = split_rows(batch, int(largest))
    return PartialScores(evaluator.gather(parts, network.W1), counts)


def mean_parts(X: TrainingFeatures, largest: float) -> float:
    """Return the mean number of parts per review, at least 1, for parts with sums of |x_i| up to `largest`."""
    if math.isinf(largest):
        return 1.0
    rows = abs(X.X if isinstance(X, Conditioned) else X).sum(axis=1)
    return float(np.maximum(np.ceil(np.asarray(rows) / largest), 1).mean())


def joined(evaluator: Evaluator, scores: Sequence[Encrypted]) -> Encrypted:
    """Return scores joined along their first axis; they are in parts if any of them are."""
    if isinstance(scores[0], FactoredScores):
        return factored.joined(evaluator, cast(Sequence[FactoredScores], scores))
    if not any(isinstance(z, PartialScores) for z in scores):
        return evaluator.concatenate(scores)
    each = [z if isinstance(z, PartialScores) else PartialScores(z, np.ones(len(z), np.int64)) for z in scores]
    return PartialScores(evaluator.concatenate([z.parts for z in each]), np.concatenate([z.counts for z in each]))


def octave(network: Network) -> float:
    """Return the bound to announce for a network in the clear.

    It is the least power of two that no |weight| exceeds, at least `WEIGHT_BOUND`.  A bound above `WEIGHT_BOUND` tells
    everybody the octave of the largest weight, and nothing more.
    """
    largest = max(float(np.abs(W).max(initial=0.0)) for W in (network.W1, network.W2) if W is not None)
    return max(WEIGHT_BOUND, 2.0 ** math.ceil(math.log2(largest))) if 0 < largest < math.inf else WEIGHT_BOUND


def bound_to_announce(evaluator: Evaluator, network: Network) -> float:
    """Return the octave of a network in the clear (`octave`) if a scheme's limit needs it.

    Without a limit nobody needs the octave.  It would only tell something about the weights, so it is `WEIGHT_BOUND`.
    """
    return octave(network) if math.isfinite(evaluator.score_limit) else WEIGHT_BOUND


def raise_bound(evaluator: Evaluator, network: Network, X: TrainingFeatures, rate: float, batch_size: int) -> None:
    """Raise the network's bound to the most that one mini-batch can move a weight.

    Raises `ParameterError` if that is beyond the range of the scheme.
    """
    if math.isinf(evaluator.score_limit):
        return
    move = checked_move(evaluator.score_limit, X, rate, batch_size)
    network.weight_bound = max(network.weight_bound, move)


def checked_move(limit: float, X: TrainingFeatures, rate: float, batch_size: int) -> float:
    """Return the most that one mini-batch can move a weight.

    Raises `ParameterError` if that is beyond the range of a scheme with this limit.
    """
    move = rate * largest_move(X, batch_size)
    if move >= WITHIN * limit:
        raise ParameterError(
            f"one mini-batch could move a weight by {move:.3g} (rate {rate:g}, batches of {batch_size}), but this scheme holds "
            f"scores up to {limit:g}; lower the learning rate to below {rate * WITHIN * limit / move:.3g}"
        )
    return move


def largest_move(X: TrainingFeatures, batch_size: int) -> float:
    """Return the most that any of these mini-batches moves a weight, in units of the rate.

    That is the maximum over mini-batches and features i of  m_i sum_r |x_ri| / s_r,  since an error |sigmoid(z) - y| is at most
    1.  With multipliers it is far below what a mini-batch full of the largest features would give, because large multipliers
    belong to rare features.
    """
    reviews, together = X.shape[0], batch_size * max(1, _TOGETHER // batch_size)
    return max((_move(X[first : first + together], batch_size) for first in range(0, reviews, together)), default=0.0)


def _move(X: TrainingFeatures, batch_size: int) -> float:
    """Do what `largest_move` does, for so few reviews that the sums of their mini-batches fit the memory."""
    features, m, s = (X.X, X.multipliers, X.widths) if isinstance(X, Conditioned) else (X, None, None)
    rows = np.arange(X.shape[0])
    of_batches = csr_array((np.ones(len(rows)) if s is None else 1 / s, (rows // batch_size, rows)))
    moves = csr_array(of_batches @ abs(features.astype(np.float64)))
    return float((moves.data if m is None else moves.data * m[moves.indices]).max(initial=0.0))
