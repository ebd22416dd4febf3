"""Fuzzing of every kind of file, with the digest recomputed: `python tests/fuzz_files.py --cases 50000`.

Valid files of every kind are changed as one who knows the format can change them: the header (values, types, fields more and
fields fewer, at any depth), the arrays (types, shapes, entries, names), the list of arrays, and raw bytes.  Each is then loaded
by the party who would load it.

It is a fault if anything but the documented errors comes of it, if it takes over two seconds or more memory than `bound`, or
if a file is accepted whose header says something else than was written: whatever is accepted differs from the original in
fields of `UNCHECKABLE` only, is written again with the very header that was read, and where it names another key or other
parameters, its owner refuses it.
"""

import argparse
import copy
import dataclasses
import functools
import hashlib
import json
import random
import re
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from encnn.arithmetic.sigmoid import ExactSigmoid, PolynomialSigmoid, least_squares, taylor
from encnn.data.recipes import Recipe, TableFeatures, UnpublishedFeatures, WordFeatures
from encnn.data.reviews import Vocabulary
from encnn.errors import DataError, DivergenceError, FileError, KeyMismatchError
from encnn.files import archive
from encnn.network import Architecture, Network
from encnn.parties import EncryptedModel, Owner, User
from encnn.parties.assistance import folders, scores, weights
from encnn.parties.model import MODEL, SCORES, SECRET
from encnn.scaling import checkpoints, federation
from encnn.schemes import ckks, fv, yashe
from encnn.schemes.bootstrapped import BOOTSTRAP_TOY
from encnn.schemes.integer_vector import COMPACT_128, MODULUS_TOY, PAPER

REFUSALS = (FileError, KeyMismatchError)
ANSWERS = (*REFUSALS, DataError, DivergenceError)
SECONDS = 2.0

CHECKED_BY_OWNER = (r"((keys|secret|source|target)\.)?(key_id|stride)", r"((keys|secret)\.)?parameters\..*")
"""The name of a key and its parameters: a reader without the key sees whether they fit the arrays, its owner refuses others."""

UNCHECKABLE = {
    **dict.fromkeys(CHECKED_BY_OWNER, "the owner refuses ciphertexts of another key or of other parameters"),
    r"(.*\.)?(value|noise)|.*bounds\.(magnitude|noise|low|high)": "bounds of computed ciphertexts: only the key tells",
    r".*bounds\.scale|scores\.scale|.*parts\[\d+\]\[0\]\.scale": "the scale of computed ciphertexts: only the key tells",
    r"(.*\.)?seed|(.*\.)?seeds\.\d+|keys\.[a-z]+_seed": "another seed is other ciphertexts, as other arrays are",
    r"sigmoid\..*|architecture\.hidden_sigmoid.*": "a sigmoid with a name of its own, whose products fit the keys",
    r"architecture\.(features|hidden|outputs)": "sizes of a network that neither its key nor blocks of numbers show",
    r"(.*\.)?places(\[.*)?|shape\[0\]": "where numbers stand in their blocks, and how many of them",
    r"keys\.ranges\..*": "the ranges of a hidden layer, which the trainer chooses, and no array shows",
    r"weight_bound": "the announced bound on weights: only the key tells",
    r"architecture\.pooling": "the pooling, which no array shows",
    r"features(\..*)?": "scores say which features they are of; a recipe that is not published is a fingerprint",
    r"trip|rate|first|kept_labels|reason|run": "what a message says: whether it is due is checked where it is used",
    r"keys\.(public|relinearisation|(products|switches|public_widths|steps)(\[\d+\])?)": "left out with its arrays",
}
"""Fields that may say something else in an accepted file, as regular expressions of their paths, and why."""


@dataclass(frozen=True)
class Case:
    """A valid file: its kind, how it is loaded, how what was loaded is written again, and its owner's judgement of it."""

    kind: str
    load: Callable[[Path], Any]
    save: Callable[[Any, Path], Any] | None = None
    open: Callable[[Any], Any] | None = None
    refusals: tuple[type[Exception], ...] = REFUSALS
    weight: int = 10


