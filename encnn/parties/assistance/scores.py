"""Training with the owner's assistance needs only additions of ciphertexts, so that integer vectors can train at 128 bits.

A product of two ciphertexts costs d^3 in this scheme, and an addition d.  Without a hidden layer (or with a public second
layer, see `network.folded`) the forward pass z = x W1 and the update W1[i] -= x_i e are additions.  Only the error e = a (p -
y) with p = sigmoid(z) is not.  So per mini-batch the trainer sends the encrypted scores z, and the owner decrypts them, applies
the exact sigmoid and sends back a fresh encryption:

    trainer                                      owner
    z = x W1 + Enc(0)      -- Request ---->      z = Dec(z), p = sigmoid(z)
    W1[i] -= x_i e         <----- Answer --      e = Enc(a (p - y)), or Enc(a p)

The targets that `Trainer.train` gets together with an `AssistedStep` decide where the labels are:

    ===============================  ==================  ============  =================================
    targets                          the request holds   the answer    the trainer's update
    ===============================  ==================  ============  =================================
    plain labels                     z and labels        Enc(a (p-y))  W1[i] -= x_i e
    plain labels, share_labels=False z                   Enc(a p)      W1[i] -= x_i (e - a y)
    `KeptLabels`                     z, review numbers   Enc(a (p-y))  W1[i] -= x_i e
    Enc(a y) (owner.encrypt_labels)  z                   Enc(a p)      W1[i] -= x_i (e - Enc(a y))
    ===============================  ==================  ============  =================================

**What the owner learns**: every score z of the trainer's reviews, to full precision, in the order of training; their labels if
they are sent; sizes and times.  Since it knows the weights, it can check a guess of a review's words against z.  The masks of a
sum of ciphertexts would tell which words were added.  So each score gets its own encryption of zero added (`ring.ZeroStream`),
and the masks show nothing.  The owner decrypts z with the noise of all that was added, which is below the last useful digit.
**What the trainer learns**: sizes and times, and that its run goes on.  Answers are fresh encryptions (`ring.PadStream`).
Nothing decrypted ever comes back, and in particular no approximate decryption (IND-CPA-D).  A refusal does tell one bit about a
decrypted number.  So once an `Assistant` fails to answer what it has decrypted, for any reason, it answers nothing more.
**Scores beyond the modulus** are noticed.  If the announced bound on weights lets a score leave the range, it is sent in parts,
which the owner adds up in floats (`network.partial_scores`).  The owner then also learns sums over parts of a review.
**What the key must withstand**: a trainer may send [0 ; c e_j] in place of scores.  The answer is then an encryption of a
function of the key's entry T_j under that key.  So the scheme must be secure for key-dependent messages; no request reveals the
attempt. **What this protocol does not prevent**: a trainer may send invented scores, or train on wrong data.  The owner judges
the result on held-out reviews, as always.

Steps are messages that go through a `Channel`.  A `DirectChannel` passes them within a process, and a `folders.FolderChannel`
passes them as files between two processes.  Weights that the owner renews (`weights`) take the same channels.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from encnn.arithmetic.modular import centred
from encnn.arithmetic.sampling import for_key
from encnn.arithmetic.sigmoid import sigmoid
from encnn.errors import CapabilityError, DataError, DivergenceError, EncnnError, KeyMismatchError, ParameterError
from encnn.files.schema import check_array
from encnn.network import Help, plain_targets
from encnn.network.partial_scores import WITHIN, PartialScores, check_counts
from encnn.schemes.base import Evaluator, KeyContext, Targets
from encnn.schemes.integer_vector import CiphertextArray, IntegerVectorContext, IntegerVectorSecretKey
from encnn.schemes.integer_vector.parameters import IntegerVectorParameters
from encnn.schemes.integer_vector.ring import (
    SAMPLES,
    PadStream,
    Rows,
    ZeroKey,
    ZeroStream,
    expand_polynomial,
    make_zero_key,
    zero_noise,
)
from encnn.schemes.integer_vector.storage import entry_range

_FIXED_BYTES = 16
"""The bytes of the trip number and the learning rate, in each direction."""


# -- messages


@dataclass(frozen=True)
class Opening:
    """The owner's first message."""

    key_id: str  # the name of its key
    zero_key: ZeroKey | None = None  # the public key for encryptions of zero; None from an owner who renews weights
    kept_labels: int = 0  # the number of reviews whose labels the owner keeps


