"""Hostile files and messages, for every loader: whatever an attacker sends is refused by the errors that are documented.

The attacker knows the format and computes a digest that fits.  Three levels: bytes changed at random, bytes changed and the
digest renewed, and files written anew by the package's own writer with another header or other arrays.  Nothing else than
`REFUSALS` may come of it, no memory beyond `bound`, and what is accepted must have the structure that its header announces.
"""

import copy
import functools
import hashlib
import io
import json
import shutil
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from encnn.arithmetic.sigmoid import PolynomialSigmoid, taylor
from encnn.errors import DataError, DivergenceError, FileError, KeyMismatchError
from encnn.files import archive as files
from encnn.network import Architecture, Network
from encnn.parties import EncryptedModel, Owner, User
from encnn.parties.assistance import folders as channels
from encnn.parties.assistance import scores as protocol
from encnn.parties.assistance import weights as refresh
from encnn.parties.model import MAX_COEFFICIENTS, MODEL, SCORES, SECRET
from encnn.schemes import fv
from encnn.schemes.integer_vector import COMPACT_128, PAPER, storage

REFUSALS = (FileError, KeyMismatchError)
ANSWER_REFUSALS = (*REFUSALS, DataError, DivergenceError)

FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])

X = np.array([[1, 0, 0, 1], [0, 1, 1, 0], [1, 1, 1, 1]])


@dataclass(frozen=True)
class Case:
    """A valid file, how it is loaded, and what of its kind may be refused by what."""

    kind: str
    load: Callable[[Path], Any]
    refusals: tuple[type[Exception], ...] = REFUSALS


