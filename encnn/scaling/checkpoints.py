"""Training that may be interrupted: call `train_resumably` with the same folder, and it goes on where the last run stopped.

The folder holds these files, each written whole or not at all:

    scores-00000000, ...    encrypted scores of the reviews from that number on, for the owner
    model-00005000          the encrypted model after that many reviews, of all epochs together; only the newest is kept

Training is deterministic once its model is given.  So a resumed run computes the same ciphertexts again, and in the end model
and scores are those of a run without interruption.  A folder belongs to one run: a digest names its model, reviews, labels and
plan, and another run is refused.  Nothing here is secret.
"""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from encnn import files
from encnn.arithmetic import checks
from encnn.data import labels_of
from encnn.data.batches import Conditioned, TrainingFeatures, training_features
from encnn.data.inputs import is_plain
from encnn.errors import DataError, FileError
from encnn.files.schema import Matches, check_names, describe, naming, parse
from encnn.network import Help, OnScores, TrainingPlan
from encnn.network.training import NOBODY
from encnn.parties import EncryptedModel, Trainer
from encnn.schemes.base import Encrypted

EVERY = 5000
"""A model is written each time that this many reviews are done."""

_MODEL, _SCORES = "model-", "scores-"

RUN = "training-run"
"""Kind and name of the file that says which run a folder belongs to."""


@dataclass(frozen=True)
class RunHeader:
    """The digest of the model's key and architecture, reviews, labels and plan."""

    run: Annotated[str, Matches("[0-9a-f]{64}", "64 hexadecimal digits")]  # the digest


def train_resumably(
    model: EncryptedModel,
    X: TrainingFeatures,
    y: object,
    plan: TrainingPlan,
    folder: str | os.PathLike[str],
    every: int = EVERY,
    on_scores: OnScores | None = None,
    help: Help = NOBODY,
) -> Trainer:
    """Train `model` on features X and labels y (see `Trainer.train`), or go on with the run in `folder`; return the trainer.

    A model is written whenever `every` more reviews are done, and at the end.  The workers of a cluster hold the weights within
    an epoch, so with their help it is written at the ends of epochs only.  The scores are in the files `scores_in(folder)`,
    which the owner reads with `Owner.load_scores`.  `on_scores` receives only the scores of this call.  Raises `DataError` for
    a folder with another run, `FileError` for files that are damaged or no checkpoints, and `ParameterError` for keys that are
    not written to files (made from a passed rng, or of a scheme without files).
    """
    checks.whole("every", every, least=1)
    a = model.architecture
    X = training_features(X, a.features)
    y = labels_of(y, X.shape[0], a.outputs) if is_plain(y) else y
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _check_same_run(folder, _digest(model, X, y, plan))
    newest = _newest(folder)
    if newest is not None:
        model = EncryptedModel.load(newest)
    done = rows_kept(folder)
    for path in scores_in(folder):
        if _number(path) >= done:
            path.unlink()
    trainer = Trainer(model)
    writer = _Writer(trainer, folder, done, every, X.shape[0] * plan.epochs, on_scores)
    writer.whole = X.shape[0] if help.holds_weights else 1
    if done < X.shape[0] * plan.epochs:
        trainer.train(X, y, plan, help, on_scores=writer, keep_scores=False, first=done)
    return trainer


def scores_in(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the files of encrypted scores, in the order of training."""
    return sorted(Path(folder).glob(_SCORES + "*"), key=_number)


def rows_kept(folder: str | os.PathLike[str]) -> int:
    """Return how many reviews the newest model of a run in this folder has learnt from, of all epochs together."""
    newest = _newest(Path(folder))
    return 0 if newest is None else _number(newest)


def forget_run(folder: str | os.PathLike[str]) -> None:
    """Remove the files of a finished run, and the folder if nothing else is in it."""
    folder = Path(folder)
    for path in [*folder.glob(_MODEL + "*"), *scores_in(folder), folder / RUN]:
        path.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


class _Writer:
    """Writes scores as they come, and the model at intervals.  It is called as `on_scores`, between two mini-batches."""

    def __init__(self, trainer: Trainer, folder: Path, done: int, every: int, total: int, on_scores: OnScores | None) -> None:
        self._trainer, self._folder, self._on_scores = trainer, folder, on_scores
        self._done = self._written = done
        self._every, self._total = every, total
        self.whole = 1  # a model is written only when a multiple of this many reviews is done

    def __call__(self, first: int, scores: Encrypted) -> None:
        self._trainer.save_scores(scores, self._folder / f"{_SCORES}{first:08d}")
        self._done = first + len(scores)
        if self._on_scores is not None:
            self._on_scores(first, scores)
        due = self._done - self._written >= self._every or self._done == self._total
        if due and self._done % self.whole == 0:
            self._write_model()

    def _write_model(self) -> None:
        self._trainer.model.save(self._folder / f"{_MODEL}{self._done:08d}")
        for path in self._folder.glob(_MODEL + "*"):
            if _number(path) < self._done:
                path.unlink()
        self._written = self._done


def _newest(folder: Path) -> Path | None:
    return max(folder.glob(_MODEL + "*"), key=_number, default=None)


def _number(path: Path) -> int:
    number = path.name.rpartition("-")[2]
    if not re.fullmatch("[0-9]{8,15}", number):
        raise FileError(f"{path} is not a checkpoint of a training run; remove it, or use an empty folder")
    return int(number)


def _check_same_run(folder: Path, digest: str) -> None:
    path, known = folder / RUN, None
    if _newest(folder) is None:  # a run that ended before it kept a model does not stand in the way of another one
        path.unlink(missing_ok=True)
        files.write(path, RUN, describe(RunHeader(digest)), {})
        known = digest
    elif path.exists():
        header, arrays = files.read(path, RUN)
        with naming(path):
            check_names("the file", arrays, set())
            known = parse(RunHeader, header).run
    if known != digest:
        raise DataError(
            f"{folder} holds a run with another model or plan, or other reviews or labels; go on with those, remove the folder "
            "if nobody needs that run, or use an empty folder"
        )


def _arrays(X: TrainingFeatures) -> list[np.ndarray]:
    """Return all arrays that features are made of."""
    if isinstance(X, Conditioned):
        return X.parts()
    return [X] if isinstance(X, np.ndarray) else [X.data, X.indices, X.indptr]


def _digest(model: EncryptedModel, X: TrainingFeatures, y: object, plan: TrainingPlan) -> str:
    """Return a digest that tells runs apart; of encrypted labels only the shape, since no two encryptions are equal."""
    parts = _arrays(X)
    parts.append(y if isinstance(y, np.ndarray) else np.array(getattr(y, "shape", ())))
    digest = hashlib.sha256(repr((model.evaluator.key_id, model.architecture, plan, X.shape)).encode())
    for part in parts:
        digest.update(str(part.dtype).encode() + np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
