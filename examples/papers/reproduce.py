"""Measure a method on an image set as often as there are seeds, beside what its paper claims.

    python examples/papers/reproduce.py --method pssc --data coil20 --seeds 3 --data-home FOLDER

FOLDER holds NAME.npz files with the images `X` (uint8) and the classes `y`; "digits" needs none. Labels touch the
scorer and nothing else. What is measured of a method, see --ways:

default    the estimator as it comes, without any argument
paper      the settings of the paper for the data set, as they come: printed weights, raw codes, a trained C, its own
           post-processing and beside it the plain affinity of the same C; DSCNet and S2ConvSCN with either norm of C
ridge      the same segmented by the plain affinity, by its largest coefficients, and by Algorithm 2 of PSSC, with the
           constants that the papers give for the data set (else the package's)
trained    so too, with a trained C and the settings of the paper for the data set where it has some, on codes of unit
           length
ablations  the default with some of its weights at zero, as in the paper's own table
draws      of DRAWS fits of the default, from other seeds, the one with the most edge information, which needs no
           labels; only where it is asked for
beside     DSCNet and pre-trained features without any joint training, by their largest coefficients and by Algorithm 2:
           what is there without the method's idea
classics   the methods without a network, on the pixels and on the codes of an auto-encoder (AE+), as they come; those
           whose coefficients are not sparse also by Algorithm 2
neighbours k-means and spectral clustering of the pixels, UMAP + k-means where umap-learn is installed
clustpy    DEC, IDEC, DCN, DKM and VaDE of ClustPy as they come, on pixels in [0, 1], where it is installed

Of a graph it prints its purity, the share of its weight that lies within the classes, and of an estimator's own graph
how far the accuracy of its labels spreads when they are found again from LABEL_SEEDS seeds, beside the deviation over
the seeds of whole fits.

Of a data set that is the first n classes of a larger one, --windows measures all windows of n classes in a row, as
Table 2 of S2ConvSCN does, and prints the median over them, too.

SubspaceClustering has no settings: default is the estimator as it comes, ablations are each view alone.

NCSC has no spectral clustering: default is the estimator with k-means of its features beside it, trained the paper's
objective and settings, beside its classifier after the first labels, without any collaboration. Two more, which no
paper has:

informed   NCSC whose first labels, of all samples, are those of SubspaceClustering
contrast   the same on the encoder that DSCSC has pre-trained

Every fit runs in a process of its own, so that the peak of memory is its own. The claims, the data sets and the
ablations stand in claims.json.
"""

import argparse
import importlib
import importlib.util
import json
import multiprocessing
import resource
import statistics
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.base import ClusterMixin, clone
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.pipeline import make_pipeline

from skdeepsc import AutoEncoder, SubspaceClustering, deep, paper_settings, shallow
from skdeepsc.affinity import compute_affinity
from skdeepsc.metrics import clustering_accuracy_score, edge_information_scorer
from skdeepsc.segmentation import spectral_labels

TABLES = json.loads(Path(__file__).with_name("claims.json").read_text())
DATA, CLAIMS, MEDIANS, ABLATIONS = (TABLES[name] for name in ("data", "claims", "medians", "ablations"))
# The methods of the four papers, as they stand in the claims.
OF_FOUR_PAPERS = ["s2convscn", "s2convscn, l1", "pssc", "pssc_l", "dscsc", "ncsc"]


def clusterers(package, printed):
    """Clusterers of a package under their printed names, in the order of the claims."""
    kinds = {printed(name): getattr(package, name) for name in package.__all__}
    kinds = {name: kind for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, ClusterMixin)}
    return {name: kinds[name] for name in dict.fromkeys([*CLAIMS, *kinds]) if name in kinds}


METHODS = {"subspaceclustering": SubspaceClustering, **clusterers(deep, str.lower)}
CLASSICS = clusterers(shallow, lambda name: {"SSCOMP": "SSC-OMP"}.get(name, name))
CLASSICS |= {f"AE+{name}": CLASSICS[name] for name in ("SSC", "EDSC")}
WAYS = ["default", "paper", "ridge", "trained", "ablations", "beside", "informed", "contrast", "classics", "neighbours"]
WAYS += ["clustpy"]
# What takes several times as long as all of them is measured where it is asked for.
ON_REQUEST = ["draws"]
DRAWS = 5
BESIDE = {"dscnet": {}, "pre-trained": {"max_epochs": 0}}
VIEWS = ["scattering", "symmetric", "contrast", "pixels", "autoencoder"]
NEIGHBOURS = ["kmeans", "spectral", "umap"]
CLUSTPY = ["DEC", "IDEC", "DCN", "DKM", "VaDE"]
# Methods whose clusters have bases: there is neither a graph nor a solver to choose.
BASES = ["kscn", "edesc"]

