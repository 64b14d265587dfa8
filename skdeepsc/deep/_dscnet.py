"""DSC-Net: deep subspace clustering networks (Ji, Zhang, Li, Salzmann, Reid, NeurIPS 2017)."""

from dataclasses import dataclass
from numbers import Real

from .._compat import Interval, StrOptions
from .._docs import shared_parameters
from ..losses import coefficient_norm, squared_error
from ._base import BaseDeepSubspaceClustering


@shared_parameters
@dataclass(repr=False, eq=False, kw_only=True)
class DSCNet(BaseDeepSubspaceClustering):
    r"""Deep subspace clustering network, the base of all deep methods here.

    A pre-trained auto-encoder gets a self-expression layer between encoder and decoder, and all three learn together:

    .. math:: \min_{\Theta, C} \|X - \hat X\|_F^2 + \gamma_{coef} \|C\|_p + \gamma_{expression} \|Z - CZ\|_F^2

    with the codes Z and the images :math:`\hat X` decoded from CZ; samples are rows and all terms are sums. Spectral
    clustering of the affinity made of C gives the labels.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    gamma_coef : float, default={gamma_coef}
        Weight of the norm of C (the paper's :math:`\lambda_1`).
    gamma_expression : float, default={gamma_expression}
        Weight of the self-expression (half the paper's :math:`\lambda_2`, as its term has a factor 1/2).
    norm : {"l2", "l1"}, default="l2"
        Norm of C: ``"l2"`` is :math:`\|C\|_F^2`, ``"l1"`` is :math:`\|C\|_1` with diag(C) = 0.
    {expression_parameters}
    {autoencoder_parameters}

    Attributes
    ----------
    {fitted_attributes}
    {data_attributes}

    See Also
    --------
    PSSC : Adds locality and pseudo-supervision.
    skdeepsc.paper_settings : The settings of the papers for their data sets.

    Notes
    -----
    Where we leave the paper and its code: C is by default the ridge solution on features of unit length, which over
    the image sets measured is better than a trained C and takes seconds; the decoder's last layer is linear;
    pre-training works on batches and ends after a fixed number of steps (the released weights were stopped by eye).
    The paper's own setting is ``DSCNet(**paper_settings("dscnet", "orl"))``; its post-processing is
    ``affinity="enhanced"``, with constants of its own for each data set.

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

    gamma_coef: float = 1.0
    gamma_expression: float = 1.0
    norm: str = "l2"

    _parameter_constraints = {
        **BaseDeepSubspaceClustering._parameter_constraints,
        "gamma_coef": [Interval(Real, 0, None, closed="left")],
        "gamma_expression": [Interval(Real, 0, None, closed="left")],
        "norm": [StrOptions({"l2", "l1"})],
    }

    def _needs_zero_diagonal(self):
        return self.norm == "l1"

    def _costs(self, out):
        return {
            "reconstruction": (1, lambda: squared_error(out.x, out.x_hat)),
            "coef": (self.gamma_coef, lambda: coefficient_norm(out.coef, self.norm)),
            "expression": (self.gamma_expression, lambda: squared_error(out.z, out.z_hat)),
        }
