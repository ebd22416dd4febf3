"""Choose the settings of a run in the clear, on training rows held out, with the noise that bootstraps would add.

Five settings are chosen: the parameter set, the bits of a feature, the width of a score, the learning rate and the epochs.  All
combinations of those that the caller did not name are tried in three folds of the training rows, with three draws of the noise.
The trainer can do this alone, because it has the rows and their labels, and training starts from zero.

    bits        of the whole numbers that stand for real ones (`data.whole_numbers`); few bits keep the noise small
    width s     the run reads sigmoid(z / s): scores z / s up to 16 / s have the right sign, and noise in them grows by 1 / s
    rate        g s^2 / (mean of |x|^2), for g from `GAINS`: a step on a row moves its score z / s by about g times its error

A setting is admissible if nearly all scores of the run stay where the scheme reads them right, and if noise drowns neither the
steps nor the scores (`noise.check_plan`).  Of the admissible settings whose log loss is nearly the least, the cheapest is
taken.  The log loss is used because it tells settings apart that have equally many right rows, as often happens on few rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from encnn.arithmetic.sigmoid import BEYOND, ExactSigmoid, check_reach, sigmoid
from encnn.data.batches import Conditioned
from encnn.data.inputs import Features
from encnn.data.whole_numbers import scaling_of
from encnn.errors import DivergenceError, EncnnError
from encnn.network import Architecture, Help, Network, TrainingPlan, predict, train
from encnn.network.partial_scores import checked_move
from encnn.progress import progress
from encnn.schemes.base import Encrypted, ErrorStep, Evaluator
from encnn.schemes.bootstrapped import BootstrappedParameters, noise
from encnn.schemes.bootstrapped.simulation import noisy_step
from encnn.schemes.clear import ClearEvaluator
from encnn.schemes.integer_vector import IntegerVectorParameters

if TYPE_CHECKING:
    import pandas as pd

BITS, WIDTHS, EPOCHS = (4, 6), (1.0, 0.5), (1, 2, 4, 8)
GAINS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
DECAY = 0.5
"""The learning rate is divided by 1 + DECAY * epochs done."""
FOLDS = 3
DRAWS = 3
"""How many runs each fold gets, each with its own noise."""
MOST_ROWS = 2000
"""A choice looks at this many rows at most."""
NEARLY = 1.02
"""A cheaper setting is preferred if its loss is larger by at most this factor."""
MOST_ERRORS = 100_000
"""Unless the caller names the epochs, no more are tried than take this many encrypted errors, which is some minutes of work."""
DENSE = 0.25
"""Rows are stored densely, for speed, if a larger share than this of their entries is not zero."""


@dataclass(frozen=True)
class RunSetting:
    """The settings of one run."""

    parameters: IntegerVectorParameters = field(repr=False)  # of the scheme
    bits: int  # of a feature, its sign included
    width: float  # s: the run reads sigmoid(z / s)
    learning_rate: float  # for whole features, in the first epoch
    epochs: int  # how often the run goes over the rows

    def plan(self, batch_size: int) -> TrainingPlan:
        """Return the plan of a run."""
        return TrainingPlan(ExactSigmoid(), self.learning_rate, DECAY, batch_size, self.epochs)

    def conditioned(self, X: csr_array) -> csr_array | Conditioned:
        """Return features with the width of this setting."""
        return X if self.width == 1 else Conditioned(X, widths=np.full(X.shape[0], self.width))

    @property
    def cost(self) -> float:
        """The CPU time in units of one epoch with one rotation level.  It is 0 with the owner's help, which costs little."""
        return self.epochs * getattr(self.parameters, "rotation_levels", 0)

    def __str__(self) -> str:
        """Return the setting in words."""
        epochs = f"{self.epochs} epoch{'s' if self.epochs > 1 else ''}"
        return (
            f"{self.parameters.name}, features of {self.bits} bits, scores of width {self.width:g}, learning rate "
            f"{self.learning_rate:.3g}, {epochs}"
        )


@dataclass(frozen=True)
class Tried:
    """How a setting did on rows held out."""

    setting: RunSetting  # what was tried
    right: float  # the share of right rows
    loss: float  # the mean log loss
    beyond: float  # the largest share of training scores in an epoch that left the range


