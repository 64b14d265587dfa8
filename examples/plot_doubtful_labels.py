"""
Which labels to doubt
=====================

Not all labels are equally sure. ``confidence_`` says how far all the labellings that were compared agree on a sample,
without any true label. Here the true digits tell how much that is worth: of the labels that are doubted first, far more
are wrong than of the others.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.datasets import load_digits
from sklearn.metrics.cluster import contingency_matrix

from skdeepsc import SubspaceClustering

images, digits = load_digits().images[:800], load_digits().target[:800]
clustering = SubspaceClustering(10, views=["pixels"], random_state=0).fit(images)

# %%
# Wrong is what remains after the best matching of clusters and digits.

table = contingency_matrix(digits, clustering.labels_)
digit, cluster = linear_sum_assignment(-table)
wrong = digit[np.argsort(cluster)][clustering.labels_] != digits
order = np.argsort(clustering.confidence_, kind="stable")
for n_first in (20, 80, 800):
    print(f"wrong among the {n_first:3} most doubtful: {wrong[order[:n_first]].mean():.0%}")

# %%
# The sixteen most doubtful, and sixteen of those that are beyond doubt.

figure, axes = plt.subplots(2, 16, figsize=(10, 1.8), layout="constrained")
for row, some in zip(axes, (order[:16], order[-16:]), strict=True):
    for ax, index in zip(row, some, strict=True):
        ax.imshow(images[index], cmap="gray_r")
        ax.set_title(f"{clustering.confidence_[index]:.2f}", fontsize=8)
        ax.set_axis_off()
plt.show()

# %%
# How many mistakes are found by looking at the most doubtful labels first.

figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
looked = np.arange(1, len(images) + 1)
ax.plot(looked, np.cumsum(wrong[order]) / wrong.sum(), label="the most doubtful first")
ax.plot(looked, looked / len(images), "--", label="in any order")
ax.set(xlabel="labels looked at", ylabel="share of the mistakes found")
ax.legend()
plt.show()
