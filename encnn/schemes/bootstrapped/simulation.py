"""Training in the clear with the noise that bootstraps would add: it predicts an encrypted run at a thousandth of the cost.

This is the trainer's dry run and takes nothing secret.  Its random noise is not the noise of the encrypted run.  The spread of
results over several generators shows what to expect of a run.
"""

import math

import numpy as np

from encnn.arithmetic.sigmoid import Sigmoid
from encnn.data.batches import Batch, TrainingFeatures
from encnn.schemes.base import ErrorStep, Evaluator
from encnn.schemes.bootstrapped import noise
from encnn.schemes.bootstrapped.codes import QUARTER
from encnn.schemes.bootstrapped.hidden import RANGES, SECOND_LAYER, Ranges
from encnn.schemes.bootstrapped.layers import Layer, layer_of, ranges_of
from encnn.schemes.bootstrapped.parameters import TORUS_BITS, BootstrappedParameters
from encnn.schemes.bootstrapped.rank_one import RankOneRanges
from encnn.schemes.bootstrapped.tables import read_function, to_torus
from encnn.schemes.bootstrapped.torus import spread
from encnn.schemes.clear import ClearEvaluator
from encnn.schemes.public import PublicNetwork, PublicPlan


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


class SimulatedTorus:
    """Numbers of the torus in the clear (`torus`, with d = 0), read at noisy places and returned with the noise of rotations.

    scale: factor on all deviations; 0 leaves only the steps of tables.
    """

    def __init__(self, p: BootstrappedParameters, rng: np.random.Generator, scale: float = 1.0) -> None:
        self.p, self.rng, self.scale = p, rng, scale
        self.row_phase = p.scale / 2.0**TORUS_BITS
        self._out = [math.sqrt(noise.rotation(q)) for q in (p, p.fine)]
        self._packed = math.sqrt(noise.trace(p)[0])

    def gather(self, W: np.ndarray, batch: Batch) -> np.ndarray:
        """Return the sums of the rows of weights W for each review."""
        return to_torus(batch.gather(W) * self.row_phase)[..., None]

    def numbers(self, a: np.ndarray, phase: float) -> np.ndarray:
        """Return rows of numbers, shape (rows, width, 1)."""
        return to_torus(a * phase)[..., None]

    def copies(self, a: np.ndarray, count: int) -> np.ndarray:
        """Return `count` copies of a second layer."""
        return np.repeat(self.numbers(a, SECOND_LAYER)[None], count, axis=0)

    def read(self, x: np.ndarray, table: np.ndarray, outputs: int = 1, fine: bool = False) -> np.ndarray:
        """Return what the table gives at noisy places, with the noise of rotations."""
        flat, entries = x.ravel(), self.p.N // outputs
        place = flat * 2.0**-TORUS_BITS + self._noise(math.sqrt(noise.table_input(self.p, outputs)), len(flat))
        m = np.rint(place * 2 * entries).astype(np.int64) % (2 * entries)
        tables = np.broadcast_to(spread(table, len(flat)), (len(flat), self.p.N)).reshape(len(flat), entries, outputs)
        found = np.where(m < entries, 1, -1)[:, None] * tables[np.arange(len(flat)), m % entries]
        return (found.astype(np.int32) + to_torus(self._noise(self._out[fine], found.shape))).T.reshape(outputs, *x.shape)

    def array(self, x: np.ndarray, phase: float) -> "Phases":
        """Return numbers as an array to be scattered, with the noise of a trace, or kept."""
        return Phases(x, self._real(x, phase))

    def rows(self, x: np.ndarray, phase: float) -> np.ndarray:
        """Return rows of numbers as float64."""
        return self._real(x, phase)

    def vector(self, x: np.ndarray, phase: float) -> np.ndarray:
        """Return a vector of numbers as float64."""
        return self._real(x, phase)

    def product_scores(self, S: np.ndarray, gains: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return scores as float64, as the owner reads them."""
        return S[..., 0] * 2.0**-TORUS_BITS / QUARTER / gains[:, None] * b

    def _real(self, x: np.ndarray, phase: float) -> np.ndarray:
        return (x[..., 0] * 2.0**-TORUS_BITS + self._noise(self._packed, x.shape[:-1])) / phase

    def _noise(self, deviation: float, shape: int | tuple[int, ...]) -> np.ndarray:
        return self.rng.normal(0.0, self.scale * deviation, shape)


class Phases:
    """Numbers as phases (`data`) and as real numbers."""

    def __init__(self, data: np.ndarray, numbers: np.ndarray) -> None:
        self.data, self.numbers = data, numbers

    def __len__(self) -> int:
        """Return the length of the first axis."""
        return len(self.data)


class SimulatedEvaluator(ClearEvaluator):
    """The clear scheme with hidden layers by codes, as `BootstrappedEvaluator` computes them, and their noise.

    `train(SimulatedEvaluator(p, rng), network, ...)` predicts an encrypted run at a thousandth of the cost.
    """

    def __init__(
        self, p: BootstrappedParameters, rng: np.random.Generator, ranges: Ranges = RANGES, scale: float = 1.0
    ) -> None:
        super().__init__()
        self.torus, self.ranges = SimulatedTorus(p, rng, scale), ranges
        self._layers: dict[object, Layer] = {}

    def hidden_layer(self, network: PublicNetwork) -> Layer:
        """Return the products of a hidden layer by codes."""
        return layer_of(self._layers, self.torus, network, self.ranges)

    def ranges_of(
        self, X: TrainingFeatures, y: np.ndarray | None, plan: PublicPlan, network: PublicNetwork
    ) -> RankOneRanges | None:
        """Return the ranges of a network of rank one."""
        return ranges_of(self.torus.p, X, y, plan, network)

    def scatter_subtract(self, W: np.ndarray, X: Batch, G: Phases) -> None:  # type: ignore[override]
        """Do W -= X^T G in place."""
        super().scatter_subtract(W, X, G.numbers)
