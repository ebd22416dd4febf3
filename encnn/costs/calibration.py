"""CPU seconds and bytes per review, per word, per row of weights and per trip, measured by a rehearsal on this machine."""

import time
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from encnn.costs.rehearsal import Rehearsal
from encnn.costs.task import Task
from encnn.network import Network
from encnn.parties.assistance import weights
from encnn.progress import progress
from encnn.schemes import SchemeParameters, ckks, integer_vector
from encnn.schemes.base import OwnerHelp
from encnn.schemes.ckks import PackedArray
from encnn.schemes.rings.parameters import RingParameters

RUN_S = 0.15
STEP_S = 0.3
MAX_REVIEWS = 4096
ROUNDS = 3
LONG_TRIP_S = 1.0
"""During trips longer than this, memory is idle for so long that a virtual machine may give it back to its host."""
PAUSE_S = 3.0
"""A rehearsal waits for this many seconds instead of making such a trip."""
NOTICEABLE = 1.4
"""Steps with twice the vocabulary must take longer by this factor before the difference counts."""


@dataclass(frozen=True)
class Calibration:
    """What a rehearsal measured.  All seconds are CPU seconds."""

    assistance: OwnerHelp  # what the owner does in training
    keys_s: float  # to make the keys
    encrypt_row_s: float  # to encrypt one row of weights
    base_s: float  # the trainer, per review, apart from words and rows
    word_s: float  # the trainer, per word of a review
    row_s: float  # the trainer, per row of the vocabulary and step
    answer_s: float  # the owner, per review that it answers
    keys_bytes: int  # of the evaluation keys in memory
    keys_file_bytes: int  # of the evaluation keys in a file
    fixed_bytes: int  # of the weights that do not grow with the vocabulary
    row_bytes: float  # per row of weights in memory
    start_row_bytes: float  # per row of fresh weights in a file
    trained_row_bytes: float  # per row of trained weights in a file
    trip_bytes: tuple[float, float] = (0.0, 0.0)  # up and down; per review for answers, per row for refreshes
    steps_a_trip: int = 1  # mini-batches from one trip to the next
    owner_trip_row_s: float = 0.0  # the owner, per row in a refresh
    trainer_trip_row_s: float = 0.0  # the trainer, per row in a refresh


def calibrated_task(task: Task) -> Task:
    """Return the parts of the task that the calibration depends on, so that similar tasks share one calibration."""
    return replace(task, plan=replace(task.plan, epochs=1), reviews=1, words=float(max(1, round(task.words))))


