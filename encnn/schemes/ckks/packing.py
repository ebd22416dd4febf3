"""The layout of numbers in slots, and matrices as plaintext diagonals.

**Rows.**  An array of shape (rows, width) fills the slots row by row.  Each row has `stride` slots, a power of two at least as
large as every width of the network: a row of width 1 repeats its number in all of them, a wider row is followed by zeros.
What does not fill a ciphertext is repeated with a period of P rows, P the power of two above the rows but at least `features`,
the power of two above the rows of W; what does not fit goes to further ciphertexts.  So the weights W repeat every `features`
rows, a mini-batch of slots / stride reviews fills one ciphertext, and rows beyond the last one hold zeros.

**Vectors.**  An array of shape (m,) repeats with the period of the power of two above m.

**Products.**  With X of shape (P, D), D = features, and rot(c, j) the slots moved j rows to the left, `j` running over D,

    (X W)_i   = sum_j X[i, i + j] W[i + j]        = sum_j f_j * rot(W, j)        f_j[i] = X[i, (i + j) mod D]
    (X^T G)_k = sum over rows i = k mod D of       sum_j rot(b_j * G, j)         b_j[i] = X[i, (i - j) mod D]

which is the method of diagonals of Halevi and Shoup (CRYPTO 2014).  j = baby + GIANT giant splits the D rotations into about
2 sqrt(D), if every diagonal is moved by -(GIANT giant) rows (forward) or +baby rows (backward) before it is encoded.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from encnn.errors import CapabilityError


def power_above(n: int) -> int:
    """Return the smallest power of two that is at least n.

    >>> [power_above(n) for n in (1, 5, 8)]
    [1, 8, 8]
    """
    return 1 << (n - 1).bit_length()


@dataclass(frozen=True)
class Packing:
    """The layout of one key's arrays."""

    slots: int  # per ciphertext
    stride: int  # slots per row
    features: int  # rows of W, with zeros up to a power of two

    def __post_init__(self) -> None:
        """Refuse rows of which a ciphertext cannot hold `features`."""
        if self.features * self.stride > self.slots:
            raise CapabilityError(
                f"scheme 'ckks' packs W of {self.features} rows of {self.stride} slots into one ciphertext of {self.slots}; "
                "use parameters of a larger degree (HIDDEN_128), fewer hidden units, or fewer features, which "
                "parameters.updated(name=..., features=...) sets"
            )

    @property
    def rows(self) -> int:
        """Rows that one ciphertext holds: the largest mini-batch in one ciphertext."""
        return self.slots // self.stride

    @property
    def baby_steps(self) -> int:
        """Rotations by one row before products; `features` / `baby_steps` rotations by `baby_steps` rows follow."""
        return 1 << -(-(self.features.bit_length() - 1) // 2)

    def period(self, rows: int) -> int:
        """Return after how many rows an array of so many rows (at most `self.rows`) repeats."""
        return max(power_above(rows), self.features)

    def blocks(self, rows: int) -> tuple[int, ...]:
        """Return how many rows go to each ciphertext."""
        full, rest = divmod(rows, self.rows)
        return (self.rows,) * full + ((rest,) if rest else ())

    def pack(self, v: np.ndarray) -> np.ndarray:
        """Return the slots, shape (slots,), of a vector (m,) or of rows (rows, width) that fit one ciphertext."""
        if v.ndim == 1:
            period = np.zeros(power_above(len(v)))
            period[: len(v)] = v
            return np.tile(period, self.slots // len(period))
        filled = np.zeros((self.period(len(v)), self.stride))
        filled[: len(v), : self.stride if v.shape[1] == 1 else v.shape[1]] = v
        return np.tile(filled.ravel(), self.rows // len(filled))

    def unpack(self, slots: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Return the array of this shape that `pack` laid out."""
        if len(shape) == 1:
            return slots[: shape[0]]
        return slots.reshape(-1, self.stride)[: shape[0], : shape[1]]

    def forward_diagonals(self, X: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the plaintexts f_j, shape (slots,), moved as giant steps need them, for X of at most `rows` rows."""
        X, i = self._filled(X), np.arange(self.period(len(X)))
        for j in range(self.features):
            giant = j - j % self.baby_steps
            yield self._spread(np.roll(X[i, (i + j) % self.features], giant))

    def backward_diagonals(self, X: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the plaintexts b_j, moved as baby steps need them."""
        X, i = self._filled(X), np.arange(self.period(len(X)))
        for j in range(self.features):
            yield self._spread(np.roll(X[i, (i - j) % self.features], -(j % self.baby_steps)))

    def _filled(self, X: np.ndarray) -> np.ndarray:
        """Return X with rows of zeros up to its period, and columns of zeros up to `features`."""
        filled = np.zeros((self.period(len(X)), self.features))
        filled[: len(X), : X.shape[1]] = X
        return filled

    def _spread(self, diagonal: np.ndarray) -> np.ndarray:
        """Return the slots for one number per row."""
        return np.tile(np.repeat(diagonal, self.stride), self.rows // len(diagonal))
