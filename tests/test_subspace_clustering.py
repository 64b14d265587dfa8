"""The rule: what it selects and says, new rows, its borders, and that nothing but the arguments changes its result."""

import pickle
import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_blobs, make_circles, make_moons
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.random_projection import GaussianRandomProjection
from skorch.callbacks import Callback
from threadpoolctl import threadpool_info

from skdeepsc import AutoEncoder, Scattering, SubspaceClustering
from skdeepsc._input import unit_rows
from skdeepsc._self_training import self_train
from skdeepsc._view_search import Candidate, Look, agreement, fairest, search
from skdeepsc.datasets import make_union_of_subspaces
from skdeepsc.inspection import CandidatesDisplay
from skdeepsc.metrics import clustering_accuracy_score
from skdeepsc.segmentation import DegenerateAffinityWarning, edge_information, match_labels, normalized_cut

FIXED = ["scattering", "pixels"]


@pytest.fixture(scope="module")
def digits():
    data = load_digits(n_class=5)
    return data.images[:400], data.target[:400]


@pytest.fixture(scope="module")
def fitted(digits):
    return SubspaceClustering(5, views=FIXED, random_state=0).fit(digits[0])


def test_digits_are_found(digits, fitted):
    assert clustering_accuracy_score(digits[1], fitted.labels_) > 0.9


def test_all_digits_are_found_far_better_than_by_k_means():
    data = load_digits()
    clustering = SubspaceClustering(10, views=["scattering"], random_state=0).fit(data.images)
    assert clustering_accuracy_score(data.target, clustering.labels_) > 0.92  # k-means on the pixels: 0.79


def test_union_of_subspaces_is_found():
    X, y = make_union_of_subspaces(n_subspaces=4, subspace_dim=4, n_features=30, n_samples=240, random_state=0)
    clustering = SubspaceClustering(4, random_state=0).fit(X)
    assert list(clustering.views_) == ["pixels", "scaled"]
    assert clustering.view_ == "pixels"  # Both are perfect.
    assert clustering.candidates_["edge_information"][0] == 1
    assert clustering_accuracy_score(y, clustering.labels_) > 0.97


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
@pytest.mark.parametrize(
    ("make_clusters", "n_clusters"),
    [
        (partial(make_moons, 500, noise=0.06, random_state=0), 2),
        (partial(make_circles, 500, noise=0.04, factor=0.5, random_state=0), 2),
        (partial(make_blobs, 300, 3, centers=3, random_state=33), 3),
        (partial(make_blobs, [450, 150], centers=np.array([[0, 0], [6, 6]]), random_state=0), 2),
        (partial(make_blobs, [540, 60], centers=np.array([[0, 0, 0], [6, 6, 6]]), random_state=1), 2),
    ],
)
def test_places_in_few_features_are_found(make_clusters, n_clusters):
    X, y = make_clusters()
    clustering = SubspaceClustering(n_clusters, random_state=0).fit(X)
    assert clustering.view_ == "radial"
    assert clustering_accuracy_score(y, clustering.labels_) > 0.98
    assert clustering_accuracy_score(y, clustering.predict(X)) > 0.98
    by_directions = SubspaceClustering(n_clusters, views=["pixels", "scaled"], random_state=0).fit_predict(X)
    assert clustering_accuracy_score(y, by_directions) < 0.96


@pytest.mark.filterwarnings("ignore:The affinity falls into")
def test_directions_in_few_features_are_found():
    X, y = make_union_of_subspaces(n_subspaces=4, subspace_dim=2, n_features=6, n_samples=320, random_state=0)
    clustering = SubspaceClustering(4, random_state=0).fit(X)
    assert list(clustering.views_) == ["radial", "pixels", "scaled"]
    one = make_blobs([450, 150], centers=[[0], [8]], random_state=0)[0]
    assert list(SubspaceClustering(2, random_state=0).fit(one).views_) == ["scaled"]
    assert clustering_accuracy_score(y, clustering.labels_) > 0.95


@pytest.mark.parametrize(("load", "wanted"), [(load_wine, 0.94), (load_breast_cancer, 0.94)])
def test_features_of_unlike_units_are_scaled(load, wanted):
    X, y = load(return_X_y=True)
    clustering = SubspaceClustering(len(set(y)), random_state=0).fit(X)
    assert clustering.view_ == "scaled"
    assert clustering_accuracy_score(y, clustering.labels_) > wanted  # By the rows as they are: 0.77 and 0.54.
    assert (clustering.predict(X) == clustering.labels_).mean() > 0.95
    in_other_units = clone(clustering).fit(X * np.geomspace(0.01, 100, X.shape[1]))
    assert in_other_units.view_ == "scaled"
    assert adjusted_rand_score(in_other_units.labels_, clustering.labels_) > 0.99


