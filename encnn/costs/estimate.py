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

from dataclasses import dataclass

from encnn.costs.calibration import calibrate, calibrated_task
from encnn.costs.task import Task, assistance
from encnn.costs.units import duration_text, size_text
from encnn.data import Features
from encnn.network import Architecture, TrainingPlan
from encnn.schemes import SchemeParameters


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
    >>> from encnn.arithmetic.sigmoid import taylor
    >>> task = Task(Architecture(1000), TrainingPlan(taylor(5)), reviews=500, words=40)
    >>> estimate_cost(task, ClearParameters()).model_bytes       # a number of 8 bytes a weight, 1000 x 8 + 8 of them
    64064
    """
    c = calibrate(calibrated_task(task), parameters, assistance(task, parameters))
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
    calibrate.cache_clear()
