"""Ciphertexts without a mask, which anybody reads, are told in every scheme, and refused where models are read."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from encnn import Architecture, EncryptedModel, Network, Owner, taylor
from encnn.attacks.training import substitute
from encnn.errors import FileError
from encnn.schemes import bootstrapped, fv, yashe
from encnn.schemes.integer_vector import ADDITIVE_128, COMPACT_128, PAPER

LINEAR = Architecture(6, hidden=0, pooling="sum")
PARAMETERS = [
    COMPACT_128,
    ADDITIVE_128,
    bootstrapped.BOOTSTRAP_TOY,
    fv.ADDITIVE_128,
    fv.FRACTIONAL_128,
    yashe.ADDITIVE_128,
    yashe.FRACTIONAL_128,
]


def network(seed: int = 0) -> Network:
    return Network.initial(LINEAR, np.random.default_rng(seed), first_layer_sd=0.3)


def plain(a: Any, number: float) -> Any:
    """Return ciphertexts of `number` that whoever has `a` writes without a mask."""
    return a * 0 + number


@pytest.mark.parametrize("p", PARAMETERS, ids=lambda p: p.name)
def test_plain_ciphertexts_are_told_from_encrypted_ones(p: Any) -> None:
    owner = Owner(LINEAR, taylor(1), p)
    evaluator, W = owner.evaluator, owner.secret_key.encrypt(network().W1)
    assert not evaluator.readable(W)
    assert not evaluator.readable(W + W) and not evaluator.readable(W * 2 + 1.0)
    assert evaluator.readable(plain(W, 0.5)) and evaluator.readable(plain(W, 0.5) * 3 + 0.25)
    assert np.allclose(owner.decrypt(plain(W, 0.5)), 0.5), "a plain number is a ciphertext under every key"
    assert evaluator.readable(evaluator.concatenate([W, plain(W[:1], 0.5)])), "one of many is enough"


def test_blocks_of_weights_without_masks_are_told() -> None:
    owner = Owner(LINEAR, taylor(1), bootstrapped.BOOTSTRAP_TOY)
    W = owner.encrypt(network()).network.W1
    assert not owner.evaluator.readable(W)
    W.data[-1] = 0
    assert owner.evaluator.readable(W)


def test_a_direction_of_rank_one_without_masks_is_not_loaded(tmp_path: Path) -> None:
    a = Architecture(4, hidden=8)
    model = Owner(a, taylor(1), bootstrapped.HIDDEN_TOY, insecure=True).encrypt(Network.initial(a, np.random.default_rng(0)))
    model.save(tmp_path / "encrypted")
    assert EncryptedModel.load(tmp_path / "encrypted").network.direction is not None
    w = model.network.direction
    model.network.direction = replace(w, data=w.data * np.array([1, 0, 0], np.int32)[:, None], seed=None)
    model.save(tmp_path / "plain")
    with pytest.raises(FileError, match="weights have no masks, so anybody reads them"):
        EncryptedModel.load(tmp_path / "plain")


@pytest.mark.parametrize("p", [COMPACT_128, fv.ADDITIVE_128, yashe.ADDITIVE_128], ids=lambda p: p.name)
def test_models_that_anybody_reads_are_not_loaded(p: Any, tmp_path: Path) -> None:
    owner = Owner(LINEAR, taylor(1), p)
    model = owner.encrypt(network())
    model.save(tmp_path / "encrypted")
    assert np.allclose(owner.decrypt_network(EncryptedModel.load(tmp_path / "encrypted")).W1, network().W1, atol=1e-2)
    substitute(model, network(1)).save(tmp_path / "plain")
    with pytest.raises(FileError, match="weights have no masks, so anybody reads them"):
        EncryptedModel.load(tmp_path / "plain")


def test_without_a_modulus_nothing_is_hidden_and_nothing_told() -> None:
    owner = Owner(LINEAR, taylor(1), PAPER)
    assert not owner.evaluator.readable(plain(owner.encrypt(network()).network.W1, 0.5))


def test_transparent_ciphertexts_of_seal(tmp_path: Path) -> None:
    s = pytest.importorskip("tenseal.sealapi")
    from encnn.schemes import ckks

    owner = Owner(LINEAR, taylor(1), ckks.TOY)
    model, ring = owner.encrypt(network()), owner.evaluator.context.ring
    W = model.network.W1
    assert not owner.evaluator.readable(W)
    mute = s.Ciphertext(ring.context)
    mute.resize(ring.context, W.blocks[0].parms_id(), 2)
    assert owner.evaluator.readable(W.with_blocks([mute] * len(W.blocks)))
