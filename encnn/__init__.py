"""Encrypted neural networks: the weights are encrypted, the training data is not.

An owner encrypts a network and hands it, with evaluation keys, to an untrusted trainer; the trainer updates the
encrypted weights on its own plaintext data and never sees a weight, a score or a prediction; the owner decrypts the
result.  The notebooks explain every step; SECURITY.md says what this does and does not protect.
"""

from encnn.arithmetic.sigmoid import ExactSigmoid, least_squares, minimax, taylor
from encnn.network import Architecture, Network, TrainingPlan
from encnn.parties import EncryptedModel, Owner, Trainer, User
from encnn.schemes import ClearParameters

__version__ = "0.1.0"

__all__ = [
    "Architecture",
    "ClearParameters",
    "EncryptedModel",
    "ExactSigmoid",
    "Network",
    "Owner",
    "Trainer",
    "TrainingPlan",
    "User",
    "least_squares",
    "minimax",
    "taylor",
]
