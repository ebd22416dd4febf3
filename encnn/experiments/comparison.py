"""One small task, every scheme: `python -m encnn.experiments.comparison` trains one network under each.

Logistic regression from zero weights, by the one loop of `network.train`, on the toy corpus and on the first 1,000 real reviews
over the 300 most frequent of the words that lean (those of `rings`).  Rate, mini-batches and epochs are the same for all;
what differs is who evaluates the sigmoid, and so which one it is:

    ===================  =============================================================  =====================
    scheme               the error  p - y                                               sigmoid
    ===================  =============================================================  =====================
    clear                in the clear                                                   exact
    integer vectors      products of ciphertexts (the paper's parameters)               Taylor, degree 5
    integer vectors      the owner, for each mini-batch (128 bits; scores)              exact
    YASHE, FV            plain factors; the owner refreshes weights (weights)          Taylor, degree 1
    CKKS                 products of ciphertexts; the owner refreshes weights           least squares, degree 3
    bootstrapped LWE     a look-up table, nobody else                                   exact
    ===================  =============================================================  =====================

CKKS is packed for dense features, so it takes whitened word2vec features and mini-batches that fill a ciphertext, as in
`ckks`.  Every line has a clear twin of its own: the same features, sigmoid, order and updates in float64.

Keys are real (the operating system's randomness), so the last digits change from run to run.  Bootstraps add noise to every
update, and their lines change by more: they are medians over `KEYS` keys, with the spread.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from encnn.assistance.scores import Assistant, AssistedStep, DirectChannel, Tally
from encnn.assistance.weights import BudgetRefresh, LevelRefresh, OwnerOfWeights
from encnn.costs import announce
from encnn.data.batches import Features, OneReview
from encnn.data.reviews import load_reviews
from encnn.experiments import ckks as ckks_job
from encnn.experiments import rings as ring_jobs
from encnn.experiments.reproduce import FIGURES, heading, store
from encnn.experiments.table_three import Dataset, linear_start
from encnn.network import Help, Network, TrainingPlan, predict
from encnn.network.training import NOBODY
from encnn.parties import EncryptedModel, Owner, Trainer
from encnn.progress import progress
from encnn.report.comparison_figures import ACCURACY, DISTANCE, TWIN
from encnn.schemes import ClearParameters, SchemeParameters, bootstrapped, ckks, fv, yashe
from encnn.schemes.bilinear import vector_matrix
from encnn.schemes.clear import ClearEvaluator
from encnn.schemes.integer_vector import COMPACT_128, PAPER, IntegerVectorEvaluator
from encnn.schemes.rings.evaluator import RingEvaluator
from encnn.sigmoid import ExactSigmoid, Sigmoid, taylor

WARM_UP = 20
"""Reviews that a copy of the model is trained on first, so that no run is charged for loops compiled or keys expanded."""
KEYS = 5
"""Keys that bootstrapped cases are run with."""
TRIPS = "owner's trips"


@dataclass(frozen=True)
class Case:
    """One line of the table.

    name: of the scheme.  sigmoid: None where the task's own is used, with dense features (CKKS).  keys: to run it with.
    """

    name: str
    parameters: SchemeParameters
    sigmoid: Sigmoid | None
    keys: int = 1


CASES = (
    Case("clear", ClearParameters(), ExactSigmoid()),
    Case("integer vectors, paper", PAPER, taylor(5)),
    Case("integer vectors, 128 bits", COMPACT_128, ExactSigmoid()),
    Case("YASHE, fixed point", yashe.ADDITIVE_128, taylor(1)),
    Case("YASHE, fractional", yashe.FRACTIONAL_128, taylor(1)),
    Case("FV, fixed point", fv.ADDITIVE_128, taylor(1)),
    Case("FV, fractional", fv.FRACTIONAL_128, taylor(1)),
    Case("CKKS", ckks.LOGISTIC_128, None),
    Case("bootstrapped, one level", bootstrapped.ONE_LEVEL_128, ExactSigmoid(), KEYS),
    Case("bootstrapped, two levels", bootstrapped.TWO_LEVEL_128, ExactSigmoid(), KEYS),
)


@dataclass(frozen=True)
class Task:
    """Reviews, as bags of words and as dense vectors, and how to train on each."""

    name: str
    words: Dataset
    plan: TrainingPlan
    vectors: Dataset
    packed_plan: TrainingPlan

    def of(self, case: Case) -> tuple[str, Dataset, TrainingPlan]:
        """Return the features' name, the data and the plan of a case."""
        if case.sigmoid is None:
            return "word2vec", self.vectors, self.packed_plan
        return "words", self.words, replace(self.plan, sigmoid=case.sigmoid)


