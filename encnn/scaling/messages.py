"""Messages between the driver and the workers of a cluster: a small header, and named arrays."""

from typing import Any

import numpy as np

from encnn.data.batches import Conditioned
from encnn.network import Architecture, TrainingPlan
from encnn.network.partial_scores import PartialScores
from encnn.schemes import ClearParameters, make_keys, restore_evaluator
from encnn.schemes.base import Encrypted, Evaluator
from encnn.schemes.factored import FactoredScores

Message = tuple[dict[str, Any], dict[str, np.ndarray]]
"""Header and arrays, the form in which files also hold keys and ciphertexts."""

NO_NEWS: Message = ({"version": -1, "sums": []}, {})


def pack(evaluator: Evaluator, **encrypted: Encrypted) -> Message:
    """Return encrypted arrays as a message."""
    header: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for name, a in encrypted.items():
        if isinstance(a, FactoredScores):
            parts, more = pack(evaluator, factors=a.factors, sums=a.sums)
            header[name] = parts | {"counts": a.counts, "gains": a.gains}
            arrays |= {name: more["sums"], f"{name}_factors": more["factors"]}
            continue
        array, counts = (a.parts, a.counts) if isinstance(a, PartialScores) else (a, None)
        described, arrays[name] = evaluator.export_array(array)
        header[name] = {"array": described, "shape": list(array.shape), "counts": counts}
    return header, arrays


def unpack(evaluator: Evaluator, message: Message) -> dict[str, Encrypted]:
    """Return the encrypted arrays of a message."""
    header, arrays = message
    found: dict[str, Encrypted] = {}
    for name, a in arrays.items():
        if name in header and "gains" in header[name]:
            told = header[name]
            both = unpack(evaluator, (told, {"sums": a, "factors": arrays[f"{name}_factors"]}))
            found[name] = FactoredScores(both["sums"], both["factors"], told["counts"], told["gains"])
        elif name in header:
            array = evaluator.restore_array(header[name]["array"], a, tuple(header[name]["shape"]))
            counts = header[name]["counts"]
            found[name] = array if counts is None else PartialScores(array, counts)
    return found


def only(reply: Message, name: str) -> Message:
    """Return the message `name` that another one contains."""
    header, prefix = reply[0][name] or {}, f"{name}_"
    return header, {key.removeprefix(prefix): a for key, a in reply[1].items() if key.startswith(prefix)}


def describe(evaluator: Evaluator) -> Message:
    """Return an evaluator as a message: its public keys."""
    if isinstance(evaluator.parameters, ClearParameters):
        return {"clear": evaluator.parameters}, {}
    header, arrays = evaluator.export()
    return {"scheme": evaluator.scheme, "keys": header}, arrays


def restore(keys: Message, architecture: Architecture, plan: TrainingPlan) -> Evaluator:
    """Return the evaluator of a message."""
    header, arrays = keys
    if "clear" in header:
        return make_keys(header["clear"], ())[1]
    return restore_evaluator(header["scheme"], header["keys"], arrays, architecture.products(plan.sigmoid))


def nbytes_of(found: object) -> int:
    """Return the bytes of all arrays in nested lists, tuples and dicts."""
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, list | tuple):
        return sum(nbytes_of(part) for part in found)
    if isinstance(found, np.ndarray):
        return found.nbytes
    if isinstance(found, Conditioned):
        return nbytes_of(found.parts())
    return sum(getattr(found, name).nbytes for name in ("data", "indices", "indptr")) if hasattr(found, "indptr") else 0
