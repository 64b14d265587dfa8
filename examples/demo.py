"""Clustering handwritten digits: what `make demo` runs first.

SubspaceClustering on the 1797 images of handwritten digits that come with scikit-learn, without any setting but the
number of clusters, and PSSC, beside KMeans and SpectralClustering on the same images. The true digits are used for the
scores in the table and for nothing else.
"""

import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from sklearn.callback import ProgressBar
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from skdeepsc import PSSC, SubspaceClustering
from skdeepsc.inspection import CandidatesDisplay, ClusterImagesDisplay, HistoryDisplay
from skdeepsc.metrics import clustering_accuracy_score

digits = load_digits()
images, pixels = digits.images, digits.data
print(f"{len(images)} images of {images.shape[1]} x {images.shape[2]} pixels, {len(set(digits.target))} digits")

# The first two get the images as they are; the neighbours get the pixels as rows.

images_only = {
    "SubspaceClustering": SubspaceClustering(n_clusters=10, random_state=0).set_callbacks(ProgressBar()),
    "PSSC": PSSC(n_clusters=10, random_state=0).set_callbacks(ProgressBar()),
}
neighbours = {
    "KMeans": KMeans(n_clusters=10, n_init=10, random_state=0),
    "SpectralClustering": SpectralClustering(n_clusters=10, affinity="nearest_neighbors", random_state=0),
}

found, seconds = {}, {}
for name, estimator in {**images_only, **neighbours}.items():
    start = time.perf_counter()
    found[name] = estimator.fit_predict(images if name in images_only else pixels)
    seconds[name] = time.perf_counter() - start

print(f"\n{'':20}{'ACC':>8}{'NMI':>8}{'ARI':>8}{'seconds':>10}")
for name, labels in found.items():
    scores = [
        score(digits.target, labels)
        for score in (clustering_accuracy_score, normalized_mutual_info_score, adjusted_rand_score)
    ]
    print(f"{name:20}" + "".join(f"{score:8.3f}" for score in scores) + f"{seconds[name]:10.1f}")

# What SubspaceClustering chose from, some images of each of its clusters, and the costs of PSSC during training.

clustering, pssc = images_only.values()
print(f"\nSubspaceClustering chose the view {clustering.view_!r}, subspaces of dimension {clustering.subspace_dim_:g}.")
folder = Path("demo_output")
folder.mkdir(exist_ok=True)
for name, display in {
    "candidates": CandidatesDisplay.from_estimator(clustering),
    "clusters": ClusterImagesDisplay.from_estimator(clustering, images),
    "training": HistoryDisplay.from_estimator(pssc),
}.items():
    display.figure_.savefig(folder / f"{name}.png", dpi=120)
    plt.close(display.figure_)
print(f"\nPictures: {', '.join(str(path) for path in sorted(folder.glob('*.png')))}")
