"""The public shape of a network, the products that training it takes, and its weights.

W1 is an array of `features` encrypted vectors, one per word.  W2 is one encrypted vector; without a hidden layer it is absent.
"""

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from encnn.arithmetic import checks
from encnn.arithmetic.sigmoid import PolynomialSigmoid, Sigmoid
from encnn.errors import ParameterError
from encnn.schemes import Product
from encnn.schemes.base import TrainableArray
from encnn.schemes.bilinear import (
    BilinearMap,
    elementwise,
    outer,
    scalar_vector,
    vector_matrix,
    vector_transposed_matrix,
)
from encnn.schemes.powers import power_sum

MOST_ROWS = (1 << 31) - 1
"""The most rows of W1, hidden units or outputs: mini-batches number rows by 32 bits."""
Pooling = Literal["sum", "mean"]
WEIGHT_BOUND = 0.25
"""The smallest announced bound on weights.  A smaller one would tell something about small weights (see `partial_scores`)."""


@dataclass(frozen=True)
class Architecture:
    """The public shape of a network."""

    features: int  # rows of W1, the size of the vocabulary
    hidden: int = 8  # hidden units; 0 means no hidden layer
    outputs: int = 1  # 1, or one per class (one-vs-rest)
    pooling: Pooling = "mean"  # a review's hidden vector is the sum or the mean of its words' rows
    hidden_sigmoid: PolynomialSigmoid | None = None  # applied to the hidden layer; None leaves it linear, as in the paper

    def __post_init__(self) -> None:
        """Raise `ParameterError` unless these numbers describe a network."""
        checks.check_types(self)
        checks.whole("features", self.features, 1, MOST_ROWS)
        checks.whole("hidden", self.hidden, 0, MOST_ROWS)
        checks.whole("outputs", self.outputs, 1, MOST_ROWS)
        if self.hidden_sigmoid is not None and not self.hidden:
            raise ParameterError("hidden_sigmoid needs a hidden layer; set hidden to at least 1, or leave it out")

    @property
    def row_width(self) -> int:
        """Width of a row of W1: hidden units, or the outputs when there is no hidden layer."""
        return self.hidden or self.outputs

    def widths(self) -> set[int]:
        """Return the widths of all vectors in training."""
        return {self.row_width, self.outputs, self.hidden * self.outputs} - {0}

    def products(self, sigmoid: Sigmoid) -> list[Product]:
        """Return the products that training with this sigmoid needs; the owner makes evaluation keys for them."""
        maps: list[Product] = []
        if self.hidden:
            maps += [vector_matrix(self.hidden, self.outputs), *backward_products(self.hidden, self.outputs)]
        maps += _powers(self.outputs, sigmoid)
        if self.hidden_sigmoid is not None:
            maps += [*_powers(self.hidden, self.hidden_sigmoid), elementwise(self.hidden)]
        return list({f.name: f for f in maps}.values())


W = TypeVar("W", bound=TrainableArray)
"""The weights of one scheme."""


