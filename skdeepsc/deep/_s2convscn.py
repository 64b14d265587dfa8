"""S2ConvSCN: self-supervised convolutional subspace clustering (Zhang, Li, You, Qi, Zhang, Guo, Lin, CVPR 2019)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from .._params import Count, Epochs, NonNegative, Positive, estimator
from ..losses import classification_cost, segmentation_norm
from ..nn import center_units, checked_sizes, dense_head
from ..training import Phase
from ..training.callbacks import Resegment
from ._base import SelfSupervised
from ._classifier import ClassifierOrNeighbors
from ._dscnet import DSCNet


@estimator
class S2ConvSCN(ClassifierOrNeighbors, SelfSupervised, DSCNet):
    r"""Self-supervised convolutional subspace clustering network.

    DSC-Net whose own spectral clustering supervises it, in two places: C should not connect samples of different
    clusters, and a classifier should tell the clusters from the codes. Eq. (7):

    .. math:: \min_{\Theta, C} \|X - \hat X\|_F^2 + \gamma_{coef} \|C\|_p + \gamma_{expression} \|Z - CZ\|_F^2
              + \gamma_{segmentation} \|C\|_Q + \gamma_{class} L_4

    .. math:: \|C\|_Q = \sum_{ij} |c_{ij}| \tfrac{1}{2} \|q_i - q_j\|_2^2, \qquad
              L_4 = \frac{1}{N} \sum_j \ell(y_j, q_j) + \tau \|y_j - \mu_{\pi(y_j)}\|_2^2

    with :math:`\gamma_1, \gamma_2 / 2, \gamma_3, \gamma_4` for the weights, the clusters as one-hot rows q, and the
    classifier's outputs y, whose means over the clusters are :math:`\mu`. Every `segment_every` epochs the clusters are
    found anew from the present C, by the functions that give the final labels, and are renamed to agree with the
    previous ones (Hungarian method). Labels are those of the last spectral clustering, not the classifier's.

    Parameters
    ----------
    gamma_segmentation : float
        Weight of :math:`\|C\|_Q`; see `weighting`. 0 leaves the term out.
    gamma_class : float
        Weight of the classification; see `weighting`. 0: there is no classifier.
    gamma_center : float
        Weight of the centre loss within the classification, :math:`\tau`.
    class_loss : {"cross_entropy", "bounded_logistic"}
        The loss :math:`\ell`: cross-entropy, or Eq. (6) as it is printed,
        :func:`~skdeepsc.losses.bounded_logistic_loss`, by which the classifier hardly learns.
    weighting
        "relative" is in shares of the sum of the three terms of DSC-Net. The share of the classification is what the
        cost of a classifier is worth that has learnt nothing yet: it falls as the classifier learns, to next to nothing
        before the joint phase, and the weight stays.
    classifier_sizes : sequence of int or "auto"
        Widths of the classifier's hidden layers. ``"auto"``: half the number of clustered samples, then `n_clusters`.
    max_epochs : int or "auto"
        Epochs of the joint phase, of all samples at once; 0 clusters the pre-trained features, ``"auto"`` is 20.
    classifier_epochs : int
        Epochs in which the classifier alone learns the first segmentation.
    dscnet_epochs : int
        Joint epochs before the first segmentation, which the classifier then learns alone.
    segment_every : int
        Epochs between two segmentations, :math:`T_0`.

    Attributes
    ----------
    history_
        Beside the costs, ``segmentation_seconds`` and ``label_changes`` of each joint epoch.

    See Also
    --------
    DSCNet : The same without supervision.

    Notes
    -----
    What the paper leaves open is told in the documentation, "S2ConvSCN"; its settings are in `paper_settings`.

    References
    ----------
    J. Zhang, C.-G. Li, C. You, X. Qi, H. Zhang, J. Guo, Z. Lin, "Self-supervised convolutional subspace clustering
    network", CVPR 2019, arXiv:1905.00149.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import S2ConvSCN
    >>> images = load_digits(n_class=3).images
    >>> S2ConvSCN(n_clusters=3, random_state=0).fit(images[:200]).predict_proba(images[200:205]).shape
    (5, 3)
    """

    gamma_segmentation: NonNegative = 0.1
    gamma_class: NonNegative = 0.1
    gamma_center: NonNegative = 0.5
    class_loss: Literal["cross_entropy", "bounded_logistic"] = "cross_entropy"
    classifier_sizes: Sequence[int] | Literal["auto"] = "auto"
    lr: Positive = 1e-3
    max_epochs: Epochs | Literal["auto"] = "auto"
    dscnet_epochs: Epochs = 0
    classifier_epochs: Epochs = 300
    segment_every: Count = 5

    # Fig. 1

    def _supervision(self):
        return {"segmentation": self.gamma_segmentation, "class": self.gamma_class}

    def _heads(self, n_latent):
        if not self.gamma_class:
            return {}
        sizes = self.classifier_sizes
        if sizes == "auto":
            sizes = max(1, len(self.sample_indices_) // 2), self.n_clusters
        return {"classifier": dense_head(n_latent, checked_sizes("classifier_sizes", sizes), self.n_clusters)}

    def _build(self, rows):
        super()._build(rows)
        if self.network_.classifier is not None:
            center_units(self.network_.classifier, self._codes(self.network_, rows))

    # Eq. (7)

    def _costs(self, out):
        costs = super()._costs(out)
        if self.gamma_segmentation:
            costs["segmentation"] = self.cost_weights_["segmentation"] * segmentation_norm(out.coef, out.segments)
        if self.gamma_class:
            costs["class"] = self.cost_weights_["class"] * self._class_costs(out)["class"]
        return costs

    def _class_costs(self, out):
        return {"class": classification_cost(out.logits, out.segments, self.class_loss, self.gamma_center)}

    # Algorithm 1

    def _phases(self, n_rows):
        express, joint = super()._phases(n_rows)
        dscnet = Phase("dscnet", super()._costs, self.dscnet_epochs, self.lr)
        if not (self.gamma_segmentation or self.gamma_class):
            return [express, dscnet, joint]
        first, again = (Resegment(self._passing_labels, self._weigh, every) for every in (None, self.segment_every))
        epochs = self.classifier_epochs if self.gamma_class and joint.epochs else 0
        classify = Phase("classify", self._class_costs, epochs, 1e-3, parts=("classifier",), callbacks=(first,))
        return [express, dscnet, classify, replace(joint, callbacks=(again,))]

    def _bytes_by_solver(self):
        return {"trained": 40, "ridge": 44}
