"""Who holds what: owner, trainer, user.

| party   | holds                                     | does                                                       |
|---------|-------------------------------------------|------------------------------------------------------------|
| owner   | the secret key                            | encrypts a network; decrypts scores or the trained network |
| trainer | an `EncryptedModel`, its own reviews      | trains the encrypted network, sees no weight and no score  |
| user    | an `EncryptedModel`                       | gets encrypted scores                                      |

An `EncryptedModel` is all that leaves the owner: encrypted weights and evaluation keys.  Nothing secret is reachable from it
(but what the *paper's own parameters* publish reveals the secret: see SECURITY.md).  Parties exchange files, or live in one
process and exchange these objects.

**Which files to believe.**  Every file has a digest, which finds damage, and which anybody can compute again.  Files of models
that the owner writes also carry a MAC under a key that only the owner has: `Owner.is_own` and `Owner.load_own_model` tell that
such a file is as the owner wrote it (not that it is the newest one).  Trainers and users read it without that key, and cannot
check the MAC.  What comes back from a trainer cannot carry it: `EncryptedModel.load` accepts it by its digest, and the owner
judges it on reviews that the trainer did not have.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from encnn import files, metrics
from encnn.batches import Features
from encnn.errors import CapabilityError, DataError, EncnnError, FileError, KeyMismatchError, ParameterError
from encnn.network import Architecture, ErrorStep, Network, OnScores, TrainingPlan, predict, targets_of, train
from encnn.schemes import ClearParameters, SchemeParameters, make_keys, restore_evaluator, restore_secret_key
from encnn.schemes.base import Encrypted, Evaluator, SecretKey
from encnn.schemes.integer_vector import PAPER
from encnn.schemes.integer_vector import SecretKey as IntegerVectorSecretKey
from encnn.sigmoid import ExactSigmoid, PolynomialSigmoid, RangeReport, Sigmoid, check_range, error_over

Path = str | os.PathLike[str]

MODEL, SCORES, SECRET = "encrypted-model", "encrypted-scores", "secret-key"

MAC_KEY_BYTES = 32
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
        _refuse_experimental(context.experimental)
        keys, arrays = self.evaluator.export()
        header: dict[str, Any] = {"scheme": self.evaluator.scheme, "keys": keys, "sigmoid": _describe(self.sigmoid)}
        header["architecture"] = _describe_architecture(self.architecture)
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
        with _HeaderOf(path):
            a = _restore_architecture(header["architecture"])
            sigmoid = _restore_sigmoid(header["sigmoid"])
            W1, W2 = arrays.pop("W1"), arrays.pop("W2") if a.hidden else None
            evaluator = restore_evaluator(header["scheme"], header["keys"], arrays, a.products(sigmoid))
            network = Network(a, evaluator.restore_array(header["W1"], W1, (a.features, a.row_width)), None)
            if W2 is not None:
                network.W2 = evaluator.restore_array(header["W2"], W2, (a.hidden * a.outputs,))
        return cls(evaluator, network, sigmoid)


class User:
    """Holds an encrypted model and runs it; reads nothing."""

    def __init__(self, model: EncryptedModel) -> None:
        self.model = model

    @classmethod
    def load(cls, path: Path) -> "User":
        """Return one who holds the model in the file."""
        return cls(EncryptedModel.load(path))

    def predict(self, X: Features) -> Encrypted:
        """Return encrypted scores z of features X, shape (reviews, outputs); only the owner can read them."""
        return predict(self.model.evaluator, self.model.network, X)

    def predict_probabilities(self, X: Features) -> Encrypted:
        """Return encrypted probabilities sigmoid(z), shape (reviews, outputs), by the sigmoid that the model's keys are for."""
        return self.model.evaluator.activate(self.model.sigmoid, self.predict(X))

    def save_scores(self, scores: Encrypted, path: Path) -> int:
        """Write encrypted scores for the owner; return the bytes written."""
        evaluator = self.model.evaluator
        context = getattr(evaluator, "context", None)
        if context is None:
            raise ParameterError("scores in the clear are not saved as encrypted scores; use numpy.save")
        if scores.context != context:
            raise KeyMismatchError(
                f"the scores belong to key {scores.context.key_id}, the model to key {context.key_id}; save them by the user "
                "of their own model"
            )
        _refuse_experimental(context.experimental)
        keys, _ = evaluator.export()
        described, array = evaluator.export_array(scores)
        header = {
            "scheme": evaluator.scheme,
            "key_id": keys["key_id"],
            "shape": list(scores.shape),
            "scores": described,
        }
        return files.write(path, SCORES, header, {"scores": array})


