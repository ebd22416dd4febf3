"""Encrypted neural networks: the weights are encrypted, the training data is not.

An owner encrypts a network and hands it, with evaluation keys, to an untrusted trainer.  The trainer updates the encrypted
weights on its own plaintext data and never sees a weight, a score or a prediction.  The owner decrypts the result.  The
notebooks explain every step.  SECURITY.md says what this does and does not protect.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "encnn.arithmetic.sigmoid": ("ExactSigmoid", "least_squares", "minimax", "taylor"),
    "encnn.network": ("Architecture", "Network", "TrainingPlan"),
    "encnn.parties": ("EncryptedModel", "Owner", "Trainer", "User"),
    "encnn.schemes": ("ClearParameters",),
}
"""The modules that public names come from.  They are imported when a name is first used, since that takes a while."""


def __getattr__(name: str) -> Any:
    """Import a public name where it is first used."""
    for home, names in _HOMES.items():
        if name in names:
            return globals().setdefault(name, getattr(import_module(home), name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return sorted({*globals(), *__all__})
