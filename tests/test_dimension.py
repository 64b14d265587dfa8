"""The expected dimension of a subspace, chosen without labels."""

import numpy as np
import pytest
import torch

from skdeepsc import AutoEncoder, DSCNet
from skdeepsc._dimension import SUBSPACE_DIMS, best_graph, best_labelling
from skdeepsc.affinity import compute_affinity, top_affinity
from skdeepsc.datasets import make_union_of_subspaces
from skdeepsc.deep import RidgeSolver, TrainedSolver
from skdeepsc.metrics import clustering_accuracy_score
from skdeepsc.nn import RidgeExpression
from skdeepsc.segmentation import edge_information, spectral_labels
from tests.test_recovery import Identity

# Codes are the rows themselves.
ROWS = AutoEncoder(network=Identity(), max_epochs=0)


def coefficients(X, dim, n_clusters, *, center=True):
    return RidgeExpression(None, dim * n_clusters, center=center)(torch.tensor(X).double()).float().numpy()


@pytest.fixture(scope="module")
def faces():
    """Subspaces of nine dimensions, as many as a face under changing light spans, and three that all share."""
    X, y = make_union_of_subspaces(300, 60, n_subspaces=5, subspace_dim=9, noise=0.3, random_state=0)
    generator = np.random.RandomState(1)
    light = np.linalg.qr(generator.normal(size=(60, 3)))[0].T
    return X + generator.normal(size=(300, 3)) @ light, y


def test_the_graph_is_that_with_the_most_edge_information(faces):
    """The slow way: every penalty's own C, every labelling in every graph."""
    X, y = faces
    fitted = DSCNet(5, autoencoder=ROWS, random_state=0).fit(X.astype(np.float32))
    graphs = {dim: top_affinity(coefficients(X, dim, 5)) for dim in SUBSPACE_DIMS}
    labellings = [spectral_labels(graph, 5, assign_labels="best", random_state=0) for graph in graphs.values()]
    information = {dim: max(edge_information(graph, labels) for labels in labellings) for dim, graph in graphs.items()}
    assert fitted.subspace_dim_ == fitted.chosen_["subspace_dim"] == max(information, key=information.get) >= 4
    np.testing.assert_allclose(fitted.coef_, coefficients(X, fitted.subspace_dim_, 5), atol=1e-5)
    one = DSCNet(5, autoencoder=ROWS, subspace_dim=1, random_state=0).fit(X.astype(np.float32))
    found, before = (clustering_accuracy_score(y, method.labels_) for method in (fitted, one))
    assert found > 0.95
    assert before < 0.5


def test_other_affinities_are_chosen_with_normalisation_and_diagonal(faces):
    X, y = faces
    params = {"autoencoder": ROWS, "affinity": "enhanced", "affinity_params": {"subspace_rank": 9}, "random_state": 0}
    fitted = DSCNet(5, **params).fit(X.astype(np.float32))
    assert set(fitted.chosen_) == {"subspace_dim", "latent_normalization", "diagonal"}
    center = fitted.chosen_["latent_normalization"] == "centered"
    coef = coefficients(X, fitted.chosen_["subspace_dim"], 5, center=center)
    np.testing.assert_allclose(fitted.coef_, coef, atol=1e-5)
    wanted = compute_affinity(coef, "enhanced", n_clusters=5, subspace_rank=9, diagonal=fitted.chosen_["diagonal"])
    np.testing.assert_allclose(fitted.affinity_matrix_, wanted, atol=1e-3)
    assert clustering_accuracy_score(y, fitted.labels_) > 0.9
    given = {**params, "latent_normalization": "unit", "affinity_params": {"subspace_rank": 9, "diagonal": "zero"}}
    assert DSCNet(5, **given).fit(X.astype(np.float32)).chosen_.keys() == {"subspace_dim", "latent_normalization"}


def test_what_needs_no_dimension_has_none(images):
    short = AutoEncoder(max_epochs=1)
    for solver in (TrainedSolver(epochs=1), RidgeSolver(ridge_lambda=0.1)):
        fitted = DSCNet(3, autoencoder=short, solver=solver, random_state=0).fit(images[0])
        assert (fitted.subspace_dim_, fitted.chosen_) == (None, {})
    fitted = DSCNet(3, autoencoder=short, solver=TrainedSolver(epochs=0, coef_init="ridge"), random_state=0)
    assert fitted.fit(images[0]).subspace_dim_ in SUBSPACE_DIMS
    assert DSCNet(3, autoencoder=short, subspace_dim=3, random_state=0).fit(images[0]).subspace_dim_ == 3


def test_the_most_informative_is_found():
    blocks, noise = np.kron(np.eye(3), np.ones((4, 4))), np.ones((12, 12))
    graphs = {"noise": top_affinity(noise), "blocks": top_affinity(blocks)}
    key, labels, _ = best_graph(graphs, 3, 0)
    assert key == "blocks"
    assert clustering_accuracy_score(np.repeat([0, 1, 2], 4), labels) == 1
    ways = {"wrong": lambda: np.arange(12) % 3, "right": lambda: np.repeat([0, 1, 2], 4)}
    assert best_labelling(graphs, ways, 3) == "right"
