"""
Clusters of handwritten digits
==============================

The shortest way: images and a number of clusters. SubspaceClustering has nothing to tune. It compares labellings under
several views of the images and takes the one that tells most about who expresses whom.
"""

# %%
import matplotlib.pyplot as plt
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from skdeepsc import SubspaceClustering
from skdeepsc.inspection import AffinityDisplay, CandidatesDisplay, ClusterImagesDisplay
from skdeepsc.metrics import clustering_accuracy_score

images, digits = load_digits().images[:600], load_digits().target[:600]
clustering = SubspaceClustering(n_clusters=10, random_state=0).fit(images)

kmeans = KMeans(10, n_init=10, random_state=0).fit(images.reshape(600, -1))
print(f"accuracy: {clustering_accuracy_score(digits, clustering.labels_):.3f}", end="")
print(f"; of k-means on the pixels: {clustering_accuracy_score(digits, kmeans.labels_):.3f}")

# %%
# Images of each cluster, a row each.

ClusterImagesDisplay.from_estimator(clustering, images)
plt.show()

# %%
# What it chose from, and why. Scattering, a fixed network of wavelets, often wins.

print(f"chosen: the view {clustering.view_!r}, subspaces of dimension {clustering.subspace_dim_:g}")
CandidatesDisplay.from_estimator(clustering)
plt.show()

# %%
# The affinity, with images in the order of their clusters: nearly all weight is within them.

AffinityDisplay.from_estimator(clustering)
plt.show()
