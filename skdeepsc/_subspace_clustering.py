"""One rule without knobs and without labels: candidates of several views and dimensions, and how to choose."""

from collections.abc import Sequence
from dataclasses import field
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from ._arrays import as_numbers, is_sparse
from ._base import BaseGraphClustering, Threaded, others_of
from ._input import as_flat_rows, row_blocks
from ._memory import available_bytes, require_bytes
from ._noise import unexplained_shares
from ._params import Count, answers, estimator
from ._random import draw_rows, draw_seeds
from ._ridge import MOST_FREEDOM, limited_freedom
from ._scale import divided, in_float32, scaled_rows, unit_exponent
from ._self_training import outputs, self_train
from ._threads import threads
from ._view_search import (
    Look,
    agreement,
    clearest,
    columns,
    fairest,
    open_information,
    open_share,
    search,
    search_on_flats,
)
from ._warn import advising, warn_user
from .features import AutoEncoder, LocalContrast, MultiscaleScattering, RadialFeatures, Scattering, SquashingScaler
from .features._base import OnDevice, TakesCallbacks, TransformsImages
from .features._rows import TransformsRows
from .features._scattering import SharedWavelets
from .nn import precise, product
from .segmentation import N_STARTS, DegenerateAffinityWarning, choose_by_graphs, warn_if_degenerate
from .training.batches import to_device

# Views by name, and those that "auto" looks at of images and of flat rows: the auto-encoder's codes have won on no set.
_NAMED_VIEWS = ("scattering", "symmetric", "contrast", "pixels", "scaled", "radial", "autoencoder", "svd")
_OF_IMAGES, _OF_ROWS = ("scattering", "symmetric", "contrast", "pixels"), ("radial", "pixels", "scaled")
# Features whose clusters may be places in all directions: "radial" is looked at of no more, and not of one alone.
_FEW_FEATURES = range(2, 11)
# Rows as they are say what one feature says that has more than this share of the variance, or what few rows say, so
# small a share of them that it would have all of it.
_ALONE, _FEW = 2 / 3, 0.02
# Kinds of views that take no sparse rows.
_OF_DENSE = (TransformsImages, TransformsRows)
# Those that are made of the same wavelets.
_SHARING = ("scattering", "symmetric")
# Components of the view of sparse rows.
_N_COMPONENTS = 100
# Rows that are clustered unless the user says how many, at least, and for each cluster.
_ROWS, _ROWS_OF_CLUSTER = 5000, 75
# The first look at the views: a third of the rows, but so many at least and at most, or at least so many for each
# cluster; and how hard the graphs of every second dimension are searched.
_FIRST_ROWS, _FIRST_ROWS_OF_CLUSTER, _FIRST_EFFORT = (600, 1000), 20, {"walks": (8,), "n_starts": 2}
# The most starts of each k-means in the last look; and what they may cost together, each of them
# n_rows * n_clusters ** 2, as the embedding grows with the clusters.
_MOST_STARTS, _COST_OF_STARTS = 64, 2**21
# A view that has this much less information than another before whitening is taken to have less after it, too.
_WHITENING_GAIN = 0.05
# Bytes of whitened rows of all samples that are kept from round to round, the most; more are made anew, which of images
# takes most of the time.
_KEPT_BYTES = 3 * 2**29
# Degrees of freedom of the graphs by which a number of clusters is chosen.
_FREEDOMS = (10, 30, 90)
# Bytes for each value of the features, of their scores, and of the smaller Gram matrix, at the peak.
_FEATURE_BYTES, _GRAM_BYTES = 12, 40


