"""Choose the products of a hidden layer: those of a network of rank one, or those of any network."""

import numpy as np

from encnn.data.batches import TrainingFeatures
from encnn.schemes.bootstrapped.hidden import CodedLayer, Ranges, layer_for
from encnn.schemes.bootstrapped.parameters import BootstrappedParameters
from encnn.schemes.bootstrapped.rank_one import RankOneLayer, RankOneRanges
from encnn.schemes.bootstrapped.rank_one_ranges import ranges_for, unrehearsed
from encnn.schemes.bootstrapped.torus import Torus
from encnn.schemes.public import PublicNetwork, PublicPlan

Layer = CodedLayer | RankOneLayer


def layer_of(kept: dict[object, Layer], torus: Torus, network: PublicNetwork, ranges: Ranges) -> Layer:
    """Return the products of this network's hidden layer, and keep them in `kept` for the next call.

    ranges: those of a network that is not of rank one.
    """
    a = network.architecture
    mean = a.pooling == "mean"
    if is_rank_one(network):
        ranges_of_run = network.ranges if isinstance(network.ranges, RankOneRanges) else None
        return kept.setdefault(("rank one", mean, ranges_of_run), RankOneLayer(torus, mean, ranges_of_run))
    return kept.setdefault((a, ranges), layer_for(a, torus, ranges))


def is_rank_one(network: PublicNetwork) -> bool:
    """Return whether this network of one unit stands for a network of rank one.  Its second layer is then positive."""
    return network.direction is not None or network.ranges is not None


def ranges_of(
    p: BootstrappedParameters, X: TrainingFeatures, y: np.ndarray | None, plan: PublicPlan, network: PublicNetwork
) -> RankOneRanges | None:
    """Return the ranges of a run of a network of rank one, and None for another network.  y: plain labels, or None."""
    if not is_rank_one(network):
        return None
    if y is None:
        return unrehearsed(plan.batch_size)
    hidden = network.architecture.hidden if network.direction is None else len(network.direction)
    return ranges_for(p, X, y, plan, network.architecture.pooling == "mean", hidden)
