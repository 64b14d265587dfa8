"""What the deep clusterers promise beside the quality of their clusters."""

import functools
import pickle
import subprocess
import sys
import time
import warnings
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import skdeepsc.features._autoencoder as autoencoder_module
from skdeepsc import DSCSC, PSSC, AutoEncoder, DSCNet, S2ConvSCN
from skdeepsc.affinity import symmetric_affinity
from skdeepsc.datasets import make_union_of_subspaces
from skdeepsc.deep import RidgeSolver, TrainedSolver
from skdeepsc.metrics import (
    accuracy_scorer,
    edge_information_scorer,
    expression_scorer,
    normalized_cut_scorer,
    silhouette_scorer,
)
from skdeepsc.model_selection import TransductiveSplit
from skdeepsc.training import StopTraining
from skdeepsc.training.callbacks import Resegment
from tests.estimators import DEEP, make, make_known

METHODS = [method for method in DEEP if "solver" in method().get_params()]
QUICK = {"n_clusters": 3, "autoencoder__max_epochs": 20, "max_epochs": 2, "random_state": 0}
# Policies of views are chosen among in tests of their own.
ONE_POLICY = {**QUICK, "augment": "digits"}


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    """Pre-training that several tests begin with."""
    return str(tmp_path_factory.mktemp("memory"))


@pytest.mark.parametrize("solver", ["ridge", "trained"])
@pytest.mark.parametrize("max_epochs", [0, 2])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_runs_both_ways_with_and_without_a_joint_phase(images, memory, method, solver, max_epochs):
    X, y = images
    own = {
        S2ConvSCN: {"classifier_epochs": 7, "predict_by": "neighbors"},
        DSCSC: {"autoencoder__max_epochs": 100, "augment": "digits"},
    }.get(method, {})
    params = {**ONE_POLICY, "memory": memory, "max_epochs": max_epochs, "solver": solver, **own}
    fitted = make_known(method, **params).fit(X)
    assert adjusted_rand_score(y, fitted.labels_) > 0.85
    assert fitted.coef_.shape == fitted.affinity_matrix_.shape == (60, 60)
    assert fitted.coef_.dtype == fitted.embedding_.dtype == np.float32
    own_epochs = 7 if method is S2ConvSCN and max_epochs else 0
    assert fitted.n_iter_ == max_epochs + own_epochs + (150 if solver == "trained" else 0)
    np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
    np.testing.assert_allclose(fitted.transform(X), fitted.embedding_, atol=1e-5)


@pytest.mark.parametrize("params", [{"norm": "l1"}, {"solver__coef_init": "ridge"}, {"solver__zero_diagonal": True}])
def test_trained_variants(images, params):
    X, y = images
    fitted = make(DSCNet, **QUICK, solver="trained", latent_normalization="centered", **params).fit(X)
    assert adjusted_rand_score(y, fitted.labels_) > 0.5
    if "solver__coef_init" not in params:
        assert np.abs(np.diag(fitted.coef_)).max() == 0


