"""Training in the clear with the noise that bootstraps would add: what an encrypted run will do, at a thousandth of its cost.

The trainer's dry run.  It takes nothing secret, and what it draws from its generator is not what an encrypted run meets; the
spread over generators is what a run can be expected to do.
"""

from typing import Any

import numpy as np

from encnn.schemes.base import Encrypted, ErrorStep, Evaluator
from encnn.schemes.bootstrapped import noise
from encnn.schemes.bootstrapped.parameters import Parameters
from encnn.schemes.bootstrapped.tables import make_table, read_table
from encnn.sigmoid import Sigmoid


def noisy_step(p: Parameters, sigmoid: Sigmoid, rng: np.random.Generator) -> ErrorStep:
    """Return an error step for the clear scheme that reads tables where noise leads it, and adds the noise of rotations.

    Deviations are `noise.input_deviation` and `noise.output_deviation`; positions are rounded, and wrap, as tables do.
    """
    into, out = noise.input_deviation(p), noise.output_deviation(p)
    tables: dict[float, np.ndarray] = {}

    def step(_: Evaluator, z: Encrypted, targets: Any, rate: float) -> tuple[Encrypted, float]:
        if rate not in tables:
            tables.clear()
            tables[rate] = make_table(p, lambda x: rate * (sigmoid(x) - 0.5))
        positions = np.rint((z + rng.normal(0.0, into, z.shape)) / p.step).astype(np.int64)
        centred = read_table(tables[rate], positions) / p.scale + rng.normal(0.0, out, z.shape)
        return centred + rate * (0.5 - targets), 1.0

    return step
