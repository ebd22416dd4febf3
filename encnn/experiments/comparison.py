"""One small task, every scheme: `python -m encnn.experiments comparison` trains one network under each.

Logistic regression from zero weights, by the one loop of `network.train`, on the toy corpus and on the first 1,000 real reviews
over the 300 most frequent words that lean to one class (`small_reviews`).  Rate, mini-batches and epochs are the same for all.
The schemes differ in who evaluates the sigmoid, and therefore in which sigmoid it is:

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
`ckks_cases`.  Every line has a clear twin of its own: the same features, sigmoid, order and updates in float64.

Keys are real (the operating system's randomness), so the last digits change from run to run.  Bootstraps add noise to every
update, so their lines change more.  They are medians over `KEYS` keys, with the spread.

**A hidden layer** takes products of ciphertexts, so fewer schemes train it (`hidden_task`): eight linear units on the sum of a
review's words, from W1 = 0.  Reviews, start, order, rate, mini-batches and the sigmoid (Taylor, degree 1) are the same for all,
so there is one clear twin.  CKKS takes the same bags of words as dense rows.  Nobody is asked under the paper's parameters and
under bootstrapping; FV, YASHE and CKKS have the owner renew the weights for each mini-batch.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from encnn.arithmetic.sigmoid import taylor
from encnn.costs import announce
from encnn.costs.timing import best_cpu_seconds
from encnn.data.batches import OneReview
from encnn.data.datasets import Dataset, whitened_dataset
from encnn.data.reviews import Vocabulary, bag_of_words, load_reviews
from encnn.experiments import ckks_cases, small_reviews
from encnn.experiments.bootstrapped_runs import rank_one_start
from encnn.experiments.columns import distance_percent, right_percent, security, significant
from encnn.experiments.console import job_options, show
from encnn.experiments.helped import trained
from encnn.experiments.linear import linear_start
from encnn.experiments.results import Results
from encnn.experiments.twin import ClearTwin, clear_twin
from encnn.network import Network, TrainingPlan
from encnn.progress import progress
from encnn.report.comparison_figures import ACCURACY, DISTANCE, TWIN
from encnn.schemes import SCHEMES, ClearParameters, SchemeParameters, ckks, fv
from encnn.schemes.base import ComparedPreset
from encnn.schemes.bilinear import vector_matrix
from encnn.schemes.bootstrapped import BootstrappedParameters

TRIPS = "owner's trips"
HIDDEN, SEED = 8, 0
HIDDEN_REVIEWS, HIDDEN_WORDS = 128, 128
HIDDEN_PLAN = TrainingPlan(taylor(1), 2.0**-8, batch_size=32)
"""The task with a hidden layer is small, since a review takes FV and YASHE hundreds of milliseconds.

The rate is the best power of two with the noise of bootstraps, on toy training reviews that no run trains on."""


def cases(hidden: bool = False) -> list[ComparedPreset]:
    """Return the lines of the table for each task: those of every scheme, or of those that train a hidden layer."""
    return [case for scheme in SCHEMES for case in scheme.compared if case.hidden == hidden]


@dataclass(frozen=True)
class ComparisonTask:
    """Reviews, as bags of words and as dense vectors, and how to train on each."""

    name: str  # "toy" or "real"
    words: Dataset  # bags of words
    plan: TrainingPlan  # for these
    vectors: Dataset  # dense features of the same reviews, for CKKS
    packed_plan: TrainingPlan  # for those, with mini-batches that fill a ciphertext
    hidden: int = 0  # units of a linear hidden layer, whose task has the same words and plan for all; 0: logistic regression

    def of(self, case: ComparedPreset) -> tuple[str, Dataset, TrainingPlan]:
        """Return the features' name, the data and the plan of a case."""
        if case.sigmoid is None:
            return "dense words" if self.hidden else "word2vec", self.vectors, self.packed_plan
        return "words", self.words, replace(self.plan, sigmoid=case.sigmoid)

    def start(self, data: Dataset) -> Network:
        """Return the network in the clear before training."""
        return rank_one_start(data, self.hidden, SEED, "sum") if self.hidden else linear_start(data)