@dataclass(frozen=True)
class Choices:
    """The values to choose from.  A sequence of one value means that the caller named it."""

    parameters: Sequence[IntegerVectorParameters]  # of the scheme
    bits: Sequence[int] = BITS  # of a feature
    widths: Sequence[float] = WIDTHS  # of a score
    learning_rate: float | None = None  # None tries the rates that follow from `GAINS`
    epochs: Sequence[int] = EPOCHS  # how often a run goes over the rows


@dataclass(frozen=True)
class LabelledRows:
    """Training rows and how they are trained on."""

    X: Features  # shape (rows, columns)
    y: np.ndarray  # the number of each row's class, from 0
    classes: int  # how many classes there are
    batch_size: int  # rows per mini-batch

    def __getitem__(self, rows: np.ndarray) -> "LabelledRows":
        """Return some of the rows."""
        return replace(self, X=self.X[rows], y=self.y[rows])

    def whole(self, bits: int) -> "LabelledRows":
        """Return the rows with features that are whole numbers of `bits` bits."""
        X = scaling_of(self.X, bits).whole(self.X)
        return replace(self, X=X.toarray() if X.nnz > DENSE * X.shape[0] * X.shape[1] else X)

    @property
    def architecture(self) -> Architecture:
        """The architecture of the network: one output for two classes, and one per class for more."""
        return Architecture(self.X.shape[1], 0, self.classes if self.classes > 2 else 1, "sum")

    @property
    def mean_square(self) -> float:
        """The mean of |x|^2 over the rows."""
        return float((self.X**2).sum()) / self.X.shape[0]


def chosen(rows: LabelledRows, choices: Choices, seed: int = 0) -> tuple[RunSetting, "pd.DataFrame"]:
    """Return the best setting for these rows, and a table of all settings tried.

    The rows must be in an order in which labels take turns, because only the first `MOST_ROWS` are looked at.
    """
    sample = rows[np.arange(min(len(rows.y), MOST_ROWS))]
    affordable = tuple(e for e in choices.epochs if e * len(rows.y) * rows.architecture.outputs <= MOST_ERRORS)
    choices = replace(choices, epochs=affordable or choices.epochs[:1])
    least = {scaling_of(sample.X, bits): bits for bits in sorted(choices.bits, reverse=True)}  # bits do not matter for counts
    tried = [t for bits in sorted(least.values()) for t in _tried(sample.whole(bits), bits, choices, seed)]
    best = _best(tried, rows)
    return best.setting, _table(tried)


def check_setting(setting: RunSetting, X: csr_array, batch_size: int) -> None:
    """Raise `ParameterError` if noise would drown a run on these features, or if a step could leave the range of the scheme."""
    p, wide = setting.parameters, setting.conditioned(X)
    if isinstance(p, BootstrappedParameters):
        noise.check_plan(p, wide, setting.epochs, setting.learning_rate)
    checked_move(2.0 ** ((p.q_bits or 64) - 1) / p.unit, wide, setting.learning_rate, batch_size)


def _tried(rows: LabelledRows, bits: int, choices: Choices, seed: int) -> Iterator[Tried]:
    """Yield how settings with these bits do.  A run of several epochs also shows how each smaller number of epochs does."""
    todo = list(product(choices.parameters, choices.widths, _gains(rows, choices)))
    for p, width, rate in progress(todo, f"choosing a learning rate ({bits} bits)", unit="run"):
        longest = RunSetting(p, bits, width, rate * width**2 if choices.learning_rate is None else rate, max(choices.epochs))
        runs = product(range(min(FOLDS, len(rows.y))), range(DRAWS if isinstance(p, BootstrappedParameters) else 1))
        folds = [list(_fold(rows, longest, fold, seed + FOLDS * draw + fold)) for fold, draw in runs]
        for epochs in choices.epochs:
            right, loss, beyond = np.mean([fold[epochs - 1] for fold in folds], axis=0).tolist()
            yield Tried(replace(longest, epochs=epochs), right, loss, beyond)


def _gains(rows: LabelledRows, choices: Choices) -> list[float]:
    if choices.learning_rate is not None:
        return [choices.learning_rate]
    return [gain / max(rows.mean_square, 1.0) for gain in GAINS]


def _fold(rows: LabelledRows, setting: RunSetting, fold: int, seed: int) -> Iterator[tuple[float, float, float]]:
    """Yield (right, loss, beyond) on the rows of a fold after each epoch of training on the others."""
    held = np.arange(len(rows.y)) % FOLDS == fold
    others, rows = rows[np.flatnonzero(~held)], rows[np.flatnonzero(held)]
    network, beyond = Network.zeros(rows.architecture), 0.0
    for z in epochs_in_the_clear(network, others, setting, seed):
        beyond = max(beyond, float(np.mean(~(np.abs(z) < _limit(setting.parameters)))))
        scores = np.asarray(predict(ClearEvaluator(), network, rows.X)) / setting.width
        yield *_judged(scores, rows.y), beyond


