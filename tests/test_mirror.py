import pickle

import numpy as np
import pytest
from secret_walker import reachable

from encnn.arithmetic.sigmoid import PolynomialSigmoid
from encnn.errors import CapabilityError, DataError, ParameterError
from encnn.network import Architecture, Network, predict
from encnn.parties.mirror import MIRROR_128, SHALLOW_128, Client, Server
from encnn.schemes import ckks
from encnn.schemes.ckks.seal import sealapi
from encnn.schemes.clear import ClearEvaluator

pytest.importorskip("tenseal.sealapi")

SQUARE = PolynomialSigmoid("square", (0.0, 0.0, 1.0), (-4.0, 4.0))
ARCHITECTURES = {
    "logistic": Architecture(20, hidden=0, pooling="sum"),
    "linear": Architecture(20, hidden=3, pooling="sum"),
    "square": Architecture(20, hidden=5, pooling="sum", hidden_sigmoid=SQUARE),
}


@pytest.fixture(scope="module")
def client():
    return Client(ckks.TOY)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_scores_of_encrypted_reviews_are_those_of_the_clear_model(client, name):
    rng = np.random.default_rng(3)
    network, X = Network.initial(ARCHITECTURES[name], rng, 0.3), rng.normal(size=(50, 20))
    z, server = predict(ClearEvaluator(), network, X), Server(client.evaluator, network)
    one = client.decrypt(server.score(client.encrypt_review(X[0])))
    np.testing.assert_allclose(one, z[0], atol=1e-4)
    many = client.decrypt(server.score_batch(client.encrypt_batch(X)))
    np.testing.assert_allclose(many, z, atol=1e-4)


def test_a_score_spends_the_levels_it_names(client):
    for architecture in ARCHITECTURES.values():
        server = Server(client.evaluator, Network.initial(architecture, np.random.default_rng(0), 0.3))
        assert server.score(client.encrypt_review(np.ones(20))).level == 0
        assert server.score_batch(client.encrypt_batch(np.ones((4, 20)))).level == 0


def test_presets_have_128_bits_and_the_levels_of_their_networks():
    assert min(p.security.bits for p in (MIRROR_128, SHALLOW_128)) >= 128
    evaluator = Client(SHALLOW_128).evaluator
    for name, p in (("square", MIRROR_128), ("logistic", SHALLOW_128)):
        network = Network.initial(ARCHITECTURES[name], np.random.default_rng(0))
        assert Server(evaluator, network).levels == p.levels


def test_weights_that_are_zero_are_left_out(client):
    weights, X = np.array([0.0, 2.0, -1.0]), np.random.default_rng(1).normal(size=(5, 3))
    columns = client.encrypt_batch(X)
    np.testing.assert_allclose(client.decrypt(client.evaluator.weighted_sum(columns, weights))[:, 0], X @ weights, atol=1e-4)
    with pytest.raises(ParameterError, match="all weights are 0"):
        client.evaluator.weighted_sum(columns, np.zeros(3))


def test_what_does_not_fit_is_refused(client):
    network = Network.initial(ARCHITECTURES["logistic"], np.random.default_rng(0), 0.3)
    server = Server(client.evaluator, network)
    with pytest.raises(DataError, match="20 features"):
        server.score(client.encrypt_review(np.ones(19)))
    with pytest.raises(DataError, match="19 columns"):
        server.score_batch(client.encrypt_batch(np.ones((4, 19))))
    with pytest.raises(CapabilityError, match="one score per review"):
        Server(client.evaluator, Network.initial(Architecture(20, hidden=0, outputs=2), np.random.default_rng(0)))
    with pytest.raises(ParameterError, match="weights"):
        client.evaluator.weighted_sum(client.encrypt_batch(np.ones((4, 2))), np.ones(3))
    for M in (np.ones((2, 3)), np.ones((8, 4))):
        with pytest.raises(ParameterError, match="widths differ, or it is tall"):
            client.evaluator.matrix_times(M, client.encrypt_review(np.ones(4)))


def test_the_server_holds_no_secret_and_the_client_is_not_copied(client):
    server = Server(client.evaluator, Network.initial(ARCHITECTURES["logistic"], np.random.default_rng(0), 0.3))
    scores = server.score(client.encrypt_review(np.ones(20)))
    s = sealapi()
    assert not [x for x in reachable(server, scores) if isinstance(x, s.SecretKey | s.KeyGenerator | s.Decryptor | s.Encryptor)]
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(client)
