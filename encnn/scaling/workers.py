"""Mini-batches shared by the workers of a Dask cluster: the same ciphertexts as on one machine, in less time.

`train(..., help=Workers(Client(cluster)))` trains as `train(...)` does.  Every worker holds

- a **shard**: its part of the reviews of every mini-batch, sent once; texts and labels are not sent to the driver again,
- a **replica** of the encrypted network and the evaluation keys.

For each mini-batch a worker computes scores, errors and the gradient of its part, and returns *sums of encrypted gradients*,
each the update of some words.  The driver passes each worker the sums of the others, and every replica subtracts all: the sum
of ciphertexts is the reduction.  No secret is on the driver or on a worker.

    worker k                                         driver
    W1 -= sums of the others, and its own   <-----   sums of step t - 1, W2 of step t
    z = X W1, d = sigmoid(z) - y, G = a d W2^T
    U = X^T G, by groups of reviews         ----->   z (for the owner);  with a hidden layer W2 -= a h^T d

**Equal ciphertexts.**  Each review's z, d and G come from one row of each array and are the same wherever they are computed;
the update of W1 is a sum of integers modulo 2^64 or q, in which the order does not matter; and the gradient of W2, whose
products are added before *one* key switch, is computed by the driver from d and h of the whole batch, as without a cluster.
So the result depends neither on the number of workers nor on which of them were lost on the way, and is bit for bit that of one
machine (modulo q where entries are reduced later: compare what `export_array` gives).  This holds for features that are
whole numbers and for error steps that compute each review by itself.  In the clear scheme, and for fractions, sums are
rounded: equal up to the order of summation.

**What moves.**  Model and keys once.  Then for a mini-batch of B reviews, n numbers a ciphertext, every worker sends B / K
scores and its sums, and receives the sums of the others.  The sums are *not* one ciphertext for each word: words that occur in
the same reviews have equal rows, and equal rows travel once.  That helps the more, the fewer reviews are looked at together: 32
real ones have four hundred different rows, four have 15 at most.  So sums are those of groups of `GROUP` reviews, and a word
that occurs in several groups is updated as often.  Single rows of G and the words of each review would be smaller still, but
they are the texts.  Do not take the sums for a secret kept from the driver, though: rows of words of one review show G, and who
knows G can tell from any other row of which reviews it is the sum.  That the texts stay is about where data lie.  Whoever runs
driver and workers is *one* party, the trainer.  Within a cluster Dask unpickles what its members send, so members trust each
other; parties who do not exchange files (`encnn.scaling.federation`).

Where weights are packed into blocks (scheme 'bootstrapped'), what travels is the update of the blocks: as large as the model,
whatever the batch, and it shows neither words nor single errors.

**A worker that is lost** changes nothing but time: its part goes to another worker, with the weights of a replica that is
left.  If none is left, training is repeated from the start of the epoch.
"""

from typing import Any

from encnn.network import Help, TrainingRun
from encnn.scaling.cluster import Cluster
from encnn.scaling.shared_steps import SharedSteps
from encnn.schemes.base import ErrorStep


class Workers(Help, Cluster):
    """The workers of a Dask cluster as help for `Trainer.train`, and what was moved to and from them (`traffic`).

    client: a `distributed.Client`.  step: replaces the error step; it is sent to the workers and computes there, so it holds
    public things only.  One with the attribute `central` is called by the driver, with the scores of the whole batch (the owner
    assists: `assistance.scores.AssistedStep`).
    """

    def __init__(self, client: Any, step: ErrorStep | None = None) -> None:
        Help.__init__(self, step)
        Cluster.__init__(self, client)

    def steps(self, run: TrainingRun) -> SharedSteps:
        """Return the steps of a run, which all workers share."""
        return SharedSteps(self, run, self.error_step)