class Trainer(User):
    """Trains an encrypted model on its own plaintext reviews."""

    def train(
        self,
        X: Features,
        y: Any,
        plan: TrainingPlan,
        on_scores: OnScores | None = None,
        step: ErrorStep | None = None,
        keep_scores: bool = True,
        client: Any = None,
        first: int = 0,
        refresh: Callable[[Encrypted], None] | None = None,
    ) -> Encrypted:
        """Train the model in place (see `network.train`); return the encrypted scores met, for the owner.

        `refresh`, called with W1 before each step, has the owner renew the weights (`encnn.refresh`); the model itself knows
        nothing of it.
        """
        if refresh is not None and client is not None:
            raise CapabilityError("a cluster keeps the weights with its workers, where no owner renews them; leave out client")
        evaluator = self.model.evaluator if refresh is None else self.model.evaluator.assisted_by(refresh)
        return train(evaluator, self.model.network, X, y, plan, on_scores, step, keep_scores, client, first)

    def dry_run(self, X: Features, y: np.ndarray, plan: TrainingPlan, rng: np.random.Generator) -> RangeReport:
        """Train in the clear from a start of the trainer's own, to learn whether the plan diverges on these reviews.

        The owner's start is another one, so this is a rehearsal, no proof.  Raises `DivergenceError` as the owner's check does.
        """
        rehearsal = Owner(self.model.architecture, plan.sigmoid, ClearParameters())
        trainer = Trainer(rehearsal.encrypt(Network.initial(self.model.architecture, rng)))
        with np.errstate(over="ignore", invalid="ignore"):  # a lost run leaves all bounds; the check says so
            scores = trainer.train(X, y, plan, on_scores=rehearsal.watch(plan))
        return rehearsal.evaluate(scores, y, plan).range


@dataclass(frozen=True)
class Evaluation:
    """What the owner reads from the scores of a run: all arrays have shape (reviews, outputs) or (reviews,)."""

    z: np.ndarray
    p: np.ndarray
    right: np.ndarray
    right_running_mean: np.ndarray = field(repr=False)
    range: RangeReport

    @property
    def accuracy(self) -> metrics.Accuracy:
        """Right predictions with the threshold one half: the paper's "correct trained"."""
        return metrics.accuracy(self.right)

    @property
    def running_mean_accuracy(self) -> metrics.Accuracy:
        """Right predictions with the ancestor notebook's running-mean threshold."""
        return metrics.accuracy(self.right_running_mean)


