"""Who holds what: owner, trainer, user.

- owner: holds the secret key; encrypts a network, and decrypts scores or the trained network
- trainer: holds an `EncryptedModel` and its own reviews; trains the encrypted network, and sees no weight and no score
- user: holds an `EncryptedModel`; gets encrypted scores

An `EncryptedModel` is all that leaves the owner: encrypted weights and evaluation keys.  Nothing secret is reachable from it.
(With the *paper's own parameters* the published keys do reveal the secret: see SECURITY.md.)  Parties exchange files, or live
in one process and exchange these objects.

**Which files to trust.**  Every file has a digest.  It finds damage, but anybody can compute it again.  Model files of the
owner also carry a MAC under a key that only the owner has.  `Owner.is_own` and `Owner.load_own_model` check that such a file is
as the owner wrote it (not that it is the newest one).  Trainers and users do not have that key, so they cannot check the MAC.
A model from a trainer cannot carry it.  `EncryptedModel.load` accepts such a model by its digest, and the owner judges it on
reviews that the trainer did not have.

**What a header may claim.**  A reader checks every field against a schema, every array against the parameters that the file
names, a standard sigmoid against its name, and words against their fingerprint.  It cannot check what only the key shows, and
takes these as they are: the name of the key and parameters that fit the arrays (the owner refuses ciphertexts of another key or
other parameters), bounds on the numbers and the noise of computed ciphertexts, a sigmoid with any other name, and the pooling.

**Features.**  An owner who names the recipe of its features (`Owner(features=...)`) sends it along.  `model.features(texts)`
then makes the right features in any process, and features with the fingerprint of another vocabulary or table are refused.
"""

from encnn.parties.model import EncryptedModel
from encnn.parties.owner import Evaluation, Owner
from encnn.parties.trainer import Trainer, User

__all__ = ["EncryptedModel", "Evaluation", "Owner", "Trainer", "User"]