@dataclass(frozen=True)
class Request:
    """Encrypted scores of one mini-batch, and where its labels are.

    With neither `labels` nor `rows` the answer is Enc(a p).
    """

    trip: int  # 1, 2, ...
    rate: float  # the learning rate a
    scores: CiphertextArray  # shape (reviews, outputs) or (parts, outputs)
    labels: np.ndarray | None = None  # 0/1, int8 of shape (reviews, outputs)
    rows: np.ndarray | None = None  # numbers of the reviews whose labels the owner keeps, int64 of shape (reviews,)
    parts: np.ndarray | None = None  # if scores come in parts, the number per review, int64 of shape (reviews,)

    @property
    def reviews(self) -> int:
        """The number of reviews."""
        return len(self.scores if self.parts is None else self.parts)

    @property
    def nbytes(self) -> int:
        """Bytes of what it says."""
        return _FIXED_BYTES + self.scores.nbytes + sum(a.nbytes for a in (self.labels, self.rows, self.parts) if a is not None)


@dataclass(frozen=True)
class Answer:
    """A fresh encryption of one number per output."""

    trip: int  # the number of the request
    seed: bytes  # expands to the masks
    first: int  # the first row of masks that is used
    tops: np.ndarray  # the first entries, shape (reviews, outputs)

    @property
    def nbytes(self) -> int:
        """Bytes of what it says."""
        return _FIXED_BYTES + len(self.seed) + self.tops.nbytes


class KeptLabels:
    """Targets for reviews whose labels the owner keeps.  Review r of the run has label number r."""

    def __init__(self, reviews: int, outputs: int = 1, first: int = 0) -> None:
        self.shape, self._first = (reviews, outputs), first

    def __getitem__(self, rows: slice) -> "KeptLabels":
        """Return the targets of some reviews."""
        start, stop, _ = rows.indices(self.shape[0])
        return KeptLabels(stop - start, self.shape[1], self._first + start)

    @property
    def last(self) -> int:
        """Number of the last review."""
        return self._first + self.shape[0] - 1

    @property
    def rows(self) -> np.ndarray:
        """Numbers of the reviews."""
        return np.arange(self._first, self._first + self.shape[0])


# -- the owner's side


@dataclass
class Tally:
    """What a run took so far.

    Each refusal tells the trainer one bit.  Owners should add them up over the runs of one key, and ask for the reasons.
    """

    trips: int = 0  # requests that were answered
    refused: int = 0  # requests that were decrypted and not answered, 0 or 1
    bytes_up: int = 0  # from the trainer
    bytes_down: int = 0  # to the trainer
    cpu_seconds: float = 0.0  # of the owner
    score_bytes_up: int = 0  # of scores that the owner watches, besides the requests

    def count(self, bytes_up: int, bytes_down: int, cpu_seconds: float) -> None:
        """Add one trip."""
        self.trips += 1
        self.bytes_up += bytes_up
        self.bytes_down += bytes_down
        self.cpu_seconds += cpu_seconds


Asked = TypeVar("Asked", contravariant=True)
"""What the trainer sends: a `Request`, or `weights.Weights`."""
Told = TypeVar("Told", covariant=True)
"""What the owner returns: an `Answer`, or `weights.Weights`."""


class OwnersSide(Protocol[Asked, Told]):
    """The owner's end of a channel, which answers requests and holds the secret key."""

    tally: Tally
    closed: bool
    max_trips: int | None

    @property
    def context(self) -> KeyContext | None:
        """The scheme's record of the key's name and parameters."""

    def opening(self) -> Opening:
        """Return the message that opens a run."""

    def answer(self, request: Asked) -> Told:
        """Return the answer to a request."""


