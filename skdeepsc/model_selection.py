"""What searches over the parameters of clusterers need."""

import numpy as np

from ._compat import num_samples

__all__ = ["TransductiveSplit"]


class TransductiveSplit:
    """One split in which all samples are fitted and all are scored.

    Clustering does not generalise from a training to a test set unless one asks for it; this is the ``cv`` of searches
    over the parameters of clusterers, with a scorer of :mod:`skdeepsc.metrics`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdeepsc import PSSC
    >>> from skdeepsc.metrics import silhouette_scorer
    >>> from skdeepsc.model_selection import TransductiveSplit
    >>> images, _ = load_digits(n_class=3, return_X_y=True)
    >>> search = GridSearchCV(
    ...     PSSC(n_clusters=3, image_shape=(8, 8), max_epochs=1, random_state=0),
    ...     {"gamma_expression": [0.1, 10.0]},
    ...     cv=TransductiveSplit(),
    ...     scoring=silhouette_scorer,
    ...     error_score="raise",
    ... ).fit(images[:60])
    >>> sorted(search.best_params_)
    ['gamma_expression']
    """

    def split(self, X, y=None, groups=None):
        """The one split.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
        y, groups : Ignored

        Yields
        ------
        train, test : ndarray of shape (n_samples,)
            All indices, twice.
        """
        if X is None:
            raise TypeError("X must be the samples that are to be split; got None.")
        rows = np.arange(num_samples(X))
        yield rows, rows

    def get_n_splits(self, X=None, y=None, groups=None):
        """Number of splits, 1."""
        return 1

    def __repr__(self):
        return "TransductiveSplit()"
