"""Train an encrypted model on data of your own, as the trainer.

    encnn train model.encnn my-reviews.csv --out trained.encnn

You see no weight, no score and no prediction. You need the owner only if the model was made for training
with assistance. Then name a folder that both of you can reach (--with-owner). If you stop a run, it is kept
in a folder beside the result, and the same command goes on with it. Rows are shuffled, always in the same way.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from encnn.command.inputs import CsvFile, add_data, recipe_of
from encnn.command.outputs import ProgressLines, add_threads, add_wait, new_file, remove_messages, told_size, use_threads
from encnn.command.rate import HELD_OUT, RATES, chosen_rate
from encnn.costs import announce
from encnn.data.inputs import Features
from encnn.errors import CapabilityError, EncnnError, FileError
from encnn.network import Help, TrainingPlan
from encnn.network.training import NOBODY
from encnn.parties import EncryptedModel
from encnn.parties.assistance.folders import REFUSAL, FolderChannel
from encnn.parties.assistance.scores import AssistedStep
from encnn.progress import note
from encnn.scaling.checkpoints import forget_run, rows_kept, train_resumably

BATCH_SIZE = 16
KEEP_EVERY = 500
"""The model is written to disk each time that this many rows have been trained on."""
LONG = 2000
"""A run on at least this many rows announces what it will cost.  The announcement itself takes some seconds."""
CLEARLY = 3.0
"""If a rehearsal does not beat the more frequent label by this many standard deviations, there is a warning."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `encnn train`."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="the encrypted model that the owner sent")
    add_data(parser)
    parser.add_argument("--out", type=Path, default=Path("trained.encnn"), help="the trained model (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=1, metavar="N", help="passes over the data (default: 1)")
    parser.add_argument(
        "--batch-size", type=int, default=BATCH_SIZE, metavar="N", help=f"rows per step (default: {BATCH_SIZE})"
    )
    parser.add_argument(
        "--learning-rate",
        type=float,
        metavar="R",
        help="learning rate (default: chosen in the clear on a held-out fifth of the data, with the noise to come)",
    )
    parser.add_argument("--with-owner", type=Path, metavar="FOLDER", help="have the owner assist through this folder")
    add_wait(parser)
    add_threads(parser)


def run(options: argparse.Namespace) -> None:
    """Train, or go on with a run that was stopped, and write the trained model."""
    out = new_file(options.out)
    folder = out.with_name(out.name + ".run")
    model = EncryptedModel.load(options.model)
    _check_help(options, model)
    rate = RATES[0] if options.learning_rate is None else options.learning_rate
    plan = TrainingPlan(model.sigmoid, rate, batch_size=options.batch_size, epochs=options.epochs)
    with _kept(folder):
        X, y = _shuffled(*CsvFile.of(options.data, options).labelled(recipe_of(model)))
        plan = plan if options.learning_rate is not None else _with_rate(plan, model, X, y)
        total = len(y) * plan.epochs
        if total >= LONG and not rows_kept(folder):
            note("measuring what a row costs here")
            announce("training", X, plan, model.architecture, model.evaluator.parameters)
    with _kept(folder, f" of {total:,}"):
        trained = _trained(options, model, X, y, plan, folder, ProgressLines(total))
        trained.save(out)
    forget_run(folder)
    print(f"Trained on {total:,} rows. Send {told_size(out)} to whoever is to use it, or to the owner.")


def _trained(
    options: argparse.Namespace,
    model: EncryptedModel,
    X: Features,
    y: np.ndarray,
    plan: TrainingPlan,
    folder: Path,
    lines: ProgressLines,
) -> EncryptedModel:
    """Return the trained model."""
    use_threads(model.evaluator, options.threads)
    with _helped(options, model) as help:
        return train_resumably(model, X, y, plan, folder, KEEP_EVERY, lines, help).model


@contextmanager
def _kept(folder: Path, of: str = "") -> Iterator[None]:
    """On Ctrl-C say what is kept of the run, and how to go on.  of: how many rows there are, in words."""
    try:
        yield
    except KeyboardInterrupt:
        kept = rows_kept(folder)
        if kept:
            said = (
                f"Stopped after {kept:,}{of} rows. The run is kept in {folder}. To go on with it, give the same command again. "
                "To give it up, remove that folder."
            )
        else:
            forget_run(folder)
            said = f"Stopped before {KEEP_EVERY:,} rows were done, so nothing is kept. The same command begins again."
        print(f"\n{said}", file=sys.stderr)
        raise


def _check_help(options: argparse.Namespace, model: EncryptedModel) -> None:
    """Raise `CapabilityError` unless the model trains with the help that the options name.  This precedes reading data."""
    p = model.evaluator.parameters
    if p.owner_help == "weights":
        raise CapabilityError(
            f"models of {p.name!r} need an owner who renews their weights, which this command does not ask for; train in "
            "Python with help=refresh_for(...) of encnn.parties.assistance.weights, or ask for a model made by `encnn init`"
        )
    if p.owner_help == "errors" and options.with_owner is None:
        raise CapabilityError(
            f"models of {p.name!r} do not train alone; name a folder by --with-owner, and ask the owner to run `encnn assist` "
            "on it"
        )
    if p.owner_help == "none" and options.with_owner is not None:
        raise CapabilityError(f"models of {p.name!r} train alone; leave --with-owner out")


@contextmanager
def _helped(options: argparse.Namespace, model: EncryptedModel) -> Iterator[Help]:
    """Yield who helps: nobody, or the owner through a folder, who is told when the run ends."""
    if options.with_owner is None:
        yield NOBODY
        return
    context = model.evaluator.context
    print(f"Waiting for the owner, who runs `encnn assist` on {options.with_owner} ...", flush=True)
    channel = FolderChannel(options.with_owner, context, options.wait)
    step, gone = AssistedStep(channel), False
    try:
        yield step
    except EncnnError as error:
        gone = isinstance(error, FileError) or (options.with_owner / REFUSAL).exists()
        if not gone or not step.trips:
            raise
        remove_messages(options.with_owner)
        raise FileError(f"{error}. The run is kept: to go on, start both sides again, by the same commands") from error
    finally:
        if step.trips and not gone:  # without a trip the owner has not come yet, and would misread this end
            channel.close()


def _with_rate(plan: TrainingPlan, model: EncryptedModel, X: Features, y: np.ndarray) -> TrainingPlan:
    """Return the plan with a learning rate that is chosen on the data."""
    note("choosing a learning rate by rehearsals in the clear")
    rate, right = chosen_rate(model, X, y, plan)
    print(
        f"Learning rate {rate:g}: a rehearsal in the clear, with the noise to come, was right on {right:.1%} of held-out rows.",
        flush=True,
    )
    if right < max(y.mean(), 1 - y.mean()) + CLEARLY * 0.5 / np.sqrt(HELD_OUT * len(y)):
        print("WARNING: always guessing the more frequent label is nearly as good; more data may help.", file=sys.stderr)
    return replace(plan, learning_rate=rate)


def _shuffled(X: Features, y: np.ndarray) -> tuple[Features, np.ndarray]:
    """Return the rows shuffled, since labels must take turns.  The order is always the same, so that a run can go on."""
    order = np.random.default_rng(0).permutation(len(y))
    return X[order], y[order]