class Assistant:
    """The owner's side of the protocol: holds the secret key and answers requests, one after the other.

    secret: the owner's key, of parameters with ring masks.  outputs: of the network.  labels: the labels that the owner keeps,
    one per review, or None.  max_rate: the largest learning rate that is answered.  max_trips: the most requests that are
    answered, if the length of the run is known; more could only serve the trainer's curiosity.  rng: makes masks that repeat,
    for experiments.

    `answer` raises `KeyMismatchError` for scores under another key, and `DataError` for malformed messages or a wrong turn;
    both depend only on what everybody sees.  It raises `DivergenceError` for scores near the end of the range, and for any
    other failure after the decryption; then it is `closed` and answers no more (see `decrypting`).
    """

    def __init__(
        self,
        secret: IntegerVectorSecretKey,
        outputs: int = 1,
        labels: np.ndarray | None = None,
        max_rate: float = 1.0,
        rng: np.random.Generator | None = None,
        max_trips: int | None = None,
    ) -> None:
        _check_max_rate(max_rate, secret.parameters)
        self._secret, self.outputs, self._max_rate, self.max_trips = secret, outputs, max_rate, max_trips
        self._labels = None if labels is None else plain_targets(labels, outputs)
        randomness = for_key(secret.context.experimental, rng)
        self._pads = PadStream(secret, outputs, randomness)
        self._zero_key = make_zero_key(secret, outputs, randomness, SAMPLES)
        self._limit = WITHIN * (1 << ((secret.parameters.q_bits or 64) - 1)) / secret.parameters.unit
        self._scores: list[np.ndarray] = []
        self.tally, self.closed = Tally(), False

    def __repr__(self) -> str:
        """Name key and counts, nothing secret."""
        kept = 0 if self._labels is None else len(self._labels)
        return f"Assistant(key_id={self.context.key_id}, kept_labels={kept}, trips={self.tally.trips})"

    @property
    def context(self) -> IntegerVectorContext:
        """The name of the key and its parameters."""
        return self._secret.context

    @property
    def scores(self) -> np.ndarray:
        """All scores z decrypted so far, shape (reviews so far, outputs), for the owner only."""
        return np.concatenate(self._scores) if self._scores else np.empty((0, self.outputs))

    def opening(self) -> Opening:
        """Return the message that opens a run."""
        return Opening(self.context.key_id, self._zero_key, 0 if self._labels is None else len(self._labels))

    def answer(self, request: Request) -> Answer:
        """Return Enc(rate (p - y)), or Enc(rate p) for a request without labels."""
        begun = time.process_time()
        self._check(request)
        with decrypting(self):
            z = self._read(request)
            seed, first, pads = self._pads.take(len(z))
            seal = self._seal_one if z.size == 1 else self._seal
            answer = Answer(request.trip, seed, first, seal(z, self._targets(request), request.rate, pads))
        self.tally.count(request.nbytes, answer.nbytes, time.process_time() - begun)
        return answer

    def _read(self, request: Request) -> np.ndarray:
        """Decrypt, keep and return the scores z; parts are added up."""
        z = self._secret.decrypt(request.scores)
        largest = abs(z.item()) if z.size == 1 else float(np.abs(z).max())
        if largest >= self._limit:
            raise DivergenceError(
                f"a score, or a part of one, passed {self._limit:.3g}, near the end of what {self.context.parameters.name!r} "
                "holds, so the weights have passed their announced bound; no more requests are answered. Start again with a "
                "lower learning rate, a larger bound (Owner.announce_bound) or a larger modulus"
            )
        if request.parts is not None:
            z = np.add.reduceat(z, np.cumsum(request.parts) - request.parts)
        self._scores.append(z)
        return z

    def _seal(self, z: np.ndarray, targets: np.ndarray | None, rate: float, pads: np.ndarray) -> np.ndarray:
        """Return w scale rate (sigmoid(z) - targets) + pads modulo q, the first entries of fresh ciphertexts."""
        p = self._secret.parameters
        error = sigmoid(z) - (0 if targets is None else targets)
        x = np.rint(error * (rate * p.scale)).astype(np.int64)
        return centred((x << p.w_bits) + pads, p.q_bits or 64).astype(p.dtype)

    def _seal_one(self, z: np.ndarray, targets: np.ndarray | None, rate: float, pads: np.ndarray) -> np.ndarray:
        """Return the same for one number, as in per-review training; Python's numbers take a third of the time."""
        p = self._secret.parameters
        small = math.exp(-abs(z.item()))  # never overflows
        error = (1.0 if z.item() >= 0 else small) / (1.0 + small) - (0 if targets is None else targets.item())
        x = (round(error * (rate * p.scale)) << p.w_bits) + pads.item()
        half = 1 << ((p.q_bits or 64) - 1)
        return np.array([[(x + half) % (2 * half) - half]], p.dtype)

    def _targets(self, request: Request) -> np.ndarray | None:
        if request.rows is None:
            return request.labels
        return None if self._labels is None else self._labels[request.rows]

    def _check(self, request: Request) -> None:
        """Raise unless the request is next in turn and all of it can be used."""
        check_turn(self, request.trip)
        if not isinstance(request.rate, float) or not 0.0 < request.rate <= self._max_rate:
            raise DataError(f"the learning rate {request.rate!r} is not above 0, up to {self._max_rate}; choose another")
        check_scores(request.scores, self.context, self.outputs)
        if request.parts is not None:
            check_counts(request.parts, len(request.scores))
        reviews = request.reviews
        if request.labels is not None:
            _check_labels(request.labels, (reviews, self.outputs))
        if request.rows is not None:
            self._check_rows(request, reviews)

    def _check_rows(self, request: Request, reviews: int) -> None:
        rows, kept = request.rows, 0 if self._labels is None else len(self._labels)
        if request.labels is not None:
            raise DataError("a request names reviews with labels kept here and sends labels too; do only one of the two")
        if not isinstance(rows, np.ndarray) or rows.dtype != np.int64 or rows.shape != (reviews,):
            raise DataError(f"the numbers of reviews must be int64 of shape {(reviews,)}; send one for each score")
        if not 0 <= int(rows.min()) <= int(rows.max()) < kept:
            raise DataError(f"reviews {rows.min()} to {rows.max()} were named, but only {kept} labels are kept; count from 0")


