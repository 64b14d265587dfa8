"""Measure a method on an image set as often as there are seeds, beside what its paper claims.

    python examples/papers/reproduce.py --method pssc --data coil20 --seeds 3 --data-home FOLDER

FOLDER holds NAME.npz files with the images `X` (uint8) and the classes `y`; "digits" needs none. Labels touch the
scorer and nothing else. What is measured of a method, see --ways:

default    the estimator as it comes, without any argument
ridge      the same segmented by the plain affinity, by its largest coefficients, and by Algorithm 2 of PSSC, with the
           constants that the papers give for the data set (else the package's)
trained    so too, with a trained C and the settings of the paper for the data set where it has some, on codes of unit
           length
ablations  the default with some of its weights at zero, as in the paper's own table
beside     DSCNet and pre-trained features without any joint training, by their largest coefficients and by Algorithm 2:
           what is there without the method's idea
classics   the methods without a network, on the pixels and on the codes of an auto-encoder (AE+), as they come; those
           whose coefficients are not sparse also by Algorithm 2
neighbours k-means and spectral clustering of the pixels, UMAP + k-means where umap-learn is installed

SubspaceClustering has no settings: it is measured as it comes, and again with each view alone.

NCSC has no spectral clustering: default is the estimator with k-means of its codes beside it, trained the paper's
objective and settings, beside its classifier after the first labels, without any collaboration. Two more, which no
paper has:

informed   NCSC whose first labels, of all samples, are those of SubspaceClustering
contrast   the same on the encoder that DSCSC has pre-trained

Every fit runs in a process of its own, so that the peak of memory is its own.
"""

import argparse
import importlib.util
import json
import math
import multiprocessing
import resource
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.pipeline import make_pipeline

from skdeepsc import (
    DSCSC,
    EDSC,
    KSSC,
    LRR,
    LRSC,
    NCSC,
    PSSC,
    S3C,
    SSC,
    SSCOMP,
    AutoEncoder,
    DSCNet,
    EnSC,
    S2ConvSCN,
    SubspaceClustering,
    paper_settings,
)
from skdeepsc.metrics import clustering_accuracy_score

METHODS = {
    "subspaceclustering": SubspaceClustering,
    "dscnet": DSCNet,
    "pssc": PSSC,
    "s2convscn": S2ConvSCN,
    "dscsc": DSCSC,
    "ncsc": NCSC,
}
WAYS = ["default", "ridge", "trained", "ablations", "beside", "informed", "contrast", "classics", "neighbours"]
CLASSICS = {
    "SSC": SSC,
    "EnSC": EnSC,
    "SSC-OMP": SSCOMP,
    "KSSC": KSSC,
    "LRR": LRR,
    "LRSC": LRSC,
    "EDSC": EDSC,
    "S3C": S3C,
    "AE+SSC": SSC,
    "AE+EDSC": EDSC,
}

# Parameters of the papers' ablations: S2ConvSCN's Table 3, DSCSC's Table 4, PSSC's Table III; more of DSCSC; and what
# was added to NCSC.
ABLATIONS = {
    "pssc": {"without pseudo-labels": {"gamma_label": 0}, "PSSC_l": {"gamma_label": 0, "gamma_graph": 0}},
    "s2convscn": {
        "without ||C||_Q": {"gamma_segmentation": 0},
        "without classes": {"gamma_class": 0},
        "without either": {"gamma_segmentation": 0, "gamma_class": 0},
    },
    "dscsc": {
        "without contrast": {"gamma_contrast": 0, "augment": None},
        "without views": {"augment": None},
        **{f"{policy} views": {"augment": policy} for policy in ("digits", "faces", "objects")},
        "codes only": {"expressed": "codes"},
        "projections only": {"expressed": "projections"},
    },
    "ncsc": {
        "without first labels": {"init": "none"},
        "printed negatives": {"negatives": "printed"},
        "all positives": {"n_positives": "all"},
        "without balance": {"gamma_balance": 0},
    },
}
BESIDE = {"dscnet": {}, "pre-trained": {"max_epochs": 0}}