def test_of_views_that_are_as_clear_the_first_is_taken(digits):
    copies = [(name, FunctionTransformer()) for name in ("one", "two", "three")]
    views = [("noise", FunctionTransformer(lambda X: np.random.RandomState(0).normal(size=X.shape))), *copies]
    assert SubspaceClustering(5, views=views, random_state=0).fit(digits[0]).view_ == "one"
    assert SubspaceClustering(5, views=views[::-1], random_state=0).fit(digits[0]).view_ == "three"


def test_far_rows_do_not_decide():
    X, y = make_blobs(1500, 20, centers=4, random_state=0)
    for far in ({700: 1e30}, {3: -1e12, 700: 1e12, 1400: 1e12}):
        for number, (row, value) in enumerate(far.items()):
            X[row, number] = value
        clustering = SubspaceClustering(4, random_state=0).fit(X)
        assert list(clustering.views_) == ["scaled"]
        assert clustering_accuracy_score(y, clustering.labels_) > 0.98


def test_what_users_name_is_theirs(digits):
    X = digits[0].reshape(len(digits[0]), -1) * np.eye(64)[0] * 1e6
    views = [("pixels", StandardScaler()), ("scaled", PCA(2, random_state=0))]
    found = SubspaceClustering(5, views=views, random_state=0).fit(X + digits[0].reshape(len(X), -1)).candidates_
    assert {"pixels", "scaled"} <= set(found["view"])


def test_dimensions_that_all_rows_do_not_have_are_sought_in_the_next_smaller_one():
    class Narrow(FunctionTransformer):
        def fit_transform(self, X, y=None):
            return X[:, : 40 if len(X) < 1000 else 5]

        def transform(self, X):
            return X[:, :5]

    X, _ = make_union_of_subspaces(n_subspaces=3, subspace_dim=9, n_features=40, n_samples=1200, random_state=0)
    views = [("narrow", Narrow())]
    clustering = SubspaceClustering(3, views=views, subspace_dims=[1, 2, 8, 9, 10], random_state=0).fit(X)
    assert set(clustering.candidates_["subspace_dim"][clustering.candidates_["view"] == "narrow, whitened"]) < {1, 2, 8}


def test_flats_are_not_bent():
    X, _ = make_union_of_subspaces(n_subspaces=3, subspace_dim=2, n_features=8, n_samples=90, random_state=0)
    assert list(SubspaceClustering(3, affine=True, random_state=0).fit(X).views_) == ["pixels"]


def test_a_first_look_is_at_a_third_of_many_rows():
    X, looks = load_digits().images, []

    class Watched(FunctionTransformer):
        def fit(self, X, y=None):
            looks.append(len(X))
            return super().fit(X, y)

    views = [("one", Watched()), ("two", Watched())]
    for n_rows, n_clusters in ((1797, 10), (1797, 35), (890, 10)):
        looks.clear()
        SubspaceClustering(n_clusters, views=views, subspace_dims=[1], random_state=0).fit(X[:n_rows])
        first = {(1797, 10): 600, (1797, 35): 700, (890, 10): 890}[n_rows, n_clusters]
        assert looks == [first, first] + [n_rows] * (first < n_rows)


def test_the_table_says_why(fitted):
    table = fitted.candidates_
    assert len({len(column) for column in table.values()}) == 1
    own = f"{fitted.view_}, whitened"
    is_own = table["view"] == own
    assert is_own[: is_own.sum()].all()
    assert (np.diff(table["edge_information"][is_own][1:]) <= 0).all()
    assert (np.diff(table["edge_information"][~is_own]) <= 0).all()
    assert set(table["view"]) == {*FIXED, *(f"{view}, whitened" for view in FIXED)}
    assert set(table["subspace_dim"][is_own]) == {1, 2, 4, 8, 16}
    assert set(table["labelling_dim"][is_own]) == {1, 2}
    assert set(table["subspace_dim"][~is_own]) == {1, 4, 16}
    best = [table["edge_information"][table["view"] == f"{view}, whitened"].max() for view in FIXED]
    assert FIXED[np.argmax(best)] == fitted.view_
    assert (own, fitted.subspace_dim_) == (table["view"][0], table["subspace_dim"][0])
    information = edge_information(fitted.affinity_matrix_, fitted.labels_) / np.log(5)
    assert table["edge_information"][0] == pytest.approx(information, abs=1e-6)
    cut = normalized_cut(fitted.affinity_matrix_, fitted.labels_)
    assert table["normalized_cut"][0] == pytest.approx(cut / 5, abs=1e-6)


