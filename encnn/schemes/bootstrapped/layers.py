"""Choose the products of a hidden layer: those of a network of rank one, or those of any network."""

from typing import Any

import numpy as np

from encnn.data.batches import TrainingFeatures
from encnn.schemes.bootstrapped.hidden import CodedLayer, Ranges, layer_for
from encnn.schemes.bootstrapped.parameters import BootstrappedParameters
from encnn.schemes.bootstrapped.rank_one import RankOneLayer, RankOneRanges
from encnn.schemes.bootstrapped.rank_one_ranges import ranges_for, unrehearsed
from encnn.schemes.bootstrapped.torus import Torus

Layer = CodedLayer | RankOneLayer


def layer_of(kept: dict[Any, Any], torus: Torus, network: Any, ranges: Ranges) -> Layer:
    """Return the products of this network's hidden layer, and keep them in `kept` for the next call.

    ranges: those of a network that is not of rank one.
    """
    a = network.architecture
    mean = a.pooling == "mean"
    if is_rank_one(network):
        return kept.setdefault(("rank one", mean, network.ranges), RankOneLayer(torus, mean, network.ranges))
    return kept.setdefault((a, ranges), layer_for(a, torus, ranges))


def is_rank_one(network: Any) -> bool:
    """Return whether this network of one unit stands for a network of rank one.  Its second layer is then positive."""
    return network.direction is not None or network.ranges is not None


def ranges_of(
    p: BootstrappedParameters, X: TrainingFeatures, y: np.ndarray | None, plan: Any, network: Any
) -> RankOneRanges | None:
    """Return the ranges of a run of a network of rank one, and None for another network.  y: plain labels, or None."""
    if not is_rank_one(network):
        return None
    if y is None:
        return unrehearsed(plan.batch_size)
    return ranges_for(p, X, y, plan, network.architecture.pooling == "mean", len(network.direction))