@estimator
class SubspaceClustering(OnDevice, TransformsImages, TakesCallbacks, Threaded, BaseGraphClustering):
    r"""Clustering of images, or of any rows, that needs no tuning and no labels.

    Samples are seen under several views, feature maps such as scattering coefficients. For each view and each expected
    dimension q of a subspace,

    1. features are centred and scaled to unit length, and express each other by zero-diagonal ridge regression,
       :math:`C = \arg\min \|Z - CZ\|^2 + \lambda \|C\|^2`, with the :math:`\lambda` that gives
       ``q * n_clusters`` effective degrees of freedom;
    2. each row keeps its few largest positive coefficients, divided by their sum: the affinity is
       :math:`(T + T^T) / 2`;
    3. its leading eigenvectors give several labellings (k-means, also after random walks, from 8 to 64 starts, the more
       the fewer rows and clusters; QR; discretisation);
    4. each labelling is scored in the graphs of all q of its view: the mutual information between the clusters at the
       two ends of an edge (:func:`~skdeepsc.segmentation.edge_information`).
    5. the view is whitened against the differences along the edges of its own graph, the scatter within clusters as far
       as it can be known without labels, and 1 to 4 are done once more;
    6. the labelling with the most information is the answer, unless another one is plainly fairer to uneven sizes.
       Information I pays for clusters of equal size, up to the entropy H of their sizes; so the fair score is
       :math:`F = I - 0.9\, (I^* / H^*) H`, with those of the labelling with the most. Another one takes its place

       - if its F is larger, and it leaves at most .7 of the share :math:`1 - I^* / H^*` open that the first leaves;
       - of more than ten clusters, also if its F is larger by .75 % of ``log n_clusters``, and it leaves at most
         :math:`1 - \log 2 / \log K` of that share open;
       - if there is no such one, where its F is larger and its I the same up to .05 % of ``log n_clusters``.

       Of several, the one with the largest F is the answer.

    A first look, at 600 to 1000 rows, a third of them in between (20 for each cluster, if that is more; all, if there
    are few more), and every second dimension, chooses the view, that of the whitened labelling with the most
    information, or one that is named before it and leaves no more than a twentieth more open; views that have .05 less
    than the most before that are not whitened. (Beside ``"radial"``, the share :math:`I / H` of the fairest labelling
    is compared: places have any size, and half of all directions are a clear cut of few features.) Then all rows are
    looked at; labellings are sought under the dimension with the most information and those next to it. Scores can be
    compared because all graphs have the same number of coefficients a row, which sum to 1. One view is selected; views
    are not mixed.

    7. Samples that were not clustered, those beyond `subsample`, get the labels that their largest coefficients over
       those that were vote for. Then a linear classifier learns the labels of all and gives them anew, three times,
       unless it changes more than a tenth of them: subspaces, both ends of which are one cluster, are not for it.

    Parameters
    ----------
    n_clusters : int or "auto"
        ``"auto"``: the number that shortens the description of graphs most
        (:func:`~skdeepsc.segmentation.choose_n_clusters`), of those with 10, 30 and 90 degrees of freedom of all views,
        in the mean of those that it can shorten by 85 % of the most or more. A hint, not a proof: it was right within a
        tenth on 14 of 22 sets, and sees too few clusters where they hang together closely;
        `n_clusters_scores_` names others that are nearly as good.
    views : "auto" or list of str and (str, transformer) tuples
        The views. ``"scattering"``: :class:`~skdeepsc.Scattering`, a fixed network; ``"symmetric"``:
        :class:`~skdeepsc.MultiscaleScattering`, for what is seen from both sides (both with ``opponent=True`` for
        images of three channels, which are taken for red, green and blue); ``"contrast"``:
        :class:`~skdeepsc.LocalContrast`, for changing light; ``"pixels"``: the rows as they are; ``"scaled"``:
        :class:`~skdeepsc.SquashingScaler`, for features of unlike units or with far values; ``"radial"``:
        :class:`~skdeepsc.RadialFeatures`, for clusters that are places and no directions; ``"autoencoder"``: codes of
        a convolutional :class:`~skdeepsc.AutoEncoder`; or a name and any transformer, which is cloned and gets flat
        float32 rows, or float32 images of shape (n, channels, height, width) if its tags (those of the first step of a
        pipeline) say that it takes three-dimensional arrays; a random state that it leaves open is set from
        `random_state`. ``"auto"``: the first four for images; ``"pixels"`` and ``"scaled"`` for flat rows, but not the
        rows as they are if one feature or a few far rows have most of the variance, and ``"radial"`` before them if
        there are two to ten features; ``"pixels"`` alone if `affine`, as the others bend flats; ``"svd"`` for sparse
        rows such as tf-idf: rows of unit length on their 100 largest singular directions, which never makes an array of
        the size of `X`. A transformer gets sparse rows as a float32 CSR array. (The auto-encoder, which takes most of
        the time, won on none of the sets in the documentation.)
    subspace_dims : sequence of float
        Expected dimensions q of a subspace to try. Those with ``q * n_clusters > 0.7 n_samples`` are left out; if that
        leaves none, the smallest is taken with 0.7 n_samples degrees of freedom. Those that need the same penalty as a
        smaller one, because the features have fewer dimensions, are left out, too.
    n_coefs : int
        Coefficients kept in each row. Few keep clusters apart; many hold elongated clusters together.
    refine : bool
        Whether to take steps 5 and 6, whitening and the linear classifier. Without them the answer is that of the view
        as it is, and new rows get the cluster that their largest coefficients vote for.
    affine : bool
        Whether the coefficients of a sample must sum to 1, for subspaces of few dimensions that miss the origin, such
        as those of points on moving bodies: features are centred and divided by one number, not each by its length.
        Samples that do lie on such flats get their labels otherwise: k-means on the graph of those that point most the
        same way under all `subspace_dims` (:meth:`~skdeepsc.nn.RidgePath.top_cosines`), whatever their numbers are, if
        its clusters give away less than a tenth of their affinity. Steps 3 to 5 are for all others.
    subsample : int, "auto" or None
        Cluster this many rows, drawn at random without any label, and label the others. ``"auto"``: 5000, or 75 for
        each cluster if that is more. ``None``: all rows.
    n_jobs
        Dimensions of a view are tried at once.
    callbacks
        For the view ``"autoencoder"``, as `memory`.

    Attributes
    ----------
    candidates_ : dict of ndarray
        All labellings that were compared, as columns for a data frame: ``view``, ``subspace_dim`` of the graph,
        ``labelling`` ("flats": see `affine`), ``labelling_dim`` (the q whose graph it comes from, nan for that of all
        q), ``edge_information``, which decides (divided by the logarithm of `n_clusters` and times the share of rows
        with any positive coefficient, so that it lies in [0, 1]), ``size_entropy`` (divided by the same),
        ``normalized_cut`` (divided by `n_clusters`; clusters without samples count as cut). First the answer, then
        those of the whitened view, whose name ends with ", whitened", then those of the first look at all views, the
        best first, if there was one: with one view and one or two dimensions there is nothing to choose.
    confidence_ : ndarray of shape (n_samples,), float64
        How sure the label of each sample is, in [0, 1]: the share of what ties it to others, in the graphs of all
        dimensions of the winning view, that ties it to its own cluster, each tie times the share of labellings that
        agree on the label of the other, of those with nearly as much information as any; times the probability that a
        random walk from it, in `affinity_matrix_`, is in its cluster after eight steps. Labellings differ where
        clusters are not clear, and walks leave those that hang together loosely. A sample beyond `subsample` has the
        mean of those that vote for its label, with their votes, and 0 for the other votes.
    n_clusters_ : int
        The number that was looked for, given or chosen; `labels_` may hold fewer.
    n_clusters_scores_ : dict of int to float or None
        Of each number that was tried, what it saves in the mean, in nats a sample; ``None`` where the number was given.
    view_ : str
        The winning view.
    subspace_dim_ : float
        The winning dimension.
    views_ : dict of str to transformer
        The fitted views.

    Notes
    -----
    The rule is this package's own. Ridge self-expression with a zero diagonal is LSR1 of Lu, Min, Zhao, Zhu, Huang,
    Yan, "Robust and efficient subspace segmentation via least squares regression", ECCV 2012,
    doi:10.1007/978-3-642-33786-4_26. New rows get their cluster from the linear classifier where there is one, else
    from the votes of their largest coefficients over the training rows, by the same ridge.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import SubspaceClustering
    >>> images = load_digits(n_class=3).images
    >>> clustering = SubspaceClustering(3, views=["scattering", "pixels"], random_state=0).fit(images)
    >>> clustering.view_
    'scattering'
    >>> clustering.predict(images[:3]).shape
    (3,)
    """

    n_clusters: Count | Literal["auto"] = field(default=8, kw_only=False)  # type: ignore[assignment]
    views: Literal["auto"] | Sequence[Any] = "auto"
    subspace_dims: Annotated[Sequence[float], "array-like"] = (1, 2, 4, 8, 16)
    n_coefs: Count = 5
    refine: bool = True
    affine: bool = False
    subsample: Count | Literal["auto"] | None = "auto"  # type: ignore[assignment]

    _drawing = ("rows", "views", "labels")

    # What is represented: the view and the dimension with the most information

    def _n_tasks(self):
        return self._has_choice() * (len(self._views()) + self.refine) + 2 + (self.n_clusters == "auto")

    def _has_choice(self):
        """Whether a first look chooses anything, the view or the dimensions."""
        return len(self._views()) > 1 or len(_every_second(self._dims())) > 1

    def _represent(self, samples, progress):
        dims, rows = self._dims(), self._rows(samples)
        self.views_, self._exponents = self._transformers(self._seeds["views"]), {}
        self.n_clusters_, self.n_clusters_scores_, looks = self.n_clusters, None, {}
        shared = SharedWavelets({view: self.views_[view] for view in self._of_wavelets()}, rows)
        if self.n_clusters == "auto":
            with progress.task("n_clusters"):
                looks = self._looks(rows, shared)
                self._choose_n_clusters(looks.values())
        if self.affine and self._find_flats(rows, looks, dims, shared):
            return
        view, dim, sought, others = next(iter(self.views_)), dims[0], None, []
        if self._has_choice():
            view, dim, sought, others = self._first_looks(rows, looks, dims, shared, progress)
        with progress.task("search"):
            look = looks.get(view) or self._look(view, rows, shared.fit_transform_all(view))
            if self.refine and not look.is_whitened:
                look = look.whitened(self._graph(look, dim).affinity)
            found = self._search(look, dims, sought=sought, n_starts=self._n_starts(len(look.features)))
        chosen = fairest(found, self.n_clusters_) if self.refine else found[0]
        self._select(chosen, found, look)
        self.candidates_ = columns([chosen, *(each for each in found if each is not chosen), *others])

    def _find_flats(self, rows, looks, dims, shared):
        """Select the view that shows the samples on flats most clearly, if there is one; `looks` gets all."""
        looks.update(looks or self._looks(rows, shared))
        found = {
            view: search_on_flats(look, dims, self.n_clusters_, self.n_coefs, self._seeds["labels"])
            for view, look in looks.items()
        }
        view = min(found, key=lambda view: found[view][1])
        candidates = found[view][0]
        if candidates:
            self._select(candidates[0], candidates, looks[view])
            self.candidates_ = columns(candidates)
        return bool(candidates)

    def _first_looks(self, rows, looks, dims, shared, progress):
        """What to look at: the view with the most information, and the dimension of the graph to whiten it by.

        From some of many rows; `looks` gets that of the view at all of them, the whitened one where there is one.

        Returns
        -------
        view : str
        dim : float
        sought : list of float
            The dimension with the most information, of every second, and those next to it.
        others : list of Candidate
            All candidates but those of the view that are whitened.
        """
        places = np.arange(rows.shape[0]) if looks else self._first_places(rows.shape[0])
        part, of_wavelets = rows[places], {} if looks else shared.fit_transform(places)

        def first(view):
            look = looks.get(view) or self._look(view, part, of_wavelets.pop(view, None))
            return look, self._search(look, _every_second(dims), **_FIRST_EFFORT)

        def again(view):
            look, found = made[view]
            look = look.whitened(found[0].graph.affinity)
            return look, self._search(look, _every_second(dims), **_FIRST_EFFORT)

        made = {}
        # A user's transformer need not be safe for threads.
        with threads(self.n_jobs if all(view in _OF_IMAGES + _OF_ROWS for view in self._views()) else 1) as run:
            found = run(first, self.views_)
            for view in self.views_:
                with progress.task(view):
                    made[view] = next(found)
            plain = {view: found for view, (_, found) in made.items()}
            # Of few features, half of the directions are a perfect cut, and places may have any size.
            of_sizes = partial(open_share, n_clusters=self.n_clusters_)
            unsaid = of_sizes if "radial" in self.views_ else open_information
            left_open = {view: unsaid(found) for view, found in plain.items()}
            least = min(left_open.values())
            near = [view for view in plain if left_open[view] <= least + _WHITENING_GAIN]
            if self.refine:
                with progress.task("whitening"):
                    made |= dict(zip(near, run(again, near), strict=True)) if len(near) > 1 else {}
        best = clearest({view: unsaid(made[view][1]) for view in near})
        look, found = made[best]
        if len(places) == rows.shape[0]:
            looks[best] = look
        others = [*plain.values(), *(made[view][1] for view in near if view != best and made[view][0].is_whitened)]
        others = sorted((each for found in others for each in found), key=lambda candidate: candidate.rank)
        place = dims.index(found[0].graph.dim)
        return best, plain[best][0].graph.dim, dims[max(place - 1, 0) : place + 2], others

    def _first_places(self, n_rows):
        """Which rows are looked at first: all, where there are not many more."""
        n_drawn = max(np.clip(n_rows // 3, *_FIRST_ROWS), _FIRST_ROWS_OF_CLUSTER * self.n_clusters_)
        return draw_rows(n_rows, n_drawn if n_rows >= 1.5 * n_drawn else n_rows, self._seeds["rows"])

    def _graph(self, look, dim):
        """The graph of a view under an expected dimension, as far as there are rows for it."""
        lam = look.path.penalty(limited_freedom(dim, self.n_clusters_, len(look.path.scores)))
        return look.graph(dim, lam, self.n_coefs)

    def _search(self, look, dims, **effort):
        with threads(self.n_jobs) as run:
            return search(look, dims, self.n_clusters_, self.n_coefs, self._seeds["labels"], run, **effort)

    def _n_starts(self, n_rows):
        """Few rows and clusters are searched so long that one seed finds what the next one does."""
        return int(np.clip(_COST_OF_STARTS // (n_rows * self.n_clusters_**2), N_STARTS, _MOST_STARTS))

    def _segment(self, samples):
        with advising(f"Try a larger n_coefs, other subspace_dims or other views.{self._about_zeros()}"):
            warn_if_degenerate(self.affinity_matrix_, self._best_labels, self.n_clusters_)
        return self._best_labels

    def _about_zeros(self):
        """The same, and that some rows hardly differ from all others."""
        told, first = super()._about_zeros(), self._scaling.former or self._scaling
        is_alike = self.embedding_.any(axis=1) & ~first(self.embedding_).any(axis=1)
        if not is_alike.any():
            return told
        return (
            f"{told} {is_alike.sum()} samples differ from the mean of all by less than single precision can tell: "
            "subtract what all have in common, such as a large constant."
        )

    def _label_all(self, row_labels, samples):
        self.confidence_ = np.empty(samples.shape[0])
        self.confidence_[self.sample_indices_] = self._sureness(row_labels)
        super()._label_all(row_labels, samples)
        self.confidence_[self.labels_ < 0] = 0

    def _label_copies(self):
        super()._label_copies()
        self.confidence_ = self.confidence_[self._copied]

    def _keep_clusters(self, present):
        self._agreement = self._agreement[:, present]

    def _label_rest(self, samples, rest):
        """Set labels and confidence from the same votes: a view of many samples is what takes the time."""
        voting, n_found = self._voting_with_confidence(), self._n_found()
        unexplained = None if self._noise_bound is None else self._unexplained_features()

        def answer(block):
            features = self._features(self.view_, block)
            votes = voting(block, features)
            labels = votes[:, :n_found].argmax(axis=1)
            confidence = votes[np.arange(len(labels)), n_found + labels]
            if unexplained is not None:
                labels[unexplained(features, labels) > self._noise_bound] = -1
            return np.column_stack([labels, confidence])

        found = self._fill(answer, samples, np.empty((len(rest), 2)), rest)
        self.labels_[rest], self.confidence_[rest] = found.T
        if self.refine:
            rows = np.sort(np.concatenate([self.sample_indices_, rest]))
            self._self_train(samples, rows[self.labels_[rows] >= 0], voting)

    def _self_train(self, samples, rows, voting):
        """Let a linear classifier learn the labels of some samples, and give them and those of new ones."""
        voted = self.labels_.copy()
        labels, self._classifier = self_train(self._kept_blocks(samples, rows), voted[rows], self._n_found())
        self.labels_[rows] = labels
        self.confidence_[self.sample_indices_] = self._sureness(self._row_labels)
        changed = np.setdiff1d(np.flatnonzero(self.labels_ != voted), self.sample_indices_)
        for block in row_blocks(len(changed)):
            votes, number = voting(samples[changed[block]]), np.arange(len(changed[block]))
            self.confidence_[changed[block]] = votes[number, self._n_found() + self.labels_[changed[block]]]

    def _kept_blocks(self, samples, rows):
        """A function that gives blocks of expressed features, kept from the first time on where there is room."""
        needed = 4 * len(rows) * self._vote_weights.shape[0]
        available = available_bytes("cpu") or 2**62
        kept = [] if needed <= min(_KEPT_BYTES, available / 4) else None

        def blocks():
            if kept:
                yield from kept
                return
            for block in row_blocks(len(rows)):
                pair = block, self._unit(self._features(self.view_, samples[rows[block]]))
                if kept is not None:
                    kept.append(pair)
                yield pair

        return blocks

    def _sureness(self, row_labels):
        """How far each clustered row is tied to its label; 0 for noise."""
        return np.where(row_labels >= 0, self._agreement[np.arange(len(row_labels)), row_labels], 0)

    # Public answers

    @answers
    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Shares of the clusters in what labels samples; the largest is what `predict` gives for new ones.

        Shares of the largest coefficients, to which a sample that was clustered, known by its values, and its copies do
        not add; or what is positive of the outputs of the linear classifier, where one has learnt the labels of samples
        beyond `subsample`: there, a sample has the little say in its own that one of all has.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Samples like those in `fit`, dense; read block by block.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_found), float64
            A column for each cluster in `labels_`; rows sum to 1.
        """
        if is_sparse(X):
            raise ValueError(
                "predict_proba takes dense rows, and X is sparse, for which scikit-learn knows probabilities from "
                "classifiers only: give X.toarray(), block by block, or take predict."
            )
        return super().predict_proba(X)

    @answers
    def transform(self, X: ArrayLike) -> np.ndarray:
        """Samples under the winning view.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features_out), float32
        """
        check_is_fitted(self)
        return self._features(self.view_, self._read(X, reset=False)[:])

    @property
    def _n_features_out(self):
        return self.embedding_.shape[1]

    # How many rows, and how many clusters

    def _n_drawn(self):
        if self.subsample != "auto":
            return self.subsample
        return max(_ROWS, _ROWS_OF_CLUSTER * self._least_clusters())

    def _choose_n_clusters(self, looks):
        """Set the number that saves most."""
        graphs = [
            look.graph(0, look.path.penalty(freedom), self.n_coefs).affinity
            for look in looks
            for freedom in self._freedoms(look.path)
        ]
        with threads(self.n_jobs) as run:
            self.n_clusters_, self.n_clusters_scores_ = choose_by_graphs(graphs, self._seeds["labels"], run)
        if self.n_clusters_ == 1:
            warn_user(
                "n_clusters='auto' finds no clusters: the graphs of no view are described any shorter by them. The "
                "samples may be noise, or their clusters hang together closely; give a number to look for.",
                DegenerateAffinityWarning,
            )

    def _freedoms(self, path):
        most = MOST_FREEDOM * len(path.scores)
        return sorted({min(freedom, most) for freedom in _FREEDOMS})

    def _least_clusters(self):
        return 1 if self.n_clusters == "auto" else self.n_clusters

    # The views

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _read(self, X, *, reset=True):
        """Checked samples, or sparse rows: those of a fit on sparse ones are all sparse, the others all dense."""
        if reset:
            self._is_sparse = is_sparse(X)
        elif is_sparse(X) and not self._is_sparse:
            raise TypeError("X is sparse, and the estimator was fitted on dense samples: give X.toarray(), by blocks.")
        if not self._is_sparse:
            return super()._read(X, reset=reset)
        rows = sparse.csr_array(as_flat_rows(self, X, reset=reset))
        if reset:
            self.image_shape_ = rows.shape[1:]
            self._settle()
        # Lengths say nothing to views of sparse rows, and float32 holds those of 1, whatever the scale was.
        return sparse.csr_array(scaled_rows(rows), dtype=np.float32)

    def _settle(self):
        super()._settle()
        self._check_callbacks()

    def _draw_rows(self, samples):
        super()._draw_rows(samples)
        self._automatic = self._views_of(samples) if isinstance(self.views, str) else None

    def _views(self):
        return self._automatic or self.views

    def _views_of(self, samples):
        """Those that are looked at without being named."""
        if self._is_sparse:
            return ("svd",)
        if len(self.image_shape_) == 3:
            return _OF_IMAGES
        if self.affine:
            return ("pixels",)
        left_out = {"pixels": _is_of_few(self._rows(samples)), "radial": self.n_features_in_ not in _FEW_FEATURES}
        return tuple(view for view in _OF_ROWS if not left_out.get(view))

    def _transformers(self, seed):
        """Unfitted views by name."""
        views = self._views()
        named = [self._named_view(view, seed) if isinstance(view, str) else _cloned(view, seed) for view in views]
        names = [name for name, _ in named]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"views must have names, each once; got {names}.")
        return dict(named)

    def _named_view(self, name, seed):
        shared = {"image_shape": self.image_shape_ if len(self.image_shape_) == 3 else None, "device": self.device}
        opponent = len(self.image_shape_) == 3 and self.image_shape_[0] == 3
        if name == "autoencoder":
            return name, AutoEncoder(callbacks=self.callbacks, memory=self.memory, random_state=seed, **shared)
        if name == "scattering":
            return name, Scattering(opponent=opponent, **shared)
        if name == "symmetric":
            return name, MultiscaleScattering(opponent=opponent, **shared)
        if name == "contrast":
            return name, LocalContrast(image_shape=shared["image_shape"])
        if name == "pixels":
            return name, FunctionTransformer().set_output(transform="default")
        if name == "scaled":
            return name, SquashingScaler().set_output(transform="default")
        if name == "radial":
            return name, RadialFeatures(random_state=seed).set_output(transform="default")
        if name == "svd":
            n_components = min(_N_COMPONENTS, self.n_features_in_)
            return name, TruncatedSVD(n_components, random_state=seed)
        raise ValueError(f"views by name are {', '.join(map(repr, _NAMED_VIEWS))}; got {name!r}.")

    def _of_wavelets(self):
        """Views by name that are made of the same wavelets."""
        return [] if self._is_sparse else [view for view in self._views() if view in _SHARING]

    def _looks(self, rows, shared):
        """A look at the rows in each view."""
        made = shared.fit_transform()
        return {view: self._look(view, rows, made.pop(view, None)) for view in self.views_}

    def _look(self, view, rows, made=None):
        """What a view makes of the rows, and their self-expression for all penalties; the view is fitted.

        Where its output has been made, it is given.
        """
        features = self._features(view, rows, fit=True, made=made)
        self._require_room(view, *features.shape)
        return Look.at(view, features, self.device_, affine=self.affine)

    def _require_room(self, view, n_rows, n_features):
        """Compare what the self-expression of features needs with the memory there is."""
        n_values, n_least = n_rows * n_features, min(n_rows, n_features)
        needed = _FEATURE_BYTES * (n_values + n_rows * n_least) + _GRAM_BYTES * n_least**2
        what = f"Self-expression of {n_rows} samples of {n_features} features, the view {view!r},"
        require_bytes(needed, what, self._way_out(n_rows), self.device_)

    def _features(self, view, samples, fit=False, made=None):
        """Checked output of a view, if it has not been made; a user's transformer gets a copy."""
        transformer = self.views_[view]
        n_samples = samples.shape[0]
        is_identity = isinstance(transformer, FunctionTransformer) and transformer.func is None
        if self._is_sparse and (is_identity or isinstance(transformer, _OF_DENSE)):
            raise ValueError(f"The view {view!r} takes dense samples, and X is sparse: choose 'svd', or a transformer.")
        samples = samples if self._is_sparse or _takes_images(transformer) else samples.reshape(n_samples, -1)
        if not isinstance(transformer, TransformsImages):
            samples = samples.astype(np.float32)
        features = made
        if made is None:
            features = _fit_transform(transformer, samples) if fit else transformer.transform(samples)
        shape = np.shape(features)
        if sparse.issparse(features) or len(shape) != 2 or shape[0] != n_samples or not shape[1]:
            raise ValueError(
                f"The view {view!r} must turn {n_samples} samples into a dense array of shape ({n_samples}, "
                f"n_features); got {type(features).__name__} of shape {shape}."
            )
        try:
            features = as_numbers(f"The output of the view {view!r}", features, dtype=[np.float64, np.float32])
        except (TypeError, ValueError) as error:
            raise ValueError(f"The view {view!r} must give finite numbers: {error}") from error
        if fit:
            self._exponents[view] = unit_exponent(features)
        return in_float32(divided(features, self._exponents[view]), f"The output of the view {view!r}")

    # The rule

    def _dims(self):
        try:
            dims = np.asarray(self.subspace_dims, dtype=float)
        except (TypeError, ValueError):
            dims = np.empty(0)
        if dims.ndim != 1 or dims.size == 0 or not (np.isfinite(dims) & (dims > 0)).all():
            raise ValueError(f"subspace_dims must hold positive numbers; got {self.subspace_dims!r}.")
        return np.unique(dims).tolist()

    def _select(self, best, found, look):
        """Set what follows from the best of the candidates found in a view."""
        self.view_, self.subspace_dim_, self.affinity_matrix_ = look.view, best.graph.dim, best.graph.affinity
        self._best_labels = best.labels
        self._agreement = agreement(found, best)
        self.embedding_, self._scaling, self._classifier = look.features, look.scaling, None
        self._vote_weights = look.path.weights(best.graph.lam).cpu().numpy()
        self._n_votes, self._vote_offset = self.n_coefs, look.path.offset

    # New rows

    def _shares(self, *, of_others=False):
        """Shares of the clusters: what is positive of the classifier's outputs, or of the largest coefficients.

        Those `of_others` are told, in double precision: in single, the last digits of products hang on the place of a
        row in its block.
        """
        if self._classifier is None:
            return self._voting(self._is_member(), of_others)
        dtype = np.float64 if of_others else np.float32

        def shares(block):
            positive = np.maximum(self._outputs(self._features(self.view_, block).astype(dtype, copy=False)), 0)
            total = positive.sum(axis=1, keepdims=True)
            return np.divide(positive, total, out=np.full_like(positive, 1 / positive.shape[1]), where=total > 0)

        return shares

    def _outputs(self, features):
        """Outputs of the linear classifier."""
        return outputs(self._unit(features), self._classifier)

    def _voting_with_confidence(self):
        """Votes for the clusters, then the same, each times how sure the label of the row that votes is."""
        membership = self._is_member()
        return self._voting(np.hstack([membership, self._sureness(self._row_labels)[:, None] * membership]))

    def _voting(self, membership, of_others=False):
        """A function that gives the mean of some columns over the rows that vote for each sample of a block.

        Those of the largest positive coefficients vote; all of them, where there is none. Noise does not.
        """
        membership = torch.from_numpy(membership.astype(np.float32)).to(self.device_)
        weights = to_device(self._vote_weights, self.device_)
        weights = precise(weights) if of_others else weights
        is_noise = torch.from_numpy(self._row_labels < 0).to(self.device_)
        usual = precise(membership)[~is_noise].mean(0)

        def vote(block, features=None):
            coef = self._coefficients(self._features(self.view_, block) if features is None else features, weights)
            coef[:, is_noise] = -torch.inf
            if of_others:
                coef[self._twins(block)] = -torch.inf
            return _votes(*_top_positive(coef, self._n_votes), membership, usual).cpu().numpy()

        return vote

    def _unit(self, features):
        """Features of the winning view as they express each other."""
        return self._scaling(features)

    def _coefficients(self, features, weights=None):
        """Coefficients of features over the rows that were clustered, a tensor in the precision of the weights."""
        weights = to_device(self._vote_weights, self.device_) if weights is None else weights
        features = features.astype(np.float64 if weights.dtype is torch.float64 else np.float32, copy=False)
        return product(to_device(self._unit(features), self.device_), weights) + self._vote_offset

    # Noise

    def _judge(self):
        """As in the fit: what the voted cluster leaves of a sample tells noise, whatever the classifier says."""
        voting, unexplained = self._voting(self._is_member()), self._unexplained_features()

        def judge(block):
            features = self._features(self.view_, block)
            voted = voting(block, features).argmax(axis=1)
            labels = voted if self._classifier is None else self._outputs(features).argmax(axis=1)
            return labels, unexplained(features, voted)

        return judge

    def _unexplained_features(self):
        """A function that gives what the rows of their clusters leave of new samples, with all their coefficients."""
        rows, row_labels = self._unit(self.embedding_), self._row_labels

        def unexplained(features, labels):
            coef = self._coefficients(features).cpu().numpy()
            return unexplained_shares(self._unit(features), coef, labels[:, None] == row_labels, rows)

        return unexplained

    def _unexplained_rows(self):
        rows, row_labels = self._unit(self.embedding_), self._row_labels

        def unexplained(block):
            places = np.arange(len(row_labels))[block]
            coef = rows[block] @ self._vote_weights + np.float32(self._vote_offset)
            return unexplained_shares(
                rows[block], others_of(coef, places), row_labels[places, None] == row_labels, rows
            )

        return unexplained

    # Why samples are where they are

    def _new_coefficients(self, samples):
        coef = self._coefficients(self._features(self.view_, samples))
        return _as_csr(*_top_positive(coef, self._n_votes), coef.shape[1])

    def _own_coefficients(self, places):
        coef = self._coefficients(self.embedding_[places])
        coef[torch.arange(len(places)), torch.from_numpy(places)] = -torch.inf
        return _as_csr(*_top_positive(coef, self._n_votes), coef.shape[1])

    def _by_blocks(self, function, n_rows):
        """One after the other: a view need not be safe for threads."""
        return BaseGraphClustering._by_blocks(self, function, n_rows)


def _every_second(dims):
    return dims[::2]


def _is_of_few(rows):
    """Whether one feature or few rows have most of the variance: all others are next to nothing."""
    mean, of_features = rows.mean(axis=0, dtype=np.float64), np.zeros(rows.shape[1])
    of_rows = np.empty(len(rows))
    for block in row_blocks(len(rows)):
        squares = np.square(rows[block] - mean)
        of_features += squares.sum(axis=0)
        of_rows[block] = squares.sum(axis=1)
    total = of_rows.sum()
    return of_features.max() > _ALONE * total or total**2 < _FEW * len(rows) * (of_rows**2).sum()


def _top_positive(coef, n_coefs):
    """The largest coefficients of each row, divided by their sum, and whose they are; 0 for those below 0."""
    top = coef.topk(min(n_coefs, coef.shape[1]), dim=1)
    weights = precise(top.values.clamp_min(0))
    total = weights.sum(1, keepdim=True)
    return torch.where(total > 0, weights / total, 0), top.indices


def _votes(weights, columns, membership, usual):
    """Mean of the rows of a matrix with the weights of some of them, the usual one if all are 0."""
    membership = membership.to(weights.dtype)
    voted = (weights[..., None] * membership[columns]).sum(1)
    return torch.where(weights.sum(1, keepdim=True) > 0, voted, usual)


def _as_csr(weights, columns, n_columns):
    """Rows of coefficients as a sparse array without zeros."""
    rows = np.repeat(np.arange(len(weights)), weights.shape[1])
    values, places = weights.cpu().numpy().ravel(), columns.cpu().numpy().ravel()
    made = sparse.csr_array((values, (rows, places)), shape=(len(weights), n_columns), dtype=np.float64)
    made.eliminate_zeros()
    return made


def _fit_transform(transformer, samples):
    """What a transformer makes of the samples that it is fitted on; a frozen one has but both steps."""
    if hasattr(transformer, "fit_transform"):
        return transformer.fit_transform(samples)
    return transformer.fit(samples, None).transform(samples)


def _takes_images(transformer):
    """Whether a transformer, or the first step of a pipeline, says that it takes three-dimensional arrays."""
    while isinstance(transformer, Pipeline):
        transformer = transformer.steps[0][1]
    return hasattr(transformer, "__sklearn_tags__") and get_tags(transformer).input_tags.three_d_array


def _cloned(view, seed):
    """A name and an unfitted copy of a user's transformer, in which every open random state is set."""
    try:
        name, transformer = view
    except (TypeError, ValueError) as error:
        raise ValueError(f"views must be names or (name, transformer) pairs; got {view!r}.") from error
    has_methods = all(hasattr(transformer, method) for method in ("get_params", "fit", "transform"))
    if not isinstance(name, str) or isinstance(transformer, type) or not has_methods:
        raise ValueError(
            "views must be names or (name, transformer) pairs, an instance with get_params, fit and transform; "
            f"got {view!r}."
        )
    transformer = clone(transformer)
    params = transformer.get_params() if hasattr(transformer, "get_params") else {}
    open_states = [key for key, value in params.items() if key.endswith("random_state") and value is None]
    if open_states:
        transformer.set_params(**dict(zip(open_states, draw_seeds(seed, len(open_states)), strict=True)))
    return name, transformer