VIEWS = ["autoencoder", "scattering", "pixels"]
NEIGHBOURS = ["kmeans", "spectral", "umap"]

# Data sets that are a part of a file: the file, and the rows to take.
PARTS = {
    "coil40": ("coil100", lambda y: y < 40),
    "yaleb10": ("yaleb32", lambda y: y < 10),
    "mnist1000": ("mnist", lambda y: first_of_each_class(y[:60000], 100)),
}
DATA = ["digits", "orl", "umist", "coil20", "coil40", "coil100", "yaleb10", "yaleb32", "mnist1000", "usps", "mnist"]
DATA += ["fashion_mnist"]

# The paper's data set whose settings serve a data set of another name.
SETTINGS = {"yaleb32": "yaleb", "fashion_mnist": "fashion"}

# ACC and NMI as the papers print them. Images of Extended Yale B there are 48 x 42, here 32 x 32.
CLAIMS = {
    ("dscnet", "orl"): (0.8600, 0.9034),
    ("dscnet", "coil20"): (0.9458, None),
    ("dscnet", "coil40"): (0.8075, 0.8941),
    ("dscnet", "coil100"): (0.6904, None),
    ("dscnet", "umist"): (0.7312, 0.7662),
    ("dscnet", "mnist1000"): (0.7500, 0.7319),
    ("dscnet", "yaleb32"): (0.9733, None),
    ("pssc", "orl"): (0.8675, 0.9349),
    ("pssc", "mnist1000"): (0.8430, 0.7676),
    ("pssc", "umist"): (0.7917, 0.8670),
    ("pssc", "coil20"): (0.9722, 0.9779),
    ("pssc", "coil40"): (0.8358, 0.9258),
    ("pssc", "mnist"): (0.890, 0.790),
    ("pssc", "usps"): (0.935, 0.856),
    ("s2convscn", "orl"): (0.8950, None),
    ("s2convscn", "coil20"): (0.9786, None),
    ("s2convscn", "coil100"): (0.7333, None),
    ("s2convscn", "yaleb10"): (0.9882, None),
    ("s2convscn", "yaleb32"): (0.9848, None),
    ("dscsc", "orl"): (0.9075, 0.9444),
    ("dscsc", "umist"): (0.8175, 0.8542),
    ("dscsc", "mnist1000"): (0.8512, 0.8212),
    ("dscsc", "coil20"): (0.9788, 0.9742),
    ("dscsc", "yaleb32"): (0.9864, 0.9815),
    ("ncsc", "mnist"): (0.9409, 0.8612),
    ("ncsc", "fashion_mnist"): (0.7214, 0.6860),
}

# The same of the classics, as the deep papers print them: Table III of PSSC, and Table 2 of S2ConvSCN for Yale B.
CLAIMED = ("SSC", "EnSC", "KSSC", "SSC-OMP", "EDSC", "LRR", "LRSC", "AE+SSC")
for data, accs, nmis in (
    (
        "mnist1000",
        (0.4530, 0.4983, 0.5220, 0.3400, 0.5650, 0.5386, 0.5140, 0.4840),
        (0.4709, 0.5495, 0.5623, 0.3272, 0.5752, 0.5632, 0.5576, 0.5337),
    ),
    (
        "orl",
        (0.7425, 0.7525, 0.7143, 0.7100, 0.7038, 0.8100, 0.7200, 0.7563),
        (0.8459, 0.8540, 0.8070, 0.7952, 0.7799, 0.8603, 0.8156, 0.8555),
    ),
    (
        "coil20",
        (0.8631, 0.8760, 0.7087, 0.6410, 0.8371, 0.8118, 0.7416, 0.8711),
        (0.8892, 0.8952, 0.8243, 0.7412, 0.8828, 0.8747, 0.8452, 0.8990),
    ),
    (
        "coil40",
        (0.7191, 0.7426, 0.6549, 0.4431, 0.6870, 0.6493, 0.6327, 0.7391),
        (0.8212, 0.8380, 0.7888, 0.6545, 0.8139, 0.7828, 0.7737, 0.8318),
    ),
    (
        "umist",
        (0.6904, 0.6931, 0.6531, 0.6438, 0.6937, 0.6979, 0.6729, 0.7042),
        (0.7489, 0.7569, 0.7377, 0.7068, 0.7522, 0.7630, 0.7498, 0.7515),
    ),
):
    CLAIMS |= {(name, data): claim for name, *claim in zip(CLAIMED, accs, nmis, strict=True)}
