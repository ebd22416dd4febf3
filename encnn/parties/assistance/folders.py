"""Messages between owner and trainer as files: two processes that share a folder.

    folder/assist-opening            once, from the owner
    folder/assist-request-00000001   from the trainer; removed by the owner when it is answered
    folder/assist-answer-00000001    from the owner; removed by the trainer when it is read
    folder/assist-refusal            from the owner, instead of an answer: the run is over
    folder/assist-end                from the trainer: no more requests follow

A request holds scores and its answer errors (`scores`), or a request holds weights and its answer fresh encryptions
(`weights`).
Each run has its own folder: neither side begins where messages of an earlier run lie.

Encrypted labels have their own file (`write_labels`), which the trainer gets once, with the model.

Files have the format of `encnn.files`, are whole from the moment they appear, and carry no MAC.  Whoever can write to the
folder can disturb the run, as on any channel.  Links are not followed.  Messages are checked in two steps.  This module checks
names, types and sizes before anything large is allocated.  `scores` and `weights` check whether it is the message that is due.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Generic, Literal, TypeVar, overload

import numpy as np

from encnn import files
from encnn.errors import DataError, EncnnError, FileError, KeyMismatchError
from encnn.files.schema import Count, Hex32, Within, check_array, check_names, describe, naming, parse
from encnn.parties.assistance.scores import Answer, Assistant, Opening, OwnersSide, Request
from encnn.parties.assistance.weights import OwnerOfWeights, Weights
from encnn.schemes.base import KeyContext
from encnn.schemes.integer_vector import CiphertextArray, IntegerVectorContext
from encnn.schemes.integer_vector.ring import ZeroKey
from encnn.schemes.integer_vector.storage import entry_range, export_array, restore_array

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

OPENING, REQUEST, ANSWER, REFUSAL, END = "assist-opening", "assist-request", "assist-answer", "assist-refusal", "assist-end"
WEIGHTS, FRESH_WEIGHTS = "assist-weights", "assist-fresh-weights"
"""Kinds of the requests and answers that hold weights; their files have the same names as those with scores."""

LABELS = "encrypted-labels"

Header = TypeVar("Header", bound="DataclassInstance")
Asked = TypeVar("Asked")
Side = TypeVar("Side")
Told = TypeVar("Told")
"""A request, the owner's side that answers it, and the answer."""

TELLABLE = FileError, DataError, KeyMismatchError
"""Errors that only say what was wrong with a message.  Others may name decrypted numbers, which only the owner may see."""


@dataclass
class FolderChannel:
    """The trainer's side of a folder that both processes can reach; the owner's side is `serve`.

    Messages are files of `encnn.files`, whole from the moment they appear.  The reader of a message removes it.
    """

    folder: Path  # for the messages
    context: KeyContext | None  # of the model to be trained; experimental keys are refused
    timeout: float = 60.0  # seconds to wait for one answer
    bytes_up: int = field(default=0, init=False)  # sent to the owner
    bytes_down: int = field(default=0, init=False)  # received from the owner

    def __post_init__(self) -> None:
        """Refuse experimental keys."""
        if self.context is not None:
            self.context.refuse_experimental()

    def open(self) -> Opening:
        """Wait for the owner's first message and return it."""
        path = _awaited(self.folder / OPENING, self.timeout)
        return read_opening(path)

    @overload
    def ask(self, request: Request) -> Answer: ...

    @overload
    def ask(self, request: Weights) -> Weights: ...

    def ask(self, request: Request | Weights) -> Answer | Weights:
        """Write a request, wait for its answer and return it; raise `DataError` if the owner refused."""
        path, form = _numbered(self.folder, ANSWER, request.trip), _form_of(request)
        _refuse_leftovers(self.folder, path.name)
        _awaited(self.folder / OPENING, self.timeout)  # an owner who comes later takes a request for one of an earlier run
        self.bytes_up += form.write_request(_numbered(self.folder, REQUEST, request.trip), request)
        answer = form.read_answer(_awaited(path, self.timeout, self._refusal))
        self.bytes_down += path.stat().st_size
        path.unlink()
        return answer

    def close(self) -> None:
        """Tell the owner that no more requests follow."""
        files.write(self.folder / END, END, {}, {})

    def _refusal(self) -> None:
        path = self.folder / REFUSAL
        if path.exists():
            reason = _read(path, REFUSAL, RefusalHeader)[0].reason
            raise DataError(f"the owner refused the request: {reason!r:.500}")