@pytest.mark.parametrize("method", METHODS)
def test_every_weight_may_be_zero(images, method):
    weights = {name: 0 for name in method().get_params() if name.startswith("gamma_")}
    weights.pop("gamma_reconstruction", None)
    for solver in ("ridge", "trained"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert make_known(method, **ONE_POLICY, solver=solver, **weights).fit(images[0]).labels_.shape == (60,)


def test_widths_of_heads_are_checked(images):
    for sizes in (("a",), (0,), (3, 2.5)):
        with pytest.raises(ValueError, match="classifier_sizes must hold positive integers"):
            make(S2ConvSCN, **QUICK, classifier_sizes=sizes).fit(images[0])
    for sizes in ((5,), (5, 0), (5, 6, 7)):
        with pytest.raises(ValueError, match="projector_sizes must hold 2 positive integers"):
            make(DSCSC, **ONE_POLICY, projector_sizes=sizes).fit(images[0])


def test_nothing_to_learn_is_said(images):
    weights = {name: 0 for name in DSCSC().get_params() if name.startswith("gamma_")}
    with pytest.raises(ValueError, match="'pretrain' has nothing to learn: all weights are 0"):
        make(DSCSC, **ONE_POLICY, **weights).fit(images[0])
    assert (
        make(DSCSC, **{**ONE_POLICY, "autoencoder__max_epochs": 0, "max_epochs": 0}, **weights).fit(images[0]).n_iter_
        == 0
    )


def test_trained_pssc_keeps_the_diagonal_at_zero(images):
    assert np.diag(make(PSSC, **ONE_POLICY, solver="trained").fit(images[0]).coef_).max() == 0
    assert (
        np.diag(make(PSSC, **ONE_POLICY, solver="trained", solver__zero_diagonal=False).fit(images[0]).coef_).max() > 0
    )


def test_warm_start_is_the_ridge_solution(images):
    X, _ = images
    ridge = make(DSCNet, **{**QUICK, "max_epochs": 0}).fit(X)
    warm = make(
        DSCNet,
        **{**QUICK, "max_epochs": 0},
        solver="trained",
        solver__coef_init="ridge",
        latent_normalization="centered",
    ).fit(X)
    np.testing.assert_allclose(warm.coef_, ridge.coef_, atol=1e-6)


def test_given_ridge_lambda_is_used(images):
    X, _ = images
    weak, strong = (make(DSCNet, **QUICK, solver__ridge_lambda=lam).fit(X).coef_ for lam in (0.1, 100.0))
    assert np.abs(strong).sum() < np.abs(weak).sum()


# S2ConvSCN: the classifier, segmentation within training

S2 = {**QUICK, "max_epochs": 6, "segment_every": 2, "classifier_epochs": 200}


def test_classifier_labels_new_rows(images):
    X, _ = images
    fitted = make(S2ConvSCN, **S2).fit(X)
    proba = fitted.predict_proba(X)
    assert proba.shape == (60, 3)
    np.testing.assert_allclose(proba.sum(1), 1, atol=1e-6)
    np.testing.assert_array_equal(fitted.predict(X), proba.argmax(1))
    assert (fitted.predict(X) == fitted.labels_).mean() > 0.9
    # A row's label does not depend on the other rows.
    np.testing.assert_array_equal(np.concatenate([fitted.predict(X[:1]), fitted.predict(X[1:])]), fitted.predict(X))
    fitted.network_.classifier[-1].bias.data[fitted._classes[2]] = 1e3
    assert set(fitted.predict(X)) == {2}


def test_neighbours_label_new_rows_when_asked_or_without_a_classifier(images):
    X, _ = images
    for params in ({"predict_by": "neighbors"}, {"gamma_class": 0}, {"max_epochs": 0}):
        fitted = make(S2ConvSCN, **{**S2, **params}, n_neighbors=5).fit(X)
        for rows in (X, X + 0.01):
            proba = fitted.predict_proba(rows)
            assert set(np.round(proba * 5, 6).ravel()) <= set(range(6))
        np.testing.assert_array_equal(fitted.predict(X + 0.01), proba.argmax(1))


def test_clusters_keep_the_names_of_the_classifier(images):
    """Labels, classes and supervising segments are matched, whatever the spectral clustering calls them."""
    X, _ = images
    fitted = make(S2ConvSCN, **S2).fit(X)
    assert adjusted_rand_score(fitted.predict(X), fitted.labels_) > 0.9
    last = [row["class"] for row in fitted.history_ if row["phase"] == "finetune"]
    assert last[-1] <= last[0]
    assert fitted.network_.segments is None


def test_segmentation_within_training_is_told(images, monkeypatch):
    resegment = Resegment.resegment
    # Longer than an epoch may be held up by what else the machine does.
    monkeypatch.setattr(Resegment, "resegment", lambda *args: (time.sleep(0.2), resegment(*args))[1])
    fitted = make(S2ConvSCN, **S2).fit(images[0])
    phases = [row["phase"] for row in fitted.history_]
    assert phases[-206:] == ["classify"] * 200 + ["finetune"] * 6
    joint = fitted.history_[-6:]
    assert [row["segmentation_seconds"] > 0.2 for row in joint] == [False, True, False, True, False, False]
    assert all(0 <= row["label_changes"] <= 1 for row in joint)
    assert {"reconstruction", "coef", "expression", "segmentation", "class"} <= set(joint[-1])
    terms = sum(joint[-1][name] for name in ("reconstruction", "coef", "expression", "segmentation", "class"))
    assert joint[-1]["train_loss"] == pytest.approx(terms, rel=1e-5)


def test_segmentation_within_training_is_the_final_one(images):
    """Of the C that training ends with, both find the same clusters."""
    X, _ = images
    seen = {}

    class Spy(S2ConvSCN):
        def _weigh(self, out):
            super()._weigh(out)
            seen["segments"] = out.segments.numpy().copy()

    params = {**S2, "max_epochs": 1, "lr": 1e-12, "gamma_class": 0}
    fitted = make(Spy, **params).fit(X)
    assert adjusted_rand_score(seen["segments"], fitted.labels_) == 1


def test_relative_weights_are_shares_at_the_first_segmentation(images):
    params = {**S2, "max_epochs": 1, "lr": 1e-12, "classifier_epochs": 0}
    fitted = make(S2ConvSCN, **params, gamma_segmentation=0.3, gamma_class=0.2).fit(images[0])
    first = fitted.history_[-1]
    base = sum(first[name] for name in ("reconstruction", "coef", "expression"))
    assert first["segmentation"] == pytest.approx(0.3 * base, rel=1e-4)
    assert first["class"] == pytest.approx(0.2 * base, rel=1e-4)
    absolute = make(S2ConvSCN, **params, gamma_segmentation=0.3, gamma_class=0.2, weighting="absolute").fit(images[0])
    assert absolute.cost_weights_ == {"segmentation": 0.3, "class": 0.2}
    assert set(fitted.cost_weights_) == set(absolute.cost_weights_)


@pytest.mark.parametrize("seed", range(4))
def test_no_unit_of_the_classifier_is_born_dead(images, seed):
    """The last hidden layer has as many units as there are clusters, few enough to be all dead by chance."""
    params = {**QUICK, "random_state": seed, "max_epochs": 1, "classifier_epochs": 0}
    fitted = make(S2ConvSCN, **params).fit(images[0])
    active = fitted.network_.classifier[:-1](torch.from_numpy(fitted.embedding_)) > 0
    assert (active.float().mean(0) > 0.05).all()


def test_classifier_has_half_of_the_samples_then_the_clusters(images):
    widths = [layer.out_features for layer in make(S2ConvSCN, **S2).fit(images[0]).network_.classifier[::2]]
    assert widths == [30, 3, 3]
    widths = [
        layer.out_features
        for layer in make(S2ConvSCN, **S2, classifier_sizes=(7, 5, 4), subsample=20)
        .fit(images[0])
        .network_.classifier[::2]
    ]
    assert widths == [7, 5, 4, 3]
    assert len(make(S2ConvSCN, **S2, classifier_sizes=()).fit(images[0]).network_.classifier) == 1


@pytest.mark.parametrize("predict_by", ["classifier", "neighbors"])
def test_the_rest_of_a_subsample_is_labelled_as_new_rows_are(images, predict_by):
    X, y = images
    fitted = make(S2ConvSCN, **S2, subsample=40, predict_by=predict_by).fit(X)
    rest = np.setdiff1d(np.arange(60), fitted.sample_indices_)
    np.testing.assert_array_equal(fitted.predict(X)[rest], fitted.labels_[rest])
    assert adjusted_rand_score(y, fitted.labels_) > 0.8


# DSCSC: what is expressed


@pytest.mark.parametrize(("expressed", "n_features"), [("codes", 64), ("projections", 7), ("both", 71)])
@pytest.mark.parametrize("solver", ["ridge", "trained"])
def test_codes_and_projections_express(images, expressed, n_features, solver):
    X, _ = images
    params = {**QUICK, "augment": "digits", "projector_sizes": (9, 7), "max_epochs": 1}
    own = {"solver__epochs": 2} if solver == "trained" else {}
    fitted = make(DSCSC, **params, **own, expressed=expressed, solver=solver).fit(X)
    assert fitted.embedding_.shape == (60, n_features)
    assert len(fitted.get_feature_names_out()) == n_features
    np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
    with torch.no_grad():
        out = fitted.network_(torch.from_numpy(X)[:, None])
        z, h = out.z.numpy(), out.h.numpy()
    parts = {"codes": [z], "projections": [h], "both": [z, h]}[expressed]
    found = np.split(fitted.embedding_, np.cumsum([part.shape[1] for part in parts])[:-1], axis=1)
    for one, other in zip(parts, found, strict=True):
        np.testing.assert_allclose(other / np.abs(other).max(), one / np.abs(one).max(), atol=1e-5)


def test_codes_and_projections_weigh_the_same_at_first(images):
    params = {**QUICK, "augment": "digits", "max_epochs": 0}
    both = make(DSCSC, **params, expressed="both").fit(images[0]).embedding_
    variances = [part.var(0).sum() for part in np.split(both, [64], axis=1)]
    np.testing.assert_allclose(variances, 1, rtol=1e-3)
    codes, projections = (
        make(DSCSC, **params, expressed=name).fit(images[0]).coef_ for name in ("codes", "projections")
    )
    assert not np.allclose(codes, projections, atol=1e-3)
    without = make(DSCSC, **params, gamma_contrast=0).fit(images[0])
    assert without.embedding_.shape == (60, 64)


def test_clusters_of_many_dimensions_are_expressed_by_their_codes(images):
    """Others by codes and projections, which contrast has pulled together."""
    subspaces, _ = make_union_of_subspaces(150, 40, n_subspaces=3, subspace_dim=6, random_state=0)
    for X, augment, way in ((images[0], "digits", "both"), (subspaces, "rows", "codes")):
        params = {**QUICK, "augment": augment, "max_epochs": 0}
        assert (make(DSCSC, **params, expressed="codes").fit(X).subspace_dim_ > 2) == (way == "codes")
        chosen = make(DSCSC, **params).fit(X)
        assert chosen.expressed_ == way
        np.testing.assert_array_equal(chosen.coef_, make(DSCSC, **params, expressed=way).fit(X).coef_)


# The door


def test_all_containers_give_the_same_labels(images):
    X, _ = images
    wanted = make(PSSC, **ONE_POLICY).fit_predict(X)
    flat = X.reshape(60, -1)
    frame = pd.DataFrame(flat, columns=[f"pixel{i}" for i in range(64)])
    for data in (X[:, None], torch.from_numpy(X), X.tolist(), X.astype(np.float64)):
        np.testing.assert_array_equal(make(PSSC, **ONE_POLICY).fit_predict(data), wanted)
    for data in (flat, frame, np.asfortranarray(flat)):
        np.testing.assert_array_equal(make(PSSC, **ONE_POLICY, image_shape=(8, 8)).fit_predict(data), wanted)
    assert list(make(PSSC, **ONE_POLICY, image_shape=(8, 8)).fit(frame).feature_names_in_) == list(frame.columns)


def test_new_rows_may_come_flat_or_as_images(images):
    X, _ = images
    fitted = make(PSSC, **ONE_POLICY).fit(X)
    np.testing.assert_array_equal(fitted.predict(X.reshape(60, -1)), fitted.predict(X))
    with pytest.raises(ValueError, match="63 features, but PSSC is expecting 64"):
        fitted.predict(np.zeros((2, 63)))
    with pytest.raises(ValueError, match=r"images of shape \(1, 4, 16\).*\(1, 8, 8\)"):
        fitted.predict(X.reshape(60, 4, 16))


def test_flat_rows_stay_flat(images):
    fitted = make(PSSC, **QUICK).fit(images[0].reshape(60, -1))
    assert fitted.image_shape_ == (64,)


@pytest.mark.filterwarnings("ignore:X holds 1 distinct sample")
@pytest.mark.parametrize(
    ("X", "params", "message"),
    [
        (np.zeros((5, 10)), {"image_shape": (3, 3)}, r"image_shape=\(3, 3\) has 9 values, but X has 10 features"),
        (np.zeros((5, 2, 2, 2, 2)), {}, "Images must have shape"),
        (np.zeros((5, 4, 9)), {"image_shape": (6, 6)}, r"X holds images of shape \(1, 4, 9\)"),
        (np.zeros((0, 4, 4)), {}, "Found array with 0 sample"),
        (
            np.zeros((9, 4, 4)),
            {"autoencoder__kernel_sizes": (-1,)},
            "kernel_sizes must hold one or more positive integers",
        ),
        (np.zeros((9, 4)), {"autoencoder__channels": ()}, "channels must hold one or more positive integers"),
        (np.zeros((9, 4)), {"autoencoder__kernel_sizes": ([1],)}, "kernel_sizes must hold one or more"),
        (np.zeros((9, 4, 4)), {"autoencoder__hidden_sizes": (0,)}, "hidden_sizes must hold one or more"),
        (np.full((5, 4), np.nan), {}, "Input X contains NaN"),
        (np.zeros((1, 4)), {}, "1 sample"),
        (np.zeros((9, 4)), {"autoencoder__network": "conv"}, "needs images"),
        (
            np.zeros((9, 4, 4)),
            {"autoencoder__channels": (2, 2, 2), "autoencoder__kernel_sizes": (5,)},
            "too small for its 5 x 5 filters",
        ),
        (np.zeros((9, 4, 4)), {"autoencoder__kernel_sizes": (2,)}, "must be odd"),
        (np.zeros((9, 4, 4)), {"autoencoder__kernel_sizes": (3, 3, 3)}, "as many kernel sizes as channels"),
    ],
)
def test_bad_input_is_explained(X, params, message):
    with pytest.raises(ValueError, match=message):
        make(PSSC, 3, **params).fit(X)


def test_scale_of_the_costs_is_the_same_for_bytes_and_floats(images):
    bytes_ = np.round(200 * images[0] / images[0].max()).astype(np.uint8)
    as_bytes, as_floats = (AutoEncoder(max_epochs=1, random_state=0).fit(X) for X in (bytes_, bytes_ / 255))
    assert as_bytes.input_scale_ == 255
    assert as_floats.input_scale_ == pytest.approx(200 / 255)
    raw = AutoEncoder(max_epochs=1, random_state=0, input_scale=1).fit(bytes_)
    assert raw.history_[0]["reconstruction"] > 1e3 * as_bytes.history_[0]["reconstruction"]


def test_users_data_and_random_states_stay_untouched(images):
    X, _ = images
    before = X.copy(), np.random.get_state()[1].copy(), torch.get_rng_state(), list(warnings.filters)
    X.flags.writeable = False
    for random_state in (0, None):
        make(PSSC, **{**ONE_POLICY, "random_state": random_state}).fit(X)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])
    assert torch.equal(torch.get_rng_state(), before[2])
    assert list(warnings.filters) == before[3]


