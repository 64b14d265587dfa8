"""k-SCN: scalable deep k-subspace clustering (Zhang, Ji, Harandi, Hartley, Reid, ACCV 2018)."""

import torch

from .._params import Epochs, Positive, estimator
from ..training.batches import in_blocks
from ._bases import HasBases, refit


@estimator
class KSCN(HasBases):
    r"""k-subspace clustering network.

    The auto-encoder learns codes that lie near K subspaces, and the subspaces follow the codes, without affinity and
    spectral clustering: time grows with the number of samples, memory does not.

    .. math:: \min_{\Theta, \{U_k\}, s} \|X - \hat X\|_F^2
              + \gamma_{subspace} \sum_i \|z_i - U_{s_i} U_{s_i}^T z_i\|^2, \qquad U_k^T U_k = I

    In turn, each sample goes to its nearest subspace :math:`s_i`, each basis :math:`U_k` becomes the leading left
    singular vectors of its codes, and an epoch of batches moves the network.

    Parameters
    ----------
    max_epochs
        After each, the bases are computed anew.

    See Also
    --------
    NCSC : Batches as well, with affinities of the samples in a batch.
    EDESC : Bases that are learnt with the network.

    Notes
    -----
    The paper's codes are not normalised (``latent_normalization="none"``), and it gives its
    dimension for each data set. The bases start from k-subspace clustering of the pre-trained codes, which itself
    starts from `init`.

    References
    ----------
    T. Zhang, P. Ji, M. Harandi, R. Hartley, I. Reid, "Scalable deep k-subspace clustering", ACCV 2018,
    doi:10.1007/978-3-030-20873-8_30, arXiv:1811.01045.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import KSCN, AutoEncoder
    >>> images = load_digits(n_class=3).images
    >>> kscn = KSCN(3, autoencoder=AutoEncoder(max_epochs=10), random_state=0)
    >>> kscn.fit(images[:200]).predict_proba(images[200:205]).shape
    (5, 3)
    """

    max_epochs: Epochs = 10
    lr: Positive = 1e-4

    def _subspace_cost(self, out):
        return self.gamma_subspace * (-out.logits.amax(1)).exp().sum()

    def _end_epoch(self, rows):
        with torch.no_grad():
            codes = (self.network_.eval()(block).z for block in in_blocks(rows))
            refit(self.network_.classifier, codes)
