"""The secret T from whether an owner answered: one bit per request, and no answer is ever read.

**Idea.**  The owner takes sigmoid(z) = 1 / (1 + exp(-z)) of a score that it has decrypted.  In float64 exp overflows beyond
709.78.  If that raises an error, the score decides whether a request is answered.  The request [t ; g e_j] has the score
(t + g T_j) / unit.  With t at the edge and a small g, silence says that T_j is -1; with -g, that it is 1.

**Needs** an owner who assists, and goes on after an error in its own code.  **Worked** under `ADDITIVE_128`, where scores
may be that large: all of T by 2 d requests, none of which was counted.  FV and YASHE had the same in the renewal of weights, by
bounds in a header that overflow a float.  **Fails** because the sigmoid does not overflow any more, and because *any* error
after a decryption closes the owner for good (`parties.assistance.scores.decrypting`).  A run shows one bit, and the owner
counts it.
"""

import math
from collections.abc import Callable

import numpy as np

from encnn.errors import EncnnError
from encnn.network.partial_scores import WITHIN
from encnn.parties.assistance.scores import Assistant, Request
from encnn.schemes.integer_vector import CiphertextArray, IntegerVectorContext, IntegerVectorSecretKey

OVERFLOW = math.log(float(np.finfo(np.float64).max))
"""The largest x of which exp(x) is a float64."""

STEP = 8.0
"""How far the score of a request lies from the edge on either side, twice."""

Answered = Callable[[CiphertextArray], bool]
"""A function of encrypted scores, shape (1, outputs), that tells whether there was an answer."""


class CarelessOwner:
    """A model of the old assistant and its errors: only a score near the end of the range closes it."""

    def __init__(self, secret: IntegerVectorSecretKey) -> None:
        p = secret.parameters
        self._secret, self._limit = secret, WITHIN * (1 << ((p.q_bits or 64) - 1)) / p.unit
        self.trips, self.closed = 0, False

    def answered(self, scores: CiphertextArray) -> bool:
        """Return whether there is an answer to one score."""
        z = self._secret.decrypt(scores).item()
        self.closed = self.closed or abs(z) >= self._limit
        try:
            1.0 / (1.0 + math.exp(-z))
        except OverflowError:  # the old assistant did not expect this error, so it did not close
            return False
        self.trips += not self.closed
        return not self.closed


def asking(assistant: Assistant) -> Answered:
    """Return the function by which a trainer asks an owner of today."""

    def answered(scores: CiphertextArray) -> bool:
        try:
            assistant.answer(Request(assistant.tally.trips + 1, 0.01, scores))
        except (EncnnError, ArithmeticError):
            return False
        return True

    return answered


def T_from_silence(answered: Answered, context: IntegerVectorContext, edge: float = OVERFLOW) -> np.ndarray:
    """Return T for vectors of width 1, shape (1, d), entries -1, 0 and 1: scores below -edge are not answered."""
    p = context.parameters
    gap = round(STEP * p.unit)
    T = np.zeros((1, p.d), np.int64)
    for j in range(p.d):
        for sign in (-1, 1):
            data = np.zeros((1, 1 + p.d), p.dtype)
            data[0, 0], data[0, 1 + j] = gap // 2 - round(edge * p.unit), -sign * gap
            if not answered(CiphertextArray(data, context, p.scale, 0.0, 0.0, 0.0)):
                T[0, j] = sign
    return T