def test_few_rows_and_clusters_are_searched_from_more_starts(digits, fitted):
    assert {"kmeans-32", "diffusion-8-32"} <= set(fitted.candidates_["labelling"])
    many = SubspaceClustering(40, views=["pixels"], subspace_dims=[1], refine=False, random_state=0).fit(digits[0])
    assert "kmeans-8" in many.candidates_["labelling"]
    assert "kmeans-9" not in many.candidates_["labelling"]


@pytest.mark.parametrize("params", [{"refine": False, "subspace_dims": [1, 4]}, {"subspace_dims": [2]}])
def test_no_first_look_where_nothing_is_to_be_chosen(digits, params, monkeypatch):
    searches = []

    def searched(self, look, *args, search=SubspaceClustering._search, **effort):
        searches.append(look.name)
        return search(self, look, *args, **effort)

    monkeypatch.setattr(SubspaceClustering, "_search", searched)
    clustering = SubspaceClustering(5, views=["pixels"], random_state=0, **params)
    short = clustering.fit(digits[0])
    assert len(searches) == 1
    assert set(short.candidates_["view"]) == {*searches}
    monkeypatch.setattr(SubspaceClustering, "_has_choice", lambda self: True)
    whole = clone(clustering).fit(digits[0])
    assert len(searches) == 3
    np.testing.assert_array_equal(short.labels_, whole.labels_)
    np.testing.assert_array_equal(short.confidence_, whole.confidence_)


def test_a_view_that_falls_behind_is_not_whitened(digits):
    views = [*FIXED, ("few", FunctionTransformer(lambda X: X[:, 3::8]))]
    found = SubspaceClustering(5, views=views, random_state=0).fit(digits[0]).candidates_
    most = {view: found["edge_information"][found["view"] == view].max() for view in (*FIXED, "few")}
    assert most["few"] < max(most.values()) - 0.05 < most["pixels"]
    assert set(found["view"]) == {*FIXED, "few", "scattering, whitened", "pixels, whitened"}


def test_no_view_is_whitened_twice_at_the_same_rows(digits, monkeypatch):
    whitened = []
    monkeypatch.setattr(Look, "whitened", lambda *args, by=Look.whitened: whitened.append(args) or by(*args))
    SubspaceClustering(5, views=["pixels", "contrast"], random_state=0).fit(digits[0])
    assert len(whitened) == 2


def test_affinity_is_the_definition(digits, fitted):
    """C = H / (1 - diag H) by the inverse; the five largest of each row by sorting."""
    fitted = clone(fitted).set_params(refine=False).fit(digits[0])
    Z = fitted.embedding_.astype(float)
    Z -= Z.mean(0)
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    spectrum = np.clip(np.linalg.eigvalsh(Z @ Z.T), 0, None)
    low, high = 1e-9, 1e9
    for _ in range(200):
        lam = np.sqrt(low * high)
        low, high = (lam, high) if (spectrum / (spectrum + lam)).sum() > 5 * fitted.subspace_dim_ else (low, lam)
    hat = Z @ np.linalg.solve(Z.T @ Z + lam * np.eye(Z.shape[1]), Z.T)
    coef = hat / (1 - np.diag(hat))[:, None]
    np.fill_diagonal(coef, 0)
    top = np.where(coef >= np.sort(coef, axis=1)[:, -5:-4], np.clip(coef, 0, None), 0)
    top /= top.sum(1, keepdims=True)
    np.testing.assert_allclose(fitted.affinity_matrix_.toarray(), (top + top.T) / 2, atol=1e-4)


def test_new_rows_are_labelled_one_by_one(digits, fitted):
    images = load_digits(n_class=5).images[400:500]
    proba = fitted.predict_proba(images)
    assert proba.shape == (100, 5)
    np.testing.assert_allclose(proba.sum(1), 1, atol=1e-6)
    np.testing.assert_array_equal(proba.argmax(1), fitted.predict(images))
    one_by_one = np.concatenate([fitted.predict_proba(image[None]) for image in images])
    np.testing.assert_allclose(one_by_one, proba, atol=1e-5)
    truth = load_digits(n_class=5).target[400:500]
    both = np.concatenate([digits[1], truth])
    assert clustering_accuracy_score(both, np.concatenate([fitted.labels_, fitted.predict(images)])) > 0.9


@pytest.mark.parametrize("subsample", [150, 100])
def test_what_a_row_is_told_does_not_hang_on_those_beside_it(subsample):
    X = load_digits().data[:150]
    clustering = SubspaceClustering(10, views=["pixels"], subsample=subsample, random_state=0).fit(X)
    assert (clustering._classifier is None) == (subsample == 150)
    proba, generator = clustering.predict_proba(X), np.random.RandomState(0)
    for size in (1, 7, 150):
        rows = generator.permutation(150)[:size]
        np.testing.assert_allclose(clustering.predict_proba(X[rows]), proba[rows], rtol=1e-9, atol=1e-12)