def compare(case: ComparedPreset, task: ComparisonTask) -> dict[str, object]:
    """Train under the scheme of a case beside its clear twin; return the line of the table, medians over the case's keys."""
    features, data, plan = task.of(case)
    start = task.start(data)
    twin = clear_twin(start, data, plan)
    runs = pd.DataFrame([_run(case, data, start, twin) for _ in range(case.keys)])
    return {
        "task": task.name,
        "scheme": case.name,
        "parameters": case.parameters.name,
        **security(case.parameters),
        "encrypted": "nothing" if isinstance(case.parameters, ClearParameters) else "weights",
        "features": f"{features}, {data.X.shape[1]}",
        **({"hidden": task.hidden} if task.hidden else {}),
        "sigmoid": plan.sigmoid.name,
        "reviews": data.X.shape[0],
        "batch": plan.batch_size,
        "epochs": plan.epochs,
        "learning rate": plan.learning_rate,
        "ciphertext products per review": ciphertext_products(case.parameters, plan, task.hidden),
        TWIN: right_percent(twin.network, data.X_test, data.y_test),
        "clear CPU ms per review": significant(1e3 * twin.cpu_seconds / (data.X.shape[0] * plan.epochs)),
        "keys": case.keys,
        f"least {ACCURACY}": runs[ACCURACY].min(),
        f"most {ACCURACY}": runs[ACCURACY].max(),
        f"largest {DISTANCE}": runs[DISTANCE].max(),
        **{str(name): value for name, value in runs.median().items()},
        TRIPS: int(runs[TRIPS].median()),  # a whole number still
    }


def _run(case: ComparedPreset, data: Dataset, start: Network, twin: ClearTwin) -> dict[str, float]:
    """Train with new keys; return the results of the run."""
    network, seconds, run = trained(case.parameters, data, twin.plan, start)
    reviews, tally = data.X.shape[0] * twin.plan.epochs, run.tally
    return {
        TRIPS: tally.trips,
        ACCURACY: right_percent(network, data.X_test, data.y_test),
        DISTANCE: significant(distance_percent(network, twin.network, start)),
        "trainer CPU ms per review": significant(1e3 * (seconds - tally.cpu_seconds) / reviews),
        "owner CPU ms per review": significant(1e3 * tally.cpu_seconds / reviews),
        "key MB": significant(getattr(run.model.evaluator, "nbytes", 0) / 1e6),
        "model MB": significant(run.model.network.W1.nbytes / 1e6),
        "MB on the wire": significant((tally.bytes_up + tally.bytes_down) / 1e6),
    }


