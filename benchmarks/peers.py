"""Operations under FV beside those of SEAL with the same primes: lines of peers.csv.  `bootstraps` measures the others.

Each round measures both, one after the other, and the medians over the rounds count.  The ratios depend on the machine as well:
SEAL's loops are compiled for all machines of a kind, and ours for the one that runs them.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmarks.suite import timed
from encnn.progress import progress
from encnn.schemes import fv, make_keys
from encnn.schemes.bilinear import elementwise
from encnn.schemes.ckks.seal import sealapi
from encnn.schemes.fv.seal import SealBfv

ROUNDS = 7


def table(p: fv.FVParameters = fv.DEPTH_128, rounds: int = ROUNDS) -> pd.DataFrame:
    """Return columns operation, parameters, peer, ours_ms, peer_ms, ours_to_peer: CPU milliseconds per call.

    It needs TenSEAL.
    """
    lines = []
    for name, both in progress(list(_operations(p).items()), "beside SEAL", unit="operation"):
        measure = [timed(act) for act in both]
        for act in measure:
            act()  # compiles
        seconds = np.array([[act() for act in measure] for _ in range(rounds)])
        ours, theirs = 1e3 * np.median(seconds, axis=0)
        lines.append((name, p.name, "SEAL", ours, theirs, float(np.median(seconds[:, 0] / seconds[:, 1]))))
    return pd.DataFrame(lines, columns=["operation", "parameters", "peer", "ours_ms", "peer_ms", "ours_to_peer"]).round(3)


def _operations(p: fv.FVParameters) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """Return (ours, SEAL's) of each operation, on all slots."""
    slots = p.N // 2
    secret, evaluator = make_keys(p, [slots], [elementwise(slots)], public_widths=[1])
    (other, usual), v = (SealBfv(sealapi(), p, own) for own in (False, True)), np.arange(slots) % 3 - 1.0
    a, s, u = evaluator.encrypt(v), other.encrypt(v), usual.encrypt(v)  # type: ignore[attr-defined]
    return {
        "encryption": (lambda: evaluator.encrypt(v), lambda: other.encrypt(v)),  # type: ignore[attr-defined]
        "addition": (lambda: a + a, lambda: other.add(s, s)),
        "product with plain numbers": (
            lambda: evaluator.multiply_entries(a, v),  # type: ignore[attr-defined]
            lambda: other.multiply_plain(s, v),
        ),
        "product, relinearised": (lambda: evaluator.multiply(a, a), lambda: other.multiply(s, s)),
        "product, relinearised, SEAL with its usual primes": (lambda: evaluator.multiply(a, a), lambda: usual.multiply(u, u)),
        "decryption": (lambda: secret.decrypt(a), lambda: other.decrypt(s)),
    }
