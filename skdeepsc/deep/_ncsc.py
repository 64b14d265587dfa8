"""NCSC: neural collaborative subspace clustering (Zhang, Ji, Harandi, Huang, Li, ICML 2019)."""

import math
import warnings
from copy import deepcopy
from dataclasses import dataclass, field, replace
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import ClusterMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted
from torch.nn import functional as F

from .._compat import HasMethods, Interval, StrOptions, fit_context
from .._docs import shared_parameters
from .._input import as_samples
from .._memory import available_bytes
from .._random import draw_rows, seeded
from ..losses import (
    balance_cost,
    classifier_affinity,
    coefficient_norm,
    negative_cross_entropy,
    negative_pairs,
    positive_cross_entropy,
    positive_pairs,
    squared_error,
    subspace_affinity,
)
from ..nn import (
    BlockExpression,
    RidgeExpression,
    TrainedExpression,
    conv_classifier,
    dense_classifier,
)
from ..training import Phase
from ..training.batches import as_rows
from ..training.callbacks import CountClusters
from ..training.run import Progress
from ._autoencoder import BaseAutoEncoding
from ._base import precise, weighted
from ._initial import labels_by_clusterer, labels_by_codes

# What "auto" stands for: our additions to the objective, and the objective as printed.
_VARIANTS = {
    "stabilized": {
        "init": "spectral",
        "negatives": "symmetric",
        "n_positives": 5,
        "gamma_balance": 1.0,
        "latent_normalization": "centered",
    },
    "paper": {
        "init": "none",
        "negatives": "printed",
        "n_positives": "all",
        "gamma_balance": 0.0,
        "latent_normalization": "none",
    },
}
# Optimiser steps of each stage whose epochs are "auto".
_STEPS = {"subspace": 10, "classify": 20, "joint": 100}
# Steps in which the classifier learns the initial labels, the fewest and the most epochs, and samples of a step.
_INIT_STEPS, _INIT_EPOCHS, _INIT_BATCH = 300, (10, 100), 250
# Bytes for each pair of samples of a batch at the peak of training; bytes of a trained coefficient.
_PAIR_BYTES, _COEF_BYTES = 70, 16
# Samples that are classified at once: in float64, the classifier's maps of large images take 100 kB for each.
_CLASSIFIED_ROWS = 1024
# A cluster is in use if it has this share of the samples that it would have if all were of equal size.
_FAIR_SHARE = 0.1
_ADVICE = (
    "Choose variant='stabilized', a larger gamma_balance, init='spectral' or a clusterer, or a smaller max_epochs; "
    "'clusters' in history_ tells when it happened."
)


