"""DSCSC: deep structural contrastive subspace clustering (Peng, Zhu, ACML 2021)."""

from typing import Literal, NamedTuple

from .._dimension import SUBSPACE_DIMS, best_graph
from .._params import NonNegative, estimator
from ..features import AutoEncoder, Contrastive
from ..features._contrastive import StructuralContrast
from ..nn import JoinedFeatures
from ..training.augment import IMAGE_POLICIES
from ..training.batches import in_blocks, to_device
from ._base import BaseDeepSubspaceClustering, HasNorm
from ._first_labels import graphs_by_dim
from ._views import MOST_CONTRASTED, ChoosesViews


@estimator
class DSCSC(StructuralContrast, ChoosesViews, HasNorm, BaseDeepSubspaceClustering):
    r"""Deep structural contrastive subspace clustering.

    Each sample has a random view :math:`\hat x_i = T(x_i)`. The encoder learns that a sample and its view are the same,
    and different from all samples but its neighbours; self-expression of the codes then finds the clusters. Eq. (11):

    .. math:: \gamma_{rec} \big(\|X - Y\|_F^2 + \|\hat X - \hat Y\|_F^2\big) + \beta L_{SCH}
              + \gamma \Big(\frac{\alpha}{2} \|Z - CZ\|_F^2 + \|C\|_F^2\Big), \qquad \mathrm{diag}(C) = 0

    with Y decoded from CZ, :math:`\hat Y` decoded from the codes of the views, and the structural contrastive loss
    :math:`L_{SCH}` (:func:`~skdeepsc.losses.structural_contrastive_loss`) of what the projector makes of the codes.
    Stage I, the pre-training, is the same without C, in batches, Eq. (10): :class:`~skdeepsc.Contrastive`.

    Parameters
    ----------
    gamma_coef
        Here it is :math:`\gamma`.
    gamma_expression
        Here it is :math:`\gamma \alpha / 2`.
    expressed : {"auto", "both", "codes", "projections"}
        What samples are expressed by. ``"codes"``: the codes, as in the paper. ``"projections"``: what the projector
        makes of them, where the contrastive loss pulls clusters together. ``"both"``: side by side, each of the same
        variance after pre-training. ``"auto"``: the codes, where the expected dimension of their subspaces is above 2,
        which contrast would crush, else both. Without a projector (``gamma_contrast=0``) always the codes.
    augment
        For "auto", the policy is kept after which the graph that expresses samples has the clusters with the most edge
        information; after a frozen :class:`~skdeepsc.Contrastive`, the one that it has learnt with.
    autoencoder
        The weights of stage I are this class's, so that it must be a plain one,
        ``AutoEncoder(channels=(16, 32, 64), batch_size=100)`` by default, with ``channels=(15,)`` for the policy
        "light"; frozen, it may be a :class:`~skdeepsc.Contrastive`.

    Attributes
    ----------
    augment_scores_
        By the edge information in the best graph, a share of the largest possible.
    expressed_ : {"both", "codes", "projections"}
        What samples are expressed by.

    See Also
    --------
    DSCNet : The base without contrast.
    skdeepsc.paper_settings : The settings of the paper for its data sets.

    Notes
    -----
    What the paper leaves open or misprints, and what is done here, is told in the documentation, "DSCSC".

    References
    ----------
    B. Peng, W. Zhu, "Deep structural contrastive subspace clustering", ACML 2021, PMLR 157:1145-1160.
    M. Abavisani et al., "Deep subspace clustering with data augmentation", NeurIPS 2020 (the search of a policy).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import DSCSC, AutoEncoder
    >>> images, digits = load_digits(n_class=3, return_X_y=True)
    >>> dscsc = DSCSC(3, image_shape=(8, 8), augment="digits", autoencoder=AutoEncoder(max_epochs=10), random_state=0)
    >>> dscsc.set_params(subspace_dim=2).fit(images[:200]).predict(images[200:203]).shape
    (3,)
    """

    expressed: Literal["auto", "both", "codes", "projections"] = "auto"
    gamma_expression: NonNegative = 1.0

    def _check_parts(self):
        super()._check_parts()
        if isinstance(self.autoencoder, Contrastive):
            raise ValueError("DSCSC itself has the weights of stage I: give it an AutoEncoder or a frozen Contrastive.")

    # Stage I

    def _default_autoencoder(self, augment=None):
        """Images under changing light span many dimensions, which one layer hardly bends."""
        return AutoEncoder(channels=(15,) if augment == "light" else (16, 32, 64), batch_size=100)

    def _stage_one(self, augment):
        """Eq. (10), on the network and by the training of the auto-encoder."""
        given = self.autoencoder or self._default_autoencoder(augment)
        own = {name: getattr(self, name) for name in StructuralContrast.__dataclass_fields__}
        return Contrastive(**{**given.get_params(deep=False), **own, "augment": augment})

    def _n_pretrainings(self):
        return 1 if self._frozen() else len(self._policies(IMAGE_POLICIES, "rows"))

    def _pretrain(self, samples, progress):
        rows = to_device(self._rows(samples), self.device_)

        def learnt(policy):
            network, history = self._pretrain_with(self._stage_one(policy), samples, progress)
            return network, history, self._joined(network.to(self.device_), rows)

        policies = self._policies(IMAGE_POLICIES, "rows")
        if self._frozen():
            self.augment_ = getattr(self._frozen(), "augment_", policies[0]) if self._searches_views else self.augment
            network, history = super()._pretrain(samples, progress)
            found = self._joined(network, rows)
        else:
            network, history, found = self._choose_views(policies, learnt, lambda *got: got[-1].information, progress)
        self.expressed_, self._best_dim = found.expressed, found.subspace_dim
        return network, history

    def _joined(self, network, rows):
        """What expresses samples in a network, set there; and how much the best of its graphs says, for the policy.

        The paper's criterion for a policy, the silhouette coefficient of the features, is not that of the clusters.
        """
        way = self.expressed if self.gamma_contrast and network.projector is not None else "codes"
        if way != "auto" and not self._searches_views:
            join(network, rows, way)
            return Expressed(way)
        found = self._expressed_by(network, rows, "codes" if way == "auto" else way)
        if way == "auto" and found.subspace_dim <= MOST_CONTRASTED:
            found = self._expressed_by(network, rows, "both")
        return found

    def _expressed_by(self, network, rows, way):
        join(network, rows, way)
        dims = SUBSPACE_DIMS if self.subspace_dim == "auto" else [self.subspace_dim]
        graphs = graphs_by_dim(self._codes(network, rows), self.n_clusters, dims)
        dim, _, information = best_graph(graphs, self.n_clusters, self._seeds["labels"])
        return Expressed(way, dim, information)

    # Stage II: Eq. (11)

    def _heads(self, n_latent):
        """What a frozen auto-encoder has not brought of stage I."""
        heads = self._view_heads if self.gamma_contrast and self.network_.projector is None else self._views
        return heads(n_latent) if self._frozen() else {}

    def _costs(self, out):
        return {**self._view_costs(out, "x_hat"), **self._expression_costs(out)}

    def _choice(self, z):
        if self.affinity != "top" or self._best_dim is None:
            return super()._choice(z)
        return {"subspace_dim": self._best_dim}

    def _needs_zero_diagonal(self):
        return True

    def _bytes_by_solver(self):
        return {"trained": 48, "ridge": 48}


class Expressed(NamedTuple):
    """What expresses samples, and, where it was chosen, the dimension and the information of the graph that won."""

    expressed: str
    subspace_dim: float | None = None
    information: float = 0.0


def join(network, rows, expressed):
    """Tell a pre-trained network what samples are expressed by."""
    network.features = None
    if network.projector is not None and expressed == "both":
        network.features = JoinedFeatures.of_equal_variance(network, in_blocks(rows))
    elif network.projector is not None and expressed == "projections":
        network.features = JoinedFeatures(None, 1.0)
