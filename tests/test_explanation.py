"""Which samples express a sample, and that a sample has no say in its own shares."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepsc import EDESC, EDSC, KSCN, NCSC, PSSC, SSC, DSCNet, SubspaceClustering, load, save
from skdeepsc._row_keys import equal_pairs, row_keys
from skdeepsc.datasets import make_union_of_subspaces
from tests.estimators import DEEP, SHALLOW, make_known

pytestmark = pytest.mark.usefixtures("few_first_epochs")

WITH_COEFFICIENTS = [*(cls for cls in DEEP if cls not in (NCSC, KSCN, EDESC)), SubspaceClustering, *SHALLOW]
QUICK = {"n_clusters": 3, "autoencoder__max_epochs": 2, "max_epochs": 1, "classifier_epochs": 1, "random_state": 0}


@pytest.fixture(scope="module")
def union():
    return make_union_of_subspaces(90, 12, noise=0.05, random_state=0)[0]


def dense(matrix):
    return matrix.toarray() if sparse.issparse(matrix) else matrix


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
@pytest.mark.parametrize("estimator", WITH_COEFFICIENTS)
def test_shares_are_those_of_the_weights_and_top_leaves_them(estimator, union):
    fitted = make_known(estimator, **QUICK).fit(union)
    for number in (0, 17):
        whole, some = fitted.explain(number), fitted.explain(number, top=2)
        assert (whole.sample, whole.label) == (number, fitted.labels_[number])
        assert whole.shares.sum() == pytest.approx(1)
        assert number not in whole.indices
        np.testing.assert_array_equal(whole.labels, fitted.labels_[whole.indices])
        by_cluster = [np.abs(whole.weights[whole.labels == k]).sum() for k in range(len(whole.shares))]
        np.testing.assert_allclose(whole.shares, by_cluster / np.sum(by_cluster))
        assert (np.diff(np.abs(whole.weights)) <= 0).all()
        np.testing.assert_array_equal(some.indices, whole.indices[:2])
        assert some.n_left_out == len(whole.indices) - 2
        np.testing.assert_array_equal(some.shares, whole.shares)
    new, known = fitted.explain(X=np.stack([union[5] * 1.5 + 0.01, union[17]]))
    assert new.sample is None
    assert new.label == fitted.predict(union[5:6] * 1.5 + 0.01)[0]
    assert new.shares.sum() == pytest.approx(1)
    assert known.sample == 17
    np.testing.assert_array_equal(known.indices, whole.indices)
    np.testing.assert_allclose(known.weights, whole.weights, rtol=1e-5)


def test_weights_are_the_coefficients(union):
    ssc, edsc = SSC(3, random_state=0).fit(union), EDSC(3, random_state=0).fit(union)
    for fitted in (ssc, edsc):
        coef, told = dense(fitted.coef_)[4], fitted.explain(4)
        np.testing.assert_allclose(told.weights, coef[told.indices])
        assert set(told.indices) == set(np.flatnonzero(coef))
    free = EDSC(3, ridge_lambda=edsc.ridge_lambda_, zero_diagonal=False).fit(union)
    for ours, theirs in ((free.explain(4), edsc.explain(4)), (edsc.explain(X=union[[4]])[0], edsc.explain(4))):
        np.testing.assert_allclose(ours.weights, theirs.weights, rtol=1e-6)
    new = edsc.explain(X=union[[4]] + 0.01)[0]
    row = union[4] + 0.01
    row /= np.linalg.norm(row)
    z = edsc.embedding_
    expected = np.linalg.solve(z @ z.T + edsc.ridge_lambda_ * np.eye(90), z @ row)
    np.testing.assert_allclose(new.weights, expected[new.indices], rtol=1e-6)


def test_the_graph_that_won_explains(union):
    fitted = SubspaceClustering(3, refine=False, random_state=0).fit(union)
    told = [fitted.explain(number) for number in range(90)]
    graph = np.zeros((90, 90))
    for row, explanation in zip(graph, told, strict=True):
        row[explanation.indices] = explanation.weights
    np.testing.assert_allclose(fitted.affinity_matrix_.toarray(), (graph + graph.T) / 2, atol=1e-5)
    pssc = make_known(PSSC, **QUICK).fit(union)
    graph = pssc.coef_.copy()
    told = pssc.explain(7)
    largest = np.argsort(-graph[7])[:5]
    np.testing.assert_array_equal(told.indices, largest)
    np.testing.assert_allclose(told.weights, graph[7][largest])


def test_a_pair_is_explained_from_both_sides(union):
    fitted = EDSC(3, random_state=0).fit(union)
    label = fitted.labels_[0]
    together, apart = np.flatnonzero(fitted.labels_ == label)[1], np.flatnonzero(fitted.labels_ != label)[0]
    for j in (together, apart):
        pair, (one, other) = fitted.explain(0, j), (fitted.explain(0), fitted.explain(j))
        assert pair.together == (j == together)
        assert pair.weights == pytest.approx((fitted.coef_[0, j], fitted.coef_[j, 0]))
        assert pair.affinity == pytest.approx(fitted.affinity_matrix_[0, j])
        assert pair.shares == pytest.approx((one.shares[other.label], other.shares[one.label]))
        products = np.abs(fitted.coef_[0] * fitted.coef_[j])
        np.testing.assert_array_equal(pair.common, np.argsort(-products, kind="stable")[: (products > 0).sum()])
        np.testing.assert_allclose(pair.common_weights, fitted.coef_[[0, j]][:, pair.common].T)
    assert len(fitted.explain(0, apart, top=4).common) == 4
    assert "together in" in repr(fitted.explain(0, together))
    assert "apart, cluster" in repr(pair)


def test_a_description_has_a_few_lines_with_names(union):
    fitted = EDSC(3, random_state=0).fit(union)
    names = [f"{number}.png" for number in range(90)]
    told = fitted.explain(3, top=20)
    lines = told.describe(names).splitlines()
    assert lines[0].startswith(f"3.png, cluster {told.label}: shares ")
    assert lines[1].endswith(f"cluster {told.labels[0]}  {told.indices[0]}.png")
    assert len(lines) == 7
    assert lines[-1] == f"  and {89 - 5} more"
    assert repr(told).startswith("sample 3, cluster")
    assert "5.png" in fitted.explain(3, 5).describe(names)
    assert repr(fitted.explain(X=union[:1] + 1)[0]).startswith("a new sample")
    with pytest.raises(AttributeError):
        told.label = 1


def test_samples_beyond_a_subsample_are_given_as_rows(union):
    fitted = EDSC(3, subsample=60, random_state=0).fit(union)
    beyond = np.setdiff1d(np.arange(90), fitted.sample_indices_)[0]
    with pytest.raises(ValueError, match=rf"Sample {beyond} is beyond subsample: .* explain\(X=X\[\[{beyond}\]\]\)"):
        fitted.explain(beyond)
    (told,) = fitted.explain(X=union[[beyond]])
    assert set(told.indices) <= set(fitted.sample_indices_)
    assert told.label == fitted.labels_[beyond]
    assert fitted.explain(int(fitted.sample_indices_[3])).sample == fitted.sample_indices_[3]


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.coo_matrix, np.ndarray.tolist, np.asfortranarray])
def test_new_samples_come_in_any_form(form, union):
    fitted = EDSC(3, random_state=0).fit(union)
    for found, plain in zip(fitted.explain(X=form(union[:3] + 1)), fitted.explain(X=union[:3] + 1), strict=True):
        assert set(found.indices) == set(plain.indices)
        np.testing.assert_allclose(found.shares, plain.shares, atol=1e-9)


def test_wrong_questions_are_told(union):
    fitted = EDSC(3, random_state=0).fit(union)
    for question in ({}, {"j": 3}, {"i": 3, "X": union}, {"X": union, "j": 2}):
        with pytest.raises(ValueError, match="explain takes the number i"):
            fitted.explain(**question)
    for number in (90, -1, True):
        with pytest.raises(ValueError, match="numbers of training samples, 0 to 89"):
            fitted.explain(number)
    with pytest.raises(ValueError, match="'i' parameter of explain"):
        fitted.explain(1.5)
    for top in (0, True):
        with pytest.raises(ValueError, match="'top' parameter of explain"):
            fitted.explain(3, top=top)
    with pytest.raises(ValueError, match="names must be one for each training sample; got 2"):
        fitted.explain(3, 4).describe(["a", "b"])
    for estimator in (KSCN, EDESC, NCSC):
        assert not hasattr(estimator(), "explain")
        with pytest.raises(AttributeError) as refused:
            estimator().explain  # noqa: B018
        assert "samples do not express each other" in str(refused.value.__cause__)


def test_the_last_step_of_a_pipeline_explains(union, tmp_path):
    pipeline = make_pipeline(StandardScaler(), SSC(3, random_state=0)).fit(union)
    rows = pipeline[:-1].transform(union[:3])
    assert [told.sample for told in pipeline[-1].explain(X=rows)] == [0, 1, 2]
    again = load(save(pipeline[-1], tmp_path / "kept") or tmp_path / "kept")
    np.testing.assert_array_equal(again.explain(2).weights, pipeline[-1].explain(2).weights)
    assert again.explain(X=rows)[1].sample == 1


# A sample has no say in its own shares


def test_rows_are_known_by_their_values_whatever_they_come_in():
    X = np.random.RandomState(0).poisson(0.5, (40, 9)).astype(np.uint8)
    X = np.unique(X, axis=0)
    X = np.concatenate([X, X[3:5]])
    keys = row_keys(X)
    assert len(np.unique(keys)) == len(X) - 2
    for other in (X.astype(np.float32), X.reshape(-1, 3, 3), sparse.csr_matrix(X), np.where(X, X, -0.0)):
        np.testing.assert_array_equal(row_keys(other), keys)
    messy = sparse.csr_matrix(X.astype(float))
    messy.data[0] = 0
    messy.indices[:2] = messy.indices[[1, 0]]
    before = messy.copy()
    row_keys(messy)
    np.testing.assert_array_equal(messy.indices, before.indices)
    rows, places = equal_pairs(keys[[3, 0, len(X) - 1]], keys)
    assert list(zip(rows.tolist(), places.tolist(), strict=True)) == [
        (0, 3), (0, len(X) - 2), (1, 0), (2, 4), (2, len(X) - 1)
    ]  # fmt: skip
    assert not len(equal_pairs(keys, keys[:0])[0])


@pytest.mark.parametrize("estimator", WITH_COEFFICIENTS)
def test_a_fitted_row_has_no_say_in_its_own_shares(estimator, union):
    fitted = make_known(estimator, **QUICK, predict_by="neighbors").fit(union)
    np.testing.assert_array_equal(fitted.predict(union), fitted.labels_)
    without = fitted.predict_proba(union)
    fitted._keys = fitted._keys + 1  # No row is known any more.
    with_it = fitted.predict_proba(union)
    assert not np.allclose(without, with_it)
    if estimator not in SHALLOW:
        own = np.arange(90), fitted.labels_
        assert without[own].mean() < with_it[own].mean()
    np.testing.assert_allclose(without.sum(axis=1), 1, atol=1e-6)


def test_shares_of_a_fitted_row_are_those_of_its_explanation(union):
    fitted = SubspaceClustering(3, random_state=0).fit(union)
    for number, row in enumerate(fitted.predict_proba(union)):
        np.testing.assert_allclose(row, fitted.explain(number).shares, atol=1e-6)
    lone = make_known(PSSC, **QUICK, n_neighbors=3).fit(union)
    z = lone._expressed_features(lone.embedding_)
    distances = ((z[:, None] - z) ** 2).sum(axis=2) + np.diag(np.full(90, np.inf))
    nearest = np.argsort(distances, axis=1)[:, :3]
    np.testing.assert_allclose(lone.predict_proba(union), np.eye(3)[lone.labels_][nearest].mean(axis=1))


def test_shares_of_a_fitted_row_of_a_classic_are_its_own_residuals(union):
    for fitted in (EDSC(3).fit(union), SSC(3, outlier_alpha=20.0).fit(union)):
        z, coef = fitted.embedding_, dense(fitted.coef_)
        aims = z - dense(fitted.outliers_) if hasattr(fitted, "outliers_") else z
        parts = [coef[:, fitted.labels_ == k] @ z[fitted.labels_ == k] for k in range(3)]
        inverse = np.column_stack([1 / ((aims - part) ** 2).sum(axis=1) for part in parts])
        np.testing.assert_allclose(fitted.predict_proba(union), inverse / inverse.sum(axis=1, keepdims=True), rtol=1e-5)


def test_copies_do_not_vote_for_each_other():
    images = load_digits(n_class=3).images[:150]
    fitted = SubspaceClustering(3, views=["pixels"], random_state=0).fit(np.concatenate([images, images[:20]]))
    assert np.array_equal(fitted.sample_indices_, np.arange(150))
    coef = (fitted._unit(fitted.embedding_[:1]) @ fitted._vote_weights)[0]
    assert coef.argmax() == 0
    coef[0] = 0
    top = np.argsort(-coef)[:5]
    votes = np.bincount(fitted.labels_[top], coef[top], minlength=3)
    np.testing.assert_allclose(fitted.predict_proba(images[:1])[0], votes / votes.sum(), atol=1e-6)
    pssc = make_known(PSSC, **QUICK).fit(np.concatenate([images, images[:20]]))
    pssc.labels_[[0, 150]] = (pssc.labels_[0] + 1) % 3
    assert pssc.predict(images[:1]) == pssc.labels_[0]
    assert pssc.predict_proba(images[:1])[0].argmax() != pssc.labels_[0]


def test_copies_are_explained_and_rebuilt_as_the_sample_that_they_are_copies_of(tmp_path):
    images = load_digits(n_class=3).images[:60]
    dscnet = make_known(DSCNet, **QUICK).fit(np.concatenate([images, images[5:7]]))
    save(dscnet, tmp_path / "dscnet.skdeepsc")
    for fitted in (dscnet, load(tmp_path / "dscnet.skdeepsc")):
        original, copy = fitted.explain(5), fitted.explain(60)
        assert (original.sample, copy.sample) == (5, 60)
        assert np.array_equal(copy.indices, original.indices)
        assert fitted.explain(61, 3).affinity == fitted.affinity_matrix_[6, 3]
        rebuilt = fitted.reconstruct(np.concatenate([images, images[5:7]]), expressed=True)
        assert len(rebuilt) == 62
        assert np.array_equal(rebuilt[60:], rebuilt[5:7])


def test_samples_are_explained_block_by_block(union, monkeypatch):
    """Known ones by their own coefficients, each kind of a block at once."""
    estimator = SubspaceClustering(3, random_state=0).fit(union)
    singly = [estimator.explain(i) for i in range(10)]
    sizes, own = [], SubspaceClustering._own_coefficients
    monkeypatch.setattr(
        SubspaceClustering, "_own_coefficients", lambda self, places: sizes.append(len(places)) or own(self, places)
    )
    together = estimator.explain(X=np.vstack([union[:5] + 0.01, union[:10]]))
    assert sizes == [10]
    assert [each.sample for each in together] == [None] * 5 + list(range(10))
    for one, other in zip(singly, together[5:], strict=True):
        np.testing.assert_array_equal(one.indices, other.indices)
        np.testing.assert_allclose(one.weights, other.weights, rtol=1e-5)
