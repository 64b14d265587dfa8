"""DSC-Net: deep subspace clustering networks (Ji, Zhang, Li, Salzmann, Reid, NeurIPS 2017)."""

from typing import Literal

from .._params import Epochs, estimator
from ..losses import coefficient_norm, squared_error
from ._base import BaseDeepSubspaceClustering, HasNorm


@estimator
class DSCNet(HasNorm, BaseDeepSubspaceClustering):
    r"""Deep subspace clustering network.

    A pre-trained auto-encoder gets a self-expression layer between encoder and decoder, and all three learn together:

    .. math:: \min_{\Theta, C} \|X - \hat X\|_F^2 + \gamma_{coef} \|C\|_p + \gamma_{expression} \|Z - CZ\|_F^2

    with the codes Z and the images :math:`\hat X` decoded from CZ; samples are rows and all terms are sums. Spectral
    clustering of the affinity made of C gives the labels. By default there is no such joint phase (see `max_epochs`):
    C is the ridge solution on the codes of the pre-trained auto-encoder.

    Parameters
    ----------
    gamma_coef
        The paper's :math:`\lambda_1`, where its reconstruction has no factor 1/2, as in its code for COIL; where it has
        one, as for ORL and Extended Yale B, twice that.
    gamma_expression
        Of the paper's :math:`\lambda_2`, whose term has a factor 1/2, half where the reconstruction has none, else all.
    norm : {"l2", "l1"}
        Norm of C: ``"l2"`` is :math:`\|C\|_F^2`, ``"l1"`` is :math:`\|C\|_1` with diag(C) = 0. It acts where C is
        trained, ``solver="trained"``: the ridge minimises the squared norm whatever the cost of the joint phase is.
    max_epochs : int or "auto"
        Epochs of the joint phase, of all samples at once. 0 clusters the pre-trained features, which by the ridge is as
        good as after a joint phase; ``"auto"`` is 20.

    See Also
    --------
    PSSC : Adds locality and pseudo-supervision.
    skdeepsc.paper_settings : The settings of the papers for their data sets.

    Notes
    -----
    The paper's own setting is ``DSCNet(**paper_settings("dscnet", "orl"))``. Where we leave the paper and its code,
    such as C by ridge regression, is told in the documentation, "The papers' methods".

    References
    ----------
    P. Ji, T. Zhang, H. Li, M. Salzmann, I. Reid, "Deep subspace clustering networks", NeurIPS 2017, arXiv:1709.02508.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import DSCNet
    >>> images, digits = load_digits(n_class=3, return_X_y=True)
    >>> labels = DSCNet(n_clusters=3, image_shape=(8, 8), random_state=0).fit_predict(images[:200])
    >>> labels.shape
    (200,)
    """

    norm: Literal["l2", "l1"] = "l2"
    max_epochs: Epochs | Literal["auto"] = 0

    def _costs(self, out):
        return {"reconstruction": squared_error(out.x, out.x_hat), **self._expression_costs(out)}

    def _norm_of(self, coef):
        return coefficient_norm(coef, self.norm)

    def _needs_zero_diagonal(self):
        return self.norm == "l1"