def test_same_seed_same_labels_whatever_the_global_state(images):
    X, _ = images
    first = make(PSSC, **ONE_POLICY).fit(X)
    torch.manual_seed(99)
    np.random.seed(99)
    second = make(PSSC, **ONE_POLICY).fit(X)
    np.testing.assert_array_equal(first.coef_, second.coef_)
    np.testing.assert_array_equal(first.labels_, second.labels_)
    other = make(PSSC, **{**ONE_POLICY, "random_state": 1}).fit(X)
    assert not np.array_equal(first.coef_, other.coef_)


# Networks


def test_own_autoencoder_is_copied_and_keeps_its_weights(images):
    X, _ = images
    own = torch.nn.Module()
    own.encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 7))
    own.decoder = torch.nn.Sequential(torch.nn.Linear(7, 64), torch.nn.Unflatten(1, (1, 8, 8)))
    before = own.encoder[1].weight.detach().clone()
    fitted = AutoEncoder(network=own, max_epochs=0).fit(X)
    assert fitted.transform(X).shape == (60, 7)
    assert torch.equal(fitted.network_.encoder[1].weight, before)
    AutoEncoder(network=own, max_epochs=3).fit(X)
    assert torch.equal(own.encoder[1].weight, before)
    assert make(PSSC, **ONE_POLICY, autoencoder__network=lambda shape: own).fit(X).embedding_.shape == (60, 7)
    with pytest.raises(TypeError, match="'encoder'"):
        AutoEncoder(network=torch.nn.Linear(2, 2)).fit(X)


