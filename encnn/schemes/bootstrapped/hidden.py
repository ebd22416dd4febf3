"""A hidden layer under bootstrapping: every product of its training is formed by codes (`codes`), which products share.

There are H hidden units, O outputs, and mini-batches of B reviews at the learning rate a.  `code` is the table from a number to
its code, and `exp` the table from a code back to a number.  The last column counts rotations: those of the first line and of
the last step are per mini-batch, and all others per review.

                                                                                     rotations
    omega_ko  = code(W2_ko)       read `READS` times                                  4 H O per mini-batch
    lambda_k  = code(h_k)         h = sum or mean of the rows of W1                   H
    z_o       = sum_k exp(lambda_k + omega_ko)                                        H O
    d_o       = sigmoid(z_o) - y_o                                                    O
    delta_o   = code(d_o)                                                             O
    F_k       = a sum_o exp(delta_o + omega_ko)        W1[i, k] -= x_i F_k            H O with the fine key
    G_ko      = exp(delta_o + lambda_k)                W2_ko -= a sum_r G_ko          H O, and H O fine ones per mini-batch

If the hidden layer has an activation f, then lambda = code(f(h)), and F has the factor f'(h), whose code takes H more
rotations.

Known factors cost nothing: the 1 / n of a mean and the rate are plain numbers that are added to codes, or they stand in tables.
Encrypted labels are subtracted as they are.  They hold y itself rather than a multiple of the rate, so the rate may decay.

Only F and the step of W2 need the fine key, because their noise adds up over the whole training.  The noise of everything else
lasts for one read.

**Ranges** (`Ranges`).  |h| up to `hidden` fills a quarter of the torus.  A larger |h| is read as larger still, and then z is
clipped (see `codes`).  An |h| below 2^-octaves of the range counts as that size.  Each term of z is clipped to
`score`.  No sign is wrong before a number passes twice its range.  A product that leaves the window, such as that of an |h|
beyond 1.2 times its range with a W2 at the top of its range, is read as nearly 0.

When the owner decrypts a trained model, `Owner.decrypt_network` warns (`DataWarning`) of weights W2 beyond `weight`.  Scores do
not show h.  An owner who has reviews checks h of the decrypted network as the rehearsal does:
`model.evaluator.check_hidden(hidden_layer_of(network, X), network.W2)`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic

import numpy as np

from encnn.arithmetic import checks
from encnn.arithmetic.sigmoid import BEYOND, PolynomialSigmoid, Sigmoid
from encnn.data.batches import Batch, Conditioned, TrainingFeatures
from encnn.errors import CapabilityError, DivergenceError, ParameterError
from encnn.schemes.bootstrapped import noise
from encnn.schemes.bootstrapped.codes import QUARTER, Codec
from encnn.schemes.bootstrapped.parameters import SECOND_LAYER_SCALE, TORUS_BITS
from encnn.schemes.bootstrapped.tables import around_zero, to_torus
from encnn.schemes.bootstrapped.torus import C, Torus, W, Z
from encnn.schemes.public import PublicArchitecture

MOST_HIDDEN = 16
"""The most hidden units."""

SECOND_LAYER = SECOND_LAYER_SCALE / 2.0**TORUS_BITS
"""The phase of 1 in W2, as a fraction of the torus."""

FEW = 8
"""For the range of its gradient, a smaller mini-batch counts as this many reviews, because single products can be large."""

ERROR = QUARTER
"""The phase of 1 in errors d, which lie between -1 and 1."""


@dataclass(frozen=True)
class Ranges:
    """How large the numbers of a hidden layer may be, and how many octaves below the largest they still count.

    The defaults suit a whole epoch over reviews.  The noise is proportional to the ranges, so narrower ones have less.
    """

    hidden: float = 3.5  # the largest |h|
    weight: float = 4.0  # the largest |W2|, best 8 divided by a whole number
    score: float = 12.0  # the largest |z|; from there to twice that, errors fall again as slowly as they rose
    gradient: float = 0.1  # the largest |mean of d h over a mini-batch|, as a share of `hidden`
    hidden_octaves: float = 6.0  # how many octaves of |h| below `hidden` are told apart
    weight_octaves: float = 5.0  # the same of |W2| below `weight`
    error_octaves: float = 5.0  # the same of |d| below 1
    slope_octaves: float = 2.0  # the same of the slope of an activation below the steepest one

    def __post_init__(self) -> None:
        """Raise `ParameterError` for a range that is not positive, or weights beyond what a second layer holds."""
        checks.check_types(self)
        for name, value in vars(self).items():
            checks.real(name, value, above=0)
        if self.weight > QUARTER / SECOND_LAYER:
            raise ParameterError(
                f"weight={self.weight:g} is too large: a second layer holds weights up to {QUARTER / SECOND_LAYER:g}; take at "
                "most that, and a lower learning rate if weights grow beyond it"
            )

    @classmethod
    def around(cls, h: np.ndarray, W2: np.ndarray, z: np.ndarray, margin: float = 1.3) -> "Ranges":
        """Return ranges `margin` times as wide as the numbers of a rehearsal in the clear; for scores, exactly as wide.

        The rehearsal needs plain labels.  It begins from a start of its own, because the trainer does not know the owner's.
        """
        reached = [float(np.abs(a).max()) for a in (h, W2, z)]
        factor = max(1, int(QUARTER / SECOND_LAYER / (margin * reached[1])))
        return cls(hidden=margin * reached[0], weight=QUARTER / SECOND_LAYER / factor, score=max(4.0, reached[2]))

    def check(self, h: np.ndarray, W2: np.ndarray) -> None:
        """Raise `DivergenceError` if W2, or more than a few of h, are beyond their ranges in a rehearsal."""
        reached = float(np.quantile(np.abs(h), 1 - BEYOND)), float(np.abs(W2).max())
        if reached[0] > self.hidden or reached[1] > self.weight:
            raise DivergenceError(
                f"in a rehearsal in the clear |h| reached {reached[0]:.3g} and |W2| reached {reached[1]:.3g}, but the ranges "
                f"of the hidden layer end at {self.hidden:g} and {self.weight:g}; take a lower learning rate, or wider ranges, "
                "which have more noise (model.evaluator.ranges = Ranges.around(...), encnn.schemes.bootstrapped.hidden)"
            )

    @property
    def weight_factor(self) -> int:
        """The factor by which W2 is multiplied so that it fills a quarter of the torus."""
        return int(QUARTER / SECOND_LAYER / self.weight)

    @property
    def weight_phase(self) -> float:
        """The phase of 1 in W2 where it is read."""
        return SECOND_LAYER * self.weight_factor

    @property
    def score_phase(self) -> float:
        """The phase of 1 in scores."""
        return QUARTER / self.score

    def codec(self, activated: bool = False) -> Codec:
        """Return the codes with the widest octaves in which all products of the layer fit a window."""
        h, w, d = self.hidden_octaves, self.weight_octaves, self.error_octaves
        return Codec.fitting(max(h + w, d + w + (self.slope_octaves if activated else 0.0), d + h), GUARD)


GUARD = 0.016
"""The guard of the codes: seven deviations of a read at 128 bits."""

RANGES = Ranges()

READS = 4
"""How often W2 is read.  All reviews of a mini-batch share the codes of W2.  So their noise matters most, and reading them
several times costs least."""


@dataclass(frozen=True)
class LayerNoise:
    """The predicted standard deviations of what a hidden layer reads; the first four are in units of the number read.

    If u and v are read with the deviations s_u and s_v, their product has the relative deviation
    sqrt(product^2 + (s_u / u)^2 + (s_v / v)^2).  An update of a weight has this deviation, and the absolute one `update` too.
    """

    hidden: float  # of h, where it is read for its code
    weight: float  # of W2, as the mean of `READS` reads
    score: float  # of z, where the table of the sigmoid is read
    error: float  # of d, where it is read for its code
    product: float  # of the place at which a sum of codes is read, as a share of the product
    update: float  # of a weight of W1, from the fine rotation and the trace


class CodedLayer(Generic[W, C, Z]):
    """The forward and the backward pass of a network with a hidden layer.

    For h and d it returns codes, which only its own methods can use.
    """

    def __init__(
        self,
        torus: Torus[W, C, Z],
        outputs: int,
        mean: bool,
        activation: PolynomialSigmoid | None = None,
        ranges: Ranges = RANGES,
    ) -> None:
        self.torus, self.outputs, self.mean, self.ranges, self.p = torus, outputs, mean, ranges, torus.p
        self.activation, self.largest, self.steepest = activation, ranges.hidden, 1.0
        if activation is not None:
            x = np.linspace(-ranges.hidden, ranges.hidden, self.p.N)
            self.slope = np.polynomial.Polynomial(activation.coefficients).deriv()
            self.largest, self.steepest = float(np.abs(activation(x)).max()), float(np.abs(self.slope(x)).max())
        self.codec = ranges.codec(activation is not None)
        self._omega: tuple[W | None, np.ndarray] = None, np.empty(0)

    def check_plan(self, X: TrainingFeatures, epochs: int, rate: float) -> None:
        """Raise `ParameterError` if sums of rows do not fit the torus, or if noise would drown updates or their sums."""
        longest = float(abs(X.X if isinstance(X, Conditioned) else X).sum(axis=1).max()) if self.mean else 1.0
        room = QUARTER / (self.ranges.hidden * self.row_phase)
        if longest > room:
            raise ParameterError(
                f"a review of {longest:.4g} words is too long: with means up to {self.ranges.hidden:g} these parameters take "
                f"up to {room:.0f} words; cut long reviews, or take a set with a smaller scale"
            )
        noise.check_rate(self.p.fine, rate)
        # Noise of updates adds up at random.  It may reach an eighth of the range of h before it counts as drowning it.
        replace(noise.training_noise(self.p.fine, X, 0.0, self.mean), limit=self.ranges.hidden / 8).check(epochs)

    @property
    def row_phase(self) -> float:
        """The phase of 1 in W1, as a fraction of the torus."""
        return self.p.scale / 2.0**TORUS_BITS

    def noise(self) -> "LayerNoise":
        """Return the predicted noise of this layer."""
        r, out, fine = (math.sqrt(v) for v in (noise.table_input(self.p), noise.rotation(self.p), noise.rotation(self.p.fine)))
        octave = self.codec.kappa / math.log(2)
        return LayerNoise(
            hidden=r / QUARTER * self.ranges.hidden,
            weight=r / self.ranges.weight_phase / math.sqrt(READS),
            score=r / self.ranges.score_phase,
            error=r / ERROR,
            product=math.hypot(r, math.sqrt(READS + 1) * out) / octave,
            update=math.hypot(fine, math.sqrt(noise.trace(self.p)[0])) / self.row_phase,
        )

    # -- forward

    def forward(self, W1: W, W2: W, batch: Batch) -> tuple[C, C, Z]:
        """Return (codes of the slopes of the activation at h, codes of h, scores z): (B, H, 1) twice, and (B, outputs)."""
        slopes, h = self._hidden_codes(W1, batch)
        largest, phase = self.largest * self.ranges.weight, self.ranges.score_phase
        table = self.codec.exp_table(self.p.N, lambda x: np.clip(x * phase, -QUARTER, QUARTER), largest)
        total = self._moved(h[:, :, None] + self._second_layer_codes(W2), self._h_origin + self._w_origin, largest)
        z = self._read(total, table).sum(axis=1, dtype=np.int32)
        return self.torus.array(slopes, self.row_phase), self.torus.array(h, self.row_phase), self.torus.rows(z, phase)

    def _hidden_codes(self, W1: W, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Return codes of the slopes and of h, shape (B, H, 1 + d) each; without activation both are those of h."""
        sums, ones = self.torus.gather(W1, batch), np.ones((len(batch), 1))
        n = ones / batch.inverse_counts() if self.mean else ones
        # A sum is n times the mean.  The largest whole factor m that keeps it within a quarter of the torus leaves the least
        # noise for its size.  Codes then take n and m out again: they are known factors, part of the origin.
        m = np.maximum(1, np.floor(QUARTER / (self.ranges.hidden * self.row_phase * n))).astype(np.int32)
        sums, gain = sums * m[:, :, None], m * n * self.row_phase
        if self.activation is not None:
            return self._activated(self.activation, sums, gain)
        codes = self._read(sums, self.codec.number_table(self.p.N, self.ranges.hidden_octaves))
        codes[..., 0] += to_torus(self._h_origin - self.codec.number_origin(gain))
        return codes, codes

    def _activated(self, activation: PolynomialSigmoid, sums: np.ndarray, gain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return codes of the activation's slopes and values, for h that stand at the phase gain * h; one table per review."""

        def codes(f: Callable[[np.ndarray], np.ndarray], largest: float, octaves: float) -> np.ndarray:
            gains, which = np.unique(gain, return_inverse=True)
            tables = [self.codec.signed_table(self.p.N, _scaled(f, g), largest, octaves) for g in gains]
            return self._read(sums, np.stack(tables)[which.ravel()])

        value = codes(activation, self.largest, self.ranges.hidden_octaves)
        return codes(self.slope, self.steepest, self.ranges.slope_octaves), value

    def _second_layer_codes(self, W2: W) -> np.ndarray:
        """Return the codes of W2, shape (H, outputs, 1 + d), which are read once per version of W2."""
        if self._omega[0] is not W2:
            N, octaves = self.p.N, self.ranges.weight_octaves
            first = self.codec.signed_table(N, lambda x: x, QUARTER, octaves, READS)
            tables = np.stack([first] + [self.codec.share_table(N, octaves, READS)] * (READS - 1))
            codes = self._read(self.torus.copies(W2, READS) * np.int32(self.ranges.weight_factor), tables)
            self._omega = W2, codes.sum(axis=0, dtype=np.int32).reshape(-1, self.outputs, codes.shape[-1])
        return self._omega[1]

    # -- errors

    def error(self, sigmoid: Sigmoid, z: Z, targets: np.ndarray | W) -> C:
        """Return codes of d = sigmoid(z) - y, shape (B, outputs, 1)."""
        phase = self.ranges.score_phase
        table = around_zero(self.p.N, lambda x: np.clip(sigmoid(x / phase) - 0.5, -1, 1) * ERROR)
        d = self._read(self.torus.numbers(z, phase), table)
        if isinstance(targets, np.ndarray):
            d[..., 0] += to_torus(ERROR * (0.5 - targets))
        else:
            d[..., 0] += to_torus(ERROR * 0.5)
            d -= self.torus.numbers(targets, ERROR)
        return self.torus.array(self._read(d, self.codec.number_table(self.p.N, self.ranges.error_octaves)), ERROR)

    # -- backward

    def first_layer_errors(self, W2: W, d: C, slopes: C, rate: float, shares: np.ndarray) -> C:
        """Return rate * share * d W2^T slopes, one row of H per review, for codes of d; shares: one number per review, (B,)."""
        largest, phase = self.ranges.weight * self.steepest, rate * self.row_phase
        if largest * phase * shares.max() >= QUARTER:
            raise ParameterError(
                f"one review could move a weight by {rate * largest:.3g} at the learning rate {rate:g}, which is more than the "
                "torus holds; take a lower rate"
            )
        table = self.codec.exp_table(self.p.N, lambda x: shares[:, None] * x * phase, largest)
        total, origin = d.data[:, None] + self._second_layer_codes(W2), self._d_origin + self._w_origin
        if self.activation is not None:
            total, origin = total + slopes.data[:, :, None], origin + self.codec.signed_origin(self.steepest)
        F = self._read(self._moved(total, origin, largest), table, fine=True)
        return self.torus.array(F.sum(axis=2, dtype=np.int32), self.row_phase)

    def second_layer_gradient(self, d: C, h: C, rate: float) -> W:
        """Return rate * h^T d, summed over the mini-batch, shape (H * outputs,), for codes of d and h."""
        largest = self.largest
        phase = QUARTER / (self.ranges.gradient * largest * max(len(d), FEW))
        table = self.codec.exp_table(self.p.N, lambda x: x * phase, largest)
        # The products are added up with their ordinary noise, which is small beside their range.  Only the sum, which moves W2
        # and stays in it, goes through the fine key.
        total = h.data[:, :, None] + d.data[:, None]
        G = self._read(self._moved(total, self._h_origin + self._d_origin, largest), table)
        step = around_zero(self.p.N, lambda x: x / phase * rate * SECOND_LAYER)
        total = self._read(G.sum(axis=0, dtype=np.int32).reshape(-1, G.shape[-1]), step, fine=True)
        return self.torus.vector(total, SECOND_LAYER)

    # -- codes

    @property
    def _h_origin(self) -> float:
        return self.codec.signed_origin(self.largest)

    @property
    def _w_origin(self) -> float:
        return float(self.codec.number_origin(self.ranges.weight_phase))

    @property
    def _d_origin(self) -> float:
        return float(self.codec.number_origin(ERROR))

    def _moved(self, codes: np.ndarray, origin: float, largest: float) -> np.ndarray:
        """Move sums of codes into the window, in place."""
        codes[..., 0] += to_torus(self.codec.shift(origin, largest))
        return codes

    def _read(self, x: np.ndarray, table: np.ndarray, fine: bool = False) -> np.ndarray:
        return self.torus.read(x, table, fine=fine)[0]


def _scaled(f: Callable[[np.ndarray], np.ndarray], gain: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: f(x / gain)


def layer_for(architecture: PublicArchitecture, torus: Torus[W, C, Z], ranges: Ranges) -> CodedLayer[W, C, Z]:
    """Return the hidden layer of an architecture; raise `CapabilityError` if it has too many units."""
    a = architecture
    if a.hidden > MOST_HIDDEN:
        raise CapabilityError(
            f"scheme 'bootstrapped' trains up to {MOST_HIDDEN} hidden units, not {a.hidden}, unless the hidden layer is "
            "linear, has one output and starts from W1 = 0; use such a start (Network.initial(architecture, rng)), use fewer "
            "units, or take a polynomial sigmoid and ckks.HIDDEN_128, with help=refresh_for(...) in Trainer.train, or "
            "integer_vector.PAPER, which protects nothing (insecure)"
        )
    return CodedLayer(torus, a.outputs, a.pooling == "mean", a.hidden_sigmoid, ranges)
