"""Proxy re-encryption: A makes a key switch from A's key to B's from B's public key alone.

A key switch needs encryptions of the old key's digits under the new key, equations (4)-(9).  In `SecretKey.re_key` one party
holds both keys.  Here A holds S_A = [I, T_A] and the **recipient key** of B, from which anyone makes encryptions of zero
under S_B (`ring.ZeroKey`, [LPR10]).  For the digits i = 0 .. l - 1 of base B and every column of T_A, A publishes

    P_i = [B^i T_A ; 0] + Z_i,    S_B Z_i = E_i,    hence    S_B P_i = B^i T_A + E_i                        (7), (8)

A **proxy**, who has these P_i and no secret, switches a ciphertext c = [b ; a] with the digits a = sum_i B^i a_i:

    c' = [b ; 0] + sum_i P_i a_i + z,    S_B c' = b + T_A a + sum_i E_i a_i + e_z = S_A c + noise           (9), (10)

It adds a new encryption z of zero under S_B to each ciphertext.  Without z the switch would be linear and always the same, and
anyone who sees a file before and after it could solve for the P_i (`attacks.hand_over`).
I, the other part of S_A, is public, so b needs no switch.  As in [BBS98] the switch is a proxy's, but it works in one direction
only.  B can pass a network on to C in the same way.  Nobody holds two secrets: A never sees S_B, B takes no part, and the proxy
sees none.

**Who can do what together.**  The P_i are T_A, encrypted under B's key:

- *B and the proxy together have A's secret key*: B decrypts P_0, whose noise is far below B^(l-1), digit by digit.  They can
  then read every ciphertext that A ever made, not only the network to pass on.  For this reason B is not sent the P_i.
- *B alone* reads what has been switched, as intended.  From its noise B learns sums of E_i, not T_A.  This also holds if B
  sees the ciphertexts before the switch, since z hides the P_i.
- *A's trainer and B together* have A's secret key if the proxy switches what the trainer made.  The trainer can make the
  ciphertext [0 ; g e_j], and B then reads g T_A[j].  So A decrypts a network, judges it and encrypts it again before it goes on
  (`scaling.federation.hand_over`); a network of such rows is refused.  A trainer that hides a little of T_A in plausible
  weights is still not detected, because B and the trainer may have agreed on a code.
- *The proxy alone* can switch any ciphertext of A's for B, and can read none.
- *A and the proxy* learn nothing about B's key beyond B's public key: there is no way back.
- On a chain A to B to C, anyone who has the P_i of every step and C's key has all earlier keys.

So use a key for one hand-over, destroy P_i after it, and make a new key pair for the next.

**Size.**  With a modulus the masks of P_i are d rotations of one polynomial (see `ring`), so P_i is m + 1 polynomials, not
m + d.  This is a hundred kilobytes, where a key-switch matrix has a hundred megabytes.  P_i a_i is a product of polynomials.

**Noise.**  With u ternary, E_i = e u + e1 + t e2 has the variance sigma^2 (1 + 2 d / 3 + d E[t^2]) =: s^2.  A balanced digit of
base B has the mean square (B^2 + 2) / 12.  So a switch adds to each phase noise of

    standard deviation   s sqrt(d sum_i E[digit_i^2]),    at most   d l (B / 2) max|E_i|

(less without a modulus, where masks do not fill their digits).

Balanced digits of c have the mean -1/2, which with a fixed E_i would move all weights of a network in the same direction.  So
the digits are those of |c|, with the sign of c, and their mean is zero.  The noise of different weights is then uncorrelated.

[BBS98] M. Blaze, G. Bleumer, M. Strauss, "Divertible protocols and atomic proxy cryptography", EUROCRYPT 1998.
[LPR10] see `ring`.  Re-encryption by key switching is folklore of lattice schemes; see Polyakov, Rohloff, Sahu, Vaikuntanathan,
"Fast proxy re-encryption for publish/subscribe systems", ACM TOPS 2017 (ePrint 2017/410).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from encnn.arithmetic.digits import digit_bound, digits_lowest_first
from encnn.arithmetic.modular import centred
from encnn.arithmetic.sampling import Randomness, for_key
from encnn.errors import FileError, KeyMismatchError, ParameterError
from encnn.files.schema import Hex32, Width, check_array, check_names, parse
from encnn.progress import progress
from encnn.schemes.integer_vector import noise
from encnn.schemes.integer_vector.ciphertext import CiphertextArray, IntegerVectorContext
from encnn.schemes.integer_vector.keys import TOY_ZEROS, IntegerVectorSecretKey
from encnn.schemes.integer_vector.parameters import IntegerVectorParameters
from encnn.schemes.integer_vector.ring import ZeroKey, ZeroStream, check_ring, make_zero_key, zero_block, zero_noise
from encnn.schemes.integer_vector.storage import IntegerVectorKeyHeader, entry_range, export_context, zeros_range

PRECISION = 2.0**-10
"""Largest standard deviation that a switch may add to a number if the digit base is chosen automatically."""

_EXACT_BITS = 41
"""Coefficients of products by float64 transforms stay below 2^41, as in `encnn.arithmetic.negacyclic`."""
_ROWS = 64


@dataclass(frozen=True)
class RecipientKey:
    """B's public key, from which anyone makes encryptions of zero for every vector width m.

    zeros: by width, a `ZeroKey` with a modulus, or without one ready encryptions of zero, int64 of shape (m + 1, TOY_ZEROS).
    """

    context: IntegerVectorContext  # the name of B's key, and its parameters
    zeros: dict[int, ZeroKey | np.ndarray]  # by width, see above

    @property
    def nbytes(self) -> int:
        """Bytes of the key."""
        return sum(z.nbytes for z in self.zeros.values())

    def block(self, m: int, randomness: Randomness) -> np.ndarray:
        """Return d new encryptions of zero for vectors of width m, shape (m + 1, d): m polynomials of bodies, one of masks."""
        zeros, p = self.zeros[m], self.context.parameters
        if isinstance(zeros, ZeroKey):
            tops, mask = zero_block(zeros, p, randomness)
            return np.concatenate([tops, mask[None]])
        r = randomness.integers(-1, 2, (zeros.shape[1], 1))
        return zeros @ r + randomness.integers(-p.E_bound, p.E_bound + 1, (m + 1, 1))

    def zeros_of(self, m: int, count: int, randomness: Randomness) -> np.ndarray:
        """Return new encryptions of zero for vectors of width m, with independent masks, int64 of shape (count, m + d)."""
        zeros, p = self.zeros[m], self.context.parameters
        if isinstance(zeros, ZeroKey):
            return ZeroStream(zeros, p, randomness).take(count).astype(np.int64)
        r = randomness.integers(-1, 2, (zeros.shape[1], count))
        return (zeros @ r + randomness.integers(-p.E_bound, p.E_bound + 1, (m + 1, count))).T

    def export(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Return (header, arrays), all public."""
        seeds = {str(m): z.seed.hex() for m, z in self.zeros.items() if isinstance(z, ZeroKey)}
        arrays = {f"zeros_{m}": z.b[0] if isinstance(z, ZeroKey) else z for m, z in self.zeros.items()}
        return export_context(self.context) | {"widths": list(self.zeros), "seeds": seeds}, arrays


