"""Scores in parts: how a score that a scheme cannot hold is noticed.

Some schemes tell a number modulo the width 2 R of their range: integer vectors with a modulus and the bootstrapped scheme read
60 as 60 - 2 R without a sign that anything is wrong.  (The others are right or raise, and have no limit R here.)  No function
of one such reading can tell.  Readings of *parts* of a score can, since each is a sum over fewer words:

    z = z_1 + ... + z_k     z_j = sum over part j of x_i w_i     each decrypted by itself, and added up by the owner in floats

A model announces a public bound B on its weights (`Network.weight_bound`).  The features are public, so whoever computes a
score cuts its words, multiplicities included, into parts with B sum |x_i| <= 0.45 R (`largest_part`).  Then:

- **If |w_i| <= B, every part is within R / 2, noise included, and read right.**  So z is right, however large it is.  Where
  one part is enough for a review, one ciphertext is what it takes, as without parts.
- **If a part is read beyond R / 2, B does not hold**, and the score is reported as not-a-number: unknown, never a guess.
- **A miss takes a part that truly reaches 3 R / 2**, more than three times what B allows; only then can the wrapped reading lie
  within R / 2 again.  If such parts fall evenly on the torus, each is missed with probability 1/2, and a score with k of them
  with probability 2^-k at most.

Where B comes from.  `Owner.encrypt` announces the octave of the largest weight, at least `WEIGHT_BOUND`.  So B holds for a
model as it was handed out, and no score of it is wrong.  In training weights grow.  One mini-batch moves a weight by at most
the rate times the batch's sum of |x_i|, and training raises B to that (`raise_bound`): between two readings of a part it cannot
jump from within R / 2 over 3 R / 2.  For a whole run all that is proven is updates times rate, far above what weights reach,
so after training B is an assumption.  The owner can turn it into a fact: `Owner.announce_bound` decrypts the weights and
announces their octave.

What it costs: one ciphertext and one decryption per part, and no more additions of rows than one sum takes.  The owner, who
reads z in any case, learns sums over parts of a review besides.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from encnn.data.batches import Batch, Conditioned, TrainingFeatures, split_rows
from encnn.errors import CapabilityError, DataError, ParameterError
from encnn.network.architecture import WEIGHT_BOUND, Network
from encnn.schemes.base import Encrypted, Evaluator

WITHIN = 0.5
"""Share of the range within which a part is taken as it is read."""
FILLED = 0.45
"""Share of the range that a part may fill by the bound on weights; the rest is for noise."""


@dataclass(frozen=True)
class PartialScores:
    """Encrypted scores z of some reviews, at least one of them in several parts.

    parts: encrypted, shape (parts of all reviews, outputs), review after review.  counts: int64, parts of each review.
    values: what was computed from the scores, shape (reviews, outputs), if the owner is to read that: it is told no better
    than z is.
    """

    parts: Encrypted
    counts: np.ndarray
    values: Encrypted | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the scores, (reviews, outputs)."""
        return (len(self.counts), *self.parts.shape[1:])

    @property
    def context(self) -> Any:
        """The name of the key and its parameters."""
        return self.parts.context

    @property
    def nbytes(self) -> int:
        """Bytes of the ciphertexts."""
        return self.parts.nbytes + (0 if self.values is None else self.values.nbytes)

    def __len__(self) -> int:
        """Return the number of reviews."""
        return len(self.counts)

    def packed(self, evaluator: Evaluator) -> "PartialScores":
        """Return the same scores, many in a ciphertext where the scheme can."""
        return replace(self, parts=evaluator.pack(self.parts))

    def __getitem__(self, rows: slice) -> "PartialScores":
        """Return the scores of some reviews that follow each other."""
        start, stop, _ = rows.indices(len(self))
        ends = np.concatenate([[0], np.cumsum(self.counts)])
        values = None if self.values is None else self.values[start:stop]
        return PartialScores(self.parts[ends[start] : ends[max(start, stop)]], self.counts[start:stop], values)

    def read(self, decrypt: Callable[[Encrypted], np.ndarray], limit: float) -> np.ndarray:
        """Return the scores (or `values`), not-a-number where a part was read beyond `WITHIN` of the limit."""
        starts = np.cumsum(self.counts) - self.counts
        z = np.add.reduceat(readable(decrypt(self.parts), limit), starts)
        return z if self.values is None else np.where(np.abs(z) <= WITHIN * limit, decrypt(self.values), np.nan)


def check_counts(counts: object, parts: int) -> None:
    """Raise `DataError` unless these are counts, int64, of the parts of reviews, at least one each and so many in all."""
    fits = isinstance(counts, np.ndarray) and counts.dtype == np.int64 and counts.ndim == 1 and 0 < len(counts) <= parts
    if not fits or counts.min() < 1 or counts.max() > parts or counts.sum() != parts:  # type: ignore[attr-defined]
        raise DataError(f"{parts} parts of scores do not fit the counts that came with them; send int64, one count per review")


