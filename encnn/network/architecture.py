"""The public shape of a network, the products that training it takes, and its weights.

W1 is an array of `features` encrypted vectors, one per word; W2 is one encrypted vector, absent without a hidden layer.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from encnn.errors import ParameterError
from encnn.schemes import Product
from encnn.schemes.base import Encrypted
from encnn.schemes.bilinear import (
    BilinearMap,
    elementwise,
    outer,
    scalar_vector,
    vector_matrix,
    vector_transposed_matrix,
)
from encnn.schemes.powers import power_sum
from encnn.sigmoid import PolynomialSigmoid, Sigmoid

WEIGHT_BOUND = 0.25
"""The least bound on weights that is announced, so that it tells nothing of small weights (see `partial_scores`)."""


@dataclass(frozen=True)
class Architecture:
    """The public shape of a network.

    features: rows of W1, the size of the vocabulary.  hidden: hidden units, 0 for none.  outputs: 1, or one per class
    (one-vs-rest).  pooling: a review's hidden vector is the "sum" or the "mean" of its rows.  hidden_sigmoid: polynomial
    applied to the hidden layer; None leaves it linear, as the paper does for reviews.
    """

    features: int
    hidden: int = 8
    outputs: int = 1
    pooling: Literal["sum", "mean"] = "mean"
    hidden_sigmoid: PolynomialSigmoid | None = None

    def __post_init__(self) -> None:
        """Refuse shapes that are not networks."""
        if self.features < 1 or self.outputs < 1 or self.hidden < 0:
            raise ParameterError(
                f"features={self.features}, hidden={self.hidden}, outputs={self.outputs} is no network; features and outputs "
                "must be at least 1, hidden at least 0"
            )
        if self.pooling not in ("sum", "mean"):
            raise ParameterError(f"pooling is {self.pooling!r}; it must be 'sum' or 'mean'")
        if self.hidden_sigmoid is not None and not self.hidden:
            raise ParameterError("hidden_sigmoid needs a hidden layer; set hidden to at least 1, or leave it out")

    @property
    def row_width(self) -> int:
        """Width of a row of W1: hidden units, or the outputs when there is no hidden layer."""
        return self.hidden or self.outputs

    def widths(self) -> set[int]:
        """Return the widths of all vectors that training meets."""
        return {self.row_width, self.outputs, self.hidden * self.outputs} - {0}

    def products(self, sigmoid: Sigmoid) -> list[Product]:
        """Return the products that training with this sigmoid needs: what the owner makes evaluation keys for."""
        maps: list[Product] = []
        if self.hidden:
            maps += [vector_matrix(self.hidden, self.outputs), *backward_products(self.hidden, self.outputs)]
        maps += _powers(self.outputs, sigmoid)
        if self.hidden_sigmoid is not None:
            maps += [*_powers(self.hidden, self.hidden_sigmoid), elementwise(self.hidden)]
        return list({f.name: f for f in maps}.values())


@dataclass
class Network:
    """Weights in one scheme: W1 of shape (features, row_width), W2 of width hidden * outputs (None without hidden layer).

    weight_bound: what |weights| are announced to stay below, public (see `partial_scores`).
    """

    architecture: Architecture
    W1: Encrypted
    W2: Encrypted | None
    weight_bound: float = WEIGHT_BOUND

    @classmethod
    def initial(cls, architecture: Architecture, rng: np.random.Generator, first_layer_sd: float = 0.0) -> "Network":
        """Return a start in the clear: W2 standard normal, W1 zero or normal with the given deviation."""
        shape = (architecture.features, architecture.row_width)
        W2 = rng.normal(0.0, 1.0, architecture.hidden * architecture.outputs) if architecture.hidden else None
        W1 = rng.normal(0.0, first_layer_sd, shape) if first_layer_sd else np.zeros(shape)
        return cls(architecture, W1, W2)

    def copy(self) -> "Network":
        """Return a network with its own weights."""
        W2 = None if self.W2 is None else self.W2.copy()
        return Network(self.architecture, self.W1.copy(), W2, self.weight_bound)


def backward_products(hidden: int, outputs: int) -> list[BilinearMap]:
    """Return the products of the backward pass, d W2^T and h^T d; with one output both scale a vector by a number."""
    if outputs == 1:
        return [scalar_vector(hidden)]
    return [vector_transposed_matrix(hidden, outputs), outer(hidden, outputs)]


def _powers(width: int, sigmoid: Sigmoid) -> list[Product]:
    """Return what a polynomial of degree 2 or more needs: its powers at once, or product after product."""
    if not isinstance(sigmoid, PolynomialSigmoid) or sigmoid.degree < 2:
        return []
    return [power_sum(width, sigmoid.coefficients), elementwise(width)]
