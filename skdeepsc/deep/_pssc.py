"""PSSC: pseudo-supervised deep subspace clustering (Lv, Kang, Lu, Xu, IEEE TIP 2021)."""

from dataclasses import replace
from typing import Literal

from torch import nn
from torch.nn import functional as F

from .._params import Epochs, NonNegative, Positive, estimator
from ..losses import (
    coding_rate,
    confident_cross_entropy,
    edge_contrastive_loss,
    laplacian_cost,
    pseudo_graph_loss,
    rate_within,
    squared_error,
)
from ..training.callbacks import Resegment, Weigh
from ._base import BaseDeepSubspaceClustering, SelfSupervised
from ._expression_head import LearnsHead
from ._first_labels import learning_phase

# On the head, a weight of 1 stands for this share of the graph's term; of the expression also beside coding rates.
_SHARES = {"locality": 0.1, "expression": 0.1, "label": 0.1, "expression, rate": 50.0}


@estimator
class PSSC(LearnsHead, SelfSupervised, BaseDeepSubspaceClustering):
    r"""Pseudo-supervised deep subspace clustering.

    The reconstruction is weighted by the similarities S that self-expression finds, and the network is supervised by
    what it has found itself: by S as a graph, and by its own confident labels. Eq. (11):

    .. math:: &\|X - \hat X\|_F^2 + 2 \gamma_{locality} \mathrm{Tr}(X^T L_n \hat X) + \gamma_1 \|Z - CZ\|_F^2 \\
              &+ \gamma_2 L_{graph} + \gamma_3 L_{label}, \qquad \mathrm{diag}(C) = 0

    with the normalised Laplacian :math:`L_n` of :math:`S = (|C| + |C|^T) / 2`. By default all of it works on a head,
    from which C is computed, and not on the auto-encoder; see `variant`.

    Parameters
    ----------
    variant : {"head", "paper"}
        ``"head"``, this package's: the auto-encoder stays as it is pre-trained. C is computed from features h of a head
        on its codes, for which the terms are a reconstruction of the codes' directions; :math:`L_{graph}`, contrast
        along the edges of the graph of the five largest coefficients of each row, between random views of its ends
        (:func:`~skdeepsc.losses.edge_contrastive_loss`); :math:`L_{label}`, cross-entropy with the clusters of that
        graph where it is sure of them. Where clusters have more than two dimensions, coding rates stand for both:
        that of all features grows, and :math:`L_{label}` is that of the clusters. The graph is renewed as h learns.
        ``"paper"``: Eq. (11) on the auto-encoder, a classifier and C, in all samples at once.
    gamma_locality : float
        Weight of the locality of the reconstruction. The paper's is 1.
    gamma_expression
        :math:`\gamma_1`.
    gamma_graph : float
        Weight of the pseudo-graph, :math:`\gamma_2`; see `weighting`.
    gamma_label : float
        Weight of the pseudo-labels, :math:`\gamma_3`; see `weighting`.
    weighting
        For ``variant="paper"``, where "relative" is in tenths of the other costs.
    augment
        For ``variant="head"``; the paper's learns without views.
    confidence
        With ``variant="paper"`` it is the classifier's probability, the paper's thres.
    max_epochs : int or "auto"
        Epochs of the joint phase, in which the head learns on the codes, or by ``variant="paper"`` all parts of the
        network, of all samples at once. 0 clusters the pre-trained features; ``"auto"``: with the head as many as give
        300 steps, or 150 by coding rates, else 20.

    Attributes
    ----------
    cost_weights_
        For ``variant="paper"``.
    supervision_
        For ``variant="head"``, else "none".

    See Also
    --------
    DSCNet : The base without locality and pseudo-supervision.
    skdeepsc.paper_settings : The settings of the papers for their data sets.

    Notes
    -----
    Without pseudo-supervision, ``PSSC(variant="paper", gamma_graph=0, gamma_label=0)`` is the paper's PSSC_l, and
    without locality DSCNet without a norm. What the paper leaves open is told in the documentation, "The papers'
    methods".

    References
    ----------
    J. Lv, Z. Kang, X. Lu, Z. Xu, "Pseudo-supervised deep subspace clustering", IEEE Transactions on Image Processing
    30, 2021, doi:10.1109/TIP.2021.3079800.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import PSSC
    >>> images, digits = load_digits(n_class=3, return_X_y=True)
    >>> pssc = PSSC(n_clusters=3, image_shape=(8, 8), max_epochs=2, random_state=0).fit(images[:200])
    >>> pssc.predict(images[200:203]).shape
    (3,)
    """

    gamma_expression: NonNegative = 1.0
    gamma_graph: NonNegative = 1.0
    gamma_label: NonNegative = 1.0
    gamma_locality: NonNegative = 1.0
    variant: Literal["head", "paper"] = "head"
    lr: Positive = 1e-3
    max_epochs: Epochs | Literal["auto"] = "auto"

    _unit_share = 0.1

    # Eq. (11) of the head: sums over the samples of a batch

    def _reconstruction_costs(self, out):
        costs = {"reconstruction": _SHARES["locality"] * squared_error(out.p, out.p_hat)}
        if self.gamma_locality:
            smoothed = 2 * _SHARES["locality"] * ((out.p - out.p_near) * out.p_hat).sum()
            costs["locality"] = self.gamma_locality * smoothed
        return costs

    def _contrast_costs(self, out):
        costs = self._reconstruction_costs(out) | self._residual_cost(out, _SHARES["expression"])
        if self.gamma_graph:
            contrast = edge_contrastive_loss(out.h_view, out.h_neighbor, out.linked)
            costs["graph"] = self.gamma_graph * len(out.p) * contrast
        if self.gamma_label:
            cost = F.cross_entropy(out.logits, out.labels, reduction="none")
            costs["label"] = self.gamma_label * _SHARES["label"] * (out.confident * cost).sum()
        return costs

    def _rate_costs(self, out):
        costs = self._reconstruction_costs(out) | self._residual_cost(out, _SHARES["expression, rate"])
        if self.gamma_graph or self.gamma_label:
            costs["rate"] = -len(out.p) * coding_rate(out.h)
        if self.gamma_graph:
            costs["graph"] = self.gamma_graph * out.edge_lengths.sum()
        if self.gamma_label:
            costs["label"] = self.gamma_label * len(out.p) * rate_within(out.h, out.labels)
        return costs

    def _residual_cost(self, out, share):
        if not self.gamma_expression:
            return {}
        return {"expression": self.gamma_expression * share * squared_error(out.features, out.features_hat)}

    # Fig. 1 and Eq. (11) of the auto-encoder, C and a classifier

    def _supervision(self):
        return {"graph": self.gamma_graph, "label": self.gamma_label}

    def _heads(self, n_latent):
        if self.variant == "head" or not (self.gamma_graph or self.gamma_label):
            return {}
        return {"classifier": nn.Linear(n_latent, self.n_clusters)}

    def _costs(self, out):
        signed = self._scaling()["center"]  # Around the mean, negative coefficients tell samples apart.
        costs = {"reconstruction": squared_error(out.x, out.x_hat)}
        if self.gamma_locality:
            costs["locality"] = 2 * self.gamma_locality * laplacian_cost(out.x, out.x_hat, out.coef, signed)
        costs |= self._expression_costs(out)
        if self.gamma_graph:
            costs["graph"] = self.cost_weights_["graph"] * pseudo_graph_loss(out.logits, out.coef, signed=signed)
        if self.gamma_label:
            costs["label"] = self.cost_weights_["label"] * confident_cross_entropy(out.logits, self.confidence)
        return costs

    # Algorithm 1

    def _prepare(self, rows, progress):
        self.supervision_, self.augment_ = "none", None
        if self._has_head() and len(rows) > 1 and not progress.stopped:
            self._learn_head(rows, progress)

    def _has_head(self):
        return self.variant == "head" and self.max_epochs != 0

    def _n_tasks(self):
        return super()._n_tasks() + self._has_head()

    def _phases(self, n_rows):
        express, joint = super()._phases(n_rows)
        if self.variant == "head":
            return [express]
        if not (self.gamma_graph or self.gamma_label):
            return [express, joint]
        first, start = Resegment(self._passing_labels), learning_phase(n_rows, 1e-2)
        start = replace(start, epochs=start.epochs if joint.epochs else 0, callbacks=(first,))
        return [express, start, replace(joint, callbacks=(Weigh(self._weigh),))]

    def _weigh(self, out):
        self.network_.segments = None
        super()._weigh(out)

    def _needs_zero_diagonal(self):
        return True

    def _bytes_by_solver(self):
        return super()._bytes_by_solver() if self.variant == "head" else {"trained": 72, "ridge": 88}
