"""Microsoft SEAL, reached through `tenseal.sealapi`: one ring with what can be done in it, and SEAL's own serialisation.

TenSEAL is an optional dependency and is imported when the first ring is made.  This module uses only its lower layer,
which has all of SEAL.  The products of vectors and matrices in the upper layer assume a batch that fills the slots.

Nothing here mutates a ciphertext that was passed in, except where the name says so (`sum_into`, `rescaled_to`).
"""

import importlib
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from encnn.errors import CapabilityError, FileError, ParameterError
from encnn.schemes.ckks.parameters import CKKSParameters

ROOM_BITS = 2
"""Bits that a modulus keeps free above the scale, for numbers up to 1 and their sign; larger numbers are the caller's care."""

SAME_SCALE = 2.0**-40
"""Relative difference below which two scales are the same number, computed along two ways."""

_SIZE_AT = slice(8, 16)
"""Where SEAL's serialisation says its own size: bytes 8 to 15 of its header, little-endian."""


class SealObject(Protocol):
    """What is used of every object of SEAL, whose module has no types."""

    def save(self, path: str, /) -> None:
        """Write the object to a file."""


class SealPlaintext(SealObject, Protocol):
    """What is used of a plaintext."""

    def is_zero(self) -> bool:
        """Return whether it is 0."""


class SealCiphertext(SealObject, Protocol):
    """What is used of a ciphertext."""

    scale: float

    def size(self) -> int:
        """Return the number of polynomials."""

    def coeff_modulus_size(self) -> int:
        """Return the number of primes of the modulus."""

    def is_transparent(self) -> bool:
        """Return whether there is no mask."""


def sealapi() -> ModuleType:
    """Return the module `tenseal.sealapi`; raise `CapabilityError` where TenSEAL is not installed."""
    try:
        return importlib.import_module("tenseal.sealapi")
    except ImportError as error:
        raise CapabilityError(
            "scheme 'ckks' computes with Microsoft SEAL through TenSEAL, which is not installed; run: "
            "pip install 'encnn[seal]', or leave `parameters` out of Owner for a scheme that needs no other package"
        ) from error


