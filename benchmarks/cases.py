"""The cases that are measured: for each scheme its parameters, a network to train, and the size of synthetic reviews."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from encnn.arithmetic.sigmoid import ExactSigmoid, least_squares, taylor
from encnn.costs import Task
from encnn.costs.rehearsal import Rehearsal, rows_together
from encnn.costs.task import assistance
from encnn.costs.timing import cpu_seconds
from encnn.experiments.helped import helped
from encnn.network import Architecture, Network, TrainingPlan
from encnn.parties import Owner
from encnn.schemes import ClearParameters, SchemeParameters, bootstrapped, ckks, fv, yashe
from encnn.schemes.integer_vector import ADDITIVE_128, COMPACT_128, PAPER

WORDS = 90
"""Words per synthetic review: about the mean of the real reviews."""
VOCABULARY = 8000
"""Words in the vocabulary, about as many as in the main run, for schemes whose rows are small."""


@dataclass(frozen=True)
class BenchmarkCase:
    """One case, which has a line in each table."""

    name: str  # as tables show it
    task: Task  # what is trained; `task.reviews` is the slice of an epoch that is measured
    parameters: SchemeParameters  # the parameter set of the scheme

    @property
    def scheme(self) -> str:
        """The name of the scheme's package."""
        return "clear" if isinstance(self.parameters, ClearParameters) else self.parameters.__module__.split(".")[2]

    @property
    def security_bits(self) -> float:
        """The bits of security: the least over all attacks, and 0 in the clear and without a modulus."""
        return security_bits(self.parameters)

    def rehearsal(self) -> Rehearsal:
        """Return keys, an encrypted model and a trainer."""
        return Rehearsal(self.task, self.parameters, assistance(self.task, self.parameters))

    def twin(self) -> Rehearsal:
        """Return the same rehearsal in the clear."""
        return Rehearsal(self.task, ClearParameters(), "none", together=rows_together(self.parameters))


def security_bits(parameters: SchemeParameters) -> float:
    """Return the bits of security: the least over all attacks, and 0 in the clear and without a modulus."""
    estimate = getattr(parameters, "security", None)
    return 0.0 if estimate is None else float(estimate.bits)


def _linear(features: int) -> Architecture:
    return Architecture(features, hidden=0, pooling="sum")


PAPER_TASK = Task(Architecture(VOCABULARY), TrainingPlan(taylor(5)), 2000, WORDS)
ASSISTED_TASK = Task(_linear(VOCABULARY), TrainingPlan(ExactSigmoid(), 0.01), 2048, WORDS)
BOOTSTRAPPED_TASK = Task(_linear(VOCABULARY), TrainingPlan(ExactSigmoid(), 0.005, batch_size=16), 128, WORDS)
RING_PLAN = TrainingPlan(taylor(1), 2.0**-7, batch_size=16)
PACKED_TASK = Task(_linear(128), TrainingPlan(least_squares(3, 8.0), 2.0 / 4096, batch_size=4096), 8192, 128, dense=True)

CASES = (
    BenchmarkCase("clear", PAPER_TASK, ClearParameters()),
    BenchmarkCase("integer vectors, paper", PAPER_TASK, PAPER),
    BenchmarkCase("integer vectors, assisted", ASSISTED_TASK, COMPACT_128),
    BenchmarkCase("integer vectors, assisted, wide", ASSISTED_TASK, ADDITIVE_128),
    BenchmarkCase("bootstrapped", BOOTSTRAPPED_TASK, bootstrapped.ONE_LEVEL_128),
    BenchmarkCase("bootstrapped, two levels", BOOTSTRAPPED_TASK, bootstrapped.TWO_LEVEL_128),
    BenchmarkCase("FV", Task(_linear(300), RING_PLAN, 128, 40), fv.FRACTIONAL_128),
    BenchmarkCase("YASHE", Task(_linear(120), RING_PLAN, 64, 40), yashe.FRACTIONAL_128),
    BenchmarkCase("CKKS", PACKED_TASK, ckks.LOGISTIC_128),
)
PRODUCT_SETS: tuple[tuple[str, Any], ...] = (("fv", fv.DEPTH_128), ("yashe", yashe.DEPTH_128))
"""Parameters that allow products of ciphertexts, of schemes whose cases above train without any."""


def named(name: str) -> BenchmarkCase:
    """Return the case of this name."""
    return next(case for case in CASES if case.name == name)


@dataclass(frozen=True)
class TimedRun:
    """The costs of a run."""

    trainer_s: float  # CPU seconds of the trainer
    owner_s: float  # CPU seconds of the owner
    weight_bytes: int  # of the encrypted weights
    trips: int = 0  # to the owner
    bytes_up: int = 0  # sent to the owner
    bytes_down: int = 0  # sent back by the owner


def trained(task: Task, parameters: SchemeParameters, X: Any, y: np.ndarray) -> TimedRun:
    """Train a new network on features X and labels y under new keys, with the owner's help if the scheme needs it."""
    owner = Owner(task.architecture, task.plan.sigmoid, parameters, insecure=True)
    model = owner.encrypt(Network.initial(task.architecture, np.random.default_rng(0)))
    weights = model.network.W1.nbytes
    run = helped(owner, model, X, task.plan)
    run.model.evaluator.prepare()
    _, spent = cpu_seconds(run.train, X, y, task.plan)
    tally = run.tally
    crossed = tally.trips, tally.bytes_up, tally.bytes_down
    return TimedRun(spent - tally.cpu_seconds, tally.cpu_seconds, weights, *crossed)
