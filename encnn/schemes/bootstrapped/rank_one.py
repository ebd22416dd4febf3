"""Training a network of rank one.  Both layers are encrypted, a review takes three rotations, and the owner is not asked.

A network that starts from W1 = 0 is one number per word, U, and one positive number b (`network.rank_one` has the proof):

    s = mean of U over the words     z = s b     d = sigmoid(z) - y     U[words] -= a d b     b -= a sum d s.

Products are sums of codes (`codes`).  Because b > 0, only s has a sign, so a quarter turn can stand for it.  A table back from
the code of z may then hold any function of z, also one that is not odd.  sigmoid(z) - y is not, and each label has a table:

    per review        S = m sum of rows of U            additions; m is a whole number that fills the torus
                      lambda = code(s)                  1 rotation
                      delta, q = code(d), d z           1 rotation with 2 results, from lambda + beta_s
                      a d b                             1 fine rotation, from delta + beta; then U[words] -= a d b
    per mini-batch    beta_s, beta = codes of b         1 rotation with 2 results
                      code(sum of q)                    1 rotation
                      a (sum of q) / b                  1 fine rotation, from code(sum of q) - beta; then b -= it

**Encrypted labels.**  The trainer cannot choose a table by a label that it cannot read.  But such a label can turn a sign, if
the encrypted half turn y / 2 is added to a code.  With t = 1 - 2 y, which is 1 or -1, and u = t z, the errors are d = t
sigmoid(u) and d z = u sigmoid(u).  So half a turn stands for the sign of s here, and the label is added to the code of z, which
makes it that of u, and later to the code of d.  A table from such codes holds odd functions only, and these two are not odd.
One more rotation therefore leads from the code of u to the number `_squashed`(u), from which a table may hold any function.  A
review thus takes four rotations.

The owner receives S and b, decrypts both, and computes z = S b / (m n).  This takes no rotation and adds no noise of a table.

**Ranges.**  Codes span `OCTAVES` below the largest s and the largest sum of q, and b lies between `LEAST` and `LARGEST`.  The
trainer finds the largest numbers by rehearsing in the clear from several b, and refuses a plan that leaves the ranges
(`rank_one_ranges`).  Smaller numbers count as the smallest size, with their sign.  Larger numbers are clipped, because tables
of codes read a phase a little beyond a quarter of the torus with the right sign.  The owner reads S and b of every score
that it receives, and counts the larger ones: a score is unknown (not-a-number) if its S or its b is too large, or if b is not
above 0.  A b between 0 and `LEAST` counts as `LEAST`, and its scores are known.  The owner is warned of a b outside its range
(`DataWarning`), also when it decrypts the network.  With encrypted labels, which cannot be rehearsed, only this shows it.

**Noise.**  Every read has an error, and every update has the noise of a fine rotation, which must be small beside a d b
(`rank_one_ranges.check_rate`).  Let r_1 and r_2 be the deviations of a read with one result and with two, as fractions of the
torus (`noise.table_input`).  Then the deviations are

    s and z       additive, in s   r_1 4 s_max     relative   r_2 ln 2 / kappa (`Codec.product_deviation`)
    update a d b  additive         2^-22 of the torus (`noise.rotation` of the fine key)     relative   r_1 ln 2 / kappa
    sum of q      additive         r_1 4 q_max     relative   r_1 ln 2 / kappa

Errors with the mean 0 average out in training, as the noise of mini-batches does.  But a curved function of a noisy number has
another mean than the function of the exact one: if z is read with the error e, then q is off by q'' e^2 / 2 on average, always
to the same side.  The table therefore holds q less this bias (`unbiased`).  `simulation.SimulatedEvaluator` trains in the clear
with all of this noise.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

import numpy as np

from encnn.arithmetic.sigmoid import Sigmoid
from encnn.data.batches import Batch, TrainingFeatures
from encnn.errors import CapabilityError, ParameterError
from encnn.schemes.base import Encrypted
from encnn.schemes.bootstrapped import noise
from encnn.schemes.bootstrapped.codes import QUARTER, Codec
from encnn.schemes.bootstrapped.parameters import SECOND_LAYER_SCALE, TORUS_BITS, BootstrappedParameters
from encnn.schemes.bootstrapped.tables import around_zero, from_zero, interleaved, to_torus
from encnn.schemes.bootstrapped.torus import C, Torus, W

LEAST, LARGEST = 1.0, 8.0
"""The range of b = |W2| in training."""
OCTAVES = 8.0
"""How many octaves below the largest the codes of s, of errors and of sums of q span.  b adds three: log2(LARGEST / LEAST)."""

SIGNED = Codec(kappa=0.46 / 11, guard=0.02)
"""Codes of errors and of sums of q, and codes of b that are added to them.  They span 11 octaves."""
QUARTERED = Codec(kappa=0.215 / 11, guard=0.0175, turn=0.25)
"""Codes of s and z, whose sign is a quarter turn.  They span 11 octaves."""

B_PHASE = SECOND_LAYER_SCALE / 2.0**TORUS_BITS
"""The phase of 1 in b."""
B_MIDDLE = (LEAST + LARGEST) / 2
"""To be read, b is moved by this middle and doubled: 2 (b - B_MIDDLE) fills the quarters of the torus on both sides of 0."""
MOST_OFF = 0.05
"""The most that noise may move a probability, one standard deviation."""
SQUASHED = 0.24
"""The largest phase of `_squashed`, a little below the quarter up to which a table holds any function."""
HALF_TURN = 0.5
"""The phase of 1 in encrypted labels as they are added to codes."""


@dataclass(frozen=True)
class RankOneRanges:
    """The largest numbers that training is expected to meet."""

    s: float  # the largest |mean of the rows of a review's words|, or of their sum
    q: float  # the largest |sum of d z| over a mini-batch
    b: float  # a typical b: the mean over training

    @property
    def z(self) -> float:
        """The largest product of s and b."""
        return self.s * LARGEST

    @property
    def q_phase(self) -> float:
        """The phase of 1 in q."""
        return QUARTER / self.q


class RankOneLayer(Generic[W, C]):
    """The products of a network of rank one that training needs, on ciphertexts or in the clear (`torus`).

    W1 is U and W2 is b.  Scores are S and b.  h holds both codes of b.  d holds two numbers per review: the code of d, and d z.
    mean: whether s is the mean of rows, rather than their sum.  ranges: those of the run; without them there is only a forward
    pass.
    """

    def __init__(self, torus: Torus[W, C, object], mean: bool, ranges: RankOneRanges | None) -> None:
        self.torus, self.mean, self.ranges = torus, mean, ranges
        self._tables: dict[object, tuple[bytes | None, np.ndarray]] = {}
        self._seen: tuple[Encrypted | None, np.ndarray, np.ndarray] = None, np.empty(0), np.empty(0)
        self._read_b: tuple[W | None, np.ndarray] = None, np.empty(0)

    def check_plan(self, X: TrainingFeatures, epochs: int, rate: float) -> None:
        """Do nothing, because the rehearsal has checked the plan (`rank_one_ranges`)."""

    @property
    def row_phase(self) -> float:
        """The phase of 1 in U."""
        return self.torus.p.scale / 2.0**TORUS_BITS

    # -- forward

    def forward(self, W1: W, W2: W, batch: Batch) -> tuple[None, C | None, Encrypted]:
        """Return (None, codes of b, scores).  Without ranges, the codes are None too."""
        n = np.array(np.broadcast_to(1.0 / np.ravel(batch.inverse_counts()) if self.mean else 1.0, (len(batch),)))
        m = np.ones(len(batch)) if self.ranges is None else filling(self.torus.p, self.ranges.s, n)
        S = self.torus.gather(W1, batch) * m.astype(np.int32)[:, None, None]
        z = self.torus.product_scores(S, m * n * self.row_phase / QUARTER, W2)
        if self.ranges is None:
            return None, None, z
        self._seen = z, S, m * n
        return None, self.torus.array(self._codes_of_b(W2)[None, :, 0], QUARTER), z

    def _codes_of_b(self, W2: W) -> np.ndarray:
        """Return both codes of b, `QUARTERED` and `SIGNED`, shape (2, 1, 1 + d), which are read once per version of W2."""
        if self._read_b[0] is not W2:
            table = self._table(
                "b", lambda: interleaved([_b_table(self.torus.p.N // 2, codec) for codec in (QUARTERED, SIGNED)])
            )
            self._read_b = W2, self.torus.read(_centred(self.torus.numbers(W2, B_PHASE)[0]), table, outputs=2)
        return self._read_b[1]

    # -- errors

    def error(self, sigmoid: Sigmoid, z: Encrypted, targets: np.ndarray | W) -> C:
        """Return (code of d, d z) for each review, shape (B, 2, 1); targets: plain, or the owner's encrypted labels."""
        ranges, (seen, S, gains) = self._known_ranges, self._seen
        if seen is not z:
            raise ParameterError(
                "these scores are not those that `forward` returned last, and errors of rank one need what it kept with them; "
                "call `forward` on the mini-batch right before `error`"
            )
        found = self._errors(ranges, sigmoid, S, gains, targets)
        return self.torus.array(np.moveaxis(found[:, :, 0], 0, 1), QUARTER)

    def _errors(
        self, ranges: RankOneRanges, sigmoid: Sigmoid, S: np.ndarray, gains: np.ndarray, targets: np.ndarray | W
    ) -> np.ndarray:
        """Return (codes of d, d z), shape (2, B, 1, 1 + d)."""
        torus, plain = self.torus, isinstance(targets, np.ndarray)
        codec = QUARTERED if plain else SIGNED
        code = torus.read(S, self._table(codec, lambda: codec.number_table(torus.p.N, OCTAVES)))[0]
        code = code + self._read_b[1][0 if plain else 1]
        code[..., 0] += to_torus(code_of_z(codec, ranges, gains * self.row_phase))[:, None]
        tables = self._table((sigmoid, plain), lambda: error_tables(torus.p, ranges, sigmoid, plain))
        if isinstance(targets, np.ndarray):
            return torus.read(code, tables[targets[:, 0].astype(np.int64)], outputs=2)
        half_turns = torus.numbers(targets, HALF_TURN)
        # The first half turn makes the code of z that of u = t z, and the second gives d = t sigmoid(u) the sign t.
        squashed = self._table("squashed", lambda: SIGNED.exp_table(torus.p.N, _squashed, ranges.z))
        found = torus.read(torus.read(code + half_turns, squashed)[0], tables, outputs=2)
        found[0] += half_turns
        return found

    # -- backward

    def first_layer_errors(self, W2: W, d: C, slopes: object, rate: float, shares: np.ndarray) -> C:
        """Return rate * share * d b, one number per review, shape (B, 1); shares: shape (B,)."""
        code = d.data[:, :1] + self._codes_of_b(W2)[1]
        code[..., 0] += to_torus(SIGNED.shift(b_origin(SIGNED), LARGEST))
        phases = rate * self.row_phase * (shares[:1] if (shares == shares[0]).all() else shares)
        return self.torus.array(self._product(code, "update", phases, LARGEST), self.row_phase)

    def second_layer_gradient(self, d: C, h: C, rate: float) -> W:
        """Return rate * sum of d s over the mini-batch, shape (1,), computed as rate (sum of d z) / b.

        d z comes with the code of d from the same rotation, while each d s would be one more product.
        """
        ranges = self._known_ranges
        table = self._table(SIGNED, lambda: SIGNED.number_table(self.torus.p.N, OCTAVES))
        code = self.torus.read(d.data[:, 1].sum(axis=0, dtype=np.int32)[None], table)[0] - h.data[0, 1]
        origin, largest = SIGNED.number_origin(ranges.q_phase) - b_origin(SIGNED), ranges.q / LEAST
        code[..., 0] += to_torus(SIGNED.shift(origin, largest))
        return self.torus.vector(self._product(code, "move", np.array([rate * B_PHASE]), largest), B_PHASE)

    def _product(self, code: np.ndarray, name: str, phases: np.ndarray, largest: float) -> np.ndarray:
        """Return the numbers that codes stand for, by the fine key.  phases: of the number 1, one for all or one for each."""

        def make() -> np.ndarray:
            found = SIGNED.exp_table(self.torus.p.N, lambda x: x * phases[:, None], largest)
            return found[0] if len(phases) == 1 else found

        return self.torus.read(code, self._table((name, len(code)), make, phases.tobytes()), fine=True)[0]

    # -- tables

    @property
    def _known_ranges(self) -> RankOneRanges:
        if self.ranges is None:
            raise CapabilityError(
                "the ranges of this network of rank one are not known, and it learns only with them; call Trainer.train, which "
                "finds them in a rehearsal"
            )
        return self.ranges

    def _table(self, key: object, make: Callable[[], np.ndarray], version: bytes | None = None) -> np.ndarray:
        """Return a table, made once and kept.  If it has versions, such as for a decaying rate, only the last one is kept."""
        if key not in self._tables or self._tables[key][0] != version:
            self._tables[key] = version, make()
        return self._tables[key][1]


