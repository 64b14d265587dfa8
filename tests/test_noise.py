"""Samples that nothing expresses: their label, the bound, and what follows for other answers."""

import numpy as np
import pytest
from scipy import sparse

from skdeepsc import EDSC, KSSC, PSSC, SSC, S2ConvSCN, SubspaceClustering, load, save
from skdeepsc._noise import noise_bound, unexplained_shares
from skdeepsc.datasets import make_union_of_subspaces
from skdeepsc.metrics import clustering_accuracy_score
from skdeepsc.report import find
from tests.estimators import SHALLOW, make_known
from tests.test_explanation import QUICK, WITH_COEFFICIENTS, dense

pytestmark = pytest.mark.usefixtures("few_first_epochs")


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def with_outliers(n_outliers=30, seed=0):
    """Three subspaces, 150 samples, and uniform outliers; labels -1 for those."""
    X, y = make_union_of_subspaces(150, 30, subspace_dim=5, noise=0.2, random_state=seed)
    outliers = unit(np.random.RandomState(seed).normal(size=(n_outliers, 30)))
    return np.concatenate([X, outliers]), np.concatenate([y, np.full(n_outliers, -1)])


@pytest.mark.parametrize("share", [0.29, 0.57, 0.58])
def test_a_share_is_as_many_of_a_hundred(share):
    shares = np.random.RandomState(0).permutation(100) / 100
    assert (shares > noise_bound(shares, share)).sum() == round(100 * share)


@pytest.mark.parametrize("estimator", [SubspaceClustering, *SHALLOW])
def test_outliers_of_subspaces_are_noise(estimator):
    X, y = with_outliers()
    fitted = make_known(estimator, **QUICK, noise="auto").fit(X)
    is_noise = fitted.labels_ < 0
    precision, recall = (is_noise & (y < 0)).sum() / is_noise.sum(), is_noise[y < 0].mean()
    assert precision > 0.8, precision
    assert recall > 0.85, recall
    kept = (y >= 0) & ~is_noise
    plain = make_known(estimator, **QUICK).fit(X)
    accuracies = [clustering_accuracy_score(y[kept], labels[kept]) for labels in (fitted.labels_, plain.labels_)]
    assert accuracies[0] == accuracies[1] > 0.9
    np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
    new = unit(np.random.RandomState(9).normal(size=(50, 30)))
    assert (fitted.predict(new) < 0).mean() > 0.85
    inside = 1.1 * X[:50] + 0.02 * new
    assert (fitted.predict(inside) < 0).mean() < 0.15
    proba = fitted.predict_proba(np.concatenate([X, new]))
    assert proba.shape[1] == 3
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("estimator", [SubspaceClustering, *SHALLOW])
def test_without_outliers_next_to_nothing_is_noise(estimator):
    X, _ = make_union_of_subspaces(150, 30, subspace_dim=5, noise=0.1, random_state=0)
    fitted = make_known(estimator, **QUICK, noise="auto").fit(X)
    assert (fitted.labels_ < 0).mean() < 0.03
    assert set(make_known(estimator, **QUICK).fit(X).labels_) == {0, 1, 2}


@pytest.mark.parametrize("estimator", WITH_COEFFICIENTS)
def test_a_share_is_a_share(estimator):
    X, y = with_outliers()
    fitted = make_known(estimator, **QUICK, predict_by="neighbors", noise=0.1).fit(X)
    is_noise = fitted.labels_ < 0
    assert is_noise.sum() == 18
    np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
    assert set(fitted.labels_[~is_noise]) == set(range(fitted.labels_.max() + 1))
    assert fitted.explain(int(np.flatnonzero(is_noise)[0])).label == -1
    if estimator in SHALLOW:
        assert is_noise[y < 0].sum() > 15
    assert (make_known(estimator, **QUICK, noise=0.0).fit(X).labels_ >= 0).all()


def test_what_is_left_is_what_the_own_cluster_leaves():
    X, _ = with_outliers()
    fitted = SSC(3, random_state=0).fit(X)
    z, coef, labels = fitted.embedding_, dense(fitted.coef_), fitted.labels_
    own = labels[:, None] == labels
    expected = [
        ((z[i] - sum((coef[i, j] * z[j] for j in range(180) if labels[j] == labels[i]), np.zeros(30))) ** 2).sum()
        for i in range(180)
    ]
    for kind in (np.asarray, sparse.csr_array):
        np.testing.assert_allclose(unexplained_shares(kind(z), kind(coef), own, kind(z)), expected, rtol=1e-9)
    np.testing.assert_allclose(unexplained_shares(2 * z, 2 * coef, own, z), expected, rtol=1e-9)
    assert unexplained_shares(z[:1] * 0, coef[:1] * 0, own[:1], z) == [2]
    ours = EDSC(3, noise=0.2, random_state=0).fit(X)
    theirs = KSSC(3, kernel="linear", noise=0.2, random_state=0).fit(X)
    same = KSSC(3, kernel="linear", random_state=0).fit(X)
    np.testing.assert_allclose(
        same._unexplained_rows()(slice(0, 180)), SSC._unexplained_rows(same)(slice(0, 180)), rtol=1e-6
    )
    assert (ours.labels_ < 0).sum() == (theirs.labels_ < 0).sum() == 36


