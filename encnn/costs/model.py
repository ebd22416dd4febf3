"""What a run will cost, told before it starts: CPU seconds, memory, bytes on disk and between the parties.

    CPU s of training = epochs reviews (a + b words + c vocabulary / batch)  +  trips (e + f vocabulary)
    CPU s before it   = keys + encryption of vocabulary rows
    bytes             = keys + vocabulary * bytes of a row

A small owner with *these very parameters* makes keys and a network over a small vocabulary, and a trainer takes some steps on
synthetic reviews, with all words of the task and with a quarter of them: that gives a and b, on this machine and in this
process.  Mini-batches have the size of the task, unless a step would take long: then smaller ones, whose reviews cost the same.
c is what each row of the vocabulary adds to a step, whether the step uses it or not: nothing in most schemes, so it counts if
twice the rows take noticeably longer.  In fixed point FV and YASHE bring all rows to a larger scale at every step, after they
have reduced what the step before left unreduced; so their runs have as many steps as fresh weights last for.  e and f are what
it takes the owner to refresh the weights, where a scheme needs it; where the owner answers with the errors of each mini-batch
(`encnn.assistance.scores`) the trainer's part is in a.  Sizes are those of the small keys and rows.

During a long trip to the owner a virtual machine may give memory that lies idle back to its host, and what is gone costs a good
deal to touch again: up to half of a step of large ciphertexts.  How much goes differs from trip to trip.  So steps that come
after long trips are measured both without a pause and after one, and the mean counts.

What is left out: predictions, scores that are kept, the shrinking of weights at the end of an epoch, and what it takes to touch
memory for the first time, which shows in short runs.

Calibration takes a few seconds, and longer where a single step does; results are kept for the life of the process.
"""

import math
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, Self

import numpy as np
from scipy.sparse import csr_array

from encnn.assistance import weights as refresh
from encnn.assistance.scores import Assistant, AssistedStep, DirectChannel
from encnn.data.batches import Batch, Features, batches
from encnn.errors import ParameterError
from encnn.network import Architecture, ErrorStep, Help, Network, TrainingPlan, train
from encnn.parties import EncryptedModel, Owner
from encnn.progress import progress
from encnn.schemes import SchemeParameters, bootstrapped, ckks, integer_vector
from encnn.schemes.base import Encrypted
from encnn.schemes.ckks import PackedArray
from encnn.schemes.rings.array import RingArray
from encnn.schemes.rings.parameters import RingParameters

Assistance = Literal["none", "answers", "refresh"]
"""What the owner does in training: nothing, answer each mini-batch with its encrypted errors, or refresh the weights."""

SMALL_MODEL_BYTES = 64 << 20
"""Size of the weights in a calibration: beyond the nearest caches, so that sums of rows are as slow as in a large model."""
BLOCK_ROWS = 16
RUN_S = 0.15
STEP_S = 0.3
MAX_REVIEWS = 4096
ROUNDS = 3
LONG_TRIP_S = 1.0
"""Trips that take longer leave memory idle for so long that a virtual machine may give it back to its host."""
PAUSE_S = 3.0
"""How long a rehearsal waits in place of such a trip."""
NOTICEABLE = 1.4
"""How much longer steps with twice the vocabulary must take before the difference is believed."""