@contextmanager
def decrypting(side: OwnersSide) -> Iterator[None]:
    """If anything is raised in this context, close the owner's side for good and count the refusal.

    An error after a decryption depends on the decrypted number, so it answers one bit, and a chosen ciphertext can make that a
    bit of the key.  An error of another package becomes a `DivergenceError`.
    """
    try:
        yield
    except BaseException as error:
        side.closed = True
        side.tally.refused += 1
        if isinstance(error, EncnnError) or not isinstance(error, Exception):
            raise
        raise DivergenceError(
            f"what was decrypted could not be used ({type(error).__name__}: {error}): training diverged, or the request was "
            "made up. No more requests are answered; start again with a lower learning rate"
        ) from error


def check_turn(side: OwnersSide, trip: int) -> None:
    """Raise `DataError` unless the owner still answers, and this request is the next one."""
    if side.closed:
        raise DataError("the owner has ended this run and answers no more requests; begin a new one")
    if side.max_trips is not None and side.tally.trips >= side.max_trips:
        raise DataError(f"the owner answered {side.max_trips} requests, as many as this run may take; begin a new one")
    if trip != side.tally.trips + 1:
        raise DataError(f"request {trip!r} came, but {side.tally.trips + 1} is the next one; begin a new run")


def check_scores(scores: object, context: IntegerVectorContext, outputs: int) -> None:
    """Raise unless `scores` are 1 to d ciphertexts of width `outputs` at the scale of their parameters, under this key."""
    if not isinstance(scores, CiphertextArray):
        raise DataError(f"scores are of type {type(scores).__name__}; send encrypted ones")
    if scores.context is not context and scores.context != context:
        raise KeyMismatchError(f"scores under key {scores.context.key_id} came to key {context.key_id}; ask their own owner")
    p = context.parameters
    shape = scores.data.shape
    if scores.data.dtype != p.dtype or len(shape) != 2 or shape[1] != outputs + p.d or not 1 <= shape[0] <= p.d:
        raise DataError(
            f"scores are {scores.data.dtype} of shape {shape}, expected {p.dtype} of shape (1 to {p.d}, {outputs + p.d}); send "
            "smaller mini-batches, of this network"
        )
    if scores.scale != p.scale:
        raise DataError(f"scores have scale {scores.scale:g}, expected {p.scale}; send sums, not products")


