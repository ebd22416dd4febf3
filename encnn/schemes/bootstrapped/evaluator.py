"""The public side of the scheme with bootstrapping: additions, as for integer vectors, and any function of one number.

The error of a mini-batch is one bootstrap a review: a table holds rate (sigmoid(z) - 1/2), and rate (1/2 - y) is added to what
comes out, in plain or as the owner's encryption of rate y.  So nothing is ever multiplied, scores of any size that the table
knows are fine, and every error is a fresh ciphertext: training goes on without the owner.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from encnn.errors import CapabilityError, ParameterError
from encnn.schemes.bilinear import BilinearMap
from encnn.schemes.bootstrapped import noise
from encnn.schemes.bootstrapped.bootstrap import BootstrapKey, bootstrap
from encnn.schemes.bootstrapped.parameters import Parameters
from encnn.schemes.bootstrapped.tables import make_table
from encnn.schemes.integer_vector import CiphertextArray, Context, IntegerVectorEvaluator
from encnn.sigmoid import Sigmoid


class BootstrappedEvaluator(IntegerVectorEvaluator):
    """Operations on `CiphertextArray`s of width 1, with the key to bootstrap them.

    `threads` share a batch of bootstraps; results do not depend on it.
    """

    scheme: ClassVar[str] = "bootstrapped"
    labels_carry_rate: ClassVar[bool] = True

    def __init__(self, context: Context, key: BootstrapKey, threads: int = 1) -> None:
        super().__init__(context)
        self.key, self.threads = key, threads
        self._tables: dict[Any, np.ndarray] = {}

    def __repr__(self) -> str:
        """Name the parameters."""
        return f"BootstrappedEvaluator({self.parameters.name!r})"

    @property
    def parameters(self) -> Parameters:
        """The parameter set."""
        return self.context.parameters  # type: ignore[return-value]

    @property
    def nbytes(self) -> int:
        """Bytes of the evaluation keys in use."""
        return self.key.nbytes

    def prepare(self) -> None:
        """Expand masks and transform the key, which takes a second or two."""
        self.key.prepare()

    def look_up(self, z: CiphertextArray, table: np.ndarray) -> CiphertextArray:
        """Return fresh ciphertexts of f(z), for z of shape (..., 1) and a table of f (`tables.make_table`).

        The noise is that of a bootstrap (`noise.rotation`); f is read at z plus the noise of z and `noise.table_input`.
        """
        self._check_readable(z)
        flat = z.data.reshape(math.prod(z.shape), z.data.shape[-1])
        data = bootstrap(self.key, flat, table, self.threads).reshape(z.data.shape)
        value = float(np.abs(table.astype(np.float64)).max()) / self.parameters.scale
        return CiphertextArray(data, self.context, self.parameters.scale, z.bound, value, noise.output_bound(self.parameters))

    def apply(self, z: CiphertextArray, f: Callable[[np.ndarray], np.ndarray]) -> CiphertextArray:
        """Return fresh ciphertexts of f(z), for any function on [-z_half, z_half)."""
        return self.look_up(z, make_table(self.parameters, f))

    def activate(self, sigmoid: Sigmoid, z: CiphertextArray, minus: Any = 0.0) -> CiphertextArray:
        """Return sigmoid(z) - minus, fresh: any sigmoid is a table.  Its noise is `noise.output_deviation`, in units of 1."""
        centred = self.look_up(z, self._sigmoid_table(sigmoid, 1.0))
        return centred + (0.5 - minus) if isinstance(minus, np.ndarray | float | int) else centred + 0.5 - minus

    def error(self, sigmoid: Sigmoid, z: CiphertextArray, targets: Any, rate: float) -> tuple[CiphertextArray, float]:
        """Return (rate (sigmoid(z) - y), 1), fresh: the table holds the rate already, so that nothing is multiplied.

        targets: plain labels, or the owner's encryptions of rate * y (`Owner.encrypt_labels(y, rate)`).
        """
        centred = self.look_up(z, self._sigmoid_table(sigmoid, rate))
        if isinstance(targets, np.ndarray):
            return centred + rate * (0.5 - targets), 1.0
        return centred + 0.5 * rate - targets, 1.0

    def polynomial(self, z: CiphertextArray, coefficients: Sequence) -> CiphertextArray:
        """Return sum_k coefficients[k] z^k by a table: one bootstrap, whatever the degree."""
        constant, *rest = coefficients
        centred = self.apply(z, lambda x: np.polynomial.polynomial.polyval(x, [0.0, *rest]))
        return centred + constant

    def shrink(self, W: CiphertextArray, factor: float, largest: float = 0.5) -> CiphertextArray:
        """Return factor * W by one bootstrap a weight, which also replaces its noise by fresh noise.

        Weights are spread over the whole table first, by a whole factor m = z_half / largest, so what they are read with is the
        noise of a table's input divided by m; they must stay below `largest`.
        """
        p = self.parameters
        m = max(1, int(p.z_half / largest))
        table = make_table(p, lambda z: factor * z / m)
        return self.look_up(W * m, table)

    def bilinear(
        self, f: BilinearMap, a: CiphertextArray, b: CiphertextArray, gain: float = 1.0, total: bool = False
    ) -> CiphertextArray:
        """Refuse: there are no products of ciphertexts here."""
        raise CapabilityError(
            f"scheme 'bootstrapped' evaluates functions of one ciphertext, not the product {f.name!r} of two; use no hidden "
            "layer, a public second layer (encnn.network.folded), or the scheme 'integer_vector' without modulus"
        )

    def check_plan(self, X: Any, epochs: int, rate: float) -> None:
        """Raise `ParameterError` if training on features X for so many epochs would drown the scores in noise."""
        noise.training_noise(self.parameters, X, rate).check(epochs)

    def export(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Return (header, arrays): parameters, name of the key, bodies of the evaluation keys and seeds of their masks."""
        header, arrays = super().export()
        rotation, switch = self.key.rotation, self.key.switch
        del header["products"], header["public_widths"]
        header |= {"rotation_seed": rotation.seed.hex(), "switch_seed": switch.seed.hex()}
        return header, arrays | {"rotation": rotation.bodies, "switch": switch.bodies}

    def _sigmoid_table(self, sigmoid: Sigmoid, rate: float) -> np.ndarray:
        """Return the table of rate (sigmoid(z) - 1/2), which is odd for every sigmoid."""
        if (sigmoid, rate) not in self._tables:
            self._tables.clear()  # a decaying rate would else leave a table a batch behind
            self._tables[sigmoid, rate] = make_table(self.parameters, lambda z: rate * (sigmoid(z) - 0.5))
        return self._tables[sigmoid, rate]

    def _check_readable(self, z: CiphertextArray) -> None:
        if z.shape[-1] != 1 or z.scale != self.parameters.scale:
            raise ParameterError(
                f"a table is read by numbers, shape (..., 1), of scale {self.parameters.scale}; these have shape {z.shape} and "
                f"scale {z.scale:g}"
            )
