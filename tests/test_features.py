"""Auto-encoders as parts: one pre-training for many methods, stage I of DSCSC alone, parameters of parts."""

import warnings
from itertools import combinations

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits, make_moons
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skdeepsc import (
    DSCSC,
    NCSC,
    PSSC,
    SSC,
    AutoEncoder,
    Contrastive,
    DSCNet,
    RadialFeatures,
    S2ConvSCN,
    SquashingScaler,
    SubspaceClustering,
)
from skdeepsc.deep import RidgeSolver, TrainedSolver
from skdeepsc.metrics import clustering_accuracy_score, silhouette_scorer
from skdeepsc.model_selection import TransductiveSplit
from skdeepsc.nn import SubspaceNetwork
from tests.estimators import DEEP, make, make_known

SHORT = {"n_clusters": 3, "max_epochs": 2, "subspace_epochs": 1, "classifier_epochs": 2, "random_state": 0}


@pytest.fixture
def frozen(images):
    return FrozenEstimator(AutoEncoder(max_epochs=20, random_state=0).fit(images[0]))


def phases_of(estimator):
    return list(dict.fromkeys(row["phase"] for row in estimator.history_))


@pytest.mark.parametrize("method", DEEP)
def test_a_frozen_autoencoder_serves_many_methods_and_stays_as_it_is(images, frozen, method):
    X, y = images
    before = {name: value.clone() for name, value in frozen.estimator.network_.state_dict().items()}
    fitted = make_known(method, **SHORT, autoencoder=frozen).fit(X)
    assert "pretrain" not in phases_of(fitted)
    for name, value in frozen.estimator.network_.state_dict().items():
        assert torch.equal(value, before[name])
    moved = fitted.network_.state_dict()["encoder.0.weight"] - before["encoder.0.weight"]
    assert moved.abs().max() < 0.1
    assert (moved.abs().max() > 0) == (method is not PSSC)  # Its head learns instead.
    assert adjusted_rand_score(y, fitted.labels_) > 0.5
    np.testing.assert_array_equal(clone(fitted).fit(X).labels_, fitted.labels_)


def test_frozen_is_the_same_as_pretrained(images, frozen):
    """With the same seed for the auto-encoder, whether it is fitted before or within."""
    inside = PSSC(3, autoencoder=AutoEncoder(max_epochs=20, random_state=0), max_epochs=2, random_state=7)
    outside = PSSC(3, autoencoder=frozen, max_epochs=2, random_state=7)
    np.testing.assert_array_equal(inside.fit(images[0]).coef_, outside.fit(images[0]).coef_)


def test_flat_rows_are_seen_as_the_autoencoder_saw_them(images, frozen):
    flat = images[0].reshape(60, -1)
    assert PSSC(3, autoencoder=frozen, max_epochs=0, random_state=0).fit(flat).image_shape_ == (1, 8, 8)
    own = AutoEncoder(max_epochs=1, image_shape=(8, 8))
    assert PSSC(3, autoencoder=own, max_epochs=0, random_state=0).fit(flat).image_shape_ == (1, 8, 8)
    with pytest.raises(ValueError, match=r"has 64 values, but X has 63 features"):
        PSSC(3, autoencoder=frozen).fit(flat[:, 1:])


def test_only_autoencoders_may_be_had(images, frozen):
    with pytest.raises(NotFittedError):
        PSSC(3, autoencoder=FrozenEstimator(AutoEncoder())).fit(images[0])
    with pytest.raises(TypeError, match="autoencoder must be an AutoEncoder, frozen or not; got SSC, frozen"):
        PSSC(3, autoencoder=FrozenEstimator(SSC())).fit(images[0])
    with pytest.raises(ValueError, match="'autoencoder' parameter of PSSC must be an instance of"):
        PSSC(3, autoencoder=torch.nn.Linear(2, 2)).fit(images[0])
    with pytest.raises(ValueError, match="'lr' parameter of AutoEncoder"):
        PSSC(3, autoencoder=AutoEncoder(lr=-1.0)).fit(images[0])
    with pytest.raises(ValueError, match="'epochs' parameter of TrainedSolver"):
        PSSC(3, solver=TrainedSolver(epochs=-1)).fit(images[0])


# Parameters of parts