@dataclass
class Network(Generic[W]):
    """Weights in one scheme.

    Weights in the clear are copied, as float64.  Raises `ParameterError` unless all shapes are those of the architecture.
    """

    architecture: Architecture  # public
    W1: W  # shape (features, row_width)
    W2: W | None  # of width hidden * outputs; None without a hidden layer
    weight_bound: float = WEIGHT_BOUND  # public bound that |weights| stay below, see `partial_scores`
    direction: W | None = None  # w, shape (hidden,), of the network of rank one that this unit stands for (`rank_one`)
    ranges: object = None  # public: the numbers that a scheme expects in this run (`Evaluator.ranges_of`)

    def __post_init__(self) -> None:
        """Copy weights in the clear, and check all shapes."""
        checks.instance("architecture", self.architecture, Architecture)
        self.W1, self.W2 = _own_weights("W1", self.W1), _own_weights("W2", self.W2)
        self.check_shapes()

    @property
    def second_layer(self) -> W:
        """W2, of a network that has a hidden layer."""
        if self.W2 is None:
            raise ParameterError("this network has no hidden layer, so it has no W2; use one with hidden of at least 1")
        return self.W2

    def check_shapes(self) -> None:
        """Raise `ParameterError` unless all weights have the shapes of the architecture."""
        a = self.architecture
        _check_weights("W1", self.W1, (a.features, a.row_width))
        _check_weights("W2", self.W2, (a.hidden * a.outputs,) if a.hidden else None)
        if self.direction is not None and (a.hidden, a.outputs) != (1, 1):
            raise ParameterError(f"only a network of one hidden unit and one output has a direction, not {a}; leave it out")

    def check_clear(self) -> None:
        """Raise `ParameterError` unless the weights are finite numbers in the clear, of the shapes of the architecture."""
        self.check_shapes()
        for name, W in (("W1", self.W1), ("W2", self.W2)):
            if W is not None and not isinstance(W, np.ndarray):
                raise ParameterError(f"{name} is encrypted; pass a network in the clear, such as owner.decrypt_network(model)")
            if W is not None and not np.isfinite(W).all():
                raise ParameterError(f"{name} holds NaN or infinity; look for a diverged run, and start from finite weights")

    @classmethod
    def zeros(cls, architecture: Architecture) -> "Network[np.ndarray]":
        """Return a start in the clear whose weights are all zero, which needs no randomness."""
        W2 = np.zeros(architecture.hidden * architecture.outputs) if architecture.hidden else None
        return Network(architecture, np.zeros((architecture.features, architecture.row_width)), W2)

    @classmethod
    def initial(
        cls, architecture: Architecture, rng: np.random.Generator, first_layer_sd: float = 0.0
    ) -> "Network[np.ndarray]":
        """Return initial weights in the clear: W2 is standard normal; W1 is zero, or normal with the given deviation."""
        checks.instance("rng", rng, np.random.Generator)
        checks.real("first_layer_sd", first_layer_sd, least=0)
        shape = (architecture.features, architecture.row_width)
        W2 = rng.normal(0.0, 1.0, architecture.hidden * architecture.outputs) if architecture.hidden else None
        W1 = rng.normal(0.0, first_layer_sd, shape) if first_layer_sd else np.zeros(shape)
        return Network(architecture, W1, W2)

    def copy(self) -> "Network":
        """Return a network with its own weights."""
        W1, W2 = (W if W is None or isinstance(W, np.ndarray) else W.copy() for W in (self.W1, self.W2))
        # the constructor copies weights in the clear
        return Network(self.architecture, W1, W2, self.weight_bound, self.direction, self.ranges)


class PartOfNetwork(Network):
    """One layer of a network, while other workers hold the other layer."""

    def __post_init__(self) -> None:
        """Check nothing, since the whole network was checked."""


def backward_products(hidden: int, outputs: int) -> list[BilinearMap]:
    """Return the products of the backward pass, d W2^T and h^T d.  With one output, both scale a vector by a number."""
    if outputs == 1:
        return [scalar_vector(hidden)]
    return [vector_transposed_matrix(hidden, outputs), outer(hidden, outputs)]


def _own_weights(name: str, W: Any) -> Any:
    """Return encrypted weights as they are, and weights in the clear as a copy in float64."""
    if not isinstance(W, np.ndarray | list | tuple):
        return W
    try:
        plain = np.asarray(W)
    except ValueError as error:
        raise ParameterError(f"{name} is not an array of numbers ({error}); give every row the same length") from error
    if plain.dtype.kind not in "biuf":
        raise ParameterError(f"{name} is of type {plain.dtype}; expected real numbers, float64")
    return np.array(plain, dtype=np.float64, subok=False)


def _check_weights(name: str, W: object, expected: tuple[int, ...] | None) -> None:
    found = None if W is None else getattr(W, "shape", f"none, being of type {type(W).__name__}")
    if found != expected:
        raise ParameterError(f"{name} has shape {found}, but the architecture needs {expected}; make weights of that shape")


def _powers(width: int, sigmoid: Sigmoid) -> list[Product]:
    """Return the products for a polynomial of degree 2 or more; a scheme computes powers at once or one after the other."""
    if not isinstance(sigmoid, PolynomialSigmoid) or sigmoid.degree < 2:
        return []
    return [power_sum(width, sigmoid.coefficients), elementwise(width)]
