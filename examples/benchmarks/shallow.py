"""Time and peak memory of the classic methods, and of scikit-learn's sparse coders beside the sparse ones.

    python examples/benchmarks/shallow.py --sizes 1000 2000 5000 10000 20000
    python examples/benchmarks/shallow.py --usps FOLDER
    python examples/benchmarks/shallow.py --mnist FOLDER

Samples lie near 20 six-dimensional subspaces of 500 dimensions. Each fit runs in a process of its own, so that the peak
of memory is its own. For SSC-OMP and EnSC, the same rows are then coded by scikit-learn, turn about in one run; each
needs its own dictionary, as it must not use itself. FOLDER holds usps.npz or mnist.npz with images `X` and classes `y`.
"""

import argparse
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA, sparse_encode
from sklearn.linear_model import ElasticNet, orthogonal_mp, orthogonal_mp_gram
from sklearn.metrics import normalized_mutual_info_score

import skdeepsc
from skdeepsc.datasets import make_union_of_subspaces
from skdeepsc.metrics import clustering_accuracy_score

METHODS = {
    "SSCOMP": {"n_nonzero_coefs": 6},
    "EnSC": {"alpha": 10.0},
    "SSC": {"alpha": 10.0},
    "KSSC": {"alpha": 10.0},
    "S3C": {"alpha": 10.0, "max_alternations": 3},
    "EDSC": {},
    "LRSC": {},
    "LRR": {},
}
SETTINGS_OF_MNIST = {"SSCOMP": {"n_nonzero_coefs": 5}, "EnSC": {"alpha": 10.0, "tol": 1e-4}}
# scikit-learn's tolerances are tried from the loosest; the first whose cost is this close to ours is timed.
TOLERANCES, EQUAL = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7), 1e-5


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 2000, 5000, 10000, 20000], help="samples")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seconds", type=float, default=600, help="a fit that takes longer is given up")
    parser.add_argument("--turns", type=int, default=3, help="turns of the comparison with scikit-learn; 0 for none")
    parser.add_argument("--usps", type=Path, help="folder of usps.npz")
    parser.add_argument("--mnist", type=Path, help="folder of mnist.npz; 70,000 images, PCA to 500 dimensions")
    parser.add_argument("--fit", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fit:
        return print(fit(options.fit[0], options.fit[1], options))
    data = [str(size) for size in options.sizes]
    if options.usps or options.mnist:
        data = ["usps"] * bool(options.usps) + ["mnist"] * bool(options.mnist)
    show_fits(data, options)
    for size in options.sizes if options.turns and data[0].isdigit() else ():
        show_turns(size, options)


def show_fits(data, options):
    print(f"{'data':>8} {'method':8}{'C, s':>10}{'fit, s':>10}{'peak, MB':>10}{'ACC':>8}{'NMI':>8}")
    for name in data:
        for method in SETTINGS_OF_MNIST if name == "mnist" else options.methods:
            command = [sys.executable, __file__, *sys.argv[1:], "--fit", method, name]
            try:
                run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=options.seconds)
                print(f"{name:>8} {method:8}{run.stdout.rstrip()}", flush=True)
            except subprocess.TimeoutExpired:
                print(f"{name:>8} {method:8}  more than {options.seconds:.0f} s", flush=True)


def fit(method, name, options):
    """Seconds for C and for the whole fit, the rise of the process's peak, and scores."""
    X, y = load(name, options)
    settings = SETTINGS_OF_MNIST[method] if name == "mnist" else METHODS[method]
    kind = getattr(skdeepsc, method)
    estimator = kind(int(y.max()) + 1, random_state=0, **settings)
    seconds = []
    coefficients = kind._coefficients

    def timed(self, z):
        start = time.perf_counter()
        coef = coefficients(self, z)
        seconds.append(time.perf_counter() - start)
        return coef

    kind._coefficients = timed
    before, start = clear_peak(), time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels = estimator.fit_predict(X)
    whole, peak = time.perf_counter() - start, high_water() - before
    scores = clustering_accuracy_score(y, labels), normalized_mutual_info_score(y, labels)
    return f"{seconds[0]:10.2f}{whole:10.2f}{peak / 1e6:10.0f}{scores[0]:8.3f}{scores[1]:8.3f}"


def load(name, options):
    if name.isdigit():
        return make_union_of_subspaces(int(name), 500, n_subspaces=20, subspace_dim=6, noise=0.3, random_state=0)
    with np.load((options.usps or options.mnist) / f"{name}.npz") as arrays:
        X, y = arrays["X"].reshape(len(arrays["X"]), -1).astype(np.float32) / 255, arrays["y"]
    return (PCA(500, random_state=0).fit_transform(X) if name == "mnist" else X), y


