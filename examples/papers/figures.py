"""Draw the figures of the papers with this package, on a data set of reproduce.py.

    python examples/papers/figures.py gammas --data orl --data-home FOLDER --out gammas.png

gammas           accuracy and silhouette of PSSC (or --method) by each of its gammas, PSSC Figs 4 to 7
clusters         ACC and NMI of PSSC (or --method) by the number of clusters that it is told, PSSC Fig. 8
rank             ACC of one C by q, the rank that Algorithm 2 of PSSC keeps, PSSC Fig. 9
affinities       one data set's graph by DSCNet, PSSC_l and PSSC, rows in the order of the classes, PSSC Fig. 2
reconstructions  images, as they are decoded from their own codes, and from those of the others, with PSNR, PSSC Fig. 3
codes            pixels, codes, and what C is made of in PSSC, by PCA and by t-SNE, its Fig. 11
training         the share of C between clusters, and the error, by epoch of S2ConvSCN, its Fig. 2
neighbours       ACC of DSCSC by k, the neighbours that are not pushed away, its Fig. 3

Pre-training is shared by all fits of a figure. Labels are looked at to draw them, and for nothing else.
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np
import torch
from reproduce import DATA, METHODS, load
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.manifold import TSNE
from sklearn.metrics import normalized_mutual_info_score, silhouette_score
from skorch.callbacks import Callback

from skdeepsc import DSCSC, PSSC, AutoEncoder, DSCNet, S2ConvSCN
from skdeepsc.inspection import AffinityDisplay
from skdeepsc.losses import segmentation_norm
from skdeepsc.metrics import clustering_accuracy_score

matplotlib.use("agg")
import matplotlib.pyplot as plt

FACTORS = (0.01, 0.1, 1, 10, 100)
SHARES_OF_K = (0.5, 0.75, 1, 1.25, 1.5, 2)
RANKS_A_CLUSTER = (1, 2, 4, 6, 8, 12)
NEIGHBOURS = (1, 2, 5, 10, 20, 40)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figure", choices=FIGURES)
    parser.add_argument("--data", choices=DATA, default="digits")
    parser.add_argument("--data-home", type=Path, default=Path("data"), help="folder of the .npz files")
    parser.add_argument("--method", choices=METHODS, default="pssc", help="for gammas and clusters")
    parser.add_argument("--rows", type=int, help="of as many rows, drawn at random; all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="the picture; FIGURE.png")
    options = parser.parse_args()
    X, y = load(options.data, options.data_home)
    if options.rows:
        rows = np.sort(np.random.RandomState(options.seed).permutation(len(X))[: options.rows])
        X, y = X[rows], np.unique(y[rows], return_inverse=True)[1]
    figure = FIGURES[options.figure](X, y, METHODS[options.method], options.seed)
    out = options.out or Path(f"{options.figure}.png")
    figure.savefig(out, dpi=120)
    print(f"{options.figure} of {options.data}, {len(X)} images: {out}")


def gammas(X, y, method, seed):
    fit = fitting(X, y, method, seed)
    names = [name for name in method().get_params() if name.startswith("gamma_")]
    figure, axes = subplots(len(names), sharey=True)
    for ax, name in zip(axes, names, strict=True):
        weights = [factor * getattr(method(), name) for factor in FACTORS]
        found = [fit(**{name: weight}) for weight in weights]
        ax.semilogx(weights, [accuracy(y, each) for each in found], "o-", label="ACC")
        ax.semilogx(
            weights, [silhouette_score(each.embedding_, each.labels_) for each in found], "s--", label="silhouette"
        )
        ax.set(xlabel=name)
    axes[0].set(ylabel=method.__name__)
    axes[-1].legend()
    return figure


def clusters(X, y, method, seed):
    fit, n_classes = fitting(X, y, method, seed), y.max() + 1
    told = sorted({max(2, round(share * n_classes)) for share in SHARES_OF_K})
    found = [fit(n_clusters=n) for n in told]
    figure, (ax,) = subplots(1)
    ax.plot(told, [accuracy(y, each) for each in found], "o-", label="ACC")
    ax.plot(told, [normalized_mutual_info_score(y, each.labels_) for each in found], "s--", label="NMI")
    ax.axvline(n_classes, color="grey", lw=1, ls=":")
    ax.set(xlabel="n_clusters", title=f"{method.__name__}, {n_classes} classes")
    ax.legend()
    return figure


def rank(X, y, method, seed):
    n_classes, ranks = y.max() + 1, [{"subspace_rank": rank} for rank in RANKS_A_CLUSTER]
    figure, (ax,) = subplots(1, width=5)
    for kind, marker in ((DSCNet, "o-"), (PSSC, "s--")):
        found = fitting(X, y, kind, seed)()
        labels = [found.recluster(X, affinity="enhanced", affinity_params=params) for params in ranks]
        q = [d * n_classes + 1 for d in RANKS_A_CLUSTER]
        name, scores = kind.__name__, [clustering_accuracy_score(y, each) for each in labels]
        (line,) = ax.plot(q, scores, marker, label=f"{name}, Algorithm 2")
        ax.axhline(accuracy(y, found), color=line.get_color(), ls=":", label=f"{name}, top")
    ax.set(xlabel="q, singular values that are kept", ylabel="ACC")
    ax.legend(fontsize="small", framealpha=0.6)
    return figure


def affinities(X, y, method, seed):
    fit = fitting(X, y, PSSC, seed)
    found = {"DSCNet": fitting(X, y, DSCNet, seed)()}
    found["PSSC_l"] = fit(variant="paper", gamma_graph=0, gamma_label=0)
    found["PSSC"] = fit()
    figure, axes = subplots(3)
    for ax, (name, each) in zip(axes, found.items(), strict=True):
        AffinityDisplay(each.affinity_matrix_, y).plot(ax=ax)
        ax.set(title=f"{name}, ACC {accuracy(y, each):.3f}", xlabel="samples by class", ylabel="")
    return figure


def reconstructions(X, y, method, seed):
    found = fitting(X, y, DSCNet, seed)()
    rebuilt = {"images": X, "from Z": found.reconstruct(X), "from CZ": found.reconstruct(X, expressed=True)}
    shown = np.random.RandomState(seed).permutation(len(X))[:10]
    figure, axes = plt.subplots(len(rebuilt), len(shown), figsize=(10, 3.4), layout="constrained")
    for row, (name, images) in zip(axes, rebuilt.items(), strict=True):
        images = np.asarray(images, dtype=float).reshape(X.shape)
        for ax, image in zip(row, images[shown], strict=True):
            ax.imshow(image, cmap="gray", vmin=X.min(), vmax=X.max())
            ax.set(xticks=[], yticks=[])
        quality = "" if name == "images" else f"\n{peak_signal_to_noise(X, images):.1f} dB"
        row[0].set_ylabel(name + quality)
    return figure


def codes(X, y, method, seed):
    found = fitting(X, y, PSSC, seed)()
    plain = fitting(X, y, DSCNet, seed)()
    features = {"pixels": X.reshape(len(X), -1), "codes": plain.embedding_, "PSSC's head": found.embedding_}
    maps = {"PCA": PCA(2, random_state=seed), "t-SNE": TSNE(random_state=seed)}
    figure, axes = plt.subplots(2, 3, figsize=(10, 6.6), layout="constrained")
    for row, (map_name, reduce) in zip(axes, maps.items(), strict=True):
        for ax, (name, rows) in zip(row, features.items(), strict=True):
            rows = rows.astype(np.float32)
            points = reduce.fit_transform(rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12))
            ax.scatter(*points.T, c=y, cmap="tab20", s=6)
            ax.set(xticks=[], yticks=[], title=f"{name}, {map_name}")
    return figure


def training(X, y, method, seed):
    watch = Watch(y)
    found = fitting(X, y, S2ConvSCN, seed)(callbacks=[watch])
    figure, axes = subplots(2)
    axes[0].plot([share for share, _ in watch.seen], "o-", ms=3, label="present clusters")
    axes[0].plot([share for _, share in watch.seen], "s--", ms=3, label="classes")
    axes[0].set(xlabel="joint epoch", ylabel="||C||_Q / ||C||_1", title="weight of C between clusters", ylim=(0, 1))
    axes[0].legend(loc="lower left")
    history = [entry for entry in found.history_ if entry["phase"] == "finetune"]
    for name in ("reconstruction", "coef", "expression", "segmentation", "class"):
        values = np.array([entry[name] for entry in history])
        axes[1].plot(values / values[0] - 1, label=name)
    axes[1].set(xlabel="joint epoch", title=f"relative change of each cost; ACC {accuracy(y, found):.3f}")
    axes[1].legend()
    return figure


class Watch(Callback):
    """How much of C lies between present clusters, and between classes, at the end of each joint epoch."""

    def __init__(self, y):
        self.y = y

    def initialize(self):
        self.seen = getattr(self, "seen", [])
        return self

    @torch.no_grad()
    def on_epoch_end(self, net, dataset_train=None, **kwargs):
        if net.phase.name == "finetune":
            out = net.module_(dataset_train)
            total = out.coef.abs().sum()
            classes = torch.from_numpy(self.y).to(out.segments)
            between = (segmentation_norm(out.coef, labels) for labels in (out.segments, classes))
            self.seen.append(tuple(float(weight / total) for weight in between))


def neighbours(X, y, method, seed):
    found = [DSCSC(y.max() + 1, contrast_neighbors=k, random_state=seed).fit(X) for k in NEIGHBOURS]
    figure, (ax,) = subplots(1)
    ax.semilogx(NEIGHBOURS, [accuracy(y, each) for each in found], "o-")
    ax.set(xlabel="k, neighbours that are not pushed away", ylabel="ACC", title="DSCSC")
    return figure


def fitting(X, y, method, seed):
    """A function that fits the method under given parameters, on codes that are pre-trained once."""
    autoencoder = FrozenEstimator(AutoEncoder(random_state=seed).fit(X)) if method is not DSCSC else None

    def fit(**params):
        shared = {"n_clusters": int(y.max()) + 1, "autoencoder": autoencoder, "random_state": seed}
        return method(**{**shared, **params}).fit(X)

    return fit


def accuracy(y, fitted):
    return clustering_accuracy_score(y, fitted.labels_)


def peak_signal_to_noise(X, rebuilt):
    """Mean over the images, in dB, for the largest value of all images as the peak."""
    errors = ((X - rebuilt) ** 2).reshape(len(X), -1).mean(axis=1)
    return float(np.mean(10 * np.log10(float(X.max()) ** 2 / errors)))


def subplots(n, width=3.4, **params):
    figure, axes = plt.subplots(1, n, figsize=(width * n + 0.6, 3.2), layout="constrained", squeeze=False, **params)
    return figure, axes[0]


FIGURES = {
    figure.__name__: figure
    for figure in (gammas, clusters, rank, affinities, reconstructions, codes, training, neighbours)
}

if __name__ == "__main__":
    main()
