"""
One C, seven affinities
=======================

Between coefficients and clusters stands an affinity, which is worth 4 to 28 points of published figures. ``recluster``
takes another one for the same C, without training again.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skdeepsc import EDSC
from skdeepsc.affinity import compute_affinity
from skdeepsc.metrics import clustering_accuracy_score

images, digits = load_digits().data[:400], load_digits().target[:400]
edsc = EDSC(10, normalization="centered", random_state=0).fit(images)
names = ["symmetric", "scaled", "thresholded", "row_normalized", "low_rank", "enhanced", "top"]

# %%
# Samples in the order of their digits, for the pictures alone.

order = np.argsort(digits, kind="stable")
figure, axes = plt.subplots(2, 4, figsize=(11, 6), layout="constrained")
for ax, name in zip(axes.flat, names, strict=False):
    accuracy = clustering_accuracy_score(digits, edsc.recluster(images, affinity=name))
    matrix = compute_affinity(edsc.coef_, name, n_clusters=10)
    matrix = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    matrix = matrix - np.diag(np.diag(matrix))
    ax.imshow(matrix[order][:, order] ** 0.5, cmap="Greys", vmax=np.quantile(matrix, 0.995) ** 0.5)
    ax.set(title=f"{name}: {accuracy:.2f}", xticks=[], yticks=[])
    print(f"{name:16}{accuracy:.3f}")
axes.flat[-1].set_axis_off()
plt.show()
