"""Labels by a classifier on the codes, which S2ConvSCN and NCSC train."""

from copy import deepcopy
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .._params import Epochs, Estimator, estimator
from ..nn import precise
from ..segmentation import match_labels
from ..training.batches import collect

# Samples that are classified at once: in float64, the classifier's maps of large images take 100 kB for each.
_CLASSIFIED_ROWS = 1024


@estimator
class HasClassifier(Estimator):
    """A clusterer whose network has a classifier of the clusters `_classes`, in their order.

    Parameters
    ----------
    classifier_epochs : int or "auto"
        Epochs in which the classifier alone learns.
    """

    classifier_epochs: Epochs | Literal["auto"] = 0

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Probabilities of the clusters by the classifier.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Read block by block.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes), float64
            Rows sum to 1; columns are the clusters in the order of `labels_`, without samples in `fit` last.
        """
        check_is_fitted(self)
        samples = self._read(X, reset=False)
        proba = np.empty((len(samples), len(self._classes)))
        return collect((logits.softmax(1) for logits in self._logits(samples)), proba)

    def _labeller(self):
        return lambda block: collect(
            (logits.argmax(1) for logits in self._logits(block)), np.empty(len(block), dtype=np.int64)
        )

    def _logits(self, samples):
        """What the classifier says of the clusters, block by block, in float64 where the device has it."""
        classifier = deepcopy(self.network_.classifier).eval()
        for codes in self._code_blocks(samples):
            for z in map(precise, codes.split(_CLASSIFIED_ROWS)):
                with torch.inference_mode():
                    yield classifier.to(z)(z)[:, self._classes]


@estimator
class LabelsByClassifier(HasClassifier):
    """A clusterer whose labels are the classifier's for all samples, NCSC's Eq. (10)."""

    def _segment(self, samples):
        """Labels of all samples; the clusters that are found come first."""
        self._classes = np.arange(self.n_clusters)
        found = self._label_together(samples)
        present = np.unique(found)
        self._classes = np.concatenate([present, np.setdiff1d(self._classes, present)])
        return np.searchsorted(present, found)

    def _label_together(self, samples):
        """Labels of samples, by all processes that train together."""
        group = self._group()
        if group is None:
            return self._label(samples)
        return np.concatenate(group.gather(self._label(samples[group.rows(len(samples))])))


@estimator
class ClassifierOrNeighbors(HasClassifier):
    """A clusterer of a graph with a classifier beside it; `_classes` is None where none was trained.

    Parameters
    ----------
    predict_by : {"classifier", "neighbors"}
        What labels new rows: the classifier, which need not agree with `labels_` on rows that were fitted, or the
        nearest clustered samples in the latent space. Without a trained classifier it is always the latter.
    """

    predict_by: Literal["classifier", "neighbors"] = "classifier"

    def _segment(self, samples):
        """Spectral labels under the names of the classes."""
        labels = super()._segment(samples)
        segments, self.network_.segments = self.network_.segments, None
        self._classes = None
        if self.network_.classifier is not None and segments is not None:
            matched = match_labels(labels, segments.cpu().numpy())
            self._classes, labels = np.unique(matched, return_inverse=True)
        return labels

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Probabilities of the clusters by the classifier, or their shares among the nearest samples, see `predict_by`.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_found)
            A column for each cluster in `labels_`; rows sum to 1.
        """
        check_is_fitted(self)
        if self._classifies():
            return super().predict_proba(X)
        z = self._encode(self._read(X, reset=False))
        return self._neighbors().predict_proba(self._expressed_features(z))

    def _labeller(self):
        return super()._labeller() if self._classifies() else super(HasClassifier, self)._labeller()

    def _classifies(self):
        return self._classes is not None and self.predict_by == "classifier"
