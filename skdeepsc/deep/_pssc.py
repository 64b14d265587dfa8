"""PSSC: pseudo-supervised deep subspace clustering (Lv, Kang, Lu, Xu, IEEE TIP 2021)."""

from dataclasses import dataclass
from numbers import Real

from torch import nn

from .._compat import Interval
from .._docs import shared_parameters
from ..losses import (
    confident_cross_entropy,
    contrastive_graph_loss,
    laplacian_cost,
    similarity_graph,
    squared_error,
)
from ._base import BaseDeepSubspaceClustering


@shared_parameters
@dataclass(repr=False, eq=False, kw_only=True)
class PSSC(BaseDeepSubspaceClustering):
    r"""Pseudo-supervised deep subspace clustering.

    The reconstruction is weighted by the similarities S that self-expression finds, and a classifier on the codes is
    supervised by what the network has found itself: by S as a graph, and by its own confident labels. Eq. (11):

    .. math:: \|X - \hat X\|_F^2 + 2 \mathrm{Tr}(X^T L_n \hat X) + \gamma_1 \|Z - CZ\|_F^2
              + \gamma_2 L_{graph} + \gamma_3 L_{label}, \qquad \mathrm{diag}(C) = 0

    with the normalised Laplacian :math:`L_n` of :math:`S = (|C| + |C|^T) / 2`. Without pseudo-supervision,
    ``gamma_graph=0, gamma_label=0``, this is the paper's PSSC_l.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    gamma_expression : float, default={gamma_expression}
        Weight of the self-expression, :math:`\gamma_1`; a sum over samples and features.
    gamma_graph : float, default={gamma_graph}
        Weight of the pseudo-graph, :math:`\gamma_2`; the term is a mean over pairs of samples.
    gamma_label : float, default={gamma_label}
        Weight of the pseudo-labels, :math:`\gamma_3`; the term is a mean over the confident samples.
    confidence : float, default={confidence}
        Least probability of a pseudo-label that supervises, the paper's thres.
    margin : float, default={margin}
        Distance of the classifier's outputs beyond which dissimilar samples are no longer pushed apart.
    {expression_parameters}
    {autoencoder_parameters}

    Attributes
    ----------
    {fitted_attributes}
    {data_attributes}

    See Also
    --------
    DSCNet : The base without locality and pseudo-supervision.
    skdeepsc.paper_settings : The settings of the papers for their data sets.

    Notes
    -----
    What the paper leaves open, or its released code does otherwise, and what is done here:

    - :math:`L_{graph}` is the contrastive Siamese loss with margin 1, the paper's words. The released code compares
      labels in a way that makes all pairs equal, so that its term is independent of the clusters.
    - S in :math:`L_{graph}` is scaled to [0, 1] row by row: "S assigns a probability to each pair", but its entries are
      of order 1/N.
    - :math:`L_{label}` applies the softmax once (twice in the code) and is a mean over the confident samples.
    - :math:`\gamma_2, \gamma_3` are not published for any data set; in the code they are the best of 343 settings by
      the true labels.
    - diag(C) = 0 is forced on a trained C too; ``zero_diagonal=False`` leaves it out, as the code does.
    - C is by default the ridge solution on centred features of unit length; the paper's way is ``solver="trained"``,
      see :func:`~skdeepsc.paper_settings`.

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

    gamma_expression: float = 1.0
    gamma_graph: float = 1.0
    gamma_label: float = 1.0
    confidence: float = 0.8
    margin: float = 1.0

    _parameter_constraints = {
        **BaseDeepSubspaceClustering._parameter_constraints,
        "gamma_expression": [Interval(Real, 0, None, closed="left")],
        "gamma_graph": [Interval(Real, 0, None, closed="left")],
        "gamma_label": [Interval(Real, 0, None, closed="left")],
        "confidence": [Interval(Real, 0, 1, closed="both")],
        "margin": [Interval(Real, 0, None, closed="neither")],
    }

    def _heads(self, n_latent):  # Fig. 1
        return {"classifier": nn.Linear(n_latent, self.n_clusters)}

    def _needs_zero_diagonal(self):
        return True

    def _bytes_per_pair(self):
        return {"trained": 72, "ridge": 88}

    def _costs(self, out):  # Eq. (11)
        return {
            "reconstruction": (1, lambda: squared_error(out.x, out.x_hat)),
            "locality": (2, lambda: laplacian_cost(out.x, out.x_hat, out.coef)),
            "expression": (self.gamma_expression, lambda: squared_error(out.z, out.z_hat)),
            "graph": (
                self.gamma_graph,
                lambda: contrastive_graph_loss(out.logits, similarity_graph(out.coef), self.margin),
            ),
            "label": (self.gamma_label, lambda: confident_cross_entropy(out.logits, self.confidence)),
        }
