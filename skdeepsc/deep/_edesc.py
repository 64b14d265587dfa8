"""EDESC: efficient deep embedded subspace clustering (Cai, Fan, Guo, Wang, Zhang, Zhang, CVPR 2022)."""

from typing import Literal

from .._params import Epochs, NonNegative, Positive, estimator
from ..losses import basis_cost, sharpening_cost
from ..nn import SubspaceAffinity
from ..training import epochs_of
from ._bases import HasBases

# Epochs of few samples, and steps of many.
_EPOCHS, _STEPS = 10, 100


@estimator
class EDESC(HasBases):
    r"""Efficient deep embedded subspace clustering.

    Bases :math:`D_k` of K subspaces are parameters of the network. A sample belongs to each by its projection, and
    these soft assignments learn from their own sharpened form: neither a self-expression matrix nor spectral
    clustering, and a probability of each cluster for any sample.

    .. math:: \min_{\Theta, D} \|X - \hat X\|_F^2 + \gamma_{subspace} \mathrm{KL}(\tilde S \| S)
              + \gamma_{basis} \tfrac12 (\|D^T D \odot I - I\|_F^2 + \|D^T D \odot O\|_F^2)

    .. math:: s_{ik} = \frac{\|z_i^T D_k\|^2 + \eta d}{\sum_j (\|z_i^T D_j\|^2 + \eta d)}, \qquad
              \tilde s_{ik} \propto \frac{s_{ik}^2}{\sum_i s_{ik}}

    where O leaves out pairs of vectors of one basis, and :math:`\tilde S` is made of a batch. The two terms are in the
    scale of the reconstruction: KL, a sum over the batch, is multiplied by the number of values of a sample, the term
    of the bases by that of all values of the batch.

    Parameters
    ----------
    gamma_basis : float
        Weight of what keeps the vectors of the bases of unit length and different bases orthogonal, for each sample, in
        the scale of the other costs.
    smoothing : float
        :math:`\eta`, in the paper 5, for codes that are not normalised. It softens the assignments.
    max_epochs
        ``"auto"``: 10, or of many samples as many as give 100 steps, at least one: assignments that sharpen themselves
        drift away from the first labels in time.

    See Also
    --------
    KSCN : Bases by singular value decomposition.

    Notes
    -----
    The paper has ``latent_normalization="none"``, ``smoothing=5`` and ``subspace_dim=5``, weights of its terms as they
    stand, and starts from k-means of the codes; here, bases start from k-subspace clustering, as those of
    :class:`KSCN`.

    References
    ----------
    J. Cai, J. Fan, W. Guo, S. Wang, Y. Zhang, Z. Zhang, "Efficient deep embedded subspace clustering", CVPR 2022,
    doi:10.1109/CVPR52688.2022.00012.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import EDESC, AutoEncoder
    >>> images = load_digits(n_class=3).images
    >>> edesc = EDESC(3, autoencoder=AutoEncoder(max_epochs=10), random_state=0)
    >>> edesc.fit(images[:200]).predict_proba(images[200:205]).shape
    (5, 3)
    """

    gamma_subspace: NonNegative = 0.1
    gamma_basis: NonNegative = 1e-3
    smoothing: NonNegative = 0.0
    max_epochs: Epochs | Literal["auto"] = "auto"
    lr: Positive = 1e-4

    def _n_epochs(self, n_samples, batch_size):
        if self.max_epochs == "auto":
            return min(_EPOCHS, epochs_of(_STEPS, n_samples, batch_size))
        return self.max_epochs

    def _subspaces(self, nearest):
        return SubspaceAffinity(nearest.bases.clone(), nearest.mean, nearest.unit, self.smoothing)

    def _subspace_cost(self, out):
        return self.gamma_subspace * out.x[0].numel() * sharpening_cost(out.logits)

    def _costs(self, out):
        costs = super()._costs(out)
        if self.gamma_basis:
            costs["basis"] = self.gamma_basis * out.x.numel() * basis_cost(self.network_.classifier.bases)
        return costs