@pytest.mark.parametrize("shape", [(8, 8), (7, 9), (5, 5), (6, 11)])
@pytest.mark.parametrize("sizes", [(3,), (5, 3), (1, 3, 1)])
def test_decoders_return_the_shapes_that_encoders_met(shape, sizes):
    from skdeepsc.nn import ConvAutoEncoder

    network = ConvAutoEncoder((2, *shape), channels=(4,) * len(sizes), kernel_sizes=sizes)
    x = torch.zeros(3, 2, *shape)
    assert network.decoder(network.encoder(x)).shape == x.shape


def test_autoencoder_decodes_what_it_encodes(images):
    X, _ = images
    fitted = AutoEncoder(random_state=0).fit(100 * X)
    rebuilt = fitted.inverse_transform(fitted.transform(100 * X))
    assert np.square(rebuilt[:, 0] - 100 * X).mean() < 0.2 * np.square(100 * (X - X.mean(0))).mean()


def test_dead_autoencoders_are_drawn_again(images):
    """A dead network has codes that are 0 whatever the input."""
    draws = []

    def born_dead_at_first(shape):
        from skdeepsc.nn import ConvAutoEncoder

        network = ConvAutoEncoder(shape)
        draws.append(network)
        if len(draws) < 3:
            torch.nn.init.constant_(network.encoder[0].bias, -100.0)
        return network

    X, _ = images
    fitted = AutoEncoder(network=born_dead_at_first, random_state=0).fit(X)
    assert len(draws) == 3
    assert len(fitted.history_) == 200
    assert np.abs(fitted.transform(X)).max() > 0
    with pytest.warns(ConvergenceWarning, match="hardly better than the mean image"):
        AutoEncoder(network=_dead, max_epochs=60, random_state=0).fit(X)


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
def test_dead_encoders_are_drawn_again_where_views_are_contrasted(images):
    draws = []

    def born_dead_at_first(shape):
        draws.append(_dead(shape))
        if len(draws) == 3:
            draws[-1] = _alive(shape)
        return draws[-1]

    params = {**QUICK, "autoencoder__max_epochs": 100, "max_epochs": 0, "augment": "digits"}
    fitted = make(DSCSC, **params, autoencoder__network=born_dead_at_first).fit(images[0])
    assert len(draws) == 3
    assert len(fitted.history_) == 100
    with pytest.warns(ConvergenceWarning, match="codes are nearly the same for all samples"):
        make(DSCSC, **params, autoencoder__network=_dead).fit(images[0])


