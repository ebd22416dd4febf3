"""Make and restore both sides of a key of FV or YASHE: the owner's `RingSecretKey` and the public `RingEvaluator`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from encnn.files.schema import parse
from encnn.schemes.base import ComparedPreset, Scheme
from encnn.schemes.powers import Product
from encnn.schemes.rings import storage
from encnn.schemes.rings.evaluator import RingEvaluator
from encnn.schemes.rings.parameters import RingParameters
from encnn.schemes.rings.secret import RingSecretKey


@dataclass(frozen=True)
class Factory:
    """The maker of the keys of one scheme."""

    parameters: type[RingParameters]  # the class of the scheme's parameters
    secret_key: type[RingSecretKey]  # the class of the owner's side
    evaluator: type[RingEvaluator]  # the class of the public side

    def scheme(self, presets: Mapping[str, RingParameters], compared: Sequence[ComparedPreset]) -> Scheme:
        """Return the scheme, with its presets and its lines in the comparison."""
        restore = self.restore_evaluator, self.restore_secret_key
        return Scheme(self.evaluator.scheme, self.parameters, self.make_keys, *restore, list(presets.values()), compared)

    def make_keys(
        self,
        parameters: RingParameters,
        widths: Iterable[int] = (),
        products: Sequence[Product] = (),
        rng: np.random.Generator | None = None,
        public_widths: Iterable[int] = (),
        features: int = 1,
    ) -> tuple[RingSecretKey, RingEvaluator]:
        """Return a new secret key and its evaluator.

        widths: lengths of the vectors to encrypt, up to N / 2.  products: maps that the evaluator must be able to compute.
        public_widths: if any are given, there is a public key, with which anyone can encrypt.  rng: makes an experimental key;
        without it the key comes from the operating system's entropy.  features: any number.
        """
        secret = self.secret_key(parameters, rng)
        keys = secret.switch_keys(products)
        return secret, self.evaluator(secret.context, secret.public_key() if tuple(public_widths) else None, keys)

    def restore_evaluator(self, header: dict, arrays: dict[str, np.ndarray], products: Sequence[Product]) -> RingEvaluator:
        """Return the evaluator that its `export` took apart."""
        return self.evaluator(*storage.restore_keys(self.parameters, self.evaluator.parts, header, arrays))

    def restore_secret_key(self, header: dict, arrays: dict[str, np.ndarray]) -> RingSecretKey:
        """Return the secret key that its `export` took apart."""
        described = parse(storage.RingKeyHeader, header, "the description of the secret key")
        context = storage.restore_context(self.parameters, described)
        names = self.secret_key.secret_names
        return self.secret_key.from_polynomials(context, storage.secret_polynomials(context, arrays, names))
