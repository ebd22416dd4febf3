"""A new scheme is a folder and a line in the table of schemes: one defined here trains, goes into files, and is compared."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from test_experiments_comparison import small

from encnn import Architecture, EncryptedModel, Network, Owner, Trainer, TrainingPlan
from encnn.arithmetic.sigmoid import taylor
from encnn.experiments import comparison
from encnn.schemes import SCHEMES, fv
from encnn.schemes.base import ComparedPreset, Scheme
from encnn.schemes.fv import FVEvaluator, FVParameters, FVSecretKey
from encnn.schemes.rings.factory import Factory

SIGMOID = taylor(1)


@dataclass(frozen=True, kw_only=True, repr=False)
class MineParameters(FVParameters):
    scheme: ClassVar[str] = "mine"


class MineEvaluator(FVEvaluator):
    scheme: ClassVar[str] = "mine"


@pytest.fixture
def preset() -> Iterator[MineParameters]:
    values = {f.name: getattr(fv.TOY, f.name) for f in fields(fv.TOY)}
    mine = MineParameters(**values | {"name": "mine-toy-INSECURE"})
    factory = Factory(MineParameters, FVSecretKey, MineEvaluator)
    compared = [ComparedPreset("mine", mine, SIGMOID)]
    restorers = factory.restore_evaluator, factory.restore_secret_key
    SCHEMES.append(Scheme("mine", MineParameters, factory.make_keys, *restorers, [mine], compared))
    yield mine
    SCHEMES.pop()


def test_a_scheme_of_ones_own_trains_saves_loads_and_is_compared(preset: MineParameters, tmp_path) -> None:
    X, y = np.eye(4, dtype=np.int64), np.array([0, 1, 0, 1])
    architecture, plan = Architecture(4, hidden=0, pooling="sum"), TrainingPlan(SIGMOID, 0.25, batch_size=4)
    owner = Owner(architecture, SIGMOID, preset)
    owner.encrypt(Network(architecture, np.zeros((4, 1)), None)).save(tmp_path / "model")
    trainer = Trainer(EncryptedModel.load(tmp_path / "model"))
    trainer.train(X, y, plan)
    trainer.model.save(tmp_path / "trained")
    owner.save_secret(tmp_path / "secret")
    again = Owner.load(tmp_path / "secret")
    W = again.decrypt_network(EncryptedModel.load(tmp_path / "trained")).W1[:, 0]
    np.testing.assert_allclose(W, [-0.125, 0.125, -0.125, 0.125], atol=1e-3)
    table: pd.DataFrame = comparison.table([small()], [case for case in comparison.cases() if case.name in ("clear", "mine")])
    assert list(table["scheme"]) == ["clear", "mine"] and table["test accuracy percent"].notna().all()