@lru_cache(maxsize=64)
def calibrate(task: Task, parameters: SchemeParameters, how: OwnerHelp) -> Calibration:
    """Return what a rehearsal of this task measures if the owner helps in this way.  The process keeps the result."""
    with progress(total=5, description=f"estimating costs ({parameters.name})", unit="part") as bar:
        rehearsal = Rehearsal(task, parameters, how)
        bar.update()
        words = round(task.words)
        batch, steps = _run_size(rehearsal, words)
        review_s, answer_s = _review_seconds(rehearsal, words, batch, steps)
        bar.update()
        row_s = 0.0 if task.dense else _row_seconds(rehearsal, batch, steps)
        bar.update()
        few, word_s = max(1, words // 4), 0.0
        if few < words and not task.dense:
            less, _ = _review_seconds(rehearsal, few, batch, steps)
            word_s = max(0.0, (review_s - less) / (words - few))
        bar.update()
        trips = _trips(rehearsal)
        if isinstance(parameters, RingParameters) and task.architecture.features * trips["owner_trip_row_s"] > LONG_TRIP_S:
            after_pause_s, _ = _review_seconds(rehearsal, words, batch, steps, PAUSE_S)
            review_s = (review_s + after_pause_s) / 2
        bar.update()
    return Calibration(
        assistance=rehearsal.assistance,
        keys_s=rehearsal.keys_s,
        encrypt_row_s=rehearsal.encrypt_row_s,
        base_s=max(0.0, review_s - word_s * words - row_s * rehearsal.rows / batch),
        word_s=word_s,
        row_s=row_s,
        answer_s=answer_s,
        **_bytes(rehearsal),
        **trips,
    )


def _run_size(rehearsal: Rehearsal, words: int) -> tuple[int, int]:
    """Return the runs to measure, as (reviews per mini-batch, mini-batches): as in the task, unless that would take long."""
    wanted, p = rehearsal.task.plan.batch_size, rehearsal.parameters
    if isinstance(p, ckks.CKKSParameters):
        return wanted, 1  # a ciphertext costs the same whether it is full or not
    if isinstance(p, integer_vector.IntegerVectorParameters) and rehearsal.assistance == "errors":
        batch = min(wanted, p.d)
        return batch, -(-p.d // batch)  # one polynomial of masks
    batch = 1
    while (spent := rehearsal.seconds(words, batch, 1)[0]) < STEP_S and batch < wanted:
        batch = min(2 * batch, wanted)
    if rehearsal.assistance == "weights":
        return batch, rehearsal.steps_a_trip()
    return batch, max(1, min(round(RUN_S / max(spent, 1e-6)), MAX_REVIEWS // batch))


def _review_seconds(rehearsal: Rehearsal, words: int, batch: int, steps: int, pause_s: float = 0) -> tuple[float, float]:
    """Return CPU seconds per review (trainer, owner): medians over some runs, with a pause before each."""
    if isinstance(rehearsal.network.W1, PackedArray):
        return _packed_review_seconds(rehearsal, batch)
    runs = []
    for _ in range(ROUNDS):
        time.sleep(pause_s)
        runs.append(rehearsal.seconds(words, batch, steps))
    trainer, owner = np.median(np.array(runs), axis=0) / (batch * steps)
    return float(trainer), float(owner)


def _packed_review_seconds(rehearsal: Rehearsal, batch: int) -> tuple[float, float]:
    """Return the mean over the levels at which steps happen.  A step takes longer if more primes are left."""
    needed = weights.step_levels(rehearsal.task.architecture, rehearsal.task.plan.sigmoid)
    starts = [rehearsal.network]
    if rehearsal.steps_a_trip() > 1:
        starts.append(Network(rehearsal.network.architecture, rehearsal.network.W1.lowered(needed), rehearsal.network.W2))
    seconds = [rehearsal.seconds(rehearsal.rows, batch, 1, start)[0] for start in starts]
    return float(np.mean(seconds)) / batch, 0.0


def _row_seconds(rehearsal: Rehearsal, batch: int, steps: int) -> float:
    """Return the CPU seconds of a step per row of the vocabulary, or 0 unless steps on very few words clearly show a cost.

    Long reviews would mislead here.  In a larger model their rows lie in a slower cache, which is not a cost per row.
    """
    rows = rehearsal.rows
    if rows < 4:
        return 0.0
    runs = [
        [rehearsal.seconds(1, min(batch, 2), steps, n)[0] for n in (rehearsal.network, rehearsal.smaller())]
        for _ in range(ROUNDS)
    ]
    whole, half = np.median(runs, axis=0) / steps
    return float(whole - half) / (rows - rows // 2) if whole > NOTICEABLE * half else 0.0


def _bytes(rehearsal: Rehearsal) -> dict[str, Any]:
    """Return sizes of keys and rows, in memory and in files."""
    evaluator, first = rehearsal.evaluator, rehearsal.first.W1
    exported, (_, start) = evaluator.export()[1], evaluator.export_array(first)
    _, trained = evaluator.export_array(rehearsal.trained.W1)
    return {
        "keys_bytes": evaluator.nbytes,
        "keys_file_bytes": sum(a.nbytes for a in exported.values()),
        "fixed_bytes": rehearsal.fixed_bytes,
        "row_bytes": rehearsal.row_bytes,
        "start_row_bytes": start.nbytes / len(first),
        "trained_row_bytes": trained.nbytes / len(rehearsal.trained.W1),
    }


def _trips(rehearsal: Rehearsal) -> dict[str, Any]:
    """Return what trips to the owner cost: nothing, bytes of answers per review, or a refresh per row."""
    if rehearsal.assistance == "errors":
        tally = rehearsal.answers
        return {"trip_bytes": (tally.bytes_up / rehearsal.reviews, tally.bytes_down / rehearsal.reviews)}
    if rehearsal.assistance == "none":
        return {}
    trainer, owner, (up, down) = rehearsal.refreshed()
    rows = len(rehearsal.first.W1)
    return {
        "trip_bytes": (up / rows, down / rows),
        "steps_a_trip": rehearsal.steps_a_trip(),
        "owner_trip_row_s": owner / rows,
        "trainer_trip_row_s": trainer / rows,
    }
