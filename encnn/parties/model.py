"""The encrypted model, which is all that leaves the owner, and how models, networks and sigmoids are written in files."""

import os
from dataclasses import dataclass

import numpy as np

from encnn import files
from encnn.errors import FileError, ParameterError
from encnn.files.schema import Count, Hex32, describe, naming, parse, take
from encnn.network import Architecture, Network
from encnn.schemes import restore_evaluator
from encnn.schemes.base import Evaluator
from encnn.sigmoid import ExactSigmoid, PolynomialSigmoid, Sigmoid, check_name

Path = str | os.PathLike[str]

MODEL, SCORES, SECRET = "encrypted-model", "encrypted-scores", "secret-key"

MAX_COEFFICIENTS = 64
"""Most coefficients of a sigmoid in a file: a higher degree is no approximation, but work for whoever reads the file."""


@dataclass
class EncryptedModel:
    """What an owner hands out: the evaluator (public keys only), the encrypted network, the sigmoid the keys are made for."""

    evaluator: Evaluator
    network: Network
    sigmoid: Sigmoid

    @property
    def architecture(self) -> Architecture:
        """Shape of the network."""
        return self.network.architecture

    def copy(self) -> "EncryptedModel":
        """Return a model with its own weights and the same keys."""
        return EncryptedModel(self.evaluator, self.network.copy(), self.sigmoid)

    def save(self, path: Path, *, mac_key: bytes | None = None) -> int:
        """Write the model to `path`; return the bytes written.  Experimental keys are refused.

        `mac_key` is the owner's, who writes by `Owner.save_model`; all others have none.
        """
        context = getattr(self.evaluator, "context", None)
        if context is None:
            raise ParameterError("a network in the clear is not saved as an encrypted model; encrypt it first")
        refuse_experimental(context.experimental)
        keys, arrays = self.evaluator.export()
        described: dict[str, dict | None] = {"W1": None, "W2": None}
        for name, a in (("W1", self.network.W1), ("W2", self.network.W2)):
            if a is not None:
                described[name], arrays[name] = self.evaluator.export_array(a)
        sigmoid = describe_sigmoid(self.sigmoid)
        header = ModelHeader(self.evaluator.scheme, keys, sigmoid, self.architecture, **described)  # type: ignore[arg-type]
        return files.write(path, MODEL, describe(header), arrays, mac_key=mac_key)

    @classmethod
    def load(cls, path: Path, *, mac_key: bytes | None = None) -> "EncryptedModel":
        """Read a model that `save` wrote; anything else is a `FileError`.

        Without `mac_key` anybody may have written it: its parts fit together, and that is all.
        """
        header, arrays = files.read(path, MODEL, mac_key=mac_key)
        with naming(path):
            return cls._restored(parse(ModelHeader, header), arrays)

    @classmethod
    def _restored(cls, header: "ModelHeader", arrays: dict[str, np.ndarray]) -> "EncryptedModel":
        """Return the model of a header and its arrays."""
        a, sigmoid = checked_architecture(header.architecture), restore_sigmoid(header.sigmoid)
        W1, W2 = take(arrays, "W1"), take(arrays, "W2") if a.hidden else None
        evaluator = restore_evaluator(header.scheme, header.keys, arrays, a.products(sigmoid))
        network = Network(a, evaluator.restore_array(header.W1, W1, (a.features, a.row_width)), None)
        if (W2 is None) != (header.W2 is None):
            raise FileError(f"the description of W2 does not fit {a}; get a new file from its sender")
        if W2 is not None and header.W2 is not None:
            network.W2 = evaluator.restore_array(header.W2, W2, (a.hidden * a.outputs,))
        return cls(evaluator, network, sigmoid)


@dataclass(frozen=True)
class ModelHeader:
    """The header of an encrypted model.  `keys`, `W1` and `W2` are the scheme's; W2 is there behind a hidden layer."""

    scheme: str
    keys: dict
    sigmoid: dict
    architecture: Architecture
    W1: dict
    W2: dict | None


@dataclass(frozen=True)
class ScoresHeader:
    """The header of encrypted scores; the description of the ciphertexts is the scheme's."""

    scheme: str
    key_id: Hex32
    shape: tuple[Count, Count]
    scores: dict


@dataclass(frozen=True)
class SecretHeader:
    """The header of an owner's secret: what its key and its evaluation keys say, and what network they are for."""

    scheme: str
    secret: dict
    keys: dict
    sigmoid: dict
    architecture: Architecture


def refuse_experimental(experimental: bool) -> None:
    """Raise `ParameterError` for a key that was made from a passed rng, which is not written to files."""
    if experimental:
        raise ParameterError(
            "this key was made from a passed rng, so it repeats and protects nothing; it is not written to files. "
            "Make the owner without rng"
        )


def describe_sigmoid(sigmoid: Sigmoid) -> dict:
    """Return the header from which `restore_sigmoid` makes this sigmoid again."""
    if isinstance(sigmoid, ExactSigmoid):  # an owner who assists evaluates it
        return {"name": sigmoid.name}
    return describe(_checked(sigmoid))


def restore_sigmoid(header: dict) -> Sigmoid:
    """Return the sigmoid of a header that `describe_sigmoid` wrote."""
    if header == {"name": ExactSigmoid.name}:
        return ExactSigmoid()
    return _checked(parse(PolynomialSigmoid, header, "the sigmoid"))


def checked_architecture(a: Architecture) -> Architecture:
    """Return the architecture; raise `FileError` for one that no file holds."""
    if a.hidden_sigmoid is not None:
        _checked(a.hidden_sigmoid)
    return a


def _checked(sigmoid: PolynomialSigmoid) -> PolynomialSigmoid:
    """Return the polynomial, unless its degree is absurd or its name is that of another one."""
    if len(sigmoid.coefficients) > MAX_COEFFICIENTS:
        found = len(sigmoid.coefficients)
        raise FileError(f"a sigmoid has {found} coefficients, files hold at most {MAX_COEFFICIENTS}; lower its degree")
    check_name(sigmoid)
    return sigmoid