@dataclass(frozen=True)
class Assisted:
    """A model and how to train it: with an owner to turn to where its scheme needs one, and the owner's tally.

    Where there is such an owner it is in this process, and `help` leads to it.  The model does not.
    """

    model: EncryptedModel
    help: Help = NOBODY
    tally: Tally = field(default_factory=Tally)

    def train(self, X: Features, y: np.ndarray, plan: TrainingPlan) -> None:
        """Train the model in place, forgetting the scores."""
        Trainer(self.model).train(X, y, plan, self.help, keep_scores=False)


def assisted(owner: Owner, model: EncryptedModel, X: Features, plan: TrainingPlan) -> Assisted:
    """Return the model with the assistance that its scheme needs: none, of the error step, or refreshed weights."""
    evaluator = model.evaluator
    if isinstance(evaluator, RingEvaluator | ckks.CKKSEvaluator):
        side = OwnerOfWeights(owner.secret_key, model)
        channel = DirectChannel(side)
        exact = isinstance(evaluator, RingEvaluator)
        refresh = BudgetRefresh(model, channel, plan, X) if exact else LevelRefresh(model, channel)
        return Assisted(model, refresh, tally=side.tally)
    if type(evaluator) is IntegerVectorEvaluator and evaluator.parameters.q_bits is not None:
        assistant = Assistant(owner.secret_key)  # type: ignore[arg-type]
        return Assisted(model, AssistedStep(DirectChannel(assistant)), tally=assistant.tally)
    return Assisted(model)


def compare(case: Case, task: Task) -> dict[str, Any]:
    """Train under the scheme of a case beside its clear twin; return the line of the table, medians over the case's keys."""
    features, data, plan = task.of(case)
    twin, clear_seconds, _ = trained(ClearParameters(), data, plan)
    runs = pd.DataFrame([_run(case, data, plan, twin) for _ in range(case.keys)])
    return {
        "task": task.name,
        "scheme": case.name,
        "parameters": case.parameters.name,
        **security(case.parameters),
        "encrypted": "nothing" if isinstance(case.parameters, ClearParameters) else "weights",
        "features": f"{features}, {data.X.shape[1]}",
        "sigmoid": plan.sigmoid.name,
        "reviews": data.X.shape[0],
        "batch": plan.batch_size,
        "epochs": plan.epochs,
        "learning rate": plan.learning_rate,
        "ciphertext products a review": ciphertext_products(case.parameters, plan),
        TWIN: right_percent(twin, data),
        "clear CPU ms a review": _digits(1e3 * clear_seconds / (data.X.shape[0] * plan.epochs)),
        "keys": case.keys,
        f"least {ACCURACY}": runs[ACCURACY].min(),
        f"most {ACCURACY}": runs[ACCURACY].max(),
        f"largest {DISTANCE}": runs[DISTANCE].max(),
        **{str(name): value for name, value in runs.median().items()},
        TRIPS: int(runs[TRIPS].median()),  # a whole number still
    }


def _run(case: Case, data: Dataset, plan: TrainingPlan, twin: Network) -> dict[str, float]:
    """Train with new keys; return what the run came to."""
    network, seconds, run = trained(case.parameters, data, plan)
    reviews, tally = data.X.shape[0] * plan.epochs, run.tally
    return {
        TRIPS: tally.trips,
        ACCURACY: right_percent(network, data),
        DISTANCE: _digits(100 * float(np.linalg.norm(network.W1 - twin.W1) / np.linalg.norm(twin.W1))),
        "trainer CPU ms a review": _digits(1e3 * (seconds - tally.cpu_seconds) / reviews),
        "owner CPU ms a review": _digits(1e3 * tally.cpu_seconds / reviews),
        "key MB": _digits(getattr(run.model.evaluator, "nbytes", 0) / 1e6),
        "model MB": _digits(run.model.network.W1.nbytes / 1e6),
        "MB on the wire": _digits((tally.bytes_up + tally.bytes_down) / 1e6),
    }


def trained(parameters: SchemeParameters, data: Dataset, plan: TrainingPlan) -> tuple[Network, float, Assisted]:
    """Train from zero under these parameters; return the network in the clear, CPU seconds of training, and the run."""
    start = linear_start(data)
    owner = Owner(start.architecture, plan.sigmoid, parameters)
    model = owner.encrypt(start)
    warm_up = assisted(owner, model.copy(), data.X, plan)
    warm_up.train(data.X[:WARM_UP], data.y[:WARM_UP], replace(plan, epochs=1))
    run = assisted(owner, model, data.X, plan)
    begun = time.process_time()
    run.train(data.X, data.y, plan)
    seconds = time.process_time() - begun  # what comes next is the owner's
    return owner.decrypt_network(run.model), seconds, run


def ciphertext_products(parameters: SchemeParameters, plan: TrainingPlan) -> float:
    """Return the products of ciphertexts a review: those of the sigmoid, since nothing else here takes any.

    A polynomial of odd degree k > 1 takes (k + 1) / 2 of them (`Evaluator.polynomial`).  Under CKKS a ciphertext holds a
    mini-batch, so its reviews share them.
    """
    degree = getattr(plan.sigmoid, "degree", 1)
    products = (degree + 1) // 2 if degree > 1 and not isinstance(parameters, ClearParameters) else 0
    return products / plan.batch_size if isinstance(parameters, ckks.Parameters) else float(products)


