"""What a user's type checker makes of the package: `make lint` checks this file, nothing runs it.

A comment that ignores an error is one itself where there is no error.
"""

from typing import assert_type

import numpy as np

from skdeepsc import NCSC, PSSC, AutoEncoder, SubspaceClustering, paper_settings
from skdeepsc.datasets import pixels_of
from skdeepsc.deep import TrainedSolver
from skdeepsc.metrics import clustering_accuracy_score
from skdeepsc.segmentation import spectral_labels
from skdeepsc.shallow import SSCC  # type: ignore[attr-defined]  # noqa: F401

X = np.zeros((60, 8, 8))
codes = AutoEncoder(channels=[20, 10], batch_size="all", image_shape=[8, 8])
pssc = PSSC(10, gamma_graph=2.0, autoencoder=codes, solver=TrainedSolver(epochs=0), affinity="scaled")
assert_type(pssc, PSSC)
assert_type(pssc.fit(X), PSSC)
assert_type(pssc.predict(X), np.ndarray)
assert_type(pssc.fit_predict(X), np.ndarray)
assert_type(spectral_labels(X, 3, assign_labels="best"), np.ndarray)
assert_type(clustering_accuracy_score([0, 1], pssc.labels_), float)
assert_type(pixels_of(X)[1](pssc.labels_), np.ndarray)
NCSC(10, negative_threshold=(0.7, 0.9), init=SubspaceClustering(10))
PSSC(**paper_settings("pssc", "orl"))

PSSC(10, gamma_grap=2.0)  # type: ignore[call-arg]
PSSC(10, solver="lasso")  # type: ignore[arg-type]
AutoEncoder(channels=3)  # type: ignore[arg-type]