def readable(z: np.ndarray, limit: float) -> np.ndarray:
    """Return decrypted numbers, not-a-number where they lie beyond `WITHIN` of the limit and may have wrapped."""
    return z if math.isinf(limit) else np.where(np.abs(z) <= WITHIN * limit, z, np.nan)


def largest_part(evaluator: Evaluator, network: Network) -> float:
    """Return the largest sum of |x_i| for which one part is enough; infinity where the scheme has no limit to mind.

    Behind a hidden layer of k units |z| <= k B^2 sum |x_i|, at the square of the scale.  Pooling by the mean takes fractions,
    which schemes with a limit refuse.
    """
    limit, bound, hidden = evaluator.score_limit, network.weight_bound, network.architecture.hidden
    if math.isinf(limit) or network.architecture.pooling == "mean":
        return math.inf
    if hidden:
        return FILLED * limit / evaluator.parameters.scale / (hidden * bound**2)
    return max(1, math.floor(FILLED * limit / bound))


def in_parts(evaluator: Evaluator, network: Network, batch: Batch, largest: float) -> PartialScores | None:
    """Return the scores of a batch in parts with sums of |x_i| up to `largest`, None if one part is enough for each review.

    Raises `CapabilityError` if it is not and there is a hidden layer: scores are products then, which no parts add up to.
    """
    if math.isinf(largest) or batch.largest_row() <= largest:
        return None
    if network.architecture.hidden:
        raise CapabilityError(
            f"scheme {evaluator.scheme!r} with these parameters could wrap the score of a review with sum |x| of "
            f"{batch.largest_row():g} behind a hidden layer (weights up to {network.weight_bound:g}), where nobody could tell; "
            "use smaller weights, the scheme 'integer_vector' without modulus, or fold a public second layer in "
            "(encnn.network.folded)"
        )
    parts, counts = split_rows(batch, int(largest))
    return PartialScores(evaluator.gather(parts, network.W1), counts)


def mean_parts(X: TrainingFeatures, largest: float) -> float:
    """Return how many parts a review is cut into on average, with sums of |x_i| up to `largest`; at least 1."""
    if math.isinf(largest):
        return 1.0
    rows = abs(X.X if isinstance(X, Conditioned) else X).sum(axis=1)
    return float(np.maximum(np.ceil(np.asarray(rows) / largest), 1).mean())


def joined(evaluator: Evaluator, scores: Sequence[Encrypted]) -> Encrypted:
    """Return scores joined along their first axis, in parts if any of them are."""
    if not any(isinstance(z, PartialScores) for z in scores):
        return evaluator.concatenate(scores)
    each = [z if isinstance(z, PartialScores) else PartialScores(z, np.ones(len(z), np.int64)) for z in scores]
    return PartialScores(evaluator.concatenate([z.parts for z in each]), np.concatenate([z.counts for z in each]))


def octave(network: Network) -> float:
    """Return the bound to announce of a network in the clear: the least power of two above all |weights|, or `WEIGHT_BOUND`.

    It tells the octave of the largest weight, and that only if it is above `WEIGHT_BOUND`.
    """
    largest = max(float(np.abs(W).max(initial=0.0)) for W in (network.W1, network.W2) if W is not None)
    return max(WEIGHT_BOUND, 2.0 ** math.ceil(math.log2(largest))) if 0 < largest < math.inf else WEIGHT_BOUND


def raise_bound(evaluator: Evaluator, network: Network, X: TrainingFeatures, rate: float, batch_size: int) -> None:
    """Raise the network's bound to what one mini-batch can move a weight by; refuse what would pass the range at once."""
    if math.isinf(evaluator.score_limit):
        return
    largest = _largest_step(X)
    move = rate * largest * min(batch_size, X.shape[0])
    if move >= WITHIN * evaluator.score_limit:
        lower = rate * WITHIN * evaluator.score_limit / move
        raise ParameterError(
            f"one mini-batch could move a weight by {move:.3g} (rate {rate:g}, features up to {largest:g}, batches of "
            f"{batch_size}), and scheme {evaluator.scheme!r} here holds scores up to {evaluator.score_limit:g}; lower the "
            f"learning rate to below {lower:.3g}"
        )
    network.weight_bound = max(network.weight_bound, move)


def _largest_step(X: TrainingFeatures) -> float:
    """Return the most that one review of features X moves a weight by, in units of the rate: max m_i |x_i| / s."""
    if not isinstance(X, Conditioned):
        return float(abs(X).max())
    m = 1.0 if X.multipliers is None else float(np.abs(X.multipliers).max())
    return m * float(abs(X.X).max()) / (1.0 if X.widths is None else float(X.widths.min()))
