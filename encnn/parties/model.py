"""The encrypted model, which is all that leaves the owner, and how models, networks and sigmoids are written in files."""

import os
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from encnn import files
from encnn.arithmetic.sigmoid import ExactSigmoid, PolynomialSigmoid, Sigmoid, check_name
from encnn.data.fingerprints import Fingerprint, check_fingerprints, fingerprint_of
from encnn.data.recipes import Recipe, RecipeHeader, check_width, export_recipe, restore_recipe
from encnn.errors import FileError, ParameterError
from encnn.files.schema import Count, Hex32, Within, check_names, describe, naming, parse, take
from encnn.network import Architecture, Network
from encnn.network.architecture import WEIGHT_BOUND
from encnn.network.partial_scores import PartialScores, check_counts
from encnn.schemes import check_preset, restore_evaluator
from encnn.schemes.base import Encrypted, Evaluator

Path = str | os.PathLike[str]

MODEL, SCORES, SECRET = "encrypted-model", "encrypted-scores", "secret-key"

NAMES = "features"
"""Array that holds the words or columns of a model."""

MAX_COEFFICIENTS = 64
"""Most coefficients of a sigmoid in a file: a higher degree is no approximation, but work for whoever reads the file."""


@dataclass
class EncryptedModel:
    """What an owner hands out: the evaluator (public keys only), the encrypted network, the sigmoid the keys are made for.

    features: how texts or tables become the network's features, `model.features(texts)`, if the owner said so.
    """

    evaluator: Evaluator
    network: Network
    sigmoid: Sigmoid
    features: Recipe | None = None

    @property
    def architecture(self) -> Architecture:
        """Shape of the network."""
        return self.network.architecture

    def copy(self) -> "EncryptedModel":
        """Return a model with its own weights and the same keys."""
        return EncryptedModel(self.evaluator, self.network.copy(), self.sigmoid, self.features)

    def check_features(self, X: object) -> None:
        """Raise `DataError` for features that carry another fingerprint than the model's: of another vocabulary, say."""
        if self.features is not None:
            check_fingerprints(self.features.fingerprint, fingerprint_of(X))

    def save(self, path: Path, *, mac_key: bytes | None = None) -> int:
        """Write the model to `path`; return the bytes written.  Experimental keys are refused.

        `mac_key` is the owner's, who writes by `Owner.save_model`; all others have none.
        """
        context = getattr(self.evaluator, "context", None)
        if context is None:
            raise ParameterError("a network in the clear is not saved as an encrypted model; encrypt it first")
        refuse_experimental(context.experimental)
        check_preset(context.parameters)
        keys, arrays = self.evaluator.export()
        described: dict[str, dict | None] = {"W1": None, "W2": None}
        for name, a in (("W1", self.network.W1), ("W2", self.network.W2)):
            if a is not None:
                described[name], arrays[name] = self.evaluator.export_array(a)
        header = ModelHeader(
            self.evaluator.scheme,
            keys,
            describe_sigmoid(self.sigmoid),
            self.architecture,
            stored_recipe(self.features, arrays),
            self.network.weight_bound,
            **described,  # type: ignore[arg-type]
        )
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
        features = restored_recipe(header.features, a, arrays)
        W1, W2 = take(arrays, "W1"), take(arrays, "W2") if a.hidden else None
        evaluator = restore_evaluator(header.scheme, header.keys, arrays, a.products(sigmoid))
        if (W2 is None) != (header.W2 is None):
            raise FileError(f"the description of W2 does not fit {a}; get a new file from its sender")
        first, second = evaluator.restore_array(header.W1, W1, (a.features, a.row_width)), None
        evaluator.check_weights(first)
        if W2 is not None and header.W2 is not None:
            second = evaluator.restore_array(header.W2, W2, (a.hidden * a.outputs,))
            evaluator.check_weights(second)
        return cls(evaluator, Network(a, first, second, header.weight_bound), sigmoid, features)


@dataclass(frozen=True)
class ModelHeader:
    """The header of an encrypted model.  `keys`, `W1` and `W2` are the scheme's; W2 is there behind a hidden layer."""

    scheme: str
    keys: dict
    sigmoid: dict
    architecture: Architecture
    features: RecipeHeader | None
    weight_bound: Annotated[float, Within(WEIGHT_BOUND)]
    W1: dict
    W2: dict | None


@dataclass(frozen=True)
class ScoresHeader:
    """The header of encrypted scores: whose they are, of which features; the descriptions of the ciphertexts are the scheme's.

    shape: of the ciphertexts, one row for each part of a score if they come in parts.  values: what was computed from them.
    """

    scheme: str
    key_id: Hex32
    shape: tuple[Count, Count]
    features: Fingerprint | None
    scores: dict
    in_parts: bool
    values: dict | None


@dataclass(frozen=True)
class SecretHeader:
    """The header of an owner's secret: what its key and its evaluation keys say, and what network they are for."""

    scheme: str
    secret: dict
    keys: dict
    sigmoid: dict
    architecture: Architecture
    features: RecipeHeader | None


def describe_scores(
    evaluator: Evaluator, key_id: str, features: Fingerprint | None, scores: Encrypted
) -> tuple[ScoresHeader, dict[str, np.ndarray]]:
    """Return the header and the arrays of scores."""
    whole = not isinstance(scores, PartialScores)
    parts = evaluator.pack(scores if whole else scores.parts)
    described, array = evaluator.export_array(parts)
    arrays, values = {"scores": array}, None
    if not whole:
        arrays["parts"] = scores.counts
        if scores.values is not None:
            values, arrays["values"] = evaluator.export_array(evaluator.pack(scores.values))
    return ScoresHeader(evaluator.scheme, key_id, parts.shape, features, described, not whole, values), arrays


def restore_scores(evaluator: Evaluator, header: ScoresHeader, arrays: dict[str, np.ndarray]) -> Encrypted:
    """Return the scores that `describe_scores` took apart; raise `FileError` unless header and arrays fit together."""
    names = {"scores"} | ({"parts"} if header.in_parts else set()) | (set() if header.values is None else {"values"})
    check_names("the file", arrays, names)
    parts = evaluator.restore_array(header.scores, arrays["scores"], header.shape)
    if not header.in_parts:
        return parts
    check_counts(arrays["parts"], len(parts))
    scores = PartialScores(parts, arrays["parts"])
    if header.values is None:
        return scores
    return replace(scores, values=evaluator.restore_array(header.values, arrays["values"], (len(scores), header.shape[1])))


def stored_recipe(features: Recipe | None, arrays: dict[str, np.ndarray]) -> RecipeHeader | None:
    """Return the header of a recipe; its names, if they are published, are added to the arrays."""
    if features is None:
        return None
    header, names = export_recipe(features)
    if names is not None:
        arrays[NAMES] = names
    return header


def restored_recipe(header: RecipeHeader | None, a: Architecture, arrays: dict[str, np.ndarray]) -> Recipe | None:
    """Return the recipe of a header for a network of this architecture; its names are taken from the arrays."""
    if header is None:
        return None
    features = restore_recipe(header, take(arrays, NAMES) if header.published else None)
    check_width(features, a.features)
    return features


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
