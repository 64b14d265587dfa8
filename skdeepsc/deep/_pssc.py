"""PSSC: pseudo-supervised deep subspace clustering (Lv, Kang, Lu, Xu, IEEE TIP 2021)."""

from torch import nn

from .._params import NonNegative, Probability, estimator
from ..losses import confident_cross_entropy, laplacian_cost, pseudo_graph_loss, squared_error
from ._base import BaseDeepSubspaceClustering


@estimator
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
    gamma_expression
        :math:`\gamma_1`.
    gamma_graph : float
        Weight of the pseudo-graph, :math:`\gamma_2`; the term is a mean over pairs of samples.
    gamma_label : float
        Weight of the pseudo-labels, :math:`\gamma_3`; the term is a mean over the confident samples.
    confidence : float
        Least probability of a pseudo-label that supervises, the paper's thres.

    See Also
    --------
    DSCNet : The base without locality and pseudo-supervision.
    skdeepsc.paper_settings : The settings of the papers for their data sets.

    Notes
    -----
    What the paper leaves open, or its released code does otherwise, and what is done here, is told in the
    documentation, "The papers' methods". The paper's way is ``PSSC(**paper_settings("pssc", "orl"))``.

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
    confidence: Probability = 0.8

    def _heads(self, n_latent):  # Fig. 1
        return {"classifier": nn.Linear(n_latent, self.n_clusters)}

    def _costs(self, out):  # Eq. (11)
        costs = {
            "reconstruction": squared_error(out.x, out.x_hat),
            "locality": 2 * laplacian_cost(out.x, out.x_hat, out.coef),
        }
        if self.gamma_expression:
            costs["expression"] = self.gamma_expression * squared_error(out.z, out.z_hat)
        if self.gamma_graph:
            costs["graph"] = self.gamma_graph * pseudo_graph_loss(out.logits, out.coef)
        if self.gamma_label:
            costs["label"] = self.gamma_label * confident_cross_entropy(out.logits, self.confidence)
        return costs

    def _needs_zero_diagonal(self):
        return True

    def _bytes_by_solver(self):
        return {"trained": 72, "ridge": 88}