def serve(side: OwnersSide, folder: Path, timeout: float = 60.0) -> None:
    """Answer the requests that appear in `folder` until the trainer closes it; the owner's process runs this.

    side: a `scores.Assistant`, who answers scores, or a `weights.OwnerOfWeights`.  Every request gets an answer or a refusal.
    Every error, of whatever type, is a refusal: it ends the run, stays in the folder for all later requests, and is raised here
    as an error of the package.  The folder gets the reason only if it is about the message itself.
    Raises `FileError` if nothing comes for `timeout` seconds.
    """
    _refuse_leftovers(folder, "assist-*")
    write_opening(folder / OPENING, side.opening(), side.context)
    form = _form_of(side)
    while not _ended(folder, side.tally.trips + 1, timeout):
        trip = side.tally.trips + 1
        path = _numbered(folder, REQUEST, trip)
        try:
            answer = side.answer(form.read_request(path, side))
            path.unlink()
            form.write_answer(_numbered(folder, ANSWER, trip), answer)
        except Exception as error:
            _refuse(side, folder, error)
            if isinstance(error, EncnnError):
                raise
            what = f"{type(error).__name__}: {error}"
            raise DataError(f"a request could not be answered ({what}); the run is over, begin a new one") from error


def _refuse(side: OwnersSide, folder: Path, error: Exception) -> None:
    """End the run and write a refusal; it gives the reason only if nothing was decrypted before the error."""
    side.closed = True
    tellable = isinstance(error, TELLABLE) and not side.tally.refused
    reason = str(error) if tellable else "it ended the run because of numbers that it decrypted; ask the owner about them"
    refuse(folder, reason)


def refuse(folder: Path, reason: str) -> None:
    """Tell the trainer that no answers follow, and why; the owner's process calls this if it ends by itself."""
    files.write(folder / REFUSAL, REFUSAL, describe(RefusalHeader(reason)), {})


def _refuse_leftovers(folder: Path, pattern: str) -> None:
    for path in folder.glob(pattern):
        raise FileError(f"{path} is from an earlier run, whose messages would be taken for this one's; use an empty folder")


def _ended(folder: Path, trip: int, timeout: float) -> bool:
    """Wait for the next request; return whether the trainer has closed the folder instead."""
    ended = folder / END
    _wait_until(lambda: ended.exists() or _numbered(folder, REQUEST, trip).exists(), timeout, f"request {trip} in {folder}")
    return not _numbered(folder, REQUEST, trip).exists()


def _numbered(folder: Path, kind: str, trip: int) -> Path:
    return folder / f"{kind}-{trip:08d}"


def _awaited(path: Path, timeout: float, meanwhile: Callable[[], None] = lambda: None) -> Path:
    def there() -> bool:
        meanwhile()
        return path.exists()

    _wait_until(there, timeout, str(path))
    return path


def _wait_until(there: Callable[[], bool], timeout: float, what: str) -> None:
    """Check again and again, at first often and then less often; raise `FileError` when the time is over."""
    begun, pause = time.monotonic(), 0.0002
    while not there():
        if time.monotonic() - begun > timeout:
            raise FileError(f"{what} did not come within {timeout:g} s; check whether the other side is still running")
        time.sleep(pause)
        pause = min(1.5 * pause, 0.05)


# -- messages as files


@dataclass(frozen=True)
class OpeningHeader:
    """The header of the owner's first message."""

    key_id: Hex32  # the name of the owner's key
    kept_labels: Annotated[int, Within(0, 1 << 40)]  # how many labels the owner keeps
    seed: Hex32 | None  # expands to the masks of the public key, if one is sent


@dataclass(frozen=True)
class RequestHeader:
    """The header of a request."""

    key_id: Hex32  # the name of the key of the scores
    trip: Count  # the number of the request
    rate: float  # the learning rate
    labels: Literal["sent", "kept", "withheld"]  # where the labels are, see `scores.Request`
    in_parts: bool  # whether scores come in parts