class Zoo:
    """One valid file of every kind and scheme, in `folder`; the `small` zoo leaves out the schemes with large keys."""

    def __init__(self, folder: Path, small: bool = False) -> None:
        self.folder, self.cases = folder, {}  # type: Path, dict[str, Case]
        words = WordFeatures(Vocabulary(("bad", "film", "good", "no")), counts=True)
        cubic = least_squares(3, 8.0)
        square = PolynomialSigmoid("square", (0.0, 1.0, 0.25), (-4.0, 4.0))
        self._owner("paper", Architecture(4, 2, 1, "mean", square), taylor(3), PAPER, public=True, features=words)
        self._owner("classes", Architecture(4, 0, 3), taylor(1), PAPER, features=UnpublishedFeatures(words.fingerprint))
        self._owner("modulus", Architecture(4, 0, 1, "sum"), cubic, MODULUS_TOY, features=TableFeatures(("a", "b", "c", "d")))
        self._owner("compact", Architecture(4, 0, 1, "sum"), ExactSigmoid(), COMPACT_128)
        self._owner("yashe", Architecture(4, 0, 1, "sum"), cubic, yashe.TOY, weight=3)
        if not small:
            self._owner("bootstrapped", Architecture(4, 0, 1, "sum"), ExactSigmoid(), BOOTSTRAP_TOY, weight=3)
            self._owner("fv", Architecture(4, 2, 1, "sum"), cubic, fv.TOY, public=True, weight=3)
            self._owner("ckks", Architecture(4, 0, 1, "sum"), cubic, ckks.TOY, weight=1)
        self._messages()
        self._weights()
        self._federation()
        archive.write(folder / "run", checkpoints.RUN, {"run": "0" * 64}, {})
        self.cases["run"] = Case(checkpoints.RUN, lambda path: _run_of(path, folder), refusals=ANSWERS)

    def _owner(
        self, name: str, a: Architecture, sigmoid: Any, parameters: Any, public: bool = False, features: Recipe | None = None,
        weight: int = 10,
    ) -> None:  # fmt: skip
        owner = Owner(a, sigmoid, parameters, public=public, features=features)
        setattr(self, name, owner)
        model = owner.encrypt(Network.initial(a, np.random.default_rng(1), first_layer_sd=0.1))
        model.save(self.folder / f"{name} model")
        save = EncryptedModel.save if name != "ckks" else None  # SEAL writes seeds as the masks that they stand for
        self.cases[f"{name} model"] = Case(MODEL, EncryptedModel.load, save, owner.decrypt_network, weight=weight)
        user = User(model)
        user.save_scores(user.predict(np.eye(4, dtype=np.int64)[:2]), self.folder / f"{name} scores")
        self.cases[f"{name} scores"] = Case(SCORES, owner.load_scores, weight=weight)
        if name != "ckks":
            owner.save_secret(self.folder / f"{name} secret")
            judge = lambda other: other.decrypt_network(model)  # noqa: E731
            self.cases[f"{name} secret"] = Case(SECRET, Owner.load, Owner.save_secret, judge, weight=weight)

    def _messages(self) -> None:
        owner: Owner = self.compact  # type: ignore[attr-defined]
        context, model = owner.evaluator.context, EncryptedModel.load(self.folder / "compact model")  # type: ignore[attr-defined]
        z = User(model).predict(np.eye(4, dtype=np.int64)[:2])
        request = scores.Request(1, 0.1, z, np.array([[0], [1]], dtype=np.int8))
        assistant = lambda: scores.Assistant(owner.secret_key, labels=np.array([0, 1]))  # noqa: E731
        first = assistant()
        opening, answer = first.opening(), first.answer(request)
        kept = dataclasses.replace(request, labels=None, rows=np.arange(2))
        folders.write_opening(self.folder / "opening", opening, context)
        folders.write_request(self.folder / "request", request)
        folders.write_request(self.folder / "request by number", kept)
        folders.write_answer(self.folder / "answer", answer)
        folders.write_labels(self.folder / "labels", owner.encrypt_labels(np.array([0, 1])))

        def step(opening: Any, answer: Any) -> Any:
            return scores.AssistedStep(_Scripted(opening, answer))(model.evaluator, z, np.zeros((2, 1)), 0.1)

        reads = {
            "opening": (folders.OPENING, lambda path: step(folders.read_opening(path), answer)),
            "request": (folders.REQUEST, lambda path: assistant().answer(folders.read_request(path, context, 1))),
            "request by number": (folders.REQUEST, lambda path: assistant().answer(folders.read_request(path, context, 1))),
            "answer": (folders.ANSWER, lambda path: step(opening, folders.read_answer(path))),
            "labels": (folders.LABELS, lambda path: folders.read_labels(path, context)),
        }
        self.cases |= {name: Case(kind, load, refusals=ANSWERS) for name, (kind, load) in reads.items()}

    def _weights(self) -> None:
        owner: Owner = self.yashe  # type: ignore[attr-defined]
        model = EncryptedModel.load(self.folder / "yashe model")
        parts = weights.as_parts(owner.evaluator, weights.weights_of(model.network))
        sent = weights.Weights(1, model.evaluator.context.key_id, parts)  # type: ignore[attr-defined]
        side = lambda: weights.OwnerOfWeights(owner.secret_key, model)  # noqa: E731
        folders.write_weights(self.folder / "weights", sent, folders.WEIGHTS)
        folders.write_weights(self.folder / "fresh weights", side().answer(sent), folders.FRESH_WEIGHTS)

        def renewed(path: Path) -> None:
            reply = folders.read_weights(path, folders.FRESH_WEIGHTS)
            weights.WeightRefresh(model.copy(), _Scripted(side().opening(), reply)).now()

        answered = lambda path: side().answer(folders.read_weights(path, folders.WEIGHTS))  # noqa: E731
        self.cases["weights"] = Case(folders.WEIGHTS, answered, refusals=ANSWERS, weight=3)
        self.cases["fresh weights"] = Case(folders.FRESH_WEIGHTS, renewed, refusals=ANSWERS, weight=3)

    def _federation(self) -> None:
        for name in ("paper", "modulus"):
            a, b = (Owner(Architecture(4, 0, 1, "sum"), taylor(1), getattr(self, name).parameters) for _ in range(2))
            recipient = federation.recipient_key(b)
            federation.write_recipient_key(self.folder / f"{name} recipient", recipient)
            federation.write_reencryption_key(self.folder / f"{name} switch", federation.reencryption_key(a, recipient))
            self.cases |= {
                f"{name} recipient": Case(
                    federation.RECIPIENT,
                    federation.read_recipient_key,
                    lambda key, path: federation.write_recipient_key(path, key),
                ),
                f"{name} switch": Case(
                    federation.REENCRYPTION,
                    federation.read_reencryption_key,
                    lambda key, path: federation.write_reencryption_key(path, key),
                ),
            }


