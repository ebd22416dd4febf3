"""The public side of the scheme with bootstrapping: additions, as for integer vectors, and any function of one number.

Without hidden layer, the error of a mini-batch takes one bootstrap per review.  A table holds rate (sigmoid(z) - 1/2).  Then
rate (1/2 - y) is added to the result, in plain or with the owner's encryption of rate y.  So no ciphertexts are multiplied, the
table handles scores of any size that it covers, and every error is a fresh ciphertext.  Products, and with them hidden layers,
are additions of codes (`codes`, `products`, `hidden`).  Training goes on without the owner.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from encnn.arithmetic.sigmoid import Sigmoid
from encnn.data.batches import Batch, TrainingFeatures
from encnn.errors import KeyMismatchError, ParameterError
from encnn.files.schema import describe
from encnn.schemes.bilinear import BilinearMap
from encnn.schemes.bootstrapped import blocks, hidden, noise, products, storage
from encnn.schemes.bootstrapped.blocks import BlockArray, BootstrappedContext
from encnn.schemes.bootstrapped.bootstrap import BootstrapKey, bootstrap, packed, rows_alone
from encnn.schemes.bootstrapped.codes import QUARTER
from encnn.schemes.bootstrapped.layers import Layer, layer_of, ranges_of
from encnn.schemes.bootstrapped.parameters import TORUS_BITS, BootstrappedParameters
from encnn.schemes.bootstrapped.rank_one import LARGEST, LEAST, RankOneRanges, probabilities
from encnn.schemes.bootstrapped.rank_one_ranges import check_start
from encnn.schemes.bootstrapped.tables import around_zero, make_table
from encnn.schemes.bootstrapped.torus import EncryptedTorus
from encnn.schemes.factored import FactoredScores
from encnn.schemes.integer_vector import CiphertextArray, IntegerVectorEvaluator
from encnn.schemes.integer_vector.packing import PackedScores
from encnn.schemes.public import PublicNetwork, PublicPlan

Numbers = CiphertextArray | BlockArray
"""Encrypted numbers, one by one or in blocks."""


class BootstrappedEvaluator(IntegerVectorEvaluator):
    """Operations on `CiphertextArray`s of width 1 and on blocks of them (`BlockArray`), with the key to bootstrap them.

    `threads` share a batch of bootstraps; results do not depend on their number.  `ranges`: of the numbers of a hidden layer; a
    trainer may set narrower ones, which leave less noise, before training.
    """

    context: BootstrappedContext
    scheme: ClassVar[str] = "bootstrapped"
    scores_together: ClassVar[int] = 1024

    def __init__(
        self, context: BootstrappedContext, key: BootstrapKey, threads: int = 1, ranges: hidden.Ranges = hidden.RANGES
    ) -> None:
        super().__init__(context)
        self.key, self.threads, self.ranges = key, threads, ranges
        self._tables: dict[tuple[Sigmoid, float], np.ndarray] = {}
        self._layers: dict[int, dict[object, Layer]] = {}

    def __repr__(self) -> str:
        """Name the parameters."""
        return f"BootstrappedEvaluator({self.parameters.name!r})"

    @property
    def parameters(self) -> BootstrappedParameters:
        """The parameter set."""
        return self.context.parameters

    @property
    def activation_limit(self) -> float:
        """Half the width of the torus; beyond it the table of a sigmoid is read with the wrong sign."""
        return 2 * (self.ranges.score if self.parameters.has_fine else self.parameters.z_half)

    @property
    def nbytes(self) -> int:
        """Bytes of the evaluation keys in use."""
        return self.key.nbytes

    def prepare(self) -> None:
        """Expand masks and transform the key, which takes a second or two."""
        self.key.prepare()

    @property
    def labels_carry_rate(self) -> bool:
        """Not for a set of hidden layers, whose labels are multiplied in their codes."""
        return not self.parameters.has_fine

    @property
    def score_limit(self) -> float:
        """As for integer vectors; none for a set of hidden layers, where the terms of a score are clipped."""
        return math.inf if self.parameters.has_fine else super().score_limit

    @property
    def whole_features_only(self) -> bool:
        """True, except that a hidden layer takes means of its rows: codes are divided by adding plain numbers."""
        return not self.parameters.has_fine

    @property
    def shrinks(self) -> bool:
        """Not with a set of hidden layers: their rows are too small beside the noise of a table."""
        return not self.parameters.has_fine

    # -- hidden layers

    def hidden_layer(self, network: PublicNetwork) -> Layer | None:
        """Return the products of a hidden layer by codes, if the parameters have the second rotation key that it needs."""
        if not self.parameters.has_fine or not network.architecture.hidden:
            return None
        kept = self._layers.setdefault(self.threads, {})
        return layer_of(kept, self._torus(), network, self.ranges)

    def ranges_of(
        self, X: TrainingFeatures, y: np.ndarray | None, plan: PublicPlan, network: PublicNetwork
    ) -> RankOneRanges | None:
        """Return the ranges of a network of rank one; raise if the plan leaves those of codes, or noise would drown updates."""
        return ranges_of(self.parameters, X, y, plan, network)

    @property
    def prefers_rank_one(self) -> bool:
        """With a set of hidden layers: three rotations per review, where the general form takes several per unit."""
        return self.parameters.has_fine

    def check_start(self, size: float) -> None:
        """Raise `ParameterError` unless codes of |W2| hold this one while it grows."""
        check_start(size)

    def second_layer_range(self, rank_one: bool) -> tuple[float, float]:
        """Return what codes hold, with a set of hidden layers: |W2| of rank one, or weights in `ranges`."""
        if not self.parameters.has_fine:
            return super().second_layer_range(rank_one)
        return (LEAST, LARGEST) if rank_one else (-self.ranges.weight, self.ranges.weight)

    # -- blocks of weights

    def gather(self, X: Batch, W: BlockArray) -> CiphertextArray:  # type: ignore[override]
        """Return X W, shape (B, 1): sums of windows of blocks (`blocks.gather`); noises add, weighted by |X|."""
        return blocks.gather(W, X, self.threads)

    def scatter_subtract(self, W: BlockArray, X: Batch, G: CiphertextArray) -> None:  # type: ignore[override]
        """Do W -= X^T G in place: a trace isolates each row of G, which is then added to blocks (`blocks.scatter_subtract`).

        Noises add, weighted by |X|; the noise of a trace reaches all numbers of a block.
        """
        blocks.check_same_key(W, G)
        errors = rows_alone(self.key, G.data.reshape(len(G), W.width, -1), self.threads)
        blocks.scatter_subtract(W, X, errors, G.value, G.noise + noise.trace_bound(self.parameters), self.threads)

    def pack(self, a: Numbers) -> BlockArray:
        """Return ciphertexts of shape (B, 1) as the coefficients of blocks: a thousandth of the size.  Noise: `trace.pack`."""
        if isinstance(a, BlockArray):
            return self._together(a)
        bound = a.noise + noise.trace_bound(self.parameters)
        return BlockArray(packed(self.key, a.data), len(a), self.context, a.value, bound, scale=a.scale)

    def _together(self, a: BlockArray) -> BlockArray:
        """Return scores that stand in many blocks, one for each mini-batch, in as few as hold them."""
        if not self.parameters.has_fine or len(a.data) <= blocks.blocks_for(a.rows * a.stride, self.parameters.N):
            return a
        torus, phase = self._torus(), a.scale / 2.0**TORUS_BITS
        return torus.packed_rows(torus.numbers(a, phase), phase)

    def unpack(self, a: Numbers) -> CiphertextArray:
        """Return one ciphertext for each number; adds no noise."""
        return a.numbers() if isinstance(a, BlockArray) else a

    def update_of(self, W: BlockArray, X: Batch, G: CiphertextArray) -> tuple[np.ndarray, BlockArray]:
        """Return (which blocks change, what is added to them) in W -= X^T G."""
        update = replace(W, data=np.zeros_like(W.data), value=0.0, noise=0.0, seed=None)
        self.scatter_subtract(update, X, G)
        changed = np.flatnonzero(~blocks.without_masks(update.data))
        update.data, update.rows, update.places = update.data[changed], len(changed) * self.parameters.N // W.stride, None
        return changed, update

    def add_update(self, W: BlockArray, changed: np.ndarray, update: BlockArray) -> None:
        """Add what `update_of` returned to W, in place; noises add."""
        blocks.check_same_key(W, update)
        W.data[changed] += update.data
        W.value, W.noise, W.seed = W.value + update.value, W.noise + update.noise, None

    def concatenate(self, arrays: Sequence[Any]) -> Any:
        """Return the arrays joined along their first axis."""
        return blocks.concatenate(arrays) if isinstance(arrays[0], BlockArray) else super().concatenate(arrays)

    # -- tables

    def look_up(self, z: Numbers, table: np.ndarray) -> CiphertextArray:
        """Return fresh ciphertexts of f(z), for z of shape (..., 1) and a table of f (`tables.make_table`), or one for each z.

        The noise is that of a bootstrap (`noise.rotation`); f is read at z plus the noise of z and `noise.table_input`.
        """
        z = self.unpack(z)
        self._check_readable(z)
        flat = z.data.reshape(math.prod(z.shape), z.data.shape[-1])
        data = bootstrap(self.key, flat, table, self.threads).reshape(z.data.shape)
        value = float(np.abs(table.astype(np.float64)).max()) / self.parameters.scale
        return CiphertextArray(data, self.context, self.parameters.scale, z.bound, value, noise.output_bound(self.parameters))

    def apply(self, z: CiphertextArray, f: Callable[[np.ndarray], np.ndarray]) -> CiphertextArray:
        """Return fresh ciphertexts of f(z), for any function on [-z_half, z_half)."""
        return self.look_up(z, make_table(self.parameters, f))

    def activate(
        self, sigmoid: Sigmoid, z: Numbers | FactoredScores, minus: Numbers | np.ndarray | float = 0.0
    ) -> CiphertextArray:
        """Return sigmoid(z) - minus, fresh: any sigmoid is a table.  Its noise is `noise.output_deviation`, in units of 1."""
        if isinstance(z, FactoredScores):
            centred = self._activated(sigmoid, z)
        elif z.scale != self.parameters.scale:
            centred = self._at_own_scale(z, lambda x: sigmoid(x) - 0.5)
        else:
            centred = self.look_up(z, self._sigmoid_table(sigmoid, 1.0))
        return centred + (0.5 - minus) if isinstance(minus, np.ndarray | float | int) else centred + 0.5 - self.unpack(minus)

    def _at_own_scale(self, z: Numbers, f: Callable[[np.ndarray], np.ndarray]) -> CiphertextArray:
        """Return f(z), fresh, for numbers of another scale than that of weights, such as scores of a hidden layer."""
        phase = z.scale / 2.0**TORUS_BITS
        numbers = self.unpack(z)
        found = self._torus().read(numbers.data, around_zero(self.parameters.N, lambda x: f(x / phase) * phase))[0]
        return CiphertextArray(found, self.context, z.scale, numbers.bound, 1.0, noise.output_bound(self.parameters))

    def _activated(self, sigmoid: Sigmoid, z: FactoredScores) -> CiphertextArray:
        """Return sigmoid(z) - 1/2 for scores that are products (`rank_one.probabilities`)."""
        torus = self._torus()
        S, b = (self.unpack(a).data[:, None] for a in (z.sums, z.factors))
        return torus.array(probabilities(torus, sigmoid, S, z.gains, np.repeat(b, z.counts, axis=0))[:, 0], QUARTER)

    def error(
        self, sigmoid: Sigmoid, z: CiphertextArray, targets: Numbers | np.ndarray, rate: float, widths: np.ndarray | None = None
    ) -> tuple[CiphertextArray, float]:
        """Return (rate (sigmoid(z) - y), 1), fresh: the table holds the rate already, so that nothing is multiplied.

        targets: plain labels, or the owner's encryptions of rate * y (`Owner.encrypt_labels(y, rate)`).  widths: of each
        review, shape (B,): with them it is rate / width (sigmoid(z / width) - y), by a table of its own for each review, and
        encrypted labels are those of rate / width * y.
        """
        rates: float | np.ndarray = rate
        if widths is None:
            centred = self.look_up(z, self._sigmoid_table(sigmoid, rate))
        else:
            wide, rates = widths[:, None], rate / widths[:, None]
            table = make_table(self.parameters, lambda z: rates * (sigmoid(z / wide) - 0.5))
            centred = self.look_up(z, table)
        if isinstance(targets, np.ndarray):
            return centred + rates * (0.5 - targets), 1.0
        return centred + 0.5 * rates - self.unpack(targets), 1.0

    def polynomial(self, z: CiphertextArray, coefficients: Sequence) -> CiphertextArray:
        """Return sum_k coefficients[k] z^k by a table, which takes one bootstrap for any degree.

        Noise: that of a rotation.  Also, z is read with an error, so the slope at z times 4 z_half r,
        r^2 = `noise.table_input`.
        """
        constant, *rest = coefficients
        centred = self.apply(z, lambda x: np.polynomial.polynomial.polyval(x, [0.0, *rest]))
        return centred + constant

    def shrink(self, W: BlockArray, factor: float, largest: float = 0.5) -> BlockArray:
        """Return factor * W by one bootstrap and one trace per weight, which also replaces its noise by fresh noise.

        Weights are first multiplied by a whole number m = z_half / largest, so that they fill the table.  This divides the
        noise of the table's input by m.  Weights must stay below `largest`.
        """
        p = self.parameters
        m = max(1, int(p.z_half / largest))
        table = make_table(p, lambda z: factor * z / m)
        parts = [W[first : first + p.N] for first in range(0, len(W), p.N)]
        return blocks.concatenate([self.pack(self.look_up(part.numbers() * m, table)) for part in parts])

    def bilinear(
        self, f: BilinearMap, a: CiphertextArray, b: CiphertextArray, gain: float = 1.0, total: bool = False
    ) -> CiphertextArray:
        """Return gain * f(a, b) by codes (`products`): vectors have shape (B, width, 1), or (B, 1) if they are single numbers.

        Factors up to z_half; each product takes a rotation, and each factor one.  Noise: `products.deviation`.
        """
        left, right = (self._vectors(x) for x in (a, b))
        data = products.bilinear(self._torus(), f, left, left if b is a else right, gain)
        data = data if max(f.widths) > 1 else data[:, 0]
        data, many = (data.sum(axis=0, dtype=np.int32), len(data)) if total else (data, 1)
        p, value = self.parameters, abs(gain) * f.terms * many * a.value * b.value
        return CiphertextArray(data, self.context, p.scale, a.bound, value, products.bound(p, f.terms * many, gain))

    def reciprocal(self, a: CiphertextArray, guess: float = 1.0, steps: int = 0) -> CiphertextArray:
        """Return 1 / a by one table, clipped to z_half in size: neither a guess nor steps are needed.

        Noise: that of a rotation.  Also, a is read with an error, so the relative deviation 4 z_half r / |a|,
        r^2 = `noise.table_input`.
        """
        least = 1 / self.parameters.z_half
        return self.apply(a, lambda x: 1 / np.where(np.abs(x) < least, np.where(x < 0, -least, least), x))

    def _vectors(self, a: CiphertextArray) -> np.ndarray:
        """Return the data of vectors as (B, width, 1 + d)."""
        self._check_readable(a)
        return a.data.reshape(len(a), -1, a.data.shape[-1])

    def _torus(self) -> EncryptedTorus:
        return EncryptedTorus(self.context, self.key, self.threads)

    def check_hidden(self, h: np.ndarray, W2: np.ndarray) -> None:
        """Raise `DivergenceError` if too many numbers of a rehearsal leave the `ranges` of the hidden layer."""
        self.ranges.check(h, W2)

    def check_plan(self, X: TrainingFeatures, epochs: int, rate: float, network: PublicNetwork | None = None) -> None:
        """Raise `ParameterError` if noise would drown the scores, on features X after these epochs, or errors at the rate."""
        layer = None if network is None else self.hidden_layer(network)
        if layer is not None:
            return layer.check_plan(X, epochs, rate)
        noise.check_plan(self.parameters, X, epochs, rate)

    def readable(self, a: Numbers) -> bool:
        """Return whether some ciphertext, or some block of weights, has a mask of zeros."""
        return bool(blocks.without_masks(a.data).any()) if isinstance(a, BlockArray) else super().readable(a)

    def check_weights(self, W: object) -> None:
        """Raise `ParameterError` unless W is made of blocks, all of which have masks."""
        if not isinstance(W, BlockArray):
            raise ParameterError("weights of scheme 'bootstrapped' are blocks (Owner.encrypt); ask the owner for a new model")
        super().check_weights(W)

    def export(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Return (header, arrays): parameters, name of the key, bodies of the evaluation keys and seeds of their masks."""
        header, arrays = super().export()
        header = {name: header[name] for name in ("parameters", "key_id")}
        parts = self.key.parts()
        header |= {f"{name}_seed": part.seed.hex() for name, part in parts.items()}
        header |= {"ranges": describe(self.ranges)}
        header.setdefault("fine_seed", None)
        return header, arrays | {name: part.bodies for name, part in parts.items()}

    def export_array(self, a: Numbers | PackedScores) -> tuple[dict, np.ndarray]:
        """Return (header, int32 array) of ciphertexts, or of blocks of them."""
        return storage.export_array(a) if isinstance(a, BlockArray) else super().export_array(a)

    def restore_array(self, header: dict, array: np.ndarray, shape: tuple[int, ...]) -> Any:
        """Return what `export_array` took apart."""
        if isinstance(header, dict) and "blocks" in header:
            return storage.restore_array(self.context, header, array, shape)
        if self.parameters.has_fine and isinstance(header, dict) and storage.is_scale(header.get("scale")):
            found: Any = super().restore_array(header | {"scale": float(self.parameters.scale)}, array, shape)
            found.scale = header["scale"]  # numbers of a hidden layer have scales of their own
            return found
        return super().restore_array(header, array, shape)

    def _sigmoid_table(self, sigmoid: Sigmoid, rate: float) -> np.ndarray:
        """Return the table of rate (sigmoid(z) - 1/2): for an odd one, errors fall again beyond the range as they rose."""
        if (sigmoid, rate) not in self._tables:
            self._tables.clear()  # otherwise a decaying rate would leave one table per batch behind
            self._tables[sigmoid, rate] = make_table(self.parameters, lambda z: rate * (sigmoid(z) - 0.5))
        return self._tables[sigmoid, rate]

    def _check_readable(self, z: CiphertextArray) -> None:
        if z.context != self.context:
            raise KeyMismatchError(
                f"ciphertexts of key {z.context.key_id} cannot be bootstrapped with keys of {self.context.key_id}; use their "
                "own evaluator"
            )
        if z.shape[-1] != 1 or z.scale != self.parameters.scale:
            raise ParameterError(
                f"a table is read by numbers, shape (..., 1), of scale {self.parameters.scale}; these have shape {z.shape} and "
                f"scale {z.scale:g}"
            )
