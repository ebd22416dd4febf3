"""The network and its training loop, written once for every scheme."""

from encnn.network.architecture import Architecture, Network
from encnn.network.training import (
    Help,
    OnScores,
    Step,
    TrainingPlan,
    TrainingRun,
    forward,
    plain_targets,
    predict,
    targets_of,
    train,
)
from encnn.schemes.base import ErrorStep

__all__ = [
    "Architecture",
    "ErrorStep",
    "Help",
    "Network",
    "OnScores",
    "Step",
    "TrainingPlan",
    "TrainingRun",
    "forward",
    "plain_targets",
    "predict",
    "targets_of",
    "train",
]
