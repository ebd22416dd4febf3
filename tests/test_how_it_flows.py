"""The page "How it flows" tells the way that a run takes."""

import re
import sys
from pathlib import Path
from types import FrameType

import numpy as np
from scipy.sparse import csr_array

import encnn
from encnn import Architecture, ExactSigmoid, Network, Owner, Trainer, TrainingPlan
from encnn.network.rehearsal import rehearse
from encnn.schemes.bootstrapped import BOOTSTRAP_TOY

PAGE = Path("docs/how-it-flows.md").read_text()
PACKAGE = Path(encnn.__file__).parent
Stop = tuple[str, str]


def told() -> list[Stop]:
    """Return (module, function) of each stop of the page."""
    (table,) = re.findall(r"<!-- bootstrapped -->(.*)<!-- /bootstrapped -->", PAGE, re.DOTALL)
    return re.findall(r"^\| `(.+?)` \| `(.+?)` \|", table, re.MULTILINE)


def followed(trainer: Trainer, X: csr_array, y: np.ndarray, plan: TrainingPlan, stops: list[Stop]) -> list[Stop]:
    """Return the stops that a run makes, one for each call; those of its rehearsal in the clear are not among them."""
    met: list[Stop] = []
    in_clear = rehearse.__code__

    def note(frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event != "call" or not path.is_relative_to(PACKAGE):
            return
        stop = str(path.relative_to(PACKAGE)), frame.f_code.co_qualname.replace("BootstrappedEvaluator.", "")
        if stop in stops and not _inside(frame, in_clear):
            met.append(stop)

    sys.setprofile(note)
    try:
        trainer.train(X, y, plan)
    finally:
        sys.setprofile(None)
    return met


def _inside(frame: FrameType | None, code: object) -> bool:
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame is not None


def test_a_bootstrapped_mini_batch_makes_the_stops_of_the_page() -> None:
    X = csr_array((np.random.default_rng(0).random((8, 20)) < 0.3).astype(np.int64))
    plan, architecture = TrainingPlan(ExactSigmoid(), 0.05, batch_size=8), Architecture(20, hidden=0, pooling="sum")
    trainer = Trainer(Owner(architecture, plan.sigmoid, BOOTSTRAP_TOY, insecure=True).encrypt(Network.zeros(architecture)))
    stops = told()
    met = followed(trainer, X, np.arange(8) % 2, plan, stops)
    assert len(stops) > 15 and list(dict.fromkeys(met)) == list(dict.fromkeys(stops))
    calls = iter(met)
    assert all(stop in calls for stop in stops)  # in this order


def test_the_modules_of_the_page_exist() -> None:
    named = set(re.findall(r"\b((?:parties|network|schemes|data|arithmetic|files)/[\w/]+\.py)", PAGE)) - {
        "schemes/NAME/evaluator.py"
    }
    assert len(named) > 8 and not [name for name in named if not (PACKAGE / name).exists()]