def test_votes_are_the_ridge_solution(digits, fitted):
    """The coefficients of a new row z solve min |z - c Z|^2 + lam |c|^2, and its five largest vote."""
    images = load_digits(n_class=5).images[400:410]
    mean = fitted.embedding_.mean(0)
    Z, new = fitted.embedding_ - mean, fitted.transform(images) - mean
    Z, new = (rows.astype(float) / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (Z, new))
    spectrum = np.linalg.eigvalsh(Z @ Z.T)
    low, high = 1e-9, 1e9
    for _ in range(200):
        lam = np.sqrt(low * high)
        low, high = (lam, high) if (spectrum / (spectrum + lam)).sum() > 5 * fitted.subspace_dim_ else (low, lam)
    coef = np.linalg.solve(Z @ Z.T + lam * np.eye(len(Z)), Z @ new.T).T
    proba = np.zeros((10, 5))
    for row, share in zip(coef, proba, strict=True):
        for j in np.argsort(-row)[:5]:
            share[fitted.labels_[j]] += max(row[j], 0)
    np.testing.assert_allclose(fitted.predict_proba(images), proba / proba.sum(1, keepdims=True), atol=1e-3)


def test_same_seed_same_labels_and_any_order_agrees(digits, fitted):
    images = digits[0]
    again = clone(fitted).fit(images)
    np.testing.assert_array_equal(again.labels_, fitted.labels_)
    order = np.random.RandomState(1).permutation(len(images))
    shuffled = clone(fitted).fit(images[order])
    assert adjusted_rand_score(shuffled.labels_, fitted.labels_[order]) > 0.95


def test_jobs_and_input_types_change_nothing(digits, fitted):
    images = digits[0]
    flat = images.reshape(len(images), -1)
    for X, params in (
        (torch.tensor(images), {"n_jobs": 2}),
        (flat.astype(np.uint8), {"image_shape": (8, 8)}),
    ):
        labels = clone(fitted).set_params(**params).fit_predict(X)
        assert adjusted_rand_score(labels, fitted.labels_) == 1


def test_subsample_labels_the_rest_by_predict(digits):
    images, target = digits
    clustering = SubspaceClustering(5, views=FIXED, subsample=200, random_state=0).fit(images)
    assert clustering.affinity_matrix_.shape == (200, 200)
    assert len(clustering.labels_) == len(images)
    rest = np.setdiff1d(np.arange(len(images)), clustering.sample_indices_)
    np.testing.assert_array_equal(clustering.labels_[rest], clustering.predict(images[rest]))
    assert clustering_accuracy_score(target, clustering.labels_) > 0.9


def test_confidence_tells_right_labels_from_wrong_ones():
    data = load_digits()
    X, y = data.images[:900], data.target[:900]
    for subsample in (None, 500):
        clustering = SubspaceClustering(10, views=["scattering"], subsample=subsample, random_state=0).fit(X)
        confidence = clustering.confidence_
        assert confidence.shape == (900,)
        assert 0 <= confidence.min() < 0.5 < confidence.max() <= 1 + 1e-6
        right = match_labels(clustering.labels_, y) == y
        assert roc_auc_score(right, confidence) > 0.75
        surest = np.argsort(-confidence)[:600]
        assert right[surest].mean() > right.mean() + 0.02


def test_confidence_is_what_ties_a_row_to_rows_about_which_labellings_agree(digits):
    """Times the share of walks of eight steps from it that end in its cluster."""
    features = digits[0][:90].reshape(90, -1).astype(np.float32)
    look = Look.at("pixels", features, "cpu")
    candidates = search(look, [1.0, 4.0], 5, 5, 0, map)
    labels = np.unique(candidates[0].labels, return_inverse=True)[1]
    near = {
        (each.labelling, each.labelling_dim): match_labels(each.labels, labels)
        for each in candidates
        if each.information > candidates[0].information - 0.08
    }
    graphs = {each.graph.dim: each.graph.affinity.toarray() for each in candidates}.values()
    assert len(graphs) == 2
    assert len(near) > 10
    wanted = np.zeros((90, 5))
    for row in range(90):
        for graph in graphs:
            for other in range(90):
                agreed = np.mean([found[other] == labels[other] for found in near.values()])
                wanted[row, labels[other]] += graph[row, other] / graph[row].sum() * agreed / 2
    chosen = replace(candidates[-1], labels=labels)
    graph = chosen.graph.affinity.toarray()
    walk = np.linalg.matrix_power(graph / graph.sum(axis=1, keepdims=True), 8)
    for cluster in range(5):
        wanted[:, cluster] *= walk[:, labels == cluster].sum(axis=1)
    np.testing.assert_allclose(agreement(candidates, chosen), wanted, atol=1e-6)