def test_parameters_of_parts_are_reached_by_their_names():
    method = PSSC(3).set_params(autoencoder__channels=(20, 10), solver__ridge_lambda=2.0)
    assert repr(method.autoencoder) == "AutoEncoder(channels=(20, 10))"
    assert repr(method.solver) == "RidgeSolver(ridge_lambda=2.0)"
    assert method.set_params(solver="trained", solver__epochs=3).solver.epochs == 3
    assert DSCSC().set_params(autoencoder__lr=0.1).autoencoder.channels == (16, 32, 64)
    assert NCSC().set_params(autoencoder__lr=0.1).autoencoder.channels == (10, 20, 30)
    assert method.get_params()["autoencoder__channels"] == (20, 10)
    assert clone(method).get_params()["solver__epochs"] == 3
    given = PSSC(autoencoder=AutoEncoder(batch_size=7)).set_params(autoencoder__lr=0.1)
    assert given.autoencoder.batch_size == 7
    with pytest.raises(ValueError, match="Invalid parameter 'chanels' for estimator AutoEncoder"):
        PSSC().set_params(autoencoder__chanels=(3,))


def test_a_grid_over_parameters_of_the_autoencoder_and_of_the_solver(images):
    search = GridSearchCV(
        DSCNet(3, max_epochs=1, random_state=0),
        {"autoencoder__channels": [(4,), (8,)], "autoencoder__max_epochs": [3], "solver__ridge_lambda": [0.1, 1.0]},
        cv=TransductiveSplit(),
        scoring=silhouette_scorer,
        error_score="raise",
    ).fit(images[0])
    assert len(set(search.cv_results_["mean_test_score"])) == 4
    n_latent = 16 * search.best_params_["autoencoder__channels"][0]
    assert search.best_estimator_.embedding_.shape == (60, n_latent)


def test_what_is_handed_down_and_what_is_not(images):
    own = AutoEncoder(max_epochs=2, random_state=5)
    first, second = (PSSC(3, autoencoder=own, max_epochs=0, random_state=seed).fit(images[0]) for seed in (0, 1))
    np.testing.assert_array_equal(first.embedding_, second.embedding_)
    open_ = AutoEncoder(max_epochs=2)
    first, second = (PSSC(3, autoencoder=open_, max_epochs=0, random_state=seed).fit(images[0]) for seed in (0, 1))
    assert not np.allclose(first.embedding_, second.embedding_)
    assert open_.get_params() == AutoEncoder(max_epochs=2).get_params()
    assert not hasattr(open_, "network_")


# Stage I of DSCSC


def test_contrastive_codes_cluster_better_than_those_of_reconstruction():
    digits = load_digits()
    X, y = digits.images[:300], digits.target[:300]
    accuracies = []
    for features in (AutoEncoder(channels=(16, 32, 64), batch_size=100), Contrastive()):
        method = DSCNet(10, autoencoder=features.set_params(max_epochs=60), max_epochs=0, random_state=0)
        accuracies.append(clustering_accuracy_score(y, method.fit(X).labels_))
    assert accuracies[1] > accuracies[0] + 0.02


def test_stage_one_alone_is_what_dscsc_pretrains(images):
    stage_one = Contrastive(augment="digits", max_epochs=5, random_state=0).fit(images[0])
    whole = make(DSCSC, 3, augment="digits", autoencoder__max_epochs=5, max_epochs=0, random_state=0).fit(images[0])
    for name, value in stage_one.network_.encoder.state_dict().items():
        assert torch.equal(whole.network_.encoder.state_dict()[name], value)
    assert stage_one.history_[-1]["contrast"] == whole.history_[-1]["contrast"]
    assert Contrastive(max_epochs=1).fit(images[0]).augment_ == "digits"
    assert Contrastive(max_epochs=1).fit(images[0].reshape(60, -1)).augment_ == "rows"


def test_dscsc_goes_on_from_a_frozen_stage_one_or_a_plain_autoencoder(images, frozen):
    stage_one = FrozenEstimator(Contrastive(augment="faces", max_epochs=20, random_state=0).fit(images[0]))
    fitted = DSCSC(3, autoencoder=stage_one, expressed="both", max_epochs=2, random_state=0).fit(images[0])
    assert fitted.augment_ == "faces"
    assert phases_of(fitted) == ["finetune"]
    assert fitted.embedding_.shape == (60, 64 + 64)
    other = DSCSC(3, autoencoder=stage_one, augment=None, gamma_contrast=0, max_epochs=1, random_state=0).fit(images[0])
    assert (other.augment_, other.expressed_, other.network_.augment) == (None, "codes", None)
    plain = DSCSC(3, autoencoder=frozen, max_epochs=2, random_state=0).fit(images[0])
    assert {"view", "contrast"} <= set(plain.history_[-1])
    with pytest.raises(ValueError, match="DSCSC itself has the weights of stage I"):
        DSCSC(3, autoencoder=Contrastive()).fit(images[0])


