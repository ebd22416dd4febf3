"""Packed scores of FV and YASHE: right values, noise within the bounds, small files, and hostile files that are refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from encnn import files
from encnn.arithmetic.sigmoid import taylor
from encnn.errors import FileError
from encnn.network import Architecture, Network
from encnn.parties import Owner, User
from encnn.parties.model import SCORES
from encnn.schemes import fv, yashe
from encnn.schemes.rings.packing import PackedRows, room
from encnn.schemes.rings.parameters import primes_of_bits


def small(module: Any, encoding: str, N: int = 64) -> Any:
    p = module.TOY.updated(name="packed-INSECURE")
    q, scale = primes_of_bits(N, (30,) * 6), 1 << 10
    if encoding == "fractional":
        return p.updated(encoding=encoding, N=N, q_primes=q, t_primes=primes_of_bits(N, (17,), q), special_prime=0,
                         fraction_digits=8, scale=1, value_limit=4.0)  # fmt: skip
    return p.updated(encoding=encoding, N=N, q_primes=q, t_primes=primes_of_bits(N, (20,), q), special_prime=0, scale=scale)


CASES = [(module, encoding) for module in (fv, yashe) for encoding in ("coefficients", "fractional")]
NAMES = [f"{module.__name__.split('.')[-1]}-{encoding}" for module, encoding in CASES]


@pytest.mark.parametrize(("module", "encoding"), CASES, ids=NAMES)
@pytest.mark.parametrize("shape", [(2, 1), (3, 2), (70, 1), (41, 3)])
def test_every_number_is_read_where_it_stood(module, encoding, shape):
    p = small(module, encoding)
    secret, evaluator = module.SCHEME.make_keys(p, [shape[1]])
    v = np.random.default_rng(1).uniform(-3.9, 3.9, shape)
    a = secret.encrypt(v)
    found = evaluator.condense(a)
    assert isinstance(found, PackedRows) and found.shape == shape and found.nbytes <= a.nbytes / 2
    assert found.together <= room(p, shape[1], a.bounds)
    np.testing.assert_array_equal(secret.decrypt(found), secret.decrypt(a))  # nothing is rounded
    assert secret.measure_noise(found.blocks) <= found.blocks.bounds.noise == found.together * a.bounds.noise


@pytest.mark.parametrize(("module", "encoding"), CASES, ids=NAMES)
def test_no_more_are_packed_than_their_noise_allows(module, encoding):
    secret, evaluator = module.SCHEME.make_keys(small(module, encoding), [1])
    a = secret.encrypt(np.ones((4, 1)))
    for noise, blocks in ((0.2, 2), (0.15, 2), (0.1, 1)):
        found = evaluator.condense(a.like(a.residues(), replace(a.bounds, noise=noise)))
        assert len(found.blocks) == blocks and found.blocks.bounds.noise < 0.5
    loud = a.like(a.residues(), replace(a.bounds, noise=0.3))
    assert evaluator.condense(loud) is loud


@pytest.mark.parametrize("module", [fv, yashe], ids=["fv", "yashe"])
def test_slots_stay_as_they_are(module):
    secret, evaluator = module.SCHEME.make_keys(module.TOY, [1])
    a = secret.encrypt(np.ones((4, 1)))
    assert evaluator.condense(a) is a


@pytest.mark.parametrize(("module", "encoding"), CASES, ids=NAMES)
def test_changed_files_are_refused(tmp_path, module, encoding):
    a = Architecture(6, hidden=0, pooling="sum")
    owner = Owner(a, taylor(1), small(module, encoding), insecure=True)
    user = User(owner.encrypt(Network(a, np.linspace(-1, 1, 6)[:, None], None)))
    X = np.random.default_rng(2).integers(0, 2, (70, 6))
    user.save_scores(user.predict(X), tmp_path / "scores")
    np.testing.assert_allclose(owner.load_scores(tmp_path / "scores"), X @ np.linspace(-1, 1, 6)[:, None], atol=0.03)
    header, arrays = files.read(tmp_path / "scores", SCORES)
    data, said = arrays["scores"], header["scores"]
    assert data.dtype == np.uint32
    changes: list[tuple[dict, dict]] = [
        ({"scores": said | {"blocks": said["blocks"] + 1}}, {}),
        ({"scores": said | {"blocks": 1}}, {"scores": data[:1]}),
        ({"scores": said | {"blocks": 0}}, {"scores": data[:0]}),
        ({"scores": said | {"blocks": 71}}, {"scores": np.repeat(data, 71, axis=0)[:71]}),
        ({"scores": said | {"bounds": said["bounds"] | {"noise": 0.5}}}, {}),
        ({"shape": [1 << 40, 1]}, {}),
        ({}, {"scores": data.astype(np.int64)}),
        ({}, {"scores": data | np.uint32(1 << 31)}),
    ]
    for i, (other, others) in enumerate(changes):
        files.write(tmp_path / f"{i}", SCORES, header | other, arrays | others)
        with pytest.raises(FileError):
            owner.load_scores(tmp_path / f"{i}")
