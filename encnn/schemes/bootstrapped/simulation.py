"""Training in the clear with the noise that bootstraps would add: what an encrypted run will do, at a thousandth of its cost.

The trainer's dry run.  It takes nothing secret, and what it draws from its generator is not what an encrypted run meets; the
spread over generators is what a run can be expected to do.
"""

from typing import Any

import numpy as np

from encnn.arithmetic.sigmoid import Sigmoid
from encnn.schemes.base import Encrypted, ErrorStep, Evaluator
from encnn.schemes.bootstrapped import noise
from encnn.schemes.bootstrapped.parameters import BootstrappedParameters
from encnn.schemes.bootstrapped.tables import read_function


def noisy_step(p: BootstrappedParameters, sigmoid: Sigmoid, rng: np.random.Generator) -> ErrorStep:
    """Return an error step for the clear scheme that reads tables where noise leads it, and adds the noise of rotations.

    Deviations are `noise.input_deviation` and `noise.error_deviation`; positions are rounded, and wrap, as tables do.  What a
    trace adds to the other weights of a block is left out: it is less than a hundredth of the variance with the digits of the
    presets.
    """
    into, out = noise.input_deviation(p), noise.error_deviation(p)

    def step(
        _: Evaluator, z: Encrypted, targets: Any, rate: float, widths: np.ndarray | None = None
    ) -> tuple[Encrypted, float]:
        wide = 1.0 if widths is None else widths[:, None]
        positions = np.rint((z + rng.normal(0.0, into, z.shape)) / p.step).astype(np.int64)
        centred = read_function(p, lambda x: rate / wide * (sigmoid(x / wide) - 0.5), positions)
        return centred + rng.normal(0.0, out, z.shape) + rate / wide * (0.5 - targets), 1.0

    return step