@dataclass(frozen=True)
class Task:
    """What is to be trained: the network (its `features` are the vocabulary), the plan, how many reviews of how many words.

    words: the mean of stored features a review (all of them if they are dense).  largest: of the longest review, where the
    owner's refreshes depend on it.  whole: whether dense features are whole numbers, which some schemes ask for.
    """

    architecture: Architecture
    plan: TrainingPlan
    reviews: int
    words: float
    dense: bool = False
    largest: float | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no task."""
        if self.reviews < 1 or not 1 <= self.words <= self.architecture.features:
            raise ParameterError(
                f"{self.reviews} reviews of {self.words} words over {self.architecture.features} features: expected at least "
                "one review, of at least one word and at most all"
            )

    @classmethod
    def of(cls, X: Features, plan: TrainingPlan, architecture: Architecture) -> Self:
        """Return the task of training this network on features X."""
        if isinstance(X, np.ndarray):
            whole = X.dtype.kind in "iub"
            return cls(architecture, plan, X.shape[0], float(X.shape[1]), dense=True, whole=whole)
        words = max(X.nnz / X.shape[0], 1.0)
        largest = max(batch.largest_row() for _, batch in batches(X, max(X.shape[0], 1)))
        return cls(architecture, plan, X.shape[0], words, largest=largest)

    @property
    def steps(self) -> int:
        """Mini-batches in all epochs."""
        return self.plan.epochs * -(-self.reviews // self.plan.batch_size)


@dataclass(frozen=True)
class Cost:
    """What a task costs under some parameters.

    setup_cpu_s: making keys and encrypting the weights.  trainer_cpu_s, owner_cpu_s: in training.  base_ms, word_ms: the
    trainer's CPU milliseconds a review are base + word * words.  keys_bytes, model_bytes: in memory.  keys_file_bytes,
    start_file_bytes, trained_file_bytes: written, of the keys, of fresh weights and of trained ones.  trips, bytes_up,
    bytes_down: to the owner and back.
    """

    setup_cpu_s: float
    trainer_cpu_s: float
    owner_cpu_s: float
    base_ms: float
    word_ms: float
    keys_bytes: int
    model_bytes: int
    keys_file_bytes: int
    start_file_bytes: int
    trained_file_bytes: int
    trips: int = 0
    bytes_up: int = 0
    bytes_down: int = 0

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all parties."""
        return self.setup_cpu_s + self.trainer_cpu_s + self.owner_cpu_s

    @property
    def memory_bytes(self) -> int:
        """Keys and model, as the trainer holds them."""
        return self.keys_bytes + self.model_bytes

    def __str__(self) -> str:
        """Say it in a line."""
        parts = [f"about {duration_text(self.trainer_cpu_s)} of CPU time for the trainer"]
        if self.trips:
            parts.append(
                f"{duration_text(self.owner_cpu_s)} for the owner in {self.trips:,} trips, {size_text(self.bytes_up)} up and "
                f"{size_text(self.bytes_down)} down"
            )
        parts.append(f"{duration_text(self.setup_cpu_s)} for keys and encryption")
        parts.append(f"memory: keys {size_text(self.keys_bytes)}, weights {size_text(self.model_bytes)}")
        parts.append(f"files: keys {size_text(self.keys_file_bytes)}, trained weights {size_text(self.trained_file_bytes)}")
        return "; ".join(parts)


