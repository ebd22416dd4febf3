"""Scores as two encrypted factors, which the owner multiplies after decryption.

Behind a hidden layer of one unit a score is z = s b.  A product of ciphertexts would cost a rotation and noise, and it is not
needed: the owner may read s and b, since both are numbers of the owner's own network.

    z_r = S_r / gain_r * b_i      S_r = gain_r s_r     i is the group of review r, such as its mini-batch, which shares one b

Gains are public.  They make S fill the range in which training reads it, |S| <= 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from encnn.errors import DataError
from encnn.schemes.base import Encrypted, Evaluator, KeyContext


@dataclass(frozen=True)
class FactoredScores:
    """Encrypted scores z of some reviews, shape (reviews, 1)."""

    sums: Any  # S, shape (reviews, 1); training reads |S| <= 1
    factors: Any  # b, shape (groups, 1)
    counts: np.ndarray  # int64, the number of reviews in each group
    gains: np.ndarray  # float64, the gain of each review

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the scores, (reviews, 1)."""
        return self.sums.shape

    @property
    def context(self) -> KeyContext:
        """The key's name and its parameters."""
        return self.sums.context

    @property
    def nbytes(self) -> int:
        """Bytes of the ciphertexts."""
        return self.sums.nbytes + self.factors.nbytes

    def __len__(self) -> int:
        """Return the number of reviews."""
        return len(self.gains)

    def packed(self, evaluator: Evaluator) -> "FactoredScores":
        """Return the same scores, packed many per ciphertext if the scheme can."""
        return replace(self, sums=evaluator.pack(self.sums), factors=evaluator.pack(self.factors))

    def __getitem__(self, rows: slice) -> "FactoredScores":
        """Return the scores of consecutive reviews."""
        start, stop, _ = rows.indices(len(self))
        group = np.repeat(np.arange(len(self.counts)), self.counts)[start:stop]
        kept, counts = np.unique(group, return_counts=True)
        return FactoredScores(self.sums[start:stop], self.factors[kept], counts, self.gains[start:stop])

    def read(self, decrypt: Callable[[Encrypted], np.ndarray], largest: float) -> tuple[np.ndarray, np.ndarray]:
        """Return (scores, b), of the shapes (reviews, 1) and (groups, 1).

        A score is not-a-number if its S is beyond 1 in size, or its b is not between 0 and `largest`, because training does not
        read such an S or b correctly.
        """
        S, b = decrypt(self.sums), decrypt(self.factors)
        s = np.where(np.abs(S) <= 1, S / self.gains[:, None], np.nan)
        return s * np.repeat(np.where((b > 0) & (b <= largest), b, np.nan), self.counts, axis=0), b


def joined(evaluator: Evaluator, scores: Sequence[FactoredScores]) -> FactoredScores:
    """Return scores joined along their first axis."""
    sums, factors = (evaluator.concatenate([getattr(z, name) for z in scores]) for name in ("sums", "factors"))
    counts, gains = (np.concatenate([getattr(z, name) for z in scores]) for name in ("counts", "gains"))
    return FactoredScores(sums, factors, counts, gains)


def check_factored(counts: object, gains: object, shape: tuple[int, ...]) -> None:
    """Raise `DataError` unless counts are int64 that add up to the reviews, and there is a gain, float64 > 0, per review."""
    reviews = shape[0]
    if shape[1:] != (1,) or not isinstance(counts, np.ndarray) or counts.dtype != np.int64 or counts.ndim != 1:
        raise DataError(
            f"scores of shape {shape} with counts that are no vector of int64 are not scores in two factors; send scores of "
            "shape (reviews, 1), and one int64 count per factor"
        )
    if not 0 < len(counts) <= reviews or counts.min() < 1 or counts.max() > reviews or counts.sum() != reviews:
        raise DataError(f"{reviews} scores do not fit the counts that came with them; send one count of reviews per factor")
    if (
        not isinstance(gains, np.ndarray)
        or (gains.dtype, gains.shape) != (np.float64, (reviews,))
        or not (np.isfinite(gains) & (gains > 0)).all()
    ):
        raise DataError(f"{reviews} scores do not fit the gains that came with them; send float64 above 0, one per review")
