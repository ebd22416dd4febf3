"""What a scheme may look at of the network and of the plan of a run.

The classes themselves stand above the schemes: `network.architecture.Network` and `network.training.TrainingPlan`.
"""

from collections.abc import Sized
from typing import Protocol

from encnn.arithmetic.sigmoid import PolynomialSigmoid, Sigmoid


class PublicArchitecture(Protocol):
    """The shape of a network with a hidden layer."""

    @property
    def hidden(self) -> int:
        """The number of hidden units."""

    @property
    def outputs(self) -> int:
        """The number of outputs."""

    @property
    def pooling(self) -> str:
        """Whether rows are added ("sum") or averaged ("mean")."""

    @property
    def hidden_sigmoid(self) -> PolynomialSigmoid | None:
        """What is applied to the hidden layer."""


class PublicNetwork(Protocol):
    """What is public of a network."""

    @property
    def architecture(self) -> PublicArchitecture:
        """Its shape."""

    @property
    def direction(self) -> Sized | None:
        """The direction of a network of rank one, of which only the length is public."""

    @property
    def ranges(self) -> object:
        """The numbers that the scheme expects in this run (`Evaluator.ranges_of`)."""


class PublicPlan(Protocol):
    """How a network is trained."""

    @property
    def sigmoid(self) -> Sigmoid:
        """What stands for the sigmoid."""

    @property
    def learning_rate(self) -> float:
        """The learning rate at the start."""

    @property
    def batch_size(self) -> int:
        """Reviews per mini-batch."""

    @property
    def epochs(self) -> int:
        """Passes over the reviews."""

    @property
    def divide_update(self) -> bool:
        """Whether updates are divided by the number of words."""

    def rate(self, epochs_done: float, /) -> float:
        """Return the learning rate after `epochs_done` epochs."""