@pytest.mark.parametrize("method", [PSSC, S2ConvSCN, NCSC])
def test_stage_one_serves_other_methods(images, method):
    X, y = images
    fitted = make_known(method, **SHORT, autoencoder=Contrastive(max_epochs=60)).fit(X)
    assert adjusted_rand_score(y, fitted.labels_) > 0.8
    assert fitted.transform(X).shape == (60, 59 if method is PSSC else 64)


def test_stage_one_is_a_view(images):
    X, y = images
    views = ["pixels", ("contrast", Contrastive(max_epochs=60))]
    clustering = SubspaceClustering(3, views=views, random_state=0).fit(X)
    found = {view.removesuffix(", whitened") for view in clustering.candidates_["view"]}
    assert found == {"pixels", "contrast"}
    assert adjusted_rand_score(y, clustering.labels_) > 0.9


def test_the_cache_keeps_the_augmentation_in_use(images, tmp_path):
    for _ in range(2):
        assert Contrastive(max_epochs=1, memory=str(tmp_path), random_state=0).fit(images[0]).augment_ == "digits"
    assert RidgeSolver().get_params() == {"ridge_lambda": None}


class Factor(torch.nn.Module):
    """Its factor is neither in its text nor in its state."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


class Flat(torch.nn.Module):
    """An auto-encoder of 8 x 8 images; it gives them back in `shape`."""

    def __init__(self, factor=1.0, shape=(1, 8, 8)):
        super().__init__()
        self.encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 8), Factor(factor))
        self.decoder = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.Unflatten(1, shape))


def test_networks_that_differ_in_a_number_alone_are_kept_apart(images, tmp_path):
    params = {"memory": tmp_path, "max_epochs": 1, "random_state": 0}
    network = Flat()
    for factor in (1.0, -3.0, 1.0):
        network.encoder[2].factor = factor
        fitted = AutoEncoder(network=network, **params).fit(images[0])
        assert fitted.network_.encoder[2].factor == factor
    assert len(list(tmp_path.rglob("*.network"))) == 2


def test_a_decoder_that_gives_other_shapes_is_refused(images):
    message = r"The decoder of network= must give samples of shape \(1, 8, 8\) back; it gives \(8, 8\)"
    with pytest.raises(ValueError, match=message):
        AutoEncoder(network=Flat(shape=(8, 8)), max_epochs=1).fit(images[0])


def test_samples_of_another_shape_than_the_frozen_network_knows_are_refused(images, frozen):
    rows = images[0].reshape(60, -1)
    message = r"has learnt from samples of shape \(1, 8, 8\), not \(1, 4, 16\)"
    with pytest.raises(ValueError, match=message):
        DSCNet(3, autoencoder=frozen, image_shape=(4, 16)).fit(rows)


def test_a_shape_that_is_given_holds_for_all_views():
    X = np.random.RandomState(0).uniform(size=(24, 6, 12, 1))
    assert len(SubspaceClustering(2, image_shape=(6, 12, 1), random_state=0).fit(X).labels_) == 24


def test_flat_rows_come_back_as_flat_rows():
    """Which the steps before it in a pipeline take."""
    images = load_digits().images[:60]
    rows = images.reshape(60, -1)
    for kind in (AutoEncoder, Contrastive):
        steps = make_pipeline(StandardScaler(), kind(max_epochs=1, image_shape=(8, 8), random_state=0)).fit(rows)
        assert steps.inverse_transform(steps.transform(rows)).shape == (60, 64)
        codes = kind(max_epochs=1, random_state=0).fit(images)
        assert codes.inverse_transform(codes.transform(images)).shape == (60, 1, 8, 8)


def test_what_is_frozen_can_be_a_view_and_first_labels(few_first_epochs):
    images = load_digits(n_class=3).images[:60]
    codes = FrozenEstimator(AutoEncoder(max_epochs=20, random_state=0).fit(images))
    fitted = SubspaceClustering(3, views=[("codes", codes)], random_state=0).fit(images)
    np.testing.assert_array_equal(fitted.views_["codes"].transform(images), codes.transform(images))
    labels = FrozenEstimator(SSC(3, random_state=0).fit(images))
    short = {"subspace_epochs": 0, "classifier_epochs": 60, "max_epochs": 0, "random_state": 0}
    ncsc = NCSC(3, init=labels, autoencoder=codes, **short).fit(images)
    assert adjusted_rand_score(labels.predict(images.reshape(60, -1)), ncsc.labels_) > 0.9


def test_no_output_is_wrapped_for_a_view():
    images = load_digits(n_class=3).images[:60]
    with config_context(transform_output="pandas"), warnings.catch_warnings():
        warnings.simplefilter("error")
        SubspaceClustering(3, random_state=0).fit(images)
        SubspaceClustering(3, random_state=0).fit(images.reshape(60, -1))


def test_parameters_of_the_auto_encoder_may_stand_beside_none():
    assert DSCNet(3).set_params(autoencoder=None, autoencoder__max_epochs=7).autoencoder.max_epochs == 7
    assert clone(DSCNet(3)).set_params(autoencoder__max_epochs=7).autoencoder.max_epochs == 7


# Features on one scale


def test_squashed_features_are_the_formula():
    rng = np.random.default_rng(0)
    X = rng.standard_t(2, (60, 5)) * [1e-3, 1, 1e3, 1e6, 1] + [5, 0, -1e4, 0, 7]
    X[:, 4], X[:9, 3] = 7, 1e9
    scaler = SquashingScaler(max_absolute_value=2).fit(X)
    for j in range(4):
        first, median, third = np.percentile(X[:, j], [25, 50, 75])
        z = (X[:, j] - median) / (third - first)
        np.testing.assert_allclose(scaler.transform(X)[:, j], z / np.sqrt(1 + (z / 2) ** 2), rtol=1e-12)
    np.testing.assert_array_equal(scaler.transform(X + 3)[:, 4], 0)  # It has never changed.
    assert np.abs(scaler.transform(X)).max() < 2
    assert scaler.transform(X.astype(np.float32)).dtype == np.float32


def test_of_features_that_are_mostly_the_same_the_others_count():
    X = np.zeros((20, 3))
    X[:3, 0], X[:4, 1], X[:2, 2] = [4, 2, -1], [1, 2, 4, 1e9], -3
    z = X / [2, 3, 3]
    np.testing.assert_allclose(SquashingScaler().fit_transform(X), z / np.sqrt(1 + (z / 3) ** 2))


def test_far_new_values_are_as_far_as_any(recwarn):
    scaler = SquashingScaler().fit(np.array([[1e-10, 5.0], [2e-10, 5.0], [4e-10, 5.0]]))
    np.testing.assert_allclose(scaler.transform([[1e308, 1e308], [-1e308, -1e308]]), [[3, 0], [-3, 0]])
    assert not recwarn.list


def test_squashed_features_do_not_know_units_or_shapes(images):
    X, units = images[0][:, 1:7, 1:7] + 1.0, 10.0 ** np.arange(-18, 18).reshape(6, 6)
    np.testing.assert_allclose(
        SquashingScaler().fit_transform(X * units), SquashingScaler().fit_transform(X.reshape(len(X), -1)), rtol=1e-6
    )
    with pytest.raises(ValueError, match="differences are no numbers"):
        SquashingScaler().fit(np.array([[1.5e308], [1.5e308], [-1.5e308], [-1.5e308]]))


def test_radial_features_have_the_inner_products_of_the_formula():
    X, _ = make_moons(150, noise=0.1, random_state=0)
    radial = RadialFeatures(quantile=0.3, random_state=0)
    Z, scaled = radial.fit_transform(X), SquashingScaler().fit_transform(X)
    distances = np.array([[np.sqrt(sum((a - b) ** 2)) for b in scaled] for a in scaled])
    widths = [np.quantile(own, 0.3) for own in distances]
    np.testing.assert_allclose(radial.widths_, widths)
    kernel = np.exp(-(distances**2) / np.outer(widths, widths))
    values, vectors = np.linalg.eigh(kernel)  # Widths that differ leave some negative.
    assert values[0] > -0.05 * values[-1]
    np.testing.assert_allclose(Z @ Z.T, vectors * np.maximum(values, 0) @ vectors.T, atol=1e-6)
    few = clone(radial).set_params(n_landmarks=20).fit(X)
    assert few.landmarks_.shape == (20, 2)
    near = few.transform(X)
    cosines = near @ near.T / np.outer(*[np.linalg.norm(near, axis=1)] * 2)
    assert np.abs(cosines - kernel).mean() < 0.1


def test_radial_features_do_not_know_units_or_shapes(images):
    X = images[0]
    Z = RadialFeatures(random_state=0).fit_transform(X)
    in_other_units = (X.astype(np.float64).reshape(60, -1) * np.geomspace(1e-20, 1e20, 64) + 1e-30).reshape(60, 1, 8, 8)
    np.testing.assert_allclose(RadialFeatures(random_state=0).fit_transform(in_other_units), Z, atol=1e-4)


def test_copies_and_constant_samples_have_radial_features():
    copies = RadialFeatures(quantile=0.05).fit_transform(np.repeat([[0.0], [1.0], [3.0]], 10, axis=0))
    assert np.linalg.matrix_rank(copies, tol=1e-6) == 3
    np.testing.assert_allclose(np.linalg.norm(copies, axis=1), 1)
    np.testing.assert_allclose(RadialFeatures().fit_transform(np.ones((5, 2))), np.ones((5, 1)))


def test_samples_of_any_density_and_far_ones_have_radial_features():
    generator = np.random.RandomState(0)
    centers = np.repeat([[0, 0], [10, 0], [0, 10]], [500, 250, 250], axis=0)
    X = centers + generator.normal(size=(1000, 2)) * np.where(centers.any(axis=1), 1, 0.01)[:, None]
    radial = RadialFeatures(random_state=0).fit(X)
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in np.split(radial.transform(X), [500, 750])]
    assert all((own @ own.T).mean() > 0.1 for own in unit)
    assert all((own @ other.T).mean() < 0.001 for own, other in combinations(unit, 2))
    far = radial.transform([[60.0, 0], [0, 60]])
    far /= np.linalg.norm(far, axis=1, keepdims=True)
    assert [np.argmax([(own @ each).max() for own in unit]) for each in far] == [1, 2]


def test_huge_values_differ():
    X = 8e307 * np.random.RandomState(0).uniform(-1, 1, (50, 3))
    np.testing.assert_allclose(SquashingScaler().fit_transform(X), SquashingScaler().fit_transform(X / 1e300))


def test_codes_of_a_row_do_not_hang_on_its_place(images):
    """Nor do samples from codes, to the last digit but the one that rounds; on some processors those of float32 do."""
    rows = images[0].reshape(60, -1)
    autoencoder = AutoEncoder(max_epochs=1, random_state=0).fit(rows)
    weights = {name: weight.double() for name, weight in autoencoder.network_.state_dict().items()}
    x = torch.from_numpy(rows).double() / weights["input_scale"]
    hidden = torch.relu(x @ weights["encoder.1.weight"].T + weights["encoder.1.bias"]).float().double()
    codes = (hidden @ weights["encoder.3.weight"].T + weights["encoder.3.bias"]).numpy()
    np.testing.assert_allclose(autoencoder.transform(rows), codes, rtol=1.2e-7, atol=0)
    one_by_one = np.concatenate([autoencoder.transform(row[None]) for row in rows])
    np.testing.assert_array_equal(autoencoder.transform(rows), one_by_one)
    np.testing.assert_array_equal(autoencoder.reconstruct(rows)[::-1], autoencoder.reconstruct(rows[::-1]))


def test_what_rows_are_clustered_by_is_what_transform_gives(images):
    rows = images[0].reshape(60, -1)
    clustering = DSCNet(3, autoencoder=AutoEncoder(max_epochs=1), max_epochs=1, random_state=0).fit(rows)
    np.testing.assert_array_equal(clustering.transform(rows), clustering.embedding_)


def test_autocast_in_a_network_of_the_user_stays(images):
    class Low(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(64, 5)

        def forward(self, x):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                code = self.linear(x.flatten(1))
            assert code.dtype == torch.bfloat16
            return code.float()

    network = SubspaceNetwork(Low(), nn.Sequential(nn.Linear(5, 64), nn.Unflatten(1, (1, 8, 8))))
    assert AutoEncoder(network=network, max_epochs=1).fit_transform(images[0]).shape == (60, 5)