CLAIMS |= {
    (name, "yaleb32"): (1 - error / 100, None)
    for name, error in (
        *(("LRR", 35.12), ("LRSC", 29.89), ("SSC", 29.36), ("AE+SSC", 25.33), ("KSSC", 27.75), ("SSC-OMP", 23.52)),
        *(("S3C", 19.45), ("EDSC", 11.64), ("AE+EDSC", 12.66)),
    )
}

# The best claim of the four papers for a data set; Fashion is NCSC's, MNIST its 70,000 images.
BEST_CLAIMS = {
    "orl": (0.9075, None),
    "umist": (0.8175, None),
    "coil20": (0.979, None),
    "coil40": (0.836, None),
    "mnist1000": (0.851, None),
    "usps": (0.935, None),
    "mnist": (0.941, None),
    "fashion_mnist": (0.721, None),
    "yaleb32": (0.986, None),
}

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

# Above it, C is made of a random part of the rows and the others follow their neighbours.
LARGEST = 8000


def main():
    options = parse(sys.argv[1:])
    X, y = load(options.data, options.data_home)
    print(f"{options.data}: {len(X)} images of {' x '.join(map(str, X.shape[1:]))}, {y.max() + 1} classes")
    runs = [(way, seed) for way in ways(options, len(X)) for seed in range(options.seeds)]
    rows = []
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn, max_tasks_per_child=1) as pool:
        for way, seed in runs:
            measured = pool.submit(measure, options, way, seed).result()
            rows += measured
            if options.json:
                with open(options.json, "a") as lines:
                    lines.writelines(json.dumps(row) + "\n" for row in measured)
            print(f"  {way}, seed {seed}: {rows[-1]['seconds']:.0f} s", file=sys.stderr)
    best = BEST_CLAIMS.get(options.data) if options.method == "subspaceclustering" else None
    show(rows, best or CLAIMS.get((options.method, options.data)))


def ways(options, n_samples):
    """Names of what is measured one by one."""
    if options.method == "subspaceclustering":
        groups = {"default": ["default", *VIEWS]}
    elif options.method == "ncsc":
        groups = {way: [way] for way in ("default", "trained", "informed", "contrast")}
        groups |= {"ablations": list(ABLATIONS["ncsc"]), "beside": ["first labels"]}
    else:
        groups = {
            "ablations": list(ABLATIONS.get(options.method, {})),
            "beside": [f"{name}, {way}" for name in BESIDE for way in ("default", "ridge") if options.method != name],
            **{way: [way] for way in ("default", "ridge", "trained")},
        }
    possible = {
        "kmeans": True,
        "spectral": n_samples <= LARGEST,
        "umap": importlib.util.find_spec("umap") is not None,
    }
    groups["classics"] = list(CLASSICS)
    groups["neighbours"] = [name for name in NEIGHBOURS if possible[name]]
    return [name for way in options.ways for name in groups.get(way, [])]


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=METHODS, required=True)
    parser.add_argument("--data", choices=DATA, required=True)
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 ... n-1")
    parser.add_argument("--data-home", type=Path, default=Path("data"), help="folder of the .npz files")
    parser.add_argument("--json", type=Path, help="append one object a line: seed, way to C, affinity, scores")
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS, help="what is measured, see above; all")
    parser.add_argument("--device", default="auto")
    return parser.parse_args(arguments)


