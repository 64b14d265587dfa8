"""Labels by a classifier on the codes, which S2ConvSCN and NCSC train."""

from copy import deepcopy
from typing import Literal

import numpy as np
import torch

from .._params import Epochs, Estimator, estimator
from ..nn import answering, precise
from ..segmentation import match_labels
from ..training.batches import collect

# Samples that are classified at once: in float64, the classifier's maps of large images take 100 kB for each.
_CLASSIFIED_ROWS = 1024


@estimator
class HasClassifier(Estimator):
    """A clusterer whose network has a classifier of the clusters `_classes`, in their order."""

    def _shares(self, *, of_others=False):
        return lambda block: collect(
            (logits.softmax(1) for logits in self._logits(block)), np.empty((len(block), self._n_found()))
        )

    def _n_found(self):
        return len(self._classes)

    def _logits(self, samples):
        """What the classifier says of the clusters, block by block, in float64 where the device has it."""
        classifier = deepcopy(self.network_.classifier).eval()
        for out in self._outputs(samples):
            with answering():
                codes = out.z
            for z in map(precise, codes.split(_CLASSIFIED_ROWS)):
                with torch.inference_mode():
                    logits = classifier.to(z)(z)[:, self._classes]
                if not logits.isfinite().all():
                    raise FloatingPointError(
                        "The classifier's logits are NaN or infinite: training has diverged. Lower lr, or check the "
                        "scale of these samples beside those of the fit."
                    )
                yield logits


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
        nearest clustered samples in the latent space. Without a trained classifier it is always the latter. A
        classifier calls no new rows noise.
    classifier_epochs : int or "auto"
        Epochs in which the classifier alone learns.
    """

    classifier_epochs: Epochs | Literal["auto"] = 0
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

    def _twin_to_relabel(self):
        other = super()._twin_to_relabel()
        other._classes = None  # The classifier has learnt other clusters.
        return other

    def _shares(self, *, of_others=False):
        answerer = super() if self._classifies() else super(HasClassifier, self)
        return answerer._shares(of_others=of_others)

    def _n_found(self):
        return super(HasClassifier, self)._n_found()

    def _keep_clusters(self, present):
        if self._classes is not None:
            self._classes = self._classes[present]

    def _judge(self):
        if not self._classifies():
            return super()._judge()
        shares = self._shares()

        def judge(block):
            labels = shares(block).argmax(axis=1)
            return labels, np.zeros(len(labels))

        return judge

    def _classifies(self):
        return self._classes is not None and self.predict_by == "classifier"
