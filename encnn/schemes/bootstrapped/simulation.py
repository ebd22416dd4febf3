"""Training in the clear with the noise that bootstraps would add: it predicts an encrypted run at a thousandth of the cost.

This is the trainer's dry run and takes nothing secret.  Its random noise is not the noise of the encrypted run.  The spread of
results over several generators shows what to expect of a run.
"""

import numpy as np

from encnn.arithmetic.sigmoid import Sigmoid
from encnn.schemes.base import ErrorStep, Evaluator
from encnn.schemes.bootstrapped import noise
from encnn.schemes.bootstrapped.parameters import BootstrappedParameters
from encnn.schemes.bootstrapped.tables import read_function


def noisy_step(p: BootstrappedParameters, sigmoid: Sigmoid, rng: np.random.Generator) -> ErrorStep:
    """Return an error step for the clear scheme that reads tables at noisy places and adds the noise of rotations.

    Deviations are `noise.input_deviation` and `noise.error_deviation`.  Positions are rounded and wrap as those of tables do.
    The noise that a trace adds to the other weights of a block is left out.  With the digits of the presets it is less than a
    hundredth of the variance.
    """
    into, out = noise.input_deviation(p), noise.error_deviation(p)

    def step(
        _: Evaluator, z: np.ndarray, targets: np.ndarray, rate: float, widths: np.ndarray | None = None
    ) -> tuple[np.ndarray, float]:
        wide = 1.0 if widths is None else widths[:, None]
        positions = np.rint((z + rng.normal(0.0, into, z.shape)) / p.step).astype(np.int64)
        centred = read_function(p, lambda x: rate / wide * (sigmoid(x / wide) - 0.5), positions)
        return centred + rng.normal(0.0, out, z.shape) + rate / wide * (0.5 - targets), 1.0

    return step
