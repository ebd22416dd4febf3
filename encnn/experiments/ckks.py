"""The CKKS job: `python -m encnn.experiments ckks` trains on word2vec features at 128 bits and writes ckks*.csv, mirror.csv.

Mini-batches are packed into the slots (`schemes.ckks.packing`), and the owner refreshes the weights when their levels are used
up (`parties.assistance.weights`), or, with a ring of 32768, not at all.  Every run has a clear twin: the same start, order,
polynomial and updates by the same loop in float64.  Each encrypted run has a process of its own, so that its peak memory is its
own.

Keys and noise come from the operating system, so accuracies may change in the last digits from run to run.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from encnn.costs import announce
from encnn.costs.peak_memory import peak_memory_mb
from encnn.costs.timing import cpu_seconds
from encnn.data.datasets import Dataset, whitened_dataset
from encnn.experiments.ckks_cases import CASES, TOY_CASES, UNASSISTED, CKKSCase, held_out_choices
from encnn.experiments.columns import distance_percent, right, security, significant
from encnn.experiments.console import begin, heading, job_options, show
from encnn.experiments.own_process import in_a_process
from encnn.network import Network, TrainingPlan
from encnn.network.rehearsal import predict_in_clear
from encnn.network.training import NOBODY
from encnn.parties import Owner, Trainer
from encnn.parties.assistance.scores import DirectChannel
from encnn.parties.assistance.weights import LevelRefresh, check_interval
from encnn.parties.mirror import MIRROR_128, SHALLOW_128, Client, Server
from encnn.progress import progress


def packed_run(case: CKKSCase, data: Dataset) -> dict[str, object]:
    """Train under CKKS beside the clear twin; return the line of the table."""
    data = case.data(data)
    reviews, features = data.X.shape
    plan, twin = case.plan(reviews), case.clear_twin(data)
    owner = Owner(case.architecture(features), plan.sigmoid, case.parameters)
    model = owner.encrypt(case.start(features))
    y = owner.encrypt_labels(data.y) if case.labels == "encrypted" else data.y
    side = owner.refresher(model)
    watch, refresh = (side.watch(plan), LevelRefresh(model, DirectChannel(side))) if case.refreshed else (None, None)
    trainer, tally = Trainer(model), side.tally
    scores, seconds = cpu_seconds(lambda: trainer.train(data.X, y, plan, refresh or NOBODY, on_scores=watch))
    seconds -= tally.cpu_seconds
    z = owner.decrypt(scores)
    check_interval(plan, z)
    line = _described(case, owner, plan, reviews)
    line |= _compared(owner.decrypt_network(model), twin.network, case.start(features), data)
    line |= {
        "largest score": round(float(np.abs(z).max()), 2),
        "largest error of a score": significant(np.abs(z - twin.z).max(), 2),
        "trainer CPU s": round(seconds, 2),
        "owner CPU s": round(tally.cpu_seconds, 2),
        "trainer CPU ms per review": round(1e3 * seconds / (reviews * case.epochs), 3),
        "clear CPU s": round(twin.cpu_seconds, 3),
        "trips": tally.trips,
        "bytes up": tally.bytes_up,
        "bytes down": tally.bytes_down,
        "score bytes up": tally.score_bytes_up,
        "weight bytes": model.network.W1.nbytes,
        "peak memory MB": round(peak_memory_mb()),
    }
    return line


def mirror_costs(data: Dataset, network: Network, hidden: Network) -> pd.DataFrame:
    """Return what encrypted reviews under a clear model cost: one review, and a batch that fills the slots."""
    lines = []
    models = ((SHALLOW_128, network), (MIRROR_128, network), (MIRROR_128, hidden))
    for p, model in progress(models, "mirror", unit="model"):
        client = Client(p, data.X.shape[1])
        server, batch = Server(client.evaluator, model), client.evaluator.batch_rows
        X = data.X_test[:batch]
        z = predict_in_clear(model, X)
        one = _steps_timed(client.encrypt_review, server.score, client.decrypt, x=X[0], repeats=5)
        many = _steps_timed(client.encrypt_batch, server.score_batch, client.decrypt, x=X, repeats=1)
        for layout, (seconds, scores), reviews in (("one review", one, 1), ("batch", many, len(X))):
            lines.append(
                {
                    "layout": layout,
                    "model": f"{model.architecture.features} x {model.architecture.hidden or ''} x 1".replace("x  x", "x"),
                    "parameters": p.name,
                    "bits": round(p.security.bits, 1),
                    "decided by": p.security.best().method,
                    "reviews": reviews,
                    "client encrypts, CPU ms": round(1e3 * seconds[0], 1),
                    "server scores, CPU ms": round(1e3 * seconds[1], 1),
                    "client decrypts, CPU ms": round(1e3 * seconds[2], 2),
                    "reviews scored per CPU s": round(reviews / seconds[1]),
                    "largest error of a score": significant(np.abs(scores.reshape(-1, 1) - z[:reviews]).max(), 2),
                    "key bytes": client.evaluator.nbytes,
                }
            )
    return pd.DataFrame(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything, print the tables and write them; return the exit status."""
    parser = job_options(__name__, "Train under CKKS on packed mini-batches.")
    parser.add_argument("--unassisted", action="store_true", help="also train with no refresh: minutes, and several GB")
    options = parser.parse_args(arguments)
    corpus, results = begin(options)
    data = whitened_dataset(corpus)
    cases = (*(CASES if corpus.is_real else TOY_CASES), *((UNASSISTED,) if options.unassisted else ()))
    tables = {case.in_the_clear(): held_out_choices(case, data) for case in cases if case.labels == "plain"}
    choices = pd.concat(tables.values(), ignore_index=True)
    heading("Choices in the clear, on training reviews held out: the best three of each case, of which the first is taken")
    print(choices.groupby("case", sort=False).head(3).to_string(index=False), flush=True)
    results.store("ckks_choices", choices)
    cases = tuple(case.chosen(tables[case.in_the_clear()]) for case in cases)
    table = pd.DataFrame([_announced(case, data) for case in progress(cases, "CKKS", unit="run")])
    show(results, "ckks", "CKKS on word2vec features", table, upright=True)
    logistic, hidden = (next(c for c in cases if c.hidden == h and c.reviews is None) for h in (0, 8))
    mirror = mirror_costs(data, *(case.clear_twin(data).network for case in (logistic, hidden)))
    show(results, "mirror", "The mirror: encrypted reviews, clear model", mirror)
    results.finish()
    return 0


