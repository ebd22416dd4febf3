"""The interface that the network needs from a scheme.

A scheme has two sides.  The **secret key** (owner) encrypts and decrypts.  The **evaluator** (trainer, user) holds public
material only and computes on encrypted arrays.  An encrypted array stands for real vectors.  Its last axis is the vector; the
axes before it count ciphertexts.  `+` and `-` work between arrays of one scheme and between an array and plain numbers.

The training loop uses only these few methods, so a scheme that has them can train the network.  An operation that a scheme
lacks raises `CapabilityError`, which names the scheme, the operation and a scheme that has it.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, NoReturn, Protocol, Self, TypeVar, runtime_checkable

import numpy as np

from encnn.arithmetic.sigmoid import ExactSigmoid, Sigmoid
from encnn.data.batches import Batch, TrainingFeatures
from encnn.errors import CapabilityError, ParameterError
from encnn.schemes.bilinear import BilinearMap, elementwise
from encnn.schemes.public import PublicNetwork, PublicPlan


@runtime_checkable
class Targets(Protocol):
    """What scores are compared with, shape (reviews, outputs): plain or encrypted labels, or labels that the owner keeps."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the real vectors it stands for."""

    def __getitem__(self, rows: Any, /) -> Self:
        """Return some of the vectors: every scheme takes slices, some take numbers, arrays of numbers, and None."""


@runtime_checkable
class Encrypted(Targets, Protocol):
    """An array of one scheme: numpy floats for the clear scheme, a `CiphertextArray` for the integer-vector scheme.

    Scores in parts (`network.partial_scores`) are one, too.
    """

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""

    def __len__(self) -> int:
        """Return the length of the first axis."""


class TrainableArray(Encrypted, Protocol):
    """An encrypted array that training changes in place."""

    def copy(self) -> Self:
        """Return an array that can be changed by itself."""


class EncryptedNumbers(TrainableArray, Protocol):
    """An encrypted array that one can compute with; weights need not be one (`bootstrapped.blocks`)."""

    def __add__(self, other: Self | np.ndarray | float, /) -> Self:
        """Return the sum with an array of the same key or plain numbers."""

    def __sub__(self, other: Self | np.ndarray | float, /) -> Self:
        """Return the difference."""

    def __rsub__(self, other: np.ndarray | float, /) -> Self:
        """Return plain numbers minus this array."""

    def __mul__(self, factor: float, /) -> Self:
        """Return the product with a plain number."""


class Condensed(Protocol):
    """Scores in the form in which files hold them; only their owner does anything with them."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the real vectors it stands for."""


A = TypeVar("A", bound=EncryptedNumbers)
"""The arrays of a scheme."""


OwnerHelp = Literal["none", "errors", "weights"]
"""What the owner sends while a network trains: nothing, errors for its scores, or fresh weights."""


class SchemeParameters(Protocol):
    """What the parameters of every scheme have; their type chooses the scheme."""

    @property
    def name(self) -> str:
        """The name of the set."""

    @property
    def insecure(self) -> bool:
        """Whether the name says that the set protects nothing."""

    @property
    def owner_help(self) -> OwnerHelp:
        """What the owner must do in training."""

    def __hash__(self) -> int:
        """Return a hash: parameters are values that do not change."""


P = TypeVar("P", bound=SchemeParameters, covariant=True)
"""The parameters of a scheme."""


@dataclass(frozen=True)
class KeyContext(Generic[P]):
    """What all ciphertexts of one key share."""

    parameters: P  # of the key
    key_id: str  # the public name of the key
    experimental: bool = False  # whether its randomness can be reproduced

    def refuse_experimental(self) -> None:
        """Raise `ParameterError` for a key made from a passed rng, since nothing of such keys is written to files."""
        if self.experimental:
            raise ParameterError(
                "this key was made from a passed rng, so it repeats and protects nothing; nothing of it is written to files. "
                "Make the owner without rng"
            )


@dataclass(frozen=True)
class ComparedPreset:
    """A line of the comparison of all schemes: parameters, and the sigmoid to use with them."""

    name: str  # the scheme's name for readers
    parameters: SchemeParameters  # of the scheme
    sigmoid: Sigmoid | None  # None for the task's own, with dense features
    keys: int = 1  # number of keys to run it with
    hidden: bool = False  # whether it is a line of the network with a hidden layer


@dataclass(frozen=True)
class Scheme:
    """A scheme: what makes its keys and restores them, its presets, and its lines in the comparison.

    Both functions that restore are None for a scheme without files.
    """

    name: str  # as files and error messages give it
    parameters: type  # the class of its parameters
    make_keys: Callable[..., tuple["SecretKey", "Evaluator"]]  # (parameters, widths, products, rng, public_widths, features)
    restore_evaluator: Callable[..., "Evaluator"] | None  # (header, arrays, products)
    restore_secret_key: Callable[..., "SecretKey"] | None  # (header, arrays)
    presets: Sequence[SchemeParameters] = ()  # its named parameter sets
    compared: Sequence[ComparedPreset] = ()  # its lines in the comparison


