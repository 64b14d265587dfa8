"""NCSC: neural collaborative subspace clustering (Zhang, Ji, Harandi, Huang, Li, ICML 2019)."""

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from numbers import Integral, Real
from typing import Annotated, Any, Literal, Self

import torch
from numpy.typing import ArrayLike

from .._compat import Interval
from .._dimension import best_graph
from .._mapped import unchanged
from .._memory import require_batch_memory
from .._params import Count, Epochs, NonNegative, Positive, Probability, estimator, fits
from .._random import seeded
from ..features import AutoEncoder
from ..losses import (
    balance_cost,
    classifier_affinity,
    negative_cross_entropy,
    negative_pairs,
    positive_cross_entropy,
    positive_pairs,
    squared_error,
    subspace_affinity,
)
from ..nn import RidgeExpression, classifier_for
from ..training import Phase, epochs_of
from ..training.batches import rows_for
from ..training.callbacks import CountClusters, Weigh
from ..training.construction import Construction
from ._base import Expresses, HasNorm
from ._classifier import LabelsByClassifier
from ._first_labels import StartsFromLabels, graphs_by_dim, learning_phase

# What "auto" stands for: our additions to the objective, and the objective as printed.
_SWITCHES = ("init", "expressed", "negatives", "n_positives", "gamma_balance", "latent_normalization")
_VARIANTS = {
    "stabilized": dict(zip(_SWITCHES, ("head", "head", "symmetric", 1, 1.0, "centered"), strict=True)),
    "paper": dict(zip(_SWITCHES, ("none", "codes", "printed", "all", 0.0, "none"), strict=True)),
}
# Optimiser steps of each stage whose epochs are "auto".
_STEPS = {"subspace": 10, "classify": 20, "joint": 100}
# For each sample, what the collaboration counts as at least: predictions that are all alike cost next to nothing.
_LEAST_COST = 0.01
_PAIR_BYTES = 70  # For each pair of samples of a batch, at the peak of training.
_ADVICE = (
    "Choose variant='stabilized', a larger gamma_balance, init='head' or a clusterer, or a smaller max_epochs; "
    "'clusters' in history_ tells when it happened."
)
Threshold = Probability | Sequence[float]


