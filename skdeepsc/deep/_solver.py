"""The two ways to the self-expression matrix C of all samples."""

import math
from typing import Literal

from .._params import AnyReal, Epochs, Estimator, Positive, estimator
from ..nn import RidgeExpression, TrainedExpression

# Where a trained C stops to learn on fixed features: Adam moves each entry by at most its step size an epoch, and the
# entries of a sample that a cluster of n samples expresses are of order 1 / n.
_ENTRIES_GROW_TO = 3.0


@estimator
class RidgeSolver(Estimator):
    r"""C as the exact zero-diagonal minimiser of :math:`\|Z - CZ\|^2 + \lambda \|C\|^2` on the current features.

    It is differentiable, has no parameter that learns, and its diagonal is always zero.

    Parameters
    ----------
    ridge_lambda : float or None
        :math:`\lambda`; ``None``: such that the ridge has the degrees of freedom that the clusterer wants of it.
    """

    ridge_lambda: Positive | None = None

    # Which of a method's figures for memory is meant.
    _name = "ridge"

    @property
    def _needs_freedom(self):
        """Whether C follows from degrees of freedom."""
        return self.ridge_lambda is None

    def _layer(self, z, degrees_of_freedom, weight, needs_zero_diagonal, scaling):
        """The layer for the features `z`; the ridge weighs the norm of C so much more than the self-expression."""
        return RidgeExpression(self.ridge_lambda, degrees_of_freedom, weight=weight, **scaling)

    def _n_epochs(self, cluster_size):
        """Epochs in which C learns alone."""
        return 0


@estimator
class TrainedSolver(Estimator):
    """C as an N x N parameter of the network that is learnt by gradient descent, as in the papers.

    Parameters
    ----------
    coef_init : float or "ridge"
        Start of C: a constant, or the ridge solution on the pre-trained features.
    zero_diagonal : bool or "auto"
        Whether diag(C) = 0 is forced. ``"auto"``: where the method's paper says so, or its l1 norm needs it.
    epochs : int or "auto"
        Epochs in which C alone learns to express the fixed features, before the joint phase. ``"auto"``: until its
        entries can have grown to three over the mean size of a cluster, ``3 * n_clusters / n_samples / lr``; none if C
        starts from the ridge solution. The papers have no such phase.
    lr : float
        Adam's step size in it.
    """

    coef_init: AnyReal | Literal["ridge"] = 1e-8
    zero_diagonal: bool | Literal["auto"] = "auto"
    epochs: Epochs | Literal["auto"] = "auto"
    lr: Positive = 1e-3

    _name = "trained"

    @property
    def _needs_freedom(self):
        return self.coef_init == "ridge"

    def _layer(self, z, degrees_of_freedom, weight, needs_zero_diagonal, scaling):
        init = 0.0 if self.coef_init == "ridge" else self.coef_init
        zero_diagonal = needs_zero_diagonal if self.zero_diagonal == "auto" else self.zero_diagonal
        layer = TrainedExpression(len(z), init, zero_diagonal=zero_diagonal, **scaling)
        if self.coef_init == "ridge":
            layer.start_from_ridge(z, degrees_of_freedom, weight)
        return layer

    def _n_epochs(self, cluster_size):
        if self.epochs != "auto":
            return self.epochs
        return 0 if self.coef_init == "ridge" else math.ceil(_ENTRIES_GROW_TO / cluster_size / self.lr)
