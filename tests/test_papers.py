"""Identities and reductions that the papers state."""

import numpy as np
import pytest
import torch

from skdeepsc import PSSC, DSCNet, paper_settings
from skdeepsc.deep._base import weighted
from skdeepsc.losses import laplacian_cost, squared_error
from skdeepsc.nn import DenseAutoEncoder, SubspaceNetwork, TrainedExpression

METHODS = {"dscnet": DSCNet, "pssc": PSSC}
SETTINGS = [
    (method, data)
    for method, data_sets in {
        "dscnet": ["orl", "yaleb", "yaleb10", "coil20", "coil100"],
        "pssc": ["orl", "mnist1000", "umist", "coil20", "coil40", "usps", "mnist"],
    }.items()
    for data in data_sets
]


@pytest.fixture
def out():
    """Outputs of a small network whose C is not trivial."""
    torch.manual_seed(0)
    dense = DenseAutoEncoder((6,), (4,))
    expression = TrainedExpression(9, torch.randn(9, 9))
    network = SubspaceNetwork(dense.encoder, dense.decoder, expression, torch.nn.Linear(4, 3))
    return network(torch.randn(9, 6))


def test_dscnet_objective(out):
    costs = weighted(DSCNet(gamma_coef=2.0, gamma_expression=3.0)._costs(out))
    wanted = {
        "reconstruction": ((out.x - out.x_hat) ** 2).sum(),
        "coef": 2 * (out.coef**2).sum(),
        "expression": 3 * ((out.z - out.coef @ out.z) ** 2).sum(),
    }
    assert costs.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(costs[name], value)


def test_pssc_objective_is_eq_11(out):
    costs = weighted(PSSC(gamma_expression=3.0, gamma_graph=5.0, gamma_label=7.0, confidence=0.0)._costs(out))
    assert list(costs) == ["reconstruction", "locality", "expression", "graph", "label"]
    torch.testing.assert_close(costs["locality"], 2 * laplacian_cost(out.x, out.x_hat, out.coef))
    torch.testing.assert_close(costs["expression"], 3 * squared_error(out.z, out.coef @ out.z))
    labels = out.logits.argmax(1)
    torch.testing.assert_close(costs["label"], 7 * torch.nn.functional.cross_entropy(out.logits, labels))


def test_pssc_l_is_pssc_without_pseudo_supervision(out):
    assert list(weighted(PSSC(gamma_graph=0, gamma_label=0)._costs(out))) == [
        "reconstruction",
        "locality",
        "expression",
    ]


def test_pseudo_supervision_reaches_c_and_the_encoder(images):
    plain = PSSC(3, pretrain_epochs=5, max_epochs=3, gamma_graph=0, gamma_label=0, random_state=0).fit(images[0])
    supervised = PSSC(3, pretrain_epochs=5, max_epochs=3, gamma_graph=1e4, random_state=0).fit(images[0])
    assert not np.allclose(plain.coef_, supervised.coef_, atol=1e-4)


@pytest.mark.parametrize(("method", "data"), SETTINGS)
def test_settings_of_the_papers_are_valid(method, data):
    settings = paper_settings(method, data)
    estimator = METHODS[method](**settings)
    estimator._validate_params()
    settings["affinity_params"]["power"] = -1
    assert paper_settings(method, data)["affinity_params"]["power"] > 0


def test_settings_of_a_paper_run_as_they_are(images):
    settings = {**paper_settings("pssc", "mnist1000"), "n_clusters": 3, "max_epochs": 2, "pretrain_epochs": 2}
    labels = PSSC(**settings, random_state=0).fit_predict(images[0])
    assert set(labels) <= {0, 1, 2}


def test_unknown_settings_list_the_known():
    with pytest.raises(KeyError, match="coil100, coil20, orl, yaleb, yaleb10"):
        paper_settings("dscnet", "mnist")
    with pytest.raises(KeyError, match="dscnet, pssc"):
        paper_settings("deepcluster", "orl")
