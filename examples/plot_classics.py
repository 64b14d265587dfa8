"""
The classics on a union of subspaces
====================================

Five ways to express samples by each other, on samples of five subspaces of dimension 4 in 12 dimensions, so that these
are not independent. Sparse coefficients keep to the sample's own subspace; dense ones spread.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

from skdeepsc import EDSC, LRR, SSC, SSCOMP, EnSC
from skdeepsc.datasets import make_union_of_subspaces
from skdeepsc.metrics import clustering_accuracy_score, subspace_preserving_error

X, y = make_union_of_subspaces(250, 12, n_subspaces=5, subspace_dim=4, noise=0.05, random_state=0)
methods = [SSC(5, random_state=0), EnSC(5, random_state=0), SSCOMP(5, n_nonzero_coefs=4, random_state=0)]
methods += [LRR(5, random_state=0), EDSC(5, random_state=0)]

# %%
# The subspace-preserving error is the share of the coefficients' weight that lies outside of the sample's own subspace.

order = np.argsort(y, kind="stable")
figure, axes = plt.subplots(1, 5, figsize=(12, 3), layout="constrained")
print(f"{'':8}{'accuracy':>10}{'outside':>10}{'coefficients a row':>20}")
for ax, method in zip(axes, methods, strict=True):
    method.fit(X)
    name, coef = type(method).__name__, method.coef_
    coef = coef if isinstance(coef, np.ndarray) else coef.toarray()
    accuracy = clustering_accuracy_score(y, method.labels_)
    outside = subspace_preserving_error(coef, y)
    print(f"{name:8}{accuracy:10.3f}{outside:10.3f}{(np.abs(coef) > 1e-6).sum(axis=1).mean():20.1f}")
    ax.imshow(np.abs(coef[order][:, order]) ** 0.5, cmap="Greys", interpolation="none")
    ax.set(title=f"{name}: {accuracy:.2f}", xticks=[], yticks=[])
plt.show()
