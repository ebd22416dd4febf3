"""The encrypted model, which is all that leaves the owner, and the form of models, scores and sigmoids in files."""

import os
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from encnn import files
from encnn.arithmetic.sigmoid import ExactSigmoid, PolynomialSigmoid, Sigmoid, check_name
from encnn.data.fingerprints import Fingerprint, check_fingerprints, fingerprint_of
from encnn.data.recipes import Recipe, RecipeHeader, check_width, export_recipe, restore_recipe
from encnn.errors import DataError, FileError, ParameterError
from encnn.files.schema import Count, Hex32, Width, Within, check_names, describe, naming, parse, take
from encnn.network import Architecture, Network
from encnn.network.architecture import WEIGHT_BOUND
from encnn.network.partial_scores import PartialScores, check_counts
from encnn.schemes import check_preset, restore_evaluator
from encnn.schemes.base import Encrypted, Evaluator, KeyContext
from encnn.schemes.factored import FactoredScores, check_factored

Path = str | os.PathLike[str]

MODEL, SCORES, SECRET = "encrypted-model", "encrypted-scores", "secret-key"

MAX_COEFFICIENTS = 64
"""Most coefficients of a sigmoid in a file.  A higher degree improves no approximation and only costs the reader time."""


@dataclass
class EncryptedModel:
    """What an owner hands out."""

    evaluator: Evaluator  # public keys only
    network: Network  # encrypted
    sigmoid: Sigmoid  # the keys are made for this one
    features: Recipe | None = None  # `model.features(texts)` makes the features, if the owner named a recipe

    @property
    def architecture(self) -> Architecture:
        """The shape of the network."""
        return self.network.architecture

    def copy(self) -> "EncryptedModel":
        """Return a model with its own weights and the same keys."""
        return EncryptedModel(self.evaluator, self.network.copy(), self.sigmoid, self.features)

    def check_features(self, X: object) -> None:
        """Raise `DataError` for features with another fingerprint than the model's, for example of another vocabulary."""
        if self.features is not None:
            check_fingerprints(self.features.fingerprint, fingerprint_of(X))

    def save(self, path: Path, *, mac_key: bytes | None = None) -> int:
        """Write the model to `path`; return the bytes written.  Experimental keys are refused.

        `mac_key` belongs to the owner, who writes with `Owner.save_model`; nobody else has one.
        """
        checked_context(self.evaluator.context, "a network in the clear is not saved as an encrypted model; encrypt it first")
        keys, arrays = self.evaluator.export()
        n = self.network
        kind: type[ModelHeader] = ModelHeader
        described: dict = {"W1": None, "W2": None}
        for name, a in (("W1", n.W1), ("W2", n.W2), ("direction", n.direction)):
            if a is not None:
                described[name], arrays[name] = self.evaluator.export_array(a)
        if n.direction is not None:
            kind, described["units"] = RankOneHeader, len(n.direction)
        header = kind(
            self.evaluator.scheme,
            keys,
            describe_sigmoid(self.sigmoid),
            self.architecture,
            stored_recipe(self.features, arrays),
            n.weight_bound,
            **described,
        )
        return files.write(path, MODEL, describe(header), arrays, mac_key=mac_key)

    @classmethod
    def load(cls, path: Path, *, mac_key: bytes | None = None) -> "EncryptedModel":
        """Read a model that `save` wrote; anything else is a `FileError`.

        Without `mac_key` only the fit of its parts is checked, and anybody may have written it.
        """
        header, arrays = files.read(path, MODEL, mac_key=mac_key)
        with naming(path):
            kind = RankOneHeader if "direction" in header else ModelHeader
            return cls._restored(parse(kind, header), arrays)

    @classmethod
    def _restored(cls, header: "ModelHeader", arrays: dict[str, np.ndarray]) -> "EncryptedModel":
        """Return the model of a header and its arrays."""
        a, sigmoid = checked_architecture(header.architecture), restore_sigmoid(header.sigmoid)
        features = restored_recipe(header.features, a, arrays)
        W1, W2 = take(arrays, "W1"), take(arrays, "W2") if a.hidden else None
        w = take(arrays, "direction") if isinstance(header, RankOneHeader) else None
        evaluator = restore_evaluator(header.scheme, header.keys, arrays, a.products(sigmoid))
        if (W2 is None) != (header.W2 is None):
            raise FileError(f"the description of W2 does not fit {a}; get a new file from its sender")
        first, second = evaluator.restore_array(header.W1, W1, (a.features, a.row_width)), None
        evaluator.check_weights(first)
        if W2 is not None and header.W2 is not None:
            second = evaluator.restore_array(header.W2, W2, (a.hidden * a.outputs,))
            evaluator.check_weights(second)
        third = None
        if isinstance(header, RankOneHeader) and w is not None:
            third = evaluator.restore_array(header.direction, w, (header.units,))
            evaluator.check_weights(third)
        return cls(evaluator, Network(a, first, second, header.weight_bound, third), sigmoid, features)


