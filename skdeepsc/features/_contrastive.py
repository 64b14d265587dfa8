"""Stage I of DSCSC: codes of a sample and of its random view are the same, and differ from those of other samples."""

from collections.abc import Callable, Sequence
from typing import Literal

from .._params import Count, CountOrZero, Estimator, NonNegative, Positive, estimator
from ..losses import nearest_samples, squared_error, structural_contrastive_loss
from ..nn import checked_sizes, dense_head
from ..training.augment import as_augmentation
from ._autoencoder import AutoEncoder

# Spread of the codes, relative to that of the samples, below which a network counts as dead.
_DEAD_SPREAD = 1e-3


@estimator
class HasViews(Estimator):
    """What learns from random views of its samples.

    Parameters
    ----------
    augment : {"auto", "digits", "faces", "objects", "light", "rows"}, dict, callable or None
        The random views. A policy by name: ``"digits"`` (affine changes and contrast), ``"faces"`` (smaller ones,
        mirroring, brightness), ``"objects"`` (mirroring, erasing), ``"light"`` (a gain that grows across the image, its
        logarithm up to 0.7; gamma), ``"rows"`` (noise, masking; for flat rows). ``"auto"``: a clusterer learns with
        each of several policies for images and keeps the best, by its clusters, without labels; a transformer, which
        knows no clusters, takes "digits". A dict has arguments of :class:`~skdeepsc.training.RandomAugmentation`. A
        callable gets a float32 tensor of samples in units of the input scale, on the device, returns another of the
        same shape, and should draw by torch's generator. ``None``: a sample is its own view.

    Attributes
    ----------
    augment_ : str, dict, callable or None
        The augmentation in use.
    """

    augment: Literal["auto", "digits", "faces", "objects", "light", "rows"] | dict | Callable | None = "auto"

    @property
    def _searches_views(self):
        return isinstance(self.augment, str) and self.augment == "auto"


@estimator
class StructuralContrast(HasViews):
    r"""The costs that stage I of DSCSC, and stage II as well, put on samples and their views, Eqs (8) and (9).

    Parameters
    ----------
    gamma_reconstruction : float
        Weight of the squared errors of samples and views. 1/4 is Eq. (9). Without views, the second is left out.
    gamma_contrast : float
        Weight of the structural contrastive loss, :math:`\beta`, a sum over the samples. 0: without projector.
    temperature : float
        :math:`\rho`; the smaller, the more the nearest negatives count.
    contrast_neighbors : int
        k: the nearest samples of the batch, by their codes, are no negatives. 0 contrasts with all, Eq. (7).
    projector_sizes : sequence of two int
        Widths of the projector's hidden layer and of its output.
    augment
        For "auto", flat rows get "rows".
    """

    gamma_reconstruction: NonNegative = 0.25
    gamma_contrast: NonNegative = 10.0
    temperature: Positive = 0.1
    contrast_neighbors: CountOrZero = 10
    projector_sizes: Sequence[int] = (64, 64)

    def _views(self, n_latent):
        """The augmentation, as a part of the network."""
        return {"augment": as_augmentation(self.augment_, self.image_shape_)}

    def _view_heads(self, n_latent):
        """Augmentation and projector, Fig. 1."""
        heads = self._views(n_latent)
        if self.gamma_contrast:
            hidden, n_projected = checked_sizes("projector_sizes", self.projector_sizes, n_layers=2)
            heads["projector"] = dense_head(n_latent, (hidden,), n_projected)
        return heads

    def _view_costs(self, out, decoded):
        """Eqs (8) and (9); `decoded` names what the originals are rebuilt by."""
        costs = {}
        if self.gamma_reconstruction:
            costs["reconstruction"] = self.gamma_reconstruction * squared_error(out.x, getattr(out, decoded))
            if out.view is not out:
                costs["view"] = self.gamma_reconstruction * squared_error(out.view.x, out.view.x_auto)
        if self.gamma_contrast:
            neighbors = nearest_samples(out.z, self.contrast_neighbors) if self.contrast_neighbors else None
            contrast = structural_contrastive_loss(out.h, out.view.h, neighbors, self.temperature)
            costs["contrast"] = self.gamma_contrast * contrast
        return costs


@estimator
class Contrastive(StructuralContrast, AutoEncoder):
    r"""Features of an auto-encoder that also learns to tell samples by their random views, the stage I of DSCSC.

    .. math:: \gamma_{rec} \big(\|X - Y\|_F^2 + \|\hat X - \hat Y\|_F^2\big) + \beta L_{SCH}

    with the views :math:`\hat x_i = T(x_i)`, the decoded codes Y and :math:`\hat Y`, and the structural contrastive
    loss :math:`L_{SCH}` (:func:`~skdeepsc.losses.structural_contrastive_loss`) of what a projector makes of the codes.
    Any deep clusterer can have it, ``PSSC(10, autoencoder=Contrastive(augment="faces"))``, and it is a view for
    :class:`~skdeepsc.SubspaceClustering`. The features are the codes; the projector only shapes them.

    See Also
    --------
    skdeepsc.DSCSC : The clusterer.

    References
    ----------
    B. Peng, W. Zhu, "Deep structural contrastive subspace clustering", ACML 2021, PMLR 157:1145-1160, Eq. (10).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import Contrastive
    >>> images = load_digits().images[:100]
    >>> Contrastive(max_epochs=2, random_state=0).fit_transform(images).shape
    (100, 64)
    """

    channels: Sequence[int] = (16, 32, 64)
    batch_size: Count | Literal["all"] = 100

    def _train(self, samples, seed, progress):
        self.augment_ = self.augment
        if self._searches_views:
            self.augment_ = "digits" if len(self.image_shape_) > 1 else "rows"
        super()._train(samples, seed, progress)

    def _heads(self, n_latent):
        return self._view_heads(n_latent)

    def _costs(self, out):  # Eq. (10)
        return self._view_costs(out, "x_auto")

    def _is_dead(self, error, spread):
        """Codes that are contrasted need not rebuild well, but must differ."""
        return spread < _DEAD_SPREAD if self.gamma_contrast else super()._is_dead(error, spread)