def show_turns(n_samples, options):
    """Milliseconds a row, ours and scikit-learn's, turn about."""
    X, _ = load(str(n_samples), options)
    z = X / np.linalg.norm(X, axis=1, keepdims=True)
    columns = "scikit-learn: ms a row, times ours (relative difference of the costs)"
    print(f"\n{'samples':>8} {'method':8}{'ours':>9}  {columns}")
    for method, references in (("SSCOMP", omp_references(z)), ("EnSC", net_references(z))):
        estimator = getattr(skdeepsc, method)(20, **METHODS[method])
        estimator.embedding_ = z
        ours, theirs, gaps = [], {name: [] for name in references}, dict.fromkeys(references, 0.0)
        for turn in range(options.turns):
            rows = np.random.RandomState(turn).permutation(n_samples)[:256]
            start = time.perf_counter()
            coef = rows_of(estimator, z, rows)
            ours.append((time.perf_counter() - start) / len(rows))
            for name, reference in references.items():
                for i, own in zip(rows[:2], coef[:2].toarray(), strict=True):
                    seconds, other = reference(i, own)
                    theirs[name].append(seconds)
                    gaps[name] = max(gaps[name], (cost(method, i, other, z) / cost(method, i, own, z)) - 1, key=abs)
        mine = np.median(ours)
        printed = (
            f"{name} {1e3 * np.median(times):.1f}, x {np.median(times) / mine:.0f} ({gaps[name]:.0e})"
            for name, times in theirs.items()
        )
        print(f"{n_samples:8} {method:8}{1e3 * mine:9.2f}  " + "; ".join(printed), flush=True)


def rows_of(estimator, z, rows):
    """Coefficients of some training rows."""
    if isinstance(estimator, skdeepsc.SSCOMP):
        return estimator._pursue(z[rows], own=rows)
    estimator._atoms = estimator._atoms_of(z)
    return estimator._solve(z[rows], own=rows)[0]


def cost(method, i, coef, z):
    residual = np.square(z[i] - coef @ z).sum()
    if method == "SSCOMP":
        return residual
    l1, l2 = penalties(i, z)
    return residual / 2 + l1 * np.abs(coef).sum() + l2 / 2 * np.square(coef).sum()


def penalties(i, z, l1_ratio=0.9):
    products = np.abs(z @ z[i])
    products[i] = 0
    l1 = products.max() / METHODS["EnSC"]["alpha"]
    return l1, (1 - l1_ratio) / l1_ratio * l1


def omp_references(z):
    n_coefs = METHODS["SSCOMP"]["n_nonzero_coefs"]
    atoms, gram = z.T.copy(order="F"), z @ z.T

    def by_gram(i, own):
        row = gram[i].copy()
        gram[i] = gram[:, i] = 0  # Of no use to itself.
        products = np.where(np.arange(len(z)) == i, 0, row)
        seconds, coef = timed(lambda: orthogonal_mp_gram(gram, products, n_nonzero_coefs=n_coefs))
        gram[i] = gram[:, i] = row
        return seconds, coef

    def by_rows(i, own):
        target = z[i].copy()
        atoms[:, i] = 0
        seconds, coef = timed(lambda: orthogonal_mp(atoms, target, n_nonzero_coefs=n_coefs, precompute=False))
        atoms[:, i] = target
        return seconds, coef

    return {"orthogonal_mp_gram": by_gram, "orthogonal_mp": by_rows}


def net_references(z):
    """Elastic nets, and for the lasso that `sparse_encode` is, the elastic net as a lasso of longer rows."""
    atoms = z.T.copy(order="F")

    def by_net(i, own):
        l1, l2 = penalties(i, z)
        target = z[i].copy()
        atoms[:, i] = 0
        scale = len(target)
        goal = cost("EnSC", i, own, z) * (1 + EQUAL)
        for tol in TOLERANCES:
            net = ElasticNet(
                (l1 + l2) / scale,
                l1_ratio=l1 / (l1 + l2),
                fit_intercept=False,
                precompute=False,
                tol=tol,
                max_iter=100000,
            )
            seconds, coef = timed(lambda net=net: net.fit(atoms, target).coef_)
            if cost("EnSC", i, coef, z) <= goal:
                break
        atoms[:, i] = target
        return seconds, coef

    def by_encoder(i, own):
        l1, _ = penalties(i, z)
        target = z[i].copy()
        dictionary = z.copy()
        dictionary[i] = 0
        seconds, coef = timed(
            lambda: sparse_encode(target[None], dictionary, algorithm="lasso_cd", alpha=l1, max_iter=100000)[0]
        )
        return seconds, coef

    return {"ElasticNet": by_net, "sparse_encode (lasso)": by_encoder}


def timed(function):
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = function()
    return time.perf_counter() - start, np.asarray(result).ravel()


def clear_peak():
    """Peak and present memory are the same from here (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    return high_water()


def high_water():
    """Bytes of the largest resident set of this process so far (Linux)."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(status["VmHWM"].split()[0])


if __name__ == "__main__":
    main()