def _check_max_rate(rate: float, p: IntegerVectorParameters) -> None:
    """Raise `ParameterError` for a rate with which an answer could leave the range of the modulus and wrap."""
    largest = WITHIN * (1 << ((p.q_bits or 64) - 1)) / p.unit
    if not 0.0 < rate < largest:
        raise ParameterError(f"max_rate is {rate!r}; with {p.name!r} it must lie between 0 and {largest:.3g}")


def _check_labels(labels: object, shape: tuple[int, int]) -> None:
    if not isinstance(labels, np.ndarray) or labels.dtype != np.int8 or labels.shape != shape:
        raise DataError(f"labels must be int8 of shape {shape}; send one for each score")
    if (labels.item() not in (0, 1)) if labels.size == 1 else (labels.view(np.uint8).max() > 1):
        raise DataError("labels are not all 0 or 1; send one column per class")


# -- the trainer's side


class Channel(Protocol[Asked, Told]):
    """A way to the owner."""

    def open(self) -> Opening:
        """Return the owner's first message."""

    def ask(self, request: Asked) -> Told:
        """Send a request; return its answer."""


def opened(channel: Channel, key_id: str) -> Opening:
    """Return the owner's first message; raise `KeyMismatchError` unless it is of this key, the model's."""
    opening = channel.open()
    if opening.key_id != key_id:
        raise KeyMismatchError(f"this owner has key {opening.key_id!r}, but the model has {key_id}; ask its own owner")
    return opening


def check_trip(answered: object, trip: int) -> None:
    """Raise `DataError` unless an answer is to request `trip`."""
    if answered != trip:
        raise DataError(f"the answer is to request {answered!r}, not to {trip}; begin again")


class AssistedStep(Help):
    """The trainer's side: help for `Trainer.train` whose error step asks the owner.  It holds a channel and no secret.

    share_labels: send plain labels with the scores; otherwise ask for Enc(a p).  rng: makes zeros that repeat, for experiments.
    `central`: if workers share a mini-batch (`encnn.scaling.workers`), the driver asks once for the whole mini-batch.
    `reads_parts`: scores that could leave the range of the scheme come in parts (`network.partial_scores`), so that the owner
    notices.
    """

    central = True
    reads_parts = True

    def __init__(
        self, channel: Channel[Request, Answer], share_labels: bool = True, rng: np.random.Generator | None = None
    ) -> None:
        super().__init__(self)
        self._channel, self._share_labels, self._rng = channel, share_labels, rng
        self._opening: Opening | None = None
        self._masks: tuple[bytes, Rows] | None = None
        self._rate: float | None = None
        self.trips = 0

    def __call__(
        self, evaluator: Evaluator, z: CiphertextArray | PartialScores, targets: Targets, rate: float
    ) -> tuple[CiphertextArray, float]:
        """Return (encrypted rate * (p - targets), 1): the answer includes the rate.

        A mini-batch whose scores are more ciphertexts than a request holds takes several trips.
        """
        parts = z.parts if isinstance(z, PartialScores) else z
        if not isinstance(parts, CiphertextArray):
            raise CapabilityError(
                f"scheme {evaluator.scheme!r} takes no errors from an owner; leave `help` out of Trainer.train for 'clear', or "
                "pass refresh_for(...) of encnn.parties.assistance.weights for 'ckks', 'fv' and 'yashe'"
            )
        if len(parts) <= parts.parameters.d:
            return self._asked(z, targets, rate), 1.0
        errors = [self._asked(z[rows], targets[rows], rate) for rows in stretches(z, parts.parameters.d)]
        return evaluator.concatenate(errors), 1.0

    def _asked(self, z: CiphertextArray | PartialScores, targets: Targets, rate: float) -> CiphertextArray:
        """Return encrypted rate * (p - targets) for the scores of one request."""
        parts, counts = (z.parts, z.counts) if isinstance(z, PartialScores) else (z, None)
        opening = self._opening or self._open(parts.context, z.shape[-1])
        scores = self._randomised(parts)
        labels = targets.astype(np.int8) if isinstance(targets, np.ndarray) and self._share_labels else None
        rows = targets.rows if isinstance(targets, KeptLabels) else None
        self.trips += 1
        if isinstance(targets, KeptLabels) and targets.last >= opening.kept_labels:
            raise DataError(f"review {targets.last} came, but the owner keeps {opening.kept_labels} labels; train on those")
        request = Request(self.trips, float(rate), scores, labels, rows, counts)
        error = self._decoded(self._channel.ask(request), parts.context, z.shape)
        if labels is not None or rows is not None:
            return error
        return error - (
            self._at_one_rate(targets, rate) if isinstance(targets, CiphertextArray) else rate * np.asarray(targets)
        )

    def _at_one_rate(self, targets: CiphertextArray, rate: float) -> CiphertextArray:
        """Return encrypted targets after checking that the rate, which they include, has not changed."""
        self._rate = rate if self._rate is None else self._rate
        if rate != self._rate:
            raise ParameterError(
                f"the learning rate went from {self._rate} to {rate}, but encrypted labels hold one rate; train without decay"
            )
        return targets

    def _open(self, context: IntegerVectorContext, outputs: int) -> Opening:
        opening, p = opened(self._channel, context.key_id), context.parameters
        if opening.zero_key is None:
            raise DataError("the owner sent no public key, so it answers no scores; have it serve a scores.Assistant")
        check_array("the owner's public key", opening.zero_key.b, (SAMPLES, outputs, p.d), np.int64, *entry_range(p))
        self._zeros = ZeroStream(opening.zero_key, p, for_key(context.experimental, self._rng, bulk=True))
        self._opening = opening
        return opening

    def _randomised(self, z: CiphertextArray) -> CiphertextArray:
        """Return z with an encryption of zero added to each ciphertext."""
        sums = self._zeros.take(len(z))  # each row is given out once, so it may be changed
        sums += z.data
        p = z.parameters
        # bits above q would tell something of the words, since only the residues of a zero are random
        data = centred(sums, p.q_bits or 64)
        return CiphertextArray(data, z.context, z.scale, z.bound, z.value, z.noise + zero_noise(p))

    def _decoded(self, answer: Answer, context: IntegerVectorContext, shape: tuple[int, ...]) -> CiphertextArray:
        """Return the ciphertexts of an answer, after checking that it answers this request."""
        p = context.parameters
        _check_answer(answer, self.trips, shape, p)
        if self._masks is None or self._masks[0] != answer.seed:
            self._masks = answer.seed, Rows(expand_polynomial(answer.seed, p), p)
        masks = self._masks[1][answer.first : answer.first + shape[0]]
        data = np.concatenate([answer.tops, masks], axis=1)
        return CiphertextArray(data, context, p.scale, 0.0, 1.0, p.noise_bound + 0.5)