@estimator
class NCSC(LabelsByClassifier, StartsFromLabels, HasNorm, Expresses):
    r"""Neural collaborative subspace clustering.

    Trained in batches, labels by a classifier: neither memory nor time for a sample grows with the number of samples.
    In each batch two affinities are made, :math:`A_s` of the self-expression of the codes and :math:`A_c` of the
    predictions of a classifier. The former is trusted on pairs of one cluster, the latter on pairs of two, and each
    supervises the other. Eqs (8), (9), (5):

    .. math:: \|X - \hat X\|_F^2 + \gamma_{coef} \|C\|_F^2 + \gamma_{expression} \|Z - CZ\|_F^2
              + \lambda_{cl} \Omega, \qquad \mathrm{diag}(C) = 0

    .. math:: \Omega = -\sum_{A_s(i, j) > u} A_s(i, j) \log A_c(i, j)
              - \alpha \sum_{A_c(i, j) < l} (1 - A_c(i, j)) \log(1 - A_s(i, j))

    with means over the selected pairs for the sums, which is what the paper's :math:`\alpha` amounts to. As printed,
    the objective is lowest when all samples are in one cluster, and training gets there; by default additions of this
    package keep it from that, see `variant`. C of a batch is the ridge solution on its codes, or on what a head makes
    of them.

    Parameters
    ----------
    variant : {"stabilized", "paper"}
        What ``"auto"`` means in `init`, `expressed`, `negatives`, `n_positives`, `gamma_balance` and
        `latent_normalization`: ``"head"``, ``"head"``, ``"symmetric"``, 1, 1.0 and ``"centered"``, which are this
        package's; or the printed objective, ``"none"``, ``"codes"``, ``"printed"``, ``"all"``, 0.0 and ``"none"``, with
        the ridge penalty ``gamma_coef / gamma_expression`` that makes C the minimiser of Eq. (9).
    init
        The head labels all samples, those that it has not learnt from by their nearest neighbour among the others, and
        the classifier learns all of these labels.
    expressed : {"auto", "codes", "head"}
        What C of a batch is computed from, once there are first labels: the codes, as in the paper, or what the head of
        ``init="head"`` makes of them, with the dimension that these features have. The head stays as it has been
        learnt. By other first labels it is always the codes.
    gamma_coef
        In the paper 2, as its other terms have factors 1/2.
    gamma_expression
        :math:`\lambda_1`, in the paper 10.
    gamma_collaboration : float
        What :math:`\Omega` is worth at the first joint step, as a share of the other costs, so that "these two terms
        are in the same scale"; it counts as .01 for each sample at least. The weight that follows,
        :math:`\lambda_{cl}`, is kept in `collaboration_weight_`. 0 leaves :math:`\Omega` out of the joint stage.
    gamma_balance : float or "auto"
        Weight, in :math:`\Omega`, of what the mean prediction of a batch lacks to the largest entropy
        (:func:`~skdeepsc.losses.balance_cost`). Not in the paper. Lower it where clusters differ much in size.
    positive_threshold : float or tuple of two float
        u. A pair: in the first epoch of collaboration, and afterwards.
    negative_threshold : float or tuple of two float
        l, likewise.
    n_positives : int, "all" or "auto"
        The most positive pairs of each row, by :math:`A_s`. Not in the paper. The largest of a row is 1, so that by
        default u selects no positive pairs, but negative ones alone, see `negatives`.
    negatives : {"auto", "printed", "symmetric"}
        ``"printed"``: by Eq. (7) negative pairs lower :math:`A_s` alone, and nothing ever parts the predictions of two
        samples. ``"symmetric"``: those that self-expression, too, holds for negative (:math:`A_s < u`) lower
        :math:`A_c`, and teachers are not differentiated.
    subspace_epochs : int or "auto"
        Epochs of the first stage, by Eq. (9). ``"auto"``, here and below: as many as give 10, 20 and 100 steps.
    classifier_epochs : int or "auto"
        Epochs of the second stage, in which the classifier alone learns, by Eq. (5).
    lr
        For all but the auto-encoder, in all stages.
    autoencoder_lr : float
        Adam's step size for the auto-encoder after pre-training.
    batch_size
        Batches of a fit are of equal size, but for the last one, which may be smaller. Memory grows with its square.

    Attributes
    ----------
    labels_
        Of the last `fit` or `partial_fit`; consecutive after `fit`.
    collaboration_weight_ : float or None
        :math:`\lambda_{cl}`; ``None`` without a joint stage.
    history_
        Phases are ``"pretrain"``, ``"subspace"``, ``"init"``, ``"classify"`` and ``"joint"``; ``clusters`` is the
        number of clusters with a tenth of a fair share of the samples or more.

    See Also
    --------
    S2ConvSCN : A classifier that is supervised by spectral clustering of all samples.

    Notes
    -----
    Memory-mapped uint8 or float32 arrays are read batch by batch. A collapse is told by a ConvergenceWarning.
    What the paper leaves open is told in the documentation, "NCSC".

    References
    ----------
    T. Zhang, P. Ji, M. Harandi, W. Huang, H. Li, "Neural collaborative subspace clustering", ICML 2019,
    arXiv:1904.10596.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import NCSC, AutoEncoder
    >>> images = load_digits(n_class=3).images
    >>> ncsc = NCSC(3, autoencoder=AutoEncoder(max_epochs=10), init="spectral", max_epochs=5, random_state=0)
    >>> ncsc.fit(images[:200]).predict_proba(images[200:205]).shape
    (5, 3)
    """

    variant: Literal["stabilized", "paper"] = "stabilized"
    gamma_collaboration: NonNegative = 1.0
    gamma_balance: NonNegative | Literal["auto"] = "auto"
    positive_threshold: Threshold = 0.1
    negative_threshold: Threshold = (0.7, 0.9)
    n_positives: Count | Literal["auto", "all"] = "auto"
    negatives: Literal["auto", "printed", "symmetric"] = "auto"
    expressed: Literal["auto", "codes", "head"] = "auto"
    subspace_epochs: Epochs | Literal["auto"] = "auto"
    classifier_epochs: Epochs | Literal["auto"] = "auto"
    autoencoder_lr: Positive = 1e-4
    batch_size: Annotated[int, Interval(Integral, 2, None, closed="left")] | Literal["all"] = 5000

    _drawing = ("pretrain", "train", "init")
    _changing = ("collaboration_weight_", "_is_first_epoch")
    _is_first_epoch = True

    # Fig. 1

    def _check_parts(self):
        super()._check_parts()
        for name in ("positive_threshold", "negative_threshold"):
            value = getattr(self, name)
            pair = (value, value) if isinstance(value, Real) else tuple(value)
            if len(pair) != 2 or not all(isinstance(part, Real) and 0 <= part <= 1 for part in pair):
                raise ValueError(f"{name} must be a number in [0, 1], or two of them; got {value!r}.")
        if self.expressed == "head" and not self._starts_from("head"):
            raise ValueError(f"expressed='head' needs the head of init='head'; got init={self.init!r}.")

    def _default_autoencoder(self):
        return AutoEncoder(channels=(10, 20, 30))

    def _build(self, samples, rows):
        """Add self-expression and classifier to the pre-trained network."""
        code_shape = self.network_.code_shape(rows[:2])
        self._n_latent = math.prod(code_shape)
        self.subspace_dim_ = self._dimension(samples)
        with Construction():
            self.network_.classifier = classifier_for(code_shape, self.n_clusters)
        self.network_.expression = self._ridge()
        self.network_.to(self.device_)

    def _ridge(self):
        freedom = self.subspace_dim_ * self.n_clusters
        return RidgeExpression(self._ridge_lambda(), freedom, weight=self._weight_of_norm(), **self._scaling())

    def _ridge_lambda(self):
        """The ridge penalty, if it does not follow from degrees of freedom."""
        is_printed = self.variant == "paper" and self.gamma_coef and self.gamma_expression
        return self.gamma_coef / self.gamma_expression if is_printed else None

    def _dimension(self, samples):
        """The expected dimension of a subspace, by the codes of those that may get the first labels."""
        if self.subspace_dim != "auto":
            return self.subspace_dim
        graphs, group = graphs_by_dim(self._first_codes(samples), self.n_clusters), self._group()
        dim, *_ = best_graph(graphs, self.n_clusters, self._seeds["init"])
        return dim if group is None else group.agree(dim)

    def _initialize(self, samples, progress):
        """Let the classifier learn first labels, of all samples where a head tells them."""
        if progress.stopped or self._starts_from("none"):
            return
        rows = self._first(samples)
        if self._starts_from("head") and len(rows) > 1:
            (labels, head, dim), rows = self._labels_by_head(samples, rows, self.subspace_dim), samples
            if self._resolved("expressed") == "head":
                self.subspace_dim_, self.network_.features = dim, head.to(self.device_)
                self.network_.expression = self._ridge()
        else:
            labels = self._first_labels(samples, self.subspace_dim_)
        self.network_.segments = torch.from_numpy(labels).to(self.device_)
        self._run(learning_phase(len(rows), self.lr), rows_for(rows, self.device_), progress)
        self.network_.segments = None

    # Eqs (5), (8), (9)

    def _subspace_costs(self, out):  # Eq. (9), twice
        return {"reconstruction": squared_error(out.x, out.x_hat), **self._expression_costs(out)}

    def _collaboration_costs(self, out):  # Eq. (5), for each sample
        (u, l), n = self._thresholds(), len(out.z)  # noqa: E741
        symmetric, n_positives, gamma_balance = map(self._resolved, ("negatives", "n_positives", "gamma_balance"))
        symmetric = symmetric == "symmetric"
        a_s = subspace_affinity(out.coef, signed=self._scaling()["center"])
        a_c = classifier_affinity(out.logits)
        positive = positive_pairs(a_s, u, None if n_positives == "all" else n_positives)
        negative = negative_pairs(a_c, l)
        costs = {
            "positive": n * positive_cross_entropy(a_s, a_c, positive),  # Eq. (6)
            "negative": n * negative_cross_entropy(a_c.detach() if symmetric else a_c, a_s, negative),  # Eq. (7)
        }
        if symmetric:
            costs["repulsion"] = n * negative_cross_entropy(a_s.detach(), a_c, negative & (a_s < u))
        if gamma_balance:
            costs["balance"] = n * gamma_balance * balance_cost(out.logits)
        return costs

    def _costs(self, out):  # Eq. (8)
        costs = self._subspace_costs(out)
        if self.gamma_collaboration:
            collaboration = self._collaboration_costs(out)
            costs |= {name: self.collaboration_weight_ * cost for name, cost in collaboration.items()}
        return costs

    def _weigh(self, out):
        """Set the weight of the collaboration, by the costs of the first joint step."""
        if self.collaboration_weight_ is None:
            others, collaboration = (
                sum(cost.item() for cost in costs(out).values())
                for costs in (self._subspace_costs, self._collaboration_costs)
            )
            least = _LEAST_COST * len(out.x)
            self.collaboration_weight_ = self.gamma_collaboration * (others or 1.0) / max(collaboration, least)

    def _thresholds(self):
        """u and l of the present epoch."""
        both = (self.positive_threshold, self.negative_threshold)
        return [pair if isinstance(pair, Real) else pair[not self._is_first_epoch] for pair in both]

    def _resolved(self, name):
        """A parameter that the variant decides where it is "auto"."""
        value = getattr(self, name)
        return _VARIANTS[self.variant][name] if isinstance(value, str) and value == "auto" else value

    def _auto_normalization(self):
        return self._resolved("latent_normalization")

    def _end_first_epoch(self):
        self._is_first_epoch = False

    # Algorithm 1

    def _phases(self, n_samples):
        counted = CountClusters(self.n_clusters, _ADVICE, self._end_first_epoch)
        batch_size = self._batch_rows(n_samples)
        part_lrs = {"encoder": self.autoencoder_lr, "decoder": self.autoencoder_lr}

        def phase(name, costs, epochs, parts=None, callbacks=()):
            epochs = epochs_of(_STEPS[name], n_samples, batch_size) if epochs == "auto" else epochs
            return Phase(name, costs, epochs, self.lr, parts, part_lrs, batch_size, callbacks)

        parts, watched = ("encoder", "decoder", "expression"), (Weigh(self._weigh), counted)
        return [
            phase("subspace", self._subspace_costs, self.subspace_epochs, parts),
            phase("classify", self._collaboration_costs, self.classifier_epochs, ("classifier",), (counted,)),
            phase("joint", self._costs, self.max_epochs, (*parts, "classifier"), watched),
        ]

    def _n_tasks(self):
        return 6

    def _represent(self, samples, progress):
        self.network_, self.history_ = self._pretrain(samples, progress)
        self.n_iter_, self.collaboration_weight_ = 0, None
        rows = rows_for(samples, self.device_)
        with seeded(self._seeds["train"], self.device_, shared=self._runs_foreign_code()):
            self._build(samples, rows)
            subspace, classify, joint = self._phases(len(rows))
            self._run(subspace, rows, progress)
            self._initialize(samples, progress)
            self._run(classify, rows, progress)
            self._run(joint, rows, progress)

    @fits
    def partial_fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Continue with one epoch of the joint stage; the first call is `fit`. Clusters keep their numbers.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
        y : Ignored

        Returns
        -------
        self : NCSC

        Raises
        ------
        ValueError
            If `n_clusters` is no longer what it was in `fit`.
        """
        if not hasattr(self, "labels_"):
            return self.fit(X)
        if self.n_clusters != len(self._classes):
            raise ValueError(
                f"n_clusters was {len(self._classes)} in fit and is {self.n_clusters}: partial_fit goes on with the "
                "clusters that there are; fit finds others."
            )
        samples = self._read(X, reset=False)
        require_batch_memory(len(samples), self._batch_rows(len(samples)), _PAIR_BYTES, self.device_)
        self.network_ = deepcopy(self.network_)
        with unchanged(samples), self._reported(samples, 2) as progress:
            with seeded(self._draw_seeds(self.n_iter_ + 1)[-1], self.device_, shared=self._runs_foreign_code()):
                *_, joint = self._phases(len(samples))
                self._run(replace(joint, epochs=1), rows_for(samples, self.device_), progress)
            with progress.task("segment"):
                self.labels_ = self._label_together(samples)
        return self

    def _draw_rows(self, samples):
        super()._draw_rows(samples)
        require_batch_memory(len(samples), self._batch_rows(len(samples)), _PAIR_BYTES, self.device_)