@shared_parameters
@dataclass(repr=False, eq=False, kw_only=True)
class NCSC(ClusterMixin, BaseAutoEncoding):
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
    the objective is lowest when all samples are in one cluster, and training gets there; by default four additions keep
    it from that, see `variant`.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    variant : {"stabilized", "paper"}, default="stabilized"
        What ``"auto"`` means in `init`, `negatives`, `n_positives`, `gamma_balance` and `latent_normalization`:
        ``"spectral"``, ``"symmetric"``, 5, 1.0 and ``"centered"``, which are this package's; or the printed
        objective, ``"none"``, ``"printed"``, ``"all"``, 0.0 and ``"none"``, with the ridge penalty
        ``gamma_coef / gamma_expression`` that makes C the minimiser of Eq. (9).
    gamma_coef : float, default={gamma_coef}
        Weight of the norm of C (2: the paper's 1, as its other terms have factors 1/2).
    gamma_expression : float, default={gamma_expression}
        Weight of the self-expression, the paper's :math:`\lambda_1`.
    gamma_collaboration : float, default={gamma_collaboration}
        Weight of :math:`\Omega` for each sample, as a share of the other costs at the first joint step, so that "these
        two terms are in the same scale"; the weight that follows, :math:`\lambda_{cl}`, is kept in
        `collaboration_weight_`. 0 leaves :math:`\Omega` out of the joint stage.
    gamma_negative : float, default={gamma_negative}
        Weight of the negative pairs in :math:`\Omega`, as a multiple of the paper's collaboration rate :math:`\alpha`,
        the ratio of the numbers of positive and negative pairs.
    gamma_balance : float or "auto", default="auto"
        Weight, in :math:`\Omega`, of what the mean prediction of a batch lacks to the largest entropy
        (:func:`~skdeepsc.losses.balance_cost`). Not in the paper. Lower it where clusters differ much in size.
    positive_threshold : float or tuple of two float, default={positive_threshold}
        u. A pair: in the first epoch of collaboration, and afterwards.
    negative_threshold : float or tuple of two float, default={negative_threshold}
        l, likewise.
    n_positives : int, "all" or "auto", default="auto"
        The most positive pairs of each row, those with the largest :math:`A_s`. Not in the paper: above u = 0.1 lies
        half of all pairs of MNIST, and one in five of them is right; of the five largest of a row, five in six.
    negatives : {"auto", "printed", "symmetric"}, default="auto"
        ``"printed"``: by Eq. (7) negative pairs lower :math:`A_s` alone, and nothing ever parts the predictions of two
        samples. ``"symmetric"``: those that self-expression, too, holds for negative (:math:`A_s < u`) lower
        :math:`A_c`, and teachers are not differentiated.
    init : {"auto", "none", "spectral"} or clusterer, default="auto"
        Labels of `init_size` samples that the classifier learns first. ``"spectral"``: spectral clustering of the five
        largest positive coefficients of each row. A clusterer is cloned and its `fit_predict` gets the rows, or the
        images if its tags say that it takes three-dimensional arrays: :class:`~skdeepsc.SubspaceClustering` finds
        better labels.
    init_size : int, default={init_size}
        The most samples of which first labels are found, drawn at random. ``"spectral"`` holds no matrix of their
        pairs, so that they may be more than a batch.
    classifier : {"auto", "conv", "dense"}, default="auto"
        Head on the codes: :class:`~skdeepsc.nn.conv_classifier` or :class:`~skdeepsc.nn.dense_classifier`. ``"auto"``:
        convolutional where the codes are maps.
    classifier_sizes : "auto" or tuple of int, default="auto"
        Filters or widths of its hidden layers. ``"auto"``: (64, 64, 64) or (128,).
    solver : {"ridge", "trained"}, default="ridge"
        How the C of a batch is found. ``"ridge"``: the exact zero-diagonal minimiser of
        :math:`\|Z - CZ\|^2 + \lambda \|C\|^2`, differentiable, without any parameter, so that batches are drawn anew
        in each epoch. ``"trained"``: batches are the same in all epochs, and each has a C that is a parameter of the
        network; their memory grows with n_samples * batch_size.
    subspace_dim : float, default={subspace_dim}
        Expected dimension q of a subspace: :math:`\lambda` gives the ridge of the first batch ``n_clusters * q``
        effective degrees of freedom.
    ridge_lambda : float or None, default=None
        :math:`\lambda` itself; ``None``: from `subspace_dim`, or see `variant`.
    latent_normalization : {"auto", "none", "unit", "centered"}, default="auto"
        What is done to the codes of a batch before they express each other: nothing; rows scaled to unit length; the
        mean subtracted, then rows scaled, where only positive coefficients count in :math:`A_s`.
    coef_init : float or "ridge", default="ridge"
        Start of a trained C. It gets one step an epoch.
    batch_size : int, default={batch_size}
        Most samples in a batch; batches of a fit are of equal size. Memory grows with its square.
    subspace_epochs : int or "auto", default="auto"
        Epochs of the first stage, auto-encoder and C by Eq. (9). ``"auto"``: as many as give 10 steps.
    classifier_epochs : int or "auto", default="auto"
        Epochs of the second stage, the classifier by Eq. (5). ``"auto"``: as many as give 20 steps.
    max_epochs : int or "auto", default="auto"
        Epochs of the joint stage, Eq. (8). ``"auto"``: as many as give 100 steps.
    lr : float, default={lr}
        Adam's step size for all but the auto-encoder, in all stages.
    autoencoder_lr : float, default={autoencoder_lr}
        Adam's step size for the auto-encoder after pre-training.
    {autoencoder_parameters}

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,), int64
        Cluster of each sample of the last `fit` or `partial_fit`; consecutive from 0 after `fit`.
    network_ : SubspaceNetwork
        Encoder, decoder and classifier.
    collaboration_weight_ : float or None
        :math:`\lambda_{cl}`; ``None`` without a joint stage.
    history_ : list of dict
        One entry an epoch: ``phase`` (``"pretrain"``, ``"subspace"``, ``"init"``, ``"classify"``, ``"joint"``),
        ``epoch``, every cost under its name (weighted, a sum over the samples), ``train_loss`` (their sum),
        ``seconds``, and ``clusters``, the number of clusters with a tenth of a fair share of the samples or more.
    n_iter_ : int
        Epochs of all phases after pre-training.
    {data_attributes}

    Warns
    -----
    ConvergenceWarning
        While training, if no more than half of the clusters are in use.

    See Also
    --------
    S2ConvSCN : A classifier that is supervised by spectral clustering of all samples.
    skdeepsc.paper_settings : The settings of the paper for its data sets.

    Notes
    -----
    Arrays of type uint8 or float32 in C order, memory-mapped ones as well, are never copied: rows are read batch by
    batch. On a GPU they go to the device as a whole if they take less than a quarter of its free memory.

    What the paper leaves open, and what is done here:

    - C of a batch is not defined where batches are drawn anew. The ridge solution on the codes is the minimiser of the
      two terms of Eq. (9) that hold C.
    - The cross-entropies lack their sign; the scale of :math:`A_s` is that of section 4, not of Eq. (4).
    - The printed thresholds, u = 0.1 and l = 0.7, then 0.9, are those of Eqs (6) and (7).
    - :math:`\lambda_{cl}`, :math:`\alpha`, the numbers of epochs of the stages and the widths of the classifier are
      not published.

    References
    ----------
    T. Zhang, P. Ji, M. Harandi, W. Huang, H. Li, "Neural collaborative subspace clustering", ICML 2019,
    arXiv:1904.10596.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import NCSC
    >>> images, digits = load_digits(n_class=3, return_X_y=True)
    >>> ncsc = NCSC(n_clusters=3, image_shape=(8, 8), channels=(20,), random_state=0).fit(images[:200])
    >>> ncsc.predict_proba(images[200:205]).shape
    (5, 3)
    """

    n_clusters: int = field(default=8, kw_only=False)
    variant: str = "stabilized"
    gamma_coef: float = 2.0
    gamma_expression: float = 10.0
    gamma_collaboration: float = 1.0
    gamma_negative: float = 1.0
    gamma_balance: float | str = "auto"
    positive_threshold: float | tuple = 0.1
    negative_threshold: float | tuple = (0.7, 0.9)
    n_positives: int | str = "auto"
    negatives: str = "auto"
    init: object = "auto"
    init_size: int = 5000
    classifier: str = "auto"
    classifier_sizes: tuple | str = "auto"
    solver: str = "ridge"
    subspace_dim: float = 2
    ridge_lambda: float | None = None
    latent_normalization: str = "auto"
    coef_init: float | str = "ridge"
    batch_size: int = 5000
    subspace_epochs: int | str = "auto"
    classifier_epochs: int | str = "auto"
    max_epochs: int | str = "auto"
    lr: float = 1e-3
    autoencoder_lr: float = 1e-5
    channels: tuple = (10, 20, 30)

    _parameter_constraints = {
        **BaseAutoEncoding._parameter_constraints,
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "variant": [StrOptions(set(_VARIANTS))],
        "gamma_coef": [Interval(Real, 0, None, closed="left")],
        "gamma_expression": [Interval(Real, 0, None, closed="left")],
        "gamma_collaboration": [Interval(Real, 0, None, closed="left")],
        "gamma_negative": [Interval(Real, 0, None, closed="left")],
        "gamma_balance": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "positive_threshold": [Interval(Real, 0, 1, closed="both"), tuple, list],
        "negative_threshold": [Interval(Real, 0, 1, closed="both"), tuple, list],
        "n_positives": [StrOptions({"auto", "all"}), Interval(Integral, 1, None, closed="left")],
        "negatives": [StrOptions({"auto", "printed", "symmetric"})],
        "init": [StrOptions({"auto", "none", "spectral"}), HasMethods("fit_predict")],
        "init_size": [Interval(Integral, 1, None, closed="left")],
        "classifier": [StrOptions({"auto", "conv", "dense"})],
        "classifier_sizes": [StrOptions({"auto"}), tuple, list],
        "solver": [StrOptions({"ridge", "trained"})],
        "subspace_dim": [Interval(Real, 0, None, closed="neither")],
        "ridge_lambda": [Interval(Real, 0, None, closed="neither"), None],
        "latent_normalization": [StrOptions({"auto", "none", "unit", "centered"})],
        "coef_init": [Interval(Real, None, None, closed="neither"), StrOptions({"ridge"})],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "subspace_epochs": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "classifier_epochs": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "max_epochs": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "autoencoder_lr": [Interval(Real, 0, None, closed="neither")],
    }

    # Fig. 1

    def _build(self, rows):
        """Add self-expression and classifier to the pre-trained network."""
        encoder = self.network_.encoder.eval()
        with torch.inference_mode():
            x = self.network_(rows[:2]).x
            flattens = isinstance(encoder, torch.nn.Sequential) and isinstance(encoder[-1], torch.nn.Flatten)
            code_shape = tuple((encoder[:-1] if flattens else encoder)(x).shape[1:])
        self._n_latent = math.prod(code_shape)
        self.network_.classifier = self._classifier(code_shape)
        self.network_.expression = RidgeExpression(*self._ridge(), **self._scaling())
        self.network_.to(self.device_)

    def _classifier(self, code_shape):
        kind, sizes = self.classifier, self.classifier_sizes
        if kind == "auto":
            kind = "conv" if len(code_shape) == 3 else "dense"
        if kind == "conv" and len(code_shape) != 3:
            raise ValueError(f"classifier='conv' needs codes that are maps, but they have shape {code_shape}.")
        if kind == "conv":
            return conv_classifier(code_shape, (64, 64, 64) if sizes == "auto" else sizes, self.n_clusters)
        return dense_classifier(self._n_latent, (128,) if sizes == "auto" else sizes, self.n_clusters)

    def _ridge(self):
        """Ridge penalty, if it is given, and effective degrees of freedom."""
        lam = self.ridge_lambda
        if lam is None and self.variant == "paper" and self.gamma_coef and self.gamma_expression:
            lam = self.gamma_coef / self.gamma_expression
        return lam, self.subspace_dim * self.n_clusters

    def _scaling(self):
        normalization = self._switch("latent_normalization")
        return {"center": normalization == "centered", "unit": normalization in ("unit", "centered")}

    def _blocks(self, rows):
        """Fixed batches, each with a C of its own, for a trained C."""
        blocks = torch.randperm(len(rows)).split(self._batch_rows_of(len(rows)))
        ridge = self.network_.expression
        with torch.no_grad():
            layers = [
                TrainedExpression(
                    len(block),
                    ridge(self.network_(rows[block]).z) if self.coef_init == "ridge" else self.coef_init,
                    zero_diagonal=True,
                )
                for block in blocks
            ]
        self.network_.expression = BlockExpression(blocks, layers, **self._scaling()).to(self.device_)
        return blocks

    # Eqs (5), (8), (9)

    def _subspace_costs(self, out):  # Eq. (9), twice
        return {
            "reconstruction": (1, lambda: squared_error(out.x, out.x_hat)),
            "coef": (self.gamma_coef, lambda: coefficient_norm(out.coef)),
            "expression": (self.gamma_expression, lambda: squared_error(out.z, out.z_hat)),
        }

    def _collaboration_costs(self, out):  # Eq. (5), for each sample
        symmetric, n_positives = self._switch("negatives") == "symmetric", self._switch("n_positives")
        u, l = self._thresholds()  # noqa: E741
        a_s = subspace_affinity(out.coef, signed=self._scaling()["center"])
        a_c = classifier_affinity(out.logits)
        positive = positive_pairs(a_s, u, None if n_positives == "all" else n_positives)
        negative = negative_pairs(a_c, l)
        teacher = a_c.detach() if symmetric else a_c
        n, gamma = len(out.z), self.gamma_negative
        return {
            "positive": (n, lambda: positive_cross_entropy(a_s, a_c, positive)),  # Eq. (6)
            "negative": (n * gamma, lambda: negative_cross_entropy(teacher, a_s, negative)),  # Eq. (7)
            "repulsion": (
                n * gamma * symmetric,
                lambda: negative_cross_entropy(a_s.detach(), a_c, negative & (a_s < u)),
            ),
            "balance": (n * self._switch("gamma_balance"), lambda: balance_cost(out.logits)),
        }

    def _costs(self, out):  # Eq. (8)
        subspace = weighted(self._subspace_costs(out))
        if self.collaboration_weight_ is None:
            total = sum(cost.item() for cost in subspace.values())
            self.collaboration_weight_ = self.gamma_collaboration * (total or 1.0) / len(out.x)
        if not self.gamma_collaboration:
            return subspace
        collaboration = weighted(self._collaboration_costs(out))
        return subspace | {name: self.collaboration_weight_ * cost for name, cost in collaboration.items()}

    def _thresholds(self):
        """u and l of the present epoch."""
        both = (self.positive_threshold, self.negative_threshold)
        return [pair if isinstance(pair, Real) else pair[not self._is_first_epoch] for pair in both]

    def _switch(self, name):
        """A parameter that the variant decides where it is "auto"."""
        value = getattr(self, name)
        return _VARIANTS[self.variant][name] if isinstance(value, str) and value == "auto" else value

    # Algorithm 1

    def _phases(self, n_samples, blocks):
        rest = {
            "lr": self.lr,
            "part_lrs": {"encoder": self.autoencoder_lr, "decoder": self.autoencoder_lr},
            "batch_size": self._batch_rows_of(n_samples),
            "blocks": blocks,
        }
        subspace = Phase(
            "subspace",
            lambda out: weighted(self._subspace_costs(out)),
            self._epochs("subspace", self.subspace_epochs, n_samples),
            parts=("encoder", "decoder", "expression"),
            **rest,
        )
        classify = Phase(
            "classify",
            lambda out: weighted(self._collaboration_costs(out)),
            self._epochs("classify", self.classifier_epochs, n_samples),
            parts=("classifier",),
            callbacks=(CountClusters(self._watch),),
            **rest,
        )
        joint = Phase(
            "joint",
            self._costs,
            self._epochs("joint", self.max_epochs, n_samples),
            callbacks=(CountClusters(self._watch),),
            **rest,
        )
        return [subspace, classify, joint]

    def _epochs(self, phase, epochs, n_samples):
        if epochs != "auto":
            return epochs
        return -(-_STEPS[phase] // -(-n_samples // self._batch_rows_of(n_samples)))

    def _batch_rows_of(self, n_samples):
        """Samples in a batch, such that the last one is hardly smaller than the others."""
        return -(-n_samples // -(-n_samples // self.batch_size))

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Cluster the samples.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Samples, see `image_shape` and `input_scale`.
        y : Ignored

        Returns
        -------
        self : NCSC

        Raises
        ------
        MemoryError
            If the matrices of a batch, or the C of all batches, cannot fit the device; the message says what can.
        FloatingPointError
            If a cost becomes infinite or NaN.
        """
        samples = self._read(X)
        self._check_sizes(len(samples))
        pretrain_seed, train_seed, init_seed = self._seeds(3)
        progress = Progress(self, 6, samples)
        self.network_, self.history_ = self._pretrain(samples, pretrain_seed, progress)
        self.n_iter_, self.collaboration_weight_ = 0, None
        self._is_first_epoch, self._is_collapsed = True, False

        rows = as_rows(samples, self.device_)
        with seeded(train_seed, self.device_):
            self._build(rows)
            blocks = self._blocks(rows) if self.solver == "trained" else None
            subspace, classify, joint = self._phases(len(rows), blocks)
            self._run(subspace, rows, progress)
            self._initialize(samples, init_seed, progress)
            self._run(classify, rows, progress)
            self._run(joint, rows, progress)
        return self._finish(samples, progress, number=True)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Continue with one epoch of the joint stage on these samples; the first call is `fit`.

        Clusters keep their numbers. The optimiser starts anew with each call.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
        y : Ignored

        Returns
        -------
        self : NCSC
        """
        if not hasattr(self, "labels_"):
            return self.fit(X)
        samples = as_samples(self, X, reset=False)
        self._check_memory(len(samples))
        progress = Progress(self, 2, samples)
        rows = as_rows(samples, self.device_)
        with seeded(*self._seeds(1), self.device_):
            blocks = self._blocks(rows) if self.solver == "trained" else None
            *_, joint = self._phases(len(rows), blocks)
            self._run(replace(joint, epochs=1), rows, progress)
        return self._finish(samples, progress, number=False)

    def _watch(self, phase, counts):
        """How many clusters are in use at the end of an epoch; a collapse is told once."""
        self._is_first_epoch = False
        n_used = int((counts >= max(1, _FAIR_SHARE * counts.sum() / self.n_clusters)).sum())
        if n_used <= self.n_clusters / 2 and self.n_clusters > 1 and not self._is_collapsed:
            self._is_collapsed = True
            warnings.warn(
                f"The classifier is collapsing: it uses {n_used} of {self.n_clusters} clusters in phase {phase!r}. "
                f"{_ADVICE}",
                ConvergenceWarning,
                stacklevel=2,
            )
        return n_used

    def _initialize(self, samples, seed, progress):
        """Let the classifier learn first labels of some samples."""
        init = self._switch("init")
        if progress.stopped or (isinstance(init, str) and init == "none"):
            return
        samples = samples[draw_rows(len(samples), min(self.init_size, len(samples)), seed)]
        if isinstance(init, str):
            z = torch.from_numpy(self._encode(samples)).to(self.device_)
            labels = labels_by_codes(z, self.n_clusters, self.subspace_dim * self.n_clusters, seed)
        else:
            labels = labels_by_clusterer(init, samples, self.n_clusters, seed)
        if (group := self._group()) is not None:
            labels = group.agree(labels)
        self.network_.segments = torch.from_numpy(labels).to(self.device_)
        batch = min(_INIT_BATCH, len(samples))
        phase = Phase(
            "init",
            lambda out: {"label": F.cross_entropy(out.logits, out.segments, reduction="sum")},
            int(np.clip(-(-_INIT_STEPS // -(-len(samples) // batch)), *_INIT_EPOCHS)),
            self.lr,
            parts=("classifier",),
            batch_size=batch,
        )
        self._run(phase, as_rows(samples, self.device_), progress)
        self.network_.segments = None

    # Labels, Eq. (10)

    def _finish(self, samples, progress, *, number):
        """Set the labels; `number` the clusters that were found first, from 0, if they have no numbers yet."""
        task = progress.task("label")
        if self.solver == "trained":
            self.network_.expression = RidgeExpression(*self._ridge(), **self._scaling())
        if number:
            self._classes = np.arange(self.n_clusters)
        found = self._label_together(samples)
        if number:
            present = np.unique(found)
            self._classes = np.concatenate([present, np.setdiff1d(self._classes, present)])
            found = np.searchsorted(present, found)
        self.labels_ = found
        progress.done(task)
        progress.end()
        return self

    def predict(self, X):
        """Clusters of samples by the classifier.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Read block by block.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int64
        """
        check_is_fitted(self)
        return self._label(as_samples(self, X, reset=False))

    def predict_proba(self, X):
        """Probabilities of the clusters by the classifier.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Read block by block.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_clusters), float64
            Rows sum to 1; clusters without any sample in `fit` come last.
        """
        check_is_fitted(self)
        samples = as_samples(self, X, reset=False)
        proba = np.empty((len(samples), len(self._classes)), dtype=np.float64)
        return self._collect(proba, samples, lambda logits: logits.softmax(1))

    def _label_together(self, samples):
        """Labels of samples, by all processes that train together."""
        group = self._group()
        if group is None:
            return self._label(samples)
        own = samples[group.rows(len(samples))]
        return np.concatenate(group.concatenate([self._label(own)] if len(own) else []))

    def _label(self, samples):
        return self._collect(np.empty(len(samples), dtype=np.int64), samples, lambda logits: logits.argmax(1))

    def _collect(self, answers, samples, answer):
        """Fill `answers` block by block from logits; pieces kept between blocks would scatter the memory."""
        start = 0
        for logits in self._logits(samples):
            answers[start : start + len(logits)] = answer(logits).cpu()
            start += len(logits)
        return answers

    def _logits(self, samples):
        """Logits of the clusters in their order, block by block."""
        classifier = deepcopy(self.network_.classifier).eval()
        for codes in self._code_blocks(samples):
            for z in map(precise, codes.split(_CLASSIFIED_ROWS)):
                with torch.inference_mode():
                    yield classifier.to(z)(z)[:, self._classes]

    # Limits

    def _check_sizes(self, n_samples):
        if min(n_samples, self.batch_size, self.init_size) < self.n_clusters:
            raise ValueError(
                f"n_clusters={self.n_clusters} must not be larger than the number of samples, of a batch, or with "
                f"first labels: n_samples = {n_samples}, batch_size={self.batch_size}, init_size={self.init_size}."
            )
        self._check_memory(n_samples)

    def _check_memory(self, n_samples):
        """Compare what the matrices of batches need with the memory there is."""
        batch = self._batch_rows_of(n_samples)
        needed = _PAIR_BYTES * batch**2
        advice = f"a smaller batch_size than {self.batch_size}"
        if self.solver == "trained":
            needed += _COEF_BYTES * batch * n_samples
            advice += ", or solver='ridge', which has no C for each batch"
        available = available_bytes(self.device_)
        if available is not None and needed > available:
            raise MemoryError(
                f"Self-expression of {n_samples} samples in batches of {batch} needs about {needed / 1e9:.1f} GB; "
                f"{available / 1e9:.1f} GB are available on {self.device_!r}. Choose {advice}."
            )
