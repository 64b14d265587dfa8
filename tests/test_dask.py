"""Dask: a grid on its workers, estimators on their way to them, labels block by block."""

import os
import pickle
import warnings
import weakref

import numpy as np
import pytest
import torch
from joblib import parallel_config
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from skdeepsc import NCSC, PSSC, SubspaceClustering
from skdeepsc.metrics import silhouette_scorer
from skdeepsc.model_selection import TransductiveSplit
from skdeepsc.training.batches import resolve_device
from tests.estimators import ON_TORCH, make_known

da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

QUICK = {
    "n_clusters": 3, "autoencoder__channels": (15,), "autoencoder__max_epochs": 5, "subspace_epochs": 1,
    "classifier_epochs": 1, "max_epochs": 1, "views": ["autoencoder", "scattering"], "random_state": 0,
}  # fmt: skip
LABELS = {"dtype": np.int64, "meta": np.empty(0, np.int64)}


def quick(estimator, **params):
    return make_known(estimator, **QUICK, **params)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A client of two worker processes of one thread."""
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            local_directory=str(tmp_path_factory.mktemp("dask")),
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


# A grid


def silhouette_and_process(estimator, X, y=None):
    return {"silhouette": silhouette_scorer(estimator, X), "process": os.getpid()}


def test_a_grid_on_workers_is_the_serial_grid(client, images, tmp_path):
    """The same scores, choice and labels; and pre-training that is in `memory` is not done again."""
    X, _ = images
    memory = tmp_path / "memory"
    method = quick(PSSC, memory=str(memory)).fit(X)
    (kept,) = memory.rglob("*.network")
    before = kept.stat().st_mtime_ns
    search = GridSearchCV(
        method,
        {"subspace_dim": [1, 4]},
        cv=TransductiveSplit(),
        scoring=silhouette_and_process,
        refit="silhouette",
        error_score="raise",
    )
    serial = clone(search).fit(X)
    with parallel_config(backend="dask"):
        spread = clone(search).fit(X)
    workers = set(client.run(os.getpid).values())
    assert set(spread.cv_results_["mean_test_process"]) <= workers
    assert set(serial.cv_results_["mean_test_process"]) == {os.getpid()}
    scores = serial.cv_results_["mean_test_silhouette"]
    assert len(set(scores)) > 1
    np.testing.assert_array_equal(spread.cv_results_["mean_test_silhouette"], scores)
    assert spread.best_params_ == serial.best_params_
    np.testing.assert_array_equal(spread.best_estimator_.labels_, serial.best_estimator_.labels_)
    assert list(memory.rglob("*.network")) == [kept]
    assert kept.stat().st_mtime_ns == before


# Estimators on their way


def answer(estimator, X):
    """What a fitted estimator says of new rows, in this process, with warnings as errors."""
    X.flags.writeable = False  # As arrays are that come over the network.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return estimator.predict(X) if hasattr(estimator, "predict") else estimator.transform(X)


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
def test_fitted_estimators_say_the_same_on_a_worker_and_from_a_pickle(client, images):
    X, _ = images
    for estimator in ON_TORCH:
        fitted = quick(estimator).fit(X)
        here = answer(fitted, X)
        np.testing.assert_array_equal(answer(pickle.loads(pickle.dumps(fitted)), X), here)
        there = client.submit(answer, client.scatter(fitted), client.scatter(X), pure=False).result()
        np.testing.assert_allclose(there, here, rtol=1e-6, err_msg=estimator.__name__)
        if not hasattr(fitted, "device_"):
            continue
        fitted.device_ = "cuda:63"  # Fitted elsewhere.
        away = pickle.loads(pickle.dumps(fitted))
        assert away.device_ == str(resolve_device("auto"))
        np.testing.assert_allclose(answer(away, X), here, rtol=1e-6, err_msg=estimator.__name__)


# Labels block by block


def label(block, estimator):
    return estimator.predict(block)


def test_labels_of_blocks_on_workers(client, images):
    """The estimator is scattered: a bound method would carry it into the graph, once for each block."""
    X, _ = images
    fitted = quick(NCSC).fit(X)
    labels = da.from_array(X, chunks=((17, 30, 13), 8, 8)).map_blocks(
        label, client.scatter(fitted, broadcast=True), drop_axis=[1, 2], **LABELS
    )
    np.testing.assert_array_equal(labels.compute(), fitted.predict(X))


def tensors_in(value):
    """Tensors among the attributes and items of an object, however deep."""
    if isinstance(value, torch.Tensor | torch.nn.Module):
        return [value]
    if isinstance(value, BaseEstimator):
        value = vars(value)
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple | set) else ()
    return [tensor for item in items for tensor in tensors_in(item)]


@pytest.mark.parametrize("estimator", ON_TORCH)
def test_before_fit_there_is_no_tensor_and_nothing_but_parameters(estimator):
    unfitted = quick(estimator, memory="folder", init=quick(SubspaceClustering))
    assert not tensors_in(unfitted)
    loaded = pickle.loads(pickle.dumps(unfitted))
    assert not tensors_in(loaded)
    assert repr(loaded.get_params()) == repr(unfitted.get_params())
    assert set(vars(loaded)) == set(loaded.get_params(deep=False))


@pytest.fixture(scope="module")
def more_images():
    """537 images of the digits 0, 1 and 2."""
    return (load_digits(n_class=3).images / 16).astype(np.float32)


@pytest.fixture(scope="module", params=[NCSC, PSSC])
def fitted(request, more_images):
    return quick(request.param).fit(more_images[:60])


@pytest.mark.parametrize(
    "chunks",
    [
        (100, -1, -1),  # The last of 37 rows.
        ((1, 400, 135, 1), -1, -1),
        (250, 3, 5),  # Images in pieces, which are put together.
    ],
)
def test_labels_of_blocks_are_the_labels_of_all(fitted, more_images, chunks):
    whole = fitted.predict(more_images)
    assert len(set(whole)) == 3
    for X, drop_axis in ((more_images, [1, 2]), (more_images.reshape(537, 64), 1)):
        labels = da.from_array(X, chunks=chunks[: X.ndim]).map_blocks(fitted.predict, drop_axis=drop_axis, **LABELS)
        assert labels.shape == (537,)
        assert labels.dtype == whole.dtype
        np.testing.assert_array_equal(labels.compute(scheduler="threads", num_workers=2), whole)


def test_without_meta_an_empty_block_is_tried_and_refused_in_silence(more_images):
    """With `meta` nothing is labelled before it is asked for; without it, the labels are the same."""
    fitted, shapes = quick(PSSC).fit(more_images[:60]), []

    def watched(block):
        shapes.append(block.shape)
        return fitted.predict(block)

    X = da.from_array(more_images, chunks=(300, -1, -1))
    told = X.map_blocks(watched, drop_axis=[1, 2], **LABELS)
    assert not shapes
    guessed = X.map_blocks(watched, drop_axis=[1, 2], dtype=np.int64)
    assert shapes == [(0, 0, 0)]
    np.testing.assert_array_equal(guessed.compute(scheduler="synchronous"), told.compute(scheduler="synchronous"))
    assert set(shapes[1:]) == {(300, 8, 8), (237, 8, 8)}


def test_lazy_blocks_are_dropped_when_they_are_labelled(fitted):
    """Of twenty blocks two are in memory at once, as they are made and as they are labelled, which is a copy."""
    alive, most = set(), []

    def watched(block):
        number = len(most)
        alive.add(number)
        weakref.finalize(block, alive.remove, number)
        most.append(len(alive))
        return block

    def make(block_info):
        (start, stop), *_ = block_info[None]["array-location"]
        return watched(np.random.RandomState(start).uniform(size=(stop - start, 8, 8)).astype(np.float32))

    X = da.map_blocks(make, chunks=((50,) * 19 + (7,), 8, 8), dtype=np.float32, meta=np.empty((0, 0, 0), np.float32))
    labels = X.map_blocks(lambda block: fitted.predict(watched(block)), drop_axis=[1, 2], **LABELS)
    assert labels.compute(scheduler="synchronous").shape == (957,)
    assert len(most) == 40
    assert max(most) <= 4
    assert not alive