def ciphertext_products(parameters: SchemeParameters, plan: TrainingPlan, hidden: int = 0) -> float:
    """Return the products of ciphertexts per review.

    A sigmoid of odd degree k > 1 takes (k + 1) / 2 of them (`Evaluator.polynomial`).  A hidden layer takes three more: h W2,
    d W2^T and h^T d.  Under CKKS a ciphertext holds a mini-batch, so its reviews share them.  Bootstrapping looks products up.
    """
    if isinstance(parameters, ClearParameters | BootstrappedParameters):
        return 0.0
    degree = getattr(plan.sigmoid, "degree", 1)
    products = ((degree + 1) // 2 if degree > 1 else 0) + (3 if hidden else 0)
    return products / plan.batch_size if isinstance(parameters, ckks.CKKSParameters) else float(products)


def tasks() -> list[ComparisonTask]:
    """Return the task on the toy corpus, and the one on real reviews if they are available."""
    return [_task(name, words) for name, words in small_reviews.datasets().items()]


def hidden_task() -> ComparisonTask:
    """Return the task with a hidden layer: few toy reviews over the most frequent words."""
    toy = load_reviews("toy")
    chosen = Vocabulary.select(toy.train, max_words=HIDDEN_WORDS)
    X, X_test = (bag_of_words(part, chosen) for part in (toy.train, toy.test))
    words, dense = (
        Dataset("toy", train, toy.train.labels, test, toy.test.labels).first(HIDDEN_REVIEWS)
        for train, test in ((X, X_test), (X.toarray(), X_test.toarray()))
    )
    return ComparisonTask("toy", words, HIDDEN_PLAN, dense, HIDDEN_PLAN, HIDDEN)


def hidden_table() -> pd.DataFrame:
    """Return a line for each scheme that trains a hidden layer."""
    task = hidden_task()
    return pd.DataFrame([compare(case, task) for case in progress(cases(hidden=True), "a hidden layer", unit="run")])


def table(of: Iterable[ComparisonTask], compared: Sequence[ComparedPreset] | None = None) -> pd.DataFrame:
    """Return a line for each task and case."""
    jobs = [(case, task) for task in of for case in (cases() if compared is None else compared)]
    return pd.DataFrame([_predicted(case, task) for case, task in progress(jobs, "every scheme", unit="run")])


def slot_layouts(vocabulary: int, words: int, batch_sizes: Iterable[int], p: fv.FVParameters = fv.DEPTH_128) -> pd.DataFrame:
    """Return CPU milliseconds per review of two ways to use slots in a step of logistic regression under FV.

    vocabulary: rows of W.  words: of a review.  A ciphertext holds one of two things:

    - one weight, with one review of a mini-batch of B per slot:  X W takes a plain product for each word of the vocabulary, and
      X^T d takes another one, a sum over the slots (log2 B rotations) and an addition;
    - one row of W (here of one hidden unit):  X W and the update add a row for each word *of the review*.

    The times are computed from the time of each operation, which is measured with new keys.
    """
    secret, evaluator = fv.make_keys(p, [2], [vector_matrix(2, 1)])
    W, x = secret.encrypt(np.zeros((words, 2))), np.array([[0.0, 1.0]])
    review, one = OneReview(np.arange(words)), W[:1]
    addition = 1e3 * best_cpu_seconds(evaluator.gather, review, W) / words
    product, rotation = (
        1e3 * best_cpu_seconds(act) for act in (partial(evaluator.multiply_entries, one, x), partial(evaluator.rotate, one, 1))
    )
    lines = []
    for size in batch_sizes:
        weight = vocabulary * (2 * product + math.ceil(math.log2(size)) * rotation + addition) / size
        lines.append((size, weight, 2 * words * addition))
    return pd.DataFrame(lines, columns=["batch", "a weight per ciphertext", "a row per ciphertext"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything, print the table and write it; return the exit status."""
    parser = job_options(__name__, "Train one network under every scheme.", corpus=False)
    parser.add_argument("--hidden", action="store_true", help="only the network with a hidden layer, on toy reviews")
    options = parser.parse_args(arguments)
    found = {} if options.hidden else {"comparison": table(tasks())}
    found["comparison_hidden"] = hidden_table()
    real = options.hidden or "real" in set(found["comparison"]["task"])  # the hidden layer's task is always the toy one
    results = Results(options.folder, real=real)
    for name, lines in found.items():
        title = "One network, every scheme" if name == "comparison" else "A hidden layer, every scheme that multiplies"
        show(results, name, title, lines, upright=True)
    results.finish()
    return 0


def _predicted(case: ComparedPreset, task: ComparisonTask) -> dict[str, object]:
    """Print what a case will cost, run it and return its line with the prediction."""
    _, data, plan = task.of(case)
    cost = announce(f"{task.name}, {case.name}", data.X, plan, linear_start(data).architecture, case.parameters)
    reviews = data.X.shape[0] * plan.epochs
    return compare(case, task) | {"predicted trainer CPU ms per review": significant(1e3 * cost.trainer_cpu_s / reviews)}


def _task(name: str, words: Dataset) -> ComparisonTask:
    """Return the task on these words, with dense features of the same reviews and the packed plan that is best held out."""
    vectors = whitened_dataset(load_reviews("toy" if name == "toy" else "imdb"))
    case = (ckks_cases.TOY_CASES if name == "toy" else ckks_cases.CASES)[0]
    vectors = case.data(vectors)
    case = case.chosen(ckks_cases.held_out_choices(case, vectors))
    return ComparisonTask(name, words, small_reviews.PLANS[name], vectors, case.plan(vectors.X.shape[0]))
