"""The cost of a run before it starts: CPU seconds, memory, bytes on disk and bytes between the parties.

    CPU s of training = epochs reviews (a + b words + c vocabulary / batch)  +  trips (e + f vocabulary)
    CPU s before it   = keys + encryption of vocabulary rows
    bytes             = keys + vocabulary * bytes of a row

An owner with *the same parameters* makes keys and a network over a small vocabulary.  A trainer makes some steps on synthetic
reviews, first with all words of the task and then with a quarter of them.  This gives a and b for this machine and process.
Mini-batches have the size of the task, or are smaller if a step would take long, where a review costs the same.

c is what each row of the vocabulary adds to a step, whether the step uses the row or not.  In most schemes this is nothing, so
it only counts if twice the rows take noticeably longer.  In fixed point, FV and YASHE bring all rows to a larger scale at every
step, and first reduce what the previous step left unreduced.  So their rehearsals have as many steps as fresh weights allow.

e and f are the owner's cost of refreshing the weights, if a scheme needs it.  If the owner answers with the errors of each
mini-batch (`encnn.parties.assistance.scores`), the trainer's part of that is in a.  Sizes are those of the small keys and rows.

During a long trip to the owner a virtual machine may give idle memory back to its host.  The first use of such memory can cost
up to half of a step of large ciphertexts, and how much memory is gone differs from trip to trip.  So steps that follow long
trips are measured both without a pause and after one, and the mean counts.

The formula leaves out predictions, scores that are kept, the shrinking of weights at the end of an epoch, and the first touch
of memory, which matters in short runs.

Calibration takes a few seconds, or longer if a single step does.  The process keeps the results.
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
    """The cost of a task under some parameters."""

    setup_cpu_s: float  # to make keys and to encrypt the weights
    trainer_cpu_s: float  # the trainer, in training
    owner_cpu_s: float  # the owner, in training
    keys_bytes: int  # of the keys in memory
    model_bytes: int  # of the weights in memory
    keys_file_bytes: int  # of the keys in a file
    start_file_bytes: int  # of fresh weights in a file
    trained_file_bytes: int  # of trained weights in a file
    trips: int = 0  # from the trainer to the owner and back
    bytes_up: int = 0  # from the trainer to the owner
    bytes_down: int = 0  # from the owner to the trainer

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all parties together."""
        return self.setup_cpu_s + self.trainer_cpu_s + self.owner_cpu_s

    @property
    def memory_bytes(self) -> int:
        """Bytes of keys and model in the trainer's memory."""
        return self.keys_bytes + self.model_bytes

    def __str__(self) -> str:
        """Return one line with times, trips and sizes."""
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

    If the scheme cannot train such a network, its error is passed on.

    >>> from encnn.schemes import ClearParameters
    >>> from encnn.arithmetic.sigmoid import taylor
    >>> task = Task(Architecture(1000), TrainingPlan(taylor(5)), reviews=500, words=40)
    >>> estimate_cost(task, ClearParameters()).model_bytes       # 1000 x 8 + 8 weights, 8 bytes per weight
    64064
    """
    c = calibrate(calibrated_task(task), parameters, assistance(task, parameters))
    epochs, features = task.plan.epochs, task.architecture.features
    review_s = c.base_s + c.word_s * task.words
    trips, up, down, owner_s = 0, 0.0, 0.0, epochs * task.reviews * c.answer_s
    trainer_s = epochs * task.reviews * review_s + task.steps * features * c.row_s
    if c.assistance == "errors":
        trips, (up, down) = task.steps, (epochs * task.reviews * b for b in c.trip_bytes)
    if c.assistance == "weights":
        trips = -(-task.steps // c.steps_a_trip) - 1
        up, down = (trips * features * b for b in c.trip_bytes)
        owner_s += trips * features * c.owner_trip_row_s
        trainer_s += trips * features * c.trainer_trip_row_s
    return Cost(
        setup_cpu_s=c.keys_s + features * c.encrypt_row_s,
        trainer_cpu_s=trainer_s,
        owner_cpu_s=owner_s,
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
    """Print what a run of this name will cost, and return it.  Every job does so before it trains for long."""
    cost = estimate_cost(Task.of(X, plan, architecture), parameters)
    print(f"{name}: {cost}", flush=True)
    return cost