def test_confidence_of_the_rest_is_that_of_the_rows_that_vote_for_its_label(digits):
    X = digits[0]
    clustering = SubspaceClustering(5, views=["pixels"], subsample=200, refine=False, random_state=0).fit(X)
    rows, labels, confidence = clustering.sample_indices_, clustering.labels_, clustering.confidence_
    rest = np.setdiff1d(np.arange(len(X)), rows)
    flat = X.reshape(len(X), -1).astype(np.float32)
    features = flat[rest] - flat[rows].mean(axis=0)
    coef = features / np.linalg.norm(features, axis=1, keepdims=True) @ clustering._vote_weights
    for sample, votes in zip(rest, coef, strict=True):
        top = np.argsort(-votes)[:5]
        weights = np.maximum(votes[top], 0)
        own = labels[rows[top]] == labels[sample]
        wanted = (weights * own * confidence[rows[top]]).sum() / weights.sum()
        assert confidence[sample] == pytest.approx(wanted, abs=1e-4)
    np.testing.assert_array_equal(labels[rest], clustering.predict(X[rest]))


def test_the_number_of_clusters_is_chosen(digits):
    clustering = SubspaceClustering("auto", views=FIXED, random_state=0).fit(digits[0])
    assert clustering.n_clusters_ == 5
    scores = clustering.n_clusters_scores_
    assert max(scores, key=scores.get) == 5
    known = SubspaceClustering(5, views=FIXED, random_state=0).fit(digits[0])
    np.testing.assert_array_equal(clustering.labels_, known.labels_)
    assert known.n_clusters_scores_ is None


def test_the_number_of_clusters_of_images_is_chosen_within_a_tenth():
    clustering = SubspaceClustering("auto", views=["scattering"], random_state=0).fit(load_digits().images)
    assert 9 <= clustering.n_clusters_ <= 11  # By the best of each graph's own labellings: 13.


def test_noise_is_said_to_be_noise():
    X = np.random.RandomState(0).normal(size=(300, 40))
    with pytest.warns(DegenerateAffinityWarning, match="finds no clusters"):
        clustering = SubspaceClustering("auto", random_state=0).fit(X)
    assert clustering.n_clusters_ == 1
    assert set(clustering.labels_) == {0}


def test_a_view_can_be_any_transformer(digits):
    images, target = digits
    views = ["pixels", ("pca", make_pipeline(StandardScaler(), PCA(20))), ("images", Scattering(order=1))]
    clustering = SubspaceClustering(5, views=views, random_state=0).fit(images)
    assert list(clustering.views_) == ["pixels", "pca", "images"]
    assert not hasattr(views[2][1], "paths_")
    assert clustering_accuracy_score(target, clustering.labels_) > 0.9
    assert clustering.transform(images[:3]).shape == (3, clustering.embedding_.shape[1])
    assert len(clustering.get_feature_names_out()) == clustering.embedding_.shape[1]
    flat = SubspaceClustering(5, views=[("rows", PCA(20))], random_state=0).fit(images.reshape(len(images), -1))
    assert flat.view_ == "rows"


def test_a_pipeline_that_starts_with_images_gets_images(digits):
    views = [("reduced", make_pipeline(Scattering(order=1), PCA(10)))]
    clustering = SubspaceClustering(5, views=views, random_state=0).fit(digits[0][:100])
    assert clustering.views_["reduced"].steps[0][1].image_shape_ == (1, 8, 8)


def test_open_random_states_of_views_are_set(digits):
    views = [("random", make_pipeline(StandardScaler(), GaussianRandomProjection(8)))]
    state = np.random.get_state()[1].copy()
    first, second = (SubspaceClustering(5, views=views, random_state=0).fit(digits[0]) for _ in range(2))
    np.testing.assert_array_equal(first.labels_, second.labels_)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_views_cannot_change_the_users_array(digits):
    def halve(X):
        X *= 0.5
        return X

    X = digits[0][:60].astype(np.float32)
    before = X.copy()
    clustering = SubspaceClustering(5, views=[("half", FunctionTransformer(halve)), "pixels"], random_state=0).fit(X)
    np.testing.assert_array_equal(X, before)
    assert not np.shares_memory(clustering.transform(X), X)
    assert not np.shares_memory(clustering.embedding_, X)


