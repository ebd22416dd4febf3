"""Mini-batches shared by the workers of a Dask cluster: the same ciphertexts as on one machine, in less time.

`train(..., help=Workers(Client(cluster)))` trains as `train(...)` does.  Every worker holds

- a **shard**, its part of the reviews of every mini-batch; the driver sends it once,
- a **replica** of the encrypted network and the evaluation keys.

**Workers of one machine** are one replica if threads can share the work of the scheme, as they can in 'bootstrapped'.  It lives
in one of them and uses as many threads as all of them have.  So its threads share one copy of the keys and of the weights, in
memory and in the cache, and have nothing to send each other.  A replica that is alone trains as a trainer alone does, and is
asked for several mini-batches at once.  In other schemes each worker has a replica of its own.  What follows is about several
replicas, on one machine or on several.

For each mini-batch a worker computes scores, errors and the gradient of its part, and returns *sums of encrypted gradients*,
each the update of some words.  The driver passes each worker the sums of the others, and every replica subtracts all of them.
The driver asks for the next mini-batch before it puts together the scores of the last one, so workers do not wait for that.
Neither the driver nor a worker holds a secret.

    worker k                                         driver
    W1 -= sums of the others, and its own   <-----   sums of step t - 1, W2 of step t
    z = X W1, d = sigmoid(z) - y, G = a d W2^T
    U = X^T G, by groups of reviews         ----->   z (for the owner);  with a hidden layer W2 -= a h^T d

**Equal ciphertexts.**  Each review's z, d and G come from one row of each array, so every machine computes the same ones.  The
update of W1 is a sum of integers modulo 2^64 or q, so the order does not matter.  The products in the gradient of W2 are added
before *one* key switch; the driver computes it from d and h of the whole batch, as without a cluster.  So the result depends
neither on the number of workers nor on losses, and equals that of one machine bit for bit (modulo q where entries are reduced
later: compare the results of `export_array`).  This holds for features that are whole numbers and for error steps that compute
each review by itself.  In the clear scheme, and for fractions, sums are rounded, so results are equal up to the order of
summation.

**What moves.**  Model and keys move once.  Then, per mini-batch of B reviews on K workers, every worker sends B / K scores and
its sums, and receives the sums of the others.  The sums are *not* one ciphertext per word: words that occur in the same reviews
have equal rows, and equal rows are sent once.  This saves more if fewer reviews are taken together: 32 real reviews have four
hundred different rows, four have 15 at most.  So reviews are taken in groups of `GROUP`, and a word that occurs in several
groups is updated several times.  Single rows of G with the words of each review would be smaller still, but the words are the
texts.  But the sums hide nothing from the driver: a word that only one review has shows that review's row of G, and anybody
who knows G can tell which reviews any other row sums.  Leaving out the texts decides where data lie; it keeps no secret.
Driver and workers are *one* party, the trainer.  Within a cluster Dask unpickles what its members send, so members must trust
each other.  Parties who do not trust each other exchange files (`encnn.scaling.federation`).

Where weights are packed into blocks (scheme 'bootstrapped'), the update of the blocks is sent.  It is as large as the model for
every batch, and shows neither words nor single errors.

**A worker that is lost** changes nothing but time: its part goes to another worker, with the weights of a replica that is
left.  If none is left, training is repeated from the start of the epoch.
"""

from typing import ClassVar

from encnn.network import Help, TrainingRun
from encnn.scaling.cluster import Cluster
from encnn.scaling.shared_steps import SharedSteps
from encnn.schemes.base import ErrorStep


class Workers(Help, Cluster):
    """The workers of a Dask cluster as help for `Trainer.train`, and the bytes moved to and from them (`traffic`).

    client: a `distributed.Client`.  step: replaces the error step.  It is sent to the workers and computes there, so it holds
    only public things.  If it has the attribute `central`, the driver calls it with the scores of the whole batch; this is how
    the owner assists (`parties.assistance.scores.AssistedStep`).
    """

    holds_weights: ClassVar[bool] = True

    def __init__(self, client: object, step: ErrorStep | None = None) -> None:
        Help.__init__(self, step)
        Cluster.__init__(self, client)

    def steps(self, run: TrainingRun) -> SharedSteps:
        """Return the steps of a run, which all workers share."""
        return SharedSteps(self, run, self.error_step)