# Beside the settings of the papers, for all data sets: codes of unit length. Else the network can lower the cost of
# self-expression at will by shrinking the codes, and the decoder undoes it.
TRAINED = {"latent_normalization": "unit"}
# On them the printed weights of S2ConvSCN mean nothing, and by Eq. (6) as printed its classifier learns nothing.
TRAINED_S2CONVSCN = {
    **TRAINED,
    "weighting": "relative",
    "gamma_segmentation": 0.1,
    "gamma_class": 0.1,
    "class_loss": "cross_entropy",
}

# What the papers print rows of, of a method's own settings.
OF_THE_PAPER = {
    "dscnet": {"dscnet": {}, "dscnet, l1": {"norm": "l1"}},
    "s2convscn": {"s2convscn": {}, "s2convscn, l1": {"norm": "l1"}},
    "pssc": {"pssc": {}, "pssc_l": {"gamma_label": 0, "gamma_graph": 0}},
    "dscsc": {"dscsc": {}},
}

# Seeds from which the labels of one graph are found again.
LABEL_SEEDS = 5

# Above it, C is made of a random part of the rows and the others follow their neighbours.
LARGEST, SUBSAMPLE = 8000, 5000


def main():
    options = parse(sys.argv[1:])
    X, y = load(options.data, options.data_home)
    print(f"{options.data}: {len(X)} images of {' x '.join(map(str, X.shape[1:]))}, {y.max() + 1} classes")
    firsts = windows(options) if options.windows else [0]
    names = ways(options, len(X))
    runs = [(way, seed, first) for way in names for seed in range(options.seeds) for first in firsts]
    rows = []
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn, max_tasks_per_child=1) as pool:
        for way, seed, first in runs:
            measured = pool.submit(measure, options, way, seed, first).result()
            rows += measured
            if options.json:
                with open(options.json, "a") as lines:
                    lines.writelines(json.dumps(row) + "\n" for row in measured)
            window = f", classes from {first}" if options.windows else ""
            print(f"  {way}, seed {seed}{window}: {rows[-1]['seconds']:.0f} s", file=sys.stderr)
    show(rows, medians=options.windows)


def ways(options, n_samples):
    """Names of what is measured one by one."""
    if options.method == "subspaceclustering":
        groups = {"default": ["default"], "ablations": VIEWS}
    elif options.method == "ncsc":
        groups = {way: [way] for way in ("default", "trained", "informed", "contrast")}
        groups |= {"ablations": list(ABLATIONS["ncsc"]), "beside": ["first labels"]}
    elif options.method in BASES:
        groups = {"default": ["default"], "ablations": list(ABLATIONS[options.method])}
    else:
        groups = {
            "ablations": list(ABLATIONS.get(options.method, {})),
            "beside": [f"{name}, {way}" for name in BESIDE for way in ("default", "ridge") if options.method != name],
            "paper": [f"paper: {name}" for name in OF_THE_PAPER[options.method] if of_the_paper(options)],
            **{way: [way] for way in ("default", "ridge", "trained", "draws")},
        }
    possible = {
        "kmeans": True,
        "spectral": n_samples <= LARGEST,
        "umap": importlib.util.find_spec("umap") is not None,
    }
    groups["classics"] = list(CLASSICS)
    groups["neighbours"] = [name for name in NEIGHBOURS if possible[name]]
    groups["clustpy"] = CLUSTPY if importlib.util.find_spec("clustpy") else []
    if options.ways == ["clustpy"] and not groups["clustpy"]:
        raise SystemExit("--ways clustpy needs ClustPy: pip install clustpy.")
    return [name for way in options.ways for name in groups.get(way, [])]


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=METHODS, required=True)
    parser.add_argument("--data", choices=DATA, required=True)
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 ... n-1")
    parser.add_argument("--data-home", type=Path, default=Path("data"), help="folder of the .npz files")
    parser.add_argument("--json", type=Path, help="append one object a line: seed, way to C, affinity, scores")
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS + ON_REQUEST, help="see above; all but draws")
    parser.add_argument("--windows", action="store_true", help="each window of as many classes in a row, see above")
    parser.add_argument("--device", default="auto")
    return parser.parse_args(arguments)