@dataclass(frozen=True)
class AnswerHeader:
    """The header of an answer."""

    trip: Count  # the number of the request
    seed: Hex32  # expands to the masks
    first: Annotated[int, Within(0, 1 << 16)]  # the first mask that the answer uses


@dataclass(frozen=True)
class RefusalHeader:
    """The header of a refusal."""

    reason: str  # why the run is over


@dataclass(frozen=True)
class WeightsHeader:
    """The header of weights on their way to the owner or back."""

    key_id: Hex32  # the name of the key of the weights
    trip: Count  # the number of the request
    parts: list[tuple[dict, tuple[Count, ...]]]  # the scheme's description and the shape of each array


@dataclass(frozen=True)
class LabelsHeader:
    """The header of encrypted labels."""

    key_id: Hex32  # the name of the key of the labels
    shape: tuple[Count, Count]  # (reviews, outputs)
    labels: dict  # the scheme's description of the ciphertexts


_LABELS_OF = {"sent": {"labels"}, "kept": {"rows"}, "withheld": set[str]()}
"""Arrays of a request besides the scores."""


def write_opening(path: Path, opening: Opening, context: KeyContext | None) -> int:
    """Write the owner's first message; return the bytes written.  Experimental keys are refused."""
    if context is not None:
        context.refuse_experimental()
    zero_key = opening.zero_key
    header = OpeningHeader(opening.key_id, opening.kept_labels, None if zero_key is None else zero_key.seed.hex())
    return files.write(path, OPENING, describe(header), {} if zero_key is None else {"zero_key": zero_key.b})


def read_opening(path: Path) -> Opening:
    """Return the owner's first message; anything else is a `FileError`.  The trainer's step checks its array."""
    header, arrays = _read(path, OPENING, OpeningHeader)
    with naming(path):
        check_names("the message", arrays, set() if header.seed is None else {"zero_key"})
    zero_key = None if header.seed is None else ZeroKey(bytes.fromhex(header.seed), arrays["zero_key"])
    return Opening(header.key_id, zero_key, header.kept_labels)


def write_request(path: Path, request: Request) -> int:
    """Write a request; return the bytes.  Experimental keys are refused."""
    request.scores.context.refuse_experimental()
    labels: Literal["sent", "kept", "withheld"] = "withheld" if request.rows is None else "kept"
    if request.labels is not None:
        labels = "sent"
    header = RequestHeader(request.scores.context.key_id, request.trip, request.rate, labels, request.parts is not None)
    arrays = {"scores": request.scores.data, "labels": request.labels, "rows": request.rows, "parts": request.parts}
    return files.write(path, REQUEST, describe(header), {name: a for name, a in arrays.items() if a is not None})


def read_request(path: Path, context: IntegerVectorContext, outputs: int) -> Request:
    """Return a request for the owner of `context`; raise `FileError` unless it is one, `KeyMismatchError` for another key.

    `Assistant.answer` checks what the numbers mean.  Nothing larger than d ciphertexts is read.
    """
    p = context.parameters
    max_bytes = p.d * ((outputs + p.d) * p.dtype.itemsize + outputs + 16) + (1 << 16)
    header, arrays = _read(path, REQUEST, RequestHeader, max_bytes)
    with naming(path):
        _check_key(header.key_id, context)
        check_names("the message", arrays, {"scores"} | _LABELS_OF[header.labels] | ({"parts"} if header.in_parts else set()))
        data = arrays["scores"]
        check_array("scores", data, (len(data) if data.ndim else 0, outputs + p.d), p.dtype, *entry_range(p))
    scores = CiphertextArray(data, context, p.scale, 0.0, 0.0, 0.0)
    return Request(header.trip, header.rate, scores, *(arrays.get(name) for name in ("labels", "rows", "parts")))


def write_answer(path: Path, answer: Answer) -> int:
    """Write an answer; return the bytes."""
    header = AnswerHeader(answer.trip, answer.seed.hex(), answer.first)
    return files.write(path, ANSWER, describe(header), {"tops": answer.tops})


def read_answer(path: Path) -> Answer:
    """Return an answer; anything else is a `FileError`.  The trainer's step checks whether it fits the request."""
    header, arrays = _read(path, ANSWER, AnswerHeader, 1 << 26)
    with naming(path):
        check_names("the message", arrays, {"tops"})
    return Answer(header.trip, bytes.fromhex(header.seed), header.first, arrays["tops"])


