"""The owner, who holds the secret key and reads the scores of a run."""

import math
import secrets
import warnings
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from encnn import files
from encnn.arithmetic import checks
from encnn.arithmetic.sigmoid import RangeReport, Sigmoid, check_range, check_reach, error_over
from encnn.data import labels_of, metrics
from encnn.data.fingerprints import check_fingerprints
from encnn.data.recipes import Recipe, check_width
from encnn.errors import (
    CapabilityError,
    DataError,
    DataWarning,
    FileError,
    InsecureWarning,
    KeyMismatchError,
    ParameterError,
)
from encnn.files.schema import check_array, describe, naming, parse, take
from encnn.network import Architecture, Network, OnScores, TrainingPlan, plain_targets, rank_one
from encnn.network.partial_scores import PartialScores, bound_to_announce, readable
from encnn.parties.assistance.scores import Assistant
from encnn.parties.assistance.weights import OwnerOfWeights
from encnn.parties.model import (
    MODEL,
    SCORES,
    SECRET,
    EncryptedModel,
    Path,
    ScoresHeader,
    SecretHeader,
    check_encrypted,
    checked_architecture,
    checked_context,
    describe_sigmoid,
    restore_scores,
    restore_sigmoid,
    restored_recipe,
    stored_recipe,
)
from encnn.schemes import ClearParameters, SchemeParameters, make_keys, restore_evaluator, restore_secret_key
from encnn.schemes.base import Encrypted, Evaluator, SecretKey
from encnn.schemes.bootstrapped import ONE_LEVEL_128
from encnn.schemes.factored import FactoredScores
from encnn.schemes.integer_vector import IntegerVectorSecretKey as IntegerVectorSecretKey

MAC_KEY_BYTES = 32

_INSECURE = (
    "parameters {!r} protect nothing: whoever has the model can read its weights without a key. Leave `parameters` out for a "
    "set of 128 bits, or pass insecure=True if this is a lesson or an experiment"
)


@dataclass(frozen=True)
class Evaluation:
    """What the owner reads from the scores of a run."""

    z: np.ndarray  # decrypted scores, shape (reviews, outputs)
    p: np.ndarray  # predictions sigmoid(z), of the same shape
    right: np.ndarray  # with the threshold one half, shape (reviews,)
    right_running_mean: np.ndarray = field(repr=False)  # with the ancestor's threshold
    range: RangeReport  # the range of z, and the error of the sigmoid there

    @property
    def known(self) -> np.ndarray:
        """Which scores are known, shape (reviews,); a score that left the scheme's range is not-a-number."""
        return ~np.isnan(self.z).any(axis=1)

    @property
    def out_of_range(self) -> int:
        """The number of reviews whose score left the scheme's range; they count neither as right nor as wrong."""
        return int((~self.known).sum())

    @property
    def accuracy(self) -> metrics.Accuracy:
        """Right predictions with the threshold one half (the paper's "correct trained"), of the known scores."""
        return metrics.accuracy(self.right[self.known])

    @property
    def running_mean_accuracy(self) -> metrics.Accuracy:
        """Right predictions with the ancestor notebook's running-mean threshold, of the known scores."""
        return metrics.accuracy(self.right_running_mean[self.known])