def test_the_bound_is_not_moved_by_what_lies_beyond_it():
    generator = np.random.RandomState(0)
    inside = generator.normal(0.3, 0.03, size=1000)
    bound = noise_bound(inside, "auto")
    assert 0.38 < bound < 0.48
    more = np.concatenate([inside, generator.uniform(0.6, 1, size=600)])
    assert bound < noise_bound(more, "auto") < 0.6
    assert noise_bound(inside / 100, "auto") == 0.05
    assert noise_bound(inside * 3, "auto") == 1
    assert noise_bound(np.full(9, 2.0), "auto") == 2  # Of all that are alike, none is noise.
    assert (inside > noise_bound(inside, 0.25)).sum() == 250


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
@pytest.mark.parametrize("estimator", [EDSC, SubspaceClustering])
def test_not_all_are_noise(estimator):
    zeros = np.zeros((12, 6))
    fitted = make_known(estimator, **QUICK, noise="auto").fit(zeros)
    assert (fitted.labels_ >= 0).all()
    assert (fitted.predict(zeros) >= 0).all()
    np.testing.assert_allclose(fitted.predict_proba(zeros).sum(axis=1), 1)


def test_shares_of_a_sample_that_nothing_expresses_sum_to_one():
    X, _ = with_outliers()
    fitted = SubspaceClustering(3, noise=0.5, random_state=0).fit(X)
    fitted._vote_weights = np.zeros_like(fitted._vote_weights)
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
def test_samples_that_are_zero_are_noise():
    X, _ = with_outliers(0)
    X[7] = 0
    fitted = EDSC(3, noise="auto", random_state=0).fit(X)
    assert fitted.labels_[7] == -1
    assert list(fitted.predict([X[0] * 0, X[0] * 2])) == [-1, fitted.labels_[0]]


def test_noise_has_no_confidence_and_no_say():
    X, y = with_outliers()
    fitted = SubspaceClustering(3, noise="auto", subsample=120, random_state=0).fit(X)
    is_noise = fitted.labels_ < 0
    assert is_noise[y < 0].mean() > 0.7
    assert (fitted.confidence_[is_noise] == 0).all()
    assert fitted.confidence_[~is_noise].min() > 0
    for row in fitted.explain(X=X[~is_noise][:20] + 0.001):
        assert row.shares.sum() == pytest.approx(1)
    found = find(fitted, X)
    assert (found.cluster[is_noise] == -1).all()
    assert (found.probability[is_noise] == 0).all()
    assert sum(map(len, found.members)) == (~is_noise).sum()
    plain = SubspaceClustering(3, subsample=120, random_state=0).fit(X)
    np.testing.assert_array_equal(plain.labels_[~is_noise], fitted.labels_[~is_noise])


def test_noise_is_kept_by_files_classifiers_and_other_affinities(tmp_path, images):
    X, y = with_outliers()
    fitted = SSC(3, noise="auto", random_state=0).fit(X)
    save(fitted, tmp_path / "kept")
    np.testing.assert_array_equal(load(tmp_path / "kept").predict(X[::-1]), fitted.labels_[::-1])
    assert (fitted.recluster(X, affinity="symmetric") < 0)[y < 0].mean() > 0.8
    trained = make_known(S2ConvSCN, **{**QUICK, "max_epochs": 6, "classifier_epochs": 50}, segment_every=2, noise=0.2)
    trained.fit(images[0])
    np.testing.assert_array_equal(trained.predict(images[0]), trained.labels_)
    assert (trained.predict(images[0] + 0.01) >= 0).all()
    labels = trained.labels_
    np.testing.assert_array_equal(trained.recluster(images[0]) < 0, labels < 0)
    lone = make_known(PSSC, **QUICK, noise=0.2).fit(images[0])
    rows = lone.predict(images[0] + 1e-6)  # The nearest sample is the same one.
    np.testing.assert_array_equal(rows, lone.labels_)
    assert (labels < 0).sum() == 12


def test_wrong_shares_are_refused():
    for noise in (1.0, -0.1, "some"):
        with pytest.raises(ValueError, match="'noise' parameter of SSC"):
            SSC(3, noise=noise).fit(with_outliers()[0])


def test_votes_tell_noise_whatever_the_linear_classifier_says():
    X, _ = with_outliers()
    fitted = SubspaceClustering(3, noise="auto", subsample=120, random_state=0, refine=True).fit(X)
    rest = np.setdiff1d(np.arange(len(X)), fitted.sample_indices_)
    is_noise = fitted.labels_[rest] < 0
    assert is_noise.any()
    fitted._classifier = np.random.default_rng(0).normal(size=(fitted.embedding_.shape[1] + 1, 3))
    assert ((fitted.predict(X[rest]) < 0) == is_noise).all()