class Victims:
    """Two owners with real keys, and one valid file of every kind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cases: dict[str, Case] = {}
        for name, parameters, hidden in (("paper", PAPER, 2), ("compact", COMPACT_128, 0)):
            self._add_owner(
                name,
                Owner(
                    Architecture(4, hidden=hidden, pooling="sum"), taylor(3 if hidden else 1), parameters, public=bool(hidden)
                ),
            )
        self._add_messages()
        self._add_weights()

    def _add_owner(self, name: str, owner: Owner) -> None:
        setattr(self, name, owner)
        a = owner.architecture
        model = owner.encrypt(Network.initial(a, np.random.default_rng(1), first_layer_sd=0.5))
        owner.save_model(model, self.folder / f"{name}-model")
        owner.save_secret(self.folder / f"{name}-secret")
        user = User(model)
        user.save_scores(user.predict(X), self.folder / f"{name}-scores")
        self.cases |= {
            f"{name}-model": Case(MODEL, EncryptedModel.load),
            f"{name}-user": Case(MODEL, User.load),
            f"{name}-secret": Case(SECRET, Owner.load),
            f"{name}-scores": Case(SCORES, owner.load_scores),
        }
        shutil.copy(self.folder / f"{name}-model", self.folder / f"{name}-user")

    def _add_messages(self) -> None:
        owner, assistant = self.compact, self.assistant()
        context = owner.evaluator.context
        scores = User.load(self.folder / "compact-model").predict(X)
        labels = np.array([[0], [1], [1]], dtype=np.int8)
        request = protocol.Request(1, 0.1, scores, labels)
        channels.write_opening(self.folder / "opening", assistant.opening(), context)
        channels.write_request(self.folder / "request", request)
        channels.write_answer(self.folder / "answer", assistant.answer(request))
        self.cases |= {
            "opening": Case(channels.OPENING, self.play("opening"), ANSWER_REFUSALS),
            "request": Case(channels.REQUEST, self.answer, ANSWER_REFUSALS),
            "answer": Case(channels.ANSWER, self.play("answer"), ANSWER_REFUSALS),
        }

    def _add_weights(self) -> None:
        """Weights that an owner renews; the toy parameters of FV, so that as many examples as for other files are tried."""
        owner = Owner(Architecture(2, hidden=0, pooling="sum"), taylor(1), fv.TOY)
        self.given = owner.encrypt(Network(owner.architecture, np.zeros((2, 1)), None))
        self.secret_of_weights = owner.secret_key
        parts = refresh.as_parts(owner.evaluator, refresh.weights_of(self.given.network))
        message = refresh.Weights(1, owner.evaluator.context.key_id, parts)
        channels.write_weights(self.folder / "weights", message, channels.WEIGHTS)
        channels.write_weights(self.folder / "fresh", self.owner_of_weights().answer(message), channels.FRESH_WEIGHTS)
        self.cases |= {
            "weights": Case(channels.WEIGHTS, self.renew, ANSWER_REFUSALS),
            "fresh": Case(channels.FRESH_WEIGHTS, self.take, ANSWER_REFUSALS),
        }

    def owner_of_weights(self) -> refresh.OwnerOfWeights:
        return refresh.OwnerOfWeights(self.secret_of_weights, self.given)

    def renew(self, path: Path) -> refresh.Weights:
        """The owner meets hostile weights."""
        return self.owner_of_weights().answer(channels.read_weights(path, channels.WEIGHTS))

    def take(self, path: Path) -> None:
        """The trainer meets hostile weights."""
        reply = channels.read_weights(path, channels.FRESH_WEIGHTS)
        refresh.WeightRefresh(self.given.copy(), _Scripted(self.owner_of_weights().opening(), reply)).now()

    def assistant(self) -> protocol.Assistant:
        return protocol.Assistant(self.compact.secret_key)

    def answer(self, path: Path) -> protocol.Answer:
        """The owner meets a hostile request."""
        return self.assistant().answer(channels.read_request(path, self.compact.evaluator.context, 1))

    def play(self, hostile: str) -> Callable[[Path], Any]:
        """The trainer meets a hostile opening or answer."""

        def load(path: Path) -> Any:
            opening = channels.read_opening(path if hostile == "opening" else self.folder / "opening")
            reply = channels.read_answer(path if hostile == "answer" else self.folder / "answer")
            model = EncryptedModel.load(self.folder / "compact-model")
            step = protocol.AssistedStep(_Scripted(opening, reply))
            return step(model.evaluator, User(model).predict(X), np.zeros((3, 1)), 0.1)

        return load


@dataclass
class _Scripted:
    """A channel that says what it was told to say."""

    opening: protocol.Opening
    reply: protocol.Answer | refresh.Weights

    def open(self) -> protocol.Opening:
        return self.opening

    def ask(self, _: Any) -> Any:
        return self.reply


@pytest.fixture(scope="module")
def victims(tmp_path_factory: pytest.TempPathFactory) -> Victims:
    return Victims(tmp_path_factory.mktemp("victims"))


NAMES = [f"{p}-{k}" for p in ("paper", "compact") for k in ("model", "user", "secret", "scores")] + [
    "opening",
    "request",
    "answer",
    "weights",
    "fresh",
]
every_loader = pytest.mark.parametrize("name", NAMES)


def test_all_files_are_read_as_they_are(victims: Victims) -> None:
    assert set(victims.cases) == set(NAMES)
    for name, case in victims.cases.items():
        case.load(victims.folder / name)


def refused(victims: Victims, name: str, data: bytes) -> bool:
    """Load the bytes in place of the valid file; any other exception than the documented ones fails the test."""
    path, case = victims.folder / "hostile", victims.cases[name]
    path.write_bytes(data)
    try:
        case.load(path)
    except case.refusals:
        return True
    return False


# Bytes


def damaged(data: bytes, draw: st.DataObject) -> bytes:
    """Return the bytes with one kind of damage; perhaps none."""
    at, to = sorted((draw.draw(st.integers(0, len(data))), draw.draw(st.integers(0, len(data)))))
    how = draw.draw(st.sampled_from(["cut", "flip", "insert", "swap", "drop", "repeat", "fill"]))
    if how == "flip":
        raw = bytearray(data)
        for place in draw.draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=8)):
            raw[place] ^= 1 << draw.draw(st.integers(0, 7))
        return bytes(raw)
    return {
        "cut": data[:to],
        "insert": data[:at] + draw.draw(st.binary(max_size=20)) + data[at:],
        "swap": data[to:] + data[at:to] + data[:at],
        "drop": data[:at] + data[to:],
        "repeat": data[:to] + data[at:],
        "fill": data[:at] + draw.draw(st.sampled_from([b"\0", b"\xff"])) * (to - at) + data[to:],
    }[how]


def seal(data: bytes) -> bytes:
    """Renew the digest, as an attacker does; the MAC needs a key."""
    body = data[: -files._DIGEST_BYTES]
    return body + b"sha256:" + hashlib.sha256(body).hexdigest().encode()


def check_damage(victims: Victims, name: str, draw: st.DataObject) -> None:
    original = (victims.folder / name).read_bytes()
    data = damaged(original, draw)
    assert refused(victims, name, data) == (data != original)


def check_sealed_damage(victims: Victims, name: str, draw: st.DataObject) -> None:
    """With a digest that fits, only elements of arrays (with their checksum) and a MAC may differ from the canonical bytes."""
    original = (victims.folder / name).read_bytes()
    data = seal(damaged(original, draw))
    if not refused(victims, name, data):
        assert len(data) == files.inspect(victims.folder / "hostile").nbytes
        assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
        if name.endswith("model"):
            assert owner_of(victims, name).is_own(victims.folder / "hostile") == (data == original)


def owner_of(victims: Victims, name: str) -> Owner:
    owner: Owner = getattr(victims, name.split("-")[0])
    return owner


@every_loader
@FEW
@given(draw=st.data())
def test_damage_is_always_noticed(victims: Victims, name: str, draw: st.DataObject) -> None:
    check_damage(victims, name, draw)


@every_loader
@FEW
@given(draw=st.data())
def test_damage_under_a_digest_that_fits_breaks_nothing(victims: Victims, name: str, draw: st.DataObject) -> None:
    check_sealed_damage(victims, name, draw)


@pytest.mark.slow
@every_loader
@MANY
@given(draw=st.data())
def test_much_damage(victims: Victims, name: str, draw: st.DataObject) -> None:
    check_damage(victims, name, draw)
    check_sealed_damage(victims, name, draw)


# Headers and arrays, written anew

EXTREMES: list[Any] = [
    0,
    -1,
    1,
    2,
    3,
    2**31,
    2**63,
    2**64,
    10**400,
    0.5,
    -0.0,
    1e308,
    5e-324,
    "",
    "x",
    "0" * 32,
    [],
    {},
    [[]],
    True,
    None,
]
json_values = st.sampled_from(EXTREMES) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
DTYPES = ["|b1", "|i1", "<i2", "<i4", "<i8", "|u1", "<u4", "<u8", "<f2", "<f4", "<f8"]


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """Return the path of everything inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [step for key, inner in inside for step in [(*path, key), *places(inner, (*path, key))]]