def load(name, data_home):
    """Images (n, height, width), uint8 (digits: float), and classes."""
    if name == "digits":
        digits = load_digits()
        return digits.images, digits.target
    file, part = PARTS.get(name, (name, None))
    with np.load(data_home / f"{file}.npz") as arrays:
        X, y = arrays["X"], arrays["y"]
    rows = slice(None) if part is None else part(y)
    return X[rows], y[rows]


def first_of_each_class(y, n_rows):
    return np.sort(np.concatenate([np.flatnonzero(y == k)[:n_rows] for k in np.unique(y)]))


def measure(options, way, seed):
    """One fit and its rows of the table."""
    warnings.simplefilter("ignore")
    X, y = load(options.data, options.data_home)
    n_clusters = y.max() + 1
    if way in NEIGHBOURS:
        start = time.perf_counter()
        labels = neighbour(way, n_clusters, seed).fit_predict(X.reshape(len(X), -1).astype(np.float32))
        return [row(options, seed, y, labels, time.perf_counter() - start, method=way)]

    if way in CLASSICS:
        affinities = (None, "enhanced") if CLASSICS[way] in (LRR, LRSC, EDSC) else (None,)
        return [classic(options, way, seed, X, y, affinity) for affinity in affinities]

    if options.method == "subspaceclustering":
        start = time.perf_counter()
        views = "auto" if way == "default" else [way]
        labels = SubspaceClustering(int(n_clusters), views=views, device=options.device, random_state=seed).fit_predict(
            X
        )
        return [row(options, seed, y, labels, time.perf_counter() - start, view="all" if way == "default" else way)]

    if options.method == "ncsc":
        return collaborative(options, way, seed, X, y)

    label, method, params, affinities = plan(options, way)
    params = {"subsample": 5000 if len(X) > LARGEST else None, **params, "n_clusters": int(n_clusters)}
    estimator = METHODS[method](**params, device=options.device, random_state=seed)
    start = time.perf_counter()
    estimator.fit(X)
    seconds = time.perf_counter() - start

    rows = []
    for affinity, affinity_params in affinities or [(estimator.affinity, None)]:
        start = time.perf_counter()
        labels = estimator.recluster(X, affinity=affinity, affinity_params=affinity_params)
        extra = time.perf_counter() - start
        rows.append(
            row(options, seed, y, labels, seconds + extra, method=label, solver=estimator.solver, affinity=affinity)
        )
    return rows


def classic(options, name, seed, X, y, affinity):
    """One classic method under one affinity (None: its own), with the method's defaults."""
    params = {"subsample": 5000 if len(X) > LARGEST else None, "random_state": seed}
    if affinity == "enhanced":
        params |= {"affinity": affinity, "affinity_params": constants_of("dscnet", options.data)}
    estimator = CLASSICS[name](int(y.max()) + 1, **params)
    own = affinity or estimator.affinity
    if name.startswith("AE+"):
        estimator = make_pipeline(AutoEncoder(device=options.device, random_state=seed), estimator)
    start = time.perf_counter()
    labels = estimator.fit_predict(X)
    return row(options, seed, y, labels, time.perf_counter() - start, method=name, affinity=own)