def epochs_in_the_clear(
    network: Network, rows: LabelledRows, setting: RunSetting, seed: int | None = None
) -> Iterator[np.ndarray]:
    """Train a network in the clear, and yield the scores z that each epoch met.  seed: of the noise; None leaves it out."""
    p, count = setting.parameters, len(rows.y)
    rng = None if seed is None else np.random.default_rng(seed)
    noisy = None if rng is None or not isinstance(p, BootstrappedParameters) else noisy_step(p, ExactSigmoid(), rng)
    help, plan = Help(_of_width(setting.width, noisy)), setting.plan(rows.batch_size)
    for epoch in range(setting.epochs):
        so_far = replace(plan, epochs=epoch + 1)
        with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is noticed by its scores
            yield np.asarray(
                train(ClearEvaluator(), network, rows.X, rows.y, so_far, help, keep_scores=True, first=epoch * count)
            )


def _of_width(width: float, noisy: ErrorStep | None) -> ErrorStep:
    """Return an error step that reads sigmoid(z / width) for all scores."""

    def step(evaluator: Evaluator, z: Encrypted, targets: np.ndarray, rate: float) -> tuple[Encrypted, float]:
        if noisy is not None:
            return noisy(evaluator, z, targets, rate, np.full(len(z), width))
        return rate / width * (sigmoid(np.asarray(z) / width) - targets), 1.0

    return step


def _limit(p: IntegerVectorParameters) -> float:
    """Return the size of scores beyond which a table is read with the wrong sign."""
    return 2 * p.z_half if isinstance(p, BootstrappedParameters) else np.inf


def _judged(scores: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the share of right rows, and the mean log loss of their classes."""
    scores = np.nan_to_num(scores)
    p = sigmoid(scores) + 1e-9
    p = np.concatenate([1 - p, p], axis=1) if scores.shape[1] == 1 else p / p.sum(axis=1, keepdims=True)
    of_own = p[np.arange(len(y)), y]
    return float(np.mean(p.argmax(axis=1) == y)), float(-np.log(np.maximum(of_own, 1e-9)).mean())


def _best(tried: Sequence[Tried], rows: LabelledRows) -> Tried:
    """Return the cheapest of the admissible settings whose loss is nearly the least."""
    likely = [t for t in tried if t.beyond <= BEYOND]
    least = min((t.loss for t in likely), default=0.0)
    refused: EncnnError = DivergenceError(
        "none of the settings tried keeps the scores in the range of the scheme; take a lower learning_rate, fewer epochs, "
        "a smaller score_width, or help='owner'"
    )
    for t in sorted(likely, key=lambda t: (t.loss > NEARLY * least, t.setting.cost, t.loss)):
        try:
            _check_run(t.setting, rows.whole(t.setting.bits))
        except EncnnError as error:
            refused = error
        else:
            return t
    raise refused


def _check_run(setting: RunSetting, rows: LabelledRows) -> None:
    """Raise an error unless runs on all rows, with noise, keep their scores in range and above the noise.

    More rows lead scores further than those of two folds.  A score that leaves the range is then read with the wrong sign and
    drives all weights on, which a run without noise and without tables does not show.
    """
    check_setting(setting, csr_array(rows.X), rows.batch_size)
    noisy = isinstance(setting.parameters, BootstrappedParameters)
    for seed in range(DRAWS) if noisy else (None,):
        for z in epochs_in_the_clear(Network.zeros(rows.architecture), rows, setting, seed):
            check_reach(z, _limit(setting.parameters))


def _table(tried: Sequence[Tried]) -> "pd.DataFrame":
    """Return all settings tried, with the lowest log loss first."""
    import pandas as pd  # here and not above, since it takes a second to import

    lines = [
        {"parameters": t.setting.parameters.name}
        | {name: value for name, value in asdict(t.setting).items() if name != "parameters"}
        | {
            "held-out percent": round(100 * t.right, 2),
            "log loss": round(t.loss, 4),
            "out of range percent": round(100 * t.beyond, 2),
        }
        for t in tried
    ]
    return pd.DataFrame(lines).sort_values("log loss", ignore_index=True, kind="stable")
