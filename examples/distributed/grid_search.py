"""A grid over the weights of a method, on the workers of a Dask cluster.

    python examples/distributed/grid_search.py --workers 2
    python examples/distributed/grid_search.py --scheduler tcp://HOST:8786 --cache /shared/cache

Without --scheduler, workers are started on this machine. With it, the workers of that cluster must have skdeepsc, and
FOLDER of --cache must be the same for all of them. The auto-encoder is pre-trained once, before the grid, and read from
there by every candidate. On GPUs: one worker for each, of one thread, which sees that GPU alone.
"""

import argparse
import os
import tempfile
import time

import numpy as np
from distributed import Client
from joblib import parallel_config
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from skdeepsc import PSSC
from skdeepsc.metrics import clustering_accuracy_score, silhouette_scorer
from skdeepsc.model_selection import TransductiveSplit

# Dask's workers give memory back to the system at once, which makes training slow; see docs/distributed.md.
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(2**28), "MALLOC_MMAP_THRESHOLD_": str(2**25)}
GRID = {"gamma_expression": [0.1, 1.0, 10.0], "subspace_dim": [1, 2, 4]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2, help="workers to start on this machine")
    parser.add_argument("--scheduler", help="address of an existing cluster; starts none")
    parser.add_argument("--cache", metavar="FOLDER", help="where the pre-trained auto-encoder is kept")
    parser.add_argument("--classes", type=int, default=5, help="the digits 0 ... n-1 are clustered")
    options = parser.parse_args()
    images, digits = load_digits(n_class=options.classes, return_X_y=True)
    with tempfile.TemporaryDirectory() as folder, connect(options) as client:
        n_workers = len(client.nthreads())
        print(f"{len(images)} images, {options.classes} clusters, {n_workers} workers at {client.scheduler.address}")
        run(PSSC(options.classes, image_shape=(8, 8), memory=options.cache or folder, random_state=0), images, digits)


def connect(options):
    if options.scheduler:
        return Client(options.scheduler)
    os.environ.update(KEEP_MEMORY)
    return Client(n_workers=options.workers, threads_per_worker=1, dashboard_address=":0")


def run(method, images, digits):
    start = time.perf_counter()
    clone(method).set_params(max_epochs=0).fit(images)
    print(f"pre-trained in {time.perf_counter() - start:.1f} s")

    search = GridSearchCV(
        method, GRID, cv=TransductiveSplit(), scoring=silhouette_scorer, refit=False, error_score="raise"
    )
    start = time.perf_counter()
    with parallel_config(backend="dask"):
        search.fit(images)
    seconds = time.perf_counter() - start
    spent = np.sum(search.cv_results_["mean_fit_time"] + search.cv_results_["mean_score_time"])
    print(f"{len(search.cv_results_['params'])} candidates in {seconds:.1f} s; all workers together {spent:.1f} s")

    for params, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
        print(f"  {params}  silhouette {score:.4f}")
    best = clone(method).set_params(**search.best_params_).fit(images)
    accuracy = clustering_accuracy_score(digits, best.labels_)
    print(f"best: {search.best_params_}; its accuracy, which the search has not seen: {accuracy:.3f}")


if __name__ == "__main__":
    main()