def _alive(shape):
    from skdeepsc.nn import ConvAutoEncoder

    return ConvAutoEncoder(shape)


def _dead(shape):
    from skdeepsc.nn import ConvAutoEncoder

    network = ConvAutoEncoder(shape)
    torch.nn.init.constant_(network.encoder[0].bias, -100.0)
    return network


def test_constant_images_are_clustered_without_an_error():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels = make(PSSC, **ONE_POLICY).fit_predict(np.ones((12, 6, 6)))
    assert labels.shape == (12,)


# Large data, memory


def test_subsample_clusters_a_part_and_labels_the_rest(images):
    X, y = images
    fitted = make(PSSC, **ONE_POLICY, subsample=30).fit(X)
    assert fitted.coef_.shape == (30, 30)
    assert fitted.embedding_.shape[0] == len(fitted.sample_indices_) == 30
    assert fitted.labels_.shape == (60,)
    assert adjusted_rand_score(y, fitted.labels_) > 0.9
    np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
    assert make(PSSC, **ONE_POLICY, subsample=10**9).fit(X).coef_.shape == (60, 60)


@pytest.mark.parametrize("method", [PSSC, S2ConvSCN])
def test_what_a_subsample_leaves_is_labelled_block_by_block(monkeypatch, tmp_path, images, method):
    """The codes of all samples would take many times the memory of the samples themselves."""
    np.save(tmp_path / "images.npy", images[0])
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    whole = make_known(method, **ONE_POLICY, subsample=30).fit(mapped)
    predicted = whole.predict(mapped)
    outputs, sizes = method._outputs, []

    def counted(self, samples):
        sizes.append(len(samples))
        return outputs(self, samples)

    monkeypatch.setattr(method, "_outputs", counted)
    monkeypatch.setattr("skdeepsc._input._BLOCK_ROWS", 7)
    in_blocks = make_known(method, **ONE_POLICY, subsample=30).fit(mapped)
    np.testing.assert_array_equal(in_blocks.labels_, whole.labels_)
    np.testing.assert_array_equal(in_blocks.predict(mapped), predicted)
    rest = np.setdiff1d(np.arange(60), whole.sample_indices_)  # A classifier need not agree on the others.
    np.testing.assert_array_equal(predicted[rest], whole.labels_[rest])
    assert method is S2ConvSCN or (predicted == whole.labels_).all()
    assert set(sizes) == {7, 2, 4}  # 30 samples, then 60.


