"""Bootstraps beside those of TFHE-go: lines of peers.csv, if the program of tfhe_go/main.go is there.

Both sides turn a ciphertext of a number into a ciphertext of a function of it, by a key switch, a modulus switch and a blind
rotation of a table of 1,024 places, with N = 1024, k = 2, blocks of four bits and, at one level, one digit of 23 bits.  The
table of TFHE-go's set has eight steps, one for each message of three bits; the other tables have a value per place.  TFHE-go
takes ciphertexts one by one.  Its set has the small dimension 820, which the estimator of this package gives fewer than 128
bits, so it is measured with our dimension and noise as well.  `bits` are by that estimator.  `noise` is log2 of the measured
deviation of results, as a fraction of the torus.

Each round measures all on one core, one after the other, and the medians of the rounds count.
"""

import json
import math
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.suite import timed
from encnn.errors import DataError
from encnn.progress import progress
from encnn.schemes import bootstrapped, make_keys
from encnn.schemes.bootstrapped.bootstrap import bootstrap
from encnn.schemes.bootstrapped.parameters import KEY_BITS, TORUS_BITS, BootstrappedParameters
from encnn.schemes.bootstrapped.tables import make_table
from encnn.security.estimate import estimate

PROGRAM = "ENCNN_TFHE_GO"
"""The environment variable that names the program."""
SETS = (bootstrapped.ONE_LEVEL_128, bootstrapped.TWO_LEVEL_128)
BATCHES = (1, 16)
ROUNDS = 15
COUNT = 16
"""Bootstraps of each side in a round, one after the other or together; the first one finds its key in no cache."""
CHECKED = 200
"""Bootstraps whose noise is measured."""


@dataclass(frozen=True)
class Description:
    """What the program says of itself, in the letters of `BootstrappedParameters`."""

    n: int
    k: int
    N: int
    block: int
    lwe_sigma: float
    glwe_sigma: float
    deviation: float  # of the noise of results, measured, as a fraction of the torus


class Peer:
    """The running program."""

    def __init__(self, command: list[str], name: str) -> None:
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        except OSError as error:
            raise DataError(_refusal(command, error)) from error
        try:
            found = Description(**json.loads(self._read()))
        except (ValueError, TypeError) as error:
            self._process.kill()
            self.close()
            raise DataError(_refusal(command, error)) from error
        self.name, self.noise = f"{name}, n = {found.n}", math.log2(found.deviation)
        small = estimate(found.n, TORUS_BITS, found.lwe_sigma * 2.0**TORUS_BITS, f"block({found.block})")
        large = estimate(found.k * found.N, KEY_BITS, found.glwe_sigma * 2.0**KEY_BITS, "binary")
        self.bits = min(small.bits, large.bits)

    def seconds(self) -> float:
        """Return the CPU seconds per bootstrap."""
        self._process.stdin.write(f"{COUNT}\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]
        return float(self._read()) / COUNT

    def close(self) -> None:
        """End the program."""
        self._process.communicate()

    def _read(self) -> str:
        return self._process.stdout.readline()  # type: ignore[union-attr]


def _refusal(command: list[str], error: Exception) -> str:
    return (
        f"{PROGRAM} names {command[0]}, which does not answer like the program of benchmarks/tfhe_go/main.go: {error}; "
        "build it as the file says"
    )


def table(program: str, sets: tuple[BootstrappedParameters, ...] = SETS, rounds: int = ROUNDS) -> pd.DataFrame:
    """Return lines for peers.csv: for each set and batch, ours beside the peer's own set and beside that with our dimension."""
    p, names = sets[0], dict[tuple[BootstrappedParameters, int, float], Callable[[], float]]()
    with _one_core():
        peers = [Peer([program], "TFHE-go"), Peer([program, str(p.n), str(p.lwe_sigma)], "TFHE-go")]
        try:
            for own in sets:
                noise, jobs = _ours(own)
                names |= {(own, batch, noise): job for batch, job in jobs.items()}
            measure = [*(peer.seconds for peer in peers), *names.values()]
            for act in measure:
                act()  # compiles
            runs = np.array([[act() for act in measure] for _ in progress(range(rounds), "beside TFHE-go", unit="round")])
        finally:
            for peer in peers:
                peer.close()
    return pd.DataFrame(_lines(peers, list(names), runs))


def _lines(
    peers: list[Peer], names: list[tuple[BootstrappedParameters, int, float]], runs: np.ndarray
) -> Iterator[dict[str, Any]]:
    """Yield a line for each of ours beside each peer; columns of runs are the CPU seconds of the peers, then of ours."""
    for i, (p, batch, noise) in enumerate(names, start=len(peers)):
        for j, peer in enumerate(peers):
            ours, theirs = 1e3 * np.median(runs[:, [i, j]], axis=0)
            yield {
                "operation": f"bootstrap, {batch} at a time",
                "parameters": p.name,
                "peer": peer.name,
                "ours_ms": round(ours, 3),
                "peer_ms": round(theirs, 3),
                "ours_to_peer": round(float(np.median(runs[:, i] / runs[:, j])), 3),
                "bits": round(p.security.bits),
                "peer_bits": round(peer.bits),
                "noise": round(noise, 1),
                "peer_noise": round(peer.noise, 1),
            }


def _ours(p: BootstrappedParameters) -> tuple[float, dict[int, Callable[[], float]]]:
    """Return (log2 of the measured noise of results, for each batch what measures the CPU seconds per bootstrap)."""
    secret, evaluator = make_keys(p, [1], [])
    key: Any = evaluator.key  # type: ignore[attr-defined]
    z = secret.encrypt(np.zeros((max(CHECKED, *BATCHES), 1))).data
    constant = make_table(p, lambda z: np.full_like(z, 2.0 ** (p.z_bits - 4)))  # the place, which is noisy, must not count
    off = secret.torus_phase(bootstrap(key, z[:CHECKED], constant)) - 2.0**-4  # type: ignore[attr-defined]
    jobs = {B: _per_one(partial(bootstrap, key, z[:B], constant), B) for B in BATCHES}
    return math.log2(math.sqrt(np.mean(off**2))), jobs


def _per_one(act: Callable[[], object], batch: int) -> Callable[[], float]:
    """Return what measures the CPU seconds per bootstrap of an act that does a batch of them."""
    times = COUNT // batch
    seconds = timed(lambda: [act() for _ in range(times)])
    return lambda: seconds() / times / batch


@contextmanager
def _one_core() -> Iterator[None]:
    """Keep this process, and those that it starts, on one core meanwhile, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
