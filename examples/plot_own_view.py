"""
A view of one's own
===================

SubspaceClustering looks at samples under several views and takes the one whose clusters are the clearest. A view is any
transformer: here a function, a class of our own, and features that are learnt by contrast, beside the pixels. The true
digits are used for the scores and for nothing else.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_digits
from sklearn.preprocessing import FunctionTransformer

from skdeepsc import Contrastive, SubspaceClustering
from skdeepsc.inspection import CandidatesDisplay
from skdeepsc.metrics import clustering_accuracy_score

images, digits = load_digits().images[:500], load_digits().target[:500]

# %%
# A view returns one row of features for each sample. It gets flat rows of pixels, which is all that a function needs;
# the square root brings out the faint ones.

roots = FunctionTransformer(np.sqrt)

# %%
# If its tags say that it takes three-dimensional arrays, it gets images of shape (n, channels, height, width).


class Slopes(TransformerMixin, BaseEstimator):
    """How much the brightness rises in each of eight directions, summed over blocks of 2 x 2 pixels."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        down, right = np.gradient(X[:, 0], axis=(1, 2))
        angles = np.arange(8) * np.pi / 4
        rises = [np.clip(np.sin(angle) * down + np.cos(angle) * right, 0, None) for angle in angles]
        blocks = np.stack(rises, axis=1).reshape(len(X), 8, 4, 2, 4, 2)
        return blocks.sum(axis=(3, 5)).reshape(len(X), -1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


# %%
# Contrastive is such a transformer, too: its encoder learns to tell images by their random changes.

contrastive = Contrastive(channels=(16, 32), max_epochs=30)
views = ["pixels", ("roots", roots), ("slopes", Slopes()), ("contrastive", contrastive)]
clustering = SubspaceClustering(n_clusters=10, views=views, random_state=0).fit(images)

# %%
# Each view has candidates, and the one with the most edge information is the answer. That needs no labels.

table = clustering.candidates_
print(f"{'view':13}{'edge information':>17}")
for name in clustering.views_:
    print(f"{name:13}{table['edge_information'][table['view'] == name].max():17.3f}")

pixels = SubspaceClustering(n_clusters=10, views=["pixels"], random_state=0).fit(images)
print(f"\nchosen: {clustering.view_}, subspaces of dimension {clustering.subspace_dim_:g}")
print(f"accuracy: {clustering_accuracy_score(digits, clustering.labels_):.3f}", end="")
print(f"; of the pixels alone: {clustering_accuracy_score(digits, pixels.labels_):.3f}")

CandidatesDisplay.from_estimator(clustering)
plt.show()