def _announced(case: CKKSCase, data: Dataset) -> dict[str, object]:
    """Print what a case will cost, run it in a process of its own, and return its line."""
    reviews, features = case.data(data).X.shape
    announce(case.name, case.data(data).X, case.plan(reviews), case.architecture(features), case.parameters)
    return in_a_process(packed_run, case, data)


def _described(case: CKKSCase, owner: Owner, plan: TrainingPlan, reviews: int) -> dict[str, object]:
    p = case.parameters
    return {
        "case": case.name,
        "scheme": owner.evaluator.scheme,
        "parameters": p.name,
        "N": p.degree,
        "log2 q": p.modulus_total_bits,
        **security(p),
        "owner in the loop": case.refreshed,
        "labels": case.labels,
        "reviews": reviews,
        "batch": plan.batch_size,
        "steps": case.epochs * -(-reviews // plan.batch_size),
        "learning rate of the mean": case.rate,
        "sigmoid": plan.sigmoid.name,
        "key bytes": owner.evaluator.nbytes,
    }


def _compared(trained: Network, twin: Network, start: Network, data: Dataset) -> dict[str, object]:
    """Return accuracies on the test reviews, and how far the weights are from the twin's as a share of its change."""
    ours, theirs = (right(network, data.X_test, data.y_test) for network in (trained, twin))
    return {
        "test accuracy percent": round(100 * ours.mean(), 3),
        "clear twin test accuracy percent": round(100 * theirs.mean(), 3),
        "predictions that differ": int((ours != theirs).sum()),
        "error of weights, percent of their change": significant(distance_percent(trained, twin, start), 2),
    }


def _steps_timed(*steps: Callable, x: np.ndarray, repeats: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the CPU seconds of each of these successive steps, the least over repeats, and the result of the last step."""
    found = []
    for _ in range(repeats + 1):
        result = x
        seconds = []
        for step in steps:
            result, spent = cpu_seconds(step, result)
            seconds.append(spent)
        found.append(seconds)
    return np.min(found, axis=0), result
