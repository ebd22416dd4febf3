"""Lattice reduction over the dimension: `python -m encnn.experiments lattice` measures it and writes lattice_attack.csv.

It takes some minutes.  Reduction is deterministic, so block sizes repeat; times depend on the machine.
"""

from collections.abc import Sequence

import pandas as pd

from encnn.attacks.lattice import SWEEP, measure
from encnn.experiments.console import job_options, show
from encnn.experiments.results import Results
from encnn.schemes.integer_vector import IntegerVectorParameters


def main(arguments: Sequence[str] | None = None, sweep: Sequence[tuple[IntegerVectorParameters, Sequence[int]]] = SWEEP) -> int:
    """Measure all of `sweep`; return the exit status."""
    options = job_options(__name__, "Recover keys by lattice reduction.", corpus=False).parse_args(arguments)
    table = pd.concat([measure(p, dimensions) for p, dimensions in sweep]).round({"cpu_s": 4})
    results = Results(options.folder)
    show(results, "lattice_attack", "Keys recovered by lattice reduction, over the dimension", table)
    results.finish()
    return 0