class SealRing:
    """SEAL's context, encoder and evaluator for one parameter set; holds no key.

    Levels are counted down: a fresh ciphertext is at `parameters.levels`, one at level 0 has no rescaling left.
    """

    def __init__(self, p: CKKSParameters) -> None:
        self.seal = s = sealapi()
        self.parameters, self.slots = p, p.slots
        described = s.EncryptionParameters(s.SCHEME_TYPE.CKKS)
        described.set_poly_modulus_degree(p.degree)
        described.set_coeff_modulus(s.CoeffModulus.Create(p.degree, list(p.modulus_bits)))
        guard = s.SEC_LEVEL_TYPE.NONE if p.insecure else s.SEC_LEVEL_TYPE.TC128
        self.context = s.SEALContext(described, True, guard)
        self.encoder, self.evaluator = s.CKKSEncoder(self.context), s.Evaluator(self.context)
        self._ids: dict[int, Sequence[int]] = {}
        self.prime: dict[int, float] = {}  # what rescaling at a level divides by
        self.bits: dict[int, float] = {}  # log2 of the modulus at a level
        self._read_levels()

    def _read_levels(self) -> None:
        data = self.context.first_context_data()
        while data is not None:
            primes = [m.value() for m in data.parms().coeff_modulus()]
            level = len(primes) - 1
            self._ids[level], self.prime[level] = data.parms_id(), float(primes[-1])
            self.bits[level] = sum(map(math.log2, primes))
            data = data.next_context_data() if level else None

    # -- plaintexts

    def encode(self, values: np.ndarray | float, level: int, scale: float) -> SealPlaintext:
        """Return the plaintext of one number for all slots, or of one number per slot."""
        plain = self.seal.Plaintext()
        numbers = values if isinstance(values, float) else values.tolist()
        self._check_room(scale, level)
        if not np.isfinite(values).all():
            raise ParameterError("numbers to encode must be finite; look for a diverged model, or features divided by zero")
        self.encoder.encode(numbers, self._ids[level], scale, plain)
        return plain

    def decode(self, plain: SealPlaintext) -> np.ndarray:
        """Return the numbers in the slots, shape (slots,)."""
        return np.array(self.encoder.decode_double(plain))

    # -- ciphertexts

    @staticmethod
    def level(c: SealCiphertext) -> int:
        """Return the rescalings left."""
        return c.coeff_modulus_size() - 1

    def nbytes(self, c: SealCiphertext) -> int:
        """Return the bytes of a ciphertext in memory."""
        return c.size() * c.coeff_modulus_size() * self.parameters.degree * 8

    def moved(self, c: SealCiphertext, level: int) -> SealCiphertext:
        """Return a copy at this level, which must not be higher: dropping primes changes neither numbers nor scale."""
        out = self.seal.Ciphertext()
        self.evaluator.mod_switch_to(c, self._ids[level], out)
        return out

    def times_constant(self, c: SealCiphertext, factor: float) -> SealCiphertext:
        """Return factor * c for a number other than 0, at no level and with no noise.

        The ciphertext stays (or is negated); its scale is divided by |factor|, so it stands for other numbers.
        """
        if factor < 0:
            out = self.seal.Ciphertext()
            self.evaluator.negate(c, out)
        else:
            out = self.moved(c, self.level(c))
        scale = c.scale / abs(factor)
        self._check_room(scale, self.level(c))
        out.scale = scale
        return out

    def times_plain(self, c: SealCiphertext, values: np.ndarray | float, scale: float) -> SealCiphertext:
        """Return c times plain numbers, rescaled; the plaintext's scale is chosen so that the result has this scale."""
        level = self.spend(c)
        out = self.seal.Ciphertext()
        self.evaluator.multiply_plain(c, self.encode(values, level, scale * self.prime[level] / c.scale), out)
        return self.rescaled_to(out, scale)

    def product(self, a: SealCiphertext, b: SealCiphertext, relinearisation: SealObject) -> SealCiphertext:
        """Return a * b, relinearised and rescaled, at one level less than the lower of the two."""
        level = min(self.level(a), self.level(b))
        a, b = self.moved(a, level), self.moved(b, level)
        self.spend(a)
        self._check_room(a.scale * b.scale, level)
        out = self.seal.Ciphertext()
        self.evaluator.multiply(a, b, out)
        self.evaluator.relinearize_inplace(out, relinearisation)
        self.evaluator.rescale_to_next_inplace(out)
        return out

    def rescaled_to(self, c: SealCiphertext, scale: float) -> SealCiphertext:
        """Divide c by its last prime, in place, and return it; its scale is `scale` up to float rounding, and set to it."""
        self.evaluator.rescale_to_next_inplace(c)
        c.scale = scale
        return c

    def aligned(self, c: SealCiphertext, level: int, scale: float) -> SealCiphertext:
        """Return c at this level with this scale; costs a level unless the scale is right already."""
        if abs(c.scale / scale - 1) < SAME_SCALE:
            out = self.moved(c, level)
            out.scale = scale
            return out
        return self.times_plain(self.moved(c, level + 1), 1.0, scale)

    def sum(self, a: SealCiphertext, b: SealCiphertext, subtract: bool = False) -> SealCiphertext:
        """Return a + b or a - b; where the scales differ, one of them is taken to the other's at the cost of a level."""
        low, high = sorted((a, b), key=self.level)
        level = self.level(low)
        if self.level(high) == level and abs(high.scale / low.scale - 1) >= SAME_SCALE:
            self.spend(low)
            level -= 1
        a, b = (self.aligned(c, level, low.scale) for c in (a, b))
        out = self.seal.Ciphertext()
        try:
            (self.evaluator.sub if subtract else self.evaluator.add)(a, b, out)
        except RuntimeError as error:
            raise ParameterError(
                f"the sum of these ciphertexts is a known zero, which SEAL refuses ({error}); leave out what cancels"
            ) from error
        return out

    def plus_plain(self, c: SealCiphertext, values: np.ndarray) -> SealCiphertext:
        """Return c + plain numbers, one per slot."""
        out = self.seal.Ciphertext()
        self.evaluator.add_plain(c, self.encode(values, self.level(c), c.scale), out)
        return out

    def add_product(
        self, total: SealCiphertext | None, c: SealCiphertext, values: np.ndarray | float, plain_scale: float
    ) -> SealCiphertext | None:
        """Return total + c * values in place of `total`, not rescaled; None is an empty total, and stays so for values of 0."""
        plain = self.encode(values, self.level(c), plain_scale)
        if plain.is_zero():  # SEAL refuses the product, and it adds nothing
            return total
        term = self.seal.Ciphertext()
        self.evaluator.multiply_plain(c, plain, term)
        return self.sum_into(total, term)

    def sum_into(self, total: SealCiphertext | None, term: SealCiphertext) -> SealCiphertext:
        """Return total + term, computed in place of `total` (None: empty); both of one level and, up to rounding, scale."""
        if total is None:
            return term
        term.scale = total.scale
        self.evaluator.add_inplace(total, term)
        return total

    def rotated(self, c: SealCiphertext, steps: int, keys: SealObject) -> SealCiphertext:
        """Return c with its slots moved to the left, cyclically."""
        out = self.seal.Ciphertext()
        self.evaluator.rotate_vector(c, steps, keys, out)
        return out

    def spend(self, c: SealCiphertext) -> int:
        """Return the level of c; raise `CapabilityError` if it has none to spend."""
        level = self.level(c)
        if not level:
            raise CapabilityError(
                f"scheme 'ckks' with {self.parameters.name!r}: a ciphertext has no level left for another product; have the "
                "owner renew the weights (owner.refresher), use parameters with more primes (UNASSISTED_128), or leave "
                "`parameters` out of Owner for the scheme 'bootstrapped'"
            )
        return level

    def _check_room(self, scale: float, level: int) -> None:
        if not math.log2(scale) + ROOM_BITS < self.bits[level]:
            raise CapabilityError(
                f"scheme 'ckks' with {self.parameters.name!r}: a scale of 2^{math.log2(scale):.0f} does not fit the modulus of "
                f"{self.bits[level]:.0f} bits at level {level}; multiply by numbers that are not so small (a larger learning "
                "rate or coefficient), or use parameters with a smaller scale_bits or more primes"
            )

    # -- bytes

    def to_bytes(self, sealed: SealObject) -> bytes:
        """Return SEAL's serialisation of an object; SEAL's Python interface writes to files only."""
        with _scratch_file() as path:
            sealed.save(str(path))
            return path.read_bytes()

    def from_bytes(self, kind: str, data: bytes) -> Any:
        """Return the SEAL object of this kind ("Ciphertext", "GaloisKeys", ...); `FileError` unless SEAL finds it valid."""
        if int.from_bytes(data[_SIZE_AT], "little") != len(data):  # SEAL stops reading there, and would ignore the rest
            raise FileError(f"SEAL does not take these {len(data)} bytes for {kind}: they say another size; get a new file")
        out = getattr(self.seal, kind)()
        with _scratch_file() as path:
            path.write_bytes(data)
            try:
                out.load(self.context, str(path))
            except (RuntimeError, ValueError) as error:
                raise FileError(
                    f"SEAL does not take these {len(data)} bytes for {kind} of {self.parameters.name!r} ({error}); get a new "
                    "file from its sender"
                ) from error
        return out

    def ciphertext(self, data: bytes) -> SealCiphertext:
        """Return a ciphertext of two polynomials from its bytes, or raise `FileError`."""
        c = self.from_bytes("Ciphertext", data)
        if c.size() != 2 or not c.is_ntt_form() or not 0 < c.scale < math.inf:
            raise FileError("a ciphertext in the file is not one of CKKS with two polynomials; get a new file from its sender")
        return c


@contextmanager
def _scratch_file() -> Iterator[Path]:
    """Yield the path of a file in memory, so that no secret touches a disk; elsewhere in a folder that is its owner's alone."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        with open(os.memfd_create("encnn-seal"), "r+b") as file:
            yield Path(f"/proc/self/fd/{file.fileno()}")
    else:
        with tempfile.TemporaryDirectory() as folder:  # mode 0700, removed afterwards
            yield Path(folder) / "object"


@cache
def ring(p: CKKSParameters) -> SealRing:
    """Return the ring of a parameter set, made once."""
    return SealRing(p)
