"""The network and its training loop, written once for every scheme."""

from encnn.network.architecture import Architecture, Network
from encnn.network.training import (
    OnScores,
    Step,
    TrainingPlan,
    forward,
    predict,
    targets_of,
    train,
)
from encnn.schemes.base import ErrorStep

__all__ = [
    "Architecture",
    "ErrorStep",
    "Network",
    "OnScores",
    "Step",
    "TrainingPlan",
    "forward",
    "predict",
    "targets_of",
    "train",
]