def security(p: SchemeParameters) -> dict[str, object]:
    """Return the least bits of security, what decides, and the bits in core-SVP; none of them for the clear scheme."""
    if isinstance(p, ClearParameters):
        return {"bits": np.nan, "decided by": "", "bits, core-SVP": np.nan}
    return dict(p.security.columns)


def right_percent(network: Network, data: Dataset) -> float:
    """Return the percentage of test reviews that a network in the clear gets right."""
    z = predict(ClearEvaluator(), network, data.X_test, batch_size=data.X_test.shape[0])
    return round(100 * float(((z[:, 0] > 0) == (data.y_test == 1)).mean()), 2)


def tasks() -> list[Task]:
    """Return the task on the toy corpus, and the one on real reviews where they are at hand."""
    return [_task(name, words) for name, words in ring_jobs.datasets().items()]


def table(of: Iterable[Task], cases: Sequence[Case] = CASES) -> pd.DataFrame:
    """Return a line for each task and case."""
    jobs = [(case, task) for task in of for case in cases]
    return pd.DataFrame([_predicted(case, task) for case, task in progress(jobs, "every scheme", unit="run")])


def slot_layouts(vocabulary: int, words: int, batch_sizes: Iterable[int], p: fv.Parameters = fv.DEPTH_128) -> pd.DataFrame:
    """Return CPU milliseconds a review of two ways to use slots in a step of logistic regression under FV.

    vocabulary: rows of W.  words: of a review.  A ciphertext holds either

    - one weight, and a slot one review of a mini-batch of B:  X W takes a plain product for each word of the vocabulary, and
      X^T d another one, a sum over the slots (log2 B rotations) and an addition;
    - one row of W (here of one hidden unit):  X W and the update add a row for each word *of the review*.

    Computed from the time of each operation, measured with new keys.
    """
    secret, evaluator = fv.make_keys(p, [2], [vector_matrix(2, 1)])
    W, x = secret.encrypt(np.zeros((words, 2))), np.array([[0.0, 1.0]])
    review, one = OneReview(np.arange(words)), W[:1]
    addition = milliseconds(lambda: evaluator.gather(review, W)) / words
    product, rotation = milliseconds(lambda: evaluator.multiply_entries(one, x)), milliseconds(lambda: evaluator.rotate(one, 1))
    lines = []
    for size in batch_sizes:
        weight = vocabulary * (2 * product + math.ceil(math.log2(size)) * rotation + addition) / size
        lines.append((size, weight, 2 * words * addition))
    return pd.DataFrame(lines, columns=["batch", "a weight a ciphertext", "a row a ciphertext"])


def milliseconds(action: Callable[[], object], repeats: int = 5) -> float:
    """Return the CPU milliseconds of a call, the least of some; a first one is not counted."""
    action()
    seconds = []
    for _ in range(repeats):
        begun = time.process_time()
        action()
        seconds.append(time.process_time() - begun)
    return 1e3 * min(seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything, print the table and write it; return the exit status."""
    options = _options(arguments)
    results = table(tasks())
    heading("One network, every scheme")
    print(results.T.to_string(header=False))
    real = "real" in set(results["task"])
    folder = options.folder if real else options.folder / "toy"  # never in place of the whole one
    store(results, folder / "comparison.csv")
    print(f"\nThe table is in {folder}/")
    return 0


def _predicted(case: Case, task: Task) -> dict[str, Any]:
    """Say what a case will cost, then return its line with the prediction."""
    _, data, plan = task.of(case)
    cost = announce(f"{task.name}, {case.name}", data.X, plan, linear_start(data).architecture, case.parameters)
    reviews = data.X.shape[0] * plan.epochs
    return compare(case, task) | {"predicted trainer CPU ms a review": _digits(1e3 * cost.trainer_cpu_s / reviews)}


def _task(name: str, words: Dataset) -> Task:
    """Return the task on these words, with dense features of the same reviews and the packed plan that is best held out."""
    vectors = ckks_job.packed_dataset(load_reviews("toy" if name == "toy" else "imdb"))
    case = (ckks_job.TOY_CASES if name == "toy" else ckks_job.CASES)[0]
    vectors = case.data(vectors)
    case = ckks_job.chosen(case, ckks_job.held_out_choices(case, vectors))
    return Task(name, words, ring_jobs.PLANS[name], vectors, case.plan(vectors.X.shape[0]))


def _digits(x: float) -> float:
    return float(f"{x:.3g}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m encnn.experiments.comparison", description="Train one network under every scheme."
    )
    parser.add_argument("--folder", type=Path, default=FIGURES, help="where the table goes (default: figures)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
