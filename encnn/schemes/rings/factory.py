"""Making and restoring the two sides of a key of FV or YASHE: `SecretKey` for the owner, an evaluator for everybody else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from encnn.files.schema import parse
from encnn.schemes.powers import Product
from encnn.schemes.rings import storage
from encnn.schemes.rings.evaluator import RingEvaluator
from encnn.schemes.rings.parameters import RingParameters
from encnn.schemes.rings.secret import RingSecretKey


@dataclass(frozen=True)
class Factory:
    """What makes keys of one scheme, from the classes of its parameters and of the two sides."""

    parameters: type[RingParameters]
    secret_key: type[RingSecretKey]
    evaluator: type[RingEvaluator]

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

        widths: lengths of the vectors to encrypt, up to N / 2.  products: maps that the evaluator shall be able to compute.
        public_widths: if there are any, anyone can encrypt.  Without `rng` the key is real.  features: any number.
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
