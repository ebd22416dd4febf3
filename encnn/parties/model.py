"""The encrypted model, which is all that leaves the owner, and how models, networks and sigmoids are written in files."""

import os
from dataclasses import dataclass
from typing import Any

from encnn import files
from encnn.errors import EncnnError, FileError, KeyMismatchError, ParameterError
from encnn.network import Architecture, Network
from encnn.schemes import restore_evaluator
from encnn.schemes.base import Evaluator
from encnn.sigmoid import ExactSigmoid, PolynomialSigmoid, Sigmoid

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
        header: dict[str, Any] = {"scheme": self.evaluator.scheme, "keys": keys, "sigmoid": describe_sigmoid(self.sigmoid)}
        header["architecture"] = describe_architecture(self.architecture)
        weights = {"W1": self.network.W1} | ({} if self.network.W2 is None else {"W2": self.network.W2})
        for name, a in weights.items():
            header[name], arrays[name] = self.evaluator.export_array(a)
        return files.write(path, MODEL, header, arrays, mac_key=mac_key)

    @classmethod
    def load(cls, path: Path, *, mac_key: bytes | None = None) -> "EncryptedModel":
        """Read a model that `save` wrote; anything else is a `FileError`.

        Without `mac_key` anybody may have written it: its parts fit together, and that is all.
        """
        header, arrays = files.read(path, MODEL, mac_key=mac_key)
        with HeaderOf(path):
            a = restore_architecture(header["architecture"])
            sigmoid = restore_sigmoid(header["sigmoid"])
            W1, W2 = arrays.pop("W1"), arrays.pop("W2") if a.hidden else None
            evaluator = restore_evaluator(header["scheme"], header["keys"], arrays, a.products(sigmoid))
            network = Network(a, evaluator.restore_array(header["W1"], W1, (a.features, a.row_width)), None)
            if W2 is not None:
                network.W2 = evaluator.restore_array(header["W2"], W2, (a.hidden * a.outputs,))
        refuse_readable(path, evaluator, network)
        return cls(evaluator, network, sigmoid)


def refuse_readable(path: Path, evaluator: Evaluator, network: Network) -> None:
    """Raise `FileError` for weights that anybody can read: whoever made them encrypted nothing, or swapped a network in."""
    if any(evaluator.readable(a) for a in (network.W1, network.W2) if a is not None):
        raise FileError(
            f"{path} holds weights without masks, which anybody reads without a key; ask its sender for encrypted ones, and "
            "neither train nor publish these"
        )


class HeaderOf:
    """Turns whatever a strange header makes of us into a `FileError` that names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, _: Any) -> None:
        if isinstance(error, FileError | KeyMismatchError) or error is None:
            return
        if isinstance(error, EncnnError | LookupError | ArithmeticError | TypeError | ValueError | AttributeError):
            raise FileError(f"{self._path}: its header makes no sense ({error}); get a new file from its sender") from error


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
    _check_degree(len(sigmoid.coefficients))
    return {"name": sigmoid.name, "coefficients": list(sigmoid.coefficients), "interval": list(sigmoid.interval)}


def restore_sigmoid(header: dict) -> Sigmoid:
    """Return the sigmoid of a header that `describe_sigmoid` wrote."""
    return ExactSigmoid() if header == {"name": ExactSigmoid.name} else _restore_polynomial(header)


def _restore_polynomial(header: dict) -> PolynomialSigmoid:
    _check_degree(len(header["coefficients"]))
    coefficients = tuple(float(c) for c in header["coefficients"])
    low, high = (float(x) for x in header["interval"])
    return PolynomialSigmoid(str(header["name"]), coefficients, (low, high))


def _check_degree(coefficients: int) -> None:
    if coefficients > MAX_COEFFICIENTS:
        raise FileError(f"a sigmoid has {coefficients} coefficients, files hold at most {MAX_COEFFICIENTS}; lower its degree")


def describe_architecture(a: Architecture) -> dict:
    """Return the header from which `restore_architecture` makes this architecture again."""
    hidden = None if a.hidden_sigmoid is None else describe_sigmoid(a.hidden_sigmoid)
    described = {"features": a.features, "hidden": a.hidden, "outputs": a.outputs, "pooling": a.pooling}
    return described | {"hidden_sigmoid": hidden}


def restore_architecture(header: dict) -> Architecture:
    """Return the architecture of a header that `describe_architecture` wrote; raise `FileError` for sizes that are none."""
    sizes = {name: header[name] for name in ("features", "hidden", "outputs")}
    if not all(isinstance(k, int) and not isinstance(k, bool) for k in sizes.values()):
        raise FileError(f"the network's sizes {sizes} are not whole numbers")
    hidden = header["hidden_sigmoid"]
    return Architecture(
        **sizes, pooling=header["pooling"], hidden_sigmoid=None if hidden is None else _restore_polynomial(hidden)
    )