@dataclass(frozen=True)
class ModelHeader:
    """The header of an encrypted model."""

    scheme: str  # its name
    keys: dict  # the scheme's description of the evaluation keys
    sigmoid: dict  # for which the keys were made
    architecture: Architecture  # of the network
    features: RecipeHeader | None  # their recipe, if the model has one
    weight_bound: Annotated[float, Within(WEIGHT_BOUND)]  # the announced bound on |weights|
    W1: dict  # the scheme's description of the first layer
    W2: dict | None  # that of the second layer, or None without a hidden layer


@dataclass(frozen=True)
class RankOneHeader(ModelHeader):
    """The header of a model of rank one: `direction` is encrypted, and `units` is its length."""

    direction: dict
    units: Width


@dataclass(frozen=True)
class ScoresHeader:
    """The header of encrypted scores."""

    scheme: str  # its name
    key_id: Hex32  # the name of the key
    shape: tuple[Count, Count]  # of the ciphertexts, with one row per part if scores come in parts
    features: Fingerprint | None  # the fingerprint of the features
    scores: dict  # the scheme's description of the ciphertexts
    in_parts: bool  # whether scores come in parts
    # the description of what was computed from them; without parts, of the factors of scores that are products
    values: dict | None


@dataclass(frozen=True)
class SecretHeader:
    """The header of an owner's secret."""

    scheme: str  # its name
    secret: dict  # the scheme's description of the secret key
    keys: dict  # the scheme's description of the evaluation keys
    sigmoid: dict  # for which the keys were made
    architecture: Architecture  # of the network that they are for
    features: RecipeHeader | None  # their recipe, if the owner has one


def describe_scores(
    evaluator: Evaluator, key_id: str, features: Fingerprint | None, scores: Encrypted
) -> tuple[ScoresHeader, dict[str, np.ndarray]]:
    """Return the header and the arrays of scores."""
    if isinstance(scores, FactoredScores):
        return _describe_factored(evaluator, key_id, features, scores)
    in_parts = isinstance(scores, PartialScores)
    parts = evaluator.condense(scores.parts if isinstance(scores, PartialScores) else scores)
    described, array = evaluator.export_array(parts)
    arrays, values = {"scores": array}, None
    if isinstance(scores, PartialScores):
        arrays["parts"] = scores.counts.astype(np.min_scalar_type(scores.counts.max()))  # one byte is nearly always enough
        if scores.values is not None:
            values, arrays["values"] = evaluator.export_array(evaluator.condense(scores.values))
    return ScoresHeader(
        evaluator.scheme, key_id, (parts.shape[0], parts.shape[1]), features, described, in_parts, values
    ), arrays


def _describe_factored(
    evaluator: Evaluator, key_id: str, features: Fingerprint | None, scores: FactoredScores
) -> tuple[ScoresHeader, dict[str, np.ndarray]]:
    packed = scores.packed(evaluator)
    (sums, S), (factors, b) = evaluator.export_array(packed.sums), evaluator.export_array(packed.factors)
    header = ScoresHeader(evaluator.scheme, key_id, (len(scores), 1), features, sums, False, factors)
    return header, {"scores": S, "values": b, "counts": scores.counts, "gains": scores.gains}