def estimate_cost(task: Task, parameters: SchemeParameters) -> Cost:
    """Return what the task costs under these parameters of any scheme (see the module's formula).

    Raises what the scheme raises if it cannot train such a network.

    >>> from encnn.schemes import ClearParameters
    >>> from encnn.sigmoid import taylor
    >>> task = Task(Architecture(1000), TrainingPlan(taylor(5)), reviews=500, words=40)
    >>> estimate_cost(task, ClearParameters()).model_bytes       # a number of 8 bytes a weight, 1000 x 8 + 8 of them
    64064
    """
    c = _calibrate(_calibrated_task(task), parameters, assistance(task, parameters))
    epochs, features = task.plan.epochs, task.architecture.features
    review_s = c.base_s + c.word_s * task.words
    trips, up, down, owner_s = 0, 0.0, 0.0, epochs * task.reviews * c.answer_s
    trainer_s = epochs * task.reviews * review_s + task.steps * features * c.row_s
    if c.assistance == "answers":
        trips, (up, down) = task.steps, (epochs * task.reviews * b for b in c.trip_bytes)
    if c.assistance == "refresh":
        trips = -(-task.steps // c.steps_a_trip) - 1
        up, down = (trips * features * b for b in c.trip_bytes)
        owner_s += trips * features * c.owner_trip_row_s
        trainer_s += trips * features * c.trainer_trip_row_s
    return Cost(
        setup_cpu_s=c.keys_s + features * c.encrypt_row_s,
        trainer_cpu_s=trainer_s,
        owner_cpu_s=owner_s,
        base_ms=1e3 * c.base_s,
        word_ms=1e3 * c.word_s,
        keys_bytes=c.keys_bytes,
        model_bytes=round(c.fixed_bytes + features * c.row_bytes),
        keys_file_bytes=c.keys_file_bytes,
        start_file_bytes=round(features * c.start_row_bytes),
        trained_file_bytes=round(features * c.trained_row_bytes),
        trips=trips,
        bytes_up=round(up),
        bytes_down=round(down),
    )


def announce(name: str, X: Features, plan: TrainingPlan, architecture: Architecture, parameters: SchemeParameters) -> Cost:
    """Print what a run of that name will cost, and return it: every job does so before it trains for long."""
    cost = estimate_cost(Task.of(X, plan, architecture), parameters)
    print(f"{name}: {cost}", flush=True)
    return cost


def forget() -> None:
    """Forget all calibrations, for a machine whose speed has changed."""
    _calibrate.cache_clear()


def assistance(task: Task, parameters: SchemeParameters) -> Assistance:
    """Return what the owner must do in training under these parameters."""
    if isinstance(parameters, ckks.Parameters):
        levels = refresh.step_levels(task.architecture, task.plan.sigmoid)
        return "none" if task.steps * levels <= parameters.levels else "refresh"
    if isinstance(parameters, RingParameters):
        return "refresh"
    with_modulus = type(parameters) is integer_vector.Parameters and parameters.q_bits is not None
    return "answers" if with_modulus and not task.architecture.hidden else "none"


class Rehearsal:
    """A small owner with the parameters of a task, its encrypted model, and a trainer of synthetic reviews.

    how: what the owner does in training.  rows: of the small vocabulary, if not those of a calibration.  All weights are
    copies of a few ciphertexts, which is as good for measuring.
    """

    def __init__(self, task: Task, parameters: SchemeParameters, how: Assistance, rows: int | None = None) -> None:
        self.task, self.parameters, self.assistance = task, parameters, how
        begun = time.process_time()
        self.owner = Owner(replace(task.architecture, features=self._first_rows()), task.plan.sigmoid, parameters)
        self.keys_s = time.process_time() - begun
        self.evaluator = self.owner.evaluator
        self._rng = np.random.default_rng(0)
        first = self.owner.encrypt(self._start(self._first_rows())).network  # the first call may compile
        begun = time.process_time()
        self.owner.encrypt(self._start(self._first_rows()))
        self.encrypt_row_s = (time.process_time() - begun) / len(first.W1)
        self.row_bytes, self.fixed_bytes = first.W1.nbytes / len(first.W1), 0 if first.W2 is None else first.W2.nbytes
        self.first, self.network = first, self._enlarged(first, rows or self._rows())
        self.reviews = 0
        self._assistant: Assistant | None = None
        self.step: ErrorStep | None = None
        if self.assistance == "answers":
            self._assistant = Assistant(self.owner.secret_key, task.architecture.outputs)  # type: ignore[arg-type]
            self.step = AssistedStep(DirectChannel(self._assistant))
        self._warm_up()

    @property
    def rows(self) -> int:
        """Rows of the small vocabulary."""
        return len(self.network.W1)

    @property
    def answers(self) -> Any:
        """Counts of the owner's answers so far, or None."""
        return None if self._assistant is None else self._assistant.tally

    def seconds(self, words: int, batch: int, steps: int, network: Network | None = None) -> tuple[float, float]:
        """Return CPU seconds (trainer, owner) of `steps` mini-batches from the start, in a network that may be given."""
        network, X = (network or self.network).copy(), self.reviews_of(words, batch * steps, len((network or self.network).W1))
        y = self._rng.integers(0, 2, batch * steps)
        y = y if network.architecture.outputs == 1 else y % network.architecture.outputs
        plan = replace(self.task.plan, batch_size=batch, epochs=1, decay=0.0, shrink=1.0)
        owner_before = 0.0 if self._assistant is None else self._assistant.tally.cpu_seconds
        begun = time.process_time()
        train(self.evaluator, network, X, y, plan, Help(self.step), keep_scores=False)
        total = time.process_time() - begun
        owner = 0.0 if self._assistant is None else self._assistant.tally.cpu_seconds - owner_before
        self.trained, self.reviews = network, self.reviews + batch * steps
        return total - owner, owner

    def batch(self, size: int) -> Batch:
        """Return a synthetic mini-batch of so many reviews, or of as many as fill a ciphertext."""
        size = self.task.plan.batch_size if self.task.dense else size
        return next(batches(self.reviews_of(round(self.task.words), size), size))[1]

    def smaller(self) -> Network:
        """Return the network with half of its rows."""
        return self._with_rows(self.network.W1[: self.rows // 2])

    def refreshed(self) -> tuple[float, float, tuple[int, int]]:
        """Return CPU seconds (trainer, owner) and bytes (up, down) of one refresh of the first rows, as after training."""
        if not self.task.dense:
            self.seconds(1, 1, 1, self.first)  # leaves rows unreduced
        for _ in range(2):  # the first call may compile
            network = self.trained.copy()
            model = EncryptedModel(self.evaluator, network, self.task.plan.sigmoid)
            side = refresh.OwnerOfWeights(self.owner.secret_key, model, math.inf)
            begun = time.process_time()
            refresh.WeightRefresh(model, DirectChannel(side)).now()
            total = time.process_time() - begun
        tally = side.tally
        return total - tally.cpu_seconds, tally.cpu_seconds, (tally.bytes_up, tally.bytes_down)

    def steps_a_trip(self) -> int:
        """Return the mini-batches that fresh weights last for."""
        if isinstance(self.parameters, ckks.Parameters):
            return self.parameters.levels // refresh.step_levels(self.task.architecture, self.task.plan.sigmoid)
        p, plan, longest = self.evaluator.parameters, self.task.plan, round(self.task.largest or self.task.words)
        slope = getattr(plan.sigmoid, "coefficients", (0.0, 0.0))[1]
        needed = refresh.step_bits(p, plan, csr_array(np.ones((plan.batch_size, longest), np.int8)))
        (n_1, s_1), (n_2, s_2) = (refresh.factor_growth(p, f) for f in (slope, plan.learning_rate))
        spent = np.log2(s_1 * s_2 + plan.batch_size * n_2 * n_1 * longest)  # as `needed`, but for the labels, which add little
        return 1 + int(max(_budget(self.network.W1) - needed, 0) // spent)

    def _rows(self) -> int:
        features = self.task.architecture.features
        wide = max(2 * round(self.task.words), round(SMALL_MODEL_BYTES / self.row_bytes), BLOCK_ROWS)
        return features if self.task.dense else min(features, wide)

    def _first_rows(self) -> int:
        return self.task.architecture.features if self.task.dense else min(self.task.architecture.features, BLOCK_ROWS)

    def _start(self, rows: int) -> Network:
        a = replace(self.task.architecture, features=rows)
        return Network.initial(a, np.random.default_rng(0), first_layer_sd=0.01)

    def _enlarged(self, first: Network, rows: int) -> Network:
        if len(first.W1) == rows:
            return first
        whole, rest = divmod(rows, len(first.W1))
        parts = [first.W1] * whole + ([first.W1[:rest]] if rest else [])
        return self._with_rows(self.evaluator.concatenate(parts), first)

    def _with_rows(self, W1: Encrypted, like: Network | None = None) -> Network:
        W2 = (like or self.network).W2
        return Network(replace(self.task.architecture, features=len(W1)), W1, W2)

    def reviews_of(self, words: int, reviews: int, rows: int | None = None) -> Features:
        """Return synthetic features: so many distinct words a review out of `rows` (all there are), or dense numbers."""
        return synthetic_features(self._rng, reviews, words, rows or self.rows, self.task.dense, self.task.whole)

    def _warm_up(self) -> None:
        """Have keys prepared and loops compiled, for single reviews and for mini-batches."""
        words = min(2, self.rows) if not self.task.dense else self.rows
        batch = self.task.plan.batch_size if isinstance(self.parameters, ckks.Parameters) else min(self.task.plan.batch_size, 2)
        begun = time.process_time()
        self.seconds(words, batch, 1)
        if isinstance(self.parameters, bootstrapped.Parameters):
            self.keys_s += time.process_time() - begun  # masks are expanded and keys transformed at the first bootstrap


@dataclass(frozen=True)
class _Calibration:
    """What a rehearsal measured: CPU seconds and bytes of a review, a word, a row of weights, and of a row in a trip.

    With answers `trip_bytes` are those of a review.
    """

    assistance: Assistance
    keys_s: float
    encrypt_row_s: float
    base_s: float
    word_s: float
    row_s: float
    answer_s: float
    keys_bytes: int
    keys_file_bytes: int
    fixed_bytes: int
    row_bytes: float
    start_row_bytes: float
    trained_row_bytes: float
    trip_bytes: tuple[float, float] = (0.0, 0.0)
    steps_a_trip: int = 1
    owner_trip_row_s: float = 0.0
    trainer_trip_row_s: float = 0.0


def _calibrated_task(task: Task) -> Task:
    """Return the task as far as the calibration depends on it, so that similar tasks share one."""
    return replace(task, plan=replace(task.plan, epochs=1), reviews=1, words=float(max(1, round(task.words))))


@lru_cache(maxsize=64)
def _calibrate(task: Task, parameters: SchemeParameters, how: Assistance) -> _Calibration:
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
    return _Calibration(
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
    """Return (reviews a mini-batch, mini-batches) of the runs to measure: as in the task, unless that would take long."""
    wanted, p = rehearsal.task.plan.batch_size, rehearsal.parameters
    if isinstance(p, ckks.Parameters):
        return wanted, 1  # a ciphertext costs the same whether it is full or not
    if isinstance(p, integer_vector.Parameters) and rehearsal.assistance == "answers":
        batch = min(wanted, p.d)
        return batch, -(-p.d // batch)  # one polynomial of masks
    batch = 1
    while (spent := rehearsal.seconds(words, batch, 1)[0]) < STEP_S and batch < wanted:
        batch = min(2 * batch, wanted)
    if rehearsal.assistance == "refresh":
        return batch, rehearsal.steps_a_trip()
    return batch, max(1, min(round(RUN_S / max(spent, 1e-6)), MAX_REVIEWS // batch))


def _review_seconds(rehearsal: Rehearsal, words: int, batch: int, steps: int, pause_s: float = 0) -> tuple[float, float]:
    """Return CPU seconds a review (trainer, owner): medians over some runs, with a pause before each."""
    if isinstance(rehearsal.network.W1, PackedArray):
        return _packed_review_seconds(rehearsal, batch)
    runs = []
    for _ in range(ROUNDS):
        time.sleep(pause_s)
        runs.append(rehearsal.seconds(words, batch, steps))
    trainer, owner = np.median(np.array(runs), axis=0) / (batch * steps)
    return float(trainer), float(owner)


def _packed_review_seconds(rehearsal: Rehearsal, batch: int) -> tuple[float, float]:
    """Return the mean over the levels at which steps are made: a step takes the longer, the more primes are left."""
    needed = refresh.step_levels(rehearsal.task.architecture, rehearsal.task.plan.sigmoid)
    starts = [rehearsal.network]
    if rehearsal.steps_a_trip() > 1:
        starts.append(Network(rehearsal.network.architecture, rehearsal.network.W1.lowered(needed), rehearsal.network.W2))
    seconds = [rehearsal.seconds(rehearsal.rows, batch, 1, start)[0] for start in starts]
    return float(np.mean(seconds)) / batch, 0.0


def _row_seconds(rehearsal: Rehearsal, batch: int, steps: int) -> float:
    """Return what a step takes for each row of the vocabulary; 0 unless it is plain to see in steps of hardly any words.

    Long reviews would not do: in a larger model their rows are in a slower cache, which is no cost of the vocabulary.
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
        "keys_bytes": getattr(evaluator, "nbytes", 0),
        "keys_file_bytes": sum(a.nbytes for a in exported.values()),
        "fixed_bytes": rehearsal.fixed_bytes,
        "row_bytes": rehearsal.row_bytes,
        "start_row_bytes": start.nbytes / len(first),
        "trained_row_bytes": trained.nbytes / len(rehearsal.trained.W1),
    }


def _trips(rehearsal: Rehearsal) -> dict[str, Any]:
    """Return what trips to the owner take: nothing, bytes of the answers for a review, or the refresh of a row."""
    if rehearsal.assistance == "answers":
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


def _budget(W: RingArray) -> float:
    """Return the bits left: of noise or of plaintext, whichever are fewer."""
    return min(W.noise_budget_bits, W.plaintext_budget_bits)


def synthetic_features(
    rng: np.random.Generator, reviews: int, words: int, features: int, dense: bool = False, whole: bool = False
) -> Features:
    """Return reviews of so many distinct words, all equally frequent, or dense ones: 0 and 1, or fractions of norm 1 or so."""
    if dense and whole:
        return rng.integers(0, 2, (reviews, features))
    if dense:
        return rng.normal(0.0, 1.0 / np.sqrt(features), (reviews, features))
    indices = np.concatenate([np.sort(rng.choice(features, words, replace=False, shuffle=False)) for _ in range(reviews)])
    pointers = np.arange(0, len(indices) + 1, words)
    return csr_array((np.ones(len(indices), np.int8), indices, pointers), shape=(reviews, features))


def size_text(number: float) -> str:
    """Return bytes in a unit that suits them.

    >>> size_text(31457280), size_text(2.62e11), size_text(2.73e18)
    ('31.5 MB', '262 GB', '2.73 EB')
    """
    power = max(0, min(6, int(math.log10(max(number, 1.0)) // 3)))
    return f"{number / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB')[power]}"


def duration_text(seconds: float) -> str:
    """Return seconds in a unit that suits them.

    >>> duration_text(0.25), duration_text(90), duration_text(5e6)
    ('0.25 s', '1.5 min', '1,389 h')
    """
    if seconds < 60:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.3g} min" if seconds < 3600 else f"{seconds / 3600:{'.3g' if seconds < 3.6e6 else ',.0f'}} h"
