"""Several organisations train one network in turn, each on its own reviews and under its own key.

    organisation A                       proxy                        organisation B
    secret key A, reviews A              no secret                    secret key B, reviews B
    <----------------------------------- recipient key of B, blank model of B -------- publishes
    trains Enc_A(W) on reviews A
    judges W, encrypts it again -------> Enc_A(W)
    makes the re-encryption key          switches the key
    A to B
                                         Enc_B(W) ------------------> trains Enc_B(W) on reviews B, and so on

Only the owners of its keys see the network in the clear.  They judge the work of their trainers before the network goes on
(`hand_over`).  No process holds two secrets.  `encnn.schemes.integer_vector.reencryption` says what proxies, trainers and
owners could do *together*.  In short: keep re-encryption keys from B, destroy them after use, and take a new key pair for the
next hand-over.

A *blank model* is an encrypted network of zeros.  It brings B's evaluation keys to the proxy and to B's trainer.

An organisation is the owner of its key.  Its trainer may be somebody else, who then sees only ciphertexts.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from encnn import files
from encnn.data import Features
from encnn.data.fingerprints import check_fingerprints
from encnn.errors import CapabilityError, DataError, KeyMismatchError, ParameterError
from encnn.files.schema import naming
from encnn.network import Help, Network, TrainingPlan
from encnn.network.training import NOBODY
from encnn.parties import EncryptedModel, Owner, Trainer
from encnn.parties.acceptance import acceptance_test
from encnn.parties.model import Path
from encnn.progress import progress
from encnn.schemes.base import Encrypted, TrainableArray
from encnn.schemes.integer_vector import IntegerVectorSecretKey
from encnn.schemes.integer_vector.reencryption import (
    RecipientKey,
    ReencryptionKey,
    make_recipient_key,
    make_reencryption_key,
    reencrypt,
    restore_recipient_key,
    restore_reencryption_key,
)

RECIPIENT, REENCRYPTION = "recipient-key", "reencryption-key"

_ROWS = 1024


def recipient_key(owner: Owner) -> RecipientKey:
    """Return the public key with which others pass networks to this owner."""
    return make_recipient_key(_secret(owner))


def reencryption_key(owner: Owner, recipient: RecipientKey, base_bits: int | None = None) -> ReencryptionKey:
    """Return the key with which the proxy switches this owner's networks to the recipient's key."""
    return make_reencryption_key(_secret(owner), recipient, base_bits)


def blank_model(owner: Owner) -> EncryptedModel:
    """Return a network of zeros under this owner's key, with its evaluation keys."""
    return owner.encrypt(Network.zeros(owner.architecture))


def hand_over(owner: Owner, model: EncryptedModel, X: Features, y: np.ndarray, minimum: float) -> EncryptedModel:
    """Return the model that A's trainer made, encrypted again, if it gets at least the share `minimum` of reviews right.

    X, y: features and labels that the trainer never had.  Without this test a trainer could write ciphertexts of multiples of
    A's secret key into the weights, and B could read them.  Such a network predicts nothing.  Fresh encryptions hold what was
    judged and nothing else that the trainer sent.  Small multiples in weights that matter little are *not* found, so A's key
    must protect nothing but this network.  Raises `DataError` for a network below the minimum, and the errors of
    `acceptance_test`.
    """
    verdict = acceptance_test(owner, model, X, y, minimum)
    if not verdict.accepted:
        raise DataError(f"the network is not handed over ({verdict}); train it again, by another trainer")
    return owner.encrypt(owner.decrypt_network(model))


def pass_on(model: EncryptedModel, blank: EncryptedModel, key: ReencryptionKey) -> EncryptedModel:
    """Return the network of `model` under the key of `blank`.  This is the proxy's work; it needs no secret.

    Noise: `key.deviation` per phase; for packed weights also what packing adds (`schemes.bootstrapped.trace.pack`).
    Raises `KeyMismatchError` unless the key leads from the one to the other, and `ParameterError` for networks that differ.
    """
    for evaluator, end in ((model.evaluator, key.source), (blank.evaluator, key.target)):
        if evaluator.context != end:
            raise KeyMismatchError(
                f"this key leads from key {key.source.key_id} to {key.target.key_id}, but a model has key {evaluator.key_id}; "
                "take the re-encryption key that was made for these two"
            )
    if (model.architecture, model.sigmoid) != (blank.architecture, blank.sigmoid):
        raise ParameterError(
            f"the network is {model.architecture} with {model.sigmoid.name}, but the recipient's keys are for "
            f"{blank.architecture} with {blank.sigmoid.name}; agree on one network first"
        )
    if model.features is not None and blank.features is not None:
        check_fingerprints(blank.features.fingerprint, model.features.fingerprint)
    W2 = None if model.network.W2 is None else reencrypt(model.network.W2, key)
    network = Network(model.architecture, _passed_on(model, blank, key), W2, model.network.weight_bound)
    return EncryptedModel(blank.evaluator, network, blank.sigmoid, model.features or blank.features)