@dataclass(frozen=True)
class ReencryptionKey:
    """The proxy's key."""

    source: IntegerVectorContext  # of A's key
    recipient: RecipientKey  # B's public key
    base_bits: int  # log2 of the digit base
    blocks: dict[int, np.ndarray]  # P_i for every vector width m, int64 of shape (l, m + 1, d), lowest digit first

    @property
    def target(self) -> IntegerVectorContext:
        """The context of the recipient's key."""
        return self.recipient.context

    @property
    def nbytes(self) -> int:
        """Bytes of the key."""
        return sum(block.nbytes for block in self.blocks.values()) + self.recipient.nbytes

    @property
    def deviation(self) -> float:
        """Predicted standard deviation of the noise that a switch adds to a phase."""
        return deviation(self.source.parameters, self.base_bits)

    @property
    def error(self) -> float:
        """The same deviation for the real numbers that ciphertexts stand for."""
        return self.deviation / self.source.parameters.unit

    @cached_property
    def noise(self) -> float:
        """A bound on the noise that a switch adds: (d l B / 2 + 1) max|E_i|."""
        p = self.source.parameters
        worst = noise.zero(p, TOY_ZEROS) if p.q_bits is None else zero_noise(p)
        return (p.d * _levels(p, self.base_bits) * digit_bound(self.base_bits, True) + 1) * worst

    @cached_property
    def mask(self) -> float:
        """Without modulus: a bound on what a switch adds to an entry, besides the message."""
        p = self.source.parameters
        zeros = (TOY_ZEROS * p.A_high + p.noise_bound) * p.key_row_bound
        return (p.d * _levels(p, self.base_bits) * digit_bound(self.base_bits, True) + 1) * zeros

    @cached_property
    def transforms(self) -> dict[int, np.ndarray]:
        """Transforms of the limbs of all masks, shape (limbs, l, d + 1), with which the masks of P_i a_i are computed."""
        return {m: self._transformed(block[:, -1]) for m, block in self.blocks.items()}

    @property
    def limb_bits(self) -> int:
        """Bits per limb: few enough for exact products."""
        p = self.source.parameters
        largest = p.d * _levels(p, self.base_bits) * digit_bound(self.base_bits, True)
        return _EXACT_BITS - largest.bit_length()

    def _transformed(self, masks: np.ndarray) -> np.ndarray:
        p = self.source.parameters
        # sum_j x_j a^(j) for the rotations a^(j) of `ring.Rows` is the product of x with (a_0, -a_(d-1), ..., -a_1)
        reflected = np.concatenate([masks[:, :1], -masks[:, :0:-1]], axis=1)
        shifts = range(0, p.q_bits or 64, self.limb_bits)
        limbs = np.stack([reflected >> np.int64(s) & ((1 << self.limb_bits) - 1) for s in shifts])
        return np.fft.rfft(limbs, 2 * p.d)

    def export(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Return (header, arrays).  The proxy may see all of it, and B none of it (see above)."""
        target, zeros = self.recipient.export()
        header = {"source": export_context(self.source), "target": target, "base_bits": self.base_bits}
        return header | {"widths": list(self.blocks)}, {f"blocks_{m}": block for m, block in self.blocks.items()} | zeros


def make_recipient_key(secret: IntegerVectorSecretKey, rng: np.random.Generator | None = None) -> RecipientKey:
    """Return B's public key for all vector widths of its secret key; `rng` for experimental keys only."""
    p, randomness = secret.parameters, for_key(secret.context.experimental, rng)
    if p.q_bits is not None:
        return RecipientKey(secret.context, {m: make_zero_key(secret, m, randomness) for m in secret.widths})
    if p.d != 1:
        raise ParameterError(f"{p.name!r} has no modulus and d = {p.d}: re-encryption without a modulus is for d = 1 only")
    return RecipientKey(secret.context, {m: secret.public_key(m).zeros for m in secret.widths})


def make_reencryption_key(
    secret: IntegerVectorSecretKey,
    recipient: RecipientKey,
    base_bits: int | None = None,
    rng: np.random.Generator | None = None,
) -> ReencryptionKey:
    """Return the proxy's key for a switch from `secret`, A's, to the recipient's key.

    base_bits: log2 of the digit base; by default the largest whose deviation is within `PRECISION`, or else the smallest.
    Raises `ParameterError` unless both keys have the same parameters, `KeyMismatchError` for widths that B has no key for.
    """
    p = secret.parameters
    if recipient.context.parameters != p:
        raise ParameterError(
            f"A has the parameters {p.name!r}, B has {recipient.context.parameters.name!r}; a key switch changes none of them, "
            "so make both keys with the same"
        )
    missing = set(secret.widths) - recipient.zeros.keys()
    if missing:
        raise KeyMismatchError(
            f"B's key is for widths {list(recipient.zeros)}, A's also for {sorted(missing)}; use one network"
        )
    base_bits = default_base_bits(p) if base_bits is None else _checked_base(p, base_bits)
    randomness = for_key(secret.context.experimental, rng)
    blocks = {m: _blocks(secret, recipient, m, base_bits, randomness) for m in secret.widths}
    needed = RecipientKey(recipient.context, {m: recipient.zeros[m] for m in secret.widths})
    return ReencryptionKey(secret.context, needed, base_bits, blocks)


def reencrypt(c: CiphertextArray, key: ReencryptionKey, rng: np.random.Generator | None = None) -> CiphertextArray:
    """Return the ciphertexts of A's key, of vectors of any width that the key has, as ciphertexts of B's key.

    An independent encryption of zero under B's key is added to each, so that the key alone does not relate before and after.
    rng: for experimental keys only.

    Noise: standard deviation `key.deviation`, at most `key.noise`.  Raises `KeyMismatchError` for ciphertexts of another key.
    """
    if c.context != key.source:
        raise KeyMismatchError(f"this key switches from key {key.source.key_id}, but the ciphertexts have {c.context.key_id}")
    p, m = key.source.parameters, c.shape[-1]
    if m not in key.blocks:
        raise KeyMismatchError(f"this key switches vectors of widths {list(key.blocks)}, not {m}; A makes one for this network")
    bound = c.tightened(p.key_row_bound) + (key.mask if p.q_bits is None else 0.0)
    data = c.data.reshape(-1, m + p.d)
    switched, randomness = np.empty_like(data), for_key(key.target.experimental, rng, bulk=True)
    for rows in progress(list(_slices(len(data))), "re-encrypting", unit_scale=_ROWS, unit="ciphertext"):
        zeros = key.recipient.zeros_of(m, len(data[rows]), randomness)
        switched[rows] = _reduced(linear_switch(data[rows].astype(np.int64), key, m) + zeros, p)
    return CiphertextArray(switched.reshape(c.data.shape), key.target, c.scale, bound, c.value, c.noise + key.noise)


# -- noise


def deviation(p: IntegerVectorParameters, base_bits: int) -> float:
    """Return the standard deviation of the noise that a switch adds to a phase."""
    levels = _levels(p, base_bits)
    top_bits = (p.q_bits or 64) - base_bits * (levels - 1)
    squares = (levels - 1) * (4.0**base_bits + 2) / 12 + (4.0**top_bits + 2) / 12
    return math.sqrt(p.d * squares + 1) * zero_deviation(p)


def zero_deviation(p: IntegerVectorParameters) -> float:
    """Return the standard deviation of the noise of an encryption of zero, over keys and zeros."""
    T = range(p.T_low, p.T_high)
    t_squared = sum(t * t for t in T) / len(T)
    if p.sigma is not None:
        return p.sigma * math.sqrt(1 + 2 * p.d / 3 + p.d * t_squared)
    e_squared = p.E_bound * (p.E_bound + 1) / 3
    return math.sqrt(e_squared * (2 * TOY_ZEROS / 3 + 1 + p.d * t_squared))


def default_base_bits(p: IntegerVectorParameters) -> int:
    """Return the default log2 of the digit base (see `make_reencryption_key`); without a modulus that of the parameters."""
    if p.q_bits is None:
        return p.base_bits
    fitting = [b for b in _bases(p) if deviation(p, b) <= PRECISION * p.unit]
    return max(fitting, default=min(_bases(p)))


def _bases(p: IntegerVectorParameters) -> list[int]:
    """Return the log2 of all digit bases whose digits fit 64 bits and leave room for limbs."""
    return [b for b in range(2, 20) if b * _levels(p, b) <= 64]


def _checked_base(p: IntegerVectorParameters, base_bits: int) -> int:
    if base_bits not in _bases(p):
        raise ParameterError(f"base_bits is {base_bits}; for {p.name!r} it must be one of {_bases(p)}")
    return base_bits


# -- arithmetic


def _blocks(
    secret: IntegerVectorSecretKey, recipient: RecipientKey, m: int, base_bits: int, randomness: Randomness
) -> np.ndarray:
    """Return P_i for all digits: encryptions of zero, with B^i T_A added to their first entries."""
    p = secret.parameters
    blocks = np.stack([recipient.block(m, randomness) for _ in range(_levels(p, base_bits))])
    for i, block in enumerate(blocks):
        block[:m] += secret.T(m) << np.int64(base_bits * i)
    return blocks if p.q_bits is None else centred(blocks, p.q_bits)


def linear_switch(c: np.ndarray, key: ReencryptionKey, m: int) -> np.ndarray:
    """Return [b ; 0] + sum_i P_i a_i for c = [b ; a], int64 of shape (rows, m + d).  Never publish it: z is missing."""
    p, blocks = key.source.parameters, key.blocks[m]
    x = signed_digits(c[:, m:], key.base_bits, p)
    tops = np.einsum("rld,lmd->rm", x, blocks[:, :m]) + c[:, :m]
    masks = _masks(x, key, m)
    return _reduced(np.concatenate([tops, masks], axis=1), p)


def _reduced(c: np.ndarray, p: IntegerVectorParameters) -> np.ndarray:
    return c if p.q_bits is None else centred(c, p.q_bits)


def _masks(x: np.ndarray, key: ReencryptionKey, m: int) -> np.ndarray:
    """Return sum_i sum_j x_ij a_i^(j), the masks of sum_i P_i x_i, for digits x of shape (rows, l, d)."""
    d = x.shape[-1]
    transformed = np.fft.rfft(x, 2 * d)
    total = np.zeros((len(x), d), np.int64)
    for i, limb in enumerate(key.transforms[m]):
        joined = transformed[:, 0] * limb[0]
        for level in range(1, len(limb)):
            joined += transformed[:, level] * limb[level]
        product = np.rint(np.fft.irfft(joined, 2 * d)).astype(np.int64)
        total += (product[:, :d] - product[:, d:]) << np.int64(key.limb_bits * i)
    return total


def signed_digits(a: np.ndarray, base_bits: int, p: IntegerVectorParameters) -> np.ndarray:
    """Return the balanced digits of |a| with the sign of a, lowest first, for a of shape (rows, d): (rows, l, d)."""
    levels = _levels(p, base_bits)
    a = a if p.q_bits is None else centred(a, p.q_bits)
    found = digits_lowest_first(np.abs(a), base_bits, levels, balanced=True).reshape(*a.shape, levels)
    return np.moveaxis(found * np.sign(a)[..., None], -1, 1)


def _levels(p: IntegerVectorParameters, base_bits: int) -> int:
    """Return the number l of digits of an entry."""
    return -(-(p.q_bits or 64) // base_bits)


def _slices(count: int) -> Iterator[slice]:
    return (slice(start, start + _ROWS) for start in range(0, count, _ROWS))


# -- files


@dataclass(frozen=True)
class RecipientHeader(IntegerVectorKeyHeader):
    """The header of a recipient's key."""

    widths: list[Width]  # of the vectors that the key is for
    seeds: dict[str, Hex32]  # by width, the seed of the masks; empty without a modulus


@dataclass(frozen=True)
class ReencryptionHeader:
    """The header of a re-encryption key."""

    source: IntegerVectorKeyHeader  # of the key that it leads from
    target: dict  # the recipient's `RecipientHeader`
    base_bits: int  # log2 of the digit base
    widths: list[Width]  # of the vectors that the key switches


def restore_recipient_key(header: dict, arrays: dict[str, np.ndarray]) -> RecipientKey:
    """Return the key that `RecipientKey.export` took apart; anything else is a `FileError`."""
    described = parse(RecipientHeader, header, "the description of the recipient's key")
    p, seeds, widths = described.parameters, described.seeds, described.widths
    _check_widths(widths, arrays, "zeros")
    if p.q_bits is not None:
        _as_file_error(check_ring, p)
    check_names("the list of seeds", seeds, set() if p.q_bits is None else {str(m) for m in widths})
    shapes = {m: (m + 1, TOY_ZEROS) if p.q_bits is None else (m, p.d) for m in widths}
    checked = {
        m: check_array("the recipient's key", arrays[f"zeros_{m}"], shapes[m], np.int64, *zeros_range(p)) for m in widths
    }
    zeros = {m: a if p.q_bits is None else ZeroKey(bytes.fromhex(seeds[str(m)]), a[None]) for m, a in checked.items()}
    return RecipientKey(described.context, zeros)


def restore_reencryption_key(header: dict, arrays: dict[str, np.ndarray]) -> ReencryptionKey:
    """Return the key that `ReencryptionKey.export` took apart; anything else is a `FileError`."""
    described = parse(ReencryptionHeader, header, "the description of the re-encryption key")
    zeros = {name: array for name, array in arrays.items() if name.startswith("zeros_")}
    blocks = {name: array for name, array in arrays.items() if name not in zeros}
    source, base_bits, widths = described.source, described.base_bits, described.widths
    recipient = restore_recipient_key(described.target, zeros)
    p, target = source.parameters, recipient.context
    if target.parameters != p or base_bits not in _bases(p):
        raise FileError(f"a switch to {target.parameters.name!r} with digits of {base_bits!r} bits cannot be; get a new file")
    if widths != list(recipient.zeros):
        raise FileError(f"the file switches vectors of widths {widths!r:.80} and has zeros of others; get a new file")
    _check_widths(widths, blocks, "blocks")
    for m in widths:
        check_array(
            "the re-encryption key", blocks[f"blocks_{m}"], (_levels(p, base_bits), m + 1, p.d), np.int64, *entry_range(p)
        )
    return ReencryptionKey(source.context, recipient, base_bits, {m: blocks[f"blocks_{m}"] for m in widths})


def _check_widths(widths: list[int], arrays: dict[str, np.ndarray], name: str) -> None:
    """Raise `FileError` unless there is one array for each width that a header announces, and no other."""
    if len(set(widths)) != len(widths):
        raise FileError(f"the widths {widths!r:.80} repeat; get a new file from its sender")
    check_names("the file", arrays, {f"{name}_{m}" for m in widths})


def _as_file_error(check: Callable[[IntegerVectorParameters], None], p: IntegerVectorParameters) -> None:
    try:
        check(p)
    except ParameterError as error:
        raise FileError(f"the file's parameters allow no re-encryption ({error}); get a new file from its sender") from error
