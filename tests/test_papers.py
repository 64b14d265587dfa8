"""Identities and reductions that the papers state."""

import numpy as np
import pytest
import torch

from skdeepsc import DSCSC, NCSC, PSSC, AutoEncoder, DSCNet, S2ConvSCN, paper_settings
from skdeepsc.deep import TrainedSolver
from skdeepsc.losses import (
    bounded_logistic_loss,
    center_loss,
    laplacian_cost,
    nearest_samples,
    pseudo_graph_loss,
    segmentation_norm,
    squared_error,
    structural_contrastive_loss,
)
from skdeepsc.nn import DenseAutoEncoder, SubspaceNetwork, TrainedExpression
from tests.estimators import make

METHODS = {"dscnet": DSCNet, "pssc": PSSC, "s2convscn": S2ConvSCN, "dscsc": DSCSC, "ncsc": NCSC}
SETTINGS = [
    (method, data)
    for method, data_sets in {
        "dscnet": ["orl", "yaleb", "yaleb10", "coil20", "coil100"],
        "pssc": ["orl", "mnist1000", "umist", "coil20", "coil40", "usps", "mnist"],
        "s2convscn": ["orl", "yaleb", "yaleb10", "coil20", "coil100"],
        "dscsc": ["orl", "umist", "yaleb", "mnist1000", "coil20"],
        "ncsc": ["mnist", "fashion", "sop"],
    }.items()
    for data in data_sets
]


@pytest.fixture
def out():
    """Outputs of a small network whose C is not trivial."""
    torch.manual_seed(0)
    dense = DenseAutoEncoder((6,), (4,))
    expression = TrainedExpression(9, torch.randn(9, 9))
    network = SubspaceNetwork(
        dense.encoder,
        dense.decoder,
        expression,
        torch.nn.Linear(4, 3),
        projector=torch.nn.Linear(4, 2),
        augment=torch.neg,
    )
    network.segments = torch.tensor([0, 2, 1, 1, 0, 2, 2, 0, 1])
    return network(torch.randn(9, 6))


def test_dscnet_objective(out):
    costs = DSCNet(gamma_coef=2.0, gamma_expression=3.0)._costs(out)
    wanted = {
        "reconstruction": ((out.x - out.x_hat) ** 2).sum(),
        "coef": 2 * (out.coef**2).sum(),
        "expression": 3 * ((out.z - out.coef @ out.z) ** 2).sum(),
    }
    assert costs.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(costs[name], value)


def test_pssc_objective_is_eq_11(out):
    method = PSSC(
        variant="paper", gamma_locality=2.0, gamma_expression=3.0, gamma_graph=5.0, gamma_label=7.0, confidence=0.0,
        weighting="absolute", latent_normalization="unit",
    )  # fmt: skip
    method.cost_weights_ = method._supervision()
    costs = method._costs(out)
    assert list(costs) == ["reconstruction", "locality", "expression", "graph", "label"]
    torch.testing.assert_close(costs["locality"], 2 * 2 * laplacian_cost(out.x, out.x_hat, out.coef))
    torch.testing.assert_close(costs["expression"], 3 * squared_error(out.z, out.coef @ out.z))
    labels = out.logits.argmax(1)
    torch.testing.assert_close(costs["graph"], 5 * pseudo_graph_loss(out.logits, out.coef))
    torch.testing.assert_close(costs["label"], 7 * torch.nn.functional.cross_entropy(out.logits, labels))


def test_pssc_l_is_pssc_without_pseudo_supervision(out):
    method = PSSC(variant="paper", gamma_graph=0, gamma_label=0, latent_normalization="unit")
    assert method._heads(4) == {}
    assert list(method._costs(out)) == ["reconstruction", "locality", "expression"]


def test_pseudo_supervision_reaches_c_and_the_encoder(images):
    params = {"variant": "paper", "autoencoder__max_epochs": 5, "max_epochs": 3, "random_state": 0}
    plain = make(PSSC, 3, **params, gamma_graph=0, gamma_label=0).fit(images[0])
    supervised = make(PSSC, 3, **params).fit(images[0])
    assert np.linalg.norm(plain.coef_ - supervised.coef_) > 1e-3 * np.linalg.norm(plain.coef_)


