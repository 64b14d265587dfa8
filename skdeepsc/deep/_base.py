"""What the deep clusterers share: the auto-encoder they have, the two ways to C, neighbours for new rows."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from itertools import product
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted

from .._base import BaseSelfExpressive, BaseSubspaceClustering
from .._compat import VALIDATION
from .._dimension import SUBSPACE_DIMS, best_graph, best_labelling
from .._input import unit_rows
from .._params import Count, Epochs, Estimator, NonNegative, Positive, answers, checked, estimator, take_plain_numbers
from .._random import seeded
from .._ridge import penalties_by_dim
from ..affinity import Affinity
from ..features import AutoEncoder
from ..features._base import TrainsNetwork
from ..losses import coefficient_norm, squared_error
from ..nn import RidgeExpression, RidgePath, SelfExpression, answering, precise
from ..training import Phase
from ..training.batches import in_blocks, to_device
from ..training.construction import Construction
from ..training.trainer import run_phase
from ._first_labels import graphs_by_dim
from ._solver import RidgeSolver, TrainedSolver

_SOLVERS = {"ridge": RidgeSolver, "trained": TrainedSolver}


@estimator
class HasAutoEncoder(TrainsNetwork, BaseSubspaceClustering):
    """A clusterer that has an auto-encoder.

    Parameters
    ----------
    autoencoder : AutoEncoder, FrozenEstimator or None
        What is pre-trained: its network and training, such as ``AutoEncoder(channels=(20, 10, 5), max_epochs=50)``. It
        is cloned, and `image_shape`, `callbacks`, `memory` and `random_state` are handed down where it leaves them
        open, `device` and `verbose` always. ``None``: an :class:`~skdeepsc.AutoEncoder` as it comes. A fitted one that
        is frozen, ``FrozenEstimator(fitted)`` of :mod:`sklearn.frozen`, is taken as it is, so that one pre-training
        serves many clusterers; a copy of its network learns on.
    max_epochs
        Of the joint phase, after the auto-encoder has been pre-trained.
    """

    autoencoder: AutoEncoder | FrozenEstimator | None = None

    def set_params(self, **params) -> Self:
        """Set parameters; those of the auto-encoder, ``autoencoder__channels``, also where it is ``None``.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : estimator
        """
        has_nested = any(name.startswith("autoencoder__") for name in params)
        if has_nested and params.get("autoencoder", self.autoencoder) is None:
            params["autoencoder"] = self._default_autoencoder()
        return super().set_params(**params)

    def _read(self, X, *, reset=True):
        if reset:
            self._check_parts()
        return super()._read(X, reset=reset)

    def _check_parts(self):
        """Validate the parameters of what is a parameter itself."""
        if isinstance(self.autoencoder, AutoEncoder):
            self.autoencoder._validate_params()

    # The auto-encoder

    def _default_autoencoder(self):
        return AutoEncoder()

    def _frozen(self):
        """The auto-encoder that is taken as it is, or None."""
        if not isinstance(self.autoencoder, FrozenEstimator):
            return None
        frozen = self.autoencoder.estimator
        if not isinstance(frozen, AutoEncoder):
            raise TypeError(f"autoencoder must be an AutoEncoder, frozen or not; got {type(frozen).__name__}, frozen.")
        check_is_fitted(frozen)
        return frozen

    def _runs_foreign_code(self):
        given = self._frozen() or self.autoencoder
        return super()._runs_foreign_code() or (given is not None and given._runs_foreign_code())

    def _given_shape(self):
        if self.image_shape is not None or self.autoencoder is None:
            return self.image_shape
        frozen = self._frozen()
        return self.autoencoder.image_shape if frozen is None else frozen.image_shape_

    def _given_exponent(self):
        frozen = self._frozen()
        return None if frozen is None else frozen._exponent

    def _pretrain(self, samples, progress):
        """Network and history of the auto-encoder."""
        frozen = self._frozen()
        if frozen is not None:
            learnt, given = tuple(frozen.image_shape_), tuple(self.image_shape_)
            if learnt != given:
                raise ValueError(f"The frozen auto-encoder has learnt from samples of shape {learnt}, not {given}.")
            return deepcopy(frozen.network_).to(self.device_), []
        autoencoder = self.autoencoder or self._default_autoencoder()
        return self._pretrain_with(clone(autoencoder), samples, progress)

    def _pretrain_with(self, autoencoder, samples, progress):
        """The same for an auto-encoder that is fitted now, with what is handed down to it."""
        take_plain_numbers(autoencoder)
        autoencoder.set_params(device=self.device, verbose=self.verbose)
        for name in ("callbacks", "memory"):
            if getattr(autoencoder, name) is None:
                setattr(autoencoder, name, getattr(self, name))
        autoencoder.image_shape_, autoencoder.device_ = self.image_shape_, self.device_
        autoencoder._exponent = self._exponent
        seed = self._seeds["pretrain"] if autoencoder.random_state is None else autoencoder._draw_seeds(1)[0]
        autoencoder._train(samples, seed, progress)
        return autoencoder.network_, autoencoder.history_

    # Phases

    # Attributes that phases change, beside the network.
    _changing: ClassVar[tuple[str, ...]] = ()

    def _run(self, phase, rows, progress):
        """Run one phase, unless a callback has ended the training, and keep its history."""
        if progress.stopped or not phase.epochs:
            return
        with progress.task(phase.name, phase.epochs) as context:
            keeps = [(self, name) for name in self._changing]
            history = run_phase(phase, self.network_, rows, keeps=keeps, **self._reporting(progress, context))
        self.history_ = [*self.history_, *history]
        self.n_iter_ += len(history)


@estimator
class Expresses(HasAutoEncoder):
    r"""A clusterer whose codes express each other.

    Parameters
    ----------
    gamma_expression : float
        Weight of the self-expression :math:`\|Z - CZ\|_F^2`, a sum over samples and features. The penalty of the
        ridge is divided by it.
    subspace_dim : float or "auto"
        Expected dimension q of a subspace: with weights of 1, the penalty of the ridge gives it ``n_clusters *
        subspace_dim`` effective degrees of freedom, at most 0.7 n_samples. ``"auto"``: of 1/4, 1/2, 1, 2, 4, 8 and 16
        the one whose clusters have the most edge information (:func:`~skdeepsc.segmentation.edge_information`), which
        needs no labels, on the features before the joint phase.
    latent_normalization : {"auto", "none", "unit", "centered"}
        What is done to the features before they express each other: nothing, as in the papers, where the network can
        shrink them to lower the costs; rows scaled to unit length; the mean subtracted, then rows scaled.

    Attributes
    ----------
    subspace_dim_ : float or None
        The dimension in use; ``None`` where none is needed, with a trained C or a given penalty.
    """

    gamma_expression: NonNegative = 1.0
    subspace_dim: Positive | Literal["auto"] = "auto"
    latent_normalization: Literal["auto", "none", "unit", "centered"] = "auto"

    def _weight_of_norm(self):
        """How much more the ridge weighs the norm of C than the self-expression, against weights of 1.

        A weight of 0 leaves a term out of what the network learns, and C as it is with 1.
        """
        return 1 / (self.gamma_expression or 1.0)

    def _scaling(self):
        """What is done to the features that express each other, as arguments of a layer."""
        normalization = self.latent_normalization
        if normalization == "auto":
            normalization = self._auto_normalization()
        return _scaling_of(normalization)

    def _expression_costs(self, out):
        """What C alone minimises."""
        return {"expression": self.gamma_expression * squared_error(out.z, out.z_hat)} if self.gamma_expression else {}


@estimator
class HasNorm(Estimator):
    r"""A method with a norm of C among its costs.

    Parameters
    ----------
    gamma_coef : float
        Weight of the norm of C. The penalty of the ridge is multiplied by it.
    """

    gamma_coef: NonNegative = 1.0

    def _weight_of_norm(self):
        return super()._weight_of_norm() * (self.gamma_coef or 1.0)

    def _expression_costs(self, out):
        coef = {"coef": self.gamma_coef * self._norm_of(out.coef)} if self.gamma_coef else {}
        return coef | super()._expression_costs(out)

    def _norm_of(self, coef):
        return coefficient_norm(coef)


@estimator
class SelfSupervised(Estimator):
    """A method that its own clusters supervise, by terms whose weights are relative to its other costs.

    Parameters
    ----------
    weighting : {"relative", "absolute"}
        ``"relative"``: the weights of supervision are what their terms are worth at the first joint step, as shares of
        the sum of the other costs; the weights that follow stay as they are. ``"absolute"``: they are the weights
        themselves, whose effect depends on the scale of the samples.

    Attributes
    ----------
    cost_weights_ : dict of str to float
        The weights of supervision in force, by the names of the terms.
    """

    weighting: Literal["relative", "absolute"] = "relative"

    _changing: ClassVar[tuple[str, ...]] = ("cost_weights_",)
    # What a weight of 1 is worth, as a share of the other costs.
    _unit_share = 1.0

    def _supervision(self):
        """Weights of the terms of supervision, by the names of their costs."""
        raise NotImplementedError

    def _build(self, rows):
        self.cost_weights_ = self._supervision()
        super()._build(rows)

    @torch.no_grad()
    def _weigh(self, out):
        """Turn relative weights into absolute ones, by what the terms cost."""
        if self.weighting == "relative":
            self.cost_weights_ = relative_weights(self._costs, out, self.cost_weights_, self._unit_share)


@estimator
class BaseDeepSubspaceClustering(Expresses, BaseSelfExpressive):
    r"""Pre-train, learn C and the network together, turn C into an affinity, segment it.

    A method says what its paper says: `_heads` (the figure), `_costs` (the equation), `_phases` (the algorithm).

    Parameters
    ----------
    solver : {"ridge", "trained"}, RidgeSolver or TrainedSolver
        How C is found. ``"ridge"``: the exact zero-diagonal minimiser of :math:`\|Z - CZ\|^2 + \lambda \|C\|^2`,
        recomputed from the current features, differentiable, without any parameter. ``"trained"``: an N x N parameter
        of the network, as in the papers. Or either with parameters of its own, such as ``TrainedSolver(epochs=0)``,
        see :mod:`skdeepsc.deep`.
    latent_normalization
        ``"auto"``: "centered" for the ridge with ``affinity="top"``, which takes positive coefficients, else "unit":
        around the mean, coefficients between opposite sides are large and negative, and the other affinities take
        magnitudes. But where the dimension is chosen for another affinity, so is the normalisation, of these two, and
        for "enhanced" whether its diagonal is "zero" or "one", unless they are given. The same features are searched
        for neighbours in `predict`.
    max_epochs
        Of all samples at once; 0 clusters the pre-trained features, ``"auto"`` is 20.
    n_neighbors : int
        Neighbours in the latent space that label new rows, and with `subsample` the rest of the training set; as noise,
        where more of them are noise than of any cluster.
    subsample
        Algorithm 3 of PSSC. The auto-encoder is pre-trained on all rows.

    Attributes
    ----------
    chosen_ : dict
        What was chosen without labels: ``"subspace_dim"``, and for other affinities than "top" what goes with it,
        ``"latent_normalization"`` and ``"diagonal"``.
    """

    solver: Literal["ridge", "trained"] | RidgeSolver | TrainedSolver = "ridge"
    max_epochs: Epochs | Literal["auto"] = 20
    lr: Positive = 1e-4
    n_neighbors: Count = 1
    affinity: Affinity | Callable = "top"

    _drawing = ("pretrain", "train", "rows", "labels")

    def set_params(self, **params) -> Self:
        solver = params.get("solver", self.solver)
        if isinstance(solver, str) and solver in _SOLVERS and any(name.startswith("solver__") for name in params):
            params["solver"] = _SOLVERS[solver]()
        return super().set_params(**params)

    def _check_parts(self):
        super()._check_parts()
        self._solver()._validate_params()

    # The figure

    def _heads(self, n_latent):
        """Further parts of the network beside encoder, decoder and expression."""
        return {}

    def _bytes_by_solver(self):
        """Bytes for each pair of samples at the peak of training: C, its optimiser, and what the costs remember."""
        return {"trained": 24, "ridge": 40}

    def _needs_zero_diagonal(self):
        """Whether C = I would be an optimum of the equation if the diagonal were free."""
        return False

    # The equation

    def _costs(self, out):
        """The weighted terms by name, for the outputs of all samples; a term whose weight is 0 is not asked for."""
        raise NotImplementedError

    # The algorithm

    def _phases(self, n_rows):
        solver = self._solver()
        alone = solver._n_epochs(n_rows / self.n_clusters) if self.gamma_expression else 0
        return [
            Phase("express", self._expression_costs, alone, getattr(solver, "lr", 0.0), parts=("expression",)),
            Phase("finetune", self._costs, 20 if self.max_epochs == "auto" else self.max_epochs, self.lr),
        ]

    def _n_tasks(self):
        return self._n_pretrainings() + sum(phase.epochs > 0 for phase in self._phases(len(self.sample_indices_))) + 1

    def _n_pretrainings(self):
        return 1

    # The steps

    def _represent(self, samples, progress):
        self.network_, self.history_ = self._pretrain(samples, progress)
        self.n_iter_ = 0
        rows = to_device(self._rows(samples), self.device_)
        with seeded(self._seeds["train"], self.device_, shared=self._runs_foreign_code()):
            self._prepare(rows, progress)
            self._build(rows)
            for phase in self._phases(len(rows)):
                self._run(phase, rows, progress)
        self._set_coefficients(rows)

    def _prepare(self, rows, progress):
        """Learn on the pre-trained codes, before there is any C."""

    def _build(self, rows):
        """Add self-expression and heads to the pre-trained network."""
        z = self._codes(self.network_, rows)
        self._n_latent = z.shape[1]
        solver, freedom = self._solver(), self._choose_freedom(z)
        weight = self._weight_of_norm()
        self.network_.expression = solver._layer(z, freedom, weight, self._needs_zero_diagonal(), self._scaling())
        with Construction():
            for name, head in self._heads(self._n_latent).items():
                setattr(self.network_, name, head)
        self.network_.to(self.device_)

    def _choose_freedom(self, z):
        """Degrees of freedom of the ridge on features, if it needs to know them, by what is chosen for them."""
        self.chosen_, self.subspace_dim_ = {}, None
        if not self._solver()._needs_freedom:
            return None
        if self.subspace_dim == "auto":
            self.chosen_ = self._choice(z)
            if "diagonal" in self.chosen_:
                self._graph["chosen"]["enhanced"] = {"diagonal": self.chosen_["diagonal"]}
        self.subspace_dim_ = self.chosen_.get("subspace_dim", self.subspace_dim)
        return self.subspace_dim_ * self.n_clusters

    def _choice(self, z):
        """The dimension, and what goes with it, whose clusters have the most edge information."""
        graphs = graphs_by_dim(z, self.n_clusters)
        if self.affinity == "top" or self.n_clusters == 1:
            return {"subspace_dim": best_graph(graphs, self.n_clusters, self._seeds["labels"])[0]}
        normalizations = [self.latent_normalization] if self.latent_normalization != "auto" else ["unit", "centered"]
        is_open = self.affinity == "enhanced" and "diagonal" not in self._graph["params"]
        diagonals = [{"diagonal": diagonal} for diagonal in ("zero", "one")] if is_open else [{}]
        ways = {}
        for normalization in normalizations:
            path = RidgePath(RidgeExpression(**_scaling_of(normalization)).normalize(z)[0])
            lams = penalties_by_dim(path.penalty, SUBSPACE_DIMS, self.n_clusters, len(z))
            for (dim, lam), diagonal in product(lams.items(), diagonals):
                key = ("subspace_dim", dim), ("latent_normalization", normalization), *diagonal.items()
                ways[key] = partial(self._labels_on_path, path, lam, diagonal)
        return dict(best_labelling(graphs, ways, self.n_clusters))

    def _labels_on_path(self, path, lam, diagonal):
        return self._passing_labels(path.coefficients(lam).cpu().numpy(), **diagonal)

    def _set_coefficients(self, rows):
        """Set codes and coefficients; take the N x N layer out of the network."""
        z = self._codes(self.network_, rows)
        expression, self.network_.expression = self.network_.expression, None
        with torch.inference_mode():
            self.coef_ = expression(precise(z)).float().cpu().numpy()
            _, mean, norms = expression.normalize(z)
        self.embedding_ = z.cpu().numpy()
        self._latent_mean = None if mean is None else mean.cpu().numpy()
        self._unit_latent = norms is not None

    def _codes(self, network, rows):
        """Features that express samples on the device, as a tensor without a graph."""
        with answering():
            blocks = [network.eval()(block).features for block in in_blocks(rows)]
        return torch.cat(blocks).clone()

    def _solver(self):
        return _SOLVERS[self.solver]() if isinstance(self.solver, str) else self.solver

    def _auto_normalization(self):
        is_signed = self._solver()._name == "ridge" and self.affinity == "top"
        return self.chosen_.get("latent_normalization", "centered" if is_signed else "unit")

    def _bytes_per_pair(self):
        return self._bytes_by_solver()[self._solver()._name]

    def _bytes_per_coef(self, dtype):
        return 4

    @answers
    @checked
    def reconstruct(self, X: ArrayLike, *, expressed: bool = False) -> np.ndarray:
        """Samples as the network rebuilds them, decoded from their codes Z, or from CZ.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Samples like those in `fit`.
        expressed : bool, default=False
            Decode CZ, what the others make of each code. `X` must then be the samples of `fit`; with `subsample`, those
            of `sample_indices_` are returned. Copies of a sample are returned as it is.

        Returns
        -------
        X_hat : ndarray of shape (n_samples, ...), float32
            In the units of `X`, in the shape in which the network sees it.
        """
        if not expressed:
            return super().reconstruct(X)
        check_is_fitted(self)
        samples = self._read(X, reset=False)
        if len(samples) != len(self.labels_):
            raise ValueError(
                f"expressed=True needs the {len(self.labels_)} samples of fit, which express each other; X has "
                f"{len(samples)}."
            )
        layer = SelfExpression(center=self._latent_mean is not None, unit=self._unit_latent)
        z = self._latent(samples[self.sample_indices_])
        X_hat, places = self._decode(layer.combine(torch.from_numpy(self.coef_), z, z)), self._places()
        return X_hat[places] if (places >= 0).all() else X_hat

    # New rows

    def _shares(self, *, of_others=False):
        """Shares of the clusters in the clustered rows next to a sample in the latent space."""
        nearest, membership = self._neighbors(), self._is_member()

        def shares(block):
            weights, places = nearest(block, *(self._twins(block) if of_others else ((), ())))
            voted = (weights[..., None] * membership[places]).sum(axis=1)
            voted = np.where(voted.any(axis=1, keepdims=True), voted, membership.mean(axis=0))
            return voted / voted.sum(axis=1, keepdims=True)

        return shares

    def _judge(self):
        """Noise where most of the neighbours are."""
        nearest, row_labels, membership = self._neighbors(), self._row_labels, self._is_member()

        def judge(block):
            weights, places = nearest(block)
            voted = (weights[..., None] * membership[places]).sum(axis=1)
            of_noise = (weights * (row_labels[places] < 0)).sum(axis=1)
            return voted.argmax(axis=1), np.where(of_noise > voted.max(axis=1), np.inf, 0)

        return judge

    def _expressed_rows(self):
        return self._expressed_features(self.embedding_)

    def _neighbors(self):
        """A function that gives weights and numbers of the clustered rows next to the samples of a block.

        Pairs of a sample and a row that it must not have as its neighbour follow the block.
        """
        search = NearestNeighbors(algorithm="brute")
        with VALIDATION:
            search.fit(self._expressed_features(self.embedding_))
        n_rows = len(self.embedding_)

        def nearest(block, rows=(), banned=()):
            features = self._expressed_features(self._encode(block))
            n_banned = int(np.bincount(rows, minlength=1).max()) if len(rows) else 0
            n_found = min(self.n_neighbors + n_banned, n_rows)
            with VALIDATION:
                places = search.kneighbors(features, n_found, return_distance=False)
            pairs = np.asarray(rows, dtype=np.int64) * n_rows + np.asarray(banned, dtype=np.int64)
            counts = ~np.isin(np.arange(len(places))[:, None] * n_rows + places, pairs)
            counts &= np.cumsum(counts, axis=1) <= self.n_neighbors
            return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), places

        return nearest

    def _new_coefficients(self, samples):
        weights, places = self._neighbors()(samples)
        rows = np.repeat(np.arange(len(places)), places.shape[1])
        shape = len(places), len(self.embedding_)
        return sparse.csr_array((weights.ravel(), (rows, places.ravel())), shape=shape)

    def _expressed_features(self, z):
        """Codes under the normalisation in which the training samples express each other."""
        if self._unit_latent:
            return unit_rows(z, self._latent_mean)
        return z if self._latent_mean is None else z - self._latent_mean


def _scaling_of(normalization):
    """A latent normalisation as arguments of a layer."""
    return {"center": normalization == "centered", "unit": normalization in ("unit", "centered")}


@torch.no_grad()
def relative_weights(costs, out, weights, share=1.0):
    """Weights that make terms worth shares of all other costs, on some outputs.

    Parameters
    ----------
    costs : callable
        From outputs to the costs by name, under the weights in force.
    out : Outputs
    weights : dict of str to float
        What the terms of these names are to be worth, as shares of the sum of the others, times `share`.
    share : float, default=1.0

    Returns
    -------
    weights : dict of str to float
    """
    values = {name: cost.item() for name, cost in costs(out).items()}
    total = sum(value for name, value in values.items() if name not in weights)
    plain = {name: values[name] / weight for name, weight in weights.items() if weight}
    return {name: share * weight * total / (plain.get(name) or 1.0) for name, weight in weights.items()}