class Owner:
    """Holds the secret key.

    architecture: of the network to be trained.  sigmoid: what training may evaluate; keys are made for it.  parameters: of the
    scheme: the paper's (insecure) by default, `ClearParameters()` for the Non-PP baseline.  public: also make public keys, so
    that others can encrypt.  rng: makes experimental keys that repeat and refuse export.
    """

    def __init__(
        self,
        architecture: Architecture,
        sigmoid: Sigmoid,
        parameters: SchemeParameters = PAPER,
        rng: np.random.Generator | None = None,
        public: bool = False,
    ) -> None:
        self.architecture, self.sigmoid, self.parameters = architecture, sigmoid, parameters
        widths = architecture.widths()
        self._secret, self.evaluator = make_keys(
            parameters, widths, architecture.products(sigmoid), rng, widths if public else ()
        )
        self._mac_key = secrets.token_bytes(MAC_KEY_BYTES)  # never from `rng`: a MAC key that repeats proves nothing

    def __repr__(self) -> str:
        """Name the parameters and the architecture, nothing secret."""
        return f"Owner({self.architecture}, {self.parameters.name!r})"

    def __reduce__(self) -> NoReturn:
        """Refuse pickling and copying, as the secret key does."""
        raise TypeError("an owner holds a secret key, so it is not pickled or copied; write its secret with save_secret(path)")

    @property
    def secret_key(self) -> SecretKey:
        """The secret key, for looking inside; never hand it to anyone."""
        return self._secret

    # -- giving out

    def encrypt(self, network: Network) -> EncryptedModel:
        """Return the encrypted model of a network in the clear, with the evaluation keys."""
        if network.architecture != self.architecture:
            raise ParameterError(f"the keys are for {self.architecture}, not for {network.architecture}; make another owner")
        W2 = None if network.W2 is None else self._secret.encrypt(network.W2)
        encrypted = Network(self.architecture, self._secret.encrypt(network.W1), W2)
        return EncryptedModel(self.evaluator, encrypted, self.sigmoid)

    def save_model(self, model: EncryptedModel, path: Path) -> int:
        """Write a model of this owner's for a trainer or user, with the owner's MAC; return the bytes written."""
        if model.evaluator is not self.evaluator:
            raise KeyMismatchError("the MAC vouches for this owner's own models only; write others with model.save(path)")
        return model.save(path, mac_key=self._mac_key)

    def is_own(self, path: Path) -> bool:
        """Return whether the file is, byte for byte, a model that this owner wrote by `save_model`.

        Which one of them, an old one or the newest, it does not tell.  A file trained by others is never the owner's own.
        """
        try:
            files.read(path, MODEL, mac_key=self._mac_key)
        except FileError:
            return False
        return True

    def load_own_model(self, path: Path) -> EncryptedModel:
        """Read a model that this owner wrote by `save_model`; a `FileError` if anybody else touched it.

        A model that comes back from a trainer has no MAC: read it by `EncryptedModel.load`, and judge it on held-out reviews.
        """
        return EncryptedModel.load(path, mac_key=self._mac_key)

    def encrypt_labels(self, y: np.ndarray, rate: float = 1.0, insecure: bool = False) -> Encrypted:
        """Return encrypted targets rate * y of shape (reviews, outputs) for `Trainer.train`, in place of plain labels.

        The trainer then has texts only, the update p - Enc(y) is an addition, and the model is as secret as the labels: to
        train a copy of its own the trainer must label texts itself.  So nothing else may tell the labels either: choose the
        vocabulary by frequency alone or take word2vec features.  A polarity cutoff is computed from labels and tells whoever
        sees the vocabulary which words lean, hence most labels; and reviews must not come sorted by label.

        y: plain labels as for training.  rate: 1, or the learning rate of the run if the owner assists with Enc(rate * p)
        (`protocol.AssistedStep`).  Every label is encrypted with a mask and noise of its own, since equal ciphertexts of
        equal labels would sort them.  Under parameters that protect nothing the labels would only look hidden: this raises
        `CapabilityError`, unless `insecure` says that it is meant to teach.  In the clear scheme there is nothing to encrypt.
        """
        if not isinstance(self.parameters, ClearParameters) and self.parameters.insecure and not insecure:
            raise CapabilityError(
                f"labels under {self.parameters.name!r} can be read without a key; use parameters of 128 bits (COMPACT_128, "
                "ADDITIVE_128), or insecure=True for a lesson"
            )
        targets = targets_of(y, self.architecture.outputs, len(y))
        return np.asarray(y) if isinstance(self.parameters, ClearParameters) else self._secret.encrypt(rate * targets)

    # -- reading

    def decrypt(self, a: Encrypted) -> np.ndarray:
        """Return the real numbers in an encrypted array."""
        return self._secret.decrypt(a)

    def decrypt_network(self, model: EncryptedModel) -> Network:
        """Return the network of a model in the clear."""
        W2 = None if model.network.W2 is None else self.decrypt(model.network.W2)
        return Network(model.architecture, self.decrypt(model.network.W1), W2)

    def load_scores(self, path: Path) -> np.ndarray:
        """Return the real scores z in a file written by `User.save_scores`, shape (reviews, outputs)."""
        header, arrays = files.read(path, SCORES)
        with _HeaderOf(path):
            own, _ = self.evaluator.export()
            if header["scheme"] != self.evaluator.scheme or header["key_id"] != own["key_id"]:
                raise KeyMismatchError(
                    f"{path} holds scores under key {header['key_id']!r}, this owner has key {own['key_id']!r}; ask for scores "
                    "from a model of this owner"
                )
            shape = tuple(int(k) for k in header["shape"])
            if arrays.keys() != {"scores"}:
                raise FileError(f"{path} holds the arrays {', '.join(arrays):.200}, expected scores only; use another file")
            return self.decrypt(self.evaluator.restore_array(header["scores"], arrays["scores"], shape))

    def evaluate(self, scores: Encrypted, y: np.ndarray, plan: TrainingPlan) -> Evaluation:
        """Return predictions, right counts and the range of z from scores, encrypted or already decrypted."""
        z = scores if isinstance(scores, np.ndarray) else self.decrypt(scores)
        if not len(y) or len(z) % len(y):
            raise DataError(f"{len(z)} scores are no whole number of epochs over {len(y)} labels; pass the labels of the run")
        labels = np.tile(np.asarray(y), len(z) // len(y))
        p = np.asarray(plan.sigmoid(z))
        if p.shape[1] == 1:
            right, right_mean = metrics.right_at_half(p[:, 0], labels), metrics.right_at_running_mean(p[:, 0], labels)
        else:
            right = right_mean = metrics.classify(p) == labels
        return Evaluation(z, p, right, right_mean, error_over(plan.sigmoid, z))

    def watch(self, plan: TrainingPlan) -> OnScores:
        """Return a check for `train(on_scores=...)`: it decrypts scores as they come and raises `DivergenceError`.

        It holds the secret key, so it runs at the owner's; in one process it stands for scores sent back as they come.
        """

        def check(first_review: int, scores: Encrypted) -> None:
            check_range(plan.sigmoid, self.decrypt(scores), plan.learning_rate, first_review)

        return check

    # -- the secret on disk

    def save_secret(self, path: Path) -> int:
        """Write the secret key and the MAC key to `path`, readable by its owner only (mode 0600).

        Experimental keys are refused.
        """
        context = getattr(self._secret, "context", None)
        if context is None:
            raise ParameterError("the clear scheme has no secret to save")
        _refuse_experimental(context.experimental)
        header, arrays = self._secret.export()
        evaluator, public = self.evaluator.export()
        described = {
            "scheme": self.evaluator.scheme,
            "secret": header,
            "keys": evaluator,
            "sigmoid": _describe(self.sigmoid),
        }
        described["architecture"] = _describe_architecture(self.architecture)
        arrays["mac_key"] = np.frombuffer(self._mac_key, dtype=np.uint8)
        return files.write(path, SECRET, described, arrays | public, private=True)

    @classmethod
    def load(cls, path: Path) -> "Owner":
        """Read an owner that `save_secret` wrote."""
        header, arrays = files.read(path, SECRET)
        with _HeaderOf(path):
            owner = cls.__new__(cls)
            owner.architecture = _restore_architecture(header["architecture"])
            owner.sigmoid = _restore_sigmoid(header["sigmoid"])
            owner._mac_key = _restore_mac_key(arrays.pop("mac_key"))
            secret = {name: arrays.pop(name) for name in list(arrays) if name.startswith("T_")}
            owner._secret = restore_secret_key(header["scheme"], header["secret"], secret)
            if isinstance(owner._secret, IntegerVectorSecretKey):  # which has a matrix for every width
                _check_widths(owner.architecture, secret)
            products = owner.architecture.products(owner.sigmoid)
            owner.evaluator = restore_evaluator(header["scheme"], header["keys"], arrays, products)
            owner.parameters = owner.evaluator.parameters
            if header["secret"] != {name: header["keys"][name] for name in header["secret"]}:
                raise FileError(f"{path}: its secret key and its evaluation keys belong to different owners")
        return owner


class _HeaderOf:
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


def _refuse_experimental(experimental: bool) -> None:
    if experimental:
        raise ParameterError(
            "this key was made from a passed rng, so it repeats and protects nothing; it is not written to files. "
            "Make the owner without rng"
        )


def _describe(sigmoid: Sigmoid) -> dict:
    if isinstance(sigmoid, ExactSigmoid):  # an owner who assists evaluates it
        return {"name": sigmoid.name}
    _check_degree(len(sigmoid.coefficients))
    return {"name": sigmoid.name, "coefficients": list(sigmoid.coefficients), "interval": list(sigmoid.interval)}


def _restore_sigmoid(header: dict) -> Sigmoid:
    return ExactSigmoid() if header == {"name": ExactSigmoid.name} else _restore_polynomial(header)


def _restore_polynomial(header: dict) -> PolynomialSigmoid:
    _check_degree(len(header["coefficients"]))
    coefficients = tuple(float(c) for c in header["coefficients"])
    low, high = (float(x) for x in header["interval"])
    return PolynomialSigmoid(str(header["name"]), coefficients, (low, high))


def _check_degree(coefficients: int) -> None:
    if coefficients > MAX_COEFFICIENTS:
        raise FileError(f"a sigmoid has {coefficients} coefficients, files hold at most {MAX_COEFFICIENTS}; lower its degree")


def _check_widths(architecture: Architecture, secret: dict[str, np.ndarray]) -> None:
    missing = {f"T_{m}" for m in architecture.widths()} - secret.keys()
    if missing:
        raise FileError(f"the secret lacks {', '.join(sorted(missing))} for {architecture}; restore the file from a backup")


def _restore_mac_key(array: np.ndarray) -> bytes:
    if array.dtype != np.uint8 or array.shape != (MAC_KEY_BYTES,):
        raise FileError(f"the MAC key is {array.dtype} of shape {array.shape}, expected {MAC_KEY_BYTES} bytes; use a backup")
    return array.tobytes()


def _describe_architecture(a: Architecture) -> dict:
    hidden = None if a.hidden_sigmoid is None else _describe(a.hidden_sigmoid)
    described = {"features": a.features, "hidden": a.hidden, "outputs": a.outputs, "pooling": a.pooling}
    return described | {"hidden_sigmoid": hidden}


def _restore_architecture(header: dict) -> Architecture:
    sizes = {name: header[name] for name in ("features", "hidden", "outputs")}
    if not all(isinstance(k, int) and not isinstance(k, bool) for k in sizes.values()):
        raise FileError(f"the network's sizes {sizes} are not whole numbers")
    hidden = header["hidden_sigmoid"]
    return Architecture(
        **sizes, pooling=header["pooling"], hidden_sigmoid=None if hidden is None else _restore_polynomial(hidden)
    )