def test_more_memory_than_there_is_is_refused_before_it_is_taken(monkeypatch, images):
    monkeypatch.setattr("skdeepsc._memory.available_bytes", lambda device: 90_000)
    with pytest.raises(MemoryError, match=r"60 samples needs about .* GB .* subsample=\d+"):
        make(PSSC, **ONE_POLICY).fit(images[0])
    make(PSSC, **ONE_POLICY, subsample=30).fit(images[0])


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
def test_pickles_are_no_larger_than_what_they_remember(images):
    X = np.repeat(images[0], 5, axis=0)
    for solver in (RidgeSolver(), TrainedSolver(epochs=2)):
        fitted = make(PSSC, **ONE_POLICY, solver=solver).fit(X)
        fitted.affinity_matrix_  # noqa: B018
        pickled = pickle.dumps(fitted)
        network = sum(value.nbytes for value in fitted.network_.state_dict().values())
        remembered = fitted.coef_.nbytes + network + fitted.embedding_.nbytes + fitted.labels_.nbytes * 3
        assert len(pickled) < 1.1 * remembered
        loaded = pickle.loads(pickled)
        np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))
        np.testing.assert_array_equal(loaded.transform(X), fitted.transform(X))
        np.testing.assert_allclose(loaded.affinity_matrix_.toarray(), fitted.affinity_matrix_.toarray(), atol=1e-7)


# Affinities, scores, searches


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
@pytest.mark.parametrize("affinity", ["enhanced", "symmetric", "thresholded", "row_normalized", symmetric_affinity])
def test_affinities_can_be_switched(images, affinity):
    X, y = images
    params = {"keep": 0.5, "subspace_rank": 4, "power": 2} if affinity == "enhanced" else None
    fitted = make(DSCNet, **QUICK, affinity=affinity, affinity_params=params, assign_labels="kmeans").fit(X)
    assert fitted.affinity_matrix_.shape == (60, 60)
    assert adjusted_rand_score(y, fitted.labels_) > 0.9


def test_reclustering_is_another_affinity_of_the_same_coefficients(images):
    X, _ = images
    fitted = make(DSCNet, **QUICK, subsample=50, subspace_dim=1).fit(X)
    before = pickle.dumps(fitted)
    with pytest.raises(ValueError, match="the 60 samples that were fitted; got 59"):
        fitted.recluster(X[:59])
    np.testing.assert_array_equal(fitted.recluster(X), fitted.labels_)
    coef = fitted.coef_.copy()

    def changes_what_it_gets(given):
        given *= 2
        return np.abs(given) + np.abs(given).T

    fitted.recluster(X, affinity=changes_what_it_gets)
    np.testing.assert_array_equal(fitted.coef_, coef)
    params = {"affinity": "symmetric", "assign_labels": "kmeans"}
    other = fitted.recluster(X, **params)
    assert pickle.dumps(fitted) == before
    np.testing.assert_array_equal(
        other,
        make(DSCNet, **QUICK, subsample=50, subspace_dim=1, latent_normalization="centered", **params).fit_predict(X),
    )


