"""Training under FV and YASHE: what a step takes from the budgets, and the owner who renews the weights when they run low.

These schemes cannot divide.  With the sigmoid c_0 + c_1 z, rate a, rows of at most r words and batches of at most B reviews,
one step of logistic regression

    z = X W      d = c_0 + c_1 z - y      W <- W - a X^T d

multiplies plaintexts and noise by at most  s + B n_2 (r n_1 + s),  where c_1 = n_1 / s_1, a = n_2 / s_2, s = s_1 s_2 in fixed
point; in the fractional encoding the powers of two are shifts, s = 1, and n_1, n_2 count the digits of c_1 and a.  So a step
costs about as many bits in either encoding, of noise and of plaintext both: between 10 and 20 for mini-batches.  When fewer
are left, the trainer sends the weights to the owner (a trip), who sends fresh encryptions back (see `refresh`).
"""

import math

import numpy as np

from encnn.batches import Features, batches
from encnn.errors import CapabilityError
from encnn.network import TrainingPlan
from encnn.protocol import Channel
from encnn.refresh import WeightRefresh
from encnn.roles import EncryptedModel
from encnn.schemes.encoders import FractionalEncoder, dyadic
from encnn.schemes.rings.evaluator import RingEvaluator
from encnn.schemes.rings.parameters import RingParameters
from encnn.sigmoid import PolynomialSigmoid


class BudgetRefresh(WeightRefresh):
    """The trainer's side under FV and YASHE: the weights are due when one of their budgets has fewer bits than a step takes.

    plan, X: what will be trained, with mini-batches and rows no larger than these.
    """

    def __init__(self, model: EncryptedModel, channel: Channel, plan: TrainingPlan, X: Features) -> None:
        if not isinstance(model.evaluator, RingEvaluator):
            raise CapabilityError(
                f"scheme {model.evaluator.scheme!r} has no such budgets; use refresh.LevelRefresh for 'ckks', encnn.protocol "
                "for 'integer_vector'"
            )
        self.bits = step_bits(model.evaluator.parameters, plan, X)
        super().__init__(model, channel)

    def due(self) -> bool:
        """Return whether W1 has too few bits left, of noise or of plaintext, for a step."""
        W1 = self.model.network.W1
        return bool(min(W1.noise_budget_bits, W1.plaintext_budget_bits) < self.bits)


def step_bits(p: RingParameters, plan: TrainingPlan, X: Features) -> int:
    """Return the bits of noise and of plaintext that one step of logistic regression takes at most, for pooling "sum"."""
    sigmoid = plan.sigmoid
    if not isinstance(sigmoid, PolynomialSigmoid) or sigmoid.degree != 1 or plan.decay or plan.divide_update:
        raise CapabilityError(
            f"scheme {p.scheme!r} trains by additions with a sigmoid of degree 1 and a constant rate; for other plans let the "
            "owner refresh after every step, or use the scheme 'integer_vector' without modulus"
        )
    (n_1, s_1), (n_2, s_2) = (factor_growth(p, f) for f in (sigmoid.coefficients[1], plan.learning_rate))
    r, B = (
        max(sizes)
        for sizes in zip(*((b.largest_row(), b.largest_column()) for _, b in batches(X, plan.batch_size)), strict=True)
    )
    return math.ceil(math.log2(s_1 * s_2 + B * n_2 * (r * n_1 + s_1 * s_2)))


def factor_growth(p: RingParameters, factor: float) -> tuple[float, float]:
    """Return (growth of plaintext and noise, growth of the scale) of a product with a plain factor."""
    if isinstance(p.encoder, FractionalEncoder):
        return float(sum(abs(digit) for digit, _ in p.encoder.signed_powers(factor))), 1.0
    n, k = dyadic(np.array(factor))
    return float(abs(n.item())), 2.0**k