def write_weights(path: Path, weights: Weights, kind: str) -> int:
    """Write weights for the owner (`WEIGHTS`) or from it (`FRESH_WEIGHTS`); return the bytes."""
    header = WeightsHeader(weights.key_id, weights.trip, [(part, shape) for part, _, shape in weights.parts])
    arrays = {f"W{k}": array for k, (_, array, _) in enumerate(weights.parts, 1)}
    return files.write(path, kind, describe(header), arrays)


def read_weights(path: Path, kind: str, max_bytes: int = 1 << 31) -> Weights:
    """Return weights for the owner or from it; raise `FileError` unless it is such a message of up to `max_bytes`.

    `weights` checks whether these weights are due; the scheme checks their arrays.
    """
    header, arrays = _read(path, kind, WeightsHeader, max_bytes)
    names = [f"W{k}" for k in range(1, len(header.parts) + 1)]
    with naming(path):
        check_names("the message", arrays, set(names))
    described = zip(header.parts, names, strict=True)
    return Weights(header.trip, header.key_id, [(part, arrays[name], shape) for (part, shape), name in described])


def write_labels(path: Path, labels: CiphertextArray) -> int:
    """Write the encrypted labels that `Owner.encrypt_labels` made, for the trainer; return the bytes: one number per label."""
    labels.context.refuse_experimental()
    described, array = export_array(labels)
    reviews, outputs = labels.shape
    header = LabelsHeader(labels.context.key_id, (reviews, outputs), described)
    return files.write(path, LABELS, describe(header), {"labels": array})


def read_labels(path: Path, context: IntegerVectorContext) -> CiphertextArray:
    """Return encrypted labels for a model of `context`; raise `FileError` or, for those of another key, `KeyMismatchError`."""
    header, arrays = _read(path, LABELS, LabelsHeader)
    with naming(path):
        check_names("the message", arrays, {"labels"})
        _check_key(header.key_id, context)
        return restore_array(context, header.labels, arrays["labels"], header.shape)


def _read(path: Path, kind: str, header: type[Header], max_bytes: int = 1 << 31) -> tuple[Header, dict[str, np.ndarray]]:
    """Return the checked header and the arrays of a message.  Links are refused, since they may lead elsewhere."""
    found, arrays = files.read(path, kind, max_bytes=max_bytes, follow_links=False)
    with naming(path):
        return parse(header, found), arrays


# -- which messages are asked and answered


@dataclass(frozen=True)
class _Form(Generic[Asked, Side, Told]):
    """The functions that write and read requests and answers of one kind."""

    write_request: Callable[[Path, Asked], int]  # (path, request): returns the bytes written
    read_request: Callable[[Path, Side], Asked]  # (path, owner's side): returns the request, within the limits of that side
    write_answer: Callable[[Path, Told], int]  # (path, answer): returns the bytes written
    read_answer: Callable[[Path], Told]  # (path): returns the answer


def _request_of_scores(path: Path, side: Assistant) -> Request:
    return read_request(path, side.context, side.outputs)


def _request_of_weights(path: Path, side: OwnerOfWeights) -> Weights:
    """Return a request; it may be as large as the largest weights that the owner sent, plus their description."""
    return read_weights(path, WEIGHTS, side.largest_bytes + (side.largest_bytes >> 6) + files.MAX_HEADER_BYTES)


_SCORES = _Form(write_request, _request_of_scores, write_answer, read_answer)
_WEIGHTS = _Form(
    partial(write_weights, kind=WEIGHTS),
    _request_of_weights,
    partial(write_weights, kind=FRESH_WEIGHTS),
    partial(read_weights, kind=FRESH_WEIGHTS),
)


def _form_of(speaker: object) -> _Form:
    """Return the form for a request, or for an owner's side."""
    return _WEIGHTS if isinstance(speaker, Weights | OwnerOfWeights) else _SCORES


# -- checks


def _check_key(key_id: str, context: IntegerVectorContext) -> None:
    if key_id != context.key_id:
        raise KeyMismatchError(f"a message is under key {key_id}, but {context.key_id} was expected; use messages of one run")