def _restore_factored(
    evaluator: Evaluator, header: ScoresHeader, values: dict, arrays: dict[str, np.ndarray]
) -> FactoredScores:
    check_names("the file", arrays, {"scores", "values", "counts", "gains"})
    counts, gains = arrays["counts"], arrays["gains"]
    check_factored(counts, gains, header.shape)
    factors = evaluator.restore_array(values, arrays["values"], (len(counts), 1))
    return FactoredScores(evaluator.restore_array(header.scores, arrays["scores"], header.shape), factors, counts, gains)


def restore_scores(evaluator: Evaluator, header: ScoresHeader, arrays: dict[str, np.ndarray]) -> Encrypted:
    """Return the scores that `describe_scores` took apart; raise `FileError` unless header and arrays fit together."""
    if header.values is not None and not header.in_parts:
        return _restore_factored(evaluator, header, header.values, arrays)
    names = {"scores"} | ({"parts"} if header.in_parts else set()) | (set() if header.values is None else {"values"})
    check_names("the file", arrays, names)
    parts = evaluator.restore_array(header.scores, arrays["scores"], header.shape)
    if not header.in_parts:
        return parts
    if arrays["parts"].dtype.kind != "u":
        raise FileError(f"counts of parts are {arrays['parts'].dtype}, expected no sign; get a new file from its sender")
    counts = arrays["parts"].astype(np.int64)
    check_counts(counts, len(parts))
    scores = PartialScores(parts, counts)
    if header.values is None:
        return scores
    return replace(scores, values=evaluator.restore_array(header.values, arrays["values"], (len(scores), header.shape[1])))


def stored_recipe(features: Recipe | None, arrays: dict[str, np.ndarray]) -> RecipeHeader | None:
    """Return the header of a recipe; its arrays are added to the others."""
    if features is None:
        return None
    header, own = export_recipe(features)
    arrays |= own
    return header


def restored_recipe(header: RecipeHeader | None, a: Architecture, arrays: dict[str, np.ndarray]) -> Recipe | None:
    """Return the recipe of a header for a network of this architecture, taking its arrays."""
    if header is None:
        return None
    features = restore_recipe(header, arrays)
    check_width(features, a.features)
    return features


def check_encrypted(a: object, context: KeyContext | None) -> None:
    """Raise `DataError` unless `a` is encrypted, where the scheme has keys (a context) at all."""
    if a is None:
        raise DataError("there are no scores, because training did not keep them; pass keep_scores=True, or on_scores")
    if context is not None and not hasattr(a, "context"):
        raise DataError(f"expected ciphertexts of the scheme, got {type(a).__name__}; pass what train or predict returned")


def checked_context(context: KeyContext | None, in_the_clear: str) -> KeyContext:
    """Return the context of a key whose model, scores or secret are to be written.

    Raises `ParameterError` with the text `in_the_clear` where there is no key, for experimental keys, and for parameters that
    have the name of a preset but differ from it.
    """
    if context is None:
        raise ParameterError(in_the_clear)
    context.refuse_experimental()
    check_preset(context.parameters)
    return context


def describe_sigmoid(sigmoid: Sigmoid) -> dict:
    """Return the header from which `restore_sigmoid` makes this sigmoid again."""
    if isinstance(sigmoid, ExactSigmoid):  # for training with an owner who assists and evaluates it
        return {"name": sigmoid.name}
    return describe(_checked(sigmoid))


def restore_sigmoid(header: dict) -> Sigmoid:
    """Return the sigmoid of a header that `describe_sigmoid` wrote."""
    if header == {"name": ExactSigmoid.name}:
        return ExactSigmoid()
    return _checked(parse(PolynomialSigmoid, header, "the sigmoid"))


def checked_architecture(a: Architecture) -> Architecture:
    """Return the architecture; raise an error unless its hidden sigmoid is allowed in files."""
    if a.hidden_sigmoid is not None:
        _checked(a.hidden_sigmoid)
    return a


def _checked(sigmoid: PolynomialSigmoid) -> PolynomialSigmoid:
    """Return the polynomial; raise an error if its degree is too high or its name belongs to another one."""
    if len(sigmoid.coefficients) > MAX_COEFFICIENTS:
        found = len(sigmoid.coefficients)
        raise FileError(f"a sigmoid has {found} coefficients, files hold at most {MAX_COEFFICIENTS}; lower its degree")
    check_name(sigmoid)
    return sigmoid