def _passed_on(model: EncryptedModel, blank: EncryptedModel, key: ReencryptionKey) -> TrainableArray:
    """Return W1 under the other key, some rows at a time.  Packed rows are unpacked, switched one by one and packed again."""
    W1, parts = model.network.W1, []
    for first in range(0, len(W1), _ROWS):
        rows = model.evaluator.unpack(W1[first : first + _ROWS])
        parts.append(blank.evaluator.pack(reencrypt(rows, key)))
    return blank.evaluator.concatenate(parts)


def write_recipient_key(path: Path, key: RecipientKey) -> int:
    """Write a recipient key; return the bytes written.  Experimental keys are refused."""
    key.context.refuse_experimental()
    return files.write(path, RECIPIENT, *key.export())


def read_recipient_key(path: Path) -> RecipientKey:
    """Return the key in a file; anything else is a `FileError`.  The file cannot prove who wrote it: ask B."""
    contents = files.read(path, RECIPIENT)
    with naming(path):
        return restore_recipient_key(*contents)


def write_reencryption_key(path: Path, key: ReencryptionKey) -> int:
    """Write a re-encryption key (mode 0600), which must not reach the recipient; return the bytes written."""
    key.source.refuse_experimental()
    key.target.refuse_experimental()
    return files.write(path, REENCRYPTION, *key.export(), private=True)


def read_reencryption_key(path: Path) -> ReencryptionKey:
    """Return the key in a file; anything else is a `FileError`."""
    contents = files.read(path, REENCRYPTION)
    with naming(path):
        return restore_reencryption_key(*contents)


@dataclass
class Organisation:
    """An owner of a key, and the reviews that it trains on.

    Trainer and owner are one here, so no reviews are held back for the judgement.
    """

    name: str  # as tables show it
    owner: Owner  # of its key
    X: Features  # features of its reviews
    y: np.ndarray  # labels of its reviews
    help: Callable[[Owner], Help] | None = None  # makes the training's help, for parameters with which the owner assists
    minimum: float = 0.5  # share of its reviews that a network must get right before it goes on

    def train(self, model: EncryptedModel, plan: TrainingPlan) -> Encrypted | None:
        """Train the model, which is under this organisation's key, on its reviews; return the scores met."""
        return Trainer(model).train(self.X, self.y, plan, NOBODY if self.help is None else self.help(self.owner))


@dataclass(frozen=True)
class Turn:
    """One organisation's turn."""

    organisation: Organisation  # whose turn it was
    model: EncryptedModel  # after training
    key: ReencryptionKey | None  # the re-encryption key that brought the model; None for the first turn
    scores: Encrypted | None  # that training met, if they were kept


def in_turn(organisations: Sequence[Organisation], start: Network, plan: TrainingPlan) -> Iterator[Turn]:
    """Yield the turns of a network that the first organisation encrypts and each one trains.

    This is for experiments, with all parties in one process.  Separate parties use the functions above and exchange files.
    """
    model: EncryptedModel | None = None
    holder: Organisation | None = None
    for organisation in progress(list(organisations), "organisations", unit="turn"):
        key = None
        if model is None or holder is None:
            model = organisation.owner.encrypt(start)
        else:
            key = reencryption_key(holder.owner, recipient_key(organisation.owner))
            judged = hand_over(holder.owner, model, holder.X, holder.y, holder.minimum)
            model = pass_on(judged, blank_model(organisation.owner), key)
        scores = organisation.train(model, plan)
        holder = organisation
        yield Turn(organisation, model.copy(), key, scores)


def _secret(owner: Owner) -> IntegerVectorSecretKey:
    if not isinstance(owner.secret_key, IntegerVectorSecretKey):
        raise ParameterError(
            f"re-encryption is for keys of the integer-vector scheme and its descendants, not for {owner.parameters.name!r}"
        )
    if owner.architecture.hidden and owner.evaluator.prefers_rank_one:
        raise CapabilityError(
            f"a proxy cannot switch a network with a hidden layer of {owner.parameters.name!r} to another key; B may read it "
            "anyway, so let A decrypt it (Owner.decrypt_network) and send it to B over a private channel, and let B encrypt it "
            "for its own trainer (Owner.encrypt), or use hidden=0 and leave `parameters` out of Owner"
        )
    return owner.secret_key