@dataclass
class _Scripted:
    """A channel that says what it was told to say."""

    opening: Any
    reply: Any

    def open(self) -> Any:
        return self.opening

    def ask(self, _: Any) -> Any:
        return self.reply


def _run_of(path: Path, folder: Path) -> None:
    """Read a run's file as `train_resumably` does."""
    place = folder / "resumed"
    place.mkdir(exist_ok=True)
    (place / "model-00000016").touch()  # the file is read where a model is kept
    (place / checkpoints.RUN).write_bytes(path.read_bytes())
    checkpoints._check_same_run(place, "0" * 64)


# -- changes

EXTREMES: list[Any] = [0, -1, 1, 2, 7, 2**31, 2**63, 2**64, 10**400, 0.5, -0.0, 1.0, 1e308, 5e-324, "", "x", "0" * 32, "../x"]
EXTREMES += [[], {}, [[]], [0], True, False, None]
UNKNOWN = ("new", "W3", "name", "degree", "seed", "experimental", "insecure", "__class__")


def relatives(value: Any, rng: random.Random) -> list[Any]:
    """Return values near this one: of another type, a little larger or smaller, part of it."""
    if isinstance(value, bool):
        return [int(value), not value, str(value), float(value)]
    if isinstance(value, int):
        close = [value + 1, value - 1, -value, 2 * value, value // 2]
        return [*close, float(min(value, 10**300)), bool(value), str(value), [value]]
    if isinstance(value, float):
        whole = [int(value)] if abs(value) < 1e300 else []
        return [value * 1.000001, value * 2, -value, value / 2, str(value), np.nextafter(value, 1e300).item(), *whole]
    if isinstance(value, str):
        flipped = value[:-1] + ("0" if value[-1:] != "0" else "1")
        return [value.upper(), value + " ", flipped, value[1:], value[::-1], [value], value + "\n"]
    if isinstance(value, list):
        return [
            value + value,
            value[:-1],
            value[::-1],
            value[0] if value else None,
            {str(i): item for i, item in enumerate(value)},
        ]
    return [list(value), {**value, "new": 1}, None, {}] if isinstance(value, dict) else EXTREMES


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """Return the path of everything inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [step for key, inner in inside for step in [(*path, key), *places(inner, (*path, key))]]


def change_json(value: Any, rng: random.Random) -> None:
    """Change one to three things in a JSON object, in place."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = places(value)
        *path, last = rng.choice(found) if found else ("new",)
        parent = functools.reduce(lambda inner, key: inner[key], path, value)
        how = rng.choice(("relative", "relative", "relative", "extreme", "remove", "add", "copy"))
        if how == "remove" and (isinstance(parent, list) or last in parent):
            del parent[last]
        elif how == "add" and isinstance(parent, dict):
            parent[rng.choice(UNKNOWN)] = rng.choice(EXTREMES)
        elif how == "copy" and found:
            parent[last] = copy.deepcopy(functools.reduce(lambda inner, key: inner[key], rng.choice(places(value)), value))
        else:
            known = parent[last] if isinstance(parent, list) else parent.get(last)
            nearby = relatives(known, rng) if how == "relative" else EXTREMES
            parent[last] = copy.deepcopy(rng.choice(nearby or EXTREMES))


DTYPES = ["|b1", "|i1", "<i2", "<i4", "<i8", "|u1", "<u4", "<u8", "<f2", "<f4", "<f8"]


def changed_array(a: np.ndarray, rng: random.Random) -> np.ndarray:
    """Return the array with another type, another shape or other entries."""
    how = rng.choice(("type", "empty", "flat", "axis", "shorter", "longer", "turned", "entry", "entry", "noise", "nan"))
    if how == "type":
        with np.errstate(all="ignore"):
            return a.astype(rng.choice(DTYPES))
    if how == "nan":
        return np.full(a.shape, rng.choice((np.nan, np.inf, 0.5)))
    if how == "noise":
        return np.frombuffer(rng.randbytes(a.nbytes), a.dtype).reshape(a.shape) if a.dtype != bool else ~a
    if how == "entry" and a.size and a.dtype.kind in "iu":
        a, info = a.copy(), np.iinfo(a.dtype)
        a.flat[rng.randrange(a.size)] = rng.choice((info.min, info.max, 0, 1, info.max // 2, info.max // 3))
        return a
    shapes = {"empty": a[:0], "flat": a.ravel(), "axis": a[None], "shorter": a[..., :-1], "turned": np.ascontiguousarray(a.T)}
    return shapes.get(how, np.concatenate([a, a]) if a.ndim else a)


def change_arrays(arrays: dict[str, np.ndarray], rng: random.Random) -> None:
    """Change, remove, rename, add or exchange an array, in place."""
    names = sorted(arrays)
    how = rng.choice(("change", "change", "change", "remove", "rename", "add", "swap")) if names else "add"
    name = rng.choice(names) if names else ""
    if how == "change":
        arrays[name] = changed_array(arrays[name], rng)
    elif how == "swap":
        other = rng.choice(names)
        arrays[name], arrays[other] = arrays[other], arrays[name]
    elif how == "add":
        fresh = rng.choice(("new", "T_x", "T_3", "T_03", "W2", "product_9", "labels", "features"))
        arrays[fresh] = arrays[name] if names else np.zeros(3)
    else:
        taken = arrays.pop(name)
        if how == "rename":
            arrays[rng.choice(("new", "T_9", "product_9", "W3", "W2", "features"))] = taken


def container(fields: dict, arrays: dict[str, np.ndarray]) -> bytes:
    """Return the file of any header.json, even one that `archive.write` would refuse: checksums, directory and digest fit."""
    raw = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode("ascii")
    head = archive._header_member(raw)
    out, directory = bytearray(head.local + raw), head.central(0)
    for name, a in arrays.items():
        spec = archive.ArraySpec(name, a.dtype.str, a.shape)
        member = archive._member(spec.member_name, spec.npy_header, archive._raw(a))
        directory += member.central(len(out))
        out += member.local + member.prefix + bytes(member.data)
    count = 1 + len(arrays)
    end = archive._END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), len(out), archive._DIGEST_BYTES)
    return sealed(bytes(out + directory + end) + bytes(archive._DIGEST_BYTES))


def sealed(data: bytes) -> bytes:
    """Return the file with a digest that fits."""
    body = data[: -archive._DIGEST_BYTES]
    return body + b"sha256:" + hashlib.sha256(body).hexdigest().encode()


def changed_bytes(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with some of them flipped, dropped or doubled, under a digest that fits."""
    raw = bytearray(data)
    at = rng.randrange(len(raw))
    how = rng.choice(("flip", "flip", "drop", "double", "cut"))
    if how == "flip":
        for _ in range(rng.randint(1, 8)):
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    elif how == "cut":
        del raw[at:]
    else:
        piece = raw[at : at + rng.randint(1, 40)]
        raw[at : at + len(piece) * (how == "drop")] = b"" if how == "drop" else piece
    return sealed(bytes(raw))


def mutant(data: bytes, kind: str, rng: random.Random) -> tuple[str, bytes]:
    """Return what was changed, and the file."""
    header, arrays = archive.from_bytes(data, kind)
    how = rng.choices(("header", "arrays", "both", "container", "bytes"), (60, 20, 5, 10, 5))[0]
    if how == "bytes":
        return how, changed_bytes(data, rng)
    if how in ("header", "both"):
        change_json(header, rng)
    if how in ("arrays", "both"):
        change_arrays(arrays, rng)
    try:
        written = archive.to_bytes(kind, header, arrays)
    except (FileError, OverflowError):  # what no writer makes
        return "unwritable", sealed(data)
    if how == "container":
        start = len(archive._header_member(b"").local)
        fields = json.loads(written[start : start + int.from_bytes(written[18:22], "little")])
        change_json(fields, rng)
        try:
            return how, container(fields, arrays)
        except (ValueError, OverflowError):
            return "unwritable", sealed(data)
    return how, written


# -- judgement


@dataclass
class Tally:
    """What came of the cases: how many of each kind of change were refused, accepted as they were, accepted as others."""

    outcomes: Counter = field(default_factory=Counter)
    accepted_fields: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0
    most_memory: float = 0.0


def bound(size: int) -> int:
    """Return the memory that loading a file of this size may take."""
    return 10 * size + 200 * 10**6


def differences(a: Any, b: Any, path: str = "") -> list[str]:
    """Return the paths at which two JSON values differ, in value or in type."""
    if isinstance(a, dict) and isinstance(b, dict):
        missing = [f"{path}.{key}" for key in a.keys() ^ b.keys()]
        return missing + [d for key in a.keys() & b.keys() for d in differences(a[key], b[key], f"{path}.{key}")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [d for i, pair in enumerate(zip(a, b, strict=True)) for d in differences(*pair, f"{path}[{i}]")]
    return [] if type(a) is type(b) and a == b else [path]


def judge(case: Case, original: bytes, data: bytes, path: Path, tally: Tally, measured: bool) -> str:
    """Load one file; return what came of it."""
    path.write_bytes(data)
    if measured:
        tracemalloc.start()
    begun = time.process_time()
    try:
        found = case.load(path)
        outcome = "accepted"
    except case.refusals:
        outcome = "refused"
    finally:
        tally.slowest = max(tally.slowest, time.process_time() - begun)
        if measured:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            tally.most_memory = max(tally.most_memory, peak / bound(len(data)))
    if outcome == "refused" or data == original:
        return outcome if data != original else "unchanged"
    accepted(case, original, data, found, path, tally)
    return outcome


def accepted(case: Case, original: bytes, data: bytes, found: Any, path: Path, tally: Tally) -> None:
    """Raise `AssertionError` if an accepted file says something that it must not say."""
    (before, arrays), (after, others) = (archive.from_bytes(d, case.kind) for d in (original, data))
    changed = [d.lstrip(".") for d in differences(before, after)]
    for place in changed:
        why = [pattern for pattern in UNCHECKABLE if re.fullmatch(pattern, place)]
        assert why, f"a change of {place} was accepted"
        tally.accepted_fields[re.sub(r"\d+", "0", place)] += 1
    left_out = arrays.keys() - others.keys()
    assert others.keys() <= arrays.keys(), "an unknown array was accepted"
    assert not left_out or changed, f"{left_out} are missing, unnoticed"
    for name, a in others.items():
        assert a.dtype == arrays[name].dtype, f"{name} of type {a.dtype} was accepted"
        assert a.shape == arrays[name].shape or changed, f"{name} of shape {a.shape} was accepted"
    if case.save is not None:
        again = path.with_name("again")
        case.save(found, again)
        assert archive.read(again, case.kind)[0] == after, "what was read is written otherwise"
    if case.open is not None and any(re.fullmatch(pattern, place) for pattern in CHECKED_BY_OWNER for place in changed):
        try:
            case.open(found)
        except KeyMismatchError:
            return
        raise AssertionError(f"another {changed} was opened by the owner")


def fuzz(zoo: Zoo, cases: int, seed: int, measure_every: int = 10) -> Tally:
    """Try so many cases; return what came of them."""
    rng, tally = random.Random(seed), Tally()
    names = [name for name, case in zoo.cases.items() for _ in range(case.weight)]
    originals = {name: (zoo.folder / name).read_bytes() for name in zoo.cases}
    for i in range(cases):
        name = rng.choice(names)
        case, original = zoo.cases[name], originals[name]
        how, data = mutant(original, case.kind, rng)
        try:
            outcome = judge(case, original, data, zoo.folder / "mutant", tally, i % measure_every == 0)
        except Exception as error:  # that is what is looked for
            outcome = "FAULT"
            tally.faults.append(f"case {i} of seed {seed}, {name}, {how}: {type(error).__name__}: {error}")
        tally.outcomes[how, outcome] += 1
    if tally.slowest > SECONDS:
        tally.faults.append(f"a case took {tally.slowest:.2f} s")
    if tally.most_memory > 1:
        tally.faults.append(f"a case took {tally.most_memory:.2f} times the memory that is allowed")
    return tally


def main() -> None:
    """Fuzz, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = fuzz(Zoo(Path(folder)), arguments.cases, arguments.seed)
    for (how, outcome), count in sorted(tally.outcomes.items()):
        print(f"{how:12} {outcome:10} {count:7,}")
    print(f"slowest {tally.slowest:.2f} s CPU, memory at most {tally.most_memory:.2f} of what is allowed")
    print("fields that were accepted changed:", dict(tally.accepted_fields.most_common()))
    print("\n".join(tally.faults[:50]), f"\n{len(tally.faults)} faults")


if __name__ == "__main__":
    main()