def test_threads_leave_the_process_as_it_was(digits):
    before = list(warnings.filters), threadpool_info()
    threaded = SubspaceClustering(5, views=["pixels"], n_jobs=4, random_state=0).fit(digits[0][:150])
    assert (list(warnings.filters), threadpool_info()) == before
    serial = SubspaceClustering(5, views=["pixels"], random_state=0).fit(digits[0][:150])
    np.testing.assert_array_equal(threaded.labels_, serial.labels_)
    for name, column in serial.candidates_.items():
        np.testing.assert_array_equal(threaded.candidates_[name], column)


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
def test_graphs_that_leave_rows_alone_do_not_win_by_that():
    noise = np.random.RandomState(0).uniform(size=(40, 500))
    clustering = SubspaceClustering(3, random_state=0).fit(noise)
    alone = np.mean(clustering.affinity_matrix_.sum(axis=1) == 0)
    assert alone < 0.2
    expressed = clustering.affinity_matrix_.sum() / 40
    information = expressed * edge_information(clustering.affinity_matrix_, clustering.labels_) / np.log(3)
    assert clustering.candidates_["edge_information"][0] == pytest.approx(information)


def test_read_only_mapped_bytes(digits, tmp_path):
    np.save(tmp_path / "images.npy", digits[0].astype(np.uint8))
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    clustering = SubspaceClustering(5, views=FIXED, subsample=200, random_state=0).fit(mapped)
    assert clustering.labels_.shape == (len(mapped),)


def test_more_coefficients_than_rows(digits):
    assert len(SubspaceClustering(2, views=["pixels"], n_coefs=50).fit(digits[0][:20]).predict(digits[0][:3])) == 3


def test_later_parameters_do_not_change_predictions(digits, fitted):
    proba = fitted.predict_proba(digits[0][:20])
    changed = pickle.loads(pickle.dumps(fitted)).set_params(n_coefs=50, n_clusters=2)
    np.testing.assert_array_equal(changed.predict_proba(digits[0][:20]), proba)


def test_the_autoencoder_is_a_view_with_callbacks(digits):
    class Counter(Callback):
        epochs = 0

        def on_epoch_end(self, net, **kwargs):
            Counter.epochs += 1

    clustering = SubspaceClustering(5, views=["autoencoder"], callbacks=[Counter()], random_state=0)
    clustering.fit(digits[0][:100])
    assert isinstance(clustering.views_["autoencoder"], AutoEncoder)
    assert len(clustering.views_["autoencoder"].history_) == Counter.epochs


def test_pickle(digits, fitted):
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.predict(digits[0][:20]), fitted.predict(digits[0][:20]))


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
@pytest.mark.parametrize("n_samples", [2, 3, 7, 30])
def test_few_samples(n_samples):
    images = load_digits().images[:n_samples]
    for n_clusters in {1, 2, n_samples - 1, n_samples}:
        clustering = SubspaceClustering(n_clusters, views=FIXED, random_state=0).fit(images)
        assert clustering.labels_.shape == (n_samples,)
        assert clustering.labels_.max() < n_clusters
        np.testing.assert_allclose(clustering.predict_proba(images).sum(1), 1, atol=1e-6)
    with pytest.raises(ValueError, match=f"n_clusters={n_samples + 1} must not be larger .* n_samples = {n_samples}"):
        SubspaceClustering(n_samples + 1, views=FIXED).fit(images)


def test_one_cluster_is_one_label(digits):
    assert set(SubspaceClustering(1, views=FIXED).fit_predict(digits[0][:50])) == {0}


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
def test_duplicated_rows_share_a_label(digits):
    images = digits[0][:60]
    labels = SubspaceClustering(5, views=FIXED, random_state=0).fit_predict(np.concatenate([images, images]))
    assert adjusted_rand_score(labels[:60], labels[60:]) == 1


@pytest.mark.parametrize("value", [7.0, 0.1, 200.3])
def test_constant_images_are_refused_by_a_warning_not_by_an_error(value):
    images = np.full((50, 8, 8), value)
    clustering = SubspaceClustering(3, views=["pixels"], random_state=0)
    with pytest.warns(DegenerateAffinityWarning) as caught:
        clustering.fit(images)
    assert any("no affinity to any other" in str(warning.message) for warning in caught)
    assert clustering.labels_.shape == (50,)
    assert np.isfinite(clustering.predict_proba(images)).all()


def test_separate_components_are_kept_apart():
    """Fifteen far groups of rows: the graph falls apart, and every part has its own label."""
    generator = np.random.RandomState(0)
    directions = np.linalg.qr(generator.normal(size=(40, 40)))[0][:15]
    X = np.repeat(directions, 12, axis=0) + 0.02 * generator.normal(size=(180, 40))
    labels = SubspaceClustering(15, random_state=0).fit_predict(X)
    assert adjusted_rand_score(labels, np.repeat(np.arange(15), 12)) == 1


