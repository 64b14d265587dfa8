"""SubspaceClustering beside what people take: accuracy, time and memory on one data set, in one run.

    python examples/benchmarks/peers.py --data usps --data-home FOLDER
    python examples/benchmarks/peers.py --data texts.npz --seeds 3 --methods SubspaceClustering Leiden

DATA is a name that examples/papers/reproduce.py takes, or an .npz file with samples `X` (rows, or images with their
channels first; or the parts of a CSR array, `data`, `indices`, `indptr` and `shape`) and classes `y`. Every method as
it comes:

SubspaceClustering     the number of classes, and nothing else
k-means                the best of ten starts, rows as they are
spectral clustering    of the graph of ten nearest neighbours, up to 10,000 samples
UMAP + k-means         UMAP to ten dimensions with 30 neighbours and min_dist=0; needs umap-learn
UMAP + HDBSCAN         the same, clusters of 1 % of the samples and more; finds their number by itself, and noise
Leiden                 modularity of the graph of 15 nearest neighbours; finds the number by itself; needs leidenalg

What is not installed is skipped with a word, and what fails is left out with one. Methods take turns, seed by seed, so
that whatever else the machine does meets all of them. Each fit runs in a process of its own that loads the samples and
what the method needs: the peak of memory is that of this process, libraries included, and the seconds are those of the
fit. Classes touch the scorer only, which is in another process.
"""

import argparse
import importlib.util
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from scipy import sparse

NEEDS = {
    "SubspaceClustering": (),
    "k-means": (),
    "spectral clustering": (),
    "UMAP + k-means": ("umap",),
    "UMAP + HDBSCAN": ("umap",),
    "Leiden": ("leidenalg", "igraph"),
}
# Samples beyond which spectral clustering takes too long to wait for.
LARGEST = 10_000
N_NEIGHBORS = 15


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="a name that reproduce.py takes, or an .npz file")
    parser.add_argument("--data-home", type=Path, default=Path("data"), help="folder of the .npz files of the names")
    parser.add_argument("--seeds", type=int, default=1, help="seeds 0 ... n-1")
    parser.add_argument("--methods", nargs="+", default=list(NEEDS), choices=NEEDS, help="all")
    options = parser.parse_args()
    X, y = load(options)
    n_clusters = len(np.unique(y))
    print(f"{options.data}: {' x '.join(map(str, X.shape))}, {n_clusters} classes")
    methods = [method for method in options.methods if is_possible(method, X.shape[0])]
    measured = {method: [] for method in methods}
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        path = written(X, Path(folder))
        with ProcessPoolExecutor(max_workers=1, mp_context=spawn, max_tasks_per_child=1) as pool:
            for seed in range(options.seeds):
                for method in methods:
                    try:
                        labels, *costs = pool.submit(fitted, method, path, n_clusters, seed).result()
                    except Exception as error:  # Whatever others raise, the other methods go on.
                        print(f"  {method}, seed {seed}: failed, {type(error).__name__}: {str(error).splitlines()[:1]}")
                        continue
                    measured[method].append((*scores(y, labels), len(np.unique(labels[labels >= 0])), *costs))
    show(measured)


def load(options):
    """Samples, an array or a CSR array, and their classes."""
    if not options.data.endswith(".npz"):
        sys.path.insert(0, str(Path(__file__).parents[1] / "papers"))
        import reproduce

        if options.data not in reproduce.DATA:
            raise SystemExit(f"--data is one of {', '.join(reproduce.DATA)}, or an .npz file; got {options.data}.")
        return reproduce.load(options.data, options.data_home)
    with np.load(options.data) as arrays:
        if "X" in arrays:
            return arrays["X"], arrays["y"]
        parts = [arrays[name] for name in ("data", "indices", "indptr")]
        return sparse.csr_array(tuple(parts), shape=tuple(arrays["shape"])), arrays["y"]