def test_affinity_params_are_passed_on(images):
    fitted = make(DSCNet, **QUICK, affinity="top", affinity_params={"n_coefs": 4}).fit(images[0])
    assert fitted.affinity_matrix_.nnz <= 2 * 4 * 60
    with pytest.raises(TypeError, match="n_neighbours"):
        make(DSCNet, **QUICK, affinity_params={"n_neighbours": 2}).fit(images[0])
    with pytest.raises(ValueError, match=r"affinity_params: .*'n_coefs' parameter"):
        make(DSCNet, **QUICK, affinity="top", affinity_params={"n_coefs": 0}).fit(images[0])


def test_grid_search_over_a_gamma_with_labels_and_folds(images):
    X, y = images
    search = GridSearchCV(
        make(PSSC, **ONE_POLICY), {"gamma_expression": [0.1, 10.0]}, cv=2, scoring=accuracy_scorer, error_score="raise"
    ).fit(X, y)
    assert search.best_score_ > 0.9


@pytest.mark.parametrize(
    "scorer", [silhouette_scorer, expression_scorer, normalized_cut_scorer, edge_information_scorer]
)
def test_grid_search_without_labels(images, scorer):
    X, _ = images
    search = GridSearchCV(
        make_pipeline(MinMaxScaler(), make(PSSC, **ONE_POLICY, image_shape=(8, 8))),
        {"pssc__gamma_expression": [0.1, 10.0]},
        cv=TransductiveSplit(),
        scoring=scorer,
        error_score="raise",
    ).fit(X.reshape(60, -1))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(
    ("method", "grid", "runs"),
    [
        (S2ConvSCN, {"gamma_segmentation": [0.1, 1.0], "gamma_class": [0.0, 0.1]}, 1),
        (DSCSC, {"gamma_coef": [0.1, 1.0], "gamma_expression": [0.1, 1.0]}, 4),
        (DSCSC, {"gamma_contrast": [1.0, 10.0], "augment": ["faces"]}, 2),
    ],
)
def test_a_grid_shares_the_pretraining_of_its_method(images, tmp_path, monkeypatch, method, grid, runs):
    """DSCSC pre-trains once for each policy, and for each weight that its stage I knows."""
    log = []
    original = autoencoder_module.pretrain

    @functools.wraps(original)
    def counted(*args, **kwargs):
        log.append(1)
        return original(*args, **kwargs)

    monkeypatch.setattr(autoencoder_module, "pretrain", counted)
    search = GridSearchCV(
        make(method, **{**QUICK, "autoencoder__max_epochs": 3, "max_epochs": 1}, memory=str(tmp_path)),
        grid,
        cv=TransductiveSplit(),
        scoring=silhouette_scorer,
        error_score="raise",
    ).fit(images[0])
    assert len(log) == runs
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_grid_over_gammas_pretrains_once(images, tmp_path, monkeypatch):
    X, _ = images
    log = tmp_path / "runs"
    original = autoencoder_module.pretrain

    @functools.wraps(original)
    def counted(*args, **kwargs):
        with log.open("a") as lines:
            lines.write("run\n")
        return original(*args, **kwargs)

    monkeypatch.setattr(autoencoder_module, "pretrain", counted)
    for memory, runs in ((str(tmp_path / "cache"), 1), (None, 4)):
        log.unlink(missing_ok=True)
        search = GridSearchCV(
            make(PSSC, **ONE_POLICY, memory=memory),
            {"gamma_expression": [0.1, 1.0, 10.0]},
            cv=TransductiveSplit(),
            scoring=silhouette_scorer,
            error_score="raise",
        ).fit(X)
        assert len(log.read_text().split()) == runs
    assert len(search.best_estimator_.history_) == 22


def test_own_networks_are_found_in_the_cache(images, tmp_path, monkeypatch):
    runs = []
    original = autoencoder_module.pretrain

    def counted(samples, key, *args):
        runs.append(key)
        return original(samples, key, *args)

    monkeypatch.setattr(autoencoder_module, "pretrain", functools.wraps(original)(counted))
    own = torch.nn.Module()
    own.encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 7))
    own.decoder = torch.nn.Sequential(torch.nn.Linear(7, 64), torch.nn.Unflatten(1, (1, 8, 8)))
    for gamma in (0.1, 1.0):
        make(PSSC, **ONE_POLICY, autoencoder__network=deepcopy(own), gamma_expression=gamma, memory=str(tmp_path)).fit(
            images[0]
        )
    assert len(runs) == 1
    torch.nn.init.zeros_(own.encoder[1].bias)
    make(PSSC, **ONE_POLICY, autoencoder__network=own, memory=str(tmp_path)).fit(images[0])
    assert len(runs) == 2
    for bias in (0.0, 1.0, 1.0):
        torch.nn.init.constant_(own.encoder[1].bias, bias)
        given = {"autoencoder__network": lambda shape: deepcopy(own), "memory": str(tmp_path)}
        make(PSSC, **ONE_POLICY, **given).fit(images[0])
    assert len(runs) == 4