def collaborative(options, way, seed, X, y):
    """One fit of NCSC, and where it is fitted as it comes, k-means of its codes."""
    n_clusters, start = int(y.max()) + 1, time.perf_counter()
    params = {"n_clusters": n_clusters, "device": options.device, "random_state": seed}
    params |= {
        "trained": of_the_paper("ncsc", options.data) or {"variant": "paper"},
        "first labels": {"classifier_epochs": 0, "max_epochs": 0},
        **ABLATIONS["ncsc"],
    }.get(way, {})
    if way in ("informed", "contrast"):
        params |= {"init": SubspaceClustering(n_clusters, device=options.device), "init_size": len(X)}
    if way == "contrast":
        subsample = 5000 if len(X) > LARGEST else None
        dscsc = DSCSC(n_clusters, max_epochs=0, subsample=subsample, device=options.device, random_state=seed).fit(X)
        params |= {"autoencoder": dscsc.network_, "pretrain_epochs": 0}
    estimator = NCSC(**params).fit(X)
    seconds = time.perf_counter() - start
    label = "ncsc" if way == "default" else way if way in ABLATIONS["ncsc"] else f"ncsc, {way}"
    rows = [row(options, seed, y, estimator.labels_, seconds, method=label, solver=estimator.solver)]
    if way == "default":
        start = time.perf_counter()
        labels = KMeans(n_clusters, n_init=10, random_state=seed).fit_predict(estimator.transform(X))
        rows.append(row(options, seed, y, labels, time.perf_counter() - start, method="k-means of its codes"))
    return rows


def plan(options, way):
    """Name in the table, method, parameters, and affinities (None: the estimator's own) of what is measured."""
    settings, constants = of_the_paper(options.method, options.data), constants_of(options.method, options.data)
    affinities = [
        ("symmetric", None),
        ("thresholded", {"keep": constants["keep"]} if constants else None),
        ("enhanced", constants),
    ]
    enhanced = {"affinity": "enhanced", "affinity_params": constants}
    if way == "trained":
        own = TRAINED_S2CONVSCN if options.method == "s2convscn" else TRAINED
        return options.method, options.method, {**settings, **own, "solver": "trained"}, affinities
    if way == "ridge":
        return options.method, options.method, enhanced, affinities
    if way in ABLATIONS.get(options.method, {}):
        return way, options.method, ABLATIONS[options.method][way], None
    name, _, way = way.rpartition(", ")
    params = BESIDE.get(name, {})
    if way == "ridge":
        return name, "dscnet", {**params, **enhanced}, [("enhanced", constants)]
    return name or options.method, "dscnet" if name else options.method, params, None


def constants_of(method, data):
    """Constants of Algorithm 2 for a data set, of the method's paper, else of another's; None if none has any."""
    found = (of_the_paper(source, data).get("affinity_params") for source in (method, "dscnet", "pssc"))
    return next((constants for constants in found if constants), None)


def of_the_paper(method, data):
    """The paper's settings for a data set, {} if it has none."""
    try:
        return paper_settings(method, SETTINGS.get(data, data))
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
        "seconds": round(seconds, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1),
    }


def show(rows, claim):
    """Print mean and standard deviation over the seeds."""
    print(
        f"\n{'method':20}{'view':13}{'C':9}{'affinity':13}{'ACC':>15}{'NMI':>15}{'ARI':>15}{'claim':>14}{'seconds':>9}{'MB':>7}"
    )
    groups = {}
    for entry in rows:
        key = tuple(entry[name] or "" for name in ("method", "view", "solver", "affinity"))
        groups.setdefault(key, []).append(entry)
    for (method, view, solver, affinity), group in groups.items():
        scores = (f"{mean(group, key):.3f} ± {deviation(group, key):.3f}" for key in ("acc", "nmi", "ari"))
        own = claim if view or solver else CLAIMS.get((method, group[0]["data"]))
        printed = "/".join("-" if value is None else f"{value:.3f}" for value in own or ())
        print(
            f"{method:20}{view:13}{solver:9}{affinity:13}"
            + "".join(f"{score:>15}" for score in scores)
            + f"{printed or '-':>14}{mean(group, 'seconds'):9.1f}{mean(group, 'peak_mb'):7.0f}"
        )


def mean(group, key):
    return sum(entry[key] for entry in group) / len(group)


def deviation(group, key):
    if len(group) == 1:
        return 0.0
    return math.sqrt(sum((entry[key] - mean(group, key)) ** 2 for entry in group) / (len(group) - 1))


if __name__ == "__main__":
    main()
