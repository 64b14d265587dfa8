"""S2ConvSCN: self-supervised convolutional subspace clustering (Zhang, Li, You, Qi, Zhang, Guo, Lin, CVPR 2019)."""

from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import pairwise
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn
from torch.nn import functional as F

from .._compat import Interval, StrOptions
from .._device import to_device
from .._docs import shared_parameters
from .._input import as_samples
from ..losses import bounded_logistic_loss, center_loss, coefficient_norm, segmentation_norm, squared_error
from ..segmentation import match_labels
from ..training import Phase
from ..training.callbacks import Resegment
from ._base import BaseDeepSubspaceClustering, checked_sizes, precise, weighted

# Adam's step size while the classifier alone learns the first segmentation.
_CLASSIFIER_LR = 1e-3
_DSCNET_TERMS = ("reconstruction", "coef", "expression")


@torch.no_grad()
def _center(classifier, z):
    """Set the biases before ReLUs so that no unit is silent for all samples, as few units easily are."""
    for layer in classifier[:-1]:
        if isinstance(layer, nn.Linear):
            layer.bias -= layer(z).mean(0)
        z = layer(z)


@shared_parameters
@dataclass(repr=False, eq=False, kw_only=True)
class S2ConvSCN(BaseDeepSubspaceClustering):
    r"""Self-supervised convolutional subspace clustering network.

    DSC-Net whose own spectral clustering supervises it, in two places: C should not connect samples of different
    clusters, and a classifier should tell the clusters from the codes. Eq. (7):

    .. math:: \min_{\Theta, C} \|X - \hat X\|_F^2 + \gamma_{coef} \|C\|_p + \gamma_{expression} \|Z - CZ\|_F^2
              + \gamma_{segmentation} \|C\|_Q + \gamma_{class} L_4

    .. math:: \|C\|_Q = \sum_{ij} |c_{ij}| \tfrac{1}{2} \|q_i - q_j\|_2^2, \qquad
              L_4 = \frac{1}{N} \sum_j \ell(y_j, q_j) + \tau \|y_j - \mu_{\pi(y_j)}\|_2^2

    with the clusters as one-hot rows q, and the classifier's outputs y, whose means over the clusters are
    :math:`\mu`. Every `segment_every` epochs the clusters are found anew from the present C, by the functions that give
    the final labels, and are renamed to agree with the previous ones (Hungarian method).

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    gamma_coef : float, default={gamma_coef}
        Weight of the norm of C (the paper's :math:`\gamma_1`).
    gamma_expression : float, default={gamma_expression}
        Weight of the self-expression (half the paper's :math:`\gamma_2`, as its term has a factor 1/2).
    gamma_segmentation : float, default={gamma_segmentation}
        Weight of :math:`\|C\|_Q`, :math:`\gamma_3`; see `weighting`. 0 leaves the term out.
    gamma_class : float, default={gamma_class}
        Weight of the classification, :math:`\gamma_4`; see `weighting`. 0: there is no classifier.
    gamma_center : float, default={gamma_center}
        Weight of the centre loss within the classification, :math:`\tau`.
    norm : {"l2", "l1"}, default="l2"
        Norm of C: ``"l2"`` is :math:`\|C\|_F^2`, ``"l1"`` is :math:`\|C\|_1` with diag(C) = 0.
    class_loss : {"cross_entropy", "bounded_logistic"}, default="cross_entropy"
        The loss :math:`\ell`: cross-entropy, or Eq. (6) as it is printed,
        :func:`~skdeepsc.losses.bounded_logistic_loss`, by which the classifier hardly learns.
    weighting : {"relative", "absolute"}, default="relative"
        ``"relative"``: `gamma_segmentation` and `gamma_class` are what their terms are worth at the first
        segmentation, as shares of the sum of the three terms of DSC-Net; the weights that follow stay as they are and
        are kept in `cost_weights_`. ``"absolute"``: they are the weights themselves, whose effect depends on the scale
        of the images.
    classifier_sizes : "auto" or tuple of int, default="auto"
        Widths of the classifier's hidden layers. ``"auto"``: half the number of clustered samples, then `n_clusters`.
    dscnet_epochs : int, default={dscnet_epochs}
        Joint epochs without supervision before the first segmentation, the paper's DSC-Net stage.
    classifier_epochs : int, default={classifier_epochs}
        Epochs in which the classifier alone learns the first segmentation, at a step size of 0.001.
    segment_every : int, default={segment_every}
        Epochs between two segmentations, :math:`T_0`.
    predict_by : {"classifier", "neighbors"}, default="classifier"
        What labels new rows: the classifier, which need not agree with `labels_` on rows that were fitted, or the
        nearest clustered samples in the latent space. Without a trained classifier it is always the latter.
    {expression_parameters}
    {autoencoder_parameters}

    Attributes
    ----------
    cost_weights_ : dict of str to float
        The weights of ``"segmentation"`` and ``"class"`` in force.
    {fitted_attributes}
    {data_attributes}

    See Also
    --------
    DSCNet : The same without supervision.
    skdeepsc.paper_settings : The settings of the paper for its data sets.

    Notes
    -----
    What the paper leaves open, and what is done here:

    - Labels are those of the last spectral clustering, Algorithm 1's output, not the classifier's.
    - Eq. (2) has a factor 1/(2N) that the DSC-Net code, whose weights the paper takes over, has not: sums here.
    - Eq. (6) is called a cross-entropy but is bounded. On ORL the classifier then agrees with a quarter of the
      labels, with cross-entropy with 96 of 100.
    - The printed weights were set "inversely proportional to the value of each cost", by hand; the relative
      weights do that. Printed ones on images in 0-1 drive C to 0.
    - The constants of the centre loss and the numbers of epochs of each stage are not published. Centres are the means
      of the present clusters. Optimisers start anew with each stage.
    - C is by default the ridge solution on centred features of unit length, on which the segmentation term acts
      through the encoder; with ``solver="trained"`` it acts on C itself, as in the paper.

    The history has, beside the costs, ``segmentation_seconds`` and ``label_changes`` (share of samples) of each epoch.

    References
    ----------
    J. Zhang, C.-G. Li, C. You, X. Qi, H. Zhang, J. Guo, Z. Lin, "Self-supervised convolutional subspace clustering
    network", CVPR 2019, arXiv:1905.00149.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import S2ConvSCN
    >>> images, digits = load_digits(n_class=3, return_X_y=True)
    >>> clustering = S2ConvSCN(n_clusters=3, image_shape=(8, 8), random_state=0).fit(images[:200])
    >>> clustering.predict_proba(images[200:205]).shape
    (5, 3)
    """

    gamma_coef: float = 1.0
    gamma_expression: float = 1.0
    gamma_segmentation: float = 0.1
    gamma_class: float = 0.1
    gamma_center: float = 0.1
    norm: str = "l2"
    class_loss: str = "cross_entropy"
    weighting: str = "relative"
    classifier_sizes: tuple | str = "auto"
    dscnet_epochs: int = 0
    classifier_epochs: int = 300
    segment_every: int = 5
    predict_by: str = "classifier"

    _parameter_constraints = {
        **BaseDeepSubspaceClustering._parameter_constraints,
        "gamma_coef": [Interval(Real, 0, None, closed="left")],
        "gamma_expression": [Interval(Real, 0, None, closed="left")],
        "gamma_segmentation": [Interval(Real, 0, None, closed="left")],
        "gamma_class": [Interval(Real, 0, None, closed="left")],
        "gamma_center": [Interval(Real, 0, None, closed="left")],
        "norm": [StrOptions({"l2", "l1"})],
        "class_loss": [StrOptions({"cross_entropy", "bounded_logistic"})],
        "weighting": [StrOptions({"relative", "absolute"})],
        "classifier_sizes": [StrOptions({"auto"}), tuple, list],
        "dscnet_epochs": [Interval(Integral, 0, None, closed="left")],
        "classifier_epochs": [Interval(Integral, 0, None, closed="left")],
        "segment_every": [Interval(Integral, 1, None, closed="left")],
        "predict_by": [StrOptions({"classifier", "neighbors"})],
    }

    # Fig. 1

    def _heads(self, n_latent):
        if not self.gamma_class:
            return {}
        hidden = (max(1, len(self.sample_indices_) // 2), self.n_clusters)
        if self.classifier_sizes != "auto":
            hidden = checked_sizes("classifier_sizes", self.classifier_sizes)
        layers = [layer for sizes in pairwise((n_latent, *hidden)) for layer in (nn.Linear(*sizes), nn.ReLU())]
        return {"classifier": nn.Sequential(*layers, nn.Linear((n_latent, *hidden)[-1], self.n_clusters))}

    def _build(self, tensor):
        super()._build(tensor)
        if self.network_.classifier is not None:
            _center(self.network_.classifier, self._codes(self.network_, tensor))

    def _needs_zero_diagonal(self):
        return self.norm == "l1"

    def _bytes_per_pair(self):
        return {"trained": 40, "ridge": 44}

    # Eq. (7)

    def _costs(self, out):
        weights = self.cost_weights_
        return {
            "reconstruction": (1, lambda: squared_error(out.x, out.x_hat)),
            "coef": (self.gamma_coef, lambda: coefficient_norm(out.coef, self.norm)),
            "expression": (self.gamma_expression, lambda: squared_error(out.z, out.z_hat)),
            "segmentation": (weights["segmentation"], lambda: segmentation_norm(out.coef, out.segments)),
            "class": (weights["class"], lambda: self._class_cost(out)),
        }

    def _class_cost(self, out):  # Eq. (6)
        if self.class_loss == "bounded_logistic":
            labelled = bounded_logistic_loss(out.logits, out.segments)
        else:
            labelled = F.cross_entropy(out.logits, out.segments, reduction="sum")
        centered = self.gamma_center * center_loss(out.logits, out.segments) if self.gamma_center else 0
        return (labelled + centered) / len(out.logits)

    # Algorithm 1

    def _phases(self, n_rows):
        self.cost_weights_ = {"segmentation": self.gamma_segmentation, "class": self.gamma_class}
        express, joint = super()._phases(n_rows)
        dscnet = Phase(
            "dscnet", lambda out: weighted(self._costs(out), only=_DSCNET_TERMS), self.dscnet_epochs, self.lr
        )
        if not (self.gamma_segmentation or self.gamma_class):
            return [express, dscnet, joint]
        classify = Phase(
            "classify",
            lambda out: {"class": self._class_cost(out)},
            self.classifier_epochs if self.gamma_class and joint.epochs else 0,
            _CLASSIFIER_LR,
            parts=("classifier",),
            callbacks=(Resegment(self._resegment),),
        )
        joint = replace(joint, callbacks=(Resegment(self._resegment, self.segment_every),))
        return [express, dscnet, classify, joint]

    def _resegment(self, network, samples):
        """Cluster the samples under the present C by the final step's own functions."""
        with torch.no_grad():
            coef = network(samples).coef.cpu().numpy()
        labels = self._passing_labels(coef)
        before = network.segments
        if before is not None:
            labels = match_labels(labels, before.cpu().numpy())
        network.segments = torch.from_numpy(labels).to(samples.device)
        if before is None:
            self._set_weights(network, samples)
            return 1.0
        return (before != network.segments).float().mean().item()

    def _set_weights(self, network, samples):
        """Turn relative weights into absolute ones, once."""
        if self.weighting == "absolute":
            return
        with torch.no_grad():
            out = network(samples)
            total = sum(cost.item() for cost in weighted(self._costs(out), only=_DSCNET_TERMS).values())
            for name, (gamma, cost) in self._costs(out).items():
                if name in self.cost_weights_ and gamma:
                    self.cost_weights_[name] = gamma * total / (cost().item() or 1.0)

    # New rows

    def _row_labels(self):
        """Spectral labels under the names of the classifier's classes."""
        labels = super()._row_labels()
        segments, self.network_.segments = self.network_.segments, None
        self._classes = None
        if self.gamma_class and segments is not None:
            matched = match_labels(labels, segments.cpu().numpy())
            self._classes, labels = np.unique(matched, return_inverse=True)
        return labels

    def _labeller(self, row_labels):
        if self._classes is None or self.predict_by == "neighbors":
            return super()._labeller(row_labels)
        return lambda block: self._proba(block).argmax(axis=1)

    def predict_proba(self, X):
        """Probabilities of the clusters for new samples.

        Those of the classifier, or the shares of the clusters among the nearest samples; see `predict_by`.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_found)
            A column for each cluster in `labels_`; rows sum to 1.
        """
        check_is_fitted(self)
        samples = as_samples(self, X, reset=False)
        if self._classes is None or self.predict_by == "neighbors":
            row_labels = self.labels_[self.sample_indices_]
            return self._neighbors(row_labels).predict_proba(self._expressed_features(self._encode(samples)))
        return self._proba(samples)

    def _proba(self, samples):
        z = to_device(self._encode(samples), self.device_)
        with torch.inference_mode():
            logits = deepcopy(self.network_.classifier).to(precise(z))(precise(z))
        return logits[:, self._classes].softmax(1).cpu().numpy()
