"""A classifier with encrypted weights that follows the conventions of scikit-learn.

It plays owner, trainer and user in one process, and hands out their parts: `owner_`, which holds the secret key, `trainer_`,
which holds the encrypted model and no secret, and `model_`.  For three parties in three places, give `model_` to a trainer, who
makes features with `model_.features`.

Two classes are told apart by logistic regression with encrypted weights, and more classes by one such regression for each class
against the rest (`recipes.ClassFeatures`).
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, TypeGuard

import numpy as np
from scipy import sparse
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from encnn.arithmetic import checks
from encnn.arithmetic.sigmoid import ExactSigmoid, sigmoid
from encnn.classifier.choice import BITS, EPOCHS, WIDTHS, Choices, LabelledRows, check_setting, chosen
from encnn.costs import announce
from encnn.data.fingerprints import width_of
from encnn.data.inputs import Features
from encnn.data.recipes import ClassFeatures, Label, ScaledFeatures, WordFeatures
from encnn.data.reviews import Reviews, Vocabulary
from encnn.data.reviews.corpus import warn_of_other_scripts
from encnn.data.reviews.text import paper_form
from encnn.data.whole_numbers import scaling_of
from encnn.errors import DataError, DivergenceError, ParameterError
from encnn.network import Architecture, Help, Network, TrainingPlan
from encnn.network.training import NOBODY
from encnn.parties import Owner, Trainer
from encnn.parties.assistance.scores import AssistedStep, DirectChannel
from encnn.schemes.bootstrapped import BOOTSTRAP_TOY, ONE_LEVEL_128, TWO_LEVEL_128
from encnn.schemes.integer_vector import COMPACT_128, IntegerVectorParameters

ALONE: dict[str, tuple[IntegerVectorParameters, ...]] = {
    "128 bits": (ONE_LEVEL_128, TWO_LEVEL_128),
    "INSECURE": (BOOTSTRAP_TOY,),
}
"""The parameter sets for training alone, by the security that they have."""
LONG = 2000
"""From this many encrypted errors on, the cost of a run is announced first.  The announcement itself takes some seconds."""
FEW = 2
"""Words that occur in no more texts than this, or than a thousandth of them, are left out."""


class EncryptedClassifier(ClassifierMixin, BaseEstimator):
    """Logistic regression whose weights are encrypted while it is trained.

    X: numbers of shape (rows, columns), dense or sparse, or a sequence of texts.  Dense columns are standardised and rounded to
    small whole numbers, in public.  Sparse counts are taken as they are.  From texts the most frequent words are taken.
    y: labels of any kind.

    help: "nobody" bootstraps every error; "owner" sends the scores of each mini-batch to the owner, who decrypts them.
    security: "128 bits", or "INSECURE" for tests, which protects nothing; with the owner's help it is always 128 bits.
    epochs, learning_rate, feature_bits, score_width: None lets the package choose on training rows held out (`choice`).
    learning_rate: as in `TrainingPlan`, for whole features; it falls as 1 / (1 + epochs done / 2).
    batch_size: rows per mini-batch.  max_words: the most words that are taken from texts.  n_jobs: threads for bootstraps.
    random_state: sets the order of rows.  Keys never depend on it, because they come from the operating system.
    verbose: 0 is silent, 1 tells what a long run will cost before it starts, and 2 also tells what was chosen.

    After `fit`: classes_, n_features_in_, owner_, trainer_, model_, features_ (the recipe), setting_, plan_, tried_ (a table of
    all settings tried, or None).  A fitted classifier holds the secret key, so it is neither pickled nor copied.
    """

    def __init__(
        self,
        help: str = "nobody",
        security: str = "128 bits",
        epochs: int | None = None,
        batch_size: int = 16,
        learning_rate: float | None = None,
        feature_bits: int | None = None,
        score_width: float | None = None,
        max_words: int = 1000,
        n_jobs: int = 1,
        random_state: int | np.random.RandomState | None = 0,
        verbose: int = 1,
    ) -> None:
        self.help, self.security, self.epochs, self.batch_size = help, security, epochs, batch_size
        self.learning_rate, self.feature_bits, self.score_width = learning_rate, feature_bits, score_width
        self.max_words, self.n_jobs, self.random_state, self.verbose = max_words, n_jobs, random_state, verbose

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that sparse features are welcome, and that fresh keys and noise differ from fit to fit."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.non_deterministic = True
        return tags

    # -- fitting

    def fit(self, X: object, y: object) -> "EncryptedClassifier":
        """Encrypt a network of zeros, train it on features X and labels y, and return the classifier."""
        choices = self._choices()
        data, labels = self._entered(X, y)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(f"all labels are of one class, {self.classes_.tolist()[0]!r}; pass rows of two classes or more")
        order = check_random_state(self.random_state).permutation(len(numbers))
        data, numbers = data[order], numbers[order]
        words = _words_of(data, self.max_words) if _are_texts(data) else None
        bare = data if words is None else replace(words, bias=False)(data)
        rows = LabelledRows(bare, numbers, len(self.classes_), min(self.batch_size, len(numbers)))
        self.setting_, self.tried_ = chosen(rows, choices)
        scaled = words or ScaledFeatures(self._columns(bare.shape[1]), scaling_of(bare, self.setting_.bits))
        self.features_ = ClassFeatures(scaled, _plain(self.classes_))
        self._train(data, numbers, self.setting_.plan(rows.batch_size))
        return self

    def _choices(self) -> Choices:
        """Return what may be chosen; raise `ParameterError` for parameters that are out of range."""
        checks.choice("help", self.help, ("nobody", "owner"))
        checks.choice("security", self.security, tuple(ALONE))
        for name, least in (("batch_size", 1), ("max_words", 1), ("n_jobs", 1)):
            checks.whole(name, getattr(self, name), least)
        alone = self.help == "nobody"
        if not alone and self.score_width not in (None, 1):
            raise ParameterError("score_width is for training alone; leave it out if the owner helps")
        widths = WIDTHS if alone else (1.0,)
        return Choices(
            ALONE[self.security] if alone else (COMPACT_128,),
            BITS if self.feature_bits is None else (self.feature_bits,),
            widths if self.score_width is None else (checks.real("score_width", self.score_width, above=0),),
            None if self.learning_rate is None else checks.real("learning_rate", self.learning_rate, above=0),
            EPOCHS if self.epochs is None else (checks.whole("epochs", self.epochs, 1),),
        )

    def _entered(self, X: object, y: object) -> tuple[Features, np.ndarray]:
        """Return checked features, a matrix or an array of texts, and labels."""
        if _are_texts(X):
            texts = _checked_texts(X)
            data, labels = np.array(texts, dtype=object), column_or_1d(y, warn=True)
            check_consistent_length(data, labels)
            warn_of_other_scripts(texts)
        else:
            _check_no_column_of_texts(X)
            data, labels = validate_data(self, X, y, accept_sparse="csr")
        check_classification_targets(labels)
        return data, labels

    def _columns(self, count: int) -> tuple[str, ...]:
        """Return the names of the columns, in the order of X."""
        known = getattr(self, "feature_names_in_", None)
        return tuple(f"x{i}" for i in range(count)) if known is None else tuple(map(str, known))

    def _train(self, X: Features, numbers: np.ndarray, plan: TrainingPlan) -> None:
        """Make the owner and the model, and train on rows of these classes, in this order."""
        setting, features = self.setting_, self.features_
        turns = features.in_turn(len(numbers), plan.batch_size)
        pairs, y = features(X)[turns], features.labels([features.classes[k] for k in numbers])[turns]
        check_setting(setting, pairs, plan.batch_size)
        architecture = Architecture(pairs.shape[1], 0, 1, "sum")
        self.n_features_in_, self.plan_ = width_of(features.of.fingerprint) - 1, plan
        self._announce(pairs, architecture)
        insecure = self.security == "INSECURE"
        self.owner_ = Owner(architecture, ExactSigmoid(), setting.parameters, features=features, insecure=insecure)
        self.trainer_ = Trainer(self.owner_.encrypt(Network.zeros(architecture)))
        self.model_ = self.trainer_.model
        if hasattr(self.model_.evaluator, "threads"):
            self.model_.evaluator.threads = self.n_jobs
        self.trainer_.train(setting.conditioned(pairs), y, plan, self._helper(), keep_scores=False)
        self.owner_.announce_bound(self.model_)  # so that no score is misread, however far it lies

    def _announce(self, pairs: csr_array, architecture: Architecture) -> None:
        """Print what was chosen and what a long run will cost, as far as `verbose` asks for it."""
        if self.verbose > 1:
            print(f"EncryptedClassifier trains with {self.setting_}.", flush=True)
        if self.verbose and pairs.shape[0] * self.setting_.epochs >= LONG:
            announce("EncryptedClassifier", pairs, self.plan_, architecture, self.setting_.parameters)

    def _helper(self) -> Help:
        """Return who helps in training."""
        return NOBODY if self.help == "nobody" else AssistedStep(DirectChannel(self.owner_.assistant()))

    # -- reading

    def decision_function(self, X: object) -> np.ndarray:
        """Return scores that the user computes and the owner reads: shape (rows,), or (rows, classes) for more than two."""
        check_is_fitted(self)
        if not _are_texts(X):
            X = validate_data(self, X, accept_sparse="csr", reset=False)
        z = self.owner_.decrypt(self.trainer_.predict(self.features_(X)))
        if np.isnan(z).any():
            raise DivergenceError("a score left the range of the scheme; fit again with fewer epochs or a lower learning rate")
        scores = self.features_.scores(z) / self.setting_.width
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict_proba(self, X: object) -> np.ndarray:
        """Return probabilities of shape (rows, classes); those of more than two classes are divided by their sum."""
        p = sigmoid(self.decision_function(X))
        return np.stack([1 - p, p], axis=1) if p.ndim == 1 else p / p.sum(axis=1, keepdims=True)

    def predict(self, X: object) -> np.ndarray:
        """Return the class of each row."""
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]


def _are_texts(X: Any) -> TypeGuard[Collection[str]]:
    """Return whether X is a sequence of texts, and no table."""
    if sparse.issparse(X) or isinstance(X, str) or not hasattr(X, "__len__") or getattr(X, "ndim", 1) != 1 or not len(X):
        return False
    return isinstance(next(iter(X)), str)


def _checked_texts(texts: Iterable[Any]) -> list[str]:
    """Return texts as a list; `DataError` for anything else among them."""
    known = list(texts)
    for row, text in enumerate(known):
        if not isinstance(text, str):
            raise DataError(f"text {row} is {text!r:.80}; expected a string: fill in or drop missing texts")
    return known


def _check_no_column_of_texts(X: Any) -> None:
    """Raise `DataError` for a table whose only column holds texts, since the column itself was meant."""
    if getattr(X, "shape", ())[1:] == (1,) and hasattr(X, "iloc") and _are_texts(X.iloc[:, 0].to_numpy()):
        raise DataError(f"X is a table with a column of texts; pass the column itself, X[{X.columns[0]!r}]")


def _words_of(texts: Iterable[str], most: int) -> WordFeatures:
    """Return the most frequent words of texts as features.  Labels have no part in the choice."""
    known = tuple(paper_form(str(text)) for text in texts)
    reviews = Reviews(known, np.zeros(len(known), np.int8))
    least = max(FEW, len(known) // 1000) if len(known) > LONG // 100 else 0
    return WordFeatures(Vocabulary.select(reviews, least, max_words=most), bias=True)


def _plain(classes: np.ndarray) -> tuple[Label, ...]:
    """Return classes as a model file holds them: numbers and texts as they are, and anything else as its text."""
    return tuple(c if isinstance(c, str | int | float) else str(c) for c in classes.tolist())