def is_possible(method, n_samples):
    missing = [name for name in NEEDS[method] if importlib.util.find_spec(name) is None]
    too_many = method == "spectral clustering" and n_samples > LARGEST
    if missing or too_many:
        reason = f"{', '.join(missing)} not installed" if missing else f"more than {LARGEST} samples"
        print(f"  {method}: skipped, {reason}")
    return not missing and not too_many


def written(X, folder):
    """The file of the samples, without their classes."""
    if sparse.issparse(X):
        sparse.save_npz(folder / "X.npz", X)
        return folder / "X.npz"
    np.save(folder / "X.npy", X)
    return folder / "X.npy"


# In a process of its own


def fitted(method, path, n_clusters, seed):
    """Labels, -1 for noise, seconds, and megabytes."""
    warnings.simplefilter("ignore")
    X = np.load(path) if path.suffix == ".npy" else sparse.csr_matrix(sparse.load_npz(path))  # UMAP takes no arrays.
    cluster = {"Leiden": leiden}.get(method) or clusterer(method, X.shape[0], n_clusters, seed).fit_predict
    if method != "SubspaceClustering":
        X = X.astype(np.float32)
        X = X if sparse.issparse(X) else X.reshape(len(X), -1)
    start = time.perf_counter()
    labels = cluster(X, seed) if method == "Leiden" else cluster(X)
    return np.asarray(labels), time.perf_counter() - start, peak_megabytes()


def clusterer(method, n_samples, n_clusters, seed):
    if method == "SubspaceClustering":
        from skdeepsc import SubspaceClustering

        return SubspaceClustering(n_clusters, random_state=seed)
    from sklearn.cluster import HDBSCAN, KMeans, SpectralClustering
    from sklearn.pipeline import make_pipeline

    k_means = KMeans(n_clusters, n_init=10, random_state=seed)
    if method == "k-means":
        return k_means
    if method == "spectral clustering":
        return SpectralClustering(n_clusters, affinity="nearest_neighbors", random_state=seed)
    from umap import UMAP

    embedding = UMAP(n_neighbors=30, min_dist=0.0, n_components=10, random_state=seed)
    dense = HDBSCAN(min_cluster_size=max(5, n_samples // 100))
    return make_pipeline(embedding, k_means if method == "UMAP + k-means" else dense)


def leiden(X, seed):
    import igraph
    import leidenalg
    from sklearn.neighbors import kneighbors_graph

    graph = kneighbors_graph(X, N_NEIGHBORS).tocoo()
    graph = igraph.Graph(X.shape[0], list(zip(graph.row.tolist(), graph.col.tolist(), strict=True))).simplify()
    return leidenalg.find_partition(graph, leidenalg.ModularityVertexPartition, seed=seed).membership


def peak_megabytes():
    """The most memory that this process has had; where the system does not tell, its parent's may count as well."""
    try:
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return int(status["VmHWM"].split()[0]) / 1024
    except (OSError, KeyError):
        unit = 1024 if sys.platform != "darwin" else 1024**2
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


# The table


def scores(y, labels):
    from sklearn.metrics import normalized_mutual_info_score

    from skdeepsc.metrics import clustering_accuracy_score

    return clustering_accuracy_score(y, labels), normalized_mutual_info_score(y, labels)


def show(measured):
    titles = {"ACC": 15, "NMI": 15, "clusters": 10, "seconds": 9, "MB": 7}
    print(f"\n{'method':22}" + "".join(f"{title:>{width}}" for title, width in titles.items()))
    for method, runs in filter(lambda each: each[1], measured.items()):
        acc, nmi, found, seconds, megabytes = zip(*runs, strict=True)
        spread = "".join(f"{f'{statistics.fmean(values):.3f} ± {deviation(values):.3f}':>15}" for values in (acc, nmi))
        costs = f"{statistics.fmean(found):10.0f}{statistics.fmean(seconds):9.1f}{max(megabytes):7.0f}"
        print(f"{method:22}{spread}{costs}")


def deviation(values):
    return statistics.stdev(values) if len(values) > 1 else 0.0


if __name__ == "__main__":
    main()