def test_whitening_divides_by_the_differences_along_edges(digits):
    """The mean product of differences, edge by edge; what is whitened has its eigenvalues w as w / (w + mean w).

    Axes with less than a hundred-thousandth of the variance of the first are left out.
    """
    generator = np.random.RandomState(0)
    look = Look.at("pixels", digits[0][:90].reshape(90, -1).astype(np.float32), "cpu")
    affinity = look.graph(2, look.path.penalty(10), 5).affinity
    whitened = look.whitened(affinity)
    Z = look.scaling(look.features).astype(float)
    dense = affinity.toarray()
    slow = sum(dense[i, j] * np.outer(Z[i] - Z[j], Z[i] - Z[j]) / 2 for i in range(90) for j in range(90)) / dense.sum()
    axes = look.path.axes.numpy().astype(float)
    slow = axes.T @ slow @ axes
    mean = np.trace(slow) / len(slow)
    unseen = np.sum(look.path.spectrum.numpy() <= 1e-5 * look.path.spectrum.numpy()[-1])
    assert 0 < unseen < len(slow) / 4
    values, vectors = np.linalg.eigh(slow[unseen:, unseen:])
    turn = axes[:, unseen:] @ vectors / np.sqrt(np.clip(values, 0, None) + mean)
    probe = generator.normal(size=(5, Z.shape[1]))
    ours = probe @ whitened.scaling.turn
    np.testing.assert_allclose(ours @ ours.T, (probe @ turn) @ (probe @ turn).T, rtol=2e-2)
    assert whitened.name == "pixels, whitened"
    np.testing.assert_allclose(np.linalg.norm(whitened.scaling(look.features), axis=1), 1, rtol=1e-5)
    assert look.whitened(affinity * 0) is look


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
def test_differences_that_are_rounding_are_not_divided_by():
    """Two rows are alike but for what two others, 100,000 times as large, leave of them."""
    X = np.ones((4, 12))
    X[0, 0] = X[2, 2] = 117_374
    X[1, 1] = 0
    labels = SubspaceClustering(2, views=["pixels"], random_state=0).fit_predict(X)
    assert labels.tolist() == [labels[0], labels[1]] * 2


def test_the_linear_classifier_is_ridge_regression():
    generator = np.random.RandomState(0)
    Z = unit_rows(np.repeat(np.eye(3, 6), 30, axis=0) + 0.3 * generator.normal(size=(90, 6))).astype(np.float32)
    truth = np.repeat(range(3), 30)
    labels = np.where(generator.uniform(size=90) < 0.1, generator.randint(3, size=90), truth)
    halves = [(slice(0, 50), Z[:50]), (slice(50, 90), Z[50:])]
    found, weights = self_train(lambda: iter(halves), labels, 3)
    slow = labels
    for _ in range(3):
        W = np.hstack([Z, np.full((90, 1), 0.3)]).astype(float)
        gram = W.T @ W
        solved = np.linalg.solve(gram + 0.1 * np.trace(gram) / 7 * np.eye(7), W.T @ np.eye(3)[slow])
        slow = (W @ solved).argmax(axis=1)
    assert np.array_equal(found, slow)
    np.testing.assert_allclose(weights, solved, atol=1e-4)
    assert (found == truth).mean() > (labels == truth).mean()


def test_subspaces_are_not_for_the_linear_classifier():
    X, y = make_union_of_subspaces(n_subspaces=3, subspace_dim=3, n_features=30, n_samples=400, random_state=0)
    clustering = SubspaceClustering(3, subsample=150, random_state=0).fit(X)
    assert clustering._classifier is None
    assert clustering_accuracy_score(y, clustering.labels_) > 0.97
    assert np.array_equal(clustering.predict(X), clustering.labels_)


def test_a_classifier_that_would_leave_a_cluster_empty_is_not_taken():
    Z = np.ones((20, 2), dtype=np.float32) / np.sqrt(2)
    labels = np.r_[np.zeros(19, int), 1]
    found, weights = self_train(lambda: [(slice(0, 20), Z)], labels, 2)
    assert weights is None
    assert np.array_equal(found, labels)


def test_equal_information_is_decided_by_the_sizes():
    """Not by what differs in the fourth place: USPS had .84 for .98 where a digit that was cut said .0002 more."""

    def candidate(information, entropy, cut=0.02):
        return Candidate(None, "", 1.0, None, information, entropy, cut)

    cut_in_two, whole, poorer = candidate(0.9480, 0.9876), candidate(0.9478, 0.9848), candidate(0.9471, 0.9810)
    assert fairest([cut_in_two, whole, poorer], 10) is whole
    assert fairest([cut_in_two, poorer], 10) is cut_in_two
    assert fairest([candidate(0.0, 0.0)], 10).information == 0