class SecretKey(ABC, Generic[A]):
    """The owner's side of a scheme, whose arrays are of type A."""

    context: KeyContext | None = None  # None in the clear, where there is no key

    def __reduce__(self) -> NoReturn:
        """Refuse pickling and copying, which could spread the secret unnoticed into caches, logs and other processes."""
        raise TypeError("a secret key is not pickled or copied; write it to a private file with Owner.save_secret(path)")

    @abstractmethod
    def encrypt(self, v: np.ndarray) -> A:
        """Return fresh, randomised encryptions of real vectors, shape (..., m)."""

    def encrypt_many(self, v: np.ndarray) -> Encrypted:
        """Return fresh encryptions of many real vectors, shape (rows, m), in the form of weights and labels."""
        return self.encrypt(v)

    @abstractmethod
    def decrypt(self, a: A) -> np.ndarray:
        """Return the real vectors, shape (..., m)."""

    @abstractmethod
    def export(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Return (header, arrays), *secret*, from which `schemes.restore_secret_key` makes this key again."""


class Evaluator(ABC, Generic[A]):
    """The public side of a scheme: operations on encrypted arrays of type A, no secret.

    Who works with any scheme, such as the training loop, writes `Evaluator` alone.
    """

    scheme: ClassVar[str]
    parameters: Any  # `SchemeParameters`, and what the scheme has besides
    context: KeyContext | None = None  # None in the clear, where there is no key
    scores_together: ClassVar[int] = 256
    """Number of reviews whose scores are computed together in predictions."""

    @property
    def key_id(self) -> str:
        """The public name of the key; empty in the clear."""
        return "" if self.context is None else self.context.key_id

    @property
    def nbytes(self) -> int:
        """Bytes of all evaluation keys; here there are none."""
        return 0

    @property
    def labels_carry_rate(self) -> bool:
        """Whether encrypted labels are encryptions of rate * y, because the scheme cannot multiply them afterwards."""
        return False

    @property
    def prefers_rank_one(self) -> bool:
        """Whether a network that stays of rank one is encrypted as one of a single hidden unit (`network.rank_one`)."""
        return False

    @property
    def score_limit(self) -> float:
        """The limit R of a scheme that keeps numbers modulo 2 R, so that a number beyond R is read as another number.

        Infinity for schemes that raise an error instead.
        """
        return math.inf

    def second_layer_range(self, rank_one: bool) -> tuple[float, float]:
        """Return the least and the largest weight of a second layer that training reads as it is; it clips others.

        rank_one: whether the weight is |W2| of a network of rank one.
        """
        return -math.inf, math.inf

    @property
    def whole_features_only(self) -> bool:
        """Whether features with fractions are refused, since ciphertexts can be added and not divided."""
        return False

    @property
    def shrinks(self) -> bool:
        """Whether weights can be shrunk at the end of an epoch."""
        return True

    @property
    def activation_limit(self) -> float:
        """The |z| beyond which the sigmoid of a score is read at a wrong place, so that training goes wrong unnoticed."""
        return math.inf

    @abstractmethod
    def multiply_plain(self, a: A, factor: float | np.ndarray) -> A:
        """Return factor * a; `factor` is a number or has shape (B, 1), one number per ciphertext."""

    @abstractmethod
    def bilinear(self, f: BilinearMap, a: A, b: A, gain: float = 1.0, total: bool = False) -> A:
        """Return gain * f(a, b), ciphertext by ciphertext; with `total` the sum over the ciphertexts, as one ciphertext."""

    @abstractmethod
    def gather(self, X: Batch, W: A) -> A:
        """Return X W: for each review of the batch the weighted sum of the rows of W, shape (B, width)."""

    @abstractmethod
    def scatter_subtract(self, W: A, X: Batch, G: A) -> None:
        """Do W -= X^T G in place."""

    @abstractmethod
    def concatenate(self, arrays: Sequence[A]) -> A:
        """Return the arrays joined along their first axis."""

    @abstractmethod
    def export(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Return (header, arrays), all public, from which `schemes.restore_evaluator` makes this evaluator again."""

    @abstractmethod
    def export_array(self, a: A) -> tuple[dict, np.ndarray]:
        """Return (header, array) of one encrypted array."""

    @abstractmethod
    def restore_array(self, header: dict, array: np.ndarray, shape: tuple[int, ...]) -> A:
        """Return the encrypted array that `export_array` took apart; raise `FileError` unless it has that shape."""

    def readable(self, a: A) -> bool:
        """Return whether some ciphertext of the array has no mask, so that anybody reads it without a key.

        Such a ciphertext is a plain number under every key.  It is found only if its maker did not disguise it.
        """
        return False

    def multiply(self, a: A, b: A) -> A:
        """Return the product of two encrypted arrays, entry by entry."""
        return self.bilinear(elementwise(width(a)), a, b)

    def polynomial(self, z: A, coefficients: Sequence) -> A:
        """Return sum_k coefficients[k] z^k, entry by entry; the constant may be an array that broadcasts to z.

        The even and the odd part are evaluated in u = z^2 by Horner's rule.  An odd polynomial of degree 2 j + 1 takes j + 1
        products of ciphertexts (none for degree 1), and no power is higher than the polynomial needs.
        """
        constant, even, odd = coefficients[0], _trimmed(coefficients[2::2]), _trimmed(coefficients[1::2])
        u = self.multiply(z, z) if len(even) or len(odd) > 1 else z  # not needed below degree 2
        result = self._times_horner(z, u, odd)
        if len(even):
            result = result + self._times_horner(u, u, even)
        return result + constant

    def _times_horner(self, z: A, u: A, coefficients: Sequence[float]) -> A:
        """Return z (c_0 + u (c_1 + u (...)))."""
        if not coefficients:
            return z * 0.0
        if len(coefficients) == 1:
            return self.multiply_plain(z, coefficients[0])
        return self.multiply(z, self._times_horner(u, u, coefficients[1:]) + coefficients[0])

    def reciprocal(self, a: A, guess: float, steps: int) -> A:
        """Return 1 / a by `steps` Newton steps x <- x (2 - a x) from x = `guess`; a step takes two products.

        Converges for 0 < a guess < 2, and squares the relative error |1 - a guess| in every step.
        """
        x = a * 0 + guess
        for _ in range(steps):
            x = self.multiply(x, 2 - self.multiply(a, x))
        return x

    def activate(self, sigmoid: Sigmoid, z: A, minus: A | np.ndarray | float = 0.0) -> A:
        """Return sigmoid(z) - minus; encrypted schemes evaluate polynomials only.

        A plain `minus` (labels) is taken from the constant coefficient, so it costs nothing; it may also be encrypted.
        """
        if isinstance(sigmoid, ExactSigmoid):
            raise CapabilityError(
                f"scheme {self.scheme!r} cannot evaluate the exact sigmoid on ciphertexts; use the scheme 'bootstrapped', "
                "which can (leave `parameters` out of Owner), have the owner evaluate it (owner.assistant, for COMPACT_128), "
                "or use a polynomial (encnn.arithmetic.sigmoid.taylor, least_squares, minimax), or the scheme 'clear'"
            )
        constant, *rest = sigmoid.coefficients
        if isinstance(minus, np.ndarray) and minus.size == 1:
            minus = minus.item()  # Python subtracts one number in a thirtieth of the time of an array with one entry
        if isinstance(minus, np.ndarray | float | int):
            return self.polynomial(z, [constant - minus, *rest])
        return self.polynomial(z, sigmoid.coefficients) - minus

    def error(
        self,
        sigmoid: Sigmoid,
        z: A,
        targets: A | np.ndarray,
        rate: float,
        widths: np.ndarray | None = None,
    ) -> tuple[A, float]:
        """Return (e, gain) with gain * e an encryption of rate * (sigmoid(z) - targets).

        Here e = sigmoid(z) - targets, and the rate is left as a gain to the products that follow.
        widths: of each review, shape (B,): then it is rate / width * (sigmoid(z / width) - targets).
        """
        if widths is None:
            return self.activate(sigmoid, z, minus=targets), rate
        shorter = 1.0 / widths[:, None]
        e = self.activate(sigmoid, self.multiply_plain(z, shorter), minus=targets)
        return self.multiply_plain(e, shorter), rate

    def error_in_place(self, sigmoid: Sigmoid, z: A, targets: A | np.ndarray, rate: float) -> tuple[A, float]:
        """Return what `error` does, for a z that is not needed afterwards: schemes of wide ciphertexts may use its memory."""
        return self.error(sigmoid, z, targets, rate)

    def hidden_layer(self, network: PublicNetwork) -> "HiddenProducts | None":
        """Return the scheme's own products of this network's hidden layer; None if it computes them one by one."""
        return None

    def pack(self, a: A) -> A:
        """Return an array in the smallest form that an owner can read, as scores are sent."""
        return a

    def condense(self, a: A) -> "Condensed":
        """Return scores as they are written to a file: packed, and under the smallest modulus that keeps their precision."""
        return self.pack(a)

    def unpack(self, a: A) -> A:
        """Return an array as single ciphertexts; this undoes `pack` and `SecretKey.encrypt_many`."""
        return a

    def update_of(self, W: A, X: Batch, G: A) -> tuple[np.ndarray, A] | None:
        """Return (which parts of W change, what is added to them) in W -= X^T G; None if rows of G and X are smaller."""
        return None

    def add_update(self, W: A, changed: np.ndarray, update: A) -> None:
        """Add what `update_of` returned to W, in place."""
        raise CapabilityError(
            f"scheme {self.scheme!r} passes on rows of errors, no updates of weights; use evaluator.scatter_subtract(W, X, G)"
        )

    def check_weights(self, W: A) -> None:
        """Raise `ParameterError` for weights that must not be trained or used, above all those that anybody can read."""
        if self.readable(W):
            raise ParameterError(
                "weights have no masks, so anybody reads them without a key, and they would stay so in training: whoever made "
                "them encrypted nothing. Neither train nor publish them; ask the owner for a new model (Owner.encrypt)"
            )

    def check_start(self, size: float) -> None:  # noqa: B027  most schemes have nothing to say
        """Raise `ParameterError` if a network of rank one cannot be trained from this |W2|."""

    def ranges_of(self, X: TrainingFeatures, y: np.ndarray | None, plan: PublicPlan, network: PublicNetwork) -> object:
        """Return what the scheme expects of the numbers in this run, or None; raise if the plan cannot work.

        y: plain labels, shape (reviews,), or None if they are encrypted.  network: the encrypted network.
        """
        return None

    def shrink(self, W: A, factor: float) -> A:
        """Return factor * W, for weights that are kept small."""
        return self.multiply_plain(W, factor)

    def prepare(self) -> None:  # noqa: B027  most schemes have nothing to prepare
        """Do now what the first use of the evaluation keys would otherwise do, so that measurements do not include it."""

    def scores_bytes(self, reviews: int, outputs: int) -> int:
        """Return the bytes of the encrypted scores of a mini-batch with this number of reviews; here float64 in the clear."""
        return 8 * reviews * outputs

    def check_hidden(self, h: np.ndarray, W2: np.ndarray) -> None:  # noqa: B027  most schemes hold numbers of any size
        """Raise `DivergenceError` if numbers of a hidden layer, met in a rehearsal, are beyond what this scheme reads.

        h: what each review's rows of W1 add up to, shape (reviews, hidden).  W2: shape (hidden * outputs,).
        """

    def check_plan(  # noqa: B027  most schemes have nothing to say
        self, X: TrainingFeatures, epochs: int, rate: float, network: PublicNetwork | None = None
    ) -> None:
        """Raise `ParameterError` if training on X for these epochs, at rates up to this one, is known to fail."""


W = TypeVar("W")
"""The weights of a hidden layer."""
C = TypeVar("C")
"""A scheme's own form of h, d and slopes."""
Z = TypeVar("Z")
"""The scores of a hidden layer."""


class HiddenProducts(Protocol[W, C, Z]):
    """All products of a network with a hidden layer, by a scheme whose products share parts of their work.

    The arrays h, d and of slopes are in the scheme's own form, which only these methods read.
    """

    def forward(self, W1: W, W2: W, batch: Batch) -> tuple[C, C, Z]:
        """Return (slopes of the hidden sigmoid, h, scores z) of a batch; without hidden sigmoid nobody reads the slopes."""

    def error(self, sigmoid: Sigmoid, z: Z, targets: np.ndarray | W) -> C:
        """Return d = sigmoid(z) - targets."""

    def first_layer_errors(self, W2: W, d: C, slopes: C, rate: float, shares: np.ndarray) -> C:
        """Return rate * share * d W2^T * slopes, one row per review; shares: one number per review, shape (B,)."""

    def second_layer_gradient(self, d: C, h: C, rate: float) -> W:
        """Return rate * h^T d, summed over the batch."""


def width(a: Encrypted) -> int:
    """Return the length of the vectors that `a` stands for."""
    return a.shape[-1]


def _trimmed(coefficients: Sequence[float]) -> Sequence[float]:
    """Return the coefficients without trailing zeros."""
    last = len(coefficients)
    while last and not coefficients[last - 1]:
        last -= 1
    return coefficients[:last]


ErrorStep = Callable[..., tuple[Encrypted, float]]
"""(evaluator, z, targets, rate) -> (e, gain) with gain * e the encrypted rate * (sigmoid(z) - targets).

If the features give widths to reviews (`data.batches.Conditioned`), the widths follow as a fifth argument (`Evaluator.error`).
"""