# S2ConvSCN


def test_s2convscn_objective_is_eq_7(out):
    method = S2ConvSCN(
        gamma_coef=2.0, gamma_expression=3.0, gamma_segmentation=5.0, gamma_class=7.0, gamma_center=0.5,
        class_loss="bounded_logistic", weighting="absolute", classifier_sizes=(),
    )  # fmt: skip
    method.cost_weights_ = method._supervision()
    costs = method._costs(out)
    q, y = out.segments, out.logits
    wanted = {
        "reconstruction": ((out.x - out.x_hat) ** 2).sum(),
        "coef": 2 * (out.coef**2).sum(),
        "expression": 3 * ((out.z - out.coef @ out.z) ** 2).sum(),
        "segmentation": 5 * segmentation_norm(out.coef, q),
        "class": 7 / 9 * (bounded_logistic_loss(y, q) + 0.5 * center_loss(y, q)),
    }
    assert costs.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(costs[name], value)
    method.class_loss = "cross_entropy"
    crossed = 7 / 9 * (torch.nn.functional.cross_entropy(y, q, reduction="sum") + 0.5 * center_loss(y, q))
    torch.testing.assert_close(method._costs(out)["class"], crossed)


@pytest.mark.parametrize("solver", ["ridge", "trained"])
@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_s2convscn_without_supervision_is_dscnet_to_the_last_bit(images, solver, norm):
    params = {
        "n_clusters": 3,
        "autoencoder__max_epochs": 5,
        "max_epochs": 6,
        "lr": 1e-3,
        "solver": solver,
        "norm": norm,
        "random_state": 0,
    }
    dscnet = make(DSCNet, **params).fit(images[0])
    plain = make(S2ConvSCN, **params, gamma_segmentation=0, gamma_class=0).fit(images[0])
    np.testing.assert_array_equal(plain.coef_, dscnet.coef_)
    np.testing.assert_array_equal(plain.labels_, dscnet.labels_)
    np.testing.assert_array_equal(plain.predict(images[0]), dscnet.predict(images[0]))
    for ours, theirs in zip(plain.network_.state_dict().values(), dscnet.network_.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    staged = make(S2ConvSCN, **{**params, "max_epochs": 2}, dscnet_epochs=4, gamma_segmentation=0, gamma_class=0)
    assert [row["phase"] for row in staged.fit(images[0]).history_][-6:] == ["dscnet"] * 4 + ["finetune"] * 2


@pytest.mark.parametrize("solver", ["ridge", "trained"])
def test_segmentation_supervises_c_and_classes_the_encoder(images, solver):
    params = {"n_clusters": 3, "autoencoder__max_epochs": 5, "max_epochs": 6, "solver": solver, "random_state": 0}
    plain = make(DSCNet, **params).fit(images[0])
    by_segments = make(S2ConvSCN, **params, gamma_segmentation=10.0, gamma_class=0).fit(images[0])
    by_classes = make(S2ConvSCN, **params, gamma_segmentation=0, gamma_class=10.0, classifier_epochs=5).fit(images[0])
    assert not np.allclose(plain.coef_, by_segments.coef_, atol=1e-5)
    assert not np.allclose(plain.embedding_, by_classes.embedding_, atol=1e-4)


def test_segmentation_norm_falls_when_it_weighs(images):
    def across(gamma):
        method = make(S2ConvSCN, 3, autoencoder__max_epochs=5, max_epochs=30, lr=1e-3, solver="trained",
            gamma_segmentation=gamma, gamma_class=0,
            random_state=0,
        ).fit(images[0])  # fmt: skip
        coef = np.abs(method.coef_)
        return coef[method.labels_[:, None] != method.labels_].sum() / coef.sum()

    assert across(1.0) < 0.7 * across(1e-6)


# DSCSC


def test_dscsc_objective_is_eq_11(out):
    method = DSCSC(
        gamma_reconstruction=2.0, gamma_contrast=3.0, gamma_coef=5.0, gamma_expression=7.0, contrast_neighbors=2,
        temperature=0.2,
    )  # fmt: skip
    costs = method._costs(out)
    torch.testing.assert_close(out.view.x, -out.x)
    neighbors = nearest_samples(out.z, 2)
    decoder = out._network.decoder
    wanted = {
        "reconstruction": 2 * ((out.x - decoder(out.coef @ out.z)) ** 2).sum(),
        "view": 2 * ((out.view.x - decoder(out.view.z)) ** 2).sum(),
        "contrast": 3 * structural_contrastive_loss(out.h, out.view.h, neighbors, 0.2),
        "coef": 5 * (out.coef**2).sum(),
        "expression": 7 * ((out.z - out.coef @ out.z) ** 2).sum(),
    }
    assert costs.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(costs[name], value)
    first = method._stage_one(torch.neg)._costs(out)  # Eq. (10)
    assert list(first) == ["reconstruction", "view", "contrast"]
    torch.testing.assert_close(first["reconstruction"], 2 * ((out.x - decoder(out.z)) ** 2).sum())


def test_without_augmentation_a_positive_pair_is_the_same_point_twice(images):
    fitted = make(DSCSC, 3, autoencoder__max_epochs=2, max_epochs=1, augment=None, random_state=0).fit(images[0])
    out = fitted.network_(torch.from_numpy(images[0])[:, None])
    assert out.view is out
    assert out.view.h is out.h


@pytest.mark.parametrize("solver", ["ridge", "trained"])
def test_dscsc_without_contrast_and_views_is_dscnet_to_the_last_bit(images, solver):
    """As the paper says of its model without the contrastive head; both with a diagonal of zeros."""
    params = {"n_clusters": 3, "autoencoder": AutoEncoder(max_epochs=5), "max_epochs": 6, "random_state": 0}
    weights = {"lr": 1e-3, "gamma_coef": 2.0, "gamma_expression": 3.0}
    solver = "ridge" if solver == "ridge" else TrainedSolver(zero_diagonal=True)
    plain = DSCSC(**params, **weights, solver=solver, gamma_contrast=0, augment=None, gamma_reconstruction=1)
    dscnet = DSCNet(**params, **weights, solver=solver)
    np.testing.assert_array_equal(plain.fit(images[0]).coef_, dscnet.fit(images[0]).coef_)
    np.testing.assert_array_equal(plain.labels_, dscnet.labels_)
    np.testing.assert_array_equal(plain.predict(images[0]), dscnet.predict(images[0]))


def test_windows_of_extended_yale_b_have_settings():
    for method in ("dscnet", "s2convscn"):
        for n in (10, 15, 20, 25, 30, 35):
            settings = paper_settings(method, f"yaleb{n}")
            assert settings["n_clusters"] == n
            assert settings["gamma_expression"] == 10 ** (n / 10 - 3)


def test_dscsc_of_the_paper_expresses_codes_and_learns_c_jointly(images):
    settings = {**paper_settings("dscsc", "orl"), "n_clusters": 3, "max_epochs": 2, "augment": "faces"}
    fitted = DSCSC().set_params(**settings, autoencoder__max_epochs=2, random_state=0).fit(images[0])
    assert fitted.network_.features is None
    assert {row["phase"] for row in fitted.history_} == {"pretrain", "finetune"}


def test_ablations_of_dscsc_leave_their_parts_out(images):
    params = {"n_clusters": 3, "autoencoder__max_epochs": 2, "max_epochs": 1, "random_state": 0}
    reconstruction_only = make(DSCSC, **params, gamma_contrast=0, augment=None).fit(images[0])
    assert reconstruction_only.network_.projector is None
    assert "contrast" not in reconstruction_only.history_[-1]
    contrast_only = make(DSCSC, **params, gamma_reconstruction=0).fit(images[0])
    assert {"contrast", "coef", "expression"} <= set(contrast_only.history_[-1])
    assert "reconstruction" not in contrast_only.history_[-1]


# C from, weights of its norm and of the self-expression, epochs, and of Algorithm 2: keep, dimension, power, diagonal.
# The weights of some are for images in 0-255, as their code has them.
PRINTED = {
    ("dscnet", "orl"): (0, 2 / 255**2, 0.2, 700, 0.2, 3, 1, "zero"),
    ("dscnet", "yaleb10"): (1e-4, 2 / 255**2, 0.01, 300, 0.4, 10, 3.5, "zero"),
    ("dscnet", "yaleb20"): (1e-4, 2 / 255**2, 0.1, 550, 0.3, 10, 3.5, "zero"),
    ("dscnet", "yaleb"): (1e-4, 2 / 255**2, 10**0.8, 1000, 0.1, 10, 3.5, "zero"),
    ("dscnet", "coil20"): (1e-8, 1, 75, 30, 0.04, 12, 8, "one"),
    ("dscnet", "coil100"): (1e-4, 1, 15, 120, 0.04, 12, 8, "zero"),
    ("s2convscn", "orl"): (0, 0.2 / 255**2, 0.01, 940, 0.2, 3, 1, "zero"),
    ("s2convscn", "yaleb10"): (1e-4, 2 / 255**2, 0.01, 410, 0.4, 10, 3.5, "zero"),
    ("s2convscn", "coil20"): (1e-8, 2, 30, 80, 0.04, 12, 8, "one"),
    ("s2convscn", "coil100"): (1e-4, 2, 30, 110, 0.04, 12, 8, "zero"),
    ("pssc", "orl"): (1e-5, 1, 1, 4500, 0.18, 3, 1.2, "zero"),
    ("pssc", "mnist1000"): (1e-5, 1, 1, 300, 0.12, 4, 5, "zero"),
    ("pssc", "umist"): (1e-5, 1, 1, 200, 0.08, 5, 8, "zero"),
    ("pssc", "coil20"): (1e-5, 1, 1, 120, 0.03, 16, 6, "zero"),
    ("pssc", "coil40"): (1e-5, 1, 1, 160, 0.04, 16, 6, "zero"),
    ("pssc", "usps"): (1e-5, 1, 1, 30, 0.12, 4, 5, "zero"),
}


@pytest.mark.parametrize(("method", "data"), PRINTED)
def test_settings_are_those_of_the_papers_and_their_code(method, data):
    settings = paper_settings(method, data)
    algorithm_2, solver = settings["affinity_params"], settings["solver"]
    gammas = settings.get("gamma_coef", 1), settings.get("gamma_expression", 1)
    constants = algorithm_2["keep"], algorithm_2["subspace_rank"], algorithm_2["power"]
    *numbers, diagonal = PRINTED[method, data]
    assert (solver.coef_init, *gammas, settings["max_epochs"], *constants) == pytest.approx(tuple(numbers))
    assert algorithm_2["diagonal"] == diagonal
    assert (solver.epochs, settings["affinity"], settings["assign_labels"]) == (0, "enhanced", "discretize")
    assert settings["latent_normalization"] == "none"


@pytest.mark.parametrize(("method", "data"), SETTINGS)
def test_settings_of_the_papers_are_valid(method, data):
    settings = paper_settings(method, data)
    estimator = METHODS[method](**settings)
    estimator._validate_params()
    if "affinity_params" in settings:
        settings["affinity_params"]["power"] = -1
        assert paper_settings(method, data)["affinity_params"]["power"] > 0


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
@pytest.mark.filterwarnings("ignore:The classifier is collapsing")
@pytest.mark.parametrize(
    ("method", "data"),
    [("pssc", "mnist1000"), ("s2convscn", "orl"), ("dscsc", "mnist1000"), ("ncsc", "mnist"), ("ncsc", "sop")],
)
def test_settings_of_a_paper_run_as_they_are(images, method, data):
    settings = {**paper_settings(method, data), "n_clusters": 3, "max_epochs": 2, "autoencoder__max_epochs": 2}
    if method == "s2convscn":
        settings["dscnet_epochs"] = 2
    fitted = METHODS[method]().set_params(**settings, random_state=0).fit(images[0])
    assert set(fitted.labels_) <= {0, 1, 2}
    if method == "s2convscn":
        assert fitted.cost_weights_ == {
            "segmentation": settings["gamma_segmentation"],
            "class": settings["gamma_class"],
        }


def test_unknown_settings_list_the_known():
    with pytest.raises(KeyError, match="coil100, coil20, orl, yaleb, yaleb10"):
        paper_settings("dscnet", "mnist")
    with pytest.raises(KeyError, match="dscnet, dscsc, ncsc, pssc, s2convscn"):
        paper_settings("deepcluster", "orl")