def stretches(z: CiphertextArray | PartialScores, most: int) -> list[slice]:
    """Return slices of reviews that follow each other, each with up to `most` ciphertexts; raise if one review has more."""
    counts = z.counts if isinstance(z, PartialScores) else np.ones(len(z), np.int64)
    if counts.max() > most:
        raise ParameterError(
            f"the score of one review comes in {counts.max()} ciphertexts, but a request holds {most}; take a lower learning "
            "rate or smaller features"
        )
    found, first, held = [], 0, 0
    for review, count in enumerate(counts):
        if held + count > most:
            found.append(slice(first, review))
            first, held = review, 0
        held += count
    return [*found, slice(first, len(counts))]


def _check_answer(answer: Answer, trip: int, shape: tuple[int, ...], p: IntegerVectorParameters) -> None:
    check_trip(answer.trip, trip)
    check_array("an answer", answer.tops, shape, p.dtype, *entry_range(p))
    if not isinstance(answer.seed, bytes) or not isinstance(answer.first, int) or not 0 <= answer.first <= p.d - shape[0]:
        raise DataError(f"the answer names masks from row {answer.first!r} of {p.d}; begin again")


# -- channels


class DirectChannel(Generic[Asked, Told]):
    """Both sides in one process, for notebooks and experiments.

    Only this object leads to the owner and its secret; models, trainers and `folders.FolderChannel` lead to none.
    """

    def __init__(self, side: OwnersSide[Asked, Told]) -> None:
        self._side = side

    def open(self) -> Opening:
        """Return the owner's first message."""
        return self._side.opening()

    def ask(self, request: Asked) -> Told:
        """Pass a request on and return its answer."""
        return self._side.answer(request)