def test_a_labelling_is_plainly_fairer_where_it_leaves_much_less_open():
    """Of digits of uneven numbers two thirds; of clothes, as many each, three quarters: the fairer one is worse."""

    def candidate(information, entropy, cut=0.02):
        return Candidate(None, "", 1.0, None, information, entropy, cut)

    digits, fairer_digits = candidate(0.899, 0.997), candidate(0.878, 0.938)
    clothes, fairer_clothes = candidate(0.8866, 0.9941), candidate(0.8630, 0.9392)
    assert fairest([digits, candidate(0.8985, 0.9975), fairer_digits], 10) is fairer_digits
    assert fairest([digits, fairer_digits], 4) is fairer_digits
    assert fairest([clothes, candidate(0.8861, 0.9941), fairer_clothes], 10) is clothes
    # The fairest of them, and of equal ones that with the smallest cut.
    fairer_still, its_equal = candidate(0.870, 0.925), candidate(0.870, 0.925, 0.01)
    assert fairest([digits, fairer_digits, fairer_still, its_equal], 10) is its_equal
    # Of many clusters, more may be left open, if the score gains enough.
    topics, fairer_topics, nearly = candidate(0.840, 0.963), candidate(0.784, 0.869), candidate(0.796, 0.895)
    assert fairest([topics, fairer_topics], 30) is fairer_topics
    assert fairest([topics, fairer_topics], 10) is topics
    assert fairest([topics, nearly], 30) is topics
    assert fairest([topics, candidate(0.702, 0.781)], 30) is topics
    # A sliver leaves little open, and is not fair.
    assert fairest([digits, candidate(0.05, 0.051)], 10) is digits


def test_clusters_of_uneven_sizes_are_found():
    data, accuracy = load_digits(), []
    for seed in range(4):
        generator = np.random.RandomState(seed)
        sizes = dict(zip(generator.permutation(10)[:4], (17, 34, 85, 170), strict=True))
        drawn = [generator.choice(np.flatnonzero(data.target == digit), size) for digit, size in sizes.items()]
        rows = np.unique(np.concatenate(drawn))
        found = [
            SubspaceClustering(4, refine=refine, random_state=0).fit_predict(data.images[rows])
            for refine in (True, False)
        ]
        accuracy.append([clustering_accuracy_score(data.target[rows], labels) for labels in found])
    fair, plain = np.mean(accuracy, axis=0)
    assert fair > 0.88
    assert fair > plain + 0.05


def test_errors_say_what_to_do(digits):
    images = digits[0][:40]
    for params, message in (
        (
            {"views": ["wavelets"]},
            r"views by name are 'scattering', .*, 'svd'; got 'wavelets'",
        ),
        ({"views": []}, "views must have names, each once"),
        ({"views": ["pixels", "pixels"]}, "views must have names, each once"),
        ({"subspace_dims": (0, 1)}, "subspace_dims must hold positive numbers"),
        ({"subspace_dims": ()}, "subspace_dims must hold positive numbers"),
        ({"views": [("bad", FunctionTransformer(lambda X: X * np.nan))]}, "output of the view 'bad' contains NaN"),
        ({"views": [3]}, "views must be names or"),
        ({"views": [("a", "pixels")]}, "views must be names or .*, fit and transform"),
        ({"views": [("short", FunctionTransformer(lambda X: X[:9]))]}, "view 'short' must turn 40 samples into"),
        ({"subspace_dims": (1, np.nan)}, "subspace_dims must hold positive numbers"),
        ({"n_coefs": 0}, "'n_coefs' parameter of SubspaceClustering"),
    ):
        with pytest.raises(ValueError, match=message):
            SubspaceClustering(3, **params).fit(images)
    with pytest.raises(ValueError, match="network='conv' needs images"):
        SubspaceClustering(3, views=[("ae", AutoEncoder(network="conv"))]).fit(images.reshape(40, -1))


def test_the_picture_shows_every_view(fitted):
    display = CandidatesDisplay.from_estimator(fitted)
    legend = {text.get_text() for text in display.axes_[0].get_legend().get_texts()}
    assert legend == {*FIXED, *(f"{view}, whitened" for view in FIXED), "chosen"}
    assert len(display.axes_) == 3


def test_an_offset_that_hides_all_else_is_told():
    images = load_digits(n_class=3).images[:60] / 16
    with pytest.warns(UserWarning, match="by less than single precision can tell: subtract what all have in common"):
        SubspaceClustering(3, views=["pixels"], random_state=0).fit(images.reshape(60, -1) + 1e6)