def windows(options):
    """The first class of each window of as many classes as the data set has."""
    part = DATA[options.data]
    if "n_classes" not in part:
        raise SystemExit(f"--windows needs a part of a data set such as yaleb10; {options.data} is not one.")
    with np.load(options.data_home / f"{part['file']}.npz") as arrays:
        return range(int(arrays["y"].max()) + 2 - part["n_classes"])


def load(name, data_home, first=0):
    """Images (n, height, width), uint8 (digits: float), and classes, of a part of a set those from `first` on."""
    if name == "digits":
        digits = load_digits()
        return digits.images, digits.target
    part = DATA[name]
    with np.load(data_home / f"{part.get('file', name)}.npz") as arrays:
        X, y = arrays["X"], arrays["y"]
    rows = np.arange(len(y))
    if "n_classes" in part:
        rows = rows[(first <= y) & (y < first + part["n_classes"])]
    if "n_each" in part:
        rows = first_of_each_class(y[: part["n_rows"]], part["n_each"])
    return X[rows], y[rows] - first


def first_of_each_class(y, n_rows):
    return np.sort(np.concatenate([np.flatnonzero(y == k)[:n_rows] for k in np.unique(y)]))


def measure(options, way, seed, first):
    """One fit and its rows of the table."""
    warnings.simplefilter("ignore")
    X, y = load(options.data, options.data_home, first)
    n_clusters, entry = int(y.max()) + 1, partial(row, options, seed, y)
    if way in NEIGHBOURS:
        pixels = X.reshape(len(X), -1).astype(np.float32)
        labels, seconds = timed(neighbour(way, n_clusters, seed).fit_predict, pixels)
        return [entry(labels, seconds, method=way)]
    if way in CLUSTPY:
        clusterer = getattr(importlib.import_module("clustpy.deep"), way)(n_clusters, random_state=seed)
        labels, seconds = timed(clusterer.fit_predict, X.reshape(len(X), -1).astype(np.float32) / 255)
        return [entry(labels, seconds, method=f"ClustPy, {way}")]
    if way in CLASSICS:
        return classic(options, way, seed, X, y, entry)
    if options.method == "subspaceclustering":
        views = "auto" if way == "default" else [way]
        clustering = SubspaceClustering(n_clusters, views=views, device=options.device, random_state=seed)
        labels, seconds = timed(clustering.fit_predict, X)
        return [entry(labels, seconds, view="all" if way == "default" else way)]
    if options.method == "ncsc":
        return collaborative(options, way, seed, X, n_clusters, entry)
    if options.method in BASES:
        params = {} if way == "default" else ABLATIONS[options.method][way]
        estimator = METHODS[options.method](n_clusters, **params, device=options.device, random_state=seed)
        labels, seconds = timed(estimator.fit_predict, X)
        return [entry(labels, seconds, method=options.method if way == "default" else way)]

    label, method, params, affinities = plan(options, way)
    params = {"subsample": subsample(X), **params, "n_clusters": n_clusters}
    estimator = METHODS[method](**params, device=options.device, random_state=seed)
    if way == "draws":
        estimator, seconds = timed(most_informed, estimator, X, range(DRAWS * seed, DRAWS * (seed + 1)))
    else:
        estimator, seconds = timed(estimator.fit, X)
    solver = "ridge" if estimator.solver == "ridge" else "trained"
    return by_affinities(estimator, X, y, seconds, affinities, partial(entry, method=label, solver=solver))


def most_informed(estimator, X, seeds):
    """The fit with the most edge information, of one for each seed."""
    fits = (clone(estimator).set_params(random_state=seed).fit(X) for seed in seeds)
    return max(fits, key=edge_information_scorer)


def classic(options, name, seed, X, y, entry):
    """A classic method as it comes; where its coefficients are not sparse, also by Algorithm 2."""
    seconds = 0
    if name.startswith("AE+"):
        X, seconds = timed(AutoEncoder(device=options.device, random_state=seed).fit_transform, X)
    estimator, more = timed(CLASSICS[name](int(y.max()) + 1, subsample=subsample(X), random_state=seed).fit, X)
    affinities = [(None, None)]
    if not sparse.issparse(estimator.coef_):
        affinities.append(("enhanced", constants_of("dscnet", options.data)))
    return by_affinities(estimator, X, y, seconds + more, affinities, partial(entry, method=name))


