"""DSCSC: deep structural contrastive subspace clustering (Peng, Zhu, ACML 2021)."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.metrics import silhouette_score
from torch import nn

from .._compat import Interval, StrOptions
from .._device import to_device
from .._docs import shared_parameters
from ..losses import coefficient_norm, nearest_samples, squared_error, structural_contrastive_loss
from ..training.augment import IMAGE_POLICIES, POLICIES, as_augmentation
from ..training.run import Reconstruction
from ._base import BaseDeepSubspaceClustering, checked_sizes, precise, weighted

# Spread of the codes, relative to that of the samples, below which a network counts as dead.
_DEAD_SPREAD = 1e-3


@dataclass(frozen=True)
class ContrastivePretraining(Reconstruction):
    """Stage I: the network without self-expression, Eq. (10)."""

    gamma_reconstruction: float
    gamma_contrast: float
    contrast_neighbors: int
    temperature: float
    projector_sizes: tuple
    augment: object

    def heads(self, n_latent):  # Fig. 1
        """Projector and augmentation."""
        heads = {"augment": self.augment}
        if self.gamma_contrast:
            hidden, n_projected = self.projector_sizes
            heads["projector"] = nn.Sequential(
                nn.Linear(n_latent, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, n_projected)
            )
        return heads

    def costs(self, out):
        """Eq. (10)."""
        return weighted(self.terms(out, lambda: out.x_auto))

    def terms(self, out, decoded):
        """Weights and costs of Eqs (8) and (9); `decoded` are the rebuilt originals."""
        return {
            "reconstruction": (self.gamma_reconstruction, lambda: squared_error(out.x, decoded())),
            "view": (self.gamma_reconstruction, lambda: squared_error(out.view.x, out.view.x_auto)),
            "contrast": (self.gamma_contrast, lambda: self.contrast(out)),
        }

    def is_dead(self, error, spread):
        """Codes that are contrasted need not rebuild well, but must differ."""
        return spread < _DEAD_SPREAD if self.gamma_contrast else super().is_dead(error, spread)

    def contrast(self, out):
        """Eq. (8)."""
        neighbors = nearest_samples(out.z, self.contrast_neighbors) if self.contrast_neighbors else None
        return structural_contrastive_loss(out.h, out.view.h, neighbors, self.temperature)


class JoinedFeatures(nn.Module):
    """Codes and projections side by side, each divided by its scale; without a scale, it is left out."""

    def __init__(self, code_scale, projection_scale):
        super().__init__()
        self.code_scale = code_scale
        self.projection_scale = projection_scale

    def forward(self, out):
        """Features of shape (n_samples, n_latent + n_projected)."""
        parts = (out.z, self.code_scale), (out.h, self.projection_scale)
        return torch.cat([part / scale for part, scale in parts if scale], 1)


def _scales(network, tensor):
    """Root mean square deviations of codes and of projections from their means."""
    with torch.inference_mode():
        outputs = [(out.z, out.h) for out in map(network.eval(), tensor.split(4096))]
    return [torch.cat(parts).var(0, correction=0).sum().sqrt().item() or 1.0 for parts in zip(*outputs, strict=True)]


@shared_parameters
@dataclass(repr=False, eq=False, kw_only=True)
class DSCSC(BaseDeepSubspaceClustering):
    r"""Deep structural contrastive subspace clustering.

    Each sample has a random view :math:`\hat x_i = T(x_i)`. The encoder learns that a sample and its view are the same,
    and different from all samples but its neighbours; self-expression of the codes then finds the clusters. Eq. (11):

    .. math:: \gamma_{rec} \big(\|X - Y\|_F^2 + \|\hat X - \hat Y\|_F^2\big) + \beta L_{SCH}
              + \gamma \Big(\frac{\alpha}{2} \|Z - CZ\|_F^2 + \|C\|_F^2\Big), \qquad \mathrm{diag}(C) = 0

    with Y decoded from CZ, :math:`\hat Y` decoded from the codes of the views, and the structural contrastive loss
    :math:`L_{SCH}` (:func:`~skdeepsc.losses.structural_contrastive_loss`) of what the projector makes of the codes.
    Stage I, the pre-training, is the same without C, in batches, Eq. (10).

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    gamma_reconstruction : float, default={gamma_reconstruction}
        Weight of the squared errors of samples and views. 1/4 is Eq. (9).
    gamma_contrast : float, default={gamma_contrast}
        Weight of the structural contrastive loss, :math:`\beta`, a sum over the samples. 0: without projector.
    gamma_coef : float, default={gamma_coef}
        Weight of the norm of C, :math:`\gamma`.
    gamma_expression : float, default={gamma_expression}
        Weight of the self-expression, :math:`\gamma \alpha / 2`.
    temperature : float, default={temperature}
        :math:`\rho`; the smaller, the more the nearest negatives count.
    contrast_neighbors : int, default={contrast_neighbors}
        k: the nearest samples of the batch, by their codes, are no negatives. 0 contrasts with all, Eq. (7).
    projector_sizes : tuple of two int, default={projector_sizes}
        Widths of the projector's hidden layer and of its output.
    augment : {"search", "digits", "faces", "objects", "rows"}, dict, callable or None, default="search"
        The random views T. ``"search"`` pre-trains with each policy for images and keeps the one whose features have
        the highest mean silhouette coefficient in their own clusters, the paper's criterion, which needs no labels. A
        policy by name saves the others' time: ``"digits"`` (affine changes and contrast), ``"faces"`` (smaller ones,
        mirroring, brightness), ``"objects"`` (mirroring, erasing); ``"rows"`` (noise, masking), which flat rows always
        get by a search. A dict has arguments of :class:`~skdeepsc.training.RandomAugmentation`. A callable gets a
        float32 tensor of samples in units of `input_scale_`, on the device, returns another of the same shape, and
        should draw by torch's generator. ``None``: a sample is its own view.
    expressed : {"both", "codes", "projections"}, default="both"
        What samples are expressed by. ``"codes"``: the codes, as in the paper. ``"projections"``: what the projector
        makes of them, where the contrastive loss pulls clusters together. ``"both"``: side by side, each of the same
        variance after pre-training. Without a projector (``gamma_contrast=0``) always the codes.
    {expression_parameters}
    {autoencoder_parameters}

    Attributes
    ----------
    augment_ : str, dict, callable or None
        The augmentation in use.
    augment_scores_ : dict of str to float
        Mean silhouette coefficient of each policy, for ``augment="search"``.
    {fitted_attributes}
    {data_attributes}

    See Also
    --------
    DSCNet : The base without contrast.
    skdeepsc.paper_settings : The settings of the paper for its data sets.

    Notes
    -----
    What the paper leaves open or misprints, and what is done here:

    - Eq. (9) has a minus sign and is a mean over samples, Eq. (8) is a mean, Eq. (3) a sum. All are sums over samples
      here, which is the same objective with every term counted per sample.
    - "Temperature 0.08" and "temperature factor 0.1" both appear; the factor of Algorithm 1 is 0.1.
    - A sample is never its own negative, so that k = 0 is Eq. (7). Neighbours are Euclidean, among those in a batch.
    - Stage I works on batches: it trains the projector better than the full batch. Stage II takes all samples at once.
    - Epochs, k, policies and the projector's hidden width are not published; one setting serves all data here.
    - The encoder is wider than the paper's, the decoder's last layer is linear, and C is by default the ridge solution
      on centred features of unit length; see :func:`~skdeepsc.paper_settings` for the paper's way.

    References
    ----------
    B. Peng, W. Zhu, "Deep structural contrastive subspace clustering", ACML 2021, PMLR 157:1145-1160.

    M. Abavisani, A. Naghizadeh, D. Metaxas, V. Patel, "Deep subspace clustering with data augmentation", NeurIPS 2020
    (the search of a policy).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import DSCSC
    >>> images, digits = load_digits(n_class=3, return_X_y=True)
    >>> dscsc = DSCSC(n_clusters=3, image_shape=(8, 8), augment="digits", pretrain_epochs=10, random_state=0)
    >>> dscsc.fit(images[:200]).predict(images[200:203]).shape
    (3,)
    """

    gamma_reconstruction: float = 0.25
    gamma_contrast: float = 10.0
    gamma_coef: float = 1.0
    gamma_expression: float = 1.0
    temperature: float = 0.1
    contrast_neighbors: int = 10
    projector_sizes: tuple = (64, 64)
    augment: object = "search"
    expressed: str = "both"
    subspace_dim: float = 2
    channels: tuple = (16, 32, 64)
    pretrain_batch_size: int | str = 100

    _parameter_constraints = {
        **BaseDeepSubspaceClustering._parameter_constraints,
        "gamma_reconstruction": [Interval(Real, 0, None, closed="left")],
        "gamma_contrast": [Interval(Real, 0, None, closed="left")],
        "gamma_coef": [Interval(Real, 0, None, closed="left")],
        "gamma_expression": [Interval(Real, 0, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "contrast_neighbors": [Interval(Integral, 0, None, closed="left")],
        "projector_sizes": [tuple, list],
        "augment": [StrOptions({"search", *POLICIES}), dict, callable, None],
        "expressed": [StrOptions({"both", "codes", "projections"})],
    }

    def _needs_zero_diagonal(self):
        return True

    def _bytes_per_pair(self):
        return {"trained": 48, "ridge": 48}

    # Stage I: Eq. (10)

    def _stage_one(self, augment=None):
        return ContrastivePretraining(
            self.gamma_reconstruction,
            self.gamma_contrast,
            self.contrast_neighbors,
            self.temperature,
            checked_sizes("projector_sizes", self.projector_sizes, n_layers=2),
            augment,
        )

    def _pretraining(self):
        return self._stage_one(as_augmentation(self.augment_, self.image_shape_))

    # Stage II: Eq. (11)

    def _costs(self, out):
        return {
            **self._stage_one().terms(out, lambda: out.x_hat),
            "coef": (self.gamma_coef, lambda: coefficient_norm(out.coef)),
            "expression": (self.gamma_expression, lambda: squared_error(out.z, out.z_hat)),
        }

    # What is expressed

    def _build(self, tensor):
        self._join(self.network_, tensor)
        super()._build(tensor)

    def _join(self, network, tensor):
        """Tell a pre-trained network what samples are expressed by."""
        if network.projector is None or self.expressed == "codes":
            return
        scales = (None, 1.0) if self.expressed == "projections" else _scales(network, tensor)
        network.features = JoinedFeatures(*scales)

    # The search of a policy

    def _policies(self):
        """Augmentations to pre-train with."""
        if self.augment != "search":
            return [self.augment]
        return IMAGE_POLICIES if len(self.image_shape_) > 1 else ["rows"]

    def _n_pretrainings(self):
        return len(self._policies())

    def _pretrain(self, samples, seed, progress):
        policies = self._policies()
        if len(policies) == 1:
            self.augment_ = policies[0]
            return super()._pretrain(samples, seed, progress)
        self.augment_scores_, best = {}, None
        for self.augment_ in policies:
            found = super()._pretrain(samples, seed, progress)
            score = self._silhouette(found[0], samples)
            if best is None or score > max(self.augment_scores_.values()):
                best = found, self.augment_
            self.augment_scores_[self.augment_] = score
        found, self.augment_ = best
        return found

    def _silhouette(self, network, samples):
        """Mean silhouette coefficient of the expressed features in the clusters that they make."""
        tensor = to_device(samples[self.sample_indices_], self.device_)
        self._join(network.to(self.device_), tensor)
        z = self._codes(network, tensor)
        expression = self._ridge(center=True, unit=True)
        with torch.no_grad():
            coef = expression(precise(z)).float().cpu().numpy()
            features = expression.normalize(z)[0].cpu().numpy()
        labels = self._passing_labels(coef)
        if not 1 < len(np.unique(labels)) < len(labels):
            return -1.0
        return float(silhouette_score(features, labels))