def changed_header(header: dict, draw: st.DataObject) -> dict:
    """Return the header with one to three values replaced, removed or added."""
    header = copy.deepcopy(header)
    for _ in range(draw.draw(st.integers(1, 3))):
        *path, last = draw.draw(st.sampled_from(places(header) or [("new",)]))
        parent = functools.reduce(lambda inner, key: inner[key], path, header)
        how = draw.draw(st.sampled_from(["replace", "remove", "double"]))
        if how == "remove" and (isinstance(parent, list) or last in parent):
            del parent[last]
        elif how == "double" and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[last]))
        else:
            parent[last] = copy.deepcopy(draw.draw(json_values))  # sampled lists are shared
    return header


def changed_array(a: np.ndarray, draw: st.DataObject) -> np.ndarray:
    how = draw.draw(st.sampled_from(["type", "empty", "flat", "axis", "shorter", "longer", "turned", "extreme", "noise"]))
    if how == "type":
        with np.errstate(over="ignore"):
            return a.astype(draw.draw(st.sampled_from(DTYPES)))
    if how == "extreme" and a.size:
        a = a.copy()
        info = np.iinfo(a.dtype)
        a.flat[draw.draw(st.integers(0, a.size - 1))] = draw.draw(st.sampled_from([info.min, info.max, 0, info.max // 2]))
        return a
    if how == "noise":
        return (
            np.random.default_rng(draw.draw(st.integers(0, 9)))
            .integers(0, 256, a.nbytes, dtype=np.uint8)
            .view(a.dtype)
            .reshape(a.shape)
        )
    shapes = {"empty": a[:0], "flat": a.ravel(), "axis": a[None], "shorter": a[..., :-1], "turned": np.ascontiguousarray(a.T)}
    return shapes.get(how, np.concatenate([a, a]))


def changed_arrays(arrays: dict[str, np.ndarray], draw: st.DataObject) -> dict[str, np.ndarray]:
    """Return the arrays with one replaced, removed, renamed, added, or exchanged for another."""
    arrays = dict(arrays)
    one, other = (draw.draw(st.sampled_from(sorted(arrays))) for _ in range(2))
    how = draw.draw(st.sampled_from(["change", "remove", "rename", "add", "swap"]))
    if how == "change":
        arrays[one] = changed_array(arrays[one], draw)
    elif how == "swap":
        arrays[one], arrays[other] = arrays[other], arrays[one]
    elif how == "add":
        arrays[draw.draw(st.sampled_from(["new", "T_x", "T_3", "W2", "product_9", "labels"]))] = arrays[one]
    else:
        taken = arrays.pop(one)
        if how == "rename":
            arrays[draw.draw(st.sampled_from(["new", "T_9", "product_9", "W3"]))] = taken
    return arrays


def bound(size: int) -> int:
    """Bytes that loading a file of `size` bytes may take: a few copies of its arrays, and what small things need.

    Seeds of masks are the exception; they may expand to `storage.MAX_EXPANDED_BYTES`.
    """
    return 8 * size + files.OVERHEAD_BYTES + 2**22


def check_rewritten(victims: Victims, name: str, draw: st.DataObject, measured: bool = False) -> None:
    case, path = victims.cases[name], victims.folder / "hostile"
    header, arrays = files.read(victims.folder / name, case.kind)
    if draw.draw(st.booleans()):
        header = changed_header(header, draw)
    else:
        arrays = changed_arrays(arrays, draw)
    data = files.to_bytes(case.kind, header, arrays)
    if measured:
        tracemalloc.start()
    accepted = not refused(victims, name, data)
    if measured:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < bound(len(data))
    if accepted:
        check_structure(case.load(path), arrays)
    if name.endswith("model"):
        assert not owner_of(victims, name).is_own(path)


def check_structure(found: Any, arrays: dict[str, np.ndarray]) -> None:
    """What was accepted is what its own header says, and every array of the file is part of it."""
    if isinstance(found, User):
        found = found.model
    if isinstance(found, EncryptedModel):
        a, p = found.architecture, found.evaluator.parameters
        assert found.network.W1.shape == (a.features, a.row_width)
        assert (found.network.W2 is None) == (a.hidden == 0)
        assert found.network.W1.data.dtype == p.dtype
        keys = found.evaluator
        packing = 0 if keys.packing_key is None else len(keys.packing_key.bodies)
        assert len(arrays) == 1 + (a.hidden > 0) + len(keys.products) + 2 * len(keys.public_keys) + packing
        assert all(key.M_transposed.shape[0] == key.entries * p.n_digits for key in found.evaluator.products.values())
    if isinstance(found, Owner):
        p = found.parameters
        for m in found.secret_key.widths:
            T = found.secret_key.T(m)
            assert T.shape == (m, p.d) and ((p.T_low <= T) & (p.T_high > T)).all()
        assert found.secret_key.context == found.evaluator.context


@every_loader
@FEW
@given(draw=st.data())
def test_other_headers_and_arrays_are_refused_or_fit(victims: Victims, name: str, draw: st.DataObject) -> None:
    check_rewritten(victims, name, draw)


@every_loader
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_hostile_files_take_no_memory(victims: Victims, name: str, draw: st.DataObject) -> None:
    check_rewritten(victims, name, draw, measured=True)


@pytest.mark.slow
@every_loader
@MANY
@given(draw=st.data())
def test_many_other_headers_and_arrays(victims: Victims, name: str, draw: st.DataObject) -> None:
    check_rewritten(victims, name, draw)


# By hand


def rewritten(victims: Victims, name: str, change: Callable[[dict, dict], None]) -> bytes:
    header, arrays = files.read(victims.folder / name, victims.cases[name].kind)
    change(header, arrays)
    return files.to_bytes(victims.cases[name].kind, header, arrays)


def declared(victims: Victims, name: str, shape: list[int]) -> bytes:
    """Return the file with another shape of its first array in header.json, and everything else as it was."""
    raw = bytearray((victims.folder / name).read_bytes())
    size = struct.unpack_from("<L", raw, 18)[0]
    start = 30 + len("header.json")
    fields = json.loads(raw[start : start + size])
    fields["arrays"][0]["shape"] = shape
    changed = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    return seal(bytes(files._header_member(changed).local + changed + raw[start + size :]))


@every_loader
@pytest.mark.parametrize("shape", [[2**40], [2**62], [2**31, 2**31], [1 << 20] * 3, [0], [], [2**64], [-1], [1] * 40], ids=str)
def test_huge_declared_sizes_allocate_nothing(victims: Victims, name: str, shape: list[int]) -> None:
    data = declared(victims, name, shape)
    tracemalloc.start()
    assert refused(victims, name, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < bound(len(data))


def set_sizes(**sizes: Any) -> Callable[[dict, dict], None]:
    return lambda header, _: header["architecture"].update(sizes)


def set_degree(coefficients: int) -> Callable[[dict, dict], None]:
    return lambda header, _: header["sigmoid"].update(coefficients=[0.5] * coefficients)


def set_parameter(name: str, value: Any) -> Callable[[dict, dict], None]:
    return lambda header, _: header["keys"]["parameters"].update({name: value})


@pytest.mark.parametrize("name", ["paper-model", "paper-secret", "compact-model", "compact-secret"])
@pytest.mark.parametrize(
    "change",
    [
        set_sizes(hidden=2**31),
        set_sizes(hidden=5000),
        set_sizes(hidden=5000, outputs=5000),
        set_sizes(outputs=2**40),
        set_sizes(features=2**62, outputs=7),
        set_degree(MAX_COEFFICIENTS + 1),
        set_degree(10_000),
        set_parameter("d", 1 << 16),
        set_parameter("d", 1 << 40),
        set_parameter("base_bits", 1),
        set_parameter("q_bits", 64),
        set_parameter("T_high", 1 << 40),
    ],
)
def test_huge_numbers_in_headers_cost_nothing(victims: Victims, name: str, change: Callable) -> None:
    """Each of these once asked for gigabytes, or would: bounds come after the shapes of the arrays that pay for them."""

    def both(header: dict, arrays: dict) -> None:
        change(header, arrays)
        if "hidden" in header["architecture"] and header["keys"]["products"]:
            a = header["architecture"]
            header["keys"]["products"] = [
                f"vector_matrix:{a['hidden']}x{a['outputs']}",
                f"elementwise:{a['outputs']}",
                *header["keys"]["products"][2:],
            ]

    data = rewritten(victims, name, both)
    tracemalloc.start()
    usable = not refused(victims, name, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < bound(len(data))
    if usable:  # seeds of masks expand to any dimension; but such ciphertexts are not the owner's
        with pytest.raises(KeyMismatchError):
            victims.compact.decrypt_network(EncryptedModel.load(victims.folder / "hostile"))


def put(value: Any, *path: Any) -> Callable[[dict, dict], None]:
    """Return what puts a value into a header."""

    def change(header: dict, _: dict) -> None:
        functools.reduce(lambda inner, key: inner[key], path[:-1], header)[path[-1]] = value

    return change


def put_entry(value: int, name: str, place: tuple[int, ...]) -> Callable[[dict, dict], None]:
    """Return what puts a number into an array."""
    return lambda _, arrays: arrays[name].__setitem__(place, value)


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("paper-scores", put([3, False], "shape"), r"header.shape\[1\] is False"),
        ("paper-scores", put([5e-324, 1], "shape"), r"header.shape\[0\] is 5e-324"),
        ("paper-scores", put([0, 1], "shape"), r"header.shape\[0\] is 0"),
        ("paper-model", put(None, "more"), "header has 'more', which is unknown"),
        ("paper-model", put("x", "architecture", "more"), "header.architecture has 'more'"),
        ("paper-model", put(25.0, "keys", "parameters", "w_bits"), "parameters.w_bits is 25.0, expected a whole number"),
        ("paper-model", put(1, "keys", "parameters", "balanced"), "parameters.balanced is 1, expected true or false"),
        ("paper-model", put("Taylor, degree 5", "sigmoid", "name"), "is another polynomial"),
        ("paper-model", put("exact", "sigmoid", "name"), "'exact' but is another one"),
        ("paper-model", put(0.26, "sigmoid", "coefficients", 1), "is another polynomial"),
        ("paper-model", put(5e-324, "sigmoid", "coefficients", 2), "is another polynomial"),
        ("paper-model", put(3.0, "sigmoid", "interval", 1), "is another polynomial"),
        ("paper-model", put(1e30, "W1", "value"), "their file claims"),
        ("paper-model", put(-1.0, "W1", "noise"), "their file claims"),
        ("paper-model", put(7.0, "W1", "scale"), "scale 7.0 do not fit"),
        ("compact-model", put(0.5, "W1", "value"), "fresh ciphertexts .* have scale, value and noise"),
        ("compact-model", put(2048, "keys", "parameters", "d"), "are not that preset"),
        ("compact-model", put_entry(1 << 25, "W1", (0, 0)), "entries from .* expected at least"),
        ("compact-model", put_entry(-(1 << 52) - 1, "packing_1", (0, 0, 0)), "entries from .* expected at least"),
        ("paper-model", put_entry(1 << 62, "W1", (0, 0)), "entries from .* expected at least"),
        ("paper-model", put_entry(10, "product_0", (0, -1)), "the masks of product_0: entries from 0 to 10"),
        ("paper-model", put_entry(-1, "public_2_zeros", (2, 0)), "the masks of public_2_zeros: entries from -1"),
        ("paper-secret", put_entry(10, "T_2", (0, 0)), "T_2: entries from .* expected at least 0 and at most 9"),
    ],
)
def test_what_a_header_or_an_array_must_not_say(victims: Victims, name: str, change: Callable, complaint: str) -> None:
    path, case = victims.folder / "hostile", victims.cases[name]
    path.write_bytes(rewritten(victims, name, change))
    with pytest.raises(FileError, match=complaint) as caught:
        case.load(path)
    assert str(path) in str(caught.value)


def test_seeds_expand_up_to_a_bound_only(victims: Victims, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MAX_EXPANDED_BYTES", 4 * (1 + COMPACT_128.d) * 4 - 1)
    with pytest.raises(FileError, match="would expand to more than"):
        EncryptedModel.load(victims.folder / "compact-model")


def test_expanding_holds_the_ciphertexts_once(victims: Victims) -> None:
    owner = Owner(Architecture(8000, hidden=0, pooling="sum"), taylor(1), COMPACT_128)
    path = victims.folder / "large"
    owner.save_model(owner.encrypt(Network(owner.architecture, np.zeros((8000, 1)), None)), path)
    expanded = 8000 * (1 + COMPACT_128.d) * COMPACT_128.dtype.itemsize
    keys = EncryptedModel.load(path).evaluator.nbytes
    assert path.stat().st_size - keys < expanded / 500
    tracemalloc.start()
    EncryptedModel.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert expanded < peak < expanded + files.OVERHEAD_BYTES


@pytest.mark.parametrize(
    "name", ["paper-model", "paper-secret", "paper-scores", "compact-model", "request", "answer", "opening", "weights", "fresh"]
)
def test_arrays_that_no_header_announces_are_refused(victims: Victims, name: str) -> None:
    assert refused(victims, name, rewritten(victims, name, lambda _, arrays: arrays.update(extra=np.zeros(3))))


def test_a_key_given_twice_is_refused(victims: Victims) -> None:
    def double(header: dict, arrays: dict) -> None:
        header["keys"]["products"].append(header["keys"]["products"][0])
        arrays[f"product_{len(header['keys']['products']) - 1}"] = arrays["product_0"]

    assert refused(victims, "paper-model", rewritten(victims, "paper-model", double))


def foreign_zip(data: bytes, member: str, content: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return the file with a member added by zipfile, under a digest that fits."""
    stream = io.BytesIO()
    old = zipfile.ZipFile(io.BytesIO(data))
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name in old.namelist():
            archive.writestr(name, old.read(name))
        archive.writestr(member, content)
        archive.comment = bytes(files._DIGEST_BYTES)
    return seal(stream.getvalue())


def object_array() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return stream.getvalue()


@every_loader
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    ("member", "content"),
    [
        ("../../evil", b"x"),
        ("W1.npy", object_array()),
        ("new.npy", object_array()),
        ("bomb.npy", bytes(2**22)),
        ("header.json", b"{}"),
    ],
    ids=["path", "W1 again", "object array", "bomb", "second header"],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_foreign_zip_members_are_refused(victims: Victims, name: str, member: str, content: bytes, compression: int) -> None:
    data = foreign_zip((victims.folder / name).read_bytes(), member, content, compression)
    assert refused(victims, name, data)


@pytest.mark.parametrize("name", NAMES)
def test_object_arrays_under_announced_names_are_refused(victims: Victims, name: str) -> None:
    """A pickle in place of an array, announced as dtype |O: refused by its dtype, never opened."""
    raw = (victims.folder / name).read_bytes()
    for dtype in (b'"dtype":"<i8"', b'"dtype":"<i4"', b'"dtype":"|u1"'):
        raw = raw.replace(dtype, b'"dtype":"|O"')
    assert raw != (victims.folder / name).read_bytes()
    assert refused(victims, name, seal(raw))


def test_files_of_another_key_are_refused(victims: Victims) -> None:
    stranger = Victims.__new__(Victims)
    stranger.folder, stranger.cases = victims.folder / "stranger", {}
    stranger.folder.mkdir()
    for name, old in (("paper", victims.paper), ("compact", victims.compact)):
        stranger._add_owner(name, Owner(old.architecture, old.sigmoid, old.parameters, public=old.architecture.hidden > 0))
    stranger._add_messages()
    stranger._add_weights()
    for name in ("paper-scores", "compact-scores", "request", "opening", "weights"):
        with pytest.raises(KeyMismatchError):
            victims.cases[name].load(stranger.folder / name)
    with pytest.raises(DataError, match="or another key"):
        victims.cases["fresh"].load(stranger.folder / "fresh")
    for name in ("paper", "compact"):
        with pytest.raises(KeyMismatchError):
            owner_of(victims, name).decrypt_network(EncryptedModel.load(stranger.folder / f"{name}-model"))
        assert not owner_of(victims, name).is_own(stranger.folder / f"{name}-model")


def test_missing_files_stay_missing_files(victims: Victims) -> None:
    for case in victims.cases.values():
        with pytest.raises(FileNotFoundError):
            case.load(victims.folder / "nowhere")


def test_a_sigmoid_of_absurd_degree_is_not_written_either(victims: Victims) -> None:
    steep = PolynomialSigmoid("steep", (0.5,) * (MAX_COEFFICIENTS + 1), (-1.0, 1.0))
    owner = Owner(Architecture(3, hidden=0), steep, PAPER)
    with pytest.raises(FileError, match="65 coefficients, files hold at most 64"):
        owner.save_secret(victims.folder / "steep")