def test_interrupted_pretraining_is_not_cached(images, tmp_path):
    from tests.test_training import Recorder, Tasks, raising

    X, _ = images
    make(PSSC, **ONE_POLICY, memory=str(tmp_path), callbacks=[Recorder(raising(StopTraining))]).fit(X)
    make(PSSC, **ONE_POLICY, memory=str(tmp_path)).set_callbacks(Tasks(stop_at=("pretrain", "epoch", 3))).fit(X)
    assert len(make(PSSC, **ONE_POLICY, memory=str(tmp_path)).fit(X).history_) == 22


def test_pretraining_from_the_cache_changes_nothing(images, tmp_path):
    X, _ = images
    fitted = [make(PSSC, **ONE_POLICY, memory=memory).fit(X) for memory in (None, str(tmp_path), str(tmp_path))]
    for other in fitted[1:]:
        np.testing.assert_array_equal(other.coef_, fitted[0].coef_)
        assert len(other.history_) == len(fitted[0].history_)


# History and imports


def test_history_names_every_cost(images):
    history = make(PSSC, **ONE_POLICY, variant="paper", gamma_label=0.0).fit(images[0]).history_
    phases = [row["phase"] for row in history]
    assert phases == ["pretrain"] * 20 + ["init"] * (len(phases) - 22) + ["finetune"] * 2
    last = history[-1]
    terms = {"reconstruction", "locality", "expression", "graph"}
    assert terms <= set(last)
    assert "label" not in last
    assert last["train_loss"] == pytest.approx(sum(last[term] for term in terms), rel=1e-5)
    assert last["seconds"] > 0
    assert last["epoch"] == 2


def test_importing_fitting_and_loading_are_light(tmp_path):
    """Torch's own optimisers would import its compiler when the first is made, and an identity without numbers, too."""
    code = (
        "import sys, skdeepsc; assert not {'torch', 'sklearn'} & set(sys.modules); import numpy as np;"
        "from skdeepsc import PSSC, AutoEncoder; X = np.random.default_rng(0).random((9, 8, 8));"
        "params = {'augment': 'digits', 'autoencoder': AutoEncoder(max_epochs=1), 'max_epochs': 1, 'random_state': 0};"
        "fitted = PSSC(2, **params).fit(X); assert fitted.supervision_ == 'contrast';"
        "skdeepsc.save(fitted, sys.argv[1]); skdeepsc.load(sys.argv[1]);"
        "assert not {'matplotlib', 'torch._dynamo', 'sympy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "model")], check=True)


@pytest.mark.parametrize("method", DEEP)
def test_samples_are_reconstructed_in_their_own_units(images, memory, method):
    X = 100 * images[0]
    params = {**ONE_POLICY, "autoencoder__max_epochs": 100, "classifier_epochs": 20, "memory": memory}
    fitted = make_known(method, **params).fit(X)
    rebuilt = fitted.reconstruct(X)[:, 0]
    assert rebuilt.shape == X.shape
    assert ((rebuilt - X) ** 2).sum() < 0.4 * (X**2).sum()
    np.testing.assert_allclose(fitted.reconstruct(X[:3])[:, 0], rebuilt[:3], atol=1e-3)


@pytest.mark.parametrize("normalization", ["none", "unit", "centered"])
def test_reconstruction_from_the_others_is_decoded_from_c_z(images, normalization):
    X, _ = images
    fitted = make(DSCNet, **QUICK, latent_normalization=normalization, subsample=50).fit(X)
    rows = X[fitted.sample_indices_]
    z = fitted.transform(rows).astype(float)
    mean = z.mean(axis=0) if normalization == "centered" else 0
    norms = 1 if normalization == "none" else np.linalg.norm(z - mean, axis=1, keepdims=True)
    z_hat = fitted.coef_ @ ((z - mean) / norms) * norms + mean
    wanted = fitted._decode(torch.from_numpy(z_hat.astype(np.float32)))
    found = fitted.reconstruct(X, expressed=True)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert np.abs(found - fitted.reconstruct(rows)).max() > 0.05
    with pytest.raises(ValueError, match="expressed=True needs the 60 samples of fit"):
        fitted.reconstruct(X[:5], expressed=True)