def filling(p: BootstrappedParameters, s: float, n: np.ndarray) -> np.ndarray:
    """Return the whole factors m with which S = m n s fills a quarter of the torus at the largest s, shape (B,)."""
    return np.maximum(np.floor(QUARTER * 2.0**TORUS_BITS / p.scale / s / n), 1.0)


def probabilities(torus: Torus, sigmoid: Sigmoid, S: np.ndarray, gains: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the phases (sigmoid(z) - 1/2) / 4 for z = S / gain * b, shape (B, 1, 1 + d).

    It takes two rotations per review, and one per b.  S: in quarters of the torus.  b: one per review.  Sums of short reviews
    are multiplied by whole numbers until they are as large, for the same s, as those of the longest review, so that an s is
    read equally well in a review of any length.  Raises `ParameterError` if all are so short that noise would drown them.
    """
    _check_odd(sigmoid)
    off = (
        math.sqrt(noise.table_input(torus.p)) / (QUARTER * gains.max()) * B_MIDDLE / 4
    )  # 4: the sigmoid's steepest slope is 1/4
    if off > MOST_OFF:
        raise ParameterError(
            f"with {torus.p.name!r} and texts as short as these, noise would move probabilities by {off:.2g} (one standard "
            f"deviation), more than {MOST_OFF:g}; ask for scores (User.predict), from which the owner has probabilities"
        )
    m = np.maximum(np.floor(gains.max() / gains), 1.0)
    largest = LARGEST / gains.max()
    entries = torus.p.N
    code = torus.read(S * m.astype(np.int32)[:, None, None], SIGNED.number_table(entries, OCTAVES))[0]
    code = code + torus.read(_centred(b), _b_table(entries, SIGNED))[0]
    code[..., 0] += to_torus(SIGNED.shift(SIGNED.number_origin(m * gains * QUARTER) + b_origin(SIGNED), largest))[:, None]
    return torus.read(code, SIGNED.exp_table(entries, lambda z: (sigmoid(z) - 0.5) * QUARTER, largest))[0]


def _centred(b: np.ndarray) -> np.ndarray:
    """Return 2 (b - B_MIDDLE), which is read in place of b."""
    doubled = b * np.int32(2)
    doubled[..., 0] += to_torus(-2 * B_PHASE * B_MIDDLE)
    return doubled


def _check_odd(sigmoid: Sigmoid) -> None:
    """Raise `CapabilityError` unless sigmoid - 1/2 is odd, as the exact sigmoid and Taylor polynomials are."""
    x = np.linspace(-20, 20, 401)
    if np.abs(sigmoid(x) + sigmoid(-x) - 1).max() > 1e-9 * np.abs(sigmoid(x)).max():
        raise CapabilityError(
            f"encrypted labels and probabilities need a sigmoid with sigmoid(-z) = 1 - sigmoid(z), and {sigmoid.name!r} is not "
            "such a one; make Owner and TrainingPlan with ExactSigmoid() or taylor(1), which are, or train with plain labels "
            "and ask for scores (User.predict)"
        )


def _b_table(entries: int, codec: Codec) -> np.ndarray:
    """Return the table from `_centred` b to the code of b."""
    return codec.function_table(entries, lambda x: B_MIDDLE + x / (2 * B_PHASE), LEAST, LARGEST)


def b_origin(codec: Codec) -> float:
    """Return the origin of codes of b."""
    return codec.function_origin(LEAST, LARGEST)


def code_of_z(codec: Codec, ranges: RankOneRanges, phases: np.ndarray) -> np.ndarray:
    """Return what must be added to the sums of the codes of S and b, shape (B,).  phases: of s = 1 in S, one per review."""
    return np.asarray(codec.shift(codec.number_origin(phases) + b_origin(codec), ranges.z))


def error_tables(p: BootstrappedParameters, ranges: RankOneRanges, sigmoid: Sigmoid, plain: bool) -> np.ndarray:
    """Return tables of (code of d, d z).

    For plain labels there are two, for the labels 0 and 1, which are read at the code of z.  For encrypted ones there is a
    single table, which is read at `_squashed` u.
    """
    half = p.N // 2
    if plain:
        z = QUARTERED.sizes(half, ranges.z)
        return np.stack([_error_table(p, ranges, sigmoid, z, label) for label in (0, 1)])
    _check_odd(sigmoid)

    def q(x: np.ndarray) -> np.ndarray:
        u = _unsquashed(x)
        return _clipped(ranges, u * sigmoid(u))

    return interleaved([around_zero(half, lambda x: _error_code(sigmoid(_unsquashed(x)))), around_zero(half, q)])


def _error_table(p: BootstrappedParameters, ranges: RankOneRanges, sigmoid: Sigmoid, z: np.ndarray, label: int) -> np.ndarray:
    q = unbiased(p, ranges, lambda z: (sigmoid(z) - label) * z, z)
    codes, numbers = (lambda _: _error_code(sigmoid(z) - label)), (lambda _: _clipped(ranges, q))
    return interleaved([from_zero(len(z), codes), from_zero(len(z), numbers)])


def unbiased(
    p: BootstrappedParameters, ranges: RankOneRanges, q: Callable[[np.ndarray], np.ndarray], z: np.ndarray
) -> np.ndarray:
    """Return q(z) less what the noise in s (at a typical b) and in the code of z adds to it on average.

    To second order this is half the variance times q''.  The noise in the code is a factor exp(e) of z, and exp(e) itself has
    the mean 1 + e^2 / 2, which gives the term with the slope.
    """
    h = 1e-2  # the step of the finite differences
    slope, curve = (q(z + h) - q(z - h)) / (2 * h), (q(z + h) - 2 * q(z) + q(z - h)) / h**2
    additive = noise.table_input(p) * (ranges.s * ranges.b / QUARTER) ** 2
    relative = noise.table_input(p, 2) * (math.log(2) / QUARTERED.kappa) ** 2
    return q(z) - ((additive + relative * z**2) * curve + relative * z * slope) / 2


def _error_code(d: np.ndarray) -> np.ndarray:
    """Return the codes of errors d, of origin 0.  An |d| below 2^-OCTAVES counts as that, and an |d| beyond 1 as 1."""
    return SIGNED.kappa * np.log2(np.clip(np.abs(d), 2.0**-OCTAVES, 1.0)) + SIGNED.turn * (d < 0)


def _clipped(ranges: RankOneRanges, q: np.ndarray) -> np.ndarray:
    """Return the phases of q of one review, clipped to the largest sum of a mini-batch.

    They are not clipped further, because a single review with a large error may make up that sum alone.
    """
    return np.clip(q * ranges.q_phase, -QUARTER, QUARTER)


def _squashed(u: np.ndarray) -> np.ndarray:
    """Return an odd function of u that stays below `SQUASHED` and is steep at 0, where errors change most with u."""
    return np.sign(u) * SQUASHED * -np.expm1(-np.abs(u) / 4)


def _unsquashed(x: np.ndarray) -> np.ndarray:
    """Return the u with `_squashed`(u) = x, cut off at |u| = 20."""
    return np.sign(x) * -4 * np.log(np.maximum(1 - np.abs(x) / SQUASHED, math.exp(-5.0)))