def by_affinities(estimator, X, y, seconds, affinities, entry):
    """A row for each affinity of the same coefficients; None is the estimator's own."""
    rows = []
    for affinity, params in affinities:
        labels, more, graph, again = estimator.labels_, 0, estimator.affinity_matrix_, []
        if affinity is not None:
            labels, more = timed(estimator.recluster, X, affinity=affinity, affinity_params=params)
            graph = compute_affinity(estimator.coef_, affinity, n_clusters=estimator.n_clusters, **(params or {}))
        else:
            again = [labels_of(estimator, graph, seed) for seed in range(LABEL_SEEDS)]
        classes = y[estimator.sample_indices_]
        graded = {
            "purity": round(purity(graph, classes), 4),
            "last_step": [round(clustering_accuracy_score(classes, labels), 4) for labels in again],
        }
        rows.append(entry(labels, seconds + more, affinity=affinity or estimator.affinity) | graded)
    return rows


def labels_of(estimator, graph, seed):
    """Labels of the graph of an estimator, found as it finds them, from another seed."""
    assign_labels = estimator.assign_labels
    if assign_labels == "auto":
        assign_labels = "best" if estimator.affinity == "top" else "kmeans"
    return spectral_labels(graph, estimator.n_clusters, assign_labels=assign_labels, random_state=seed)


def collaborative(options, way, seed, X, n_clusters, entry):
    """One fit of NCSC, and where it is fitted as it comes, k-means of what expresses its samples."""
    start = time.perf_counter()
    params = {"n_clusters": n_clusters, "device": options.device, "random_state": seed}
    params |= {
        "trained": of_the_paper(options) or {"variant": "paper"},
        "first labels": {"classifier_epochs": 0, "max_epochs": 0},
        **ABLATIONS["ncsc"],
    }.get(way, {})
    if way == "contrast":  # Stage I with the policy that DSCSC finds; what it has learnt is taken as it is.
        network = deep.DSCSC(**params, max_epochs=0, subsample=subsample(X)).fit(X).network_
        params |= {"autoencoder": AutoEncoder(network=network, max_epochs=0)}
    if way in ("informed", "contrast"):
        params |= {"init": SubspaceClustering(n_clusters, device=options.device), "init_size": len(X)}
    estimator = deep.NCSC(**params).fit(X)
    label = "ncsc" if way == "default" else way if way in ABLATIONS["ncsc"] else f"ncsc, {way}"
    rows = [entry(estimator.labels_, time.perf_counter() - start, method=label, solver="ridge")]
    if way == "default":
        k_means = KMeans(n_clusters, n_init=10, random_state=seed)
        labels, seconds = timed(lambda: k_means.fit_predict(estimator.transform(X)))
        rows.append(entry(labels, seconds, method="k-means of its features"))
    return rows


def plan(options, way):
    """Name in the table, method, parameters, and affinities (None: the estimator's own) of what is measured."""
    settings, constants = of_the_paper(options), constants_of(options.method, options.data)
    affinities = [
        ("symmetric", None),
        ("thresholded", {"keep": constants["keep"]} if constants else None),
        ("enhanced", constants),
    ]
    own = [(None, None)]
    if way.startswith("paper: "):
        name = way.removeprefix("paper: ")
        return name, options.method, settings | OF_THE_PAPER[options.method][name], own + affinities[:1]
    enhanced = {"affinity": "enhanced", "affinity_params": constants}
    if way == "trained":
        added = TRAINED_S2CONVSCN if options.method == "s2convscn" else TRAINED
        return options.method, options.method, {"solver": "trained", **settings, **added}, affinities
    if way == "ridge":
        return options.method, options.method, enhanced, affinities
    if way in ABLATIONS.get(options.method, {}):
        return way, options.method, ABLATIONS[options.method][way], own
    if way == "draws":
        return f"{options.method}, of {DRAWS} draws", options.method, {}, own
    name, _, way = way.rpartition(", ")
    params = BESIDE.get(name, {})
    if way == "ridge":
        return name, "dscnet", {**params, **enhanced}, [("enhanced", constants)]
    return name or options.method, "dscnet" if name else options.method, params, own


def constants_of(method, data):
    """Constants of Algorithm 2 for a data set, of the method's paper, else of another's; None if none has any."""
    found = (settings_for(source, data).get("affinity_params") for source in (method, "dscnet", "pssc"))
    return next((constants for constants in found if constants), None)


