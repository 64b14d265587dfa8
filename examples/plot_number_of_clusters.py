"""
How many clusters?
==================

``SubspaceClustering("auto")`` proposes the number that shortens the description of the graph most, and says what others
are worth. A flat top says that several numbers are about as good; here six digits become seven clusters.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skdeepsc import SubspaceClustering

images, digits = load_digits().images, load_digits().target
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for n_true, marker in ((3, "o"), (6, "s"), (10, "^")):
    rows = np.flatnonzero(digits < n_true)[:400]
    clustering = SubspaceClustering("auto", views=["pixels"], random_state=0).fit(images[rows])
    scores = clustering.n_clusters_scores_
    best = clustering.labels_.max() + 1
    print(f"{n_true} digits: {best} clusters")
    numbers = sorted(scores)
    ax.plot(numbers, [scores[number] for number in numbers], marker=marker, markersize=4, label=f"{n_true} digits")
    ax.plot(best, scores[best], marker=marker, markersize=12, fillstyle="none", color=ax.lines[-1].get_color())
ax.set(xlabel="number of clusters", ylabel="nats saved for each sample", xscale="log")
ax.set_xticks([2, 3, 6, 10, 20, 40], ["2", "3", "6", "10", "20", "40"])
ax.minorticks_off()
ax.legend()
plt.show()
