"""SubspaceClustering on sparse rows: the answers of dense ones, and no array of the size of X."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD

from skdeepsc import SSC, SubspaceClustering, load, save
from skdeepsc.metrics import clustering_accuracy_score


@pytest.fixture(scope="module")
def counts():
    """Counts of words in 200 texts of four topics."""
    generator = np.random.RandomState(0)
    topics, y = generator.dirichlet(np.full(3000, 0.01), size=4), np.arange(200) % 4
    return sparse.csr_matrix(np.array([generator.multinomial(80, topics[k]) for k in y])), y


@pytest.fixture(scope="module")
def fitted(counts):
    return SubspaceClustering(4, random_state=0).fit(counts[0])


def test_topics_are_found_and_answers_take_sparse_rows(counts, fitted, tmp_path):
    X, y = counts
    assert fitted.view_ == "svd"
    assert clustering_accuracy_score(y, fitted.labels_) > 0.98
    assert fitted.confidence_.shape == (200,)
    for rows in (X, X.tocoo(), sparse.csc_array(X), X.toarray(), X * 1e20):
        np.testing.assert_array_equal(fitted.predict(rows), fitted.labels_)
    proba = fitted.predict_proba(X[:50].toarray())
    np.testing.assert_array_equal(proba.argmax(axis=1), fitted.labels_[:50])
    np.testing.assert_allclose(proba[0], fitted.explain(0).shares, atol=1e-6)
    with pytest.raises(ValueError, match="X is sparse"):
        fitted.predict_proba(X)
    assert fitted.transform(X[:3]).shape == (3, 100)
    assert [told.sample for told in fitted.explain(X=X[:3])] == [0, 1, 2]
    save(fitted, tmp_path / "kept")
    np.testing.assert_array_equal(load(tmp_path / "kept").predict(X[::-1]), fitted.labels_[::-1])


def test_the_view_is_a_truncated_decomposition_of_unit_rows(counts, fitted):
    X = counts[0].toarray() / np.linalg.norm(counts[0].toarray(), axis=1, keepdims=True)
    values = np.linalg.svd(X, compute_uv=False)
    lengths = np.linalg.norm(fitted.embedding_, axis=0)
    np.testing.assert_allclose(lengths[:4], values[:4], rtol=0.01)
    before = counts[0].copy()
    again = SubspaceClustering(4, subsample=100, random_state=0).fit(counts[0])
    assert (again.predict(counts[0]) == again.labels_).all()
    assert clustering_accuracy_score(counts[1], again.labels_) > 0.95
    assert (counts[0] != before).nnz == 0


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
def test_a_view_of_ones_own_gets_sparse_rows_and_dense_views_refuse_them(counts):
    class Seen(TruncatedSVD):
        def fit_transform(self, X, y=None):
            assert sparse.issparse(X)
            return super().fit_transform(X)

    assert SubspaceClustering(4, views=[("seen", Seen(8))], random_state=0).fit(counts[0]).view_ == "seen"
    for view in ("pixels", "autoencoder", "scattering", "scaled"):
        with pytest.raises(ValueError, match="takes dense samples, and X is sparse"):
            SubspaceClustering(4, views=[view]).fit(counts[0])
    dense = SubspaceClustering(4, views=["svd"], random_state=0).fit(counts[0].toarray())
    with pytest.raises(TypeError, match="fitted on dense samples"):
        dense.predict(counts[0])


def test_sparse_rows_stay_sparse():
    X = sparse.random(1000, 30_000, density=7e-4, format="csr", random_state=0)  # 240 MB if it were dense.
    tracemalloc.start()
    fitted = SubspaceClustering(3, views=[("svd", TruncatedSVD(10))], subspace_dims=[1], random_state=0).fit(X)
    fitted.predict(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6, peak


def test_sparse_frames_are_sparse_where_they_leave_out_zeros(counts):
    rows = counts[0][:60, np.argsort(-counts[0].sum(0).A1)[:300]]
    names = [f"word {number}" for number in range(rows.shape[1])]
    words = pd.DataFrame.sparse.from_spmatrix(rows, columns=names)
    dense = words.sparse.to_dense()
    clusterers = [SubspaceClustering(4, random_state=0), SSC(4, random_state=0)]
    for clusterer in clusterers:
        fitted = clone(clusterer).fit(words)
        np.testing.assert_array_equal(fitted.labels_, clone(clusterer).fit_predict(rows))
        np.testing.assert_array_equal(fitted.predict(words), fitted.labels_)
        assert fitted.feature_names_in_.tolist() == names
    for fill in (np.nan, 1.0):  # Without a zero left out, they are rows like all others.
        frame = dense.astype(float).astype(pd.SparseDtype(float, fill))
        for clusterer in clusterers:
            fitted = clone(clusterer).fit(frame)
            np.testing.assert_array_equal(fitted.labels_, clone(clusterer).fit_predict(dense))
            assert fitted.feature_names_in_.tolist() == names