def of_the_paper(options):
    return settings_for(options.method, options.data)


def settings_for(method, data):
    """The paper's settings for a data set, {} if it has none."""
    try:
        return paper_settings(method, DATA[data].get("settings", data))
    except KeyError:
        return {}


def neighbour(name, n_clusters, seed):
    if name == "kmeans":
        return KMeans(n_clusters, n_init=10, random_state=seed)
    if name == "spectral":
        return SpectralClustering(n_clusters, affinity="nearest_neighbors", random_state=seed)
    from umap import UMAP

    return make_pipeline(
        UMAP(n_neighbors=30, min_dist=0.0, n_components=10, random_state=seed),
        KMeans(n_clusters, n_init=10, random_state=seed),
    )


def subsample(X):
    return SUBSAMPLE if len(X) > LARGEST else None


def timed(function, *args, **kwargs):
    """What a function returns, and how many seconds it takes."""
    start = time.perf_counter()
    result = function(*args, **kwargs)
    return result, time.perf_counter() - start


def row(options, seed, y, labels, seconds, *, method=None, view=None, solver=None, affinity=None):
    unit = 1024 if sys.platform != "darwin" else 1024**2
    return {
        "method": method or options.method,
        "data": options.data,
        "view": view,
        "solver": solver,
        "affinity": affinity,
        "seed": seed,
        "acc": round(clustering_accuracy_score(y, labels), 4),
        "nmi": round(float(normalized_mutual_info_score(y, labels)), 4),
        "ari": round(float(adjusted_rand_score(y, labels)), 4),
        "purity": None,
        "last_step": [],
        "seconds": round(seconds, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1),
    }


def purity(graph, y):
    """Share of the weight of a graph that lies within the classes."""
    graph = sparse.coo_array(graph)
    return float(graph.data[y[graph.row] == y[graph.col]].sum() / graph.data.sum())


def show(rows, medians=False):
    """Print mean and standard deviation over the seeds, and windows, and of the accuracy the median, if asked for."""
    titles = {"ACC": 15, "NMI": 15, "ARI": 15, "last step": 11, "purity": 8, "claim": 14, "seconds": 9, "MB": 7}
    titles |= {"median": 8, "claimed": 9} if medians else {}
    print(f"\n{'method':24}{'view':13}{'C':9}{'affinity':13}" + "".join(f"{name:>{n}}" for name, n in titles.items()))
    groups = {}
    for entry in rows:
        key = tuple(entry[name] or "" for name in ("method", "view", "solver", "affinity"))
        groups.setdefault(key, []).append(entry)
    for (method, view, solver, affinity), group in groups.items():
        data = group[0]["data"]
        line = "".join(
            f"{f'{mean(group, key):.3f} ± {deviation(group, key):.3f}':>15}" for key in ("acc", "nmi", "ari")
        )
        line += f"{last_step(group):>11}{number(None if group[0]['purity'] is None else mean(group, 'purity')):>8}"
        line += f"{'/'.join(number(value) for value in claim(method, data)):>14}"
        line += f"{mean(group, 'seconds'):9.1f}{mean(group, 'peak_mb'):7.0f}"
        if medians:
            line += f"{number(statistics.median(entry['acc'] for entry in group)):>8}"
            line += f"{number(MEDIANS.get(method, {}).get(data)):>9}"
        print(f"{method:24}{view:13}{solver:9}{affinity:13}{line}")


def claim(method, data):
    """ACC and NMI that a paper prints; of SubspaceClustering the best that any of them has."""
    if method == "subspaceclustering":
        return [max((CLAIMS[other][data][0] for other in OF_FOUR_PAPERS if data in CLAIMS[other]), default=None)]
    return CLAIMS.get(method, {}).get(data, [None])


def number(value):
    return "-" if value is None else f"{value:.3f}"


def last_step(group):
    """Deviation of the accuracy over the seeds of the labels alone, in the mean over the graphs."""
    spreads = [statistics.stdev(entry["last_step"]) for entry in group if entry["last_step"]]
    return f"± {statistics.mean(spreads):.3f}" if spreads else "-"


def mean(group, key):
    return statistics.fmean(entry[key] for entry in group)


def deviation(group, key):
    return statistics.stdev(entry[key] for entry in group) if len(group) > 1 else 0.0


if __name__ == "__main__":
    main()