class Owner:
    """Holds the secret key.

    architecture: of the network to be trained.  sigmoid: training evaluates it; keys are made for it.  parameters: of the
    scheme; the default has 128 bits and trains with nobody's help, and `ClearParameters()` is the Non-PP baseline.  public:
    also make public keys, so that others can encrypt.  rng: makes experimental keys, which repeat and refuse export.
    features: how texts or tables become features (`data.recipes`).  It travels with the model, so that nobody trains or runs
    it with another vocabulary by mistake.  insecure: says that parameters which protect nothing are meant, in a lesson or an
    experiment; otherwise they are met with an `InsecureWarning`.
    """

    def __init__(
        self,
        architecture: Architecture,
        sigmoid: Sigmoid,
        parameters: SchemeParameters = ONE_LEVEL_128,
        rng: np.random.Generator | None = None,
        public: bool = False,
        features: Recipe | None = None,
        insecure: bool = False,
    ) -> None:
        self.architecture: Architecture = checks.instance("architecture", architecture, Architecture)
        self.sigmoid: Sigmoid = checks.instance("sigmoid", sigmoid, Sigmoid)
        self.parameters, self.features = parameters, features
        if features is not None:
            check_width(features, architecture.features)
        widths = architecture.widths()
        self._secret, self.evaluator = make_keys(
            parameters, widths, architecture.products(sigmoid), rng, widths if public else (), architecture.features
        )
        _check_pooling(architecture, self.evaluator)
        if not insecure and _protects_nothing(parameters):
            warnings.warn(_INSECURE.format(parameters.name), InsecureWarning, stacklevel=2)
        self._mac_key = secrets.token_bytes(MAC_KEY_BYTES)  # never from `rng`, since a MAC key that repeats proves nothing

    def __repr__(self) -> str:
        """Name the parameters and the architecture, nothing secret."""
        return f"Owner({self.architecture}, {self.parameters.name!r})"

    def __reduce__(self) -> NoReturn:
        """Refuse pickling and copying, as the secret key does."""
        raise TypeError("an owner holds a secret key, so it is not pickled or copied; write its secret with save_secret(path)")

    @property
    def secret_key(self) -> SecretKey:
        """The secret key, for looking inside in lessons and tests; never hand it to anyone."""
        return self._secret

    # -- helping a trainer

    def assistant(self, labels: np.ndarray | None = None, max_rate: float = 1.0, max_trips: int | None = None) -> Assistant:
        """Return the owner's side of training with assistance: it answers encrypted scores with encrypted errors.

        labels: those that the owner keeps, one per review, if the trainer does not have them.  max_rate, max_trips: what is
        answered at most (see `Assistant`).  Raises `CapabilityError` if these parameters train without it.
        """
        if self.parameters.owner_help != "errors" or not isinstance(self._secret, IntegerVectorSecretKey):
            raise CapabilityError(f"models of {self.parameters.name!r} take no encrypted errors from you; {self._other_help()}")
        return Assistant(self._secret, self.architecture.outputs, labels, max_rate, max_trips=max_trips)

    def refresher(self, model: EncryptedModel, limit: float | None = None, max_trips: int | None = None) -> OwnerOfWeights:
        """Return the owner's side of training with renewed weights: it encrypts the weights of this model anew when asked.

        limit, max_trips: what is answered at most (see `OwnerOfWeights`).  Raises `CapabilityError` if these parameters train
        without it.
        """
        if self.parameters.owner_help != "weights":
            raise CapabilityError(f"models of {self.parameters.name!r} have no weights to renew; {self._other_help()}")
        return OwnerOfWeights(self._secret, model, limit, max_trips)

    def _other_help(self) -> str:
        """Return what to do, with these parameters, in place of help that they do not take."""
        return {
            "none": "they train alone: leave `help` out of Trainer.train (--with-owner out of `encnn train`)",
            "errors": "use owner.assistant(), with AssistedStep on the trainer's side",
            "weights": "use owner.refresher(model), with refresh_for on the trainer's side",
        }[self.parameters.owner_help]

    # -- giving out

    def encrypt(self, network: Network) -> EncryptedModel:
        """Return the encrypted model of a network in the clear, with the evaluation keys.

        In some schemes a network that stays of rank one is encrypted as such (`network.rank_one`).  Its model has one hidden
        unit, trains by the same calls, and is the whole network again for `decrypt_network`.
        """
        if checks.instance("network", network, Network).architecture != self.architecture:
            raise ParameterError(f"the keys are for {self.architecture}, not for {network.architecture}; make another owner")
        network.check_clear()
        bound, direction = bound_to_announce(self.evaluator, network), None
        if self.evaluator.prefers_rank_one and rank_one.obstacle(network) is None:
            network, w = rank_one.reduced(network)
            self.evaluator.check_start(float(network.second_layer[0]))
            direction = self._secret.encrypt(w)
        W2 = None if network.W2 is None else self._secret.encrypt(network.W2)
        W1 = self._secret.encrypt_many(network.W1)
        encrypted = Network(network.architecture, W1, W2, bound, direction)
        return EncryptedModel(self.evaluator, encrypted, self.sigmoid, self.features)

    def save_model(self, model: EncryptedModel, path: Path) -> int:
        """Write a model of this owner for a trainer or user, with the owner's MAC; return the bytes written."""
        if model.evaluator is not self.evaluator:
            raise KeyMismatchError("the MAC vouches for this owner's own models only; write others with model.save(path)")
        return model.save(path, mac_key=self._mac_key)

    def is_own(self, path: Path) -> bool:
        """Return whether the file is, byte for byte, a model that this owner wrote by `save_model`.

        It may be an old one or the newest.  A file that others trained is never the owner's own.
        """
        try:
            files.read(path, MODEL, mac_key=self._mac_key)
        except FileError:
            return False
        return True

    def load_own_model(self, path: Path) -> EncryptedModel:
        """Read a model that this owner wrote with `save_model`; raise `FileError` if anybody else changed it.

        A model that comes back from a trainer has no MAC: read it with `EncryptedModel.load`, and judge it on held-out reviews.
        """
        return EncryptedModel.load(path, mac_key=self._mac_key)

    def encrypt_labels(self, y: np.ndarray, rate: float | np.ndarray = 1.0, insecure: bool = False) -> Encrypted:
        """Return encrypted targets rate * y of shape (reviews, outputs) for `Trainer.train`, in place of plain labels.

        The trainer then has only texts, and the update p - Enc(y) is an addition.  The model is as secret as the labels: to
        train its own copy the trainer must label texts itself.  So nothing else may reveal the labels.  Choose the vocabulary
        by frequency alone, or take word2vec features: a polarity cutoff is computed from labels, so the vocabulary shows which
        words lean, hence most labels.  Reviews must not be sorted by label.

        y: plain labels as for training.  rate: 1; or the learning rate of the run if the owner assists with Enc(rate * p)
        (`parties.assistance.scores.AssistedStep`); or one rate per review, rate / width, if features give reviews widths.
        Every label has its own mask and noise, or its own coefficient of them, since equal ciphertexts would show equal labels.
        Raises `CapabilityError` for parameters that protect nothing, since labels would only look hidden, unless `insecure`
        says that this is a lesson.  In the clear scheme there is nothing to encrypt.
        """
        if _protects_nothing(self.parameters) and not insecure:
            raise CapabilityError(
                f"labels under {self.parameters.name!r} can be read without a key; leave `parameters` out of Owner for a set "
                "of 128 bits (or name COMPACT_128 or ADDITIVE_128), or pass insecure=True here for a lesson"
            )
        labels = labels_of(y, outputs=self.architecture.outputs)
        rates = checks.rates("rate", rate, len(labels))
        if isinstance(self.parameters, ClearParameters):
            return labels
        return self._secret.encrypt_many(rates * plain_targets(labels, self.architecture.outputs))

    # -- reading

    def decrypt(self, a: Encrypted | None) -> np.ndarray:
        """Return the real numbers in an encrypted array or in scores; not-a-number where they left the scheme's range.

        `network.partial_scores` and `FactoredScores.read` say when that is noticed.  Raises `DataError` for what is not
        encrypted.  Warns (`DataWarning`) of scores with a |W2| that training clipped.
        """
        check_encrypted(a, self.evaluator.context)
        limit = self.evaluator.score_limit
        if isinstance(a, FactoredScores):
            within = self.evaluator.second_layer_range(rank_one=True)
            z, b = a.read(self._secret.decrypt, within[1])
            _warn_of_clipping(b, within)
            return z
        return a.read(self._secret.decrypt, limit) if isinstance(a, PartialScores) else readable(self._secret.decrypt(a), limit)

    def decrypt_network(self, model: EncryptedModel) -> Network:
        """Return the network of a model in the clear.

        Warns (`DataWarning`) of weights of the second layer that training clips, and says how many they are.
        """
        n = model.network
        W2 = None if n.W2 is None else self._secret.decrypt(n.W2)
        if W2 is not None:
            _warn_of_clipping(W2, model.evaluator.second_layer_range(n.direction is not None))
        network = Network(model.architecture, self._secret.decrypt(n.W1), W2, n.weight_bound)
        return network if n.direction is None else rank_one.expanded(network, self._secret.decrypt(n.direction))

    def announce_bound(self, model: EncryptedModel) -> float:
        """Announce in a trained model the octave of its largest weight, at least `WEIGHT_BOUND`; return it.

        Then no score of the model is misread (`network.partial_scores`).  The bound reveals this octave to everybody.  A scheme
        without a limit on scores needs no bound, and announces `WEIGHT_BOUND` for all weights.
        """
        model.network.weight_bound = bound_to_announce(self.evaluator, self.decrypt_network(model))
        return model.network.weight_bound

    def load_scores(self, path: Path) -> np.ndarray:
        """Return the decrypted scores z in a file of `User.save_scores`, shape (reviews, outputs)."""
        found, arrays = files.read(path, SCORES)
        with naming(path):
            header, own = parse(ScoresHeader, found), self.evaluator.key_id
            if header.scheme != self.evaluator.scheme or header.key_id != own:
                raise KeyMismatchError(
                    f"scores under key {header.key_id!r} of scheme {header.scheme!r:.40} came to the owner of key {own!r}; ask "
                    "for scores from a model of this owner"
                )
            if self.features is not None:
                check_fingerprints(self.features.fingerprint, header.features)
            if header.shape[1] != self.architecture.outputs:
                raise FileError(
                    f"scores of shape {header.shape} do not belong to {self.architecture}; ask for scores of this owner's model"
                )
            return self.decrypt(restore_scores(self.evaluator, header, arrays))

    def evaluate(self, scores: Encrypted | None, y: np.ndarray, plan: TrainingPlan) -> Evaluation:
        """Return predictions, right counts and the range of z from scores, encrypted or already decrypted."""
        checks.instance("plan", plan, TrainingPlan)
        z = self._scores_in_the_clear(scores)
        y = labels_of(y, outputs=self.architecture.outputs)
        if not len(y) or len(z) % len(y):
            raise DataError(f"{len(z)} scores are not whole epochs over {len(y)} labels; pass the labels of the run")
        labels = np.tile(y, len(z) // len(y))
        p = np.asarray(plan.sigmoid(z))
        known = ~np.isnan(z).any(axis=1)
        right, right_mean = np.zeros((2, len(z)), bool)
        right[known], right_mean[known] = _right(p[known], labels[known])
        return Evaluation(z, p, right, right_mean, error_over(plan.sigmoid, z, self.evaluator.activation_limit))

    def _scores_in_the_clear(self, scores: Encrypted | None) -> np.ndarray:
        """Return scores z, encrypted or already decrypted, of shape (reviews, outputs); raise `DataError` for anything else."""
        outputs = self.architecture.outputs
        if scores is None:
            raise DataError("there are no scores, because training kept none; pass keep_scores=True, or on_scores, to train")
        z = self.decrypt(scores) if hasattr(scores, "context") else np.asarray(scores)
        if z.ndim != 2 or z.shape[1] != outputs or z.dtype.kind not in "biuf":
            raise DataError(f"scores are {z.dtype} of shape {z.shape}, expected real numbers of shape (reviews, {outputs})")
        return z

    def watch(self, plan: TrainingPlan) -> OnScores:
        """Return a check for `train(on_scores=...)`: it decrypts scores as they come and raises `DivergenceError`.

        It raises for a run that is lost (`check_range`) and for scores that leave the scheme's range (`check_reach`).

        The check holds the secret key, so the owner runs it.  In one process it stands for scores that are sent back.
        """
        checks.instance("plan", plan, TrainingPlan)

        def check(first_review: int, scores: Encrypted) -> None:
            z, e = self.decrypt(scores), self.evaluator
            if math.isfinite(e.score_limit):
                check_reach(z, e.activation_limit, first_review)
                z = z[~np.isnan(z).any(axis=1)]
            if len(z):
                check_range(plan.sigmoid, z, plan.learning_rate, first_review)

        return check

    # -- the secret on disk

    def save_secret(self, path: Path) -> int:
        """Write the secret key and the MAC key to `path`, readable by its owner only (mode 0600).

        Experimental keys are refused.
        """
        checked_context(self._secret.context, "the clear scheme has no secret to save; make an owner with another scheme")
        secret, arrays = self._secret.export()
        keys, public = self.evaluator.export()
        header = SecretHeader(
            self.evaluator.scheme,
            secret,
            keys,
            describe_sigmoid(self.sigmoid),
            self.architecture,
            stored_recipe(self.features, arrays),
        )
        arrays["mac_key"] = np.frombuffer(self._mac_key, dtype=np.uint8)
        return files.write(path, SECRET, describe(header), arrays | public, private=True)

    @classmethod
    def load(cls, path: Path) -> "Owner":
        """Read an owner that `save_secret` wrote."""
        header, arrays = files.read(path, SECRET)
        with naming(path):
            return cls._restored(parse(SecretHeader, header), arrays)

    @classmethod
    def _restored(cls, header: SecretHeader, arrays: dict[str, np.ndarray]) -> "Owner":
        """Return the owner of a header and its arrays."""
        owner = cls.__new__(cls)
        owner.architecture = checked_architecture(header.architecture)
        owner.sigmoid = restore_sigmoid(header.sigmoid)
        owner.features = restored_recipe(header.features, owner.architecture, arrays)
        owner._mac_key = check_array("the MAC key", take(arrays, "mac_key"), (MAC_KEY_BYTES,), np.uint8).tobytes()
        secret = {name: arrays.pop(name) for name in list(arrays) if name.startswith("T_")}
        owner._secret = restore_secret_key(header.scheme, header.secret, secret)
        if isinstance(owner._secret, IntegerVectorSecretKey):  # such a key has one matrix per width
            _check_widths(owner.architecture, owner._secret.matrices_for(owner.architecture.widths()), secret)
        products = owner.architecture.products(owner.sigmoid)
        owner.evaluator = restore_evaluator(header.scheme, header.keys, arrays, products)
        owner.parameters = owner.evaluator.parameters
        if header.secret != {name: header.keys[name] for name in header.secret}:
            raise FileError("its secret key and its evaluation keys belong to different owners; restore it from a backup")
        return owner


def _warn_of_clipping(W2: np.ndarray, within: tuple[float, float]) -> None:
    """Warn if decrypted weights of a second layer, or |W2| of rank one, are beyond what training reads."""
    beyond = np.count_nonzero(~((within[0] <= W2) & (W2 <= within[1])))
    if beyond:
        warnings.warn(
            f"{beyond} of {W2.size} weights of the second layer (|W2| in a network of rank one) are outside the range from "
            f"{within[0]:g} to {within[1]:g} that training reads, so it took other numbers for them and may have trained "
            "another network; judge the model on held-out reviews (acceptance_test), and if it fails, have the model that you "
            "encrypted trained again, with a lower learning rate or fewer epochs",
            DataWarning,
            stacklevel=3,
        )


def _protects_nothing(parameters: SchemeParameters) -> bool:
    """Return whether the parameters only look as if they protected something, which the clear scheme does not."""
    return parameters.insecure and not isinstance(parameters, ClearParameters)


def _check_pooling(a: Architecture, evaluator: Evaluator) -> None:
    """Raise `CapabilityError` for means over words in a scheme that cannot divide, before anything is encrypted."""
    if a.pooling == "mean" and evaluator.whole_features_only:
        raise CapabilityError(
            f"scheme {evaluator.scheme!r} with {evaluator.parameters.name!r} multiplies by whole numbers only, and "
            "pooling='mean' divides by the number of words; use Architecture(..., pooling='sum')"
        )


def _check_widths(architecture: Architecture, widths: set[int], secret: dict[str, np.ndarray]) -> None:
    missing = {f"T_{m}" for m in widths} - secret.keys()
    if missing:
        raise FileError(f"the secret lacks {', '.join(sorted(missing))} for {architecture}; restore the file from a backup")


def _right(p: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which predictions are right, by the threshold one half (or the largest output) and by the running mean."""
    if p.shape[1] == 1:
        return metrics.right_at_half(p[:, 0], labels), metrics.right_at_running_mean(p[:, 0], labels)
    right = metrics.classify(p) == labels
    return right, right
